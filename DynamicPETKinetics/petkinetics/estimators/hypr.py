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
from petkinetics.estimators.gaussian import covariance_kept, smooth, smooth_scale
from petkinetics.estimators.regularised import PatlakImages, Regularised, RegularisedPatlak
from petkinetics.maps import KI, KI_SD, RESIDUAL, V0, V0_SD, Quantity

Float32 = NDArray[np.float32]

#: the composite is smoothed by this share of the filter's FWHM
_COMPOSITE_SHARE = 0.4
#: composites below this share of the mean in the mask carry no detail
_LEAST_ACTIVITY = 0.1
#: no voxel is raised above its smoothed value by more than this
_MOST_RATIO = 4.0


class HyprPatlak(RegularisedPatlak):
    """Strength is the FWHM of F in mm.

    The SD is propagated to first order through the filter, the composite and their covariance.
    """

    method = "hypr"
    strength_meaning = "FWHM of the filter, mm"
    law = (31.0, 0.42)
    quantities: tuple[Quantity, ...] = (KI, V0, KI_SD, V0_SD, RESIDUAL)

    def regularise(self, images: PatlakImages, strength: float, problem: Problem, progress: Progress) -> Regularised:  # noqa: ARG002
        """See :class:`RegularisedPatlak`."""
        progress(0.0, "Weighing the composite")
        detail, composite = detail_of(images, strength)
        values = np.empty_like(images.values)
        for i in range(2):
            progress((i + 1) / 4, "Smoothing")
            values[i] = detail * smooth(images.values[i], strength, images.spacing_mm)
        progress(3 / 4, "Smoothing")
        sd = _deviations(images, strength, detail, composite, images.parameters(values))
        return Regularised(values, sd, {"composite_fwhm_mm": _COMPOSITE_SHARE * strength})


def detail_of(images: PatlakImages, fwhm_mm: float) -> tuple[Float32, Float32]:
    """C / (F * C), 1 where there is hardly any activity; and F * C (kBq/mL) there, infinite elsewhere.

    Both are float32 (slices, rows, columns); the first has no unit and is at most 4.

    :param fwhm_mm: of the filter F.
    """
    composite = smooth(images.composite, _COMPOSITE_SHARE * fwhm_mm, images.spacing_mm)
    filtered = smooth(composite, fwhm_mm, images.spacing_mm)
    least = _LEAST_ACTIVITY * max(float(composite[images.inside].mean()), 1e-12)
    shown = filtered > least
    ratio = np.divide(composite, filtered, out=np.ones_like(composite), where=shown)
    return np.clip(ratio, 0.0, _MOST_RATIO), np.where(shown, filtered, np.float32(np.inf))


def _deviations(
    images: PatlakImages, fwhm_mm: float, detail: Float32, composite: Float32, parameters: Float32
) -> Float32:
    """SDs of Ki and V0 to first order.

    With k the fitted map and c = S * C the smoothed composite, d(detail F*k) = detail F*dk
    + (F*k) (dc - detail F*dc) / (F*c). The noise of k and of C comes from the same frames.
    """
    share, correlation = _COMPOSITE_SHARE * fwhm_mm, images.correlation
    both = float(np.hypot(share, fwhm_mm))
    ff, ss, bb, fs, fb, sb = (
        np.float32(covariance_kept(one, other, correlation))
        for one, other in (
            *((fwhm_mm, fwhm_mm), (share, share), (both, both)),
            *((fwhm_mm, share), (fwhm_mm, both), (share, both)),
        )
    )
    of_composite = ss - 2 * detail * sb + detail**2 * bb
    of_both = detail * (fs - detail * fb)
    scale = smooth_scale(images, fwhm_mm)
    with_map = images.turn @ images.composite_noise[:2]
    sd = np.empty_like(parameters)
    for i, values in enumerate(parameters):
        # detail = 0 leaves nothing of the map, and nothing of its noise but the composite's.
        slope = np.divide(values, detail * composite, out=np.zeros_like(values), where=detail > 0)
        variance = detail**2 * ff * np.float32(images.spread[i] ** 2)
        variance += slope**2 * of_composite * np.float32(images.composite_noise[2])
        variance += 2 * slope * of_both * np.float32(with_map[i])
        sd[i] = np.sqrt(np.maximum(scale * variance, 0.0))
    return sd
