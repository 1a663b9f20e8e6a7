"""Faults of a scan that leave every number of it in its usual range, seen in the images themselves.

A learned method cannot see them in its own residuals: movement between frames or throughout, frames on another scale,
a blood curve that is not the image's blood, and a tracer that tissue does not keep. Nothing here depends on a method
or its weights; the bounds were set on simulated patients (docs/experiments.md).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.applicability import Applicability
from petkinetics.estimators.coarse_frames import coarse_sums
from petkinetics.estimators.estimator import Problem
from petkinetics.estimators.frame_shift import frame_shift, shift_rows
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.estimators.noise import body_sample, frame_variances
from petkinetics.estimators.scan_findings import (
    Finding,
    Place,
    blood_finding,
    drift_finding,
    release_finding,
    shift_finding,
    step_finding,
)
from petkinetics.estimators.slow_drift import drift_rows, slow_drift
from petkinetics.estimators.tracer_release import release_rows, tracer_release
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import LinearFit, patlak_design, weighted_fit

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: the late frames, whose Patlak plot is straight; fewest of them, and most times that are tried for a step
_LATE_MIN, _FEWEST, _MOST_STEPS = 9.0, 5, 8
#: the body's mean curve is smooth from here on; fewest frames to tell
_SMOOTH_FROM_S, _FEWEST_SMOOTH = 240.0, 8
#: frames that begin up to so long after the blood curve's peak hold the first pass
_PASSED_S = 30.0
#: smoothing before the brightest blood is looked for, and the volume that is at least as bright
_BLOOD_FWHM_MM, _BLOOD_ML = 8.0, 1.0


def scan_faults(problem: Problem) -> Applicability:
    """Check a scan; all frames up to the last one used are looked at.

    :returns: sentences that say what is wrong, numbers ("scale_step", "blood_share", "shift_mm", "drift_mm",
        "release"; None where a scan is too short or too small to tell), and where movement spoils the maps.
    """
    series, curve = problem.series, problem.input_function
    frames = np.arange(int(problem.frames[-1]) + 1)
    frames = frames[series.timing.end_s[frames] <= curve.end_s + 1.0]
    timing = series.timing.select(frames)
    activity = body_sample(series, frames.tolist(), problem.mask).mean(axis=1, dtype=np.float64)
    late = timing.window(_LATE_MIN)
    fit = _late_fit(problem, timing, activity, late)
    steps = [] if fit is None else _steps(late.size)
    wanted = {
        "blood": _blood_row(curve, timing),
        "late": None if fit is None else _late_rows(fit, steps, late, len(timing)),
        "drift": drift_rows(timing),
        "release": release_rows(timing),
    }
    rows = {name: some for name, some in wanted.items() if some is not None}
    found = dict.fromkeys(("scale_step", "blood_share", "shift_mm", "drift_mm", "release"), Finding())
    step = scale_step(activity, timing)
    if step is not None:
        found["scale_step"] = step_finding(*step)
    if rows:
        sums = coarse_sums(series, frames, np.concatenate(list(rows.values())), problem.mask)
        images = dict(zip(rows, np.split(sums.values, np.cumsum([len(r) for r in rows.values()])[:-1]), strict=True))
        inside, spacing = sums.inside, sums.spacing_mm
        if "blood" in images and inside.any():
            found["blood_share"] = blood_finding(_brightest(images["blood"][0], inside, spacing))
        shift = frame_shift(images["late"], inside, spacing, steps) if "late" in images else None
        if shift is not None:
            place = Place(sums, series.geometry.shape, float(images["late"][0][inside].mean()), problem.mask)
            found["shift_mm"] = shift_finding(shift, float(timing.start_s[late[shift.frame]]), place)
        drift = slow_drift(images["drift"], inside, spacing) if "drift" in images else None
        if drift is not None:
            place = Place(sums, series.geometry.shape, float(images["drift"][-1][inside].mean()), problem.mask)
            from_s = float(timing.start_s[np.flatnonzero(rows["drift"][-1])[0]])
            found["drift_mm"] = drift_finding(drift, from_s, place, found["shift_mm"].warning is not None)
        if "blood" in images and "release" in images:
            lambdas = (series.tracer.decay_per_s, series.frame_decay_per_s)
            release = tracer_release(images["blood"][0], images["release"], inside, spacing, curve, timing, lambdas)
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


def _blood_row(curve: InputFunction, timing: FrameTiming) -> Float64 | None:
    """Row that gives the integral of the first pass over that of the blood curve.

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
    row = np.zeros(len(timing))
    row[use] = some.duration_s / integral
    return row[None]


def _late_fit(problem: Problem, timing: FrameTiming, activity: Float64, late: NDArray[np.intp]) -> LinearFit | None:
    if late.size < _FEWEST:
        return None
    some = timing.select(late)
    series = problem.series
    variances = frame_variances(some, activity[late], series.tracer.decay_per_s)
    try:
        design = patlak_design(problem.input_function, some, series.frame_decay_per_s)
        return weighted_fit(design, 1.0 / variances)
    except InputError:
        # the method itself says what is wrong with the frames
        return None


def _late_rows(fit: LinearFit, steps: list[int], late: NDArray[np.intp], frames: int) -> Float64:
    rows = np.zeros((3 + len(steps), frames))
    rows[:, late] = shift_rows(fit, steps)
    return rows


def _steps(late: int) -> list[int]:
    return sorted({int(n) for n in np.linspace(1, late - 1, min(_MOST_STEPS, late - 1)).round()})


def _brightest(share: Float32, inside: Mask, spacing_mm: tuple[float, float, float]) -> float:
    from scipy.ndimage import gaussian_filter

    sd = sd_in_voxels(_BLOOD_FWHM_MM, spacing_mm)
    seen = np.sort(gaussian_filter(share, sd, mode="nearest", truncate=2.5)[inside])
    return float(seen[-min(seen.size, max(1, round(_BLOOD_ML * 1000.0 / float(np.prod(spacing_mm)))))])
