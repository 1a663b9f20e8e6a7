"""A blood curve beyond the end of a short scan.

What follows the last measurement is unknown to every method. It is continued as the two slow
exponentials of blood, fitted to the late measured part together with what is known of people's
curves: where the part is noisy or short, the population decides, otherwise the measurement.

docs/methods.md, "Input function".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S

Float64 = NDArray[np.float64]

#: mean and SD of the logs of blood's slowest rate (1/min), of the amplitude of the exponential before it over
#: that of the last, and of that exponential's rate: curves of Feng et al. 1993 (model 2) fitted to 19 human
#: arterial FDG plasma curves. Origin: OpenNeuro ds004513 (CC0).
_POPULATION = np.array([-4.192, 0.564, -0.815])
_POPULATION_SD = np.array([0.363, 0.33, 0.398])
#: the fit begins this long after injection, when the first pass is over, but takes at most the last part
_FROM_S, _LONGEST_S = 300.0, 1800.0
#: a shorter late part says nothing about what follows
_SHORTEST_S = 300.0
#: an image-derived curve holds one independent sample a frame, and late frames are about this long
_INDEPENDENT_S = 300.0
#: the samples' relative noise is estimated, but not below this
_LEAST_NOISE = 1e-4
#: samples further than this many SDs from the fit count less (Huber's usual bound)
_HUBER = 1.345
#: a curve that falls more slowly than this (1/min) at its end is not believed without a word
_FLAT = 0.002
#: what the last node differs from the fit fades with this time constant; new nodes stand this far apart
_FADE_S, _STEP_S = 120.0, 30.0


@dataclass(frozen=True)
class Tail:
    """Two exponentials: e^level (e^(-rate t) + share e^(-fast t)), t in minutes from injection.

    :param level: log of the last exponential's amplitude in kBq/mL.
    :param rate: of the last exponential, 1/min.
    :param share: amplitude of the one before it over that of the last.
    :param fast: its rate, 1/min.
    :param noise: relative noise of the measured part about this curve.
    """

    level: float
    rate: float
    share: float
    fast: float
    noise: float

    def at(self, time_s: Float64) -> Float64:
        """Plasma activity, kBq/mL.

        :param time_s: s from injection, any shape, which is that of the answer.
        """
        logs = np.array([self.level, *np.log([self.rate, max(self.share, 1e-300), self.fast])])
        return np.exp(_log_curve(logs, np.asarray(time_s) / 60.0))


def extrapolated(curve: InputFunction, end_s: float) -> InputFunction:
    """The curve continued to *end_s*; the curve itself where it already reaches that far.

    Continuous at the join. Plasma and whole blood are continued alike, so that their ratio stays the
    last node's. Only nodes up to the curve's end and the population's constants are used.

    :param end_s: seconds from injection.
    :raises InputError: *end_s* is not a time, or :func:`fitted_tail` finds nothing to go by.
    """
    if not np.isfinite(end_s):
        raise InputError(f"A blood curve cannot be continued to {end_s} s.")
    if end_s <= curve.end_s + TOLERANCE_S:
        return curve
    tail = fitted_tail(curve)
    added = np.append(np.arange(curve.end_s + _STEP_S, end_s - 1.0, _STEP_S), end_s)
    join = np.array([curve.end_s])
    last, fitted = float(curve.plasma_kbq_per_ml[-1]), float(tail.at(join)[0])
    # The last node is the edge of a noisy frame: the tail begins there and soon joins the fit.
    offset = (last - fitted) * np.exp(-(added - curve.end_s) / _FADE_S)
    plasma = np.maximum(tail.at(added) + offset, 0.0)
    whole_blood = plasma * _ratio(curve)
    warnings = curve.warnings
    if _flat(curve):
        warnings += (
            f"The blood curve does not fall at its end ({curve.end_s / 60:.1f} min), so its continuation rests on "
            "other people's curves.",
        )
    return replace(
        curve,
        time_s=np.append(curve.time_s, added),
        plasma_kbq_per_ml=np.append(curve.plasma_kbq_per_ml, plasma),
        whole_blood_kbq_per_ml=np.append(curve.whole_blood_kbq_per_ml, whole_blood),
        source=f"{curve.source}; " * bool(curve.source) + f"extrapolated from {curve.end_s / 60:.1f} min",
        warnings=warnings,
    )


def fitted_tail(curve: InputFunction) -> Tail:
    """The two exponentials that the curve's late part and the population agree on best.

    Maximum a posteriori: residuals of log activity, each node weighted by the time it stands for and
    counted less where it lies far off (Huber), beside the population's log-normal variation; the
    noise that balances the two is estimated from the residuals. One exponential alone is taken where
    it explains the late part at least twice as well, which the population's share never lets be exact.

    :raises InputError: the curve ends within 10 min of injection, or is not above zero after the first 5.
    """
    end = curve.end_s
    if end < _FROM_S + _SHORTEST_S:
        raise InputError(
            f"The blood curve ends at {end / 60:.1f} min; to continue it, it must reach at least "
            f"{(_FROM_S + _SHORTEST_S) / 60:g} min.",
            "Use a longer blood curve.",
        )
    minutes, logs, weight = _late_part(curve)
    two, noise_of_two = _fit(minutes, logs, weight, exponentials=2)
    one, noise_of_one = _fit(minutes, logs, weight, exponentials=1)
    if noise_of_one < 0.5 * noise_of_two:
        return Tail(one[0], float(np.exp(one[1])), 0.0, float(np.exp(_POPULATION[2])), noise_of_one)
    rate, share, fast = np.exp(two[1:]).tolist()
    return Tail(float(two[0]), rate, share, fast, noise_of_two)


def _late_part(curve: InputFunction) -> tuple[Float64, Float64, Float64]:
    """Times (min), log activities and weights (in independent samples) of the nodes to fit."""
    late = curve.time_s >= max(_FROM_S, curve.end_s - _LONGEST_S)
    spent = np.gradient(curve.time_s)[late]
    time, plasma = curve.time_s[late], curve.plasma_kbq_per_ml[late]
    above = plasma > 0
    if above.sum() < 2:
        raise InputError(
            f"The blood curve has {int(above.sum())} node(s) above zero between {_FROM_S / 60:g} min and its end at "
            f"{curve.end_s / 60:.1f} min, too few to continue it.",
            "Check the blood region or the curve.",
        )
    return time[above] / 60.0, np.log(plasma[above]), spent[above] / _INDEPENDENT_S


def _log_curve(logs: Float64, minutes: Float64) -> Float64:
    """Log activity of logs = (level, log rate[, log share, log fast rate])."""
    slow = logs[0] - np.exp(logs[1]) * minutes
    if logs.size == 2:
        return slow
    return slow + np.log1p(np.exp(logs[2] - (np.exp(logs[3]) - np.exp(logs[1])) * minutes))


def _fit(minutes: Float64, logs: Float64, weight: Float64, exponentials: int) -> tuple[Float64, float]:
    """Parameters of :func:`_log_curve` and the relative noise about it."""
    from scipy.optimize import least_squares

    prior = slice(0, 3 if exponentials == 2 else 1)
    mean, sd = _POPULATION[prior], _POPULATION_SD[prior]
    found, noise = np.array([logs[-1] + np.exp(mean[0]) * minutes[-1], *mean]), 0.1
    for _ in range(8):
        scale = noise

        def misfit(values: Float64, scale: float = scale) -> Float64:
            residual = (_log_curve(values, minutes) - logs) / scale
            return np.append(np.sqrt(weight) * _huber(residual), (values[1:] - mean) / sd)

        # exp of what no blood does overflows
        found = least_squares(misfit, found, bounds=(-20.0, 20.0), xtol=1e-6, ftol=1e-6).x
        residual = _log_curve(found, minutes) - logs
        noise = max(float(np.sqrt(weight @ residual**2 / max(weight.sum() - 2.0, 1.0))), _LEAST_NOISE)
        if abs(noise - scale) < 0.05 * scale:
            break
    return found, noise


def _huber(residual: Float64) -> Float64:
    """What to square for Huber's loss."""
    size = np.abs(residual)
    return np.where(size <= _HUBER, residual, np.sign(residual) * np.sqrt(2 * _HUBER * np.maximum(size, 1) - _HUBER**2))


def _ratio(curve: InputFunction) -> float:
    """Whole blood over plasma at the end."""
    if curve.plasma_kbq_per_ml[-1] > 0:
        return float(curve.whole_blood_kbq_per_ml[-1] / curve.plasma_kbq_per_ml[-1])
    return float(curve.whole_blood_kbq_per_ml.sum() / curve.plasma_kbq_per_ml.sum())


def _flat(curve: InputFunction) -> bool:
    """Whether the late part rises or hardly falls."""
    minutes, logs, weight = _late_part(curve)
    centred = minutes - np.average(minutes, weights=weight)
    return bool((weight * centred) @ logs / (weight @ centred**2) > -_FLAT)
