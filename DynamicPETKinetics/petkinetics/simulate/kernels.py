"""Gaussian kernels with the right width on any voxel grid, and how to apply them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


def blur_taps(sd_voxels: float) -> NDArray[np.float64]:
    """A sampled Gaussian, (taps,), normalised, whose standard deviation over the taps is the one asked for.

    Samples of a Gaussian narrower than a voxel spread less than the Gaussian itself (at 0.5 voxel by
    7 %), so there a wider one is sampled; below half a voxel three taps of that variance are taken.

    :param sd_voxels: standard deviation asked for, in voxels.
    """
    if sd_voxels < 0.5:
        side = 0.5 * sd_voxels**2
        return np.array([side, 1.0 - 2.0 * side, side])
    radius = max(2, int(np.ceil(4.5 * sd_voxels)))
    at = np.arange(-radius, radius + 1)
    sampled_sd = sd_voxels
    for _ in range(20):
        taps = np.exp(-0.5 * (at / sampled_sd) ** 2)
        taps /= taps.sum()
        sampled_sd *= float(sd_voxels / np.sqrt(np.sum(taps * at**2)))
    return np.asarray(taps, dtype=np.float64)


def noise_taps(sd_voxels: float) -> NDArray[np.float64]:
    """A filter, (taps,), that gives white noise unit variance and the autocorrelation e^(-d^2 / 4 sd^2).

    That is the autocorrelation of white noise under a Gaussian kernel of that standard deviation,
    here exact at the voxel centres of any grid: the taps are the square root of its spectrum.

    :param sd_voxels: of that kernel, in voxels.
    """
    radius = max(2, int(np.ceil(6.0 * sd_voxels)))
    count = 8 * radius + 1
    lag = np.minimum(np.arange(count), count - np.arange(count))
    power = np.maximum(np.fft.rfft(np.exp(-(lag**2) / (4.0 * sd_voxels**2))).real, 0.0)
    taps = np.fft.irfft(np.sqrt(power), count)
    taps = np.concatenate([taps[-radius:], taps[: radius + 1]])
    return np.asarray(taps / np.sqrt(np.sum(taps**2)), dtype=np.float64)


def convolve_axes(volume: Float32, taps: Sequence[NDArray[np.float64] | None], mode: str = "nearest") -> Float32:
    """A volume under one symmetric kernel an axis (None leaves the axis alone), float32.

    :param volume: any unit, (slices, rows, columns), as the answer.
    :param taps: (taps,) for each of these axes; *mode*: what lies beyond the borders, as in ``scipy.ndimage``.
    """
    from scipy import ndimage

    out = volume
    for axis, kernel in enumerate(taps):
        if kernel is not None:
            out = ndimage.correlate1d(out, kernel, axis=axis, mode=mode)
    return out
