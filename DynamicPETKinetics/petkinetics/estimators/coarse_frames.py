"""Weighted sums of a series' frames on coarse blocks: what checks of a whole scan look at, in one pass over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.series import DynamicSeries

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: voxels are averaged to blocks of about this size
BLOCK_MM = 6.0
_SLAB_VALUES = 1 << 22


@dataclass(frozen=True, eq=False)
class CoarseSums:
    """Sums of frames, and the body.

    :param values: (sums, slices, rows, columns) of blocks.
    :param inside: which blocks are at least half body, (slices, rows, columns).
    :param block: voxels of a block along (slice, row, column).
    :param spacing_mm: of the blocks, likewise.
    """

    values: Float32
    inside: Mask
    block: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]


def coarse_sums(series: DynamicSeries, frames: NDArray[np.intp], rows: Float64, mask: Mask | None) -> CoarseSums:
    """Average the frames over blocks and sum them by *rows*; what does not fill a block at the far ends is left out.

    :param frames: indices; *rows*: (sums, frames).
    :param mask: the body, (slices, rows, columns); None for everything.
    """
    shape, spacing = series.geometry.shape, series.geometry.spacing_mm[::-1]
    b = tuple(min(max(1, round(BLOCK_MM / step)), size) for step, size in zip(spacing, shape, strict=True))
    block = (b[0], b[1], b[2])
    count = tuple(size // n for size, n in zip(shape, block, strict=True))
    values = np.empty((len(rows), *count), np.float32)
    inside = np.ones(count, bool)
    depth = block[0] * max(1, _SLAB_VALUES // (len(frames) * block[0] * shape[1] * shape[2]))
    for first in range(0, count[0] * block[0], depth):
        last = min(first + depth, count[0] * block[0])
        slab = _means(series.read(frames.tolist(), first, last), block)
        here = slice(first // block[0], last // block[0])
        values[:, here] = np.tensordot(rows.astype(np.float32), slab, 1)
        if mask is not None:
            inside[here] = _means(mask[None, first:last].astype(np.float32), block)[0] >= 0.5
    size_mm = tuple(n * step for n, step in zip(block, spacing, strict=True))
    return CoarseSums(values, inside, block, (size_mm[0], size_mm[1], size_mm[2]))


def on_voxels(blocks: Mask, block: tuple[int, int, int], shape: tuple[int, int, int]) -> Mask:
    """A mask of blocks on the series' voxels; those at the far ends are as the last block.

    :param blocks: (slices, rows, columns) of blocks; *block*: voxels of one; *shape*: of the answer.
    """
    for axis, (n, size) in enumerate(zip(block, shape, strict=True)):
        blocks = blocks.take(np.minimum(np.arange(size) // n, blocks.shape[axis] - 1), axis=axis)
    return blocks


def _means(values: Float32, block: tuple[int, int, int]) -> Float32:
    """Sums of whole planes of neighbours: far faster than numpy's sums over short axes."""
    for axis, n in enumerate(block, start=1):
        whole = values.shape[axis] // n * n
        ahead = (slice(None),) * axis
        parts = [values[ahead + (slice(i, whole, n),)] for i in range(n)]  # noqa: RUF005
        values = parts[0] if n == 1 else sum(parts[2:], parts[0] + parts[1])
    return np.asarray(values / np.float32(np.prod(block)), dtype=np.float32)
