"""The image-derived input function keeps its frame means, and says when it is doubtful."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator
from synthetic import (
    LAMBDA,
    LIANG,
    Patient,
    feng,
    frame_mean,
    load_map,
    piecewise,
    reference_design,
    reference_patlak,
    result,
    run,
    save_nifti,
    starts_of,
)

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.input_function.checks import arrival_s, doubts, require_bolus, require_plausible_scale
from petkinetics.input_function.from_frames import continuous_curve
from petkinetics.input_function.plasma import ratio_from_haematocrit, with_plasma

WEIGHTS = {"plain": 0.0, "F-18": LAMBDA, "O-15": np.log(2.0) / 122.24}
#: places where feng() starts or bends sharply, so that Gauss-Legendre sums are exact to rounding
BENDS = np.concatenate([[20.0], np.arange(20.0, 200.0, 2.0), np.arange(200.0, 4000.0, 50.0)])


def blood(start, duration, lam: float = 0.0, delay_s: float = 20.0) -> TimeActivityCurve:  # type: ignore[no-untyped-def]
    start, duration = np.asarray(start, float), np.asarray(duration, float)
    mean = frame_mean(lambda t: feng(t, delay_s), start, duration, BENDS + delay_s - 20.0, lam)
    return TimeActivityCurve(FrameTiming(start, duration), mean, decay_per_s=lam)


def means_of(nodes, values, timing: FrameTiming, lam: float) -> np.ndarray:  # type: ignore[no-untyped-def]
    return frame_mean(piecewise(nodes, values)[0], timing.start_s, timing.duration_s, nodes, lam)


# ------------------------------------------------------------------------------------ frame means


@pytest.mark.parametrize("lam", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("first", [0.0, -25.0, 7.5], ids=["at injection", "before injection", "after injection"])
def test_frame_means_are_kept_to_1e_12(first, lam):
    curve = blood(starts_of(LIANG, first), LIANG, lam)
    nodes, values, _ = continuous_curve(curve)
    kept = means_of(nodes, values, curve.timing, lam)
    np.testing.assert_allclose(kept, curve.mean_kbq_per_ml, rtol=1e-12, atol=1e-12 * curve.mean_kbq_per_ml.max())


@pytest.mark.parametrize("lam", [0.0, LAMBDA])
def test_frame_means_are_kept_across_gaps_and_the_gaps_are_told(lam):
    start, duration = starts_of(LIANG), LIANG.copy()
    keep = np.ones(28, bool)
    keep[[12, 20, 21]] = False
    curve = blood(start[keep], duration[keep], lam)
    nodes, values, said = continuous_curve(curve)
    kept = means_of(nodes, values, curve.timing, lam)
    np.testing.assert_allclose(kept, curve.mean_kbq_per_ml, rtol=1e-12, atol=1e-12 * curve.mean_kbq_per_ml.max())
    text = " ".join(said)
    assert "gap" in text.lower() or "no frame" in text.lower()
    for a, b in curve.timing.gaps():
        assert any(f"{x:.{d}f}" in text or f"{x:g}" in text for x in (a, a / 60) for d in (0, 1)), (a, b, text)
    # in the gaps the curve stays near the truth
    for a, b in curve.timing.gaps():
        t = np.linspace(a, b, 50)
        assert np.abs(np.interp(t, nodes, values) / feng(t) - 1.0).max() < 0.1


frame_lists = st.lists(
    st.tuples(
        st.floats(1.0, 600.0), st.one_of(st.just(0.0), st.floats(1e-3, 200.0)), st.sampled_from([0.0, 0.0, 5.0, 300.0])
    ),
    min_size=3,
    max_size=30,
).filter(lambda frames: sum(f[1] > 0 for f in frames) >= 1)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(frame_lists, st.sampled_from(list(WEIGHTS.values())), st.sampled_from([0.0, -100.0, 30.0]))
@example([(10.0, 0.0, 0.0), (10.0, 100.0, 0.0), (10.0, 0.0, 0.0), (10.0, 0.0, 0.0)], 0.0, 0.0)
@example([(1.0, 1e-3, 300.0), (600.0, 200.0, 0.0), (1.0, 1e-3, 0.0)], 0.0, 0.0)
def test_any_frames_keep_their_means_without_negative_nodes(frames, lam, first):
    duration = np.array([f[0] for f in frames])
    gap = np.array([f[2] for f in frames])
    start = first + np.concatenate([[0.0], np.cumsum(duration + gap)[:-1]])
    mean = np.array([f[1] for f in frames])
    timing = FrameTiming(start, duration)
    nodes, values, _ = continuous_curve(TimeActivityCurve(timing, mean, decay_per_s=lam))
    assert np.isfinite(values).all()
    assert (np.diff(nodes) > 0).all()
    assert (values >= 0.0).all()
    np.testing.assert_allclose(means_of(nodes, values, timing, lam), mean, rtol=1e-10, atol=1e-12 * mean.max())


@pytest.mark.parametrize("lam", WEIGHTS.values(), ids=WEIGHTS)
def test_nodes_do_not_alternate(lam):
    curve = blood(starts_of(LIANG), LIANG, lam)
    nodes, values, _ = continuous_curve(curve)
    assert nodes.size > 3 * len(curve.timing)
    turns = np.diff(np.sign(np.diff(values)[np.abs(np.diff(values)) > 1e-9])) != 0
    assert not (turns[:-2] & turns[1:-1] & turns[2:]).any(), "up, down, up, down from node to node"
    assert np.abs(np.diff(values)).sum() < 1.25 * (2.0 * values.max() - values[-1])


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_alternating_frame_means_do_not_grow(factor):
    # noise in the frames alternates; the curve may follow it but not amplify it
    duration = np.full(20, 60.0)
    mean = 10.0 + factor * (-1.0) ** np.arange(20)
    nodes, values, _ = continuous_curve(TimeActivityCurve(FrameTiming(starts_of(duration), duration), mean))
    inner = (nodes > 180.0) & (nodes < 1020.0)
    assert values[inner].max() < 10.0 + 3.0 * factor
    assert values[inner].min() > 10.0 - 3.0 * factor


def test_the_curve_is_scipys_pchip_derivative_before_frames_are_rescaled():
    # at frame edges the curve is the derivative of the monotone interpolation; inside each frame a multiple of it
    duration = np.concatenate([np.full(8, 10.0), np.full(10, 60.0), np.full(6, 300.0)])
    curve = blood(starts_of(duration), duration)
    nodes, values, _ = continuous_curve(curve)
    total = np.concatenate([[0.0], np.cumsum(curve.mean_kbq_per_ml * duration)])
    edges = np.concatenate([[0.0], np.cumsum(duration)])
    expected = PchipInterpolator(edges, total).derivative()
    np.testing.assert_allclose(np.interp(edges[1:], nodes, values), expected(edges[1:]), rtol=1e-9, atol=1e-9)
    for a, b in itertools.pairwise(edges[3:]):
        inner = (nodes > a + 1e-6) & (nodes < b - 1e-6)
        assert inner.sum() >= 3
        ratio = values[inner] / expected(nodes[inner])
        assert ratio.std() < 1e-9 * ratio.mean()
        assert ratio.mean() == pytest.approx(1.0, abs=0.05)


def test_negative_frames_become_zero_and_are_told():
    curve = blood(starts_of(LIANG), LIANG)
    mean = curve.mean_kbq_per_ml.copy()
    mean[0], mean[1] = -0.4, -3.0
    nodes, values, said = continuous_curve(replace(curve, mean_kbq_per_ml=mean))
    assert (values >= 0).all()
    assert any("negative" in s and "2" in s for s in said)
    kept = means_of(nodes, values, curve.timing, 0.0)
    np.testing.assert_allclose(kept[2:], mean[2:], rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, -0.01, -3.0])
def test_blood_that_is_lost_after_its_peak_is_told_with_its_frames_however_little_below_zero(value):
    curve = blood(starts_of(LIANG), LIANG)
    mean = curve.mean_kbq_per_ml.copy()
    mean[[22, 24]] = value
    nodes, values, said = continuous_curve(replace(curve, mean_kbq_per_ml=mean))
    assert [s for s in said if "zero or negative after its peak, in frame 23, 25" in s] == said
    np.testing.assert_allclose(
        means_of(nodes, values, curve.timing, 0.0), np.maximum(mean, 0.0), rtol=1e-12, atol=1e-12
    )


# ------------------------------------------------------------------------------------ what it costs in Ki


def ki_error(curve: TimeActivityCurve) -> float:
    """Relative error of Ki = 0.01 (V0 = 0.5) when the curve made from frame means takes the true one's place."""
    nodes, values, _ = continuous_curve(curve)
    fine = np.unique(np.concatenate([BENDS, np.arange(0.0, 4001.0, 5.0)]))
    start, duration = starts_of(LIANG), LIANG
    late = start >= 1799.0
    true = reference_design(fine, feng(fine), start[late], duration[late], curve.decay_per_s)
    found = reference_design(nodes, values, start[late], duration[late], curve.decay_per_s)
    ki, _ = reference_patlak((true @ [0.01, 0.5])[:, None], found, np.ones(late.sum()))
    return float(ki[0] / 0.01 - 1.0)


@pytest.mark.parametrize("lam", [0.0, LAMBDA])
def test_frame_means_cost_less_than_a_twentieth_of_a_per_cent_in_ki(lam):
    assert abs(ki_error(blood(starts_of(LIANG), LIANG, lam))) < 5e-4


def test_a_gap_costs_less_than_a_tenth_of_a_per_cent_in_ki():
    keep = np.ones(28, bool)
    keep[16] = False
    assert abs(ki_error(blood(starts_of(LIANG)[keep], LIANG[keep]))) < 1e-3


def test_joining_frame_middles_by_lines_would_cost_far_more():
    curve = blood(starts_of(LIANG), LIANG)
    fine = np.unique(np.concatenate([BENDS, np.arange(0.0, 4001.0, 5.0)]))
    late = starts_of(LIANG) >= 1799.0
    true = reference_design(fine, feng(fine), starts_of(LIANG)[late], LIANG[late])
    nodes = np.concatenate([[0.0], curve.timing.mid_s, [3900.0]])
    values = np.concatenate([[0.0], curve.mean_kbq_per_ml, curve.mean_kbq_per_ml[-1:]])
    ki, _ = reference_patlak(
        (true @ [0.01, 0.5])[:, None],
        reference_design(nodes, values, starts_of(LIANG)[late], LIANG[late]),
        np.ones(late.sum()),
    )
    assert abs(ki[0] / 0.01 - 1.0) > 5 * abs(ki_error(curve))


# ------------------------------------------------------------------------------------ is the bolus there?


def test_frames_before_injection_are_accepted_when_the_rise_is_seen():
    curve = blood(starts_of(LIANG, -60.0), LIANG)
    assert require_bolus(curve) == []
    nodes, values, _ = continuous_curve(curve)
    assert values[nodes <= -10.0].max(initial=0.0) < 0.1 * values.max()


def test_a_scan_begun_after_the_peak_is_refused_with_what_was_found():
    curve = blood(starts_of(np.full(10, 300.0), 600.0), np.full(10, 300.0))
    with pytest.raises(InputError) as refused:
        require_bolus(curve)
    assert "10" in refused.value.message  # begins 10 min (600 s) after injection
    assert refused.value.hint, "it says what to do: another input function"


@pytest.mark.parametrize(("first", "covered"), [(0.0, True), (15.0, True), (17.0, True), (19.0, False), (60.0, False)])
def test_bolus_counts_as_covered_when_blood_begins_below_a_tenth_of_its_peak(first, covered):
    duration = np.concatenate([np.full(12, 5.0), np.full(10, 60.0)])
    curve = blood(starts_of(duration, first), duration)
    begins = curve.mean_kbq_per_ml[0] / curve.mean_kbq_per_ml.max()
    assert bool(begins < 0.1) is covered
    if covered:
        require_bolus(curve)
    else:
        with pytest.raises(InputError):
            require_bolus(curve)


def test_clocks_that_disagree_by_more_than_30_s_are_told_with_their_seconds():
    nodes = np.arange(0.0, 3900.0, 2.0)
    agree = InputFunction(nodes, feng(nodes, 15.0), feng(nodes, 15.0))
    late = InputFunction(nodes, feng(nodes, 95.0), feng(nodes, 95.0))
    early = InputFunction(nodes - 100.0, feng(nodes, 20.0), feng(nodes, 20.0))
    assert arrival_s(agree) == pytest.approx(17.0, abs=3.0)
    assert doubts(agree) == []
    assert any("9" in s and "s" in s for s in doubts(late))
    assert doubts(early), "blood before injection: the header's clock is wrong"
    assert any("injection" in s for s in doubts(late))


# ------------------------------------------------------------------------------------ is it blood?


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("peaks at 20 min", lambda t: 10.0 * np.exp(-(((t - 1200.0) / 500.0) ** 2))),
        ("rises to the end", lambda t: 0.002 * t),
        ("flat after a rise", lambda t: 8.0 * (1.0 - np.exp(-t / 30.0))),
        ("falls by a fifth", lambda t: np.where(t < 40, t / 4, 10.0 - 2.0 * np.minimum((t - 40) / 3000.0, 1.0))),
    ],
)
def test_a_curve_that_is_no_input_function_is_doubted_with_numbers(name, shape):
    t = np.arange(0.0, 3901.0, 5.0)
    said = doubts(InputFunction(t, shape(t), shape(t)))
    assert said, name
    assert any(any(c.isdigit() for c in s) for s in said)


def test_a_bolus_an_hour_late_is_a_matter_of_clocks_not_of_the_region():
    t = np.arange(0.0, 7500.0, 5.0)
    late = np.where(t > 3615.0, 5.0 + 40.0 * np.exp(-((t - 3640.0) ** 2) / 300.0), 0.0)
    said = " ".join(doubts(InputFunction(t, late, late)))
    assert "clocks" in said and "--injection-time" in said
    assert "tissue" not in said


def test_blood_below_zero_after_its_peak_is_doubted():
    t = np.arange(0.0, 3900.0, 2.0)
    good = feng(t, 15.0)
    assert any("below zero" in s for s in doubts(InputFunction(t, np.where(t > 3000, -good, good), good)))
    assert doubts(InputFunction(t, good, good)) == []


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_an_input_function_off_by_a_thousand_is_refused_with_both_numbers(factor):
    with pytest.raises(InputError) as refused:
        require_plausible_scale(factor * np.array([8.0, 6.0, 5.0]), np.array([5.0, 5.5, 6.0]))
    assert refused.value.hint
    require_plausible_scale(np.array([8.0, 6.0, 5.0]), np.array([5.0, 5.5, 6.0]))


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_tissue_ten_times_colder_or_hotter_than_blood_is_possible(factor):
    require_plausible_scale(factor * np.array([8.0, 6.0, 5.0]), np.array([5.0, 5.5, 6.0]))


# ------------------------------------------------------------------------------------ plasma


@pytest.mark.parametrize(("haematocrit", "ratio"), [(0.45, 1 / (1 - 0.135)), (45.0, 1 / (1 - 0.135)), (0.3, 1 / 0.91)])
def test_haematocrit_gives_the_ratio_as_fraction_or_per_cent(haematocrit, ratio):
    assert ratio_from_haematocrit(haematocrit) == pytest.approx(ratio, rel=1e-12)


@pytest.mark.parametrize("haematocrit", [0.0, 0.1, 1.0, 5.0, 90.0, -0.4, float("nan"), float("inf")])
def test_impossible_haematocrit_is_refused(haematocrit):
    with pytest.raises(InputError):
        ratio_from_haematocrit(haematocrit)


@pytest.mark.parametrize("ratio", [0.0, -1.0, 0.1, 10.0, float("nan"), float("inf")])
def test_impossible_plasma_ratio_is_refused(ratio):
    t = np.arange(0.0, 100.0, 10.0)
    with pytest.raises(InputError):
        with_plasma(InputFunction(t, t, t, "whole blood"), ratio, "x")


def test_plasma_ratio_scales_plasma_and_leaves_whole_blood():
    t = np.arange(0.0, 100.0, 10.0)
    corrected = with_plasma(InputFunction(t, t, t, "whole blood"), 1.1, "ratio 1.1")
    np.testing.assert_allclose(corrected.plasma_kbq_per_ml, 1.1 * t)
    np.testing.assert_array_equal(corrected.whole_blood_kbq_per_ml, t)
    assert corrected.kind == "plasma"
    assert "1.1" in corrected.source


@pytest.mark.parametrize("kind", ["plasma", "parent plasma"])
def test_plasma_is_not_corrected_again(kind):
    t = np.arange(0.0, 100.0, 10.0)
    with pytest.raises(InputError, match="plasma"):
        with_plasma(InputFunction(t, t, t, kind), 1.1, "x")


# ------------------------------------------------------------------------------------ the curve type


def test_until_cuts_the_last_piece_and_keeps_what_lies_before():
    t = np.array([0.0, 10.0, 20.0, 60.0, 100.0])
    curve = InputFunction(t, t + 1.0, t + 1.0)
    cut = curve.until(40.0)
    assert cut.end_s == 40.0
    np.testing.assert_allclose(cut.plasma_at([5.0, 20.0, 40.0]), [6.0, 21.0, 41.0])
    with pytest.raises(InputError):
        curve.until(5.0)


def test_before_its_first_node_there_is_no_blood():
    curve = InputFunction(np.array([10.0, 20.0, 30.0]), np.array([5.0, 9.0, 7.0]), np.array([5.0, 9.0, 7.0]))
    np.testing.assert_array_equal(curve.plasma_at([0.0, 9.99]), [0.0, 0.0])
    assert curve.plasma_frame_mean(FrameTiming(np.array([0.0]), np.array([10.0])))[0] == 0.0
    assert curve.peak == (20.0, 9.0)


# ------------------------------------------------------------------------------------ through the command line


def test_the_command_writes_nodes_and_frame_means(tmp_path):
    patient = Patient()
    series, table = patient.save(tmp_path), tmp_path / "blood.tsv"
    assert run("input-function", series, "--roi", tmp_path / "aorta.nii", "-o", table) == 0
    frames = np.genfromtxt(tmp_path / "blood_frames.tsv", names=True, delimiter="\t")
    assert frames.dtype.names[:2] == ("frame_start", "frame_duration")
    np.testing.assert_allclose(frames["frame_start"], patient.start)
    np.testing.assert_allclose(frames["mean"], patient.design[:, 1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(frames["sd"], 0.0, atol=1e-5)
    header = table.read_text().splitlines()[0].split("\t")
    assert header == ["time", "whole_blood_radioactivity", "plasma_radioactivity"]
    nodes = np.loadtxt(table, skiprows=1)
    kept = means_of(nodes[:, 0], nodes[:, 1], FrameTiming(patient.start, patient.duration), 0.0)
    np.testing.assert_allclose(kept, frames["mean"], rtol=1e-6, atol=1e-6)


def test_fractional_coverage_makes_a_finer_roi_count_by_volume(tmp_path):
    patient = Patient()
    series = patient.save(tmp_path)
    fine = np.repeat(np.repeat(patient.aorta, 2, axis=1), 2, axis=2)
    affine = patient.affine()
    affine[:3, 0] /= 2
    affine[:3, 1] /= 2
    affine[:3, 3] -= 0.5 * affine[:3, 0] + 0.5 * affine[:3, 1]
    save_nifti(tmp_path / "fine.nii", fine, affine)
    assert run("input-function", series, "--roi", tmp_path / "fine.nii", "-o", tmp_path / "a.tsv") == 0
    assert run("input-function", series, "--roi", tmp_path / "aorta.nii", "-o", tmp_path / "b.tsv") == 0
    np.testing.assert_allclose(
        np.loadtxt(tmp_path / "a.tsv", skiprows=1), np.loadtxt(tmp_path / "b.tsv", skiprows=1), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("lam", [0.0, LAMBDA], ids=["plain", "decay-weighted"])
def test_ki_from_the_roi_curve_is_within_four_thousandths(tmp_path, lam):
    patient = Patient(lam=lam)
    changes = {}
    if lam:
        factor = FrameTiming(patient.start, patient.duration).decay_factors(lam)
        changes["DecayCorrectionFactor"] = [float(f) for f in factor]
    series, out = patient.save(tmp_path, **changes), tmp_path / "out"
    assert run("estimate", series, "--roi", tmp_path / "aorta.nii", "--method", "patlak", "-o", out) == 0
    ki = load_map(out / "ki.nii.gz")[patient.tissue]
    assert np.abs(ki / patient.ki[patient.tissue] - 1.0).max() < 4e-3
    assert result(out)["input_function"]["kind"] == "whole blood"
    assert result(out)["ki_label"] == "Ki (whole-blood input)"
