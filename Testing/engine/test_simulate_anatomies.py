"""The anatomies beside the thorax: the same promises hold in each, and each is what its name says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from petkinetics.cli import main
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.series import read_series
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.patient import FDG, DigitalPatient, grid, simulate_patient
from petkinetics.simulate.torso_ct import TorsoCT, ct_labels
from petkinetics.write.tables import read_table

DATA = Path(__file__).parents[1] / "data" / "anatomy_totalsegmentator"
LAST = FrameTiming([3600.0], [300.0])
#: bolus, recirculation and the calibration's frame
FEW = FrameTiming([0.0, 40.0, 1800.0, 3600.0], [40.0, 20.0, 300.0, 300.0])
NEW = ["torso-ct"]
WITH_AORTA = ["thorax", "torso-ct"]


def label_of(patient: DigitalPatient, tissue: str) -> int:
    return next(label for label, name in patient.label_names.items() if name == tissue)


def tissue(patient: DigitalPatient, name: str, depth_mm: float = 0.0) -> np.ndarray:
    """Where a tissue is, at least so deep."""
    mask = patient.labels == label_of(patient, name)
    if depth_mm:
        mask = ndimage.distance_transform_edt(mask, sampling=patient.series.geometry.spacing_mm[::-1]) > depth_mm
    return mask


@pytest.fixture(scope="module")
def patients() -> dict[str, DigitalPatient]:
    return {anatomy: simulate_patient(anatomy, seed=3, timing=FEW) for anatomy in NEW}


# -- promises of every anatomy -----------------------------------------------------------------


@pytest.mark.parametrize("seed", [3, 91_002])
def test_liver_of_the_ct_varies_by_12_percent_at_dose_1(seed: int) -> None:
    """At the paper's voxels, in slices through the liver."""
    full = grid("full", "torso-ct")
    slab = VolumeGeometry((12, *full.shape[1:]), full.spacing_mm, (*full.origin_mm[:2], 50.0))
    scan = simulate_patient("torso-ct", seed=seed, geometry=slab, timing=LAST)
    liver = tissue(scan, "liver", 8.0)
    assert liver.sum() > 5_000
    noisy, clean = scan.series.voxels.values[0][liver], scan.noise_free[0][liver]
    assert noisy.std() / noisy.mean() == pytest.approx(0.12, abs=0.01)
    assert (noisy - clean).std() / clean.mean() == pytest.approx(0.12, abs=0.01)


@pytest.mark.parametrize("anatomy", NEW)
def test_a_seed_is_one_patient_whatever_the_crop(patients, anatomy: str) -> None:
    whole = patients[anatomy]
    geometry = whole.series.geometry
    first = geometry.shape[0] // 2
    origin = (*geometry.origin_mm[:2], geometry.origin_mm[2] + first * geometry.spacing_mm[2])
    crop = VolumeGeometry((10, *geometry.shape[1:]), geometry.spacing_mm, origin)
    again = simulate_patient(anatomy, seed=3, timing=FEW, geometry=crop)
    here = slice(first, first + 10)
    assert np.mean(again.labels != whole.labels[here]) < 1e-3
    same = (again.labels == whole.labels[here])[3:-3]
    np.testing.assert_allclose(again.truth["ki"][3:-3][same], whole.truth["ki"][here][3:-3][same], rtol=1e-3, atol=1e-7)
    other = simulate_patient(anatomy, seed=4, timing=LAST, geometry=crop)
    assert np.mean(other.labels != again.labels) > 0.03


@pytest.mark.parametrize("anatomy", NEW)
def test_body_is_whole_and_has_lesions_of_both_kinds(patients, anatomy: str) -> None:
    patient = patients[anatomy]
    assert not (patient.labels[:, [0, -1]].any() or patient.labels[:, :, [0, -1]].any()), "cut at the sides"
    assert {lesion.malignant for lesion in patient.lesion_list} == {True, False}
    assert set(np.unique(patient.lesions)) - {0} == {lesion.number for lesion in patient.lesion_list}
    pieces, _ = ndimage.label(patient.labels > 0)
    assert np.bincount(pieces.ravel())[1:].max() > 0.98 * np.count_nonzero(pieces)
    assert np.isfinite(patient.truth["ki"]).all()


@pytest.mark.parametrize("anatomy", NEW)
def test_the_blood_region_shows_as_much_blood_as_its_record_says(patients, anatomy: str) -> None:
    patient = patients[anatomy]
    assert (patient.labels[patient.aorta] == label_of(patient, patient.settings["blood_region"])).all()
    volume = np.count_nonzero(patient.aorta) * patient.series.geometry.voxel_volume_ml
    assert volume >= 1.0
    measured = patient.noise_free[:, patient.aorta].mean(axis=1)
    true = patient.input_function.whole_blood_frame_mean(FEW, FDG.decay_per_s)
    purity = patient.settings["blood_region_purity"]
    # the bolus, before tissue has taken up anything: what is seen is the vessel's share
    assert measured[1] / true[1] == pytest.approx(purity, abs=0.05)
    if purity > 0.99:
        np.testing.assert_allclose(measured[1:], true[1:], rtol=0.012)


# -- torso-ct ----------------------------------------------------------------------------------


def test_the_shipped_tissues_are_those_derived_from_the_ct() -> None:
    spec = importlib.util.spec_from_file_location("derive_tissues", DATA / "derive_tissues.py")
    derive_tissues = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(derive_tissues)
    ct, organs = (derive_tissues.patient_axes(name) for name in ("ct.nii.gz", "labels.nii.gz"))
    derived = derive_tissues.derive(sitk.GetArrayFromImage(ct), sitk.GetArrayFromImage(organs))
    shipped = ct_labels()
    assert tuple(shipped.names.values()) == derive_tissues.TISSUES
    assert shipped.spacing_mm == ct.GetSpacing()[0]
    assert np.mean(shipped.labels != derived) < 1e-4
    # organs are where the labels say, but for the skin
    for label, name in ((52, "aorta"), (5, "liver"), (2, "kidney")):
        inside = sitk.GetArrayFromImage(organs) == label
        index = derive_tissues.LABEL[name]
        assert (shipped.labels[inside] == index).mean() > 0.99


def test_organs_of_the_ct_keep_their_place_and_size(patients) -> None:
    patient = patients["torso-ct"]
    x, y, z = grid_axes(patient.series.geometry)

    def centre(name: str) -> np.ndarray:
        return np.array([axis[i].mean() for axis, i in zip((z, y, x), np.nonzero(tissue(patient, name)), strict=True)])

    liver, spleen, aorta = centre("liver"), centre("spleen"), centre("aorta")
    cava, spine = centre("inferior vena cava"), centre("vertebrae")
    assert liver[2] < -30 < 30 < spleen[2], "the liver is right, the spleen left"
    assert cava[2] < aorta[2], "the vena cava is right of the aorta"
    assert aorta[1] < spine[1], "the aorta is before the spine"
    voxel = patient.series.geometry.voxel_volume_ml
    for name, low, high in (("liver", 600, 1500), ("spleen", 90, 350), ("kidney", 180, 450), ("aorta", 25, 70)):
        assert low < np.count_nonzero(tissue(patient, name)) * voxel < high, name


def test_patients_made_of_one_ct_are_turned_scaled_and_bent() -> None:
    bodies = [TorsoCT(seed, 63.0) for seed in range(92_000, 92_030)]
    angles = np.array([body.angles_degrees for body in bodies])
    assert np.all(np.abs(angles) <= 10.0)
    assert angles[:, 0].std() > 2.0
    scales = np.array([body.scale for body in bodies])
    assert np.all((scales > 0.75) & (scales < 1.2))
    assert scales.std(axis=0).min() > 0.01
    assert np.prod(TorsoCT(1, 90.0).scale) > 1.15 * np.prod(TorsoCT(1, 55.0).scale)
    x, y, z = grid_axes(grid("small", "torso-ct"))
    moved = bodies[0].deformation.displaced(x, y, z)[2] - z[:, None, None]
    assert 2.5 < moved.std() < 6.0


# -- variants of the aorta ---------------------------------------------------------------------


@pytest.mark.parametrize("anatomy", WITH_AORTA)
def test_an_aneurysm_widens_the_aorta_and_leaves_the_person(anatomy: str) -> None:
    usual = simulate_patient(anatomy, seed=92_003, timing=LAST)
    ill = simulate_patient(anatomy, seed=92_003, timing=LAST, variant="aneurysm")
    spacing = ill.series.geometry.spacing_mm

    def widest(patient: DigitalPatient) -> float:
        inside = ndimage.distance_transform_edt(tissue(patient, "aorta"), sampling=spacing[::-1])
        inside[:, : int(0.4 * inside.shape[1])] = 0  # not the arch
        return 2 * float(inside[patient.aorta].max())

    assert widest(usual) < 34.0
    assert widest(usual) + 12.0 < widest(ill) < 72.0
    assert ill.settings["variant"] == "aneurysm"
    assert ill.settings["weight_kg"] == usual.settings["weight_kg"]
    assert np.mean(ill.labels != usual.labels) < 0.03
    assert np.count_nonzero(ill.aorta) > np.count_nonzero(usual.aorta)


@pytest.mark.parametrize("anatomy", WITH_AORTA)
@pytest.mark.parametrize("seed", [92_004, 92_005])
def test_a_scan_may_end_within_the_aorta(anatomy: str, seed: int) -> None:
    usual = simulate_patient(anatomy, seed=seed, timing=LAST)
    short = simulate_patient(anatomy, seed=seed, timing=LAST, variant="partly-out-of-view")
    slices = short.labels.shape[0]
    assert slices < usual.labels.shape[0]
    offset = round(
        (short.series.geometry.origin_mm[2] - usual.series.geometry.origin_mm[2]) / usual.series.geometry.spacing_mm[2]
    )
    assert offset in (0, usual.labels.shape[0] - slices), "one end of the scan is the usual one"
    np.testing.assert_array_equal(short.labels, usual.labels[offset : offset + slices])
    share = np.count_nonzero(tissue(short, "aorta")) / np.count_nonzero(tissue(usual, "aorta"))
    assert 0.15 < share < 0.75
    cut = short.labels[-1 if offset == 0 else 0]
    assert (cut == label_of(short, "aorta")).any(), "the aorta goes on beyond the scan"
    assert short.aorta.any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"variant": "tall"}, "'tall' is not a variant"),
        ({"anatomy": "hand"}, "choose thorax, torso-ct"),
        ({"anatomy": "torso-ct", "size": "huge"}, "'huge' is not a size"),
    ],
)
def test_what_cannot_be_simulated_is_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        simulate_patient(**arguments)  # type: ignore[arg-type]


# -- command line ------------------------------------------------------------------------------


@pytest.mark.parametrize("anatomy", NEW)
@pytest.mark.parametrize("fmt", ["nifti", "dicom"])
def test_the_command_makes_every_anatomy(anatomy: str, fmt: str, tmp_path: Path) -> None:
    out = tmp_path / "patient"
    arguments = ["simulate", str(out), "--anatomy", anatomy, "--seed", "8", "--frames", "1x30,1x300", "--format", fmt]
    assert main(arguments) == 0
    series = read_series(out / ("dicom" if fmt == "dicom" else "pet.nii.gz"))
    expected = grid("small", anatomy)
    assert series.geometry.difference(expected) is None
    for name in ("aorta", "lesions", "labels", "truth/ki", "truth/ki_patlak_9_65"):
        assert sitk.ReadImage(out / f"{name}.nii.gz").GetSize() == expected.shape[::-1]
    names = {row["name"] for row in read_table(out / "labels.tsv")}
    assert {"skin", "lesion"} <= names
    assert read_table(out / "aorta.tsv")[0]["name"] in names
