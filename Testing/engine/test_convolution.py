"""The forward model is exact: against an ODE solver, a matrix exponential and the papers' limits."""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from synthetic import HALF_LIFE_S, LAMBDA, feng, frame_mean, piecewise
from two_tissue_reference import by_matrix, by_ode

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.integrals import frame_mean as engine_frame_mean
from petkinetics.integrals import frame_mean_of_integral, phi1, psi2, running_integral
from petkinetics.kinetics.compartments import exponents, initial_volume, net_influx, two_tissue_frames
from petkinetics.kinetics.convolution import convolve, frame_mean_convolved, phi2

NODES = np.concatenate([[0.0], np.arange(20.0, 80.0, 5.0), [90, 120, 180, 300, 600, 1200, 2400, 3900]])
PLASMA = feng(NODES)
BLOOD = 0.9 * PLASMA
#: decay constants of the frame weight: none, F-18, O-15, Rb-82 (1/s)
WEIGHTS = {"plain": 0.0, "F-18": LAMBDA, "O-15": np.log(2.0) / 122.24, "Rb-82": np.log(2.0) / 76.4}
CURVE = InputFunction(NODES, PLASMA, BLOOD)
FRAMES = FrameTiming.parse("3x20,2x60,3x300,3x900")
#: frames that begin before the curve, leave gaps and cut nodes
RAGGED = FrameTiming(np.array([-30.0, 10.0, 33.0, 400.0, 2000.0]), np.array([25.0, 20.0, 7.0, 300.0, 1700.0]))

TISSUES = {
    "grey matter": (0.102, 0.130, 0.062, 0.0068, 0.04),
    "liver": (0.667, 0.695, 0.003, 0.0, 0.05),
    "spleen, fast": (1.535, 2.697, 0.007, 0.0, 0.062),
    "lesion with efflux": (1.056, 1.029, 0.52, 0.05, 0.205),
    "one tissue": (0.4, 0.5, 0.0, 0.0, 0.0),
    "k2 equals k4": (0.3, 0.2, 0.1, 0.2, 0.0),
    "no washout": (0.05, 0.0, 0.0, 0.0, 0.1),
    "blood only": (0.0, 0.5, 0.1, 0.0, 1.0),
}


@pytest.mark.parametrize("lam", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("tissue", TISSUES)
def test_two_tissue_model_equals_the_ode_solver_to_a_millionth(tissue, lam):
    expected = by_ode(NODES, PLASMA, BLOOD, FRAMES.start_s, FRAMES.duration_s, *TISSUES[tissue], lam)
    found = two_tissue_frames(CURVE, FRAMES, *TISSUES[tissue], decay_per_s=lam)
    filled = expected > 1e-6 * expected.max()
    np.testing.assert_allclose(found[filled], expected[filled], rtol=1e-6)
    np.testing.assert_allclose(found[~filled], expected[~filled], atol=1e-6 * expected.max())


@pytest.mark.parametrize("lam", WEIGHTS.values(), ids=WEIGHTS)
def test_both_references_agree(lam):
    tissue = TISSUES["lesion with efflux"]
    a = by_ode(NODES, PLASMA, BLOOD, FRAMES.start_s, FRAMES.duration_s, *tissue, lam)
    b = by_matrix(NODES, PLASMA, BLOOD, FRAMES.start_s, FRAMES.duration_s, *tissue, lam)
    np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


rate = st.one_of(st.just(0.0), st.floats(-9.0, 3.0).map(lambda e: 10.0**e))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.floats(0.0, 5.0), rate, rate, rate, st.floats(0.0, 1.0), st.sampled_from(list(WEIGHTS.values())))
@example(0.5, 0.3, 0.0, 0.3, 0.0, 0.0)
@example(0.5, 0.3, 1e-12, 0.3, 0.0, 0.0)
@example(0.5, 0.3, 1e-7, 0.3, 0.0, LAMBDA)
@example(0.5, 0.3, 1e-4, 0.3 + 1e-9, 0.1, 0.0)
@example(0.5, 0.0, 0.0, 0.4, 0.0, LAMBDA)
@example(0.5, 0.0, 0.4, 0.0, 0.0, 0.0)
@example(0.5, 1e-300, 0.4, 0.0, 0.0, 0.0)
@example(0.5, 1e-9, 1e-9, 1e-9, 0.0, 0.0)
@example(2.0, 1000.0, 1000.0, 1000.0, 0.0, LAMBDA)
@example(2.0, 1000.0, 1e-9, 1e-9, 0.5, 0.0)
def test_two_tissue_model_is_exact_for_any_rates(k1, k2, k3, k4, fv, lam):
    expected = by_matrix(NODES, PLASMA, BLOOD, RAGGED.start_s, RAGGED.duration_s, k1, k2, k3, k4, fv, lam)
    found = two_tissue_frames(CURVE, RAGGED, k1, k2, k3, k4, fv, decay_per_s=lam)
    assert np.isfinite(found).all()
    assert found[0] == 0.0, "a frame before the first node holds nothing"
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * PLASMA.max())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rate, st.sampled_from([*WEIGHTS.values(), 1e-9]))
@example(0.0, 0.0)
@example(1e-12, 0.0)
@example(1e-6, LAMBDA)
@example(1e4, 0.0)
def test_one_convolution_is_exact_for_any_alpha(alpha, lam):
    expected = by_matrix(NODES, PLASMA, BLOOD, RAGGED.start_s, RAGGED.duration_s, 1.0, alpha, 0.0, 0.0, 0.0, lam)
    found = frame_mean_convolved(NODES, PLASMA, RAGGED, alpha, decay_per_s=lam)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * PLASMA.max())
    if alpha > 1e-4:
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11 * PLASMA.max())


@pytest.mark.parametrize("lam", [0.0, LAMBDA])
def test_alpha_of_zero_is_the_running_integral(lam):
    np.testing.assert_allclose(
        frame_mean_convolved(NODES, PLASMA, RAGGED, 0.0, lam),
        frame_mean_of_integral(NODES, PLASMA, RAGGED, lam),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        convolve(NODES / 60.0, PLASMA, 0.0), running_integral(NODES / 60.0, PLASMA), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("lam", WEIGHTS.values(), ids=WEIGHTS)
def test_frame_means_of_curve_and_integral_equal_gauss_legendre(lam):
    curve, integral = piecewise(NODES, PLASMA)
    for timing in (FRAMES, RAGGED):
        for function, engine in ((curve, engine_frame_mean), (integral, frame_mean_of_integral)):
            expected = frame_mean(function, timing.start_s, timing.duration_s, NODES, lam)
            np.testing.assert_allclose(engine(NODES, PLASMA, timing, lam), expected, rtol=1e-11, atol=1e-12)


def test_many_alphas_keep_their_shape_and_values():
    alpha = np.geomspace(1e-4, 10.0, 12).reshape(3, 4)
    together = frame_mean_convolved(NODES, PLASMA, FRAMES, alpha)
    assert together.shape == (3, 4, len(FRAMES))
    for i in np.ndindex(alpha.shape):
        np.testing.assert_allclose(together[i], frame_mean_convolved(NODES, PLASMA, FRAMES, alpha[i]), rtol=1e-13)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(rate, st.floats(0.0, 3000.0), st.floats(0.01, 0.99), st.floats(1.0, 800.0))
def test_a_frame_is_the_mean_of_its_parts(alpha, start, share, duration):
    whole = FrameTiming(np.array([start]), np.array([duration]))
    parts = FrameTiming(np.array([start, start + share * duration]), np.array([share, 1.0 - share]) * duration)
    mean = np.dot(frame_mean_convolved(NODES, PLASMA, parts, alpha), [share, 1.0 - share])
    np.testing.assert_allclose(frame_mean_convolved(NODES, PLASMA, whole, alpha)[0], mean, rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(rate, st.floats(-600.0, 600.0), st.floats(-3.0, 3.0))
def test_convolution_is_linear_and_moves_with_time(alpha, shift, scale):
    base = frame_mean_convolved(NODES, PLASMA, FRAMES, alpha)
    moved = frame_mean_convolved(NODES + shift, scale * PLASMA, FRAMES.shifted(shift), alpha)
    np.testing.assert_allclose(moved, scale * base, rtol=1e-6, atol=1e-8)


def test_nodes_may_be_refined_without_any_change():
    finer = np.unique(np.concatenate([NODES, np.linspace(0.0, 3900.0, 977)]))
    for alpha in (0.0, 1e-3, 0.7, 50.0):
        np.testing.assert_allclose(
            frame_mean_convolved(finer, np.interp(finer, NODES, PLASMA), FRAMES, alpha, LAMBDA),
            frame_mean_convolved(NODES, PLASMA, FRAMES, alpha, LAMBDA),
            rtol=1e-9,
            atol=1e-11,
        )


# ------------------------------------------------------------------------------------ model parameters


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.floats(1e-3, 5.0), rate, rate, rate)
def test_exponents_obey_their_equations(k1, k2, k3, k4):
    alpha1, alpha2, a, b = (float(v) for v in exponents(k1, k2, k3, k4))
    total = k2 + k3 + k4
    assert 0.0 <= alpha1 <= alpha2
    assert alpha1 + alpha2 == pytest.approx(total, rel=1e-8)
    assert alpha1 * alpha2 == pytest.approx(k2 * k4, rel=1e-6, abs=1e-300)
    if total > 0 and alpha2 - alpha1 > 1e-6 * total:
        assert a + b == pytest.approx(k1, rel=1e-9)
        assert a == pytest.approx(k1 * (k3 + k4 - alpha1) / (alpha2 - alpha1), rel=1e-6, abs=1e-9 * k1)


def test_without_efflux_the_slow_exponent_is_exactly_zero():
    alpha1, alpha2, _, _ = exponents(0.1, 0.15, 0.05, 0.0)
    assert alpha1 == 0.0
    assert alpha2 == pytest.approx(0.2)


def test_constant_blood_reaches_the_volume_of_distribution():
    constant = InputFunction(np.array([0.0, 1e-3, 6e5]), np.array([7.0, 7.0, 7.0]), np.array([6.0, 6.0, 6.0]))
    late = FrameTiming(np.array([5e5]), np.array([600.0]))
    k1, k2, k3, k4 = 0.1, 0.13, 0.06, 0.007
    expected = 0.95 * 7.0 * k1 / k2 * (1 + k3 / k4) + 0.05 * 6.0
    assert two_tissue_frames(constant, late, k1, k2, k3, k4, 0.05)[0] == pytest.approx(expected, rel=1e-9)


def test_ki_and_v0_are_the_line_that_the_irreversible_model_reaches():
    end = 2.4e4
    constant = InputFunction(np.array([0.0, 1e-3, end]), np.full(3, 7.0), np.full(3, 6.3))
    late = FrameTiming(np.array([1.2e4, 1.8e4]), np.array([600.0, 600.0]))
    k1, k2, k3, fv = 0.4, 0.5, 0.03, 0.08
    frames = two_tissue_frames(constant, late, k1, k2, k3, 0.0, fv)
    stretched = frame_mean_of_integral(constant.time_s, constant.plasma_kbq_per_ml, late)
    slope = (frames[1] - frames[0]) / (stretched[1] - stretched[0])
    assert net_influx(k1, k2, k3, fv) == pytest.approx(slope, rel=1e-8)
    assert initial_volume(k1, k2, k3, fv, 0.9) == pytest.approx((frames[0] - slope * stretched[0]) / 7.0, rel=1e-6)


def test_parameters_broadcast_over_voxels():
    k1 = np.array([[0.1], [0.5]])
    k2 = np.array([0.2, 0.4, 0.8])
    together = two_tissue_frames(CURVE, FRAMES, k1, k2, 0.05, 0.0, 0.03)
    assert together.shape == (2, 3, len(FRAMES))
    np.testing.assert_allclose(together[1, 2], two_tissue_frames(CURVE, FRAMES, 0.5, 0.8, 0.05, 0.0, 0.03), rtol=1e-13)


def test_a_frame_mean_is_not_the_value_in_the_middle():
    # what a shortcut would give: the bolus frame shows the difference
    bolus = FrameTiming(np.array([20.0]), np.array([20.0]))
    exact = two_tissue_frames(CURVE, bolus, 0.5, 0.6, 0.05)[0]
    middle = by_matrix(NODES, PLASMA, BLOOD, [29.995], [0.01], 0.5, 0.6, 0.05, 0.0, 0.0)[0]
    assert abs(exact / middle - 1.0) > 0.02


def test_decay_weight_of_a_short_lived_nuclide_matters_and_is_kept():
    lam = np.log(2.0) / 122.24
    plain = two_tissue_frames(CURVE, FRAMES, *TISSUES["liver"])
    weighted = two_tissue_frames(CURVE, FRAMES, *TISSUES["liver"], decay_per_s=lam)
    assert np.abs(weighted[6:] / plain[6:] - 1.0).max() > 1e-3
    assert pytest.approx(6586.2) == HALF_LIFE_S


# ------------------------------------------------------------------------------------ small numbers


@pytest.mark.parametrize(
    "z", [0.0, 1e-300, 1e-16, 1e-9, 1e-5, 1e-4, 0.00099, 0.01, 0.03, 0.1, 0.3, 1.0, 5.0, 40.0, 700.0, 1e5]
)
def test_series_and_closed_forms_join_without_loss_of_digits(z):
    getcontext().prec = 60
    x = Decimal(z)
    if z > 0.0 and z > 1e-12:
        decay = (-x).exp()
        one = (1 - decay) / x
        expected = (one, (1 - decay * (1 + x)) / x**2, (1 - one) / x)
    else:
        expected = (Decimal(1), Decimal("0.5"), Decimal("0.5"))
    for function, value in zip((phi1, psi2, phi2), expected, strict=True):
        assert float(function(np.array([z]))[0]) == pytest.approx(float(value), rel=2e-12)


def test_an_input_function_that_cannot_be_is_refused():
    good = np.array([0.0, 10.0, 20.0])
    for time_s, value in [
        (good, np.array([0.0, np.nan, 1.0])),
        (good, np.array([0.0, np.inf, 1.0])),
        (good, np.zeros(3)),
        (np.array([0.0, 10.0, 10.0]), np.array([0.0, 1.0, 1.0])),
        (np.array([0.0, 20.0, 10.0]), np.array([0.0, 1.0, 1.0])),
        (good[:2], np.array([0.0, 1.0])),
        (good, np.array([0.0, 1.0])),
    ]:
        with pytest.raises(InputError):
            InputFunction(time_s, value, value)
