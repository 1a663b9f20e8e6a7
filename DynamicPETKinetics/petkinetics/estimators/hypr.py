"""HYPR-LR: a noisy image takes its detail from the composite of all frames.

    Ki = C / (F * C) * (F * Ki_fitted)

with C the composite (the weighted mean of the frames used) and F* a Gaussian filter (Johnson et al.
2008; for dynamic PET Christian et al. 2010). One composite serves all frames and the fit is linear, so
this equals the weighted fit of HYPR-LR frames. The composite is less noisy than the maps by far, but
not free of noise: it is smoothed lightly before use.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.estimator import Problem, Progress
from petkinetics.estimators.gaussian import noise_to_contrast, smooth, smoothed_variance
from petkinetics.estimators.regularised import PatlakImages, Regularised, RegularisedPatlak
from petkinetics.maps import KI, KI_SD, RESIDUAL, V0, V0_SD, Quantity

Float32 = NDArray[np.float32]

#: FWHM = _AT_UNIT * (noise / contrast) ** _POWER mm: fitted to the best filters of the tuning study
_AT_UNIT, _POWER = 14.0, 0.5
#: the composite is smoothed by this share of the filter's FWHM
_COMPOSITE_SHARE = 0.4
#: composites below this share of the mean in the mask carry no detail
_LEAST_ACTIVITY = 0.1
#: no voxel is raised above its smoothed value by more than this
_MOST_RATIO = 4.0


class HyprPatlak(RegularisedPatlak):
    """Strength is the FWHM of F in mm.

    The SD takes the composite as given: C / (F*C) times the SD of the filtered map.
    """

    method = "hypr"
    strength_meaning = "FWHM of the filter, mm"
    quantities: tuple[Quantity, ...] = (KI, V0, KI_SD, V0_SD, RESIDUAL)

    def automatic_strength(self, images: PatlakImages) -> float:
        """See :class:`RegularisedPatlak`."""
        return min(_AT_UNIT * noise_to_contrast(images) ** _POWER, self.most_strength)

    def regularise(self, images: PatlakImages, strength: float, problem: Problem, progress: Progress) -> Regularised:  # noqa: ARG002
        """See :class:`RegularisedPatlak`."""
        progress(0.0, "Weighing the composite")
        detail = detail_of(images, strength)
        values = np.empty_like(images.values)
        for i in range(2):
            progress((i + 1) / 4, "Smoothing")
            values[i] = detail * smooth(images.values[i], strength, images.spacing_mm)
        progress(3 / 4, "Smoothing")
        factor = detail**2 * smoothed_variance(images, strength) / images.scale
        return Regularised(values, factor, {"composite_fwhm_mm": _COMPOSITE_SHARE * strength})


def detail_of(images: PatlakImages, fwhm_mm: float) -> Float32:
    """C / (F * C), 1 where there is hardly any activity."""
    composite = smooth(images.composite, _COMPOSITE_SHARE * fwhm_mm, images.spacing_mm)
    filtered = smooth(composite, fwhm_mm, images.spacing_mm)
    least = _LEAST_ACTIVITY * max(float(composite[images.inside].mean()), 1e-12)
    shown = filtered > least
    ratio = np.divide(composite, filtered, out=np.ones_like(composite), where=shown)
    return np.clip(ratio, 0.0, _MOST_RATIO)
