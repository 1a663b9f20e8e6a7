"""Gaussian kernels with the right width on any voxel grid, and how to apply them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

#: FWHM / standard deviation of a Gaussian, sqrt(8 ln 2)
FWHM_PER_SD = 2.354820045


def blur_taps(sd_voxels: float) -> NDArray[np.float64]:
    """The discrete Gaussian e^(-t) I_n(t), t = variance (Lindeberg 1990), normalised.

    Its variance is exactly the one asked for on any grid; sampling a Gaussian that is narrower than
    half a voxel would lose width.
    """
    from scipy.special import ive

    radius = max(1, int(np.ceil(5.0 * sd_voxels)))
    taps = np.asarray(ive(np.abs(np.arange(-radius, radius + 1)), sd_voxels**2), dtype=np.float64)
    return taps / taps.sum()


def noise_taps(sd_voxels: float) -> NDArray[np.float64]:
    """A filter that gives white noise unit variance and the autocorrelation e^(-d^2 / 4 sd^2).

    That is the autocorrelation of white noise under a Gaussian kernel of that standard deviation,
    here exact at the voxel centres of any grid: the taps are the square root of its spectrum.
    """
    radius = max(2, int(np.ceil(6.0 * sd_voxels)))
    count = 8 * radius + 1
    lag = np.minimum(np.arange(count), count - np.arange(count))
    power = np.maximum(np.fft.rfft(np.exp(-(lag**2) / (4.0 * sd_voxels**2))).real, 0.0)
    taps = np.fft.irfft(np.sqrt(power), count)
    taps = np.concatenate([taps[-radius:], taps[: radius + 1]])
    return np.asarray(taps / np.sqrt(np.sum(taps**2)), dtype=np.float64)


def convolve_axes(volume: Float32, taps: Sequence[NDArray[np.float64] | None], mode: str = "nearest") -> Float32:
    """A volume under one symmetric kernel an axis (None leaves the axis alone), float32."""
    from scipy import ndimage

    out = volume
    for axis, kernel in enumerate(taps):
        if kernel is not None:
            out = ndimage.correlate1d(out, kernel, axis=axis, mode=mode)
    return out
