"""Blood curves continued beyond the end of a short scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.input_function.from_frames import continuous_curve
from petkinetics.input_function.idif import image_derived_input
from petkinetics.input_function.tail import extrapolated, fitted_tail
from petkinetics.read.regions import RegionWeights
from petkinetics.series import ArrayVoxels, DynamicSeries, VolumeGeometry
from petkinetics.simulate.blood import BloodParameters, feng, input_function
from petkinetics.simulate.patient import FDG

#: the median of the population
MEDIAN = BloodParameters((298.0, 16.4, 9.3, 3.58, 0.443, 0.0151), 15.0, 10.0, 1.12)


def true_curve() -> InputFunction:
    return input_function(MEDIAN, 4500.0)


def exponential(rate: float, end_s: float = 2100.0) -> InputFunction:
    time = np.append(np.arange(0.0, 60.0, 2.0), np.arange(60.0, end_s + 1.0, 30.0))
    plasma = 20.0 * np.exp(-rate * time / 60.0)
    return InputFunction(time, plasma, 0.9 * plasma, source="made up")


def noisy(seed: int, noise: float, until_min: float = 35.0) -> InputFunction:
    timing = FrameTiming.parse("liang2023")
    timing = timing.select(timing.until(until_min))
    means = true_curve().plasma_frame_mean(timing)
    means = means * (1 + noise * np.random.default_rng(seed).standard_normal(means.size))
    time, value, _ = continuous_curve(TimeActivityCurve(timing, means))
    return InputFunction(time, value, value)


def error_percent(curve: InputFunction, minutes: float) -> float:
    return float(100 * (curve.plasma_at(60 * minutes) / true_curve().plasma_at(60 * minutes) - 1))


def test_a_curve_that_reaches_far_enough_stays_itself() -> None:
    curve = true_curve()
    assert extrapolated(curve, 3900.0) is curve
    assert extrapolated(curve, curve.end_s + 0.5) is curve


def test_the_measured_part_is_kept_and_the_rest_says_where_it_begins() -> None:
    curve = true_curve().until(2100.0)
    longer = extrapolated(curve, 3900.0)
    n = curve.time_s.size
    assert longer.end_s == 3900.0
    np.testing.assert_array_equal(longer.time_s[:n], curve.time_s)
    np.testing.assert_array_equal(longer.plasma_kbq_per_ml[:n], curve.plasma_kbq_per_ml)
    assert longer.source == "extrapolated from 35.0 min"
    assert extrapolated(exponential(0.015), 3900.0).source == "made up; extrapolated from 35.0 min"
    assert longer.warnings == ()
    # whole blood goes on at the ratio of the end
    np.testing.assert_allclose(longer.whole_blood_kbq_per_ml[n:] * 1.12, longer.plasma_kbq_per_ml[n:], rtol=1e-12)


def test_a_noise_free_curve_goes_on_as_it_does() -> None:
    longer = extrapolated(true_curve().until(2100.0), 4500.0)
    for minutes, bound in ((36, 0.2), (50, 0.5), (65, 1.0), (75, 1.5)):
        assert abs(error_percent(longer, minutes)) < bound


@pytest.mark.parametrize("rate", [0.006, 0.0151, 0.03, 0.05])
def test_one_exponential_goes_on_exactly(rate: float) -> None:
    longer = extrapolated(exponential(rate), 3900.0)
    after = longer.time_s > 2100.0
    expected = 20.0 * np.exp(-rate * longer.time_s[after] / 60.0)
    np.testing.assert_allclose(longer.plasma_kbq_per_ml[after], expected, rtol=3e-4)


def test_the_tail_joins_without_a_step_whatever_the_last_node() -> None:
    curve = true_curve().until(2100.0)
    for factor in (0.6, 1.0, 1.4):
        changed = curve.plasma_kbq_per_ml.copy()
        changed[-1] *= factor
        longer = extrapolated(replace(curve, plasma_kbq_per_ml=changed), 3900.0)
        steps = np.abs(np.diff(longer.plasma_kbq_per_ml[curve.time_s.size - 1 :]))
        # one last node of 40 % too much or too little is gone ten minutes later, in small steps
        assert steps.max() < 0.1 * curve.plasma_kbq_per_ml[-1]
        assert abs(error_percent(longer, 45)) < 3.0


def test_noise_in_the_frames_costs_little_and_the_population_holds_the_slope() -> None:
    at_65 = np.array([error_percent(extrapolated(noisy(seed, 0.03), 3900.0), 65) for seed in range(30)])
    # a line through the logs of the last four frames would scatter by 13 %
    assert np.sqrt(np.mean(at_65**2)) < 8.0
    assert abs(at_65.mean()) < 4.0


@pytest.mark.parametrize("last", [1.25, 0.75])
def test_a_noisy_last_frame_takes_the_slope_along_less_than_a_line_through_logs(last: float) -> None:
    timing = FrameTiming.parse("liang2023")
    timing = timing.select(timing.until(35.0))
    means = true_curve().plasma_frame_mean(timing)
    means[-1] *= last
    time, value, _ = continuous_curve(TimeActivityCurve(timing, means))
    longer = extrapolated(InputFunction(time, value, value), 3900.0)
    line = np.exp(np.polyval(np.polyfit(timing.mid_s[-4:] / 60, np.log(means[-4:]), 1), 65.0))
    of_line = 100 * (line / true_curve().plasma_at(3900.0) - 1)
    assert abs(error_percent(longer, 65)) < 0.5 * abs(of_line)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.05])
def test_a_curve_that_rises_or_is_flat_at_its_end_falls_as_others_do_and_says_so(slope: float) -> None:
    curve = exponential(-slope)
    longer = extrapolated(curve, 3900.0)
    after = longer.plasma_kbq_per_ml[longer.time_s >= 2100.0]
    assert (np.diff(after[30:]) < 0).all()
    assert after.min() > 0 and after.max() < 1.3 * curve.plasma_kbq_per_ml.max()
    assert "does not fall at its end (35.0 min)" in longer.warnings[-1]


def test_zeros_and_a_last_node_of_zero_are_not_taken_for_blood() -> None:
    curve = true_curve().until(2100.0)
    changed = curve.plasma_kbq_per_ml.copy()
    changed[-1] = 0.0
    longer = extrapolated(replace(curve, plasma_kbq_per_ml=changed), 3900.0)
    assert (longer.plasma_kbq_per_ml >= 0).all()
    assert abs(error_percent(longer, 65)) < 3.0
    assert np.isfinite(longer.whole_blood_kbq_per_ml).all()


def test_other_lengths_of_scan_are_continued_too() -> None:
    for end_min, bound in ((12.0, 12.0), (20.0, 4.0), (60.0, 1.0)):
        assert abs(error_percent(extrapolated(true_curve().until(60 * end_min), 4500.0), 65)) < bound


def test_what_cannot_be_continued_is_refused() -> None:
    with pytest.raises(InputError, match=r"ends at 8.0 min; to continue it, it must reach at least 10 min"):
        extrapolated(true_curve().until(480.0), 3900.0)
    with pytest.raises(InputError, match="cannot be continued to nan s"):
        extrapolated(true_curve().until(2100.0), float("nan"))
    gone = exponential(0.02)
    plasma = np.where(gone.time_s < 300, gone.plasma_kbq_per_ml, 0.0)
    with pytest.raises(InputError, match="0 node"):
        extrapolated(replace(gone, plasma_kbq_per_ml=plasma), 3900.0)


def test_nothing_after_the_end_is_used() -> None:
    timing = FrameTiming.parse("liang2023")
    blood = true_curve().plasma_frame_mean(timing, FDG.decay_per_s)
    frames = np.broadcast_to(blood[:, None, None, None], (28, 2, 3, 4)).astype(np.float32)
    geometry = VolumeGeometry((2, 3, 4), (4.0, 4.0, 4.0))
    region = RegionWeights("aorta", 1, geometry, np.arange(24), np.ones(24, np.float32))
    used = timing.until(35.0).tolist()
    found = []
    for later in (1.0, np.nan):
        values = frames.copy()
        values[len(used) :] *= later
        series = DynamicSeries(timing, geometry, FDG, ArrayVoxels(values), decay_weighted=True)
        found.append(extrapolated(image_derived_input(series, region, used).function, 3900.0))
    np.testing.assert_array_equal(found[0].plasma_kbq_per_ml, found[1].plasma_kbq_per_ml)
    assert found[0].end_s == 3900.0
    assert "extrapolated from 35.0 min" in found[0].source


def test_the_fit_finds_the_exponentials_that_made_the_curve() -> None:
    time = np.arange(0.0, 2101.0, 30.0)
    plasma = feng((298.0, 16.4, 9.3, 3.58, 0.443, 0.0151), time / 60.0)
    tail = fitted_tail(InputFunction(time, np.maximum(plasma, 0), np.maximum(plasma, 0)))
    assert tail.rate == pytest.approx(0.0151, rel=0.01)
    assert tail.share == pytest.approx(16.4 / 9.3, rel=0.05)
    assert tail.noise < 0.003
