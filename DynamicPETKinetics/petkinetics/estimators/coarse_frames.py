"""A series' frames averaged over coarse blocks: what checks of a whole scan look at, in one pass over it.

docs/methods.md, "Faults of a scan".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.series import DynamicSeries, RowVoxelSource, VoxelSource

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
T = TypeVar("T")

#: voxels are averaged to blocks of about this size
BLOCK_MM = 6.0
#: blocks kept around the body: those that the checks' smoothing, slopes and borders reach
_MARGIN = 6
#: values read at once: they stay in the processor's cache until they are averaged
_SLAB_VALUES = 1 << 18


@dataclass(frozen=True, eq=False)
class CoarseFrames:
    """Frames on blocks, in a box around the body.

    :param values: (frames, slices, rows, columns) of the box's blocks, kBq/mL; 0 where a voxel is not a number.
    :param inside: which blocks are at least half body, (slices, rows, columns).
    :param block: voxels of a block along (slice, row, column).
    :param spacing_mm: of the blocks, likewise.
    :param corner: the box's first block, likewise.
    """

    values: Float32
    inside: Mask
    block: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    corner: tuple[int, int, int]

    def sums(self, rows: Float64) -> Float32:
        """Weighted sums of the frames, (sums, slices, rows, columns).

        :param rows: their weights, (sums, frames).
        """
        return np.tensordot(rows.astype(np.float32), self.values, 1)

    def means(self, where: Mask) -> Float64:
        """Mean of some blocks in every frame, (frames,), kBq/mL.

        :param where: (slices, rows, columns), not empty.
        """
        share = where.reshape(-1).astype(np.float32) / np.float32(where.sum())
        return (self.values.reshape(len(self.values), -1) @ share).astype(np.float64)

    def on_voxels(self, blocks: Mask, shape: tuple[int, int, int]) -> Mask:
        """A mask of the box's blocks on the series' voxels; those at the volume's far ends are as the last block.

        :param blocks: (slices, rows, columns) of blocks; *shape*: of the series, which is that of the answer.
        """
        whole = np.zeros([size // n for size, n in zip(shape, self.block, strict=True)], bool)
        whole[tuple(slice(a, a + n) for a, n in zip(self.corner, blocks.shape, strict=True))] = blocks
        for axis, (n, size) in enumerate(zip(self.block, shape, strict=True)):
            whole = whole.take(np.minimum(np.arange(size) // n, whole.shape[axis] - 1), axis=axis)
        return whole


def coarse_frames(
    series: DynamicSeries,
    frames: NDArray[np.intp],
    mask: Mask | None,
    grid_mm: float = 0.0,
    going_on: Callable[[], None] = lambda: None,
) -> CoarseFrames:
    """Average frames over blocks; what does not fill a block at the far ends is left out.

    The frames are read one after the other, each from its first slice to its last, as files hold them; of thin slices
    every second one: neighbours hold nearly the same counts, and what is looked at is smoothed by 8 mm and more.

    :param frames: indices.
    :param mask: the body, (slices, rows, columns); None for everything.
    :param grid_mm: the box begins at a multiple of this length, so that a check's patches lie the same in every box.
    :param going_on: called now and then; may raise to stop.
    :raises InputError: a file cannot be read.
    """
    shape, spacing = series.geometry.shape, series.geometry.spacing_mm[::-1]
    block = tuple(min(max(1, round(BLOCK_MM / step)), size) for step, size in zip(spacing, shape, strict=True))
    size_mm = tuple(n * step for n, step in zip(block, spacing, strict=True))
    box = [
        _blocks_of(np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) if mask is not None else None, *of_axis)
        for axis, of_axis in enumerate(zip(block, shape, (max(1, round(grid_mm / s)) for s in size_mm), strict=True))
    ]
    count = [last - first for first, last in box]
    values = np.empty((len(frames), *count), np.float32)
    shares = np.ones(count, np.float32)
    (top, bottom), (left, right) = ((n * a, n * b) for n, (a, b) in zip(block[1:], box[1:], strict=True))
    step = max(1, _SLAB_VALUES // (block[0] * (bottom - top) * shape[2]))
    slabs = [(low, min(low + step, box[0][1])) for low in range(*box[0], step)]
    read, known = _reader(series.voxels, (top, bottom)), True

    def one_slice(frame: int, n: int) -> Float32:
        going_on()
        return read(frame, n, n + 1)

    for i, frame in enumerate(frames.tolist()):
        with np.errstate(invalid="ignore", over="ignore"):
            for low, high in slabs:
                slab = np.concatenate([one_slice(frame, n) for n in _slices(low, high, block[0])])[:, :, left:right]
                _means(slab, (len(_slices(0, 1, block[0])), *block[1:]), values[i, low - box[0][0] : high - box[0][0]])
        known &= bool(np.isfinite(values[i].min()) and np.isfinite(values[i].max()))
    inside = np.ones(count, bool)
    if mask is not None:
        for low, high in slabs:
            part = mask[low * block[0] : high * block[0], top:bottom, left:right]
            _means(part.astype(np.float32), block, shares[low - box[0][0] : high - box[0][0]])
        inside = shares >= 0.5
    if not known:
        unknown = ~np.isfinite(values).all(axis=0)
        values[:, unknown] = 0.0
        inside &= ~unknown
    return CoarseFrames(values, inside, _three(block), _three(size_mm), _three(first for first, _ in box))


def smoothed(image: Float32, fwhm_mm: float, spacing_mm: tuple[float, float, float]) -> Float32:
    """An image of blocks under a Gaussian; at the borders the outermost blocks are repeated.

    :param image: any unit, (slices, rows, columns); *spacing_mm*: of the blocks, likewise.
    :param fwhm_mm: of the Gaussian.
    """
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, sd_in_voxels(fwhm_mm, spacing_mm), mode="nearest", truncate=2.5))


def _blocks_of(touched: NDArray[np.intp] | None, block: int, size: int, grid: int) -> tuple[int, int]:
    """First block and one past the last along an axis: around the body, and all where there is none.

    :param touched: voxels of the body; *block*: voxels of a block; *size*: of the volume; *grid*: in blocks.
    """
    if touched is None or not touched.size:
        return 0, size // block
    first = max(0, int(touched[0]) // block - _MARGIN)
    return first // grid * grid, min(size // block, int(touched[-1]) // block + 1 + _MARGIN)


def _slices(low: int, high: int, block: int) -> list[int]:
    """The slices that are read of some blocks, from *low* to before *high*, of so many slices each."""
    return [first * block + n for first in range(low, high) for n in range(min(1, block - 1), block, 2)]


def _reader(source: VoxelSource, rows: tuple[int, int]) -> Callable[[int, int, int], Float32]:
    """What reads some rows of a frame's slices from the first to before the last, (slices, rows, columns).

    Only those rows are read where the source can.
    """
    if isinstance(source, RowVoxelSource):
        by_rows = source.read_rows
        return lambda frame, first, last: by_rows(frame, first, last, *rows)
    return lambda frame, first, last: source.read([frame], first, last)[0, :, slice(*rows)]


def _means(values: Float32, block: tuple[int, ...], out: Float32) -> None:
    """Means over blocks of (slices, rows, columns), by sums of whole planes: far faster than numpy's over short axes.

    :param out: takes them, (slices, rows, columns) of blocks.
    """
    n = block[0]
    values = _sum([values[i::n] for i in range(n)])
    n = block[1]
    values = _sum([values[:, i::n] for i in range(n)])
    n = block[2]
    values = _sum([values[:, :, i::n] for i in range(n)])
    np.multiply(values, np.float32(1.0 / math.prod(block)), out=out)


def _sum(parts: list[Float32]) -> Float32:
    """Sum of arrays of one shape."""
    if len(parts) == 1:
        return parts[0]
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total


def _three(values: Iterable[T]) -> tuple[T, T, T]:
    a, b, c = values
    return a, b, c
