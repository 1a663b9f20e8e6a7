"""Training of the diffusion prior: its patients, its patches, its command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from petkinetics.errors import InputError
from petkinetics.simulate.patient import grid, simulate_patient
from petkinetics.simulate.seeds import stream
from petkinetics.studies.patient_problem import middle_slices
from petkinetics.training.static_patient import IMAGE_NAMES, StaticPatient, static_only, static_patient

torch = pytest.importorskip("torch")

from petkinetics.networks.noise_schedule import (  # noqa: E402
    IMAGE_SD,
    input_scale,
    output_scale,
    skip_scale,
)
from petkinetics.networks.score_network import SLICES, ScoreNetwork, condition  # noqa: E402
from petkinetics.training.noise_fields import NoiseField, NoiseFields  # noqa: E402
from petkinetics.training.static_patches import PatchSampler  # noqa: E402


@pytest.fixture(scope="module")
def patient() -> StaticPatient:
    return static_patient(7, slices=9)


@pytest.fixture(scope="module")
def sampler(patient: StaticPatient) -> PatchSampler:
    return PatchSampler([patient], seed=0, size=32)


def test_the_scaling_is_velocity_prediction() -> None:
    # With angle phi, tan phi = sigma / d: x0 = cos phi u - sin phi v for the scaled image u = x / sqrt(sigma^2 + d^2) d
    rng = np.random.default_rng(0)
    x0, n, sigma = IMAGE_SD * rng.standard_normal(100), rng.standard_normal(100), 0.8
    x = x0 + sigma * n
    phi = np.arctan(sigma / IMAGE_SD)
    v = np.cos(phi) * n - np.sin(phi) * x0 / IMAGE_SD
    np.testing.assert_allclose(skip_scale(sigma) * x - output_scale(sigma) * v, x0, atol=1e-12)
    assert np.std(input_scale(sigma) * x) == pytest.approx(1.0, abs=0.15)


def test_an_untrained_network_passes_on_what_has_no_noise_and_takes_away_what_is_all_noise() -> None:
    network = ScoreNetwork((8, 16), (1, 1))
    images = torch.randn(1, 2, SLICES, 20, 24)
    shared = torch.from_numpy(condition((0.1, None), (2.0, 1.0), (2.0, 3.0), 0.5, False))[None]
    for sigma, kept in ((1e-4, 1.0), (1e3, 0.0)):
        level = torch.full((1, 2), sigma)
        found = network(images, torch.full((1, 2, 20, 24), sigma), level, shared)
        torch.testing.assert_close(found, kept * images[:, :, SLICES // 2], atol=1e-3, rtol=1e-3)


def test_the_first_images_are_slope_and_intercept_of_the_reference(patient: StaticPatient) -> None:
    rng = stream(7, "static patient")
    from petkinetics.training.static_patient import ANATOMY_SHARES, _some_slices

    anatomy = str(rng.choice(list(ANATOMY_SHARES), p=list(ANATOMY_SHARES.values())))
    geometry = _some_slices(grid("full", anatomy), 9, rng)
    whole = simulate_patient(anatomy, "full", 7, noise=False, geometry=geometry)
    truth = whole.truth["ki_patlak_9_65"]
    assert patient.images[0].astype(np.float32).max() * patient.contrast[0] == pytest.approx(truth.max(), rel=0.03)
    assert patient.images[0].astype(np.float32).sum() * patient.contrast[0] == pytest.approx(truth.sum(), rel=0.02)
    assert (patient.inside > 0).sum() == whole.body_mask.sum()


def test_later_windows_have_later_mean_times(patient: StaticPatient) -> None:
    assert list(patient.theta_min) == sorted(patient.theta_min)
    assert 30 < patient.theta_min[0] < 80


def test_test_patients_are_not_learned_from() -> None:
    with pytest.raises(InputError, match="91000 is not a seed to train with"):
        static_patient(91_000)


def test_a_patient_comes_back_from_its_file(patient: StaticPatient, tmp_path: Path) -> None:
    patient.save(tmp_path / "7.npz")
    again = StaticPatient.load(tmp_path / "7.npz")
    np.testing.assert_array_equal(again.images, patient.images)
    assert again.contrast == patient.contrast and again.theta_min == patient.theta_min and not again.static
    assert [f.name for f in tmp_path.iterdir()] == ["7.npz"]


def test_fields_have_unit_noise_of_their_kernel() -> None:
    rng = np.random.default_rng(0)
    field = NoiseField.random(rng, (4.0, 2.0))
    crops = np.stack([field.crop(rng, 5, 48) for _ in range(30)])
    assert crops.var() == pytest.approx(1.0, abs=0.15)
    sd = 4.0 / 2.3548
    assert np.mean(crops[..., 2:] * crops[..., :-2]) == pytest.approx(np.exp(-4.0 / (4.0 * sd**2)), abs=0.1)
    fields = NoiseFields(rng, count=18, white=2)
    assert fields.white().fwhm == (0.0, 0.0)
    assert all(1.0 <= fields.correlated(1.0, 6.0).fwhm[0] <= 6.0 for _ in range(20))
    assert fields.correlated(40.0, 50.0).fwhm[0] > 3.0


def test_patches_are_the_clean_images_and_the_noise_that_is_told(sampler: PatchSampler) -> None:
    batches = [sampler.batch(24) for _ in range(6)]
    noisy, clean, sigma, weight = (
        torch.cat([getattr(b, name) for b in batches]) for name in ("noisy", "clean", "sigma", "weight")
    )
    measured = torch.cat([b.condition for b in batches])[:, 7] > 0
    assert noisy.shape == (144, 2, SLICES, 32, 32) and clean.shape == sigma.shape == (144, 2, 32, 32)
    assert 0.4 < measured.float().mean() < 0.8
    z = ((noisy[:, :, SLICES // 2] - clean) / sigma)[weight > 0]
    assert 0.7 < float((z**2).mean().sqrt()) < 1.3
    # an absent image is told as such and not asked for
    absent = weight[:, 1] == 0
    assert absent.any() and not measured[absent].any() and torch.all(noisy[absent, 1] == 0)


def test_lesions_are_seen_far_more_often_than_they_are_met(patient: StaticPatient) -> None:
    # a third of the patches is centred on them where there are some
    assert (patient.inside > 1)[2:-2].any(), "the fixture's patient was chosen to have lesions here"
    where = (patient.images[0] * 0 + (patient.inside > 1)).astype(np.float16)
    marked = StaticPatient(
        np.concatenate([where[None]] * len(IMAGE_NAMES)), patient.inside, patient.spacing_mm, (1.0, 1.0),
        patient.theta_min, patient.sd_ratio, static=True,
    )  # fmt: skip
    batch = PatchSampler([marked], 0, 32).batch(60)
    assert float((batch.clean[:, 0].amax(dim=(1, 2)) > 0).float().mean()) > 0.3


def test_own_static_images_teach_one_image_at_a_time() -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(1, 2, (6, 40, 44)).astype(np.float32)
    own = static_only(image, np.ones(image.shape, bool), (3.0, 2.0, 2.0))
    batch = PatchSampler([own], 0, 32, measured_share=1.0).batch(10)
    assert torch.all(batch.weight[:, 1] == 0) and torch.all(batch.condition[:, 7] == 0)


@pytest.mark.slow
def test_the_command_trains_resumes_and_writes_weights_that_the_method_takes(tmp_path: Path) -> None:
    from petkinetics.networks.weight_files import read_weights
    from petkinetics.training.prior_command import train_prior

    out = tmp_path / "prior"
    train_prior("default", out, patients=2, steps=2, workers=0, show=False, device="cpu")
    with pytest.raises(InputError, match="holds a training already"):
        train_prior("default", out, patients=2, steps=3, workers=0, show=False)
    file = train_prior("default", out, resume=True, patients=2, steps=3, workers=0, show=False, device="cpu")
    card = json.loads(file.with_suffix(".json").read_text())
    assert card["training"]["steps_done"] == 3 and card["trained_on"] == "simulated patients"
    assert read_weights("diffusion-prior", out).card["data"]["training_seeds"] == [0, 1]
    with (out / "losses.tsv").open() as stream:
        # a short training is judged at every step
        assert [row["step"] for row in csv.DictReader(stream, delimiter="\t")] == ["1", "2", "3"]


@pytest.mark.slow
def test_own_static_pet_trains_the_engines_weights_further(tmp_path: Path) -> None:
    from petkinetics.networks.weight_files import read_weights
    from petkinetics.simulate.write import write_patient
    from petkinetics.training.prior_command import train_prior

    write_patient(
        simulate_patient("thorax", "small", 3, geometry=middle_slices("small", 6)), tmp_path / "p", fmt="nifti"
    )
    (tmp_path / "static.tsv").write_text("series\np/pet.nii.gz\n", encoding="utf-8")
    out = tmp_path / "own"
    train_prior("default", out, tmp_path / "static.tsv", patients=2, steps=1, workers=0, show=False, device="cpu")
    own, engine = read_weights("diffusion-prior", out), read_weights("diffusion-prior")
    assert own.card["trained_on"] == "own static PET beside simulated patients" and own.card["data"]["series"] == [
        "pet.nii.gz"
    ]
    assert own.card["data"]["training_seeds"] == [0, 1] and own.card["data"]["anatomies"]
    assert not any("simulated patients only" in failure for failure in own.card["known_failures"])
    assert own.card["known_failures"][1:] == engine.card["known_failures"][1:]
    change = max(float((own.tensors[name] - engine.tensors[name]).abs().max()) for name in engine.tensors)
    assert 0 < change < 0.01


def test_a_table_of_own_static_pet_needs_its_column(tmp_path: Path) -> None:
    from petkinetics.training.static_pool import read_static_table

    table = tmp_path / "static.tsv"
    table.write_text("file\nx.nii\n", encoding="utf-8")
    with pytest.raises(InputError, match="needs the column 'series'"):
        read_static_table(table)
    with pytest.raises(InputError, match="cannot be read"):
        read_static_table(tmp_path / "none.tsv")
