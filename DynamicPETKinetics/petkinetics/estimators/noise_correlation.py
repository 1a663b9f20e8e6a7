"""How far the noise of neighbouring voxels is correlated, seen in the residuals of the fit.

Reconstruction and post-filter leave noise whose autocorrelation is close to that of white noise under
a Gaussian kernel, e^(-d^2 / 4 sd^2) at a distance d. The residuals of the fit hold noise and hardly
any anatomy, so their correlation between neighbours gives the kernel's width along every axis.

docs/methods.md, "Noise model, SD maps and residual".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.estimator import Problem
from petkinetics.estimators.light_numpy import evenly_spread
from petkinetics.kinetics.patlak import LinearFit

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_SLABS = 6
_DEPTH = 4
_MOST_LAG = 3
#: residuals above this quantile in the body are left out: what moves or is not described by the model
_KEPT = 0.9
#: correlations below this are taken for none
_NONE = 0.03


@dataclass(frozen=True)
class NoiseCorrelation:
    """The kernel that white noise would have passed through.

    :param sd_mm: its standard deviations along (slices, rows, columns); 0 for white noise.
    :param spacing_mm: voxel size in the same order.
    """

    sd_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]

    def at(self, axis: int, lags: NDArray[np.int_]) -> Float64:
        """Correlation between voxels *lags* steps apart along an axis (0: slices, 1: rows, 2: columns)."""
        if self.sd_mm[axis] <= 0:
            return (lags == 0).astype(np.float64)
        return np.asarray(np.exp(-((lags * self.spacing_mm[axis]) ** 2) / (4.0 * self.sd_mm[axis] ** 2)))

    def between(self, step: tuple[int, int, int]) -> float:
        """Correlation between voxels some steps apart along the three axes."""
        return float(np.prod([self.at(axis, np.array([count]))[0] for axis, count in enumerate(step)]))

    @property
    def length_mm(self) -> float:
        """Geometric mean over the axes of the correlation length, sqrt(4 pi) sd, at least a voxel."""
        lengths = [max(step, np.sqrt(4.0 * np.pi) * sd) for step, sd in zip(self.spacing_mm, self.sd_mm, strict=True)]
        return float(np.cbrt(np.prod(lengths)))


def noise_correlation(problem: Problem, fit: LinearFit) -> NoiseCorrelation:
    """Estimate it in six slabs of up to four slices spread over the volume."""
    spacing = problem.series.geometry.spacing_mm[::-1]
    slices = problem.series.geometry.shape[0]
    depth = min(_DEPTH, slices)
    firsts = evenly_spread(0, slices - depth, _SLABS + 2)
    firsts = firsts[1:-1] if len(firsts) > 3 else firsts
    products = np.zeros((3, _MOST_LAG))
    powers = np.zeros((3, _MOST_LAG))
    rows = fit.misfit.astype(np.float32)
    for first in firsts:
        slab = problem.series.read(problem.frames.tolist(), first, first + depth)
        residual = (rows @ slab.reshape(len(slab), -1)).reshape(len(rows), *slab.shape[1:])
        squares = np.einsum("ikrc,ikrc->krc", residual, residual)
        inside = np.ones(squares.shape, bool) if problem.mask is None else problem.mask[first : first + depth]
        if not inside.any():
            continue
        inside = inside & (squares <= np.quantile(squares[inside], _KEPT))
        residual *= inside
        power = residual**2
        for axis in range(3):
            for lag in range(1, min(_MOST_LAG, squares.shape[axis] - 1) + 1):
                near, far = _shifted(residual, axis, lag)
                near_power, far_power = _shifted(power, axis, lag)
                both = (near != 0) & (far != 0)
                products[axis, lag - 1] += float(np.sum(near * far, dtype=np.float64))
                powers[axis, lag - 1] += float(np.sum(both * (near_power + far_power), dtype=np.float64)) / 2.0
    found = [_sd(products[axis], powers[axis], spacing[axis]) for axis in range(3)]
    # A single slice says nothing about the third axis: as within the slice.
    sd = tuple(value if value is not None else (found[1] or 0.0) for value in found)
    return NoiseCorrelation((sd[0], sd[1], sd[2]), (spacing[0], spacing[1], spacing[2]))


def _shifted(values: Float32, axis: int, lag: int) -> tuple[Float32, Float32]:
    before = (slice(None),) * (axis + 1)
    near, far = (*before, slice(None, -lag)), (*before, slice(lag, None))
    return values[near], values[far]


def _sd(products: Float64, powers: Float64, step_mm: float) -> float | None:
    """SD (mm) from the lag whose correlation is nearest to one half: there it is best determined."""
    seen = powers > 0
    if not seen.any():
        return None
    rho = np.where(seen, products / np.where(seen, powers, 1.0), np.nan)
    if not rho[0] > _NONE:
        return 0.0
    best = int(np.nanargmin(np.abs(np.where(rho > _NONE, rho, np.nan) - 0.5)))
    return float(np.sqrt(((best + 1) * step_mm) ** 2 / (-4.0 * np.log(min(rho[best], 0.999)))))
