"""Compartment models in regions: right parameters, honest errors, fast."""

from __future__ import annotations

import time

import numpy as np
import pytest
from compartment_cases import RATIO, TIMING, TISSUES, blood, curves, standard_deviation, true_ki
from scipy.optimize import curve_fit
from two_tissue_reference import by_matrix

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import two_tissue_frames
from petkinetics.kinetics.region_fit import LARGEST, CompartmentFitter

#: a curve's weights do not decide a noise-free fit
WEIGHTS = np.ones(len(TIMING))


@pytest.mark.parametrize(
    ("model", "k3", "k4"),
    [("one-tissue", 0.0, 0.0), ("two-tissue", 0.05, 0.0), ("two-tissue-reversible", 0.05, 0.012)],
)
def test_a_noise_free_curve_gives_its_parameters_back(model: str, k3: float, k4: float) -> None:
    """The curve comes from a matrix exponential that shares nothing with the engine."""
    true = {"k1": 0.35, "k2": 0.6, "k3": k3, "k4": k4, "fv": 0.07}
    curve = blood()
    frames = by_matrix(
        curve.time_s, curve.plasma_kbq_per_ml, curve.whole_blood_kbq_per_ml, TIMING.start_s, TIMING.duration_s, **true
    )
    found = CompartmentFitter(curve, TIMING, WEIGHTS, model, blood_to_plasma=RATIO).fit(frames)
    for name, (value, _) in found.values.items():
        if name in true:
            assert value == pytest.approx(true[name], rel=1e-4), name
    np.testing.assert_allclose(found.fitted_kbq_per_ml, frames, rtol=1e-5, atol=1e-6)
    if model == "one-tissue":
        assert found.values["vt"][0] == pytest.approx(0.35 / 0.6, rel=1e-4)
    else:
        assert found.values["ki"][0] == pytest.approx(0.93 * 0.35 * k3 / (0.6 + k3), rel=1e-4)
    assert ("v0" in found.values) == (model == "two-tissue")
    if model == "two-tissue":
        assert found.values["v0"][0] == pytest.approx(0.93 * 0.35 * 0.6 / 0.65**2 + 0.07 * RATIO, rel=1e-4)


def test_decay_weighted_frames_are_fitted_as_such() -> None:
    decay = np.log(2.0) / 122.0
    frames = two_tissue_frames(blood(), TIMING, 0.1, 0.2, 0.05, 0.0, 0.05, decay)
    found = CompartmentFitter(blood(), TIMING, WEIGHTS, "two-tissue", decay).fit(frames)
    wrong = CompartmentFitter(blood(), TIMING, WEIGHTS, "two-tissue").fit(frames)
    assert found.values["k3"][0] == pytest.approx(0.05, rel=1e-4)
    assert abs(wrong.values["k3"][0] / 0.05 - 1.0) > 1e-3


@pytest.mark.parametrize("name", TISSUES)
def test_every_tissue_of_a_patient_is_found(name: str) -> None:
    found = CompartmentFitter(blood(), TIMING, WEIGHTS, "two-tissue").fit(curves()[name])
    assert found.values["ki"][0] == pytest.approx(true_ki(name), rel=1e-3)


def test_standard_errors_are_what_scipy_says_and_what_repetition_shows() -> None:
    true = curves()["lesion"]
    sd = standard_deviation(true) / 10.0
    fitter = CompartmentFitter(blood(), TIMING, 1.0 / sd**2, "two-tissue", blood_to_plasma=RATIO)
    rng = np.random.default_rng(4)
    names = ("k1", "k2", "k3", "fv")

    def model(_: object, *p: float) -> np.ndarray:
        return two_tissue_frames(blood(), TIMING, p[0], p[1], p[2], 0.0, p[3])

    expected = dict(zip(names, TISSUES["lesion"], strict=True)) | {"ki": true_ki("lesion")}
    errors: dict[str, list[float]] = {name: [] for name in expected}
    for trial in range(150):
        frames = true + sd * rng.standard_normal(true.size)
        found = fitter.fit(frames)
        for name, value in expected.items():
            errors[name].append((found.values[name][0] - value) / found.values[name][1])
        if trial == 0:
            best, covariance = curve_fit(model, np.arange(true.size), frames, p0=TISSUES["lesion"], sigma=sd)
            np.testing.assert_allclose([found.values[n][0] for n in names], best, rtol=1e-3)
            np.testing.assert_allclose([found.values[n][1] for n in names], np.sqrt(np.diag(covariance)), rtol=0.01)
    for name, scores in errors.items():
        assert 0.85 < np.sqrt(np.mean(np.square(scores))) < 1.2, name
        assert abs(np.mean(scores)) < 0.3, name


def test_a_parameter_at_its_bound_has_no_standard_error() -> None:
    """One tissue's curve leaves the two-tissue fit with k3 = 0."""
    frames = two_tissue_frames(blood(), TIMING, 0.4, 0.6, 0.0, 0.0, 0.05)
    rng = np.random.default_rng(3)
    sd = 0.02 * frames.max() * np.ones_like(frames)
    fitter = CompartmentFitter(blood(), TIMING, 1.0 / sd**2, "two-tissue")
    held = [fitter.fit(frames - 0.2 * np.linspace(0, 1, frames.size) * frames).values["k3"]]
    held += [fitter.fit(frames + sd * rng.standard_normal(frames.size)).values["k3"] for _ in range(20)]
    assert held[0][0] == pytest.approx(0.0, abs=1e-5)
    assert np.isnan(held[0][1])
    for value, se in held:
        assert 0.0 <= value <= LARGEST["k3"]
        assert np.isnan(se) == (value < 1e-6 * LARGEST["k3"])


@pytest.mark.parametrize(
    ("k3", "k4", "best"), [(0.0, 0.0, "one-tissue"), (0.06, 0.0, "two-tissue"), (0.06, 0.02, "two-tissue-reversible")]
)
def test_akaike_prefers_the_model_that_made_the_curve(k3: float, k4: float, best: str) -> None:
    frames = two_tissue_frames(blood(), TIMING, 0.2, 0.4, k3, k4, 0.05)
    sd = standard_deviation(frames) / 20.0
    rng = np.random.default_rng(8)
    fitters = {
        model: CompartmentFitter(blood(), TIMING, 1.0 / sd**2, model)
        for model in ("one-tissue", "two-tissue", "two-tissue-reversible")
    }
    wins = 0
    for _ in range(15):
        measured = frames + sd * rng.standard_normal(frames.size)
        scores = {model: fitter.fit(measured).aic for model, fitter in fitters.items()}
        wins += min(scores, key=lambda model: scores[model]) == best
    assert wins >= 10


def test_the_residual_is_the_noise_of_the_best_frame() -> None:
    """Weighted by 1/variance with the largest weight 1, so that it is the SD of the frame that has it."""
    true = curves()["liver"]
    sd = standard_deviation(true)
    rng = np.random.default_rng(5)
    fitter = CompartmentFitter(blood(), TIMING, 1.0 / sd**2, "two-tissue")
    residuals = [fitter.fit(true + sd * rng.standard_normal(true.size)).residual for _ in range(60)]
    assert np.sqrt(np.mean(np.square(residuals))) == pytest.approx(sd.min(), rel=0.08)


def test_too_few_frames_are_refused() -> None:
    few = FrameTiming(TIMING.start_s[:4], TIMING.duration_s[:4])
    with pytest.raises(InputError, match="Only 4 frames can be used, and the two-tissue fit needs at least 5"):
        CompartmentFitter(blood(), few, np.ones(4), "two-tissue")


def test_a_region_takes_less_than_10_ms() -> None:
    fitter = CompartmentFitter(blood(), TIMING, WEIGHTS, "two-tissue")
    rng = np.random.default_rng(1)
    seconds = []
    for name in (*TISSUES, *TISSUES):
        frames = curves()[name] + standard_deviation(curves()[name]) / 10 * rng.standard_normal(len(TIMING))
        began = time.process_time()
        fitter.fit(frames)
        seconds.append(time.process_time() - began)
    assert np.median(seconds) < 0.010
