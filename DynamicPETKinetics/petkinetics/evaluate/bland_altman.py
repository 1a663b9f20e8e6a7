"""Agreement of two measurements: bias, 95 % limits of agreement, and how sure they are.

Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res
1999;8:135-160. Their standard errors hold for independent pairs; voxels are correlated, so the bias
interval uses n^2/sum(rho) and the limits' interval n^2/sum(rho^2) in place of n
(:mod:`petkinetics.evaluate.spatial_correlation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from petkinetics.errors import InputError
from petkinetics.evaluate.spatial_correlation import (
    SpatialCorrelation,
    region_lags,
    spatial_correlation,
    surroundings,
)
from petkinetics.series import VolumeGeometry

Float64 = NDArray[np.float64]
Against = Literal["estimate", "truth"]

#: 97.5th percentile of the normal distribution, rounded as Bland & Altman do
Z = 1.96
#: pairs whose mean is below this share of the region's mean have no meaningful percent difference
PERCENT_FLOOR = 0.1
#: smaller regions take the correlation from their surroundings: their own voxels cannot show it
ENOUGH_VOXELS = 1000
#: what the slope of the differences means
SLOPE_AGAINST = {
    "truth": "regression of the difference on the truth",
    "estimate": "regression of the difference on the pair mean; includes the difference in variance",
}
#: columns of bland_altman.tsv; the first eleven are the agreed ones, the rest additions
COLUMNS = (
    *("roi", "n", "n_effective", "bias", "sd", "loa_lower", "loa_upper", "bias_ci_lower", "bias_ci_upper"),
    *("slope", "slope_p"),
    *("unit", "n_effective_limits", "loa_lower_ci_lower", "loa_lower_ci_upper"),
    *("loa_upper_ci_lower", "loa_upper_ci_upper", "slope_meaning"),
    *("percent_n", "percent_left_out", "percent_bias", "percent_sd", "percent_loa_lower", "percent_loa_upper"),
    *("percent_bias_ci_lower", "percent_bias_ci_upper"),
)


@dataclass(frozen=True)
class Limits:
    """Bias and limits of agreement with their 95 % confidence intervals.

    :param n: pairs.
    :param n_effective: independent pairs that the bias is worth.
    :param n_effective_limits: independent pairs that the SD is worth.
    :param bias: mean difference.
    :param sd: sample standard deviation of the differences (n - 1).
    :param loa: bias -+ 1.96 SD.
    """

    n: int
    n_effective: float
    n_effective_limits: float
    bias: float
    sd: float
    loa: tuple[float, float]
    bias_ci: tuple[float, float]
    loa_lower_ci: tuple[float, float]
    loa_upper_ci: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Differences:
    """The differences of two maps over the whole image.

    :param residual: difference minus the mean difference of its region, (slices, rows, columns).
    :param valid: where both maps hold values.
    """

    residual: Float64
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Agreement:
    """All of a region's agreement: absolute, percent, and proportional bias.

    :param percent: the same in percent of the pair mean; None where the region's mean is not above 0
        or fewer than two pairs are left.
    :param percent_left_out: pairs whose mean lies below 10 % of the region's mean.
    :param slope: change of the difference a unit of the reference.
    :param intercept: the difference at reference 0.
    :param slope_p: two-sided p-value of slope 0.
    :param against: what the slope is taken against, see :data:`SLOPE_AGAINST`.
    """

    roi: str
    unit: str
    absolute: Limits
    percent: Limits | None
    percent_left_out: int
    slope: float
    intercept: float
    slope_p: float
    against: Against

    def row(self) -> dict[str, object]:
        """The region's row of ``bland_altman.tsv``."""
        a, p = self.absolute, self.percent
        missing = (None, None)
        return dict(
            zip(
                COLUMNS,
                (
                    *(self.roi, a.n, a.n_effective, a.bias, a.sd, *a.loa, *a.bias_ci, self.slope, self.slope_p),
                    *(self.unit, a.n_effective_limits, *a.loa_lower_ci, *a.loa_upper_ci, SLOPE_AGAINST[self.against]),
                    *(p.n if p else 0, self.percent_left_out, p.bias if p else None, p.sd if p else None),
                    *(p.loa if p else missing),
                    *(p.bias_ci if p else missing),
                ),
                strict=True,
            )
        )


def limits_of_agreement(difference: ArrayLike, correlation: SpatialCorrelation | None = None) -> Limits:
    """Bias and limits of some differences.

    :param difference: shape (n,).
    :param correlation: of the differences in space; None for independent pairs.
    :raises InputError: fewer than two pairs.

    Bland & Altman 1999 section 2.2: SE(bias) = s/sqrt(n), and
    SE(limit) = s*sqrt(1/n + 1.96^2/(2(n - 1))), which they round to 1.71 s/sqrt(n); t with n - 1 degrees
    of freedom. With correlation, n becomes the effective number of the respective term, and s is
    corrected for the variance of the mean, which a few correlated voxels hide.
    """
    d = np.asarray(difference, dtype=np.float64)
    n = d.size
    if n < 2:
        raise InputError(f"Limits of agreement need at least two pairs of values, not {n}.")
    bias, sd = float(d.mean()), float(d.std(ddof=1))
    if correlation is None:
        n_mean, n_sd, spread = float(n), float(n), sd
    else:
        n_mean, n_sd = correlation.n_effective, correlation.n_effective_limits
        spread = float(np.sqrt(max(correlation.variance, 0.0)))
    freedom = max(n_sd - 1.0, 1.0)
    t = float(stdtrit(freedom, 0.975))
    half_bias = t * spread / np.sqrt(n_mean)
    half_limit = t * spread * np.sqrt(1.0 / n_mean + Z**2 / (2.0 * freedom))
    lower, upper = bias - Z * sd, bias + Z * sd
    return Limits(
        n=n,
        n_effective=n_mean,
        n_effective_limits=n_sd,
        bias=bias,
        sd=sd,
        loa=(lower, upper),
        bias_ci=(bias - half_bias, bias + half_bias),
        loa_lower_ci=(lower - half_limit, lower + half_limit),
        loa_upper_ci=(upper - half_limit, upper + half_limit),
    )


def agreement_of_pairs(
    a: ArrayLike, b: ArrayLike, roi: str = "", unit: str = "", against: Against = "estimate"
) -> Agreement:
    """Agreement of independent pairs, such as the means of several regions; differences are a - b.

    :param against: "truth" where *b* is the truth.
    :raises InputError: fewer than two pairs, lengths differ, or a value is not a number.
    """
    a, b = _checked(a, b, roi)
    slope, intercept, p = _slope(a - b, _reference(a, b, against), None)
    keep, percent = _percent(a, b)
    return Agreement(
        roi=roi,
        unit=unit,
        absolute=limits_of_agreement(a - b),
        percent=limits_of_agreement(percent) if percent.size >= 2 else None,
        percent_left_out=int(keep.size - keep.sum()),
        slope=slope,
        intercept=intercept,
        slope_p=p,
        against=against,
    )


def agreement_in_region(
    a: ArrayLike,
    b: ArrayLike,
    index: NDArray[np.intp],
    geometry: VolumeGeometry,
    roi: str = "",
    unit: str = "",
    against: Against = "estimate",
    differences: Differences | None = None,
) -> Agreement:
    """Voxelwise agreement of two maps in a region, allowing for spatial correlation.

    The correlation is estimated from the region's differences; for a region of fewer than 1000 voxels
    from those around it as well, where they are given: a lesion of 30 voxels cannot show its own.

    :param a: values of the first map at *index*, shape (n,).
    :param b: values of the second map (the truth, where *against* says so).
    :param index: flat voxel indices of the region on *geometry*.
    :param differences: of the two maps everywhere.
    :raises InputError: fewer than two voxels, or a value is not a number.
    """
    a, b = _checked(a, b, roi)
    difference = a - b
    around = _correlation_around(index, geometry, differences)
    correlation = _correlation(difference - difference.mean(), index, geometry, around)
    reference = _reference(a, b, against)
    slope, intercept, p = _slope(difference, reference, (index, geometry, around))
    keep, percent = _percent(a, b)
    percent_limits = None
    if percent.size >= 2:
        centred = percent - percent.mean()
        percent_limits = limits_of_agreement(percent, _correlation(centred, index[keep], geometry, around))
    return Agreement(
        roi=roi,
        unit=unit,
        absolute=limits_of_agreement(difference, correlation),
        percent=percent_limits,
        percent_left_out=int(keep.size - keep.sum()),
        slope=slope,
        intercept=intercept,
        slope_p=p,
        against=against,
    )


def agreement_across_regions(
    means: Mapping[str, tuple[float, float]], unit: str = "", against: Against = "estimate"
) -> Agreement | None:
    """Agreement of the regions' means (first map, second map); None for fewer than three regions."""
    if len(means) < 3:
        return None
    a, b = np.array(list(means.values())).T
    return agreement_of_pairs(a, b, "across regions", unit, against)


def _checked(a: ArrayLike, b: ArrayLike, roi: str) -> tuple[Float64, Float64]:
    first, second = np.asarray(a, dtype=np.float64).ravel(), np.asarray(b, dtype=np.float64).ravel()
    where = f" in the region '{roi}'" if roi else ""
    if first.size != second.size:
        raise InputError(f"The two sides have {first.size} and {second.size} values{where}; pairs are needed.")
    bad = int((~(np.isfinite(first) & np.isfinite(second))).sum())
    if bad:
        raise InputError(f"{bad} of {first.size} pairs{where} are not numbers (NaN or infinite).")
    if first.size < 2:
        raise InputError(f"Limits of agreement need at least two pairs of values{where}, not {first.size}.")
    return first, second


def _reference(a: Float64, b: Float64, against: Against) -> Float64:
    return b if against == "truth" else 0.5 * (a + b)


def _percent(a: Float64, b: Float64) -> tuple[NDArray[np.bool_], Float64]:
    """Which pairs have a meaningful percent difference, and 100 (a - b)/pair mean of those."""
    middle = 0.5 * (a + b)
    # without a positive mean there is nothing to take percent of
    keep = middle >= PERCENT_FLOOR * middle.mean() if middle.mean() > 0 else np.zeros(middle.shape, dtype=bool)
    return keep, 100.0 * (a - b)[keep] / middle[keep]


def _correlation(
    residual: Float64, index: NDArray[np.intp], geometry: VolumeGeometry, around: SpatialCorrelation | None
) -> SpatialCorrelation:
    lags, order = region_lags(index, geometry)
    return around.carried_to(lags, residual) if around is not None else spatial_correlation(residual[order], lags)


def _correlation_around(
    index: NDArray[np.intp], geometry: VolumeGeometry, differences: Differences | None
) -> SpatialCorrelation | None:
    if differences is None or index.size >= ENOUGH_VOXELS:
        return None
    near = surroundings(index, geometry, differences.valid)
    residual = differences.residual.reshape(-1)[near].astype(np.float64)
    return spatial_correlation(residual - residual.mean(), region_lags(near, geometry)[0])


def _slope(
    difference: Float64,
    reference: Float64,
    place: tuple[NDArray[np.intp], VolumeGeometry, SpatialCorrelation | None] | None,
) -> tuple[float, float, float]:
    """Least-squares slope, intercept and the slope's two-sided p-value.

    With correlated residuals, Var(slope) = s^2 * sum_ij x_i x_j rho_ij / (sum x^2)^2 (x centred); the sum
    over pairs is one over lags. It is not taken below that of independent voxels.
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
        correlation = _correlation(residual, index, geometry, around)
        inflation = max(float((correlation.rho * lags.sums(x[order])).sum()) / sum_xx, 1.0)
        variance = max(correlation.variance, variance)
        freedom = max(correlation.n_effective_limits - 2.0, 1.0)
    if variance <= 0:
        return slope, intercept, np.nan if slope == 0 else 0.0
    t = slope / np.sqrt(variance * inflation / sum_xx)
    return slope, intercept, float(2.0 * stdtr(freedom, -abs(t)))
