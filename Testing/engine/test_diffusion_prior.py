"""The diffusion prior: its solvers against a prior whose answers are known, and what the estimator must keep.

Under a Gaussian prior x ~ N(m, q) and data y = x + n, n ~ N(0, s), everything is known in closed form: the
denoiser is D(x, tau) = m + q / (q + tau^2 s) (x - m), the posterior N(m + q / (q + s) (y - m), q s / (q + s)).
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from petkinetics.errors import Cancelled, InputError
from petkinetics.estimators import make_estimator
from petkinetics.estimators.diffusion_run import START_WEIGHTS
from petkinetics.estimators.estimator import MemorySink, Problem, estimate_in_memory
from petkinetics.estimators.explained import explained
from petkinetics.estimators.noise_correlation import NoiseCorrelation
from petkinetics.estimators.noise_draws import unit_draws
from petkinetics.estimators.normalised_images import NormalisedImages
from petkinetics.estimators.posterior import half_quadratic, posterior_sample, red_diff
from petkinetics.maps import ParametricResult
from petkinetics.series import ArrayVoxels, Tracer
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.studies.patient_problem import middle_slices, problem_of

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


def test_two_divisions_solve_the_two_by_two_system_of_slope_and_intercept() -> None:
    # The frames' fit leaves Ki and V0 with a covariance C; the prior's say z has lambda / tau^2 times its precision.
    rng = np.random.default_rng(0)
    covariance = np.array([[2.0, -90.0], [-90.0, 5000.0]])
    theta = -covariance[0, 1] / covariance[0, 0]
    shape = (1, 1, 5)
    scale = rng.uniform(0.5, 2.0, shape).astype(np.float32)
    contrast = (0.03, 1.7)
    sd = np.sqrt([covariance[0, 0], covariance[1, 1] - covariance[0, 1] ** 2 / covariance[0, 0]])
    sigma = np.stack([s / c * np.sqrt(scale) for s, c in zip(sd, contrast, strict=True)]).astype(np.float32)
    y, z = rng.standard_normal((2, 2, *shape)).astype(np.float32)
    normal = NormalisedImages(y, sigma, contrast, theta, np.ones(2, np.float32))
    found = normal.parameters(half_quadratic(y, lambda *_: z, lambda: sigma, [0.5], 0.3, y))
    for i in range(shape[-1]):
        data = np.linalg.inv(covariance * scale[0, 0, i])
        prior = 0.3 / 0.5**2 * data
        measured, believed = (normal.parameters(v)[:, 0, 0, i] for v in (y, z))
        expected = np.linalg.solve(data + prior, data @ measured + prior @ believed)
        np.testing.assert_allclose(found[:, 0, 0, i], expected, rtol=1e-3)


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


def test_what_noise_cannot_explain_is_given_back_and_nothing_else() -> None:
    correlation = NoiseCorrelation((2.3, 2.3, 2.3), (3.0, 2.0, 2.0))
    shape = (1, 24, 64, 64)
    noise = unit_draws(np.random.default_rng(3), shape, correlation)()
    sigma = np.ones(shape, np.float32)
    truth = np.zeros(shape, np.float32)
    truth[:, 8:16, 20:40, 20:40] = 3.0
    same = explained(noise, np.zeros_like(noise), sigma, correlation)
    assert np.mean(same != 0) < 0.1 and same.std() < 0.1
    # a hot block of 24 x 40 x 40 mm that was levelled comes back in its middle
    back = explained(truth + noise, np.zeros_like(noise), sigma, correlation)
    assert back[0, 10:14, 26:34, 26:34].mean() == pytest.approx(3.0, rel=0.25)


# The estimator, with the weights that come with the engine.


@pytest.fixture(scope="module")
def patient() -> DigitalPatient:
    return simulate_patient("thorax", "small", seed=90_021, dose=0.25, geometry=middle_slices("small", 10))


@pytest.fixture(scope="module")
def problem(patient: DigitalPatient) -> Problem:
    return problem_of(patient, patient.input_function, 9.0, None)


@pytest.fixture(scope="module")
def found(problem: Problem) -> ParametricResult:
    pytest.importorskip("torch")
    return estimate_in_memory(make_estimator("diffusion-prior"), problem)


def errors(patient: DigitalPatient, result: ParametricResult) -> list[float]:
    body = patient.body_mask
    return [
        float(np.sqrt(np.mean((result[name].values - patient.truth[f"{name}_patlak_9_65"])[body] ** 2)))
        for name in ("ki", "v0")
    ]


def with_options(problem: Problem, **options: str) -> Problem:
    return replace(problem, options=options)


def test_ki_and_v0_come_much_nearer_to_the_truth_than_plain_patlak(
    patient: DigitalPatient, problem: Problem, found: ParametricResult
) -> None:
    plain = errors(patient, estimate_in_memory(make_estimator("patlak"), problem))
    ours = errors(patient, found)
    assert ours[0] < 0.55 * plain[0] and ours[1] < 0.6 * plain[1]


@pytest.mark.parametrize(("solver", "gain"), [("start", 0.5), ("hqs", 0.65), ("red-diff", 0.85)])
def test_every_solver_brings_ki_nearer_to_the_truth(
    patient: DigitalPatient, problem: Problem, solver: str, gain: float
) -> None:
    plain = errors(patient, estimate_in_memory(make_estimator("patlak"), problem))[0]
    result = estimate_in_memory(make_estimator("diffusion-prior"), with_options(problem, solver=solver))
    assert errors(patient, result)[0] < gain * plain
    assert result.record["regularisation"]["solver"] == solver


def test_the_result_says_what_was_done_with_what(found: ParametricResult) -> None:
    said = found.record["regularisation"]
    assert said["start"]["by"] == "mean of network of the whole scan, network of the prior, non-local means"
    assert said["evaluations"] == {"start": 6, "prior": said["steps"]}
    assert said["seed"] == 0 and said["samples"] == 0
    assert 0.001 < said["contrast"]["ki"] < 0.1 and 20 < said["theta_min"] < 120
    assert found.record["trained_on"] == "simulated patients"
    assert len(found.record["weights_hash"]) == 64
    assert len(found.record["noise"]["correlation_sd_mm"]) == 3


def test_the_same_seed_gives_the_same_maps_and_another_one_others(problem: Problem, found: ParametricResult) -> None:
    method = make_estimator("diffusion-prior")
    again = estimate_in_memory(method, problem)
    other = estimate_in_memory(method, replace(problem, seed=1))
    np.testing.assert_array_equal(again["ki"].values, found["ki"].values)
    assert np.any(other["ki"].values != found["ki"].values)


def test_samples_give_sd_maps_that_tell_the_size_of_the_error(patient: DigitalPatient, problem: Problem) -> None:
    result = estimate_in_memory(make_estimator("diffusion-prior"), replace(problem, samples=3))
    body = patient.body_mask
    sd = result["ki_sd"].values
    error = np.abs(result["ki"].values - patient.truth["ki_patlak_9_65"])
    assert np.all(sd[problem.mask] > 0) and np.all(sd[~problem.mask] == 0)
    assert 0.5 < np.mean((error <= sd)[body]) < 0.9
    assert "v0_sd" in result.maps


def test_nothing_is_cut_off_at_zero(problem: Problem, found: ParametricResult) -> None:
    # lungs and bowel have hardly any uptake: what is left of their noise has both signs
    assert np.mean(found["ki"].values[problem.mask] < 0) > 0.001


def test_the_strength_nothing_is_plain_patlak(problem: Problem) -> None:
    plain = estimate_in_memory(make_estimator("patlak"), problem)
    result = estimate_in_memory(make_estimator("diffusion-prior"), with_options(problem, strength="0"))
    np.testing.assert_allclose(result["ki"].values, plain["ki"].values, atol=1e-6)


def test_it_can_be_stopped_at_every_batch(problem: Problem) -> None:
    told: list[float] = []

    def stop(share: float, what: str) -> None:
        told.append(share)
        if what == "Drawing on the prior":
            raise Cancelled

    with pytest.raises(Cancelled):
        make_estimator("diffusion-prior").estimate(problem, MemorySink(), stop)
    assert 0.2 < told[-1] < 0.6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"solver": "magic"}}, "'magic' is not a value of the option 'solver'"),
        ({"options": {"steps": "1.5"}}, "not a number of steps"),
        ({"options": {"steps": "0", "solver": "hqs"}}, "not a number of steps"),
        ({"options": {"steps": "many"}}, "'many' is not a value of the option 'steps'"),
        ({"samples": -1}, "-1 samples cannot be drawn"),
        ({"device": "cuda"}, "no CUDA device"),
        ({"weights": Path("nowhere")}, "There is no file 'diffusion-prior.safetensors'"),
    ],
)
def test_what_cannot_be_done_is_said(
    problem: Problem, changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=message):
        estimate_in_memory(make_estimator("diffusion-prior"), replace(problem, **changes))


def test_other_tracers_are_refused(problem: Problem) -> None:
    series = replace(problem.series, tracer=Tracer("Florbetapir", "F-18", 6586.2))
    with pytest.raises(InputError, match="trained on FDG"):
        estimate_in_memory(make_estimator("diffusion-prior"), replace(problem, series=series))


def test_tiles_join_without_seams(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    from petkinetics.estimators import learned_denoiser

    options = {"solver": "hqs", "steps": "1"}
    whole = estimate_in_memory(make_estimator("diffusion-prior"), replace(problem, options=options))["ki"].values
    monkeypatch.setattr(learned_denoiser, "TILE", 64)
    tiled = estimate_in_memory(make_estimator("diffusion-prior"), replace(problem, options=options))["ki"].values
    # Further from a border than the network sees, tiles are the same; what it sees there matters little.
    assert np.sqrt(np.mean((tiled - whole) ** 2)) < 0.02 * whole.std()


# The start by a network that sees the whole scan.


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Own weights: the prior alone; with a start that was not trained yet; such a start alone."""
    pytest.importorskip("torch")
    from petkinetics.networks.default_network import DefaultNetwork
    from petkinetics.networks.weight_files import SHIPPED, write_weights

    found = {name: tmp_path_factory.mktemp(name) for name in ("prior", "both", "start")}
    for name in ("prior", "both"):
        for file in SHIPPED.glob("diffusion-prior.*"):
            shutil.copy(file, found[name])
    network = DefaultNetwork((8, 8, 8, 8), (1, 1, 1, 1))
    for name in ("both", "start"):
        card = {"name": START_WEIGHTS, "architecture": network.sizes, "ranges": {"whole_share": 0.3}}
        write_weights(found[name], START_WEIGHTS, dict(network.state_dict()), card)
    return found


def test_a_start_that_has_learned_nothing_tells_of_one_soft_tissue(
    problem: Problem, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ki and V0 are those of the head's beginning, in Patlak's plot from 9 min on, before the data have their say.
    from petkinetics.networks.default_network import START as SOFT_TISSUE

    monkeypatch.setattr("petkinetics.estimators.diffusion_prior.explained", lambda *images: images[1])
    own = replace(problem, weights=folders["start"], options={"solver": "start"})
    result = estimate_in_memory(make_estimator("diffusion-prior"), own)
    trapped, exchanging, _, fast, fv = SOFT_TISSUE
    inside = problem.mask if problem.mask is not None else result["ki"].values > 0
    ki, v0 = (result[name].values[inside] for name in ("ki", "v0"))
    assert np.ptp(ki) < 1e-5 and ki.mean() == pytest.approx(trapped, rel=0.1)
    assert np.ptp(v0) < 1e-3 and v0.mean() == pytest.approx(exchanging / fast + fv, rel=0.3)
    assert result.record["regularisation"]["evaluations"] == {"start": 1}


def test_the_result_names_both_networks(problem: Problem, folders: dict[str, Path]) -> None:
    from petkinetics.networks.weight_files import read_weights

    own = replace(problem, weights=folders["both"], options={"steps": "1"})
    result = estimate_in_memory(make_estimator("diffusion-prior"), own)
    said = result.record["regularisation"]
    assert said["start"]["weights"]["sha256"] == read_weights(START_WEIGHTS, folders["both"]).sha256
    assert result.record["weights_hash"] == read_weights("diffusion-prior", folders["both"]).sha256
    assert said["start"]["weights"]["sha256"][:12] in result.record["details"]
    assert said["start"]["by"].startswith("mean of network of the whole scan, ")
    assert said["evaluations"] == {"start": 6, "prior": 1}


def test_without_its_weights_the_priors_network_starts_and_the_record_says_so(
    problem: Problem, folders: dict[str, Path]
) -> None:
    own = replace(problem, weights=folders["prior"], options={"solver": "start"})
    found = make_estimator("diffusion-prior").estimate(own, MemorySink())
    said = found.record["regularisation"]["start"]
    assert said["by"] == "network of the prior" and "no weights 'kinetic-network'" in said["why"]
    assert found.applicability is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [("short", "at least 3 frames after 9 min"), ("late", "frames begin .* after the blood peak")],
)
def test_a_scan_that_the_start_cannot_use_is_warned_about(
    problem: Problem, folders: dict[str, Path], changes: str, why: str
) -> None:
    series, timing = problem.series, problem.series.timing
    if changes == "short":
        own = replace(problem, frames=timing.window(3.0, 14.0))
    else:
        values = ArrayVoxels(series.read(problem.frames.tolist()))
        late = replace(series, timing=timing.select(problem.frames), voxels=values)
        own = replace(problem, series=late, frames=np.arange(len(problem.frames)))
    found = make_estimator("diffusion-prior").estimate(
        replace(own, weights=folders["both"], options={"solver": "start"}), MemorySink()
    )
    assert found.record["regularisation"]["start"]["by"] == "network of the prior"
    assert found.applicability is not None
    assert re.search(why, found.applicability.warnings[0])


def test_a_gpu_whose_memory_is_full_changes_the_batches_and_nothing_else(problem: Problem) -> None:
    torch = pytest.importorskip("torch")
    from petkinetics.estimators.learned_denoiser import LearnedDenoiser, Normalisation
    from petkinetics.estimators.normalised_images import NormalisedImages
    from petkinetics.estimators.patlak import prepare_fit
    from petkinetics.estimators.regularised import read_images
    from petkinetics.networks.run import Batches

    class Full(torch.nn.Module):
        """With room for two slices."""

        def forward(self, stack: Any, sigma: Any, level: Any, shared: Any) -> Any:  # noqa: ARG002
            if len(stack) > 2:
                raise torch.cuda.OutOfMemoryError("full")
            return stack[:, :, stack.shape[2] // 2] + sigma

    images = read_images(problem, prepare_fit(problem))[0]
    normal = NormalisedImages.of(images, 1.0)
    network, done = Batches(Full(), torch.device("cpu")), []
    denoise = LearnedDenoiser(
        network, images, normal.sigma, Normalisation(normal.contrast, normal.theta_min), watch=done.append
    )
    np.testing.assert_allclose(denoise(normal.values, 0.5), normal.values + 0.5 * normal.sigma, rtol=1e-5)
    assert len(done) > 1 and sum(done) == pytest.approx(len(images.scale))
