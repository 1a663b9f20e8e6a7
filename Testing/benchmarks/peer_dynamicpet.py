"""dynamicpet's voxelwise Patlak (https://github.com/bilgelm/dynamicpet, MIT licence), as its own command calls it.

For an interpreter that has dynamicpet; every voxel is fitted, which is what its command does without a mask.

    python peer_dynamicpet.py PET.nii INPUT_FUNCTION.csv TSTAR_MIN OUT

The table is that of nifti_dynamic: time_start [s], time_end [s], mean.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
from dynamicpet.kineticmodel.patlak import PRTM
from dynamicpet.temporalobject.temporalimage import TemporalImage
from dynamicpet.temporalobject.temporalmatrix import TemporalMatrix
from positionals import positionals

if __name__ == "__main__":
    pet, table, t_star, out = positionals(__doc__, pet=str, table=str, t_star_min=float, out=Path)
    out.mkdir()
    start, end, mean = np.loadtxt(table, delimiter=",", skiprows=1, unpack=True)
    start, duration = start / 60.0, (end - start) / 60.0
    model = PRTM(TemporalMatrix(mean[None, :], start, duration), TemporalImage(nib.load(pet), start, duration))
    model.fit(tstar=t_star)
    for parameter, name in (("slope", "ki"), ("intercept", "v0")):
        nib.save(model.get_parameter(parameter), out / f"{name}.nii")
