"""Bias and 95 % limits of agreement with their confidence intervals, of correlated pairs as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from petkinetics.errors import InputError
from petkinetics.evaluate.spatial_correlation import SpatialCorrelation

#: 97.5th percentile of the normal distribution, rounded as Bland & Altman do
Z = 1.96


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
