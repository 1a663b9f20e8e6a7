"""The simulated scanner's calibrations: noise level, its correlation, resolution, motion."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import norm

from petkinetics.frames import FrameTiming
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.kernels import blur_taps
from petkinetics.simulate.patient import grid, simulate_patient
from petkinetics.simulate.scanner import Blur, unit_noise
from petkinetics.simulate.thorax import Thorax
from petkinetics.simulate.thorax.template import TISSUES

LIVER = TISSUES.index("liver")
LUNG = TISSUES.index("lung")
LAST = FrameTiming([3600.0], [300.0])
SD_MM = 5.5 / np.sqrt(8 * np.log(2))


def liver_slab() -> VolumeGeometry:
    """The paper's voxels, 26 slices through the liver."""
    full = grid("full")
    return VolumeGeometry((26, *full.shape[1:]), full.spacing_mm, (*full.origin_mm[:2], -75.0))


def interior(mask: np.ndarray, geometry: VolumeGeometry, depth_mm: float) -> np.ndarray:
    return ndimage.distance_transform_edt(mask, sampling=geometry.spacing_mm[::-1]) > depth_mm


@pytest.fixture(scope="module")
def scans():
    return {seed: simulate_patient(seed=seed, geometry=liver_slab(), timing=LAST) for seed in (11, 91_000)}


@pytest.mark.parametrize("seed", [11, 91_000])
def test_liver_voxels_vary_by_12_percent_at_dose_1(scans, seed: int) -> None:
    scan = scans[seed]
    liver = interior(scan.labels == LIVER, scan.series.geometry, 10.0)
    assert liver.sum() > 10_000
    noisy, clean = scan.series.voxels.values[0][liver], scan.noise_free[0][liver]
    assert noisy.std() / noisy.mean() == pytest.approx(0.12, abs=0.01)
    assert (noisy - clean).std() / clean.mean() == pytest.approx(0.12, abs=0.01)
    assert noisy.mean() == pytest.approx(clean.mean(), rel=0.01)


def test_the_coarse_grid_has_the_same_noise() -> None:
    scan = simulate_patient(seed=11, timing=LAST)
    liver = interior(scan.labels == LIVER, scan.series.geometry, 10.0)
    noisy = scan.series.voxels.values[0][liver]
    assert noisy.std() / noisy.mean() == pytest.approx(0.12, abs=0.01)


def test_variance_goes_with_the_inverse_of_dose_and_of_duration(scans) -> None:
    def noise(dose: float, timing: FrameTiming) -> np.ndarray:
        scan = simulate_patient(seed=11, geometry=liver_slab(), timing=timing, dose=dose)
        return scan.series.voxels.values[0] - scan.noise_free[0]

    reference = scans[11]
    full = reference.series.voxels.values[0] - reference.noise_free[0]
    assert noise(0.25, LAST).var() / full.var() == pytest.approx(4.0, rel=1e-3)
    shorter = FrameTiming([3712.5], [75.0])
    assert noise(1.0, shorter).var() / full.var() == pytest.approx(4.0, rel=0.02)


def test_decay_makes_late_frames_noisier() -> None:
    geometry = grid("small")
    timing = FrameTiming([3600.0, 9000.0], [300.0, 300.0])
    scan = simulate_patient(seed=11, timing=timing, geometry=geometry)
    liver = interior(scan.labels == LIVER, geometry, 8.0)
    values = scan.series.voxels.values[:, liver] - scan.noise_free[:, liver]
    per_activity = values.var(axis=1) / scan.noise_free[:, liver].mean(axis=1)
    # two regions' activity change differently, so the lines' share follows only roughly
    assert per_activity[1] / per_activity[0] == pytest.approx(np.exp(np.log(2) / 6586.2 * 5400.0), rel=0.2)


def test_hot_regions_are_noisier_and_cold_ones_are_not_free_of_noise(scans) -> None:
    scan = scans[11]
    residual = scan.series.voxels.values[0] - scan.noise_free[0]
    geometry = scan.series.geometry
    liver = residual[interior(scan.labels == LIVER, geometry, 8.0)].std()
    air = scan.labels == 0
    air[:, 30:-30, 30:-30] = False
    assert 0.01 * liver < residual[air].std() < 0.6 * liver
    assert (scan.series.voxels.values[0][air] < 0).mean() > 0.3, "negative values are kept"


@pytest.mark.parametrize("seed", [11, 91_000])
def test_noise_is_correlated_as_under_a_5_5_mm_kernel(scans, seed: int) -> None:
    scan = scans[seed]
    liver = interior(scan.labels == LIVER, scan.series.geometry, 10.0)
    residual = np.where(liver, scan.series.voxels.values[0] - scan.noise_free[0], np.nan)
    residual /= np.nanstd(residual)
    for axis, step in enumerate(scan.series.geometry.spacing_mm[::-1]):
        ahead = np.roll(residual, -1, axis=axis)
        correlation = np.nanmean(residual * ahead)
        fwhm = step / (2 * np.sqrt(-np.log(correlation))) * np.sqrt(8 * np.log(2))
        assert fwhm == pytest.approx(5.5, rel=0.05), axis


@pytest.mark.parametrize("spacing", [(2.79, 1.95, 1.95), (4.5, 4.4, 4.4)])
def test_the_noise_field_is_that_of_the_kernel_on_any_grid(spacing) -> None:
    field = unit_noise(np.random.default_rng(5), (60, 150, 150), spacing)
    assert field.std() == pytest.approx(1.0, abs=0.01)
    assert abs(field.mean()) < 0.02
    for axis, step in enumerate(spacing):
        for lag in (1, 2, 3):
            first = np.take(field, range(field.shape[axis] - lag), axis=axis)
            second = np.take(field, range(lag, field.shape[axis]), axis=axis)
            expected = np.exp(-((lag * step) ** 2) / (4 * SD_MM**2))
            assert np.mean(first * second) == pytest.approx(expected, abs=0.02), (axis, lag)


def test_frames_do_not_share_noise() -> None:
    timing = FrameTiming([3000.0, 3300.0], [300.0, 300.0])
    scan = simulate_patient(
        seed=11, timing=timing, geometry=VolumeGeometry((8, 96, 96), (4.4, 4.4, 4.5), (-209, -209, -50))
    )
    residual = scan.series.voxels.values - scan.noise_free
    assert abs(np.corrcoef(residual[0].ravel(), residual[1].ravel())[0, 1]) < 0.02


def widths(image: np.ndarray, spacing_zyx) -> list[float]:
    """FWHM (mm) along the axes, from second moments about the centre of mass."""
    result = []
    for axis, step in enumerate(spacing_zyx):
        profile = image.sum(axis=tuple(a for a in range(3) if a != axis))
        at = np.arange(profile.size) * step
        mean = np.average(at, weights=profile)
        result.append(float(np.sqrt(np.average((at - mean) ** 2, weights=profile) * 8 * np.log(2))))
    return result


@pytest.mark.parametrize("size", ["full", "small"])
def test_a_point_is_blurred_to_5_5_mm(size: str) -> None:
    spacing = grid(size).spacing_mm
    point = np.zeros((33, 33, 33), dtype=np.float32)
    point[16, 16, 16] = 1.0
    image = Blur(spacing, None)(point)
    assert image.sum() == pytest.approx(1.0, abs=1e-5)
    assert image.min() >= 0
    np.testing.assert_allclose(widths(image, spacing[::-1]), 5.5, rtol=0.01)


@pytest.mark.parametrize("sd_voxels", [0.05, 0.2, 0.49, 0.51, 0.53, 0.84, 1.2, 3.0])
def test_a_kernel_has_its_width_on_every_grid(sd_voxels: float) -> None:
    taps = blur_taps(sd_voxels)
    at = np.arange(taps.size) - taps.size // 2
    assert taps.sum() == pytest.approx(1.0)
    assert taps.min() >= 0
    assert np.sqrt(np.sum(taps * at**2)) == pytest.approx(sd_voxels, rel=1e-3)


def test_half_the_maximum_lies_5_5_mm_apart() -> None:
    spacing = grid("full").spacing_mm
    point = np.zeros((33, 65, 65), dtype=np.float32)
    point[16, 32, 32] = 1.0
    log = np.log(Blur(spacing, None)(point)[16, 32, 29:36])
    curvature = np.polyfit((np.arange(7) - 3) * spacing[0], log, 2)[0]
    assert np.sqrt(np.log(0.5) / curvature) * 2 == pytest.approx(5.5, rel=0.01)


def test_an_edge_in_the_patient_has_the_width_of_the_resolution() -> None:
    """An edge at the patient's back, where nothing moves, against the normal distribution's shape."""
    geometry = liver_slab()
    body = Thorax(11, 63.0)
    blur = Blur(geometry.spacing_mm, body.motion(*grid_axes(geometry)))
    half = np.zeros(geometry.shape, dtype=np.float32)
    half[:, 190:] = 1.0
    profile = blur(half)[13, :, 128]
    steep = (profile > 0.05) & (profile < 0.95)
    slope = np.polyfit(np.flatnonzero(steep) * geometry.spacing_mm[1], norm.ppf(profile[steep]), 1)[0]
    # an edge that coincides with a voxel border is steeper than its kernel by a voxel's own variance
    fwhm = np.sqrt(8 * np.log(2) * (1 / slope**2 + geometry.spacing_mm[1] ** 2 / 12))
    assert fwhm == pytest.approx(5.5, rel=0.02)


def test_breathing_and_heartbeat_blur_what_moves_and_spare_the_spine() -> None:
    geometry = grid("full")
    x, y, z = grid_axes(geometry)
    body = Thorax(11, 63.0)
    motion = body.motion(x, y, z)
    blur = Blur(geometry.spacing_mm, motion)

    def point_at(position) -> list[float]:
        at = tuple(int(np.argmin(np.abs(a - p))) for a, p in zip((z, y, x), position[::-1], strict=True))
        image = np.zeros(geometry.shape, dtype=np.float32)
        image[at] = 1.0
        near = tuple(slice(i - 14, i + 15) for i in at)
        return widths(blur(image)[near], geometry.spacing_mm[::-1])

    dome, heart, spine = point_at((-60.0, -10.0, -8.0)), point_at(body.template.heart_centre), point_at((0, 60.0, 0.0))
    resolution, breath = 5.5, motion.respiratory_sd_mm * np.sqrt(8 * np.log(2))
    assert dome[0] == pytest.approx(np.hypot(resolution, breath), rel=0.05)
    np.testing.assert_allclose(dome[1:], resolution, rtol=0.02)
    assert min(heart) > 7.0
    np.testing.assert_allclose(spine, resolution, rtol=0.03)


def test_noise_can_be_left_out() -> None:
    scan = simulate_patient(seed=11, timing=LAST, noise=False)
    np.testing.assert_array_equal(scan.series.voxels.values, scan.noise_free)
    assert scan.noise_free.min() >= 0
    assert scan.noise_free[0][scan.labels == LUNG].mean() < scan.noise_free[0][scan.labels == LIVER].mean()
