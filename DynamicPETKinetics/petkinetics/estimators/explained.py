"""What a denoised image owes to the data: averaged over a neighbourhood, it must still explain them.

The mean over a centimetre or two has far less noise than a voxel. Where it differs from the data's by more than
noise can, the denoiser has levelled or invented something, and the difference is given back:

    x + w L,   L = smoothed (y - x),   w = max(0, 1 - (threshold / z)^2),   z = L / SD of L from noise alone,

the positive-part shrinkage of James & Stein. Within noise, nothing changes.

docs/methods.md, "Diffusion prior".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.gaussian_width import FWHM_PER_SD
from petkinetics.estimators.noise_correlation import NoiseCorrelation

Float32 = NDArray[np.float32]

#: on validation patients: the widest of 8, 12 and 16 mm and the lowest of 2, 2.5, 3 and 4 that cost hardly any RMSE
NEIGHBOURHOOD_MM, THRESHOLD = 16.0, 4.0
#: SD, in voxels, of a kernel as wide as a voxel's own average: white noise
_VOXEL_SD = 0.28


def explained(
    measured: Float32, found: Float32, sigma: Float32, correlation: NoiseCorrelation, threshold: float = THRESHOLD
) -> Float32:
    """Give back what noise does not explain.

    :param measured: y, any unit, (images, slices, rows, columns); *found*: x; *sigma*: SD of y's noise, likewise.
    :param threshold: SDs from which on nothing of it is noise's.
    """
    from scipy import ndimage

    sd = NEIGHBOURHOOD_MM / FWHM_PER_SD
    width = [0.0, *(sd / step for step in correlation.spacing_mm)]
    kept = 1.0
    for noise_sd, step in zip(correlation.sd_mm, correlation.spacing_mm, strict=True):
        own = max(noise_sd, _VOXEL_SD * step)
        kept *= own / np.hypot(own, sd)
    weight = sigma**-2
    total = ndimage.gaussian_filter(weight, width, truncate=3.0)
    mean = ndimage.gaussian_filter((measured - found) * weight, width, truncate=3.0) / total
    # z^2, with kept / total the variance of the mean
    square = np.maximum(mean**2 * total / np.float32(kept), 1e-12)
    return np.asarray(found + np.maximum(0.0, 1.0 - threshold**2 / square) * mean, np.float32)
