"""Faults of a scan that leave every number of it in its usual range, seen in the images themselves.

Movement between frames or throughout, frames on another scale, a blood curve that is not the image's blood, and a
tracer that tissue does not keep: every method makes a map of them all the same. What is looked for, and from which
number on it counts, is the same for all methods; only the words tell what it does to the maps of this one. The bounds
were set on simulated patients (docs/experiments.md).

docs/methods.md, "Faults of a scan".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.applicability import Applicability
from petkinetics.estimators.coarse_frames import CoarseFrames, coarse_frames, smoothed
from petkinetics.estimators.estimator import Problem
from petkinetics.estimators.frame_shift import frame_shift, shift_rows
from petkinetics.estimators.noise import frame_variances
from petkinetics.estimators.scan_findings import (
    Finding,
    Place,
    Use,
    blood_finding,
    drift_finding,
    moved_before,
    release_finding,
    shift_finding,
    step_finding,
)
from petkinetics.estimators.slow_drift import PATCH_MM, drift_rows, slow_drift
from petkinetics.estimators.tracer_release import blood_pool, tracer_release
from petkinetics.frames import TOLERANCE_S, FrameTiming
from petkinetics.kinetics.patlak import LinearFit, patlak_design, weighted_fit

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: what is looked for: keys of the record
NAMES = ("scale_step", "blood_share", "shift_mm", "drift_mm", "release")
#: the late frames, whose Patlak plot is straight; fewest of them, and most times that are tried for a step
_LATE_MIN, _FEWEST, _MOST_STEPS = 9.0, 5, 16
#: the body's mean curve is smooth from here on; fewest frames to tell
_SMOOTH_FROM_S, _FEWEST_SMOOTH = 240.0, 8
#: frames that begin up to so long after the blood curve's peak hold the first pass
_PASSED_S = 30.0
#: smoothing before the brightest blood is looked for, and the volume that is at least as bright
_BLOOD_FWHM_MM, _BLOOD_ML = 8.0, 1.0


def scan_faults(problem: Problem, use: Use | None = None, going_on: Callable[[], None] = lambda: None) -> Applicability:
    """Check a scan; all frames up to the last one used are looked at.

    :param use: what the method makes of the scan, for the words; by default Ki of the problem's frames.
    :param going_on: called now and then; may raise to stop.
    :returns: sentences that say what is wrong, numbers (by :data:`NAMES`; None where a scan is too short or too
        small to tell), and where movement spoils the maps.
    :raises InputError: a file cannot be read.
    """
    series, curve = problem.series, problem.input_function
    use = Use(float(series.timing.start_s[problem.frames[0]])) if use is None else use
    frames = np.arange(int(problem.frames[-1]) + 1)
    frames = frames[series.timing.end_s[frames] <= curve.end_s + 1.0]
    timing = series.timing.select(frames)
    found = dict.fromkeys(NAMES, Finding())
    coarse = coarse_frames(series, frames, problem.mask, PATCH_MM, going_on)
    if coarse.inside.any():
        inside, spacing = coarse.inside, coarse.spacing_mm
        activity = coarse.means(inside)
        step = scale_step(activity, timing)
        if step is not None:
            found["scale_step"] = step_finding(*step, use)
        first_pass = _first_pass(coarse, curve, timing)
        if first_pass is not None:
            found["blood_share"] = blood_finding(_brightest(first_pass, coarse), use)
        found["shift_mm"] = _shift(problem, coarse, timing, activity, use)
        found["drift_mm"] = _drift(problem, coarse, timing, activity, use, found["shift_mm"].warning is not None)
        going_on()
        pool = None if first_pass is None or not use.keeps_tracer else blood_pool(first_pass, inside, spacing)
        if pool is not None:
            lambdas = (series.tracer.decay_per_s, series.frame_decay_per_s)
            try:
                with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                    release = tracer_release(coarse.means(pool), activity, curve, timing, lambdas)
            except np.linalg.LinAlgError:
                # noise of very few counts can bend smooth blood beyond any curve
                release = None
            if release is not None:
                others = any(one.warning is not None for one in found.values())
                found["release"] = release_finding(release, float(timing.end_s[-1]) / 60.0, others)
    where = [one.distrust for one in found.values() if one.distrust is not None]
    return Applicability(
        tuple(one.warning for one in found.values() if one.warning is not None),
        {name: one.number for name, one in found.items()},
        np.logical_or.reduce(where) if where else None,
    )


def with_scan_faults(found: Applicability | None, faults: Applicability) -> Applicability:
    """A method's own check and that of the scan as one; the scan's faults are said first."""
    if found is None:
        return replace(faults, record={"checked": False, "scan": faults.record})
    where = [m for m in (found.distrust, faults.distrust) if m is not None]
    both = None if not where else np.logical_or.reduce(where)
    return Applicability((*faults.warnings, *found.warnings), {**found.record, "scan": faults.record}, both)


def scale_step(activity: Float64, timing: FrameTiming) -> tuple[float, float] | None:
    """The largest jump of the body's mean activity, which uptake and clearance change smoothly.

    The logarithm over log time is a cubic and a step; the time of the step is where it explains most.

    :param activity: mean of the body in every frame, (frames,), kBq/mL.
    :returns: log of the factor, and the start (s) of the first frame after it; None for too few frames.
    """
    use = np.flatnonzero((timing.mid_s >= _SMOOTH_FROM_S) & (activity > 0))
    if use.size < _FEWEST_SMOOTH:
        return None
    x, y = np.log(timing.mid_s[use] / 600.0), np.log(activity[use])
    most, found = -1.0, (0.0, 0.0)
    for first in range(2, use.size - 1):
        design = np.column_stack([np.vander(x, 4), np.arange(use.size) >= first])
        inverse = np.linalg.pinv(design.T @ design)
        step = float((inverse @ design.T @ y)[-1])
        explains = step**2 / max(float(inverse[-1, -1]), 1e-12)
        if explains > most:
            most, found = explains, (step, float(timing.start_s[use[first]]))
    return found


def _first_pass(coarse: CoarseFrames, curve: InputFunction, timing: FrameTiming) -> Float32 | None:
    """The integral of the first pass over that of the blood curve, (slices, rows, columns) of blocks.

    The integral is the same wherever the bolus passes undivided, early in the right heart or late in the aorta;
    tissue that fills within the minute holds less, even the liver.
    """
    use = np.flatnonzero((timing.start_s <= curve.peak[0] + _PASSED_S) & (timing.end_s > 0))
    if not use.size or timing.end_s[use[-1]] < curve.peak[0] + _PASSED_S:
        return None
    some = timing.select(use)
    integral = float(curve.whole_blood_frame_mean(some) @ some.duration_s)
    if not integral > 0:
        return None
    row = np.zeros((1, len(timing)))
    row[0, use] = some.duration_s / integral
    return np.asarray(coarse.sums(row)[0])


def _brightest(share: Float32, coarse: CoarseFrames) -> float:
    seen = smoothed(share, _BLOOD_FWHM_MM, coarse.spacing_mm)[coarse.inside]
    at = seen.size - min(seen.size, max(1, round(_BLOOD_ML * 1000.0 / float(np.prod(coarse.spacing_mm)))))
    return float(np.partition(seen, at)[at])


def _shift(problem: Problem, coarse: CoarseFrames, timing: FrameTiming, activity: Float64, use: Use) -> Finding:
    """Of a step between late frames; where it is over before the method's first frame, of one among its frames, too."""
    late = timing.window(_LATE_MIN)
    found = _step(problem, coarse, timing, activity, late)
    if found.warning is None or not found.number["from_s"] < use.from_s - TOLERANCE_S:
        return found
    fitted = np.flatnonzero(timing.start_s >= use.from_s - TOLERANCE_S)
    among = _step(problem, coarse, timing, activity, fitted)
    if among.number is None:
        # too few of them to tell whether they agree
        return found
    if among.warning is not None:
        return replace(among, number=found.number)
    return Finding(found.number, moved_before(found.number, use))


def _step(
    problem: Problem, coarse: CoarseFrames, timing: FrameTiming, activity: Float64, some: NDArray[np.intp]
) -> Finding:
    """Of a step between some frames."""
    fit = _fit(problem, timing.select(some), activity[some]) if some.size >= _FEWEST else None
    if fit is None:
        return Finding()
    steps = _steps(some.size)
    rows = np.zeros((3 + len(steps), len(timing)))
    rows[:, some] = shift_rows(fit, steps)
    shift = frame_shift(coarse.sums(rows), coarse.inside, coarse.spacing_mm, steps)
    if shift is None:
        return Finding()
    place = Place(coarse, problem.series.geometry.shape, float(rows[0] @ activity), problem.mask)
    return shift_finding(shift, float(timing.start_s[some[shift.frame]]), place)


def _drift(
    problem: Problem, coarse: CoarseFrames, timing: FrameTiming, activity: Float64, use: Use, said: bool
) -> Finding:
    rows = drift_rows(timing)
    if rows is None:
        return Finding()
    drift = slow_drift(coarse.sums(rows), coarse.inside, coarse.spacing_mm)
    if drift is None:
        return Finding()
    place = Place(coarse, problem.series.geometry.shape, float(rows[-1] @ activity), problem.mask)
    return drift_finding(drift, float(timing.start_s[np.flatnonzero(rows[-1])[0]]), place, use, said)


def _fit(problem: Problem, timing: FrameTiming, activity: Float64) -> LinearFit | None:
    series = problem.series
    variances = frame_variances(timing, activity, series.tracer.decay_per_s)
    try:
        design = patlak_design(problem.input_function, timing, series.frame_decay_per_s)
        return weighted_fit(design, 1.0 / variances)
    except InputError:
        # the method itself says what is wrong with the frames
        return None


def _steps(frames: int) -> list[int]:
    return sorted({int(n) for n in np.linspace(1, frames - 1, min(_MOST_STEPS, frames - 1)).round()})
