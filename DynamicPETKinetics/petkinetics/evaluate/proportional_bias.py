"""Whether two measurements differ more where they are larger: the slope of their differences and its p-value.

docs/methods.md, "Agreement: Bland–Altman with correlated voxels".
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from petkinetics.evaluate.spatial_correlation import SpatialCorrelation, correlation_in_region, region_lags
from petkinetics.series import VolumeGeometry

Float64 = NDArray[np.float64]
Against = Literal["estimate", "truth"]
#: what the slope of the differences means
SLOPE_AGAINST = {
    "truth": "regression of the difference on the truth",
    "estimate": "regression of the difference on the pair mean; includes the difference in variance",
}


def slope_of_differences(
    difference: Float64,
    reference: Float64,
    place: tuple[NDArray[np.intp], VolumeGeometry, SpatialCorrelation | None] | None,
) -> tuple[float, float, float]:
    """Least-squares slope, intercept and the slope's two-sided p-value.

    With correlated residuals, Var(slope) = s^2 * sum_ij x_i x_j rho_ij / (sum x^2)^2 (x centred); the sum
    over pairs is one over lags. It is not taken below that of independent voxels.

    :param difference: (n,), as *reference*, in one unit.
    :param place: of voxels: flat indices, (n,), their grid, and the correlation around them if it is known.
    :returns: NaN where there are fewer than 3 values or the reference does not vary.
    """
    x = reference - reference.mean()
    sum_xx = float(x @ x)
    # a reference that does not vary (beyond rounding) has no slope
    if difference.size < 3 or sum_xx <= 1e-18 * difference.size * float(np.abs(reference).max()) ** 2:
        return np.nan, np.nan, np.nan
    slope = float(x @ difference) / sum_xx
    intercept = float(difference.mean() - slope * reference.mean())
    residual = difference - difference.mean() - slope * x
    variance, inflation, freedom = float(residual @ residual) / (difference.size - 2), 1.0, difference.size - 2.0
    if place is not None:
        index, geometry, around = place
        lags, order = region_lags(index, geometry)
        correlation = correlation_in_region(residual, index, geometry, around)
        inflation = max(float((correlation.rho * lags.sums(x[order])).sum()) / sum_xx, 1.0)
        variance = max(correlation.variance, variance)
        freedom = max(correlation.n_effective_limits - 2.0, 1.0)
    if variance <= 0:
        return slope, intercept, np.nan if slope == 0 else 0.0
    t = slope / np.sqrt(variance * inflation / sum_xx)
    return slope, intercept, float(2.0 * stdtr(freedom, -abs(t)))
