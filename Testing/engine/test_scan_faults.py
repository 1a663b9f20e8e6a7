"""Whether faults of a scan that no number of it shows are seen in its images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from petkinetics.estimators.applicability import Applicability
from petkinetics.estimators.coarse_frames import coarse_frames
from petkinetics.estimators.estimator import Problem
from petkinetics.estimators.scan_faults import scale_step, scan_faults, with_scan_faults
from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, VolumeGeometry
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of


@pytest.fixture(scope="module")
def patient() -> DigitalPatient:
    return simulate_patient("thorax", seed=90031, geometry=middle_slices("small", 10))


@pytest.fixture(scope="module")
def good(patient: DigitalPatient) -> Problem:
    return problem_of(patient, aorta_input(patient, 35.0), 0.0, 35.0)


def with_frames(given: Problem, change: np.ndarray | None = None, from_s: float = 0.0, rows: int = 0) -> Problem:
    """The frames from a time on shifted by some rows, and multiplied."""
    series = given.series
    values = series.read(list(range(len(series.timing))), 0, series.geometry.shape[0]).copy()
    after = series.timing.start_s >= from_s
    values[after] = np.roll(values[after], rows, axis=2)
    values *= 1.0 if change is None else change.astype(np.float32)[:, None, None, None]
    return replace(given, series=replace(series, voxels=ArrayVoxels(values)))


def test_a_good_scan_is_not_doubted(good: Problem) -> None:
    found = scan_faults(good)
    assert found.warnings == ()
    assert found.distrust is None
    assert found.record["blood_share"] == pytest.approx(1.0, abs=0.2)
    assert abs(found.record["scale_step"]["log"]) < 0.06
    assert found.record["shift_mm"]["length"] < 1.5


def test_a_patient_who_moved_is_seen_with_time_and_direction_and_the_borders_are_marked(good: Problem) -> None:
    step_mm = good.series.geometry.spacing_mm[1]
    found = scan_faults(with_frames(good, from_s=900.0, rows=round(9.0 / step_mm)))
    (said,) = found.warnings
    assert said.startswith("The frames from 15 min on seem to be shifted against those before, by at least ")
    shift = found.record["shift_mm"]
    assert shift["from_s"] == 900.0
    along, across = abs(shift["slice_row_column"][1]), abs(shift["slice_row_column"][2])
    assert 4.0 < along < 12.0 and across < 0.3 * along
    assert found.distrust is not None and good.mask is not None
    assert 0.02 < found.distrust.sum() / good.mask.sum() < 0.6
    assert not found.distrust[~good.mask].any()


def test_the_blood_of_the_image_tells_a_region_that_is_half_tissue(good: Problem) -> None:
    curve = good.input_function
    tissue = 0.3 * curve.whole_blood_kbq_per_ml[-1]
    half = replace(
        curve,
        whole_blood_kbq_per_ml=0.5 * curve.whole_blood_kbq_per_ml + 0.5 * tissue,
        plasma_kbq_per_ml=0.5 * curve.plasma_kbq_per_ml + 0.5 * tissue,
    )
    found = scan_faults(replace(good, input_function=half))
    (said,) = found.warnings
    assert "The blood curve is lower than the blood in the image" in said
    assert found.record["blood_share"] > 1.6


def test_frames_on_another_scale_are_seen_whatever_the_curve(good: Problem) -> None:
    change = np.where(good.series.timing.start_s < 540.0, 1.25, 1.0)
    scaled = with_frames(good, change)
    node = np.where(good.input_function.time_s < 540.0, 1.25, 1.0)
    curve = replace(
        good.input_function,
        whole_blood_kbq_per_ml=node * good.input_function.whole_blood_kbq_per_ml,
        plasma_kbq_per_ml=node * good.input_function.plasma_kbq_per_ml,
    )
    found = scan_faults(replace(scaled, input_function=curve))
    (said,) = found.warnings
    assert said.startswith("The frames before and after 9 min seem to be on different scales")
    assert found.record["scale_step"]["log"] == pytest.approx(-np.log(1.25), abs=0.05)


def test_a_method_of_late_frames_alone_is_told_the_same(good: Problem) -> None:
    late = replace(good, frames=good.frames[good.series.timing.start_s[good.frames] >= 540.0])
    assert scan_faults(late).record == scan_faults(good).record


def test_a_short_scan_is_checked_for_what_it_shows(good: Problem) -> None:
    short = replace(good, frames=good.series.timing.until(8.0))
    found = scan_faults(short)
    assert found.record["shift_mm"] is None and found.record["scale_step"] is None
    assert found.record["blood_share"] == pytest.approx(1.0, abs=0.2)
    early = replace(good, frames=good.series.timing.until(1.0))
    nothing = dict.fromkeys(("scale_step", "blood_share", "shift_mm", "drift_mm", "release"))
    assert scan_faults(early).record == nothing


def test_smooth_curves_have_no_step() -> None:
    timing = FrameTiming.parse("liang2023")
    activity = 3.0 + 5.0 * np.exp(-timing.mid_s / 400.0) + timing.mid_s / 3000.0
    found = scale_step(activity, timing)
    assert found is not None and abs(found[0]) < 0.05
    jumped = scale_step(activity * np.where(timing.start_s >= 1200.0, 0.8, 1.0), timing)
    assert jumped is not None
    assert jumped[0] == pytest.approx(np.log(0.8), abs=0.05) and jumped[1] == 1200.0


def test_blocks_are_means_of_voxels_and_go_back_to_them(good: Problem) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((3, 5, 7, 9), np.float32)
    geometry = VolumeGeometry((5, 7, 9), (2.0, 3.0, 3.0))
    series = replace(
        good.series, timing=FrameTiming([0.0, 60.0, 120.0], [60.0] * 3), geometry=geometry, voxels=ArrayVoxels(values)
    )
    assert isinstance(series, DynamicSeries)
    mask = np.zeros((5, 7, 9), bool)
    mask[2:4, 2:4, 3:6] = True
    coarse = coarse_frames(series, np.array([0, 2]), mask)
    assert coarse.block == (2, 2, 3) and coarse.spacing_mm == (6.0, 6.0, 6.0)
    sums = coarse.sums(np.array([[1.0, 0.0], [1.0, -2.0]]))
    assert sums.shape == (2, 2, 3, 3)
    # of two slices of 3 mm the second is read
    expected = (values[0] - 2.0 * values[2])[3, 4:6, 6:9].mean()
    assert sums[1, 1, 2, 2] == pytest.approx(expected, rel=1e-5)
    assert coarse.means(coarse.inside) == pytest.approx([values[0][3, 2:4, 3:6].mean(), values[2][3, 2:4, 3:6].mean()])
    back = coarse.on_voxels(coarse.inside, (5, 7, 9))
    assert np.array_equal(np.argwhere(back)[[0, -1]], [[2, 2, 3], [4, 3, 5]])


def test_both_checks_become_one() -> None:
    a, b = np.zeros((1, 2, 2), bool), np.zeros((1, 2, 2), bool)
    a[0, 0, 0], b[0, 1, 1] = True, True
    of_method = Applicability(("unusual",), {"checked": True, "distance": 2.0}, a)
    of_scan = Applicability(("moved",), {"shift_mm": None}, b)
    both = with_scan_faults(of_method, of_scan)
    assert both.warnings == ("moved", "unusual")
    assert both.record == {"checked": True, "distance": 2.0, "scan": {"shift_mm": None}}
    assert both.distrust is not None and both.distrust.sum() == 2
    alone = with_scan_faults(None, of_scan)
    assert alone.record == {"checked": False, "scan": {"shift_mm": None}} and alone.warnings == ("moved",)
