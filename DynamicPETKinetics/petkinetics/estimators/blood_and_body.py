"""Whether a blood curve can be blood: in the first minutes arteries hold more tracer than the body does on average.

All tracer is in blood first. Over five minutes the true curve is 4.6 to 9.7 times the body's mean in simulated
thoraces, heads and whole bodies (validation seeds 90,000 and 90,001 of each); a small artery, which the resolution
mixes with its surroundings, stays above that mean, too. A region in air or in quiet tissue does not
(docs/methods.md, "Faults of a scan").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.body import body_mask
from petkinetics.estimators.light_numpy import evenly_spread
from petkinetics.frames import TOLERANCE_S
from petkinetics.series import DynamicSeries

Float64 = NDArray[np.float64]
#: frames that begin before may hold the bolus, s from injection: its clock may be wrong by minutes
_EARLY_S = 600.0
#: how long blood and body are compared, s from when the tracer reaches the body
_FIRST_S = 300.0
#: the tracer has reached the body at this share of its highest mean; a scan that begins above half is late
_ARRIVED, _LATE = 0.2, 0.5
#: a scan that begins this soon after injection holds the bolus whatever its first frame shows, s
_FROM_START_S = 30.0
#: an image's region below this share of the body's mean holds no blood at all
_NO_BLOOD = 0.25
_SLICES = 6


def blood_over_body(
    series: DynamicSeries, curve: InputFunction, until_min: float | None, mask: NDArray[np.bool_]
) -> float | None:
    """Whole blood over the body's mean activity, of the integrals over the first five minutes.

    :param mask: the body, bool (slices, rows, columns); six of its slices are read in the early frames.
    :param until_min: no frame after this is read, minutes from injection.
    :returns: None where the first pass was not scanned, or the body's mean is not above zero.
    """
    frames = series.timing.until(until_min)
    frames = frames[series.timing.start_s[frames] < _EARLY_S]
    filled = np.flatnonzero(mask.any(axis=(1, 2)))
    if frames.size == 0 or filled.size == 0:
        return None
    slices = filled[evenly_spread(0, filled.size - 1, min(_SLICES + 2, filled.size))]
    slices = slices[1:-1] if slices.size > 2 else slices
    total = np.zeros(frames.size)
    for k in slices.tolist():
        total += series.read(frames.tolist(), k, k + 1)[:, 0][:, mask[k]].sum(axis=1, dtype=np.float64)
    body = total / mask[slices].sum()
    timing = series.timing.select(frames)
    if not np.isfinite(body).all() or body.max() <= 0:
        return None
    if body[0] > _LATE * body.max() and timing.start_s[0] > _FROM_START_S:
        return None
    first = int(np.argmax(body >= _ARRIVED * body.max()))
    window = (timing.start_s >= timing.start_s[first]) & (
        timing.start_s <= timing.start_s[first] + _FIRST_S - TOLERANCE_S
    )
    duration = timing.duration_s[window]
    blood = curve.whole_blood_frame_mean(timing, series.frame_decay_per_s)[window]
    under = float(np.sum(body[window] * duration))
    return float(np.sum(blood * duration)) / under if under > 0 else None


def not_above_body(
    series: DynamicSeries,
    curve: InputFunction,
    frames: NDArray[np.intp],
    until_min: float | None,
    mask: NDArray[np.bool_] | None,
    from_image: bool,
) -> list[str]:
    """A sentence where a blood curve is not above the body's mean in the first minutes; else none.

    :param frames: indices of those of the fit, (n,), in which the body is looked for where *mask* is None.
    :param until_min: T, min; frames after it are not looked at.
    :param mask: the body, (slices, rows, columns), where it is known.
    :param from_image: the curve is that of a region in the image.
    :raises InputError: such a region lies below a quarter of the body's mean: in air, or outside of the patient.
    """
    if mask is None:
        try:
            mask = body_mask(series, frames.tolist())
        except InputError:
            return []
    ratio = blood_over_body(series, curve, until_min, mask)
    if ratio is None or ratio >= 1.0:
        return []
    found = (
        f"holds {ratio:.2g} times the body's mean activity in the first minutes after the tracer arrives, where "
        "arterial blood holds several times that mean"
    )
    if from_image and ratio < _NO_BLOOD:
        raise InputError(
            f"The blood region {found}: it lies in air, or where there is no blood.",
            "Draw it in the aorta, where early frames are brightest, or use --aorta auto; check that it was drawn on "
            "this series.",
        )
    what_to_do = (
        "The region lies outside of blood: draw it in the aorta, bright in early frames, or use --aorta auto."
        if from_image
        else "Check its unit, and that it belongs to this scan."
    )
    return [f"The blood curve {found}. It cannot be blood, and Ki is too high everywhere. {what_to_do}"]
