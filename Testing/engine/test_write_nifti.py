"""NIfTI files as nibabel and SimpleITK read them: every bit, in the right place."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry
from petkinetics.write.nifti import NiftiWriter, write_volume


def turned(*degrees: float) -> np.ndarray:
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


SHAPE, SPACING, ORIGIN = (4, 5, 6), (2.1, 2.3, 3.7), (-101.5, 77.25, -310.125)
PLACES = {
    "axial": np.eye(3),
    "slices reversed": np.diag([1.0, 1.0, -1.0]),
    "prone": np.diag([-1.0, -1.0, 1.0]),
    "mirrored": np.diag([-1.0, 1.0, 1.0]),
    "sagittal": np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    "oblique": turned(17.0, -8.0, 5.0),
    "oblique, reversed": turned(17.0, -8.0, 5.0) @ np.diag([1.0, 1.0, -1.0]),
    "half a turn": turned(180.0, 0.0, 0.0),
    "nearly half a turn": turned(179.9, 0.0, 0.1),
    "oblique sagittal": np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]) @ turned(3.0, 80.0, 44.0),
}


def grid(place: str = "oblique") -> VolumeGeometry:
    return VolumeGeometry(SHAPE, SPACING, ORIGIN, PLACES[place])


def values(seed: int = 0) -> np.ndarray:
    out = np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)
    out[0, 0, :3] = 1e-38, -1e30, np.float32(0.1)
    return out


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("place", PLACES)
def test_nibabel_finds_every_voxel_where_it_was(tmp_path, place, suffix):
    path = tmp_path / f"map{suffix}"
    write_volume(path, values(), grid(place), description="Ki (mL/min/mL)")
    image = nib.load(str(path))
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, values())
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid(place).affine_lps
    sform, s_code = image.header.get_sform(coded=True)
    qform, q_code = image.header.get_qform(coded=True)
    assert (s_code, q_code) == (1, 1), "scanner coordinates, said twice"
    np.testing.assert_allclose(sform, ras, atol=1e-4)
    np.testing.assert_allclose(qform, ras, atol=2e-3)
    np.testing.assert_allclose(image.affine, ras, atol=1e-4)
    np.testing.assert_allclose(image.header.get_zooms(), SPACING, rtol=1e-6)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert image.header["descrip"].item() == b"Ki (mL/min/mL)"
    assert image.get_data_dtype() == np.float32
    assert image.header["scl_slope"] in (0.0, 1.0) or np.isnan(image.header["scl_slope"])


@pytest.mark.parametrize("place", PLACES)
def test_simpleitk_reads_the_same_geometry(tmp_path, place):
    write_volume(tmp_path / "map.nii.gz", values(), grid(place))
    image = sitk.ReadImage(str(tmp_path / "map.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values())
    np.testing.assert_allclose(image.GetSpacing(), SPACING, rtol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), ORIGIN, atol=1e-3)
    np.testing.assert_allclose(np.reshape(image.GetDirection(), (3, 3)), PLACES[place], atol=1e-4)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_slabs_make_the_same_file_as_the_whole(tmp_path, suffix):
    write_volume(tmp_path / f"whole{suffix}", values(), grid())
    with NiftiWriter(tmp_path / f"slabs{suffix}", grid()) as writer:
        for first, last in ((0, 1), (1, 3), (3, 4)):
            writer.write(values()[first:last])
    files = [(tmp_path / f"{name}{suffix}").read_bytes() for name in ("whole", "slabs")]
    if suffix == ".nii.gz":
        files = [gzip.decompress(data) for data in files]
    assert files[0] == files[1]


def test_a_series_of_frames_has_four_dimensions(tmp_path):
    frames = np.stack([values(i) for i in range(3)])
    write_volume(tmp_path / "pet.nii.gz", frames, grid())
    image = nib.load(str(tmp_path / "pet.nii.gz"))
    assert image.shape == (6, 5, 4, 3)
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, frames)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint16", "bool"])
def test_label_maps_keep_their_integers(tmp_path, dtype):
    labels = np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)
    write_volume(tmp_path / "labels.nii.gz", labels, grid())
    image = nib.load(str(tmp_path / "labels.nii.gz"))
    assert image.get_data_dtype().kind in "iu"
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, labels)


def test_float64_becomes_float32(tmp_path):
    write_volume(tmp_path / "a.nii", values().astype(np.float64), grid())
    assert nib.load(str(tmp_path / "a.nii")).get_data_dtype() == np.float32


def test_not_a_number_and_strided_views_survive(tmp_path):
    wide = np.repeat(values(), 2, axis=2)
    wide[1, 1, 2] = np.nan
    write_volume(tmp_path / "a.nii", wide[:, :, ::2], grid())
    np.testing.assert_array_equal(np.asarray(nib.load(str(tmp_path / "a.nii")).dataobj).T, wide[:, :, ::2])


def test_what_does_not_fit_the_grid_is_refused(tmp_path):
    with pytest.raises(InputError):
        write_volume(tmp_path / "a.nii", values()[1:], grid())
    with pytest.raises(InputError, match="40000"):
        NiftiWriter(tmp_path / "b.nii", VolumeGeometry((1, 1, 40000), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))


def test_an_existing_file_is_not_overwritten(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"mine")
    with pytest.raises((FileExistsError, InputError)):
        write_volume(tmp_path / "a.nii", values(), grid())
    assert (tmp_path / "a.nii").read_bytes() == b"mine"


def test_description_is_cut_to_the_header(tmp_path):
    write_volume(tmp_path / "a.nii", values(), grid(), description="x" * 200)
    assert len(nib.load(str(tmp_path / "a.nii")).header["descrip"].item()) <= 80
