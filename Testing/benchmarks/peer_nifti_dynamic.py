"""nifti_dynamic's voxelwise Patlak, as its own command calls it.

The command itself writes gzip-compressed maps; here the maps are written uncompressed, as ours are in
the same run, so that the comparison is one of the two programs and not of compression.

    python peer_nifti_dynamic.py PET.nii INPUT_FUNCTION.csv USED OUT

The table has the columns of nifti_dynamic: time_start [s], time_end [s], mean.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
from nifti_dynamic.patlak import voxel_patlak
from positionals import positionals

if __name__ == "__main__":
    pet, table, used, out = positionals(__doc__, pet=str, table=str, used=int, out=Path)
    out.mkdir()
    start, end, mean = np.loadtxt(table, delimiter=",", skiprows=1, unpack=True)
    ki, v0 = voxel_patlak(nib.load(pet), mean, (start + end) / 2, n_frames_linear_regression=used)
    nib.save(ki, out / "ki.nii")
    nib.save(v0, out / "v0.nii")
