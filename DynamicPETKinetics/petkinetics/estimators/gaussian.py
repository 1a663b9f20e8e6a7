"""Patlak of smoothed frames: a Gaussian filter, the simplest regularisation.

The fit is linear in the frames and its weights are the same in every voxel, so smoothing the maps is
smoothing the frames. Its SD is exact for the noise model: with filter taps g and correlation rho of the
noise, the variance of a smoothed voxel is the sum of g_i g_j rho_ij times the variance around it.

docs/methods.md, "Regularised Patlak".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.estimator import Problem, Progress
from petkinetics.estimators.gaussian_width import FWHM_PER_SD, sd_in_voxels
from petkinetics.estimators.noise_correlation import NoiseCorrelation
from petkinetics.estimators.regularised import PatlakImages, Regularised, RegularisedPatlak, deviations
from petkinetics.maps import KI, KI_SD, RESIDUAL, V0, V0_SD, Quantity

Float32 = NDArray[np.float32]

_TRUNCATE = 4.0


class GaussianPatlak(RegularisedPatlak):
    """Strength is the filter's FWHM in mm."""

    method = "gaussian"
    strength_meaning = "FWHM of the filter, mm"
    law = (31.0, 0.55)
    quantities: tuple[Quantity, ...] = (KI, V0, KI_SD, V0_SD, RESIDUAL)

    def regularise(self, images: PatlakImages, strength: float, problem: Problem, progress: Progress) -> Regularised:  # noqa: ARG002
        """See :class:`RegularisedPatlak`."""
        values = np.empty_like(images.values)
        for i in range(2):
            progress(i / 3, "Smoothing")
            values[i] = smooth(images.values[i], strength, images.spacing_mm)
        progress(2 / 3, "Smoothing")
        variance = smooth_scale(images, strength) * np.float32(variance_kept(strength, images.correlation))
        return Regularised(values, deviations(images, variance), {})


def smooth(volume: Float32, fwhm_mm: float, spacing_mm: tuple[float, float, float]) -> Float32:
    """A Gaussian filter in mm; at the volume's borders the outermost voxels are repeated.

    :param volume: any unit, (slices, rows, columns), as the answer; *spacing_mm* is in this order.
    :param fwhm_mm: of the filter.
    """
    from scipy import ndimage

    sd = sd_in_voxels(fwhm_mm, spacing_mm)
    return np.asarray(ndimage.gaussian_filter(volume, sd, mode="nearest", truncate=_TRUNCATE), dtype=np.float32)


def smooth_scale(images: PatlakImages, fwhm_mm: float) -> Float32:
    """The variance scale that a filter's output has before averaging lowers it, (slices, rows, columns).

    It varies slowly, so it is averaged with the squared filter: a Gaussian narrower by sqrt(2).

    :param fwhm_mm: of the filter.
    """
    return smooth(images.scale, fwhm_mm / np.sqrt(2.0), images.spacing_mm)


def variance_kept(fwhm_mm: float, correlation: NoiseCorrelation) -> float:
    """Share of the noise variance that the filter of *fwhm_mm* leaves, away from borders."""
    return covariance_kept(fwhm_mm, fwhm_mm, correlation)


def covariance_kept(one_mm: float, other_mm: float, correlation: NoiseCorrelation) -> float:
    """Covariance of one noise image under two Gaussian filters (FWHM *one_mm*, *other_mm*) over its variance."""
    kept = 1.0
    for axis, step in enumerate(correlation.spacing_mm):
        one, other = _taps(one_mm / FWHM_PER_SD / step), _taps(other_mm / FWHM_PER_SD / step)
        lags = np.arange(one.size)[:, None] - one.size // 2 - np.arange(other.size)[None, :] + other.size // 2
        kept *= float(one @ correlation.at(axis, lags) @ other)
    return kept


def _taps(sd_voxels: float) -> NDArray[np.float64]:
    """Those of :func:`smooth`."""
    from scipy import ndimage

    radius = int(_TRUNCATE * sd_voxels + 0.5)
    point = np.zeros(2 * radius + 1)
    point[radius] = 1.0
    if radius == 0:
        return point
    return np.asarray(ndimage.gaussian_filter1d(point, sd_voxels, truncate=_TRUNCATE, mode="constant"))
