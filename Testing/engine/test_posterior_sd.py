"""SD maps are the spread of the draws, smoothed and enlarged, and a share of the value."""

from __future__ import annotations

import numpy as np
import pytest

from petkinetics.estimators.posterior_sd import RELATIVE, sd_factor, sd_maps

SHAPE = (2, 12, 24, 24)
SPACING_MM = (3.0, 3.0, 3.0)


def test_many_draws_give_their_spread_times_the_factor() -> None:
    rng = np.random.default_rng(0)
    centre = np.zeros(SHAPE, np.float32)
    # their mean is off the estimate, which is not spread
    draws = (np.float32(0.7) + np.float32(0.2) * rng.standard_normal(SHAPE, dtype=np.float32) for _ in range(30))
    assert sd_maps(draws, centre, SPACING_MM, 1.5).mean() == pytest.approx(0.3, rel=0.02)


def test_where_the_draws_agree_a_share_of_the_value_remains() -> None:
    centre = np.stack([np.full(SHAPE[1:], 0.02, np.float32), np.full(SHAPE[1:], 0.5, np.float32)])
    ki, v0 = sd_maps([centre, centre], centre, SPACING_MM, 2.0)
    np.testing.assert_allclose(ki, RELATIVE["ki"] * 0.02, rtol=1e-5)
    np.testing.assert_allclose(v0, RELATIVE["v0"] * 0.5, rtol=1e-5)


def test_of_one_draw_the_distance_from_the_estimate_counts() -> None:
    centre = np.zeros(SHAPE, np.float32)
    np.testing.assert_allclose(sd_maps([centre - 0.1], centre, SPACING_MM, 2.0), 0.2, rtol=1e-5)


def test_the_factor_grows_with_the_noise() -> None:
    assert 1.0 < sd_factor(0.0) < sd_factor(0.1) < sd_factor(0.3) < 2.5
