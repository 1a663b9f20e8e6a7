"""Faults of a scan that leave every number of it in its usual range, seen in the images themselves.

A learned method cannot see them in its own residuals: movement between frames, frames on another scale, and a blood
curve that is not the image's blood. Nothing here depends on a method or its weights; the bounds were set on
simulated patients (docs/experiments.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.applicability import Applicability
from petkinetics.estimators.coarse_frames import coarse_sums, on_voxels
from petkinetics.estimators.estimator import Problem
from petkinetics.estimators.frame_shift import frame_shift, shift_rows
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.estimators.noise import body_sample, frame_variances
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import LinearFit, patlak_design, weighted_fit

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: bounds of good scans
SHIFT_MM, STEP, BLOOD = 2.0, 0.10, 1.25
#: a shift counts when it explains this share of the step that it is read from: noise looks like a shift, too
EXPLAINED = 0.03
#: a map is not to be trusted where the shift changes activity by more than this share of the body's mean
_CHANGED = 0.2
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

    :returns: sentences that say what is wrong, numbers ("shift_mm", "scale_step", "blood_share"; None where a scan
        is too short to tell), and where movement spoils the maps.
    """
    series, curve = problem.series, problem.input_function
    frames = np.arange(int(problem.frames[-1]) + 1)
    frames = frames[series.timing.end_s[frames] <= curve.end_s + 1.0]
    timing = series.timing.select(frames)
    activity = body_sample(series, frames.tolist(), problem.mask).mean(axis=1, dtype=np.float64)
    blood_row = _blood_row(curve, timing)
    late = timing.window(_LATE_MIN)
    fit = _late_fit(problem, timing, activity, late)
    steps = [] if fit is None else _steps(late.size)
    rows = [] if blood_row is None else [blood_row]
    if fit is not None:
        of_late = np.zeros((3 + len(steps), len(timing)))
        of_late[:, late] = shift_rows(fit, steps)
        rows += list(of_late)
    step = scale_step(activity, timing)
    record: dict[str, Any] = {"scale_step": None, "shift_mm": None, "blood_share": None}
    warnings, distrust = [], None
    if step is not None:
        record["scale_step"] = {"log": round(step[0], 4), "start_s": step[1]}
        if abs(step[0]) > STEP:
            warnings.append(
                f"The frames before and after {step[1] / 60:.3g} min seem to be on different scales: the whole body's "
                f"activity jumps by {100 * np.expm1(step[0]):+.0f} %. Decay or dead-time correction, or the frame "
                "times of the series may be wrong; Ki is wrong then, too."
            )
    if not rows:
        return Applicability(tuple(warnings), record)
    sums = coarse_sums(series, frames, np.array(rows), problem.mask)
    if blood_row is not None and sums.inside.any():
        share = _brightest(sums.values[0], sums.inside, sums.spacing_mm)
        record["blood_share"] = round(share, 3)
        if share > BLOOD:
            warnings.append(
                f"The blood curve is lower than the blood in the image, which is up to {share:.1f} times as high: the "
                "region may reach into tissue, or the curve's unit or time is not the image's. Ki is too high then."
            )
    if fit is not None:
        shift = frame_shift(sums.values[-3 - len(steps) :], sums.inside, sums.spacing_mm, steps)
        if shift is not None:
            record["shift_mm"] = {
                "length": round(shift.distance_mm, 2),
                "slice_row_column": [round(float(d), 2) for d in shift.mm],
                "from_s": float(timing.start_s[late[shift.frame]]),
                "explained": round(shift.explained, 3),
            }
            if shift.distance_mm > SHIFT_MM and shift.explained > EXPLAINED:
                mean = float(sums.values[-3 - len(steps)][sums.inside].mean())
                changed = on_voxels(shift.change > _CHANGED * mean, sums.block, series.geometry.shape)
                distrust = changed if problem.mask is None else changed & problem.mask
                warnings.append(
                    f"The frames from {timing.start_s[late[shift.frame]] / 60:.3g} min on seem to be shifted against "
                    f"those before, by at least {shift.distance_mm:.0f} mm: the patient seems to have moved. Maps are "
                    f"wrong at the borders of organs ({_percent(distrust, problem.mask):.0f} % of the body, marked in "
                    "the map of distrust)."
                )
    return Applicability(tuple(warnings), record, distrust)


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
    return row


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


def _steps(late: int) -> list[int]:
    return sorted({int(n) for n in np.linspace(1, late - 1, min(_MOST_STEPS, late - 1)).round()})


def _brightest(share: Float32, inside: Mask, spacing_mm: tuple[float, float, float]) -> float:
    from scipy.ndimage import gaussian_filter

    sd = sd_in_voxels(_BLOOD_FWHM_MM, spacing_mm)
    seen = np.sort(gaussian_filter(share, sd, mode="nearest", truncate=2.5)[inside])
    return float(seen[-min(seen.size, max(1, round(_BLOOD_ML * 1000.0 / float(np.prod(spacing_mm)))))])


def _percent(where: Mask, mask: Mask | None) -> float:
    return 100.0 * float(where.sum()) / float(where.size if mask is None else max(int(mask.sum()), 1))
