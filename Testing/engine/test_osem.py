"""The second noise world: sinograms that are counted, and images reconstructed from them."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from petkinetics.cli import main
from petkinetics.errors import InputError, ResourceError
from petkinetics.estimators.gaussian_width import FWHM_PER_SD
from petkinetics.frames import FrameTiming
from petkinetics.series import VolumeGeometry
from petkinetics.simulate import osem_world, patient
from petkinetics.simulate.kernels import blur_taps, convolve_axes
from petkinetics.simulate.osem import osem
from petkinetics.simulate.osem_world import (
    DETECTOR_FWHM_MM,
    CountingScanner,
    Planes,
    calibrated_sensitivity,
    reconstruct,
    reconstructed_frames,
)
from petkinetics.simulate.patient import Body, grid, noise_cov, simulate_patient
from petkinetics.simulate.projection import (
    VIEWS,
    Disc,
    SystemMatrix,
    disc_pixels,
    line_integrals,
    system_matrix,
    view_degrees,
)
from petkinetics.simulate.sinograms import RANDOMS, SCATTER, ExpectedCounts, attenuation_map, expected_counts
from petkinetics.simulate.thorax.template import TISSUES

LIVER = TISSUES.index("liver")
LAST = FrameTiming([3600.0], [300.0])
SEED = 90_000


def slab(slices: int, z_mm: float = -50.0) -> VolumeGeometry:
    """The paper's voxels, a few slices through the liver."""
    full = grid("full")
    return VolumeGeometry((slices, *full.shape[1:]), full.spacing_mm, (*full.origin_mm[:2], z_mm))


def ellipse(radius: int, *semi_axes: float) -> np.ndarray:
    """A smooth ellipse of ones in a square of side 2 radius + 1."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return ndimage.gaussian_filter(((x / semi_axes[0]) ** 2 + (y / semi_axes[1]) ** 2 < 1).astype(np.float32), 1.5)


@pytest.fixture(scope="module")
def body() -> Body:
    return Body.random("thorax", SEED)


@pytest.fixture(scope="module")
def plane(body) -> tuple[Planes, Disc]:
    planes = Planes.of(body, slab(1), body.input_function, LAST)
    return planes, planes.disc()


@pytest.fixture(scope="module")
def sensitivity(body) -> float:
    return calibrated_sensitivity(body, noise_cov(body))


def liver_of(labels: np.ndarray, depth_mm: float = 8.0) -> np.ndarray:
    return ndimage.distance_transform_edt(labels == LIVER, sampling=(1e3, 1.95, 1.95)) > depth_mm


def back_project(matrix: SystemMatrix, rays: np.ndarray) -> np.ndarray:
    """The transpose of all subsets together: (pixels, n) from (views x rays, n)."""
    return np.sum([part @ rays[rows] for rows, part in zip(matrix.rows, matrix.back, strict=True)], axis=0)


def test_forward_and_back_projection_are_adjoint() -> None:
    matrix = system_matrix(40)
    rng = np.random.default_rng(1)
    image = rng.random((disc_pixels(40).size, 1), dtype=np.float32)
    rays = rng.random((VIEWS * 81, 1), dtype=np.float32)
    left = float(np.vdot(matrix.project(image).astype(float), rays))
    right = float(np.vdot(image.astype(float), back_project(matrix, rays)))
    assert left == pytest.approx(right, rel=1e-6)


def test_the_models_rays_agree_with_scikit_image() -> None:
    from skimage.transform import iradon, radon

    image = ellipse(60, 50, 33)
    image -= 0.7 * ndimage.shift(ellipse(60, 9, 9), (6, 20), order=0)
    measured = radon(image, view_degrees(), circle=True)
    modelled = system_matrix(60).project(image.ravel()[disc_pixels(60)][:, None])
    assert np.abs(modelled[:, 0].reshape(VIEWS, -1).T - measured).max() < 0.01 * measured.max()
    back = iradon(measured, view_degrees(), filter_name=None, circle=True) / (np.pi / (2 * VIEWS))
    ours = back_project(system_matrix(60), measured.T.reshape(-1, 1).astype(np.float32))[:, 0]
    middle = ellipse(60, 40, 25).ravel()[disc_pixels(60)] > 0.99
    ratio = ours[middle] / back.ravel()[disc_pixels(60)][middle]
    assert ratio.mean() == pytest.approx(1.0, abs=1e-3)
    # pixel by pixel they interpolate differently
    assert ratio.std() < 0.01


def test_a_uniform_disc_has_the_chords_of_geometry() -> None:
    y, x = np.mgrid[-60:61, -60:61]
    disc = (x**2 + y**2 < 45**2).astype(np.float32)
    rays = system_matrix(60).project(disc.ravel()[disc_pixels(60)][:, None])[:, 0].reshape(VIEWS, -1)
    chord = 2 * np.sqrt(np.maximum(45.0**2 - np.arange(-60, 61) ** 2, 0.0))
    assert np.abs(rays - chord).mean() < 0.5
    assert rays[:, 60] == pytest.approx(np.full(VIEWS, 90.0), abs=1.5)


def test_frames_projected_together_are_frames_projected_alone() -> None:
    images = np.stack([ellipse(30, 20, 15), 3 * ellipse(30, 10, 12), 0 * ellipse(30, 5, 5)])
    images = np.concatenate([images, images[:2] @ np.eye(61, dtype=np.float32) * 0.5])
    together = line_integrals(images)
    for i, image in enumerate(images):
        assert np.allclose(together[:, i], line_integrals(image[None])[:, 0], atol=1e-3)


def test_a_disc_cuts_and_puts_back_even_beyond_the_image() -> None:
    disc = Disc((40, 50), (12, 25), 20)
    images = np.random.default_rng(0).random((2, 40, 50), dtype=np.float32)
    pixels = disc.cut(images).reshape(2, -1)[:, disc.pixels].T
    y, x = np.mgrid[:40, :50]
    inside = (y - 12) ** 2 + (x - 25) ** 2 <= 400
    assert np.array_equal(disc.put(pixels), images * inside)


def test_without_noise_the_image_is_the_patient(plane) -> None:
    """Attenuation of 3 to 30, efficiencies, scatter and randoms: modelled, they leave the activity."""
    planes, disc = plane
    expected = CountingScanner(0.1, 1.0, SEED).expect(planes, 0, LAST, disc)
    mean = expected.trues + expected.background
    weight = expected.weight * np.float32(1.95)
    image = disc.put(osem(mean, weight, expected.background, system_matrix(disc.radius), iterations=20))[0]
    liver = liver_of(planes.labels)[0]
    sharp = planes.frames[0, 0]
    assert image[liver].mean() == pytest.approx(sharp[liver].mean(), rel=0.01)
    assert np.sqrt(np.mean((image[liver] - sharp[liver]) ** 2)) < 0.03 * sharp[liver].mean()
    usual = reconstruct(expected, mean, disc, 1.95)[0]
    assert usual[liver].mean() == pytest.approx(sharp[liver].mean(), rel=0.01)
    # leaving attenuation out of the model must show
    plain = np.broadcast_to(weight.max(), weight.shape).astype(np.float32)
    wrong = disc.put(osem(mean, plain, expected.background, system_matrix(disc.radius), iterations=2))[0]
    assert wrong[liver].mean() < 0.3 * sharp[liver].mean()


def test_a_point_on_a_warm_body_is_about_5_5_mm_wide() -> None:
    y, x = np.mgrid[-100:101, -100:101]
    body = ((x / 95) ** 2 + (y / 65) ** 2 < 1).astype(np.float32)
    point = body.copy()
    point[100, 100] += 1.0
    taps = blur_taps(DETECTOR_FWHM_MM / FWHM_PER_SD / 1.95)
    rays = line_integrals(convolve_axes(np.stack([body, point]), [None, taps, taps])) * np.float32(1.95)
    through = line_integrals(0.0096 * body[None]) * 1.95
    expected = expected_counts(rays, through[:, 0], np.ones(2), 1.95, SEED)
    images = reconstruct(expected, expected.trues + expected.background, Disc((201, 201), (100, 100), 100), 1.95)
    spot = (images[1] - images[0]).astype(float)

    def width(profile: np.ndarray) -> float:
        fine = np.interp(np.arange(80, 120, 0.01), np.arange(201), profile)
        return 1.95 * 0.01 * np.count_nonzero(fine > 0.5 * fine.max())

    left_right, front_back = width(spot[100]), width(spot[:, 100])
    assert left_right == pytest.approx(4.6, abs=0.3)
    assert front_back == pytest.approx(6.5, abs=0.3)
    assert np.sqrt(left_right * front_back) == pytest.approx(5.5, abs=0.3)


def test_counts_are_poisson_and_keep_their_books(plane) -> None:
    planes, disc = plane
    expected = CountingScanner(0.002, 1.0, SEED).expect(planes, 0, LAST, disc)
    assert expected.background.sum() == pytest.approx((SCATTER + RANDOMS) * expected.trues.sum(), rel=1e-3)
    mean = (expected.trues + expected.background)[:, 0]
    draws = np.stack([expected.draw([np.random.default_rng(i)])[:, 0] for i in range(60)])
    some = mean > 1.0
    assert draws[:, some].sum() == pytest.approx(60 * mean[some].sum(), rel=0.005)
    dispersion = draws[:, some].var(axis=0, ddof=1).mean() / draws[:, some].mean()
    assert dispersion == pytest.approx(1.0, abs=0.02)
    assert np.array_equal(draws, np.round(draws))


def test_counts_follow_activity_time_decay_and_attenuation() -> None:
    activity = np.full((VIEWS * 21, 1), 50.0, dtype=np.float32)
    scale = np.array([0.02])
    free = expected_counts(activity, np.zeros(VIEWS * 21, np.float32), scale, 2.0, 5)
    behind = expected_counts(activity, np.full(VIEWS * 21, np.log(10.0), np.float32), scale, 2.0, 5)
    assert free.trues.mean() == pytest.approx(1.0, rel=0.01)
    assert behind.trues.mean() == pytest.approx(0.1 * free.trues.mean(), rel=1e-5)
    assert free.trues.std() == pytest.approx(0.05, abs=0.01)  # the detectors' efficiencies


def test_bone_and_lung_attenuate_as_they_are() -> None:
    names = {0: "air", 1: "lung", 2: "liver", 3: "vertebrae", 7: "airways"}
    mu = attenuation_map(np.array([[[0, 1, 2, 3, 7]]], dtype=np.uint8), names)[0, 0]
    assert mu == pytest.approx([0.0, 0.0029, 0.0096, 0.0116, 0.0], abs=1e-6)


def test_variance_goes_with_the_inverse_of_dose(plane, sensitivity) -> None:
    planes, disc = plane
    liver = liver_of(planes.labels)[0]
    variance = []
    for dose in (1.0, 0.25):
        expected = CountingScanner(sensitivity, dose, SEED).expect(planes, 0, LAST, disc)
        mean = expected.trues + expected.background
        draws = np.random.default_rng(3).poisson(mean, (len(mean), 4)).astype(np.float32)
        images = reconstruct(expected, np.concatenate([mean, draws], axis=1), disc, 1.95)
        variance.append(np.mean((images[1:, liver] - images[0, liver]) ** 2))
    # a ratio of two estimates of about 10 % each
    assert variance[1] / variance[0] == pytest.approx(4.0, rel=0.2)


def test_liver_voxels_vary_by_12_percent_at_dose_1(sensitivity: float) -> None:
    # the calibration knows nothing of the slices asked for here
    scan = simulate_patient(seed=SEED, geometry=slab(4, -45.0), timing=LAST, noise_world="osem")
    liver = liver_of(scan.labels)
    assert liver.sum() > 8_000
    noisy, clean = scan.series.voxels.values[0][liver], scan.noise_free[0][liver]
    assert noisy.std() / noisy.mean() == pytest.approx(0.12, abs=0.01)
    assert noisy.mean() == pytest.approx(clean.mean(), rel=0.01)
    assert scan.settings["noise_world"] == "osem"
    assert 0.05 < sensitivity < 0.5


def test_the_same_seed_gives_the_same_counts(body: Body) -> None:
    coarse = VolumeGeometry((1, 48, 48), (8.8, 8.8, 4.5), (-206.8, -206.8, -50.0))

    def scan(of: Body, dose: float = 1.0) -> np.ndarray:
        return reconstructed_frames(of, coarse, body.input_function, LAST, dose, sensitivity=0.15)

    one = scan(body)
    assert one.shape == (1, 1, 48, 48)
    assert one.min() >= 0
    assert np.array_equal(one, scan(Body.random("thorax", SEED)))
    assert not np.array_equal(one, scan(body, dose=0.5))


def test_a_coarse_grid_samples_the_same_field_of_view(body) -> None:
    planes = Planes.of(
        body, VolumeGeometry((3, 48, 48), (8.8, 8.8, 4.5), (-206.8, -206.8, -50.0)), body.input_function, LAST
    )
    assert planes.geometry.spacing_mm[0] == pytest.approx(2.2)
    assert planes.geometry.shape == (7, 189, 189)
    assert planes.geometry.origin_mm == pytest.approx((-206.8, -206.8, -59.0))


def test_a_frame_without_activity_is_empty() -> None:
    rays = VIEWS * 17
    zero = np.zeros((rays, 1), np.float32)
    counts = ExpectedCounts(np.ones((rays, 1), np.float32), zero, zero).draw([np.random.default_rng(0)])
    assert osem(counts, np.ones((rays, 1), np.float32), zero, system_matrix(8)).max() < 1e-6


def test_what_cannot_be_reconstructed_is_said(monkeypatch, body) -> None:
    with pytest.raises(InputError, match="square pixels"):
        Planes.of(body, VolumeGeometry((1, 8, 8), (2.0, 3.0, 3.0), (0.0, 0.0, 0.0)), body.input_function, LAST)
    with pytest.raises(InputError, match="not a kind of noise"):
        simulate_patient(noise_world="cauchy")
    real = builtins.__import__

    def without_scikit_image(name, *args, **kwargs):
        if name.startswith("skimage"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_scikit_image)
    with pytest.raises(ResourceError, match=r"petkinetics\[osem\]"):
        line_integrals(np.zeros((1, 17, 17), np.float32))


def test_the_command_line_takes_the_noise_world(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(osem_world, "calibrated_sensitivity", lambda *_: 0.15)
    monkeypatch.setattr(
        patient, "grid", lambda *_: VolumeGeometry((2, 48, 48), (8.8, 8.8, 9.0), (-206.8, -206.8, -50.0))
    )
    out = tmp_path / "patient"
    words = ["simulate", str(out), "--noise", "osem", "--format", "nifti", "--frames", "1x60,1x300", "--seed", "3"]
    assert main(words) == 0
    assert json.loads((out / "simulation.json").read_text())["noise_world"] == "osem"
    assert (out / "pet.nii.gz").exists()
