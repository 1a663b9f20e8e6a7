"""Regions: reading label maps, bringing them to the PET grid, curves and statistics in them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from petkinetics.errors import InputError
from petkinetics.estimators.boxes import box_around, box_in_slices
from petkinetics.evaluate.region_statistics import COLUMNS, PEAK_RADIUS_MM, peak, region_rows, sphere_weights
from petkinetics.evaluate.tac import region_curves, tac_rows
from petkinetics.frames import FrameTiming
from petkinetics.maps import KI, V0, ParametricMap
from petkinetics.read.maps import read_map
from petkinetics.read.region_curves import region_mean_curve
from petkinetics.read.region_map import bounding_box
from petkinetics.read.regions import Regions, fractional_coverage, read_regions, to_grid_nearest
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer, VolumeGeometry
from petkinetics.write.tables import read_table, write_table


def rotation(degrees: float, axis: int = 2) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def save(values: np.ndarray, geometry: VolumeGeometry, path: Path) -> Path:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.direction.ravel().tolist())
    sitk.WriteImage(image, str(path))
    return path


def two_regions(geometry: VolumeGeometry) -> np.ndarray:
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    labels[2:5, 3:7, 4:8] = 1
    labels[5, 6, 7] = 2
    return labels


GRID = VolumeGeometry((8, 10, 12), (2.0, 2.5, 3.0), (-10.0, 20.0, 5.0))


def dynamic(values: np.ndarray, geometry: VolumeGeometry = GRID) -> DynamicSeries:
    timing = FrameTiming.parse(f"{len(values)}x60")
    return DynamicSeries(timing, geometry, Tracer("FDG", "F-18", 6586.2), ArrayVoxels(values.astype(np.float32)))


# ----------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd"])
def test_label_map_is_read_in_its_place_whatever_its_number_type(tmp_path, kind, suffix):
    oblique = VolumeGeometry(GRID.shape, GRID.spacing_mm, GRID.origin_mm, rotation(17) @ rotation(5, 0))
    regions = read_regions(save(two_regions(oblique).astype(kind), oblique, tmp_path / f"labels{suffix}"))
    assert regions.label_values == (1, 2)
    assert regions.geometry.difference(oblique, tolerance_mm=1e-3) is None
    np.testing.assert_array_equal(regions.labels, two_regions(oblique))


def test_names_come_from_the_table_beside_the_label_map(tmp_path):
    path = save(two_regions(GRID), GRID, tmp_path / "labels.nii.gz")
    assert read_regions(path).name(2) == "label 2"
    (tmp_path / "labels.tsv").write_text("index\tname\n1\tAorta\n2\tTumour A\n7\tTumour A\n", encoding="utf-8")
    regions = read_regions(path)
    assert (regions.name(1), regions.name(2)) == ("Aorta", "Tumour A (2)")
    assert read_regions(f"{path}:aorta").label_values == (1,)
    assert read_regions(f"{path}:2").label_values == (2,)
    (tmp_path / "labels.tsv").write_bytes("index\tname\n2\tHöhle\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"labels\.tsv is not UTF-8 text"):
        read_regions(path)


@pytest.mark.parametrize(
    ("make", "spec", "message"),
    [
        (None, "labels.nii.gz", "There is no label map labels.nii.gz"),
        ("text", "labels.nii.gz", "could not be read as an image"),
        ("empty", "labels.nii.gz", "empty: every voxel is 0"),
        ("fractions", "labels.nii.gz", "is not a label map: it holds fractions"),
        ("nan", "labels.nrrd", "is not a label map: it holds fractions or values that are not numbers"),
        ("negative", "labels.nii.gz", r"holds negative values \(down to -1000\)"),
        ("4d", "labels.nii.gz", "is not one 3-D volume"),
        ("good", "labels.nii.gz:9", "has no label 9; the labels in it are 1, 2"),
        ("good", "labels.nii.gz:liver", "has no region named 'liver'; it has 1"),
        ("bad table", "labels.nii.gz", "lacks the columns 'index' and 'name'"),
    ],
)
def test_what_is_no_region_is_refused_with_the_reason(tmp_path, make, spec, message):
    path = tmp_path / spec.partition(":")[0]
    labels = two_regions(GRID)
    if make == "text":
        path.write_text("this is no image")
    elif make == "4d":
        sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(labels)] * 2), str(path))
    elif make is not None:
        changed = {
            "empty": labels * 0,
            "fractions": labels * np.float32(0.5),
            "nan": np.where(labels == 2, np.nan, labels).astype(np.float32),
            "negative": np.where(labels == 0, np.int16(-1000), labels),
        }.get(make, labels)
        save(changed, GRID, path)
    if make == "bad table":
        (tmp_path / "labels.tsv").write_text("number\tlabel\n1\tAorta\n")
    with pytest.raises(InputError, match=message):
        read_regions(str(tmp_path / spec))


def test_a_clinical_label_map_is_read_and_boxed_quickly(tmp_path):
    geometry = VolumeGeometry((71, 256, 256), (1.95, 1.95, 2.79))
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    labels[20:50, 100:120, 100:120] = 1
    path = save(labels, geometry, tmp_path / "labels.nii.gz")
    read_regions(path)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        weights = fractional_coverage(read_regions(path), geometry, 1)
        times.append(time.perf_counter() - start)
    assert weights.slices == (20, 50)
    # 50 ms on a quiet machine; the factor is for busy ones
    assert min(times) < 0.15


# ------------------------------------------------------------------------------------ on the PET grid


def test_labels_on_the_pet_grid_already_are_not_resampled():
    regions = Regions(two_regions(GRID), {}, GRID)
    assert to_grid_nearest(regions, GRID) is regions.labels
    weights = fractional_coverage(regions, GRID, 1)
    assert weights.weight.min() == 1.0
    np.testing.assert_array_equal(weights.volume() > 0, regions.labels == 1)


@pytest.mark.parametrize("first", [(1, 2, 3), (-3, 2, -4), (4, -5, 7)])
def test_a_part_of_the_pet_lattice_is_moved_not_resampled(first: tuple[int, int, int]) -> None:
    turned = VolumeGeometry(GRID.shape, GRID.spacing_mm, GRID.origin_mm, rotation(20, 0))
    origin = turned.affine_lps @ [*first[::-1], 1.0]
    part = VolumeGeometry((6, 9, 10), GRID.spacing_mm, origin[:3].tolist(), turned.direction)
    labels = np.random.default_rng(4).integers(0, 3, part.shape).astype(np.uint8)
    expected = np.zeros(GRID.shape, np.uint8)
    for zyx in np.ndindex(part.shape):
        place = tuple(a + b for a, b in zip(zyx, first, strict=True))
        if all(0 <= p < n for p, n in zip(place, GRID.shape, strict=True)):
            expected[place] = labels[zyx]
    regions = Regions(labels, {}, part)
    np.testing.assert_array_equal(to_grid_nearest(regions, turned), expected)
    for label in (1, 2):
        np.testing.assert_array_equal(fractional_coverage(regions, turned, label).volume(), expected == label)
    # half a voxel off, it is another lattice
    off = VolumeGeometry(part.shape, part.spacing_mm, (origin[:3] + 0.5).tolist(), part.direction)
    assert fractional_coverage(Regions(labels, {}, off), turned, 1).weight.min() < 0.9


def test_nearest_labels_take_the_label_at_the_voxel_centre():
    fine = VolumeGeometry((16, 20, 24), (1.0, 1.25, 1.5), (-10.5, 19.375, 4.25))
    labels = np.zeros(fine.shape, dtype=np.int16)
    labels[4:10, 6:14, 8:16] = 3
    coarse = to_grid_nearest(Regions(labels, {}, fine), GRID)
    expected = np.zeros(GRID.shape, dtype=np.int16)
    expected[2:5, 3:7, 4:8] = 3
    np.testing.assert_array_equal(coarse, expected)


@pytest.mark.parametrize("flip", [(), (0,), (1, 2), (0, 1, 2)])
def test_coverage_is_the_exact_overlap_of_boxes_for_parallel_grids(flip):
    """A box of known corners: the covered volume of every PET voxel follows from the overlaps."""
    spacing, shape = np.array([1.3, 0.9, 1.7]), np.array([30, 26, 34])  # x, y, z; finer and not commensurate
    origin = np.array([-9.0, 21.0, 6.0])
    labels = np.zeros(tuple(shape[::-1]), dtype=np.uint8)
    labels[4:9, 5:12, 6:14] = 1
    low = origin + (np.array([6, 5, 4]) - 0.5) * spacing
    high = origin + (np.array([14, 12, 9]) - 0.5) * spacing
    direction, start, stored = np.eye(3), origin.copy(), labels
    for axis in flip:  # the same box, stored with reversed axes
        direction[:, axis] *= -1
        start[axis] += (shape[axis] - 1) * spacing[axis]
        stored = np.flip(stored, 2 - axis)
    fine = VolumeGeometry(shape[::-1], spacing, start, direction)
    weights = fractional_coverage(Regions(np.ascontiguousarray(stored), {}, fine), GRID, 1)
    expected = np.ones(())
    for axis in (2, 1, 0):
        edges = GRID.origin_mm[axis] + (np.arange(GRID.shape[2 - axis] + 1) - 0.5) * GRID.spacing_mm[axis]
        overlap = np.clip(np.minimum(edges[1:], high[axis]) - np.maximum(edges[:-1], low[axis]), 0, None)
        expected = np.multiply.outer(expected, overlap / GRID.spacing_mm[axis])
    np.testing.assert_allclose(weights.volume(), np.where(expected > 1e-3, expected, 0), atol=1e-6)
    assert weights.volume_ml == pytest.approx(np.prod(high - low) / 1000, rel=2e-3)


def test_coverage_follows_permuted_axes():
    """A sagittal label map on an axial PET: the same region, whichever way it is stored."""
    axial = two_regions(GRID)
    direction = np.eye(3)[:, [1, 2, 0]]  # columns: first index along y, second along z, third along x
    spacing = tuple(np.array(GRID.spacing_mm)[[1, 2, 0]])
    # axes (z, y, x) of the stored array are patient (x, z, y)
    stored = np.ascontiguousarray(axial.transpose(2, 0, 1))
    sagittal = Regions(stored, {}, VolumeGeometry(stored.shape, spacing, GRID.origin_mm, direction))
    np.testing.assert_array_equal(to_grid_nearest(sagittal, GRID), axial)
    np.testing.assert_allclose(fractional_coverage(sagittal, GRID, 1).volume(), axial == 1, atol=1e-6)


@pytest.mark.parametrize("angle", [10.0, 33.0])
def test_coverage_of_an_oblique_sphere_keeps_volume_and_centre(angle):
    fine = VolumeGeometry((40, 40, 40), (0.8, 0.8, 0.8), (-4.0, 24.0, 6.0), np.eye(3))
    z, y, x = np.indices(fine.shape)
    ball = ((z - 15) ** 2 + (y - 17) ** 2 + (x - 16) ** 2 < 81).astype(np.uint8)
    centre = np.array([-4.0 + 16 * 0.8, 24.0 + 17 * 0.8, 6.0 + 15 * 0.8])
    turned = rotation(angle)
    pet = VolumeGeometry((20, 24, 24), (2.0, 2.0, 2.5), centre - turned @ np.array([23.0, 23.0, 23.75]), turned)
    weights = fractional_coverage(Regions(ball, {}, fine), pet, 1)
    assert weights.volume_ml == pytest.approx(ball.sum() * fine.voxel_volume_ml, rel=0.01)
    k, j, i = np.unravel_index(weights.index, pet.shape)
    points = pet.affine_lps[:3, :3] @ np.array([i, j, k]) + pet.affine_lps[:3, 3:]
    np.testing.assert_allclose((points * weights.weight).sum(axis=1) / weights.weight.sum(), centre, atol=0.1)


@pytest.mark.parametrize("turn", [0.0, 20.0])
def test_a_region_outside_the_image_is_refused(turn):
    away = VolumeGeometry(GRID.shape, GRID.spacing_mm, (500.0, 20.0, 5.0), rotation(turn))
    regions = Regions(two_regions(away), {1: "Aorta"}, away, "aorta.nii.gz")
    with pytest.raises(InputError, match=r"The region 'Aorta' of aorta.nii.gz lies outside the PET image"):
        fractional_coverage(regions, GRID, 1)
    with pytest.raises(InputError, match="lie outside the PET image"):
        to_grid_nearest(regions, GRID)


# --------------------------------------------------------------------------------------------- curves


def test_region_curve_is_the_mean_and_sd_of_its_voxels_in_every_frame():
    rng = np.random.default_rng(1)
    values = rng.normal(5, 2, (4, *GRID.shape)).astype(np.float32)
    labels = two_regions(GRID)
    curves = region_curves(dynamic(values), Regions(labels, {1: "Liver", 2: "Spot"}, GRID))
    inside = values[:, labels == 1].astype(float)
    np.testing.assert_allclose(curves[0].mean_kbq_per_ml, inside.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(curves[0].sd_kbq_per_ml, inside.std(axis=1, ddof=1), rtol=1e-12)
    assert np.isnan(curves[1].sd_kbq_per_ml).all()
    rows = tac_rows(curves)
    assert list(rows[0]) == ["frame_start", "frame_duration", "Liver", "Spot"]
    assert rows[3]["frame_start"] == 180.0
    assert rows[2]["Spot"] == values[2, 5, 6, 7]


def test_partly_covered_voxels_count_with_their_share():
    """A region covering a ramp's voxels in part: its mean is the ramp at the region's centroid."""
    ramp = np.broadcast_to(np.arange(12, dtype=np.float32), GRID.shape)
    fine = VolumeGeometry((8, 10, 48), (0.5, 2.5, 3.0), (-10.75, 20.0, 5.0))
    labels = np.zeros(fine.shape, dtype=np.uint8)
    labels[3, 4, 9:19] = 1  # x from -10.75 + 8.5*0.5 = -6.5 to -1.5 mm: PET columns 1.75...4.25
    weights = fractional_coverage(Regions(labels, {}, fine), GRID, 1)
    mean, _ = region_mean_curve(dynamic(ramp[None]), weights)
    assert mean[0] == pytest.approx(3.0, abs=1e-6)
    np.testing.assert_allclose(weights.weight, [0.75, 1.0, 0.75], atol=1e-6)


def test_only_the_slices_of_the_region_and_the_frames_wanted_are_read():
    asked = []

    class Watched:
        def read(self, frames, first, last, out=None):
            asked.append((list(frames), first, last))
            out[:] = frames[0]
            return out

    timing = FrameTiming.parse("5x60")
    series = DynamicSeries(timing, GRID, Tracer("", "", 6586.2), Watched())
    weights = fractional_coverage(Regions(two_regions(GRID), {}, GRID), GRID, 1)
    mean, _ = region_mean_curve(series, weights, frames=[1, 3])
    assert asked == [([1], 2, 5), ([3], 2, 5)]
    np.testing.assert_array_equal(mean, [1, 3])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_voxel_is_refused_inside_the_region_and_ignored_outside(bad):
    values = np.ones((3, *GRID.shape), dtype=np.float32)
    values[1, 0, 0, 0] = bad
    regions = Regions(two_regions(GRID), {1: "Liver"}, GRID)
    region_curves(dynamic(values), regions)
    values[1, 3, 4, 5] = bad
    with pytest.raises(InputError, match=r"Frame 2 has voxels that are not a number .* 'Liver'"):
        region_curves(dynamic(values), regions)


def test_regions_partly_outside_the_pet_are_left_out_with_a_warning():
    long = VolumeGeometry((30, 10, 12), GRID.spacing_mm, GRID.origin_mm)
    labels = np.zeros(long.shape, dtype=np.uint8)
    labels[2, 3, 4], labels[25, 3, 4] = 1, 2
    warnings: list[str] = []
    curves = region_curves(
        dynamic(np.ones((2, *GRID.shape))), Regions(labels, {1: "In", 2: "Out"}, long), warn=warnings.append
    )
    assert [c.name for c in curves] == ["In"]
    assert len(warnings) == 1
    assert "'Out'" in warnings[0]


# ----------------------------------------------------------------------------------------- statistics


def test_region_rows_hold_the_agreed_columns_and_numpys_numbers():
    rng = np.random.default_rng(2)
    ki = ParametricMap(rng.normal(0.02, 0.01, GRID.shape).astype(np.float32), KI, GRID)
    v0 = ParametricMap(rng.normal(0.5, 0.1, GRID.shape).astype(np.float32), V0, GRID)
    labels = two_regions(GRID)
    rows = region_rows([ki, v0], Regions(labels, {1: "Liver"}, GRID), se={("Liver", "ki"): 0.0007})
    assert [(r["roi"], r["map"]) for r in rows] == [
        ("Liver", "ki"),
        ("Liver", "v0"),
        ("label 2", "ki"),
        ("label 2", "v0"),
    ]
    assert tuple(rows[0]) == COLUMNS
    assert " ".join(COLUMNS) == "roi map unit voxels volume_ml mean sd se median min max p05 p95 peak"
    x = ki.values[labels == 1].astype(float)
    expected = (48, 48 * 0.015, x.mean(), x.std(ddof=1), 0.0007, np.median(x), x.min(), x.max())
    names = ("voxels", "volume_ml", "mean", "sd", "se", "median", "min", "max")
    np.testing.assert_allclose([rows[0][n] for n in names], expected, rtol=1e-12)
    assert (rows[0]["unit"], rows[1]["unit"]) == ("mL/min/mL", "mL/mL")
    assert rows[1]["se"] is None
    assert rows[2]["sd"] is None  # one voxel has no spread


def test_voxels_outside_the_mask_do_not_pull_the_mean_to_zero():
    labels = two_regions(GRID)
    mask = np.ones(GRID.shape, dtype=bool)
    mask[:, 3] = False
    ki = ParametricMap(np.where(mask, 0.02, 0.0).astype(np.float32), KI, GRID)
    warnings: list[str] = []
    rows = region_rows([ki], Regions(labels, {}, GRID), mask=mask, warn=warnings.append)
    assert rows[0]["mean"] == pytest.approx(0.02)
    assert rows[0]["peak"] == pytest.approx(0.02)
    assert rows[0]["voxels"] == 36
    assert any("12 of 48 voxels" in w for w in warnings)


def test_sphere_weights_hold_one_millilitre_and_their_share_at_the_surface():
    assert 4 / 3 * np.pi * (PEAK_RADIUS_MM / 10) ** 3 == pytest.approx(1.0)
    for spacing in [(2.0, 2.0, 2.0), (1.95, 1.95, 2.79), (4.07, 4.07, 5.0), (0.5, 0.5, 1.0), (20.0, 20.0, 20.0)]:
        weights = sphere_weights(spacing)
        full = weights.max()
        assert weights.sum() == pytest.approx(1.0)
        if max(spacing) < 6:
            assert np.prod(spacing) / full == pytest.approx(1000.0, rel=0.01)
        np.testing.assert_allclose(weights, weights[::-1, ::-1, ::-1], atol=1e-12)


def test_peak_is_the_mean_of_the_hottest_millilitre_centred_in_the_region():
    geometry = VolumeGeometry((15, 21, 21), (2.0, 2.0, 2.5))
    rng = np.random.default_rng(3)
    values = rng.normal(1, 0.2, geometry.shape).astype(np.float32)
    labels = np.zeros(geometry.shape, dtype=bool)
    labels[5:10, 6:14, 7:15] = True
    kernel = sphere_weights(geometry.spacing_mm)
    r = [n // 2 for n in kernel.shape]
    expected = max(
        (kernel * values[k - r[0] : k + r[0] + 1, j - r[1] : j + r[1] + 1, i - r[2] : i + r[2] + 1]).sum()
        for k, j, i in np.argwhere(labels)
    )
    assert peak(values, np.flatnonzero(labels), geometry) == pytest.approx(expected, rel=1e-6)


def test_peak_of_a_large_region_by_transform_equals_the_direct_sum():
    geometry = VolumeGeometry((40, 100, 100), (1.95, 1.95, 2.79))
    rng = np.random.default_rng(4)
    values = rng.normal(1, 0.2, geometry.shape).astype(np.float32)
    values[0, 0, 0] = 40.0  # the hottest sphere is cut by the image's corner
    voxels = np.arange(values.size)
    whole = peak(values, voxels, geometry)
    parts = max(peak(values, part, geometry) for part in np.array_split(voxels, 10))
    assert whole == pytest.approx(parts, rel=1e-9)


# ----------------------------------------------------------------------------------- tables and maps


def test_tables_come_back_as_they_went(tmp_path):
    rows = [
        {"roi": "a b", "n": 12, "x": 0.0123456789, "y": None},
        {"roi": "tab\tin\nname", "n": 0, "x": float("nan"), "y": 1e-9},
    ]
    write_table(tmp_path / "t.tsv", rows)
    assert (tmp_path / "t.tsv").read_bytes() == b"roi\tn\tx\ty\na b\t12\t0.01234568\tn/a\ntab in name\t0\tn/a\t1e-09\n"
    back = read_table(tmp_path / "t.tsv")
    assert back[0] == {"roi": "a b", "n": 12, "x": 0.01234568, "y": None}
    assert back[1]["x"] is None
    value = np.float32(0.1)
    write_table(tmp_path / "f.tsv", [{"v": value / 3}])
    assert read_table(tmp_path / "f.tsv")[0]["v"] == pytest.approx(float(value / 3), rel=5e-7)


def test_a_torn_table_is_refused(tmp_path):
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2\n3\n")
    with pytest.raises(InputError, match=r"Row 3 of t.tsv has 1 cells, its header 2"):
        read_table(tmp_path / "t.tsv")


@pytest.mark.parametrize(
    ("name", "quantity", "unit"),
    [("ki", "ki", "mL/min/mL"), ("ki_patlak_9_65", "ki", "mL/min/mL"), ("v0_sd", "v0_sd", "mL/mL"), ("foo", "foo", "")],
)
def test_a_map_knows_its_quantity_from_its_file_name(tmp_path, name, quantity, unit):
    values = np.arange(np.prod(GRID.shape), dtype=np.float32).reshape(GRID.shape)
    loaded = read_map(save(values, GRID, tmp_path / f"{name}.nii.gz"))
    assert (loaded.quantity.name, loaded.quantity.unit) == (quantity, unit)
    np.testing.assert_array_equal(loaded.values, values)
    assert loaded.geometry.difference(GRID, 1e-3) is None


def test_not_a_number_in_a_map_is_kept_and_refused_within_a_region(tmp_path):
    values = np.ones(GRID.shape, dtype=np.float32)
    values[0, 0, 0] = np.nan
    loaded = read_map(save(values, GRID, tmp_path / "ki.nii.gz"))
    assert np.isnan(loaded.values[0, 0, 0])
    regions = Regions(two_regions(GRID), {1: "Liver"}, GRID)
    region_rows([loaded], regions)
    values[3, 4, 5] = np.nan
    with pytest.raises(InputError, match=r"Ki map has voxels that are not a number .* 'Liver'"):
        region_rows([read_map(save(values, GRID, tmp_path / "ki.nii.gz"))], regions)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_the_box_of_a_region_ends_where_the_region_does(kind: type) -> None:
    voxels = np.zeros((5, 7, 9), kind)
    assert bounding_box(voxels) is None
    voxels[1, 2, 8] = voxels[3, 0, 4] = 1
    box = (slice(1, 4), slice(0, 3), slice(4, 9))
    assert bounding_box(voxels) == box
    mask = voxels > 0
    assert box_around(mask, mask.shape) == box
    assert box_around(None, mask.shape) == (slice(0, 5), slice(0, 7), slice(0, 9))
    wide = box_around(mask, mask.shape, (3.0, 2.0, 1.0), (2.0, 3.0, 3.0))
    assert wide == (slice(0, 5), slice(0, 5), slice(1, 9))
    assert box_in_slices(mask, 2) == (slice(0, 5), slice(0, 5), slice(2, 9))
