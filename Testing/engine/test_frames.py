"""Frame timing refuses the impossible, and the frames of a fit are those of docs/methods.md."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import LAMBDA, LIANG, starts_of

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.frames_used import frames_from, longest_linear_window
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import patlak_design, weighted_fit


def timing(start, duration) -> FrameTiming:  # type: ignore[no-untyped-def]
    return FrameTiming(np.asarray(start, float), np.asarray(duration, float))


# ------------------------------------------------------------------------------------ what may exist


@pytest.mark.parametrize(
    ("start", "duration"),
    [
        ([0.0, 60.0], [60.0]),
        ([0.0, np.nan], [60.0, 60.0]),
        ([0.0, 60.0], [60.0, np.inf]),
        ([0.0, 60.0], [60.0, 0.0]),
        ([0.0, 60.0], [60.0, -5.0]),
        ([60.0, 0.0], [60.0, 60.0]),
        ([0.0, 0.0], [60.0, 60.0]),
        ([0.0, 58.5], [60.0, 60.0]),
        ([[0.0, 60.0]], [[60.0, 60.0]]),
        ([], []),
    ],
    ids=["lengths", "nan", "inf", "zero", "negative", "order", "twice", "overlap 1.5 s", "two axes", "none"],
)
def test_impossible_timing_cannot_be_made(start, duration):
    with pytest.raises(InputError) as refused:
        timing(start, duration)
    assert refused.value.message.endswith(".")


def test_overlap_is_told_with_its_frames_and_seconds():
    with pytest.raises(InputError, match=r"2.*3|3.*2") as refused:
        timing([0.0, 60.0, 100.0], [60.0, 60.0, 60.0])
    assert "20" in refused.value.message


def test_overlap_of_a_second_is_rounding_of_the_header():
    assert len(timing([0.0, 59.1, 118.5], [60.0, 60.0, 60.0])) == 3


def test_frames_before_injection_and_gaps_are_kept():
    frames = timing([-30.0, 30.0, 200.0], [60.0, 60.0, 100.0])
    np.testing.assert_array_equal(frames.end_s, [30.0, 90.0, 300.0])
    np.testing.assert_array_equal(frames.mid_s, [0.0, 60.0, 250.0])
    assert frames.gaps() == [(90.0, 200.0)]


def test_a_gap_of_a_second_is_none():
    assert timing([0.0, 60.9], [60.0, 60.0]).gaps() == []


def test_frames_cannot_be_changed_from_outside():
    starts = np.array([0.0, 60.0])
    frames = timing(starts, [60.0, 60.0])
    starts[1] = 0.0
    assert frames.start_s[1] == 60.0
    with pytest.raises(ValueError, match="read-only"):
        frames.start_s[0] = 5.0


def test_liang2023_is_28_frames_and_65_minutes():
    frames = FrameTiming.parse("liang2023")
    np.testing.assert_array_equal(frames.duration_s, LIANG)
    np.testing.assert_array_equal(frames.start_s, starts_of(LIANG))
    assert frames.end_s[-1] == 65 * 60


def test_specification_is_read_with_spaces_and_fractions():
    np.testing.assert_allclose(FrameTiming.parse(" 2x10, 1x7.5 ").start_s, [0.0, 10.0, 20.0])


@pytest.mark.parametrize(
    "spec", ["", "6", "6x", "x10", "0x10", "6x0", "6x-10", "sixx10", "6x10;4x30", "1.5x10", "6x10,", "6xnan", "6xinf"]
)
def test_a_specification_that_is_none_is_refused(spec):
    with pytest.raises(InputError):
        FrameTiming.parse(spec)


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e4, 1e4), st.lists(st.floats(0.5, 3600.0), min_size=1, max_size=40))
def test_shifting_there_and_back_keeps_frames(seconds, durations):
    frames = timing(starts_of(np.array(durations)), durations)
    np.testing.assert_allclose(frames.shifted(seconds).shifted(-seconds).start_s, frames.start_s, atol=1e-9)
    np.testing.assert_allclose(frames.shifted(seconds).duration_s, frames.duration_s)


# ------------------------------------------------------------------------------------ decay factors


def test_decay_factor_is_the_siemens_and_ge_one():
    # Siemens: 180 s frame, F-18; FrameReferenceTime 89857.92 ms is where e^(lambda t) equals the factor.
    factor = timing([0.0], [180.0]).decay_factors(np.log(2.0) / 6588.0)[0]
    assert np.log(factor) / (np.log(2.0) / 6588.0) * 1000.0 == pytest.approx(89857.92, abs=1.0)


def test_decay_factor_of_any_frame_is_its_integral():
    frames = timing([-20.0, 0.0, 3000.0], [10.0, 0.5, 3600.0])
    t = [np.linspace(a, b, 200001) for a, b in zip(frames.start_s, frames.end_s, strict=True)]
    mean = [np.trapezoid(np.exp(-LAMBDA * x), x) / (x[-1] - x[0]) for x in t]
    np.testing.assert_allclose(frames.decay_factors(LAMBDA), 1.0 / np.array(mean), rtol=1e-9)
    np.testing.assert_allclose(frames.decay_factors(1e-15), 1.0, rtol=1e-9)


# ------------------------------------------------------------------------------------ frames used


@pytest.mark.parametrize(
    ("t_star", "until", "first", "last"),
    [
        (30.0, None, 21, 27),
        (30.0 + 1.0 / 60.0, None, 21, 27),
        (30.0 + 1.2 / 60.0, None, 22, 27),
        (9.0, 35.0, 15, 21),
        (15.0, 35.0 - 1.0 / 60.0, 18, 21),
        (15.0, 35.0 - 1.2 / 60.0, 18, 20),
    ],
)
def test_frames_used_start_at_t_star_and_end_at_until_each_within_a_second(t_star, until, first, last):
    frames = FrameTiming.parse("liang2023")
    assert frames_from(frames, t_star, until).indices.tolist() == list(range(first, last + 1))
    assert frames.window(t_star, until).tolist() == list(range(first, last + 1))


@pytest.mark.parametrize(
    ("spec", "until", "t_star", "warned"),
    [
        ("liang2023", None, 30.0, False),
        ("liang2023", 60.0, 30.0, False),
        ("liang2023", 55.0, 9.0, True),
        ("12x300", None, 30.0, False),
        ("11x300", None, 9.0, True),
        ("liang2023", 35.0, 9.0, True),
    ],
)
def test_default_t_star_is_30_min_for_an_hour_else_9_with_a_warning(spec, until, t_star, warned):
    chosen = frames_from(FrameTiming.parse(spec), None, until)
    assert chosen.t_star_min == t_star
    assert bool(chosen.warnings) is warned
    assert f"{t_star:g}" in chosen.choice
    if warned:
        assert "9" in chosen.warnings[0]


def test_an_hour_is_counted_from_injection_not_from_the_scan():
    # 55 min of scan that ends 65 min after injection reaches an hour; one that began before injection may not.
    assert frames_from(FrameTiming.parse("11x300").shifted(600.0), None, None).t_star_min == 30.0
    assert frames_from(FrameTiming.parse("12x300").shifted(-300.0), None, None).t_star_min == 9.0


@pytest.mark.parametrize(
    ("t_star", "until", "said"),
    [
        (55.5, None, "Only 1 frame lies after t* = 55.5 min"),
        (30.0, 40.0, "Only 2 frames lie between t* = 30 min and 40 min"),
        (70.0, None, "No frame lies after t* = 70 min"),
        (30.0, 20.0, "No frame lies between t* = 30 min and 20 min"),
    ],
)
def test_fewer_than_three_frames_are_refused_with_their_number(t_star, until, said):
    with pytest.raises(InputError) as refused:
        frames_from(FrameTiming.parse("liang2023"), t_star, until)
    assert refused.value.message == f"{said}; the Patlak fit needs at least 3."


def test_auto_t_star_is_the_earliest_from_which_the_plot_is_a_line():
    frames = FrameTiming.parse("6x10,4x60,13x300")
    nodes = np.arange(0.0, 4201.0, 5.0)
    cp = np.where(nodes < 30, nodes, 30 * np.exp(-(nodes - 30) / 2500.0))
    curve = InputFunction(nodes, cp, cp)
    from synthetic import reference_design

    design = reference_design(nodes, cp, frames.start_s, frames.duration_s)
    line = 0.02 * design[:, 0] + 0.4 * design[:, 1]
    bent = line.copy()
    early = frames.start_s < 20 * 60 - 1
    bent[early] *= 1.0 - 0.5 * (1.0 - frames.start_s[early] / 1200.0)
    found = longest_linear_window(frames, None, curve, bent[None], 0.0)
    assert 10.0 <= found.t_star_min <= 20.0
    assert longest_linear_window(frames, None, curve, line[None], 0.0).t_star_min < 10.0
    # one bent curve among lines decides
    assert longest_linear_window(frames, None, curve, np.stack([line, bent]), 0.0).t_star_min == found.t_star_min


def test_auto_t_star_uses_nothing_after_until():
    frames = FrameTiming.parse("6x10,4x60,13x300")
    nodes = np.arange(0.0, 4201.0, 5.0)
    cp = np.where(nodes < 30, nodes, 30 * np.exp(-(nodes - 30) / 2500.0))
    from synthetic import reference_design

    design = reference_design(nodes, cp, frames.start_s, frames.duration_s)
    line = 0.02 * design[:, 0] + 0.4 * design[:, 1]
    cut = line.copy()
    cut[frames.end_s > 2400 + 1] = np.nan
    until = InputFunction(nodes[nodes <= 2401], cp[nodes <= 2401], cp[nodes <= 2401])
    found = longest_linear_window(frames, 40.0, until, cut[None], 0.0)
    assert frames.end_s[found.indices].max() <= 2401


def test_auto_t_star_of_a_short_scan_warns_since_grey_matter_passes_for_a_line_there():
    """K1 0.10, k2 0.13, k3 0.062 with the blood curve of Feng et al. 1993, without noise."""
    frames, minutes = FrameTiming.parse("liang2023"), np.arange(0.0, 3901.0) / 60.0
    x = np.maximum(minutes - 0.5, 0.0)
    cp = (851.1 * x - 21.88 - 20.81) * np.exp(-4.134 * x) + 21.88 * np.exp(-0.1191 * x) + 20.81 * np.exp(-0.0104 * x)
    curve = InputFunction(60.0 * minutes, cp, cp)
    k1, k2, k3 = 0.10, 0.13, 0.062
    ki = k1 * k3 / (k2 + k3)
    tissue = np.convolve(k1 / (k2 + k3) * (k3 + k2 * np.exp(-(k2 + k3) * minutes)), cp)[: cp.size] / 60.0
    sums = np.concatenate([[0.0], np.cumsum((tissue[1:] + tissue[:-1]) / 2.0)])
    means = (np.interp(frames.end_s, 60.0 * minutes, sums) - np.interp(frames.start_s, 60.0 * minutes, sums)) / (
        frames.duration_s
    )
    short = longest_linear_window(frames, 35.0, curve, means[None], 0.0)
    design = patlak_design(curve, frames.select(short.indices), 0.0)
    fit = weighted_fit(design, frames.duration_s[short.indices])
    assert short.t_star_min < 9.0
    assert 1.02 * ki < float(means[short.indices] @ fit.solution[0]) < 1.05 * ki
    (said,) = short.warnings
    for words in ("end 35 min after injection", f"t* = {short.t_star_min:g} min", "a few per cent too high"):
        assert words in said
    assert frames_from(frames, None, 35.0).warnings[0].split(";")[1] == said.split(";")[1]
    assert longest_linear_window(frames, None, curve, means[None], 0.0).warnings == ()
