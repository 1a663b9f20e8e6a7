"""Whether a tracer that tissue lets go of again is seen, and FDG is not taken for one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from petkinetics.estimators.estimator import Problem, no_progress
from petkinetics.estimators.scan_faults import scan_faults
from petkinetics.estimators.scan_findings import release_finding
from petkinetics.estimators.tracer_release import Release, blood_pool, release_rows, tracer_release
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.convolution import plasma_response
from petkinetics.series import ArrayVoxels
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of
from petkinetics.studies.worlds import World


def scan(world: str, until_min: float = 35.0) -> Problem:
    patient = World.parse(world).patient("thorax", "small", 90041, 1.0, middle_slices("small", 10), no_progress)
    return problem_of(patient, aorta_input(patient, until_min), 0.0, until_min)


@pytest.mark.parametrize("until_min", [35.0, 65.0])
def test_a_tracer_that_is_released_is_seen(until_min: float) -> None:
    found = scan_faults(scan("tracer=reversible", until_min))
    (said,) = found.warnings
    assert said.startswith("The body's tissue seems to release the tracer again")
    assert "Ki has no meaning" in said
    assert 0.02 < found.record["release"]["per_min"] < 0.06
    assert found.record["release"]["error_per_min"] < 0.01


@pytest.mark.parametrize("world", ["usual", "dose=0.15", "bolus=30", "clearance=0.5", "noise-fwhm=7"])
def test_fdg_is_not_taken_for_such_a_tracer(world: str) -> None:
    found = scan_faults(scan(world))
    assert found.warnings == ()
    assert found.record["release"]["per_min"] < 0.0275


def test_fdg_is_not_taken_for_such_a_tracer_in_a_full_scan() -> None:
    found = scan_faults(scan("usual", 65.0))
    assert found.warnings == () and found.record["release"]["per_min"] < 0.0275 * np.sqrt(35.0 / 65.0)


def test_an_error_as_large_as_the_release_keeps_the_check_silent() -> None:
    assert release_finding(Release(0.035, 0.003), 35.0, said=False).warning is not None
    assert release_finding(Release(0.035, 0.010), 35.0, said=False).warning is None
    assert release_finding(Release(0.024, 0.001), 35.0, said=False).warning is None
    assert release_finding(Release(0.024, 0.001), 65.0, said=False).warning is not None
    # movement and a wrong blood curve bend the plot as well
    assert release_finding(Release(0.035, 0.003), 35.0, said=True).warning is None


def test_the_rate_of_exact_tissue_comes_back() -> None:
    """One tissue that keeps V0 Cp and releases what it took up at 0.01/min, without noise."""
    problem = scan("usual")
    curve = problem.input_function
    # a curve that is the smooth one exactly: its logarithm is a parabola over log time
    time = np.append(curve.time_s[curve.time_s < 240.0], np.geomspace(240.0, 2101.0, 60))
    late = 20.0 * np.exp(
        -0.5 * np.log(np.maximum(time, 240.0) / 600.0) - 0.1 * np.log(np.maximum(time, 240.0) / 600.0) ** 2
    )
    blood = np.where(time < 240.0, np.interp(time, curve.time_s, curve.whole_blood_kbq_per_ml), late)
    curve = replace(curve, time_s=time, whole_blood_kbq_per_ml=blood, plasma_kbq_per_ml=blood)
    timing = problem.series.timing.select(problem.frames)
    pool = np.zeros((12, 12, 12), bool)
    pool[3:6, 3:6, 3:6] = True
    first_pass = np.where(pool, 1.0, 0.2).astype(np.float32)
    seen = blood_pool(first_pass, np.ones_like(pool), (6.0, 6.0, 6.0))
    assert seen is not None and 0 < seen.sum() <= pool.sum() and not seen[~pool].any()
    # the brightest of a view without a vessel is tissue, whose curve says nothing of blood
    assert blood_pool(0.5 * first_pass, np.ones_like(pool), (6.0, 6.0, 6.0)) is None
    for rate in (0.0, 0.01):
        tissue = 0.02 * plasma_response(curve, timing, np.array([rate]))[0] + 0.4 * curve.plasma_frame_mean(timing)
        in_blood = curve.whole_blood_frame_mean(timing)
        body = pool.mean() * in_blood + (1.0 - pool.mean()) * tissue
        found = tracer_release(in_blood, body, curve, timing)
        assert found is not None
        assert found.per_min == pytest.approx(rate, abs=0.002)
        assert found.error_per_min < 0.001


def test_too_few_frames_or_no_blood_tell_nothing() -> None:
    timing = FrameTiming.parse("liang2023")
    assert release_rows(timing.select(timing.until(15.0))) is None
    rows = release_rows(timing)
    assert rows is not None and np.allclose(rows.sum(axis=1), 1.0)
    problem = scan("usual")
    series = problem.series
    empty = ArrayVoxels(np.zeros((len(series.timing), *series.geometry.shape), np.float32))
    assert scan_faults(replace(problem, series=replace(series, voxels=empty))).record["release"] is None


def test_a_blood_curve_that_noise_takes_to_zero_tells_nothing() -> None:
    problem = scan("usual")
    curve = problem.input_function
    kept = np.where(curve.time_s > 1800.0, 0.0, 1.0)
    ended = replace(
        curve,
        whole_blood_kbq_per_ml=kept * curve.whole_blood_kbq_per_ml,
        plasma_kbq_per_ml=kept * curve.plasma_kbq_per_ml,
    )
    assert scan_faults(replace(problem, input_function=ended)).record["release"] is None
