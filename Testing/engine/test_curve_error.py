"""What a wrong blood curve does to a Patlak map, and that a map which is right tells of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from petkinetics.curves import InputFunction
from petkinetics.estimators.curve_error import believed_share, brought_to_level, curve_error
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import patlak_design, weighted_fit
from petkinetics.simulate.patient import Body

SPACING_MM = (4.0, 4.0, 4.0)
SHAPE = (16, 40, 40)


@pytest.fixture(scope="module")
def maps() -> tuple[np.ndarray, np.ndarray]:
    """Ki and V0 of tissues on Patlak's line, as they are and as a fit with another blood curve sees them."""
    rng = np.random.default_rng(4)
    ki, v0 = (ndimage.gaussian_filter(rng.standard_normal(SHAPE), 4.0) for _ in range(2))
    true = np.stack([0.012 + 0.008 * ki / ki.std(), 0.4 + 0.1 * v0 / v0.std()])
    whole = FrameTiming.parse("liang2023")
    timing = whole.select(whole.window(9.0, 65.0))
    curve = Body.random("thorax", 90_001).input_function
    falling = np.exp(-curve.time_s / 9000.0)
    wrong = InputFunction(
        curve.time_s, curve.plasma_kbq_per_ml * falling, curve.whole_blood_kbq_per_ml * falling, kind="plasma"
    )
    frames = np.tensordot(patlak_design(curve, timing, 0.0), true, 1)
    fit = weighted_fit(patlak_design(wrong, timing, 0.0), np.ones(len(timing)))
    return true, np.tensordot(fit.solution, frames, 1)


def with_activity(maps: np.ndarray, theta_min: float = 40.0) -> np.ndarray:
    return np.stack([maps[0], maps[1] + theta_min * maps[0]]).astype(np.float32)


def test_another_curve_makes_one_combination_of_ki_and_activity_which_is_found_and_undone(maps) -> None:  # type: ignore[no-untyped-def]
    true, seen = (with_activity(m) for m in maps)
    inside = np.ones(SHAPE, bool)
    assert np.abs(seen[0] / true[0] - 1.0).mean() > 0.1
    error = curve_error(true[0], seen, inside, SPACING_MM, believed=1.0)
    np.testing.assert_allclose(brought_to_level(seen, error)[0], true[0], atol=2e-4)
    np.testing.assert_array_equal(brought_to_level(seen, error)[1], seen[1])


def test_it_goes_part_of_the_way_and_nowhere_without_a_body(maps) -> None:  # type: ignore[no-untyped-def]
    true, seen = (with_activity(m) for m in maps)
    inside = np.ones(SHAPE, bool)
    whole, half = (curve_error(true[0], seen, inside, SPACING_MM, believed) for believed in (1.0, 0.5))
    np.testing.assert_allclose(np.subtract(half, (1, 0)), 0.5 * np.subtract(whole, (1, 0)), rtol=1e-6)
    assert curve_error(true[0], seen, np.zeros(SHAPE, bool), SPACING_MM, 1.0) == (1.0, 0.0)


def test_noise_that_is_left_does_not_draw_the_slope_to_nothing(maps) -> None:  # type: ignore[no-untyped-def]
    true = with_activity(maps[0])
    rng = np.random.default_rng(5)
    noisy = true.copy()
    noisy[0] += 0.5 * true[0].std() * rng.standard_normal(SHAPE).astype(np.float32)
    a, _ = curve_error(true[0], noisy, np.ones(SHAPE, bool), SPACING_MM, believed=1.0)
    slope, *_ = np.linalg.lstsq(noisy.reshape(2, -1).T, true[0].ravel(), rcond=None)[0]
    assert abs(a - 1.0) < 0.05 and slope < 0.85


def test_a_smooth_curve_is_believed_and_a_noisy_one_less_the_noisier_it_is() -> None:
    whole = FrameTiming.parse("liang2023")
    timing = whole.select(whole.window(9.0, 65.0))
    curve = Body.random("thorax", 90_001).input_function
    rng = np.random.default_rng(6)
    draws = rng.standard_normal((40, len(timing)))

    def share(noise: float, draw: np.ndarray) -> float:
        # straight between the middles of the frames, as a curve from the image is
        level = np.interp(timing.mid_s, curve.time_s, curve.plasma_kbq_per_ml) * np.exp(noise * draw)
        time = np.concatenate([[0.0], timing.mid_s, [timing.end_s[-1]]])
        value = np.concatenate([[level[0]], level, [level[-1]]])
        return believed_share(InputFunction(time, value, value, kind="plasma"), timing, 0.0)

    assert believed_share(curve, timing, 0.0) < 0.02
    means = [float(np.mean([share(noise, draw) for draw in draws])) for noise in (0.01, 0.03, 0.1)]
    assert means[0] < 0.3 < means[1] < 0.7 < means[2]
    assert believed_share(curve, timing.select(range(4)), 0.0) == 0.0
    assert share(1.0, np.where(np.arange(len(timing)) % 2, 3.0, -3.0)) > 0.99


def test_air_around_the_body_does_not_count(maps) -> None:  # type: ignore[no-untyped-def]
    true, seen = (with_activity(m) for m in maps)
    inside = np.zeros(SHAPE, bool)
    inside[:, 8:30, 8:30] = True
    error = curve_error(true[0], seen, inside, SPACING_MM, believed=1.0)
    outside = np.where(inside, seen, np.float32(7.0)), np.where(inside, true[0], np.float32(-3.0))
    assert curve_error(outside[1], outside[0], inside, SPACING_MM, believed=1.0) == pytest.approx(error)
