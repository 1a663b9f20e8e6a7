"""How far apart two series of frames are: the largest difference over the largest value, axes in either direction.

    python same_voxels.py A.npy B.npy

Programs count rows, columns and slices from either end; the directions are those that fit the middle frame best.
"""

import sys
from itertools import product

import numpy as np
from positionals import paths

if __name__ == "__main__":
    a, b = (np.load(path, mmap_mode="r") for path in paths(__doc__, "a", "b"))
    if a.shape != b.shape:
        sys.exit(f"{a.shape} and {b.shape} voxels")
    top, middle = float(a.max()), len(a) // 2

    def apart(frame: int, steps: tuple[int, ...]) -> float:
        """Largest difference of one frame."""
        turned = b[frame][tuple(slice(None, None, step) for step in steps)]
        return float(np.abs(a[frame] - turned).max())

    best = min(product((1, -1), repeat=3), key=lambda steps: apart(middle, steps))
    print(max(apart(frame, best) for frame in range(len(a))) / top)
