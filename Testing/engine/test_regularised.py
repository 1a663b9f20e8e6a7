"""Regularised Patlak: what each method must keep, and that it brings Ki nearer to the truth."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from petkinetics.curves import InputFunction
from petkinetics.errors import Cancelled, InputError
from petkinetics.estimators import make_estimator
from petkinetics.estimators.estimator import MemorySink, Problem, estimate_in_memory
from petkinetics.estimators.gaussian import GaussianPatlak, variance_kept
from petkinetics.estimators.joint_total_variation import minimise
from petkinetics.estimators.nlm import Means, half_ball
from petkinetics.estimators.noise_correlation import NoiseCorrelation, noise_correlation
from petkinetics.estimators.patlak import prepare_fit
from petkinetics.estimators.regularised import RegularisedPatlak, read_images
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import patlak_design
from petkinetics.series import ArrayVoxels, DynamicSeries, VolumeGeometry
from petkinetics.simulate.patient import FDG, simulate_patient
from petkinetics.simulate.scanner import NOISE_FWHM_MM, unit_noise
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of

METHODS = ("gaussian", "hypr", "nlm", "total-variation")
TIMING = FrameTiming.parse("6x10,4x30,4x60,4x120,10x300")
SPACING = (4.0, 4.0, 4.5)
SHAPE = (14, 40, 40)


def blood() -> InputFunction:
    time_s = np.concatenate([[0.0, 15.0], np.geomspace(17.0, 3900.0, 200)])
    t = np.maximum(time_s - 15.0, 0.0) / 60.0
    value = 300.0 * t * np.exp(-4.0 * t) + 20.0 * (1 - np.exp(-4.0 * t)) * np.exp(-0.012 * t)
    return InputFunction(time_s, value, value, "plasma")


def series_of(values: np.ndarray) -> DynamicSeries:
    return DynamicSeries(TIMING, VolumeGeometry(values.shape[1:], SPACING), FDG, ArrayVoxels(values))


def frames_of(ki: np.ndarray, v0: np.ndarray) -> np.ndarray:
    design = patlak_design(blood(), TIMING)
    return np.tensordot(design, np.stack([ki, v0]), axes=1).astype(np.float32)


def noise_of(seed: int, frames: np.ndarray, level: float) -> np.ndarray:
    """Correlated noise whose variance follows frame duration and decay, the same in every voxel."""
    zyx = SPACING[::-1]
    mean = frames.mean(axis=(1, 2, 3))
    variance = mean * TIMING.decay_factors(FDG.decay_per_s) / TIMING.duration_s
    fields = [unit_noise(np.random.default_rng([seed, m]), frames.shape[1:], zyx) for m in range(len(frames))]
    return (level * np.sqrt(variance)[:, None, None, None] * np.stack(fields)).astype(np.float32)


def problem_in(values: np.ndarray, mask: np.ndarray | None = None, **options: str) -> Problem:
    return Problem(series_of(values), blood(), TIMING.window(9.0), mask, options)


def run(method: str, problem: Problem, **options: str) -> dict[str, np.ndarray]:
    asked = Problem(problem.series, problem.input_function, problem.frames, problem.mask, options)
    result = estimate_in_memory(make_estimator(method), asked)
    return {name: result[name].values for name in result.maps}


def uniform(seed: int = 0, level: float = 1.5) -> np.ndarray:
    frames = frames_of(np.full(SHAPE, 0.01), np.full(SHAPE, 0.5))
    return frames + noise_of(seed, frames, level)


@pytest.fixture(scope="module")
def patient():  # type: ignore[no-untyped-def]
    return simulate_patient("thorax", "small", seed=90_021, dose=0.5)


@pytest.fixture(scope="module")
def patient_problem(patient) -> Problem:  # type: ignore[no-untyped-def]
    return problem_of(patient, aorta_input(patient, None), 9.0, None)


@pytest.mark.parametrize("method", METHODS)
def test_ki_and_v0_come_nearer_to_the_truth_than_plain_patlak(method: str, patient, patient_problem: Problem) -> None:  # type: ignore[no-untyped-def]
    plain, found = run("patlak", patient_problem), run(method, patient_problem)
    body = patient.body_mask
    # a filter blurs the edges of the blood pool in V0; the others keep them
    gains = {"ki": 0.8, "v0": 0.95} if method == "gaussian" else {"ki": 0.75, "v0": 0.8}
    for name, gain in gains.items():
        truth = patient.truth[f"{name}_patlak_9_65"]
        before, after = (np.sqrt(np.mean((maps[name] - truth)[body] ** 2)) for maps in (plain, found))
        assert after < gain * before


@pytest.mark.parametrize("method", METHODS)
def test_a_uniform_patient_without_noise_stays_as_it_is(method: str) -> None:
    frames = frames_of(np.full(SHAPE, 0.01), np.full(SHAPE, 0.5))
    strength = "0.5" if method in ("nlm", "total-variation") else "12"
    found = run(method, problem_in(frames), strength=strength)
    np.testing.assert_allclose(found["ki"], 0.01, rtol=2e-4)
    np.testing.assert_allclose(found["v0"], 0.5, rtol=2e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strength", ["0", "1e-4"])
def test_strength_near_nothing_is_plain_patlak(method: str, strength: str) -> None:
    problem = problem_in(uniform())
    plain, found = run("patlak", problem), run(method, problem, strength=strength)
    for name in ("ki", "v0"):
        scale = np.abs(plain[name]).max()
        np.testing.assert_allclose(found[name], plain[name], atol=2e-4 * scale)
    if strength == "0":
        # the predicted noise follows the smoothed activity here, the voxel's own in plain Patlak
        np.testing.assert_allclose(found["residual"], plain["residual"], rtol=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_more_strength_gives_a_smoother_map_and_the_record_says_which(method: str) -> None:
    problem = problem_in(uniform())
    strengths = ("0.1", "0.4", "1.5") if method == "total-variation" else ("1.5", "3", "9")
    spread = [run(method, problem, strength=s)["ki"].std() for s in strengths]
    assert all(after < before for before, after in pairwise(spread))
    record = estimate_in_memory(make_estimator(method), problem).record
    assert record["regularisation"]["chosen"] == "automatically"
    assert record["regularisation"]["strength"] > 0


@pytest.mark.parametrize("method", METHODS)
def test_outside_the_mask_there_is_nothing_and_inside_it_the_same(method: str) -> None:
    values = uniform()
    mask = np.zeros(SHAPE, bool)
    mask[2:12, 3:30, 5:33] = True
    found = run(method, problem_in(values, mask), strength="2" if method != "total-variation" else "0.3")
    for name, values_of_map in found.items():
        assert not values_of_map[~mask].any(), name
        assert (values_of_map[mask] != 0).mean() > 0.99, name


@pytest.mark.parametrize("method", METHODS)
def test_a_voxel_that_is_not_a_number_is_refused_with_its_place(method: str) -> None:
    values = uniform()
    values[22, 0, 3, 4] = np.nan
    with pytest.raises(InputError, match=r"Frame 23, slice 1 .*not numbers"):
        run(method, problem_in(values))


@pytest.mark.parametrize("text", ["much", "-1", "nan", "1e9"])
def test_a_strength_that_is_none_is_refused_before_the_work(text: str) -> None:
    with pytest.raises(InputError, match=f"'{text}' is not a value of the option 'strength'"):
        run("total-variation", problem_in(uniform()), strength=text)


@pytest.mark.parametrize("method", METHODS)
def test_a_cancel_is_heard_soon(method: str, patient_problem: Problem) -> None:
    heard: list[float] = []

    def progress(fraction: float, _message: str) -> None:
        heard.append(time.monotonic())
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        make_estimator(method).estimate(patient_problem, MemorySink(), progress)
    assert max(b - a for a, b in pairwise(heard)) < 2.0


@pytest.mark.parametrize("method", METHODS)
def test_progress_never_goes_back_and_ends_at_one(method: str) -> None:
    told: list[float] = []
    make_estimator(method).estimate(problem_in(uniform()), MemorySink(), lambda done, _: told.append(done))
    assert all(a <= b + 1e-9 for a, b in pairwise(told))
    assert told[-1] == pytest.approx(1.0)


def test_gaussian_is_linear_in_the_frames() -> None:
    first, second = uniform(1), uniform(2)
    together = run("gaussian", problem_in(0.5 * first + 0.5 * second), strength="8")
    apart = [run("gaussian", problem_in(values), strength="8") for values in (first, second)]
    # the weights depend on the body's mean only, which is nearly the same in both
    np.testing.assert_allclose(together["ki"], 0.5 * apart[0]["ki"] + 0.5 * apart[1]["ki"], atol=1e-5)


@pytest.mark.parametrize("method", ["gaussian", "hypr"])
def test_the_sd_is_the_scatter_over_repeated_scans(method: str) -> None:
    ki, v0 = np.full(SHAPE, 0.01), np.full(SHAPE, 0.5)
    ki[:, :, 20:] = 0.02
    frames = frames_of(ki, v0)
    runs = [run(method, problem_in(frames + noise_of(s, frames, 1.5)), strength="7") for s in range(16)]
    middle = (slice(3, -3), slice(6, -6), slice(6, -6))
    for name in ("ki", "v0"):
        scatter = np.sqrt(np.mean(np.var([r[name][middle] for r in runs], axis=0, ddof=1)))
        told = np.sqrt(np.mean([r[f"{name}_sd"][middle] ** 2 for r in runs]))
        assert told == pytest.approx(scatter, rel=0.1)


def test_methods_without_an_sd_do_not_pretend_to_one() -> None:
    for method, has in (("gaussian", True), ("hypr", True), ("nlm", False), ("total-variation", False)):
        names = {quantity.name for quantity in make_estimator(method).quantities}
        assert {"ki", "v0", "residual"} <= names
        assert ({"ki_sd", "v0_sd"} <= names) is has
        assert not has or ("ki_sd" in names and "v0_sd" in names)


def test_the_variance_kept_by_a_filter_is_that_of_filtered_noise() -> None:
    from scipy import ndimage

    sd = NOISE_FWHM_MM / 2.354820045
    correlation = NoiseCorrelation((sd, sd, sd), SPACING[::-1])
    field = unit_noise(np.random.default_rng(5), (60, 80, 80), SPACING[::-1])
    for fwhm in (5.0, 10.0):
        filtered = ndimage.gaussian_filter(field, [fwhm / 2.354820045 / step for step in SPACING[::-1]])
        assert filtered[12:-12, 12:-12, 12:-12].var() == pytest.approx(variance_kept(fwhm, correlation), rel=0.1)
    white = NoiseCorrelation((0.0, 0.0, 0.0), SPACING[::-1])
    assert variance_kept(8.0, white) < 0.5 * variance_kept(8.0, correlation)


def test_the_noise_correlation_is_found_in_the_residuals() -> None:
    problem = problem_in(uniform(level=1.0))
    found = noise_correlation(problem, prepare_fit(problem).fit)
    assert found.sd_mm == pytest.approx((NOISE_FWHM_MM / 2.354820045,) * 3, rel=0.1)
    frames = frames_of(np.full(SHAPE, 0.01), np.full(SHAPE, 0.5))
    white = frames + np.random.default_rng(3).normal(0, 0.5, frames.shape).astype(np.float32)
    problem = problem_in(white)
    assert max(noise_correlation(problem, prepare_fit(problem).fit).sd_mm) < 0.3 * SPACING[0]


def test_the_images_have_independent_noise_of_the_scale_told() -> None:
    problem = problem_in(uniform())
    images, _, _ = read_images(problem, prepare_fit(problem))
    noise = images.values - images.values.mean(axis=(1, 2, 3), keepdims=True)
    noise /= np.sqrt(images.scale)
    covariance = np.cov(noise.reshape(2, -1))
    np.testing.assert_allclose(covariance, np.eye(2), atol=0.12)


def reference_objective(u: np.ndarray, f: np.ndarray, w: np.ndarray, strength: float, steps: tuple) -> float:
    squares = np.zeros(u.shape[1:])
    for axis, step in enumerate(steps, start=1):
        difference = np.diff(u.astype(float), axis=axis) * step
        pad = [(0, 0)] * 4
        pad[axis] = (0, 1)
        squares += np.sum(np.pad(difference, pad) ** 2, axis=0)
    return 0.5 * float(np.sum(w * (u - f) ** 2)) + strength * float(np.sqrt(squares).sum())


def test_total_variation_reaches_its_optimum() -> None:
    rng = np.random.default_rng(0)
    f = rng.normal(size=(2, 9, 14, 17)).astype(np.float32)
    f[:, :, :, 8:] += 3.0
    w = rng.uniform(0.5, 2.0, f.shape[1:]).astype(np.float32)
    steps = (0.7, 1.0, 1.0)
    found = minimise(f, w, 0.8, steps, tolerance=1e-5, most_iterations=3000)
    assert found.relative_gap <= 1e-5
    least = reference_objective(found.values, f, w, 0.8, steps)
    # nothing near it is better: neither steps towards the data or the mean, nor random ones
    others = [0.02 * (f - found.values), 0.02 * (found.values.mean() - found.values)]
    others += [1e-2 * rng.normal(size=f.shape) for _ in range(5)]
    for step in others:
        for sign in (1, -1):
            assert reference_objective(found.values + sign * step, f, w, 0.8, steps) > least * (1 - 2e-5)


def test_total_variation_agrees_with_scikit_image_for_one_channel_and_equal_weights() -> None:
    from skimage.restoration import denoise_tv_chambolle

    rng = np.random.default_rng(1)
    f = rng.normal(0, 0.3, (1, 8, 20, 20)).astype(np.float32)
    f[0, :, 5:15, 5:15] += 2.0
    found = minimise(f, np.ones(f.shape[1:], np.float32), 0.4, (1.0, 1.0, 1.0), 1e-6, 4000)
    # scikit-image minimises |u - f|^2 / 2 + weight * TV by Chambolle's dual iteration
    peer = denoise_tv_chambolle(f[0].astype(float), weight=0.4, eps=1e-9, max_num_iter=4000)
    np.testing.assert_allclose(found.values[0], peer, atol=0.02)


def test_non_local_means_is_its_formula() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(2, 9, 15, 16)).astype(np.float32)
    values[:, :, :, 8:] += 2.0
    scale = rng.uniform(0.5, 2.0, values.shape[1:]).astype(np.float32)
    correlation = NoiseCorrelation((2.0, 2.0, 2.0), (4.5, 4.0, 4.0))
    half = half_ball(9.0, correlation, values.shape[1:])
    _, found = Means(values, scale, [0.5, 1.5], (1, 1, 1), correlation).over(half, lambda *_: None)
    whole = [(0, 0, 0), *half, *(tuple(-d for d in step) for step in half)]
    unit = values / np.sqrt(scale)
    for voxel in ((4, 7, 7), (3, 6, 8), (5, 8, 4)):
        top, bottom = np.zeros(2), 0.0
        for step in whole:
            other = tuple(v + d for v, d in zip(voxel, step, strict=True))
            here, there = (unit[(slice(None), *(slice(c - 1, c + 2) for c in centre))] for centre in (voxel, other))
            distance = float(np.sum((here - there) ** 2)) / 27.0
            apart = np.sum((np.array(step) * correlation.spacing_mm) ** 2)
            noise = 4.0 * (1.0 - np.exp(-apart / (4.0 * 2.0**2)))
            weight = np.exp(-max(distance - noise, 0.0) / 1.5**2) / scale[other]
            top += weight * values[(slice(None), *other)]
            bottom += weight
        np.testing.assert_allclose(found[(slice(None), *voxel)], top / bottom, rtol=1e-4)


def test_steps_of_the_search_are_one_of_each_pair_and_wider_where_noise_is() -> None:
    white = NoiseCorrelation((0.0, 0.0, 0.0), (4.0, 2.0, 2.0))
    steps = half_ball(8.0, white, (20, 20, 20))
    assert not {tuple(-d for d in step) for step in steps} & set(steps)
    assert len(steps) == pytest.approx(4 / 3 * np.pi * 8**3 / 16 / 2, rel=0.1)
    grains = NoiseCorrelation((2.4, 2.4, 2.4), (4.0, 2.0, 2.0))
    assert all(y % 2 == 0 and x % 2 == 0 for _, y, x in half_ball(8.0, grains, (20, 20, 20)))


def test_the_result_is_the_same_wherever_the_volume_is_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_in(uniform())
    whole = run("total-variation", problem)
    monkeypatch.setattr("petkinetics.estimators.regularised._SLAB_VALUES", 1)
    monkeypatch.setattr("petkinetics.estimators.joint_total_variation._PIECE_VOXELS", 1)
    pieces = run("total-variation", problem)
    np.testing.assert_allclose(pieces["ki"], whole["ki"], atol=1e-6)


def test_every_method_is_a_regularised_patlak_with_a_meaning_for_its_strength() -> None:
    for method in METHODS:
        estimator = make_estimator(method)
        assert isinstance(estimator, RegularisedPatlak)
        assert estimator.strength_meaning
    assert "strength" in GaussianPatlak.option_names


def test_at_few_counts_the_body_is_still_told_from_the_noise_around_it() -> None:
    # its share of the image decides what noise and contrast the methods see
    few = simulate_patient("thorax", "full", 90_022, dose=0.1, geometry=middle_slices("full", 4))
    mask = problem_of(few, few.input_function, 9.0, 35.0).mask
    assert mask is not None
    assert (mask & few.body_mask).sum() > 0.999 * few.body_mask.sum()
    assert mask.sum() < 1.6 * few.body_mask.sum()
