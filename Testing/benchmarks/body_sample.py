"""Some voxels of the body, evenly spread: what programs that take milliseconds a voxel are timed on.

Needs numpy and nibabel only, so that every peer's interpreter can run it.
"""

from pathlib import Path

import nibabel as nib
import numpy as np


def body_sample(pet: Path, maps: Path, count: int) -> tuple[np.ndarray, int]:
    """At most *count* voxels of our mask (where our residual is not 0), and how many voxels the mask has.

    :param maps: our result folder, uncompressed.
    :returns: curves, (voxels, frames) float64, and the mask's voxels.
    """
    inside = np.argwhere(np.asarray(nib.load(maps / "residual.nii").dataobj) != 0)
    chosen = inside[:: max(1, -(-len(inside) // count))]
    image = nib.load(pet).dataobj
    curves = np.stack([image[..., frame][tuple(chosen.T)] for frame in range(image.shape[3])], axis=1)
    return np.ascontiguousarray(curves, dtype=np.float64), len(inside)
