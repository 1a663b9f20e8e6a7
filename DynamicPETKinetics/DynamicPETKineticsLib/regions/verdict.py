"""Is this an input function? In plain words, for the line under the blood curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from DynamicPETKineticsLib.translation import _
from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.input_function.checks import doubts, not_blood

Level = Literal["good", "check", "bad"]

#: a region below this volume (mL) has a noisy mean; one above is more than the aorta's blood
SMALL_ML, LARGE_ML = 1.0, 120.0
#: the last frames may scatter about a smooth curve by this share
NOISY = 0.08
#: frames from this time on are smooth in blood
_LATE_S = 600.0
_FEWEST_LATE = 5
#: what the engine says of its command line, in the panel's words
_PANEL_WORDS = {"--injection-time overrides the header": "they can be edited in step 1"}


@dataclass(frozen=True)
class Verdict:
    """What a person should think of the curve.

    :param level: "good", "check" (usable, but look) or "bad" (no input function).
    :param sentence: begins with the level in words and says why.
    """

    level: Level
    sentence: str


def judge(
    function: InputFunction,
    frames: TimeActivityCurve | None = None,
    volume_ml: float | None = None,
    scan_end_s: float | None = None,
) -> Verdict:
    """The verdict on a curve that could be made.

    :param frames: the region's frame means; None for a curve from a file.
    :param volume_ml: the region's volume.
    :param scan_end_s: end of the last frame; a curve that ends earlier is doubtful.
    """
    wrong = not_blood(function)
    if wrong:
        return refuse(" ".join(_in_panel_words(wrong)))
    reasons = list(_in_panel_words([*doubts(function), *function.warnings]))
    if volume_ml is not None and volume_ml < SMALL_ML:
        reasons.insert(
            0, _("The region is small ({volume:.2g} mL), so its mean is noisy; paint more.").format(volume=volume_ml)
        )
    if volume_ml is not None and volume_ml > LARGE_ML:
        reasons.insert(
            0,
            _("The region is large ({volume:.0f} mL): does it hold only the blood of the aorta?").format(
                volume=volume_ml
            ),
        )
    scatter = None if frames is None else late_scatter(frames)
    if scatter is not None and scatter > NOISY:
        reasons.append(
            _("The late frames scatter by {scatter:.0f} %; a larger region is less noisy.").format(
                scatter=100 * scatter
            )
        )
    if scan_end_s is not None and function.end_s < scan_end_s - 1.0:
        reasons.append(
            _("The curve ends at {end:.0f} min, the scan at {scan:.0f} min: frames after it cannot be used.").format(
                end=function.end_s / 60, scan=scan_end_s / 60
            )
        )
    facts = ", ".join(_facts(function, volume_ml))
    if reasons:
        return Verdict("check", _("Check: {reasons} Measured: {facts}.").format(reasons=" ".join(reasons), facts=facts))
    return Verdict("good", _("Good: {facts}.").format(facts=facts))


def refuse(reason: str) -> Verdict:
    """The verdict on what gives no input function."""
    return Verdict("bad", _("Not an input function: {reason}").format(reason=reason))


def late_scatter(frames: TimeActivityCurve) -> float | None:
    """Scatter of the late frame means about a smooth curve, as a share of them; None where there are too few.

    From second differences, which a curve that is straight over three frames does not have.
    """
    late = np.flatnonzero(frames.timing.start_s >= _LATE_S)
    if late.size < _FEWEST_LATE:
        return None
    time, mean = frames.timing.mid_s[late], frames.mean_kbq_per_ml[late]
    level = float(mean.mean())
    if level <= 0:
        return None
    share = (time[1:-1] - time[:-2]) / (time[2:] - time[:-2])
    deviation = mean[1:-1] - (1 - share) * mean[:-2] - share * mean[2:]
    variance = 1 + share**2 + (1 - share) ** 2
    return float(np.sqrt(np.mean(deviation**2 / variance))) / level


def _facts(function: InputFunction, volume_ml: float | None) -> list[str]:
    peak_s, peak = function.peak
    facts = [_("peak {peak:.3g} kBq/mL at {time:.1f} min").format(peak=peak, time=peak_s / 60)]
    if volume_ml is not None:
        facts.append(_("{volume:.1f} mL").format(volume=volume_ml))
    tail = function.time_s >= 0.95 * function.end_s
    share = float(np.mean(function.whole_blood_kbq_per_ml[tail])) / peak
    facts.append(_("falls to {share:.0f} % by the end").format(share=100 * share))
    return facts


def _in_panel_words(sentences: Sequence[str]) -> list[str]:
    said = []
    for sentence in sentences:
        for command, panel in _PANEL_WORDS.items():
            sentence = sentence.replace(command, panel)
        said.append(sentence)
    return said
