"""Agreement of two measurements: bias, 95 % limits of agreement, and how sure they are.

Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res
1999;8:135-160. Their standard errors hold for independent pairs; voxels are correlated, so the bias
interval uses n^2/sum(rho) and the limits' interval n^2/sum(rho^2) in place of n
(:mod:`petkinetics.evaluate.spatial_correlation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.errors import InputError
from petkinetics.evaluate.limits_of_agreement import Limits, limits_of_agreement
from petkinetics.evaluate.proportional_bias import SLOPE_AGAINST, Against, slope_of_differences
from petkinetics.evaluate.spatial_correlation import (
    SpatialCorrelation,
    correlation_in_region,
    region_lags,
    spatial_correlation,
    surroundings,
)
from petkinetics.series import VolumeGeometry

Float64 = NDArray[np.float64]

#: pairs whose mean is below this share of the region's mean have no meaningful percent difference
PERCENT_FLOOR = 0.1
#: smaller regions take the correlation from their surroundings: their own voxels cannot show it
ENOUGH_VOXELS = 1000
#: columns of bland_altman.tsv; the first eleven are the agreed ones, the rest additions
COLUMNS = (
    *("roi", "n", "n_effective", "bias", "sd", "loa_lower", "loa_upper", "bias_ci_lower", "bias_ci_upper"),
    *("slope", "slope_p"),
    *("unit", "n_effective_limits", "loa_lower_ci_lower", "loa_lower_ci_upper"),
    *("loa_upper_ci_lower", "loa_upper_ci_upper", "slope_meaning"),
    *("percent_n", "percent_left_out", "percent_bias", "percent_sd", "percent_loa_lower", "percent_loa_upper"),
    *("percent_bias_ci_lower", "percent_bias_ci_upper"),
)


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


def agreement_of_pairs(
    a: ArrayLike, b: ArrayLike, roi: str = "", unit: str = "", against: Against = "estimate"
) -> Agreement:
    """Agreement of independent pairs, such as the means of several regions; differences are a - b.

    :param a: one method's values, in *unit*, (n,); *b*: the other's, likewise.
    :param against: "truth" where *b* is the truth.
    :raises InputError: fewer than two pairs, lengths differ, or a value is not a number.
    """
    a, b = _checked(a, b, roi)
    slope, intercept, p = slope_of_differences(a - b, _reference(a, b, against), None)
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

    :param a: values of the first map at *index*, in *unit*, shape (n,).
    :param b: values of the second map (the truth, where *against* says so).
    :param index: flat voxel indices of the region on *geometry*.
    :param differences: of the two maps everywhere.
    :raises InputError: fewer than two voxels, or a value is not a number.
    """
    a, b = _checked(a, b, roi)
    difference = a - b
    around = _correlation_around(index, geometry, differences)
    correlation = correlation_in_region(difference - difference.mean(), index, geometry, around)
    reference = _reference(a, b, against)
    slope, intercept, p = slope_of_differences(difference, reference, (index, geometry, around))
    keep, percent = _percent(a, b)
    percent_limits = None
    if percent.size >= 2:
        centred = percent - percent.mean()
        percent_limits = limits_of_agreement(percent, correlation_in_region(centred, index[keep], geometry, around))
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


def _correlation_around(
    index: NDArray[np.intp], geometry: VolumeGeometry, differences: Differences | None
) -> SpatialCorrelation | None:
    if differences is None or index.size >= ENOUGH_VOXELS:
        return None
    near = surroundings(index, geometry, differences.valid)
    residual = differences.residual.reshape(-1)[near].astype(np.float64)
    return spatial_correlation(residual - residual.mean(), region_lags(near, geometry)[0])
