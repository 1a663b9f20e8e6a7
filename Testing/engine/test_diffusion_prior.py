"""The diffusion prior: its solvers against a prior whose answers are known, and what the estimator must keep.

Under a Gaussian prior x ~ N(m, q) and data y = x + n, n ~ N(0, s), everything is known in closed form: the
denoiser is D(x, tau) = m + q / (q + tau^2 s) (x - m), the posterior N(m + q / (q + s) (y - m), q s / (q + s)).
"""

from __future__ import annotations

import numpy as np
import pytest

from petkinetics.estimators.noise_correlation import NoiseCorrelation
from petkinetics.estimators.noise_draws import unit_draws
from petkinetics.estimators.posterior import data_step, half_quadratic, posterior_sample, red_diff

MEAN, PRIOR_VARIANCE, NOISE_VARIANCE = 1.0, 0.5, 0.2
SHAPE = (2, 6, 40, 40)


def gaussian_denoiser(values: np.ndarray, tau: float) -> np.ndarray:
    kept = PRIOR_VARIANCE / (PRIOR_VARIANCE + tau**2 * NOISE_VARIANCE)
    return (MEAN + kept * (values - MEAN)).astype(np.float32)


def white(seed: int):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    return lambda: np.float32(np.sqrt(NOISE_VARIANCE)) * rng.standard_normal(SHAPE, dtype=np.float32)


@pytest.fixture
def measured() -> np.ndarray:
    rng = np.random.default_rng(5)
    truth = MEAN + np.sqrt(PRIOR_VARIANCE) * rng.standard_normal(SHAPE)
    return (truth + np.sqrt(NOISE_VARIANCE) * rng.standard_normal(SHAPE)).astype(np.float32)


def posterior_mean(measured: np.ndarray) -> np.ndarray:
    return MEAN + PRIOR_VARIANCE / (PRIOR_VARIANCE + NOISE_VARIANCE) * (measured - MEAN)


def slope_and_spread(found: np.ndarray, measured: np.ndarray) -> tuple[float, float]:
    """How a solution follows the data, and the SD that it adds."""
    about, data = found.reshape(-1) - MEAN, measured.reshape(-1) - MEAN
    slope = float(about @ data / (data @ data))
    return slope, float(np.std(about - slope * data))


def test_half_quadratic_splitting_reaches_the_posterior_mean_of_a_gaussian_prior(measured: np.ndarray) -> None:
    # At a small tau with weight 1 the fixed point of x = (y + k D(x)) / (1 + k) tends to the posterior mean.
    taus = [0.05] * 6000
    found = half_quadratic(measured, gaussian_denoiser, lambda: np.float32(0), taus, 1.0, start=np.ones_like(measured))
    np.testing.assert_allclose(found, posterior_mean(measured), atol=2e-2)


def test_one_step_of_half_quadratic_splitting_is_the_closed_form(measured: np.ndarray) -> None:
    found = half_quadratic(measured, gaussian_denoiser, white(1), [1.0], 0.5)
    np.testing.assert_allclose(found, (measured + 0.5 * posterior_mean(measured)) / 1.5, rtol=1e-5)


def test_walking_back_from_the_data_draws_from_the_posterior(measured: np.ndarray) -> None:
    taus = list(np.geomspace(1.0, 0.02, 200))
    found = posterior_sample(measured, gaussian_denoiser, white(2), taus)
    slope, spread = slope_and_spread(found, measured)
    assert slope == pytest.approx(PRIOR_VARIANCE / (PRIOR_VARIANCE + NOISE_VARIANCE), abs=0.01)
    variance = PRIOR_VARIANCE * NOISE_VARIANCE / (PRIOR_VARIANCE + NOISE_VARIANCE)
    assert spread == pytest.approx(np.sqrt(variance), rel=0.03)


def test_red_diff_settles_at_the_posterior_mean_of_a_gaussian_prior(measured: np.ndarray) -> None:
    # On average over n, lambda / tau^2 (x - D) = lambda s / (q + tau^2 s) (x - m).
    sigma = np.full(SHAPE, np.sqrt(NOISE_VARIANCE), np.float32)
    found = red_diff(measured, gaussian_denoiser, white(3), [0.3] * 400, 1.0, sigma, rate=0.2)
    kept = (PRIOR_VARIANCE + 0.09 * NOISE_VARIANCE) / (PRIOR_VARIANCE + 1.09 * NOISE_VARIANCE)
    slope, spread = slope_and_spread(found, measured)
    assert slope == pytest.approx(kept, abs=0.02)
    assert spread < 0.25 * np.sqrt(NOISE_VARIANCE)


def test_the_data_step_is_the_minimum_of_both_squares() -> None:
    rng = np.random.default_rng(0)
    covariance = np.array([[2.0, -1.2], [-1.2, 1.0]])
    measured, prior = rng.standard_normal((2, 2, 5)).astype(np.float32)
    scale, variance = rng.uniform(0.5, 2.0, 5).astype(np.float32), rng.uniform(0.2, 3.0, (2, 5)).astype(np.float32)
    found = data_step(measured, prior, covariance, scale, variance)
    for i in range(5):
        a, b = np.linalg.inv(covariance * scale[i]), np.diag(1.0 / variance[:, i])
        expected = np.linalg.solve(a + b, a @ measured[:, i] + b @ prior[:, i])
        np.testing.assert_allclose(found[:, i], expected, rtol=1e-4, atol=1e-5)


def test_the_voxelwise_step_is_exact_where_both_noises_share_their_correlation() -> None:
    # (y - x)' S^-1 (y - x) + k (x - z)' S^-1 (x - z) for any S: the minimum is (y + k z) / (1 + k)
    rng = np.random.default_rng(1)
    root = rng.standard_normal((6, 6))
    inverse = np.linalg.inv(root @ root.T + np.eye(6))
    y, z, k = rng.standard_normal(6), rng.standard_normal(6), 0.7
    solved = np.linalg.solve(inverse + k * inverse, inverse @ y + k * inverse @ z)
    np.testing.assert_allclose((y + k * z) / (1 + k), solved, rtol=1e-9)


def test_drawn_noise_has_unit_variance_and_the_correlation_asked_for() -> None:
    correlation = NoiseCorrelation((2.3, 2.3, 3.0), (3.0, 2.0, 2.0))
    draw = unit_draws(np.random.default_rng(0), (2, 24, 64, 64), correlation)
    field = draw()
    assert field.var() == pytest.approx(1.0, abs=0.05)
    for axis, lag in ((0, 1), (1, 2), (2, 2)):
        near = np.take(field, range(field.shape[axis + 1] - lag), axis + 1)
        far = np.take(field, range(lag, field.shape[axis + 1]), axis + 1)
        assert np.mean(near * far) == pytest.approx(correlation.at(axis, np.array([lag]))[0], abs=0.05)
    assert not np.array_equal(field, draw())
