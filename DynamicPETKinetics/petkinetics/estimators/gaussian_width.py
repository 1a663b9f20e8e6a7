"""How wide a Gaussian is: full width at half maximum, and standard deviation.

docs/methods.md, "Regularised Patlak".
"""

from __future__ import annotations

from collections.abc import Sequence

#: full width at half maximum over standard deviation: sqrt(8 ln 2)
FWHM_PER_SD = 2.354820045


def sd_in_voxels(fwhm_mm: float, spacing_mm: Sequence[float]) -> list[float]:
    """Standard deviation of a Gaussian along every axis, in voxels.

    :param fwhm_mm: full width at half maximum.
    :param spacing_mm: voxel size, in the order of the axes.
    """
    return [fwhm_mm / FWHM_PER_SD / step for step in spacing_mm]
