"""How close a map comes to its reference: RMSE, PSNR and SSIM in the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError

#: standard deviation of SSIM's Gaussian window, voxels, and where it is cut (Wang et al. 2004: 11 voxels wide)
_SIGMA, _TRUNCATE = 1.5, 3.5


@dataclass(frozen=True)
class ImageQuality:
    """Closeness of a map to a reference within the body.

    :param rmse: root mean squared difference, in the maps' unit.
    :param psnr_db: 20 log10(peak / RMSE), peak being the reference's 99.9th percentile in the body.
    :param ssim: mean structural similarity in the body, data range being that same peak.
    """

    rmse: float
    psnr_db: float
    ssim: float


def image_quality(values: NDArray[np.float32], reference: NDArray[np.float32], body: NDArray[np.bool_]) -> ImageQuality:
    """RMSE, PSNR and SSIM of a map against its reference.

    SSIM (Wang et al., IEEE Trans Image Process 2004;13:600, eq. 13) with a 3-D Gaussian window of
    sigma 1.5 voxels.

    :param values: of any unit, (slices, rows, columns), as *reference*.
    :param body: voxels that count.
    :raises InputError: the arrays differ in shape, the body is empty, or the reference is nowhere
        above zero.
    """
    if values.shape != reference.shape or body.shape != reference.shape:
        raise InputError(f"The map has {values.shape} voxels, its reference {reference.shape}, the body {body.shape}.")
    if not body.any():
        raise InputError("The body mask is empty.")
    peak = float(np.percentile(reference[body], 99.9))
    if peak <= 0:
        raise InputError("The reference is nowhere above zero, so there is no scale to judge the map by.")
    x, y = values.astype(np.float64), reference.astype(np.float64)
    rmse = float(np.sqrt(np.mean((x - y)[body] ** 2)))
    psnr = float(20.0 * np.log10(peak / rmse)) if rmse > 0 else float("inf")
    return ImageQuality(rmse, psnr, float(ssim_map(x, y, peak)[body].mean()))


def ssim_map(x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]], data_range: float) -> NDArray[np.float64]:
    """SSIM at every voxel, as :func:`image_quality` averages it over the body.

    :param x: of any unit, (slices, rows, columns), as *y*; *data_range* in their unit.
    """
    from scipy.ndimage import gaussian_filter

    def smooth(image: NDArray[np.float64]) -> NDArray[np.float64]:
        return gaussian_filter(image, _SIGMA, truncate=_TRUNCATE)

    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    mean_x, mean_y = smooth(a), smooth(b)
    var_x = smooth(a * a) - mean_x**2
    var_y = smooth(b * b) - mean_y**2
    covariance = smooth(a * b) - mean_x * mean_y
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    return ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
