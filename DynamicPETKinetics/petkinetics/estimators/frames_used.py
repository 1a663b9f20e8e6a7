"""Which frames the graphical fit uses: t*, the time from which the plot is a line.

docs/methods.md, "Which frames: t* and T".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import patlak_design, weighted_fit

FEWEST_FRAMES = 3
LATE_T_STAR_MIN = 30.0
EARLY_T_STAR_MIN = 9.0
_AN_HOUR_S = 3600.0 - 1.0
#: compartment models are refused when the first frame begins later than this after the blood peak
_LATEST_START_S = 600.0
#: 'auto' accepts a window whose Patlak points stay this close to their line
_LARGEST_DEVIATION = 0.03
#: the noise of a curve is taken from its last frames, and this many times it is allowed for
_NOISE_FRAMES = 6
_NOISE_FACTOR = 2.5


@dataclass(frozen=True)
class FramesUsed:
    """The choice and how it was made.

    :param indices: frames of the series that the fit uses.
    :param t_star_min: start of the window, minutes from injection; None for methods without a t*.
    :param choice: in words.
    :param warnings: sentences for the user.
    """

    indices: NDArray[np.intp]
    t_star_min: float | None
    choice: str
    warnings: tuple[str, ...] = ()


def frames_from(timing: FrameTiming, t_star_min: float | None, until_min: float | None) -> FramesUsed:
    """The frames of a given or default t*.

    Default: 30 min where the frames until T reach an hour from injection, else 9 min with a warning.

    :param t_star_min: t*, min from injection; None for the default.
    :param until_min: T, min from injection; None for the scan's end.
    :raises InputError: fewer than 3 frames remain.
    """
    warnings: tuple[str, ...] = ()
    if t_star_min is not None:
        choice = f"{t_star_min:g} min, as given"
    else:
        last_s = _last_s(timing, until_min)
        t_star_min = LATE_T_STAR_MIN if last_s >= _AN_HOUR_S else EARLY_T_STAR_MIN
        choice = f"{t_star_min:g} min, the default for a scan that ends {last_s / 60:.0f} min after injection"
        if t_star_min == EARLY_T_STAR_MIN:
            warnings = (_early(timing, until_min, t_star_min, "where the plot may not be linear yet"),)
    indices = timing.window(t_star_min, until_min)
    if indices.size < FEWEST_FRAMES:
        frames = ("No frame lies", "Only 1 frame lies", f"Only {indices.size} frames lie")[min(indices.size, 2)]
        first = f"t* = {t_star_min:g} min"
        where = f"after {first}" if until_min is None else f"between {first} and {until_min:g} min"
        raise InputError(
            f"{frames} {where}; the Patlak fit needs at least {FEWEST_FRAMES}.",
            "Choose an earlier --t-star or a later --until, or check the frame times.",
        )
    return FramesUsed(indices, float(t_star_min), choice, warnings)


def _last_s(timing: FrameTiming, until_min: float | None) -> float:
    """End of the last frame until T, s from injection; 0 without any."""
    available = timing.until(until_min)
    return float(timing.end_s[available[-1]]) if available.size else 0.0


def _early(timing: FrameTiming, until_min: float | None, t_star_min: float, linearity: str) -> str:
    """The warning of a fit that starts early since the scan is short.

    :param linearity: what is known of the plot from there on.
    """
    return (
        f"The frames used end {_last_s(timing, until_min) / 60:.0f} min after injection, so the Patlak fit starts at "
        f"t* = {t_star_min:g} min, {linearity}; expect Ki a few per cent too high in tissues that equilibrate slowly."
    )


def whole_series(timing: FrameTiming, until_min: float | None, input_function: InputFunction) -> FramesUsed:
    """All frames until T: what compartment models use.

    They tell K1, k2 and fv by the first minutes; a scan that begins after the blood peak warns.

    :param until_min: T, min from injection; None for the scan's end.
    :raises InputError: no frame ends within T, or the first begins more than 10 min after the peak.
    """
    indices = timing.until(until_min)
    if indices.size == 0:
        raise InputError(f"No frame ends within {until_min:g} min of injection.", "Choose a later --until.")
    peak_s = input_function.peak[0]
    late_s = float(timing.start_s[indices[0]]) - peak_s
    if late_s > _LATEST_START_S:
        raise InputError(
            f"The first frame begins {late_s / 60:.0f} min after the blood peak. Compartment models need the early "
            "frames, which tell delivery and blood from trapping.",
            "Use --method patlak, which needs late frames only.",
        )
    warnings: tuple[str, ...] = ()
    if late_s > 0:
        warnings = (
            f"The frames begin {late_s:.0f} s after the blood peak: K1, k2 and fv cannot be told apart well without "
            "the first pass, and Ki is less certain.",
        )
    last_min = float(timing.end_s[indices[-1]]) / 60.0
    choice = f"no t*: all {indices.size} frames until {last_min:.3g} min after injection"
    return FramesUsed(indices, None, choice, warnings)


def longest_linear_window(
    timing: FrameTiming,
    until_min: float | None,
    input_function: InputFunction,
    curves: NDArray[np.float64],
    decay_per_s: float,
) -> FramesUsed:
    """The earliest t* from which the Patlak plots of some curves are lines (``--t-star auto``).

    A window counts as linear when no point of any curve lies further from its weighted line than 3 %
    of the curve and 2.5 times its noise, which is taken from the line through its last frames; if no
    window does, the one with the smallest excess is taken. Where the frames end before an hour from injection and
    t* is below 30 min, the warning of the default t* is given, too: that a short window is straight does not show
    that slow tissues have equilibrated.

    :param until_min: T, min from injection; None for the scan's end.
    :param curves: (curves, frames) mean activity in all frames of *timing*, kBq/mL.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame, 1/s; 0 for plain means.
    :raises InputError: fewer than 3 frames can be used.
    """
    after_peak = timing.start_s >= input_function.peak[0]
    candidates = [i for i in timing.until(until_min) if after_peak[i]]
    windows = candidates[: max(len(candidates) - FEWEST_FRAMES, 0)]

    def deviations(first: int) -> tuple[NDArray[np.float64], int]:
        """Relative deviations from the line, (curves, frames), and the degrees of freedom."""
        used = np.array([i for i in candidates if i >= first])
        fit = weighted_fit(patlak_design(input_function, timing.select(used), decay_per_s), timing.duration_s[used])
        values = curves[:, used]
        misfit = values - values @ fit.solution.T @ fit.design.T
        return misfit / np.maximum(np.mean(values, axis=1, keepdims=True), 1e-12), fit.degrees_of_freedom

    best: tuple[float, int] | None = None
    if windows:
        late, dof = deviations(candidates[-min(_NOISE_FRAMES, len(candidates))])
        noise = np.sqrt(np.sum(late**2, axis=1) / dof)
    for first in windows:
        deviation = float(np.max(np.max(np.abs(deviations(first)[0]), axis=1) - _NOISE_FACTOR * noise))
        if best is None or deviation < best[0]:
            best = (deviation, first)
        if deviation <= _LARGEST_DEVIATION:
            break
    if best is None:
        raise InputError(
            "There are too few frames after the blood peak to choose t* automatically.", "Give --t-star in minutes."
        )
    deviation, first = best
    t_star = float(timing.start_s[first]) / 60.0
    found = frames_from(timing, t_star, until_min)
    linear = deviation <= _LARGEST_DEVIATION
    beyond = f"{100 * max(deviation, 0.0):.1f} %"
    choice = f"{t_star:g} min, chosen automatically (largest deviation from the line beyond the noise {beyond})"
    warnings: tuple[str, ...] = ()
    if not linear:
        warnings = (f"No window has a Patlak plot straight to 3 %; t* = {choice}.",)
    if t_star < LATE_T_STAR_MIN and _last_s(timing, until_min) < _AN_HOUR_S:
        # A slow tissue's plot bends so little within half an hour that it passes for a line.
        straight = "from where the plots look straight, which so short a window cannot prove"
        bent = "where the plots are not linear yet"
        warnings += (_early(timing, until_min, t_star, straight if linear else bent),)
    return FramesUsed(found.indices, t_star, choice, warnings)
