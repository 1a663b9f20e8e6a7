"""How many independent voxels a region is worth, from the correlation seen in a difference image.

With rho_ij the correlation of the values of voxels i and j, the variance of the mean of n voxels is
sigma^2/n^2 * sum rho_ij, and that of the sample variance 2 sigma^4/n^2 * sum rho_ij^2. So the mean is
worth n^2/sum(rho) independent values, and the SD (hence the limits of agreement) n^2/sum(rho^2).

docs/methods.md, "Agreement: Bland–Altman with correlated voxels".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from petkinetics.series import VolumeGeometry

Float64 = NDArray[np.float64]

#: correlation is looked for up to this distance
MAX_LAG_MM = 40.0
#: what lies this close to a small region has the same correlation
_SURROUNDINGS_MM = 25.0
#: where the mean correlation at a distance falls below this, it has ended
_END_OF_CORRELATION = 0.01


@dataclass(frozen=True, eq=False)
class SpatialCorrelation:
    """Correlation of a difference image within a region, by lag.

    :param n: voxels of the region.
    :param rho: correlation at each lag of the box, 0 beyond its range; rho is 1 at lag 0.
    :param pairs: pairs of region voxels (ordered) at each lag.
    :param variance: variance of the differences, corrected for having taken off their mean.
    :param range_mm: distance at which the correlation ends.
    :param ended: False where it had not ended within 40 mm or the region: then the numbers below are
        upper bounds.
    """

    n: int
    rho: Float64
    pairs: Float64
    variance: float
    range_mm: float
    ended: bool

    @property
    def n_effective(self) -> float:
        """Independent values that the mean is worth, n^2/sum(rho); 1...n."""
        return self._count(self.rho)

    @property
    def n_effective_limits(self) -> float:
        """Independent values that the SD is worth, n^2/sum(rho^2); 1...n."""
        return self._count(self.rho**2)

    def _count(self, rho: Float64) -> float:
        return float(np.clip(self.n**2 / max(float((self.pairs * rho).sum()), 1e-300), 1.0, self.n))

    def carried_to(self, lags: Lags, residual: Float64) -> SpatialCorrelation:
        """The same correlation in another, smaller region, with that region's own variance.

        :param lags: of the other region, which has the same voxel size and reaches no further.
        :param residual: its differences minus their mean, shape (n,).
        """
        n = residual.size
        index = [np.r_[0 : r + 1, -r:0] if r else np.array([0]) for r in lags.reach]
        rho = self.rho[np.ix_(*index)]
        pairs = np.rint(lags.sums(np.ones(n)))
        # the mean of the residuals' squares misses the variance of the mean, sum(rho)/n^2 of the whole
        shared = min(max(float((pairs * rho).sum()) / n**2, 1.0 / n), 0.95)
        variance = float(residual @ residual) / n / (1.0 - shared)
        return SpatialCorrelation(n, rho, pairs, variance, self.range_mm, self.ended)


@dataclass(frozen=True, eq=False)
class Lags:
    """Sums over voxel pairs of a region at every lag up to 40 mm, by FFT.

    :param box: region mask cut to its bounding box, bool (slices, rows, columns).
    :param spacing_zyx: voxel size in mm along the three axes.
    """

    box: NDArray[np.bool_]
    spacing_zyx: tuple[float, float, float]

    @property
    def reach(self) -> tuple[int, int, int]:
        """Largest lag along each axis, voxels."""
        sizes = zip(self.box.shape, self.spacing_zyx, strict=True)
        return tuple(min(n - 1, int(MAX_LAG_MM / s)) for n, s in sizes)

    def sums(self, values: Float64) -> Float64:
        """sum over x of values(x)*values(x + lag) for the region's values, by lag, lag 0 first (FFT order)."""
        volume = np.zeros(self.box.shape)
        volume[self.box] = values
        # padding by the reach keeps the lags kept here free of wrap-around
        shape = [fft.next_fast_len(n + r, real=True) for n, r in zip(self.box.shape, self.reach, strict=True)]
        spectrum = fft.rfftn(volume, shape)
        return self._within_reach(fft.irfftn(np.abs(spectrum) ** 2, shape))

    def _within_reach(self, full: Float64) -> Float64:
        index = [np.r_[0 : r + 1, -r:0] if r else np.array([0]) for r in self.reach]
        return full[np.ix_(*index)]

    def distance_mm(self) -> Float64:
        """Length of each lag, mm."""
        axes = [
            np.r_[0 : r + 1, -r:0] * s if r else np.array([0.0])
            for r, s in zip(self.reach, self.spacing_zyx, strict=True)
        ]
        z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
        return np.sqrt(z**2 + y**2 + x**2)


def region_lags(index: NDArray[np.intp], geometry: VolumeGeometry) -> tuple[Lags, NDArray[np.intp]]:
    """The lags of a region, and the order that sorts its values.

    :param index: flat voxel indices, (n,), in any order; the order is (n,) as well.
    """
    zyx = np.array(np.unravel_index(index, geometry.shape))
    low = zyx.min(axis=1)
    box = np.zeros(tuple(zyx.max(axis=1) + 1 - low), dtype=bool)
    box[tuple(zyx - low[:, None])] = True
    return Lags(box, geometry.spacing_mm[::-1]), np.argsort(index, kind="stable")


def surroundings(index: NDArray[np.intp], geometry: VolumeGeometry, valid: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Flat indices of the valid voxels in the region's bounding box widened by 25 mm on every side.

    :param index: flat indices of the region's voxels, (n,).
    :param valid: voxels with a difference (slices, rows, columns); the region itself always counts.
    """
    zyx = np.array(np.unravel_index(index, geometry.shape))
    margin = np.ceil(_SURROUNDINGS_MM / np.array(geometry.spacing_mm[::-1])).astype(int)
    low = np.maximum(zyx.min(axis=1) - margin, 0)
    high = np.minimum(zyx.max(axis=1) + 1 + margin, geometry.shape)
    near = np.zeros(geometry.shape, dtype=bool)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    near[box] = valid[box]
    near.reshape(-1)[index] = True
    return np.flatnonzero(near)


def spatial_correlation(residual: Float64, lags: Lags) -> SpatialCorrelation:
    """Estimate rho from differences whose mean has been taken off.

    Taking off the mean lowers every covariance by the variance of that mean, V, which itself is
    sum(covariance)/n^2. Over the lags kept, V = sum(observed)/(n^2 - pairs), so it can be put back.
    The lags kept are those up to the distance at which the mean correlation ends; correlation is
    taken to be none beyond it.

    :param residual: differences minus their mean (or minus their regression), shape (n,), in the order
        of the region's flat voxel indices.
    """
    n = residual.size
    pairs = np.rint(lags.sums(np.ones(n)))
    observed = np.where(pairs > 0, lags.sums(residual), 0.0)
    distance = lags.distance_mm()
    shell = np.rint(distance / min(lags.spacing_zyx)).astype(int).reshape(-1)
    shell_pairs = np.bincount(shell, pairs.reshape(-1))
    shell_observed = np.bincount(shell, observed.reshape(-1))
    cumulative_pairs = np.cumsum(shell_pairs)
    # the correction needs voxels that are not correlated: at least half of all pairs
    widest = max(1, int(np.searchsorted(cumulative_pairs, 0.5 * n * n)))
    widest = min(widest, shell_pairs.size)
    variance_of_mean = 0.0
    kept, ended = 1, True
    for _ in range(10):
        total = observed.flat[0] / n + variance_of_mean
        if total <= 0:
            break
        with np.errstate(invalid="ignore", divide="ignore"):
            rho_shell = (shell_observed / shell_pairs + variance_of_mean) / total
        below = np.flatnonzero(~(rho_shell[1:widest] >= _END_OF_CORRELATION))
        ended = bool(below.size) or widest == 1
        new_kept = int(below[0]) + 1 if below.size else widest
        if new_kept == kept and variance_of_mean > 0:
            break
        kept = new_kept
        rest = n * n - cumulative_pairs[kept - 1]
        variance_of_mean = max(float(shell_observed[:kept].sum() / rest), 0.0) if rest > 0 else 0.0
    variance = observed.flat[0] / n + variance_of_mean
    if variance <= 0:
        rho = np.where(distance == 0, 1.0, 0.0)
    else:
        keep = (shell.reshape(distance.shape) < kept) & (pairs > 0)
        rho = np.where(keep, (observed / np.maximum(pairs, 1) + variance_of_mean) / variance, 0.0)
    return SpatialCorrelation(n, rho, pairs, float(variance), kept * min(lags.spacing_zyx), ended)


def correlation_in_region(
    residual: Float64, index: NDArray[np.intp], geometry: VolumeGeometry, around: SpatialCorrelation | None
) -> SpatialCorrelation:
    """The correlation of some residuals in a region, or that of its surroundings carried to the region.

    :param residual: less their mean, any unit, at *index*, (n,).
    :param around: of the surroundings; None to take the region's own.
    """
    lags, order = region_lags(index, geometry)
    return around.carried_to(lags, residual) if around is not None else spatial_correlation(residual[order], lags)
