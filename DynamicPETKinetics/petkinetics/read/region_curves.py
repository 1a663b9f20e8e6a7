"""The mean activity of regions in every frame, read frame by frame and only where the regions are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.read.regions import RegionWeights
from petkinetics.series import DynamicSeries, Float32, RowVoxelSource

Float64 = NDArray[np.float64]


def region_mean_curve(
    series: DynamicSeries, weights: RegionWeights, frames: Sequence[int] | None = None
) -> tuple[Float64, Float64]:
    """Coverage-weighted mean and spatial SD of one region; see :func:`region_mean_curves`.

    :returns: (mean, sd), each of shape (frames,), kBq/mL decay-corrected to injection.
    """
    mean, sd = region_mean_curves(series, [weights], frames)
    return mean[0], sd[0]


def region_mean_curves(
    series: DynamicSeries, regions: Sequence[RegionWeights], frames: Sequence[int] | None = None
) -> tuple[Float64, Float64]:
    """Coverage-weighted means and spatial SDs of several regions, in one pass over the frames.

    With w the covered shares, mean = sum(w x) / sum(w), and the unbiased variance for such weights is
    sum(w (x - mean)^2) / (sum(w) - sum(w^2) / sum(w)); whole voxels give the usual n - 1.

    :param regions: on the series' grid.
    :param frames: indices of the frames to read, all by default; no other frame is touched.
    :returns: (mean, sd), each (regions, frames), kBq/mL; sd is NaN for a region of one voxel.
    :raises InputError: a region lies on another grid, or a voxel in it is NaN or infinite.
    """
    indices = list(range(len(series.timing))) if frames is None else [int(f) for f in frames]
    for region in regions:
        if (difference := region.geometry.difference(series.geometry)) is not None:
            raise InputError(f"The region '{region.name}' lies on another grid than the PET: {difference}.")
    box = _Box.around(regions, series)
    places = [box.places(region.index) for region in regions]
    mean = np.empty((len(regions), len(indices)))
    sd = np.empty_like(mean)
    for column, frame in enumerate(indices):
        voxels = box.read(frame).reshape(-1)
        for row, region in enumerate(regions):
            values = voxels[places[row]].astype(np.float64)
            mean[row, column], sd[row, column] = _weighted(values, region.weight.astype(np.float64))
            if not np.isfinite(mean[row, column]):
                raise InputError(
                    f"Frame {frame + 1} has voxels that are not a number (NaN or infinite) "
                    f"in the region '{region.name}'.",
                    "Export the series again, or draw the region without them; --until leaves out later frames.",
                )
    return mean, sd


class _Box:
    """The slices and rows in which some regions lie, of one frame after the other.

    Where the source can, only those rows are read: an aorta fills a twentieth of its slices' rows.
    """

    def __init__(self, series: DynamicSeries, slices: tuple[int, int], rows: tuple[int, int]) -> None:
        self._source, self._shape = series.voxels, series.geometry.shape
        self._slices, self._rows = slices, rows if isinstance(self._source, RowVoxelSource) else (0, self._shape[1])
        self._slab: Float32 | None = None

    @classmethod
    def around(cls, regions: Sequence[RegionWeights], series: DynamicSeries) -> _Box:
        """The box that holds all regions."""
        slices = min(r.slices[0] for r in regions), max(r.slices[1] for r in regions)
        _, rows, columns = series.geometry.shape
        touched = [region.index // columns % rows for region in regions]
        return cls(series, slices, (int(min(t.min() for t in touched)), int(max(t.max() for t in touched)) + 1))

    def places(self, index: NDArray[np.intp]) -> NDArray[np.intp]:
        """Flat indices into the volume as flat indices into the box."""
        _, rows, columns = self._shape
        row, column = np.divmod(index, columns)
        k, row = np.divmod(row, rows)
        (first, _), (top, bottom) = self._slices, self._rows
        return ((k - first) * (bottom - top) + row - top) * columns + column

    def read(self, frame: int) -> Float32:
        """Float32 (slices, rows, columns) of the box; the array of the call before is overwritten."""
        if isinstance(self._source, RowVoxelSource) and self._rows != (0, self._shape[1]):
            return self._source.read_rows(frame, *self._slices, *self._rows)
        first, last = self._slices
        if self._slab is None:
            self._slab = np.empty((1, last - first, *self._shape[1:]), dtype=np.float32)
        return self._source.read([frame], first, last, out=self._slab)[0]


def _weighted(values: Float64, weights: Float64) -> tuple[float, float]:
    # Sums, not products of vectors: BLAS wakes its threads for these, which takes longer than the sum.
    total = weights.sum()
    if not np.isfinite(values).all():
        return np.nan, np.nan
    mean = float(np.sum(weights * values) / total)
    freedom = total - np.sum(weights * weights) / total
    # one voxel, however much of it is covered, has no spread
    spread = float(np.sqrt(np.sum(weights * (values - mean) ** 2) / freedom)) if values.size > 1 else np.nan
    return mean, spread
