"""Whether the body's tissue releases the tracer again: Patlak's straight line then bends over.

Tissue that lets go of what it took up, at a rate r, follows  Ki integral Cp(s) e^(-r (t - s)) ds + V0 Cp, which is to
first order  Ki (integral Cp - r integral Cp(s) (t - s) ds) + V0 Cp.  Over the late frames the whole body's mean is
fitted by these three regressors; its own noise is negligible, that of the blood curve is not. So late blood is taken
from all blood in view (what is about as bright as blood during the first pass), as a curve that is smooth: the
logarithm is a parabola over log time. The scatter of the frames about it gives the error of r.

docs/methods.md, "Faults of a scan".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.estimators.coarse_frames import smoothed
from petkinetics.estimators.noise import frame_variances
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.convolution import plasma_response

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: the blood curve is smooth from here on, and smoothed blood takes the place of the given curve a minute later
_SMOOTH_FROM_S, _JOIN_S = 240.0, 300.0
#: frames are summed to so many times, equally spaced in log time
_TIMES = 14
#: Patlak's line is straight from here on; fewest times after it
_LINEAR_FROM_S, _FEWEST = 540.0, 5
#: blood is what is at least so bright in the first pass, relative to the brightest millilitre; most and least of it
_BLOOD_LEVEL, _MOST_BLOOD_ML, _LEAST_BLOOD_ML = 0.8, 10.0, 2.0
#: where nothing in view is so bright in the first pass, relative to blood, no vessel is in view
_LEAST_FIRST_PASS = 0.6
_SMOOTHING_MM = 8.0
#: rate at which the exponential's slope is taken, 1/min, and the change (of 1) that shows how errors spread
_RATE, _CHANGE = 0.02, 0.002


@dataclass(frozen=True)
class Release:
    """Of the whole body.

    :param per_min: r; slow exchange and the smooth curve put that of FDG above zero.
    :param error_per_min: its standard error.
    """

    per_min: float
    error_per_min: float


def release_rows(timing: FrameTiming) -> Float64 | None:
    """Rows over the frames that give the means at times from 4 min on, (times, frames).

    :returns: None for too few frames.
    """
    use = np.flatnonzero(timing.start_s >= _SMOOTH_FROM_S - 1.0)
    if not use.size:
        return None
    edges = np.geomspace(_SMOOTH_FROM_S, float(timing.end_s[-1]), _TIMES + 1)
    time = np.clip(np.searchsorted(edges, timing.mid_s[use], side="right") - 1, 0, _TIMES - 1)
    rows = np.zeros((np.unique(time).size, len(timing)))
    for row, k in zip(rows, np.unique(time), strict=True):
        row[use[time == k]] = timing.duration_s[use[time == k]]
    rows /= rows.sum(axis=1, keepdims=True)
    return rows if _is_late(rows, timing).sum() >= _FEWEST else None


def tracer_release(
    blood: Float64,
    body: Float64,
    curve: InputFunction,
    timing: FrameTiming,
    decay_per_s: tuple[float, float] = (0.0, 0.0),
) -> Release | None:
    """Estimate r.

    :param blood: mean of :func:`blood_pool` in every frame, (frames,), kBq/mL.
    :param body: mean of the body, likewise.
    :param decay_per_s: lambda of the nuclide, and of the weight within a frame.
    :returns: None for too few frames, or if the fit has no answer.
    """
    rows = release_rows(timing)
    if rows is None:
        return None
    blood, body = rows @ blood, rows @ body
    if not (blood.min() > 0 and body.min() > 0):
        return None
    own = rows @ curve.whole_blood_frame_mean(timing, decay_per_s[1])
    of_frames = frame_variances(timing, np.interp(timing.mid_s, rows @ timing.mid_s, body), decay_per_s[0])
    variances = rows**2 @ of_frames
    rate = _rate(body, rows, curve, timing, decay_per_s[1], variances)
    x = np.log(rows @ timing.mid_s / 600.0)
    parabola = _smooth(x, blood, variances)
    scatter = float(np.sum((blood - np.exp(np.vander(x, 3) @ parabola)) ** 2 / variances)) / (len(x) - 3)

    def at_height(parabola: Float64) -> Float64:
        # what is not all blood has its shape all the same; the given curve has the height
        level = np.exp(np.vander(x, 3) @ parabola)
        height = float(np.sum(own * level / variances) / np.sum(level**2 / variances))
        return parabola + np.array([0.0, 0.0, np.log(max(height, 1e-6))])

    found_at = at_height(parabola)
    found = rate(found_at)
    # how r changes with the blood of each time: through the three numbers of the parabola
    steps = np.diag(_CHANGE * blood)
    moved = np.array([at_height(_smooth(x, blood + step, variances)) for step in steps]) - found_at
    slope = np.array([(rate(found_at + step) - found) / _CHANGE for step in _CHANGE * np.eye(3)])
    changed = moved @ slope / (_CHANGE * blood)
    error = float(np.sqrt(scatter * np.sum(changed**2 * variances)))
    return Release(found, error) if np.isfinite(found) and np.isfinite(error) else None


def _is_late(rows: Float64, timing: FrameTiming) -> Mask:
    starts = np.array([timing.start_s[np.flatnonzero(row)[0]] for row in rows])
    return np.asarray(starts >= _LINEAR_FROM_S - 1.0)


def blood_pool(first_pass: Float32, inside: Mask, spacing_mm: tuple[float, float, float]) -> Mask | None:
    """All blood in view, bool (slices, rows, columns).

    :param first_pass: ratio of its integral to that of blood, (slices, rows, columns).
    :param inside: the body.
    :returns: None where there is too little.
    """
    seen = smoothed(first_pass, _SMOOTHING_MM, spacing_mm)
    brightest = np.sort(seen[inside])[::-1]
    blocks = 1000.0 / float(np.prod(spacing_mm))
    most, one, least = (max(1, round(ml * blocks)) for ml in (_MOST_BLOOD_ML, 1.0, _LEAST_BLOOD_ML))
    if brightest.size < least:
        return None
    if brightest[one - 1] < _LEAST_FIRST_PASS:
        return None
    level = max(_BLOOD_LEVEL * float(brightest[one - 1]), float(brightest[min(most, brightest.size) - 1]))
    pool = inside & (seen >= level)
    return pool if pool.sum() >= least else None


def _smooth(x: Float64, values: Float64, variances: Float64) -> Float64:
    """Coefficients, highest power first, of the parabola of the logarithm that fits the values best."""
    powers, weights = np.vander(x, 3), 1.0 / np.sqrt(variances)
    change = np.linalg.lstsq(powers * (values * weights)[:, None], np.log(values) * values * weights, rcond=None)[0]
    parabola = np.zeros(3)
    for _ in range(4):
        parabola = parabola + change
        level = np.exp(powers @ parabola)
        change = np.linalg.lstsq(powers * (level * weights)[:, None], (values - level) * weights, rcond=None)[0]
    return np.asarray(parabola + change)


def _rate(
    body: Float64,
    rows: Float64,
    curve: InputFunction,
    timing: FrameTiming,
    decay_per_s: float,
    variances: Float64,
) -> Callable[[Float64], float]:
    """What gives r for a parabola of late blood."""
    late = _is_late(rows, timing)
    weights = 1.0 / np.sqrt(variances[late])
    before = curve.time_s < _JOIN_S
    after = np.geomspace(_JOIN_S, max(curve.end_s, float(timing.end_s[-1])), 40)
    to_plasma = float(curve.plasma_kbq_per_ml[-1] / max(curve.whole_blood_kbq_per_ml[-1], 1e-30))

    def of(parabola: Float64) -> float:
        blood = np.exp(np.vander(np.log(after / 600.0), 3) @ parabola)
        smooth = replace(
            curve,
            time_s=np.append(curve.time_s[before], after),
            plasma_kbq_per_ml=np.append(curve.plasma_kbq_per_ml[before], blood * to_plasma),
            whole_blood_kbq_per_ml=np.append(curve.whole_blood_kbq_per_ml[before], blood),
        )
        zero, one, two = plasma_response(smooth, timing, np.array([0.0, _RATE, 2.0 * _RATE]), decay_per_s)
        slope = (4.0 * one - 3.0 * zero - two) / (2.0 * _RATE)
        design = np.stack([zero, slope, smooth.plasma_frame_mean(timing, decay_per_s)], axis=1)
        design = rows[late] @ design * weights[:, None]
        scale = np.linalg.norm(design, axis=0)
        if not (np.isfinite(scale).all() and scale.min() > 0):
            # at very few counts a blood curve may end at zero
            return float("nan")
        ki, released, _ = np.linalg.lstsq(design / scale, body[late] * weights, rcond=None)[0] / scale
        return float(released / ki)

    return of
