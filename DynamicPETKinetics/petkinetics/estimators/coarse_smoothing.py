"""Smoothing and growing of small volumes of blocks, as the checks of a scan need them.

The same as scipy.ndimage's: loading that library takes half as long as a whole plain Patlak of 256 x 256 x 71 voxels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.gaussian_width import sd_in_voxels

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: the Gaussian ends after so many SDs
_TRUNCATE = 2.5


def smooth_blocks(images: Float32, fwhm_mm: float, spacing_mm: tuple[float, float, float]) -> Float32:
    """Put images under a Gaussian, in place; at the borders the outermost blocks are repeated.

    :param images: (images, slices, rows, columns), overwritten, and the answer.
    :param spacing_mm: of the blocks, along (slice, row, column).
    """
    slices, rows, columns = images.shape[1:]
    by_slice, by_row, by_column = (
        _matrix(size, sd) for size, sd in zip(images.shape[1:], sd_in_voxels(fwhm_mm, spacing_mm), strict=True)
    )
    for image in images:
        along = np.matmul(by_slice, image.reshape(slices, rows * columns)).reshape(image.shape)
        np.matmul(np.matmul(by_row, along), by_column.T, out=image)
    return images


def grown(inside: Mask, steps: int, within_slices: bool = False) -> Mask:
    """A mask and what lies around it.

    :param inside: (slices, rows, columns).
    :param steps: blocks, along the axes (a neighbour shares a face).
    :param within_slices: in each slice alone, and a neighbour shares a corner.
    """
    now = inside
    for _ in range(steps):
        out = now.copy()
        for axis in (1, 2) if within_slices else (0, 1, 2):
            # corners come in when the second axis grows what the first has grown
            source = np.moveaxis(out.copy() if within_slices else now, axis, 0)
            along = np.moveaxis(out, axis, 0)
            along[1:] |= source[:-1]
            along[:-1] |= source[1:]
        now = out
    return now


def _matrix(size: int, sd: float) -> Float32:
    """The filter along an axis of so many blocks."""
    radius = int(_TRUNCATE * sd + 0.5)
    steps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (steps / sd) ** 2)
    matrix = np.zeros((size, size))
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        np.add.at(matrix, (np.arange(size), np.clip(np.arange(size) + step, 0, size - 1)), weight)
    return matrix.astype(np.float32)
