"""Does this curve look like arterial blood, and do the clocks agree with it?

The verdicts are sentences with numbers: the user decides. Only a scan without its early frames is
refused, since no curve can be made from it.

docs/methods.md, "Input function".
"""

from __future__ import annotations

import numpy as np

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.errors import InputError

#: blood before the peak must begin below this share of the peak for the bolus to count as covered
COVERED_BELOW = 0.10
#: a bolus reaches the aorta about this long after a brachial injection
EXPECTED_ARRIVAL_S = 15.0
#: clocks may disagree by this much without a word
CLOCK_TOLERANCE_S = 30.0
_LATEST_PEAK_S = 300.0
_SMALLEST_FALL = 2.0


def require_bolus(curve: TimeActivityCurve) -> list[str]:
    """Refuse an image-derived curve whose rise was not scanned.

    :returns: warnings, where the rise hides inside the first frame.
    :raises InputError: the curve begins at 10 % of its peak or more, after injection.
    """
    means = curve.mean_kbq_per_ml
    peak = int(np.argmax(means))
    if means[peak] <= 0:
        raise InputError("The region holds no activity, so it gives no blood curve.", "Draw it in the aorta.")
    before = means[:peak]
    if before.size and before.min() < COVERED_BELOW * means[peak]:
        return []
    start, end = float(curve.timing.start_s[0]), float(curve.timing.end_s[0])
    first = f"{100 * means[0] / means[peak]:.0f} % of the peak"
    if start <= min(5.0, 0.25 * (end - start)):
        return [
            f"The rise of the blood curve is not resolved: the first frame ({start:.0f}-{end:.0f} s) already holds "
            f"{first}. The scan is taken to begin with the injection, as its header says."
        ]
    raise InputError(
        f"The scan does not show the bolus: the first frame begins {start / 60:.1f} min after injection and already "
        f"holds {first}. An image-derived input function needs the early frames.",
        "Give a measured or population curve with --input-function, or correct --injection-time.",
    )


def arrival_s(curve: InputFunction) -> float:
    """When whole blood first exceeds 10 % of its peak, seconds from injection."""
    values, times = curve.whole_blood_kbq_per_ml, curve.time_s
    level = COVERED_BELOW * values.max()
    i = int(np.argmax(values >= level))
    if i == 0:
        return float(times[0])
    share = (level - values[i - 1]) / (values[i] - values[i - 1])
    return float(times[i - 1] + share * (times[i] - times[i - 1]))


def not_blood(curve: InputFunction) -> list[str]:
    """Sentences about what arterial blood never does (a late peak, no fall); empty when it could be blood."""
    said = []
    peak_s, peak = curve.peak
    tail = curve.time_s >= curve.end_s - 0.15 * (curve.end_s - max(curve.time_s[0], 0.0))
    late = float(np.mean(curve.whole_blood_kbq_per_ml[tail]))
    if peak_s > _LATEST_PEAK_S and not _is_bolus(curve):
        said.append(
            f"The blood curve peaks late, at {peak_s / 60:.1f} min ({peak:.3g} kBq/mL); arterial blood peaks within "
            "the first minutes. The region may lie in tissue, not in the aorta."
        )
    if curve.end_s > 600 and peak < _SMALLEST_FALL * late:
        said.append(
            f"The blood curve is flat: its peak ({peak:.3g} kBq/mL) is only {peak / max(late, 1e-9):.1f} times its end "
            f"({late:.3g} kBq/mL). It does not look like an input function."
        )
    return said


def doubts(curve: InputFunction) -> list[str]:
    """Sentences about what makes the curve a doubtful input function; empty when nothing does."""
    said = not_blood(curve)
    after = curve.plasma_kbq_per_ml[int(np.argmax(curve.plasma_kbq_per_ml)) :]
    if after.min() < 0:
        said.append(
            f"The input function falls below zero after its peak (to {after.min():.3g} kBq/mL), which no blood does; "
            "it was used as given."
        )
    arrival = arrival_s(curve)
    if _is_bolus(curve) and abs(arrival - EXPECTED_ARRIVAL_S) > CLOCK_TOLERANCE_S:
        said.append(
            f"The bolus arrives {arrival:.0f} s after the stated injection time (expected about "
            f"{EXPECTED_ARRIVAL_S:.0f} s): the clocks of injection and scanner may disagree. Frame times were kept; "
            "--injection-time overrides the header."
        )
    return said


def _is_bolus(curve: InputFunction) -> bool:
    # An hour's error of a clock (summer time) shows as a bolus at the wrong time, tissue as a slow rise.
    return curve.peak[0] - arrival_s(curve) <= _LATEST_PEAK_S


def require_plausible_scale(blood: np.ndarray, tissue: np.ndarray) -> None:
    """Refuse an input function whose unit cannot be the image's.

    :param blood: frame means of the input function in the frames used, kBq/mL, (frames,).
    :param tissue: mean activity in the body in the same frames, kBq/mL, (frames,).
    :raises InputError: blood and the body's mean differ more than 100-fold.
    """
    body = float(np.mean(tissue))
    if body <= 0:
        return
    ratio = float(np.mean(blood)) / body
    if not 0.01 <= ratio <= 100.0:
        raise InputError(
            f"The input function ({np.mean(blood):.3g} kBq/mL in the frames used) and the body's mean activity "
            f"({body:.3g} kBq/mL) differ {max(ratio, 1 / max(ratio, 1e-12)):.3g}-fold, so their units cannot agree.",
            "Check the units of the input function (kBq/mL, not Bq/mL).",
        )
