"""The floor: what any Patlak program has to do at least.

Maps the file, multiplies a 2 x frames matrix with the last frames of every voxel, writes two maps.
No input function, no mask, no checks, no geometry.

    python floor.py PET.nii FRAMES SLICES MATRIX USED OUT
"""

from pathlib import Path

import numpy as np
from positionals import positionals

NIFTI_HEADER = 352

if __name__ == "__main__":
    numbers = dict.fromkeys(("frames", "slices", "matrix", "used"), int)
    path, frames, slices, matrix, used, out = positionals(__doc__, pet=Path, **numbers, out=Path)
    out.mkdir()
    series = np.memmap(path, np.float32, "r", NIFTI_HEADER, (frames, slices * matrix * matrix))
    solution = np.linspace(-1.0, 1.0, 2 * used, dtype=np.float32).reshape(2, used)
    ki, v0 = solution @ series[-used:]
    ki.tofile(out / "ki.raw")
    v0.tofile(out / "v0.raw")
