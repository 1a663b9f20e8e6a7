"""The mean activity of regions in every frame, read frame by frame and only where the regions are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.read.regions import RegionWeights
from petkinetics.series import DynamicSeries

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
    first = min(region.slices[0] for region in regions)
    last = max(region.slices[1] for region in regions)
    skipped = first * series.geometry.shape[1] * series.geometry.shape[2]
    slab = np.empty((1, last - first, *series.geometry.shape[1:]), dtype=np.float32)
    mean = np.empty((len(regions), len(indices)))
    sd = np.empty_like(mean)
    for column, frame in enumerate(indices):
        voxels = series.voxels.read([frame], first, last, out=slab).reshape(-1)
        for row, region in enumerate(regions):
            values = voxels[region.index - skipped].astype(np.float64)
            mean[row, column], sd[row, column] = _weighted(values, region.weight.astype(np.float64))
            if not np.isfinite(mean[row, column]):
                raise InputError(
                    f"Frame {frame + 1} has voxels that are not a number (NaN or infinite) "
                    f"in the region '{region.name}'."
                )
    return mean, sd


def _weighted(values: Float64, weights: Float64) -> tuple[float, float]:
    total = weights.sum()
    if not np.isfinite(values).all():
        return np.nan, np.nan
    mean = float(weights @ values / total)
    freedom = total - weights @ weights / total
    # one voxel, however much of it is covered, has no spread
    spread = float(np.sqrt(weights @ (values - mean) ** 2 / freedom)) if values.size > 1 else np.nan
    return mean, spread
