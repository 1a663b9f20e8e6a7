"""Whether a patient who slides slowly is seen, and one who lies still is not."""

from __future__ import annotations

import numpy as np
import pytest

from petkinetics.estimators.estimator import Problem, no_progress
from petkinetics.estimators.scan_faults import scan_faults
from petkinetics.estimators.slow_drift import drift_rows, slow_drift
from petkinetics.frames import FrameTiming
from petkinetics.simulate.movement import Movement
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of
from petkinetics.studies.worlds import World


def scan(world: str, seed: int = 90041, until_min: float = 35.0) -> Problem:
    patient = World.parse(world).patient("thorax", "small", seed, 1.0, middle_slices("small", 10), no_progress)
    return problem_of(patient, aorta_input(patient, until_min), 0.0, until_min)


def test_a_patient_who_slides_by_8_mm_in_65_min_is_seen_at_35_min_with_the_direction() -> None:
    problem = scan("drift=8")
    found = scan_faults(problem)
    (said,) = found.warnings
    assert said.startswith("From 20 min on the body lies at least ")
    assert "slid slowly" in said and "align the frames" in said
    drift = found.record["drift_mm"]
    assert drift["from_s"] == 1200.0 and drift["errors"] > 6.0
    last = int(problem.frames[-1])
    truth = Movement(8.0, drift=True).offsets(90041, problem.series.timing)[last][::-1]
    seen = np.array(drift["slice_row_column"])
    assert seen @ truth > 0.9 * np.linalg.norm(seen) * np.linalg.norm(truth)
    # early frames have moved a little already, and smoothing takes some: told too short, never too long
    assert 0.4 * np.linalg.norm(truth) < drift["length"] < np.linalg.norm(truth)
    assert found.distrust is not None and problem.mask is not None
    assert 0.0 < found.distrust.sum() / problem.mask.sum() < 0.5
    assert not found.distrust[~problem.mask].any()


@pytest.mark.parametrize("world", ["usual", "frames=65x60+dose=0.5", "dose=0.15", "noise-fwhm=7", "clearance=0.5"])
def test_a_patient_who_lies_still_is_not_doubted(world: str) -> None:
    found = scan_faults(scan(world))
    assert found.warnings == () and found.distrust is None
    assert found.record["drift_mm"]["length"] < 0.8


def test_a_tracer_that_is_released_is_not_taken_for_movement() -> None:
    assert scan_faults(scan("tracer=reversible")).record["drift_mm"]["length"] < 0.8


def test_a_step_that_is_told_is_not_told_twice() -> None:
    found = scan_faults(scan("move=12", seed=90043))
    (said,) = found.warnings
    assert "seem to be shifted" in said
    assert found.record["drift_mm"]["length"] > 0.8


def test_without_late_or_without_early_frames_nothing_is_said() -> None:
    timing = FrameTiming.parse("liang2023")
    rows = drift_rows(timing)
    assert rows is not None
    assert np.allclose(rows.sum(axis=1), 1.0)
    early, late = timing.mid_s[rows[:3].any(axis=0)], timing.mid_s[rows[3] > 0]
    assert early.max() < 720.0 and late.min() > 3000.0
    assert drift_rows(timing.select(timing.until(13.0))) is None
    assert drift_rows(timing.select(timing.window(15.0))) is None


def test_a_body_of_one_tone_or_too_small_tells_nothing() -> None:
    flat, inside = np.ones((4, 8, 40, 40), np.float32), np.ones((8, 40, 40), bool)
    assert slow_drift(flat, inside, (6.0, 6.0, 6.0)) is None
    noise = np.random.default_rng(0).random((4, 8, 12, 12), np.float32)
    assert slow_drift(noise, np.ones((8, 12, 12), bool), (6.0, 6.0, 6.0)) is None
