"""PETPAL's voxelwise Patlak (https://pypi.org/project/petpal, Python 3.12 or newer), as its own command calls it.

For an interpreter that has petpal. It writes its maps gzip-compressed.

    python peer_petpal.py PET.nii INPUT_FUNCTION.csv TSTAR_MIN OUT

The table is that of nifti_dynamic: time_start [s], time_end [s], mean; PETPAL takes a curve at the frames' middles.
"""

from pathlib import Path

import numpy as np
from petpal.kinetic_modeling.parametric_images import GraphicalAnalysisParametricImage
from positionals import positionals

if __name__ == "__main__":
    pet, table, t_star, out = positionals(__doc__, pet=str, table=str, t_star_min=float, out=Path)
    out.mkdir()
    start, end, mean = np.loadtxt(table, delimiter=",", skiprows=1, unpack=True)
    curve = out / "curve.tsv"
    np.savetxt(curve, np.stack([(start + end) / 120.0, mean], axis=1), header="time\tactivity", comments="")
    analysis = GraphicalAnalysisParametricImage(str(curve), pet, str(out), "petpal")
    analysis.run_analysis(method_name="patlak", t_thresh_in_mins=t_star)
    analysis.save_analysis()
