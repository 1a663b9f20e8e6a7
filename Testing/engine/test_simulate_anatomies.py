"""The anatomies beside the thorax: the same promises hold in each, and each is what its name says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from scipy import ndimage

from petkinetics.cli import main
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.series import read_series
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.patient import ANATOMIES, FDG, DigitalPatient, grid, simulate_patient
from petkinetics.simulate.physiology import draw_kinetics
from petkinetics.simulate.thorax import Thorax
from petkinetics.simulate.torso_ct import TorsoCT, ct_labels
from petkinetics.simulate.total_body import TotalBody
from petkinetics.simulate.variants import partly_out_of_view
from petkinetics.simulate.write import write_patient
from petkinetics.write.tables import read_table

DATA = Path(__file__).parents[1] / "data" / "anatomy_totalsegmentator"
LAST = FrameTiming([3600.0], [300.0])
#: bolus, recirculation and the calibration's frame
FEW = FrameTiming([0.0, 40.0, 1800.0, 3600.0], [40.0, 20.0, 300.0, 300.0])
NEW = ["torso-ct", "total-body", "brain"]
WITH_AORTA = ["thorax", "torso-ct", "total-body"]


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
    another = ANATOMIES[anatomy](4, whole.series.weight_kg).paint(*grid_axes(crop))
    assert np.mean(another != again.labels) > 0.03


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


# -- total-body ---------------------------------------------------------------------------------


def test_a_metre_in_six_beds_is_noisier_by_the_root_of_six(patients) -> None:
    patient = patients["total-body"]
    geometry = patient.series.geometry
    assert geometry.shape[0] * geometry.spacing_mm[2] == pytest.approx(1000.0)
    assert patient.settings["beds"] == 6
    liver = tissue(patient, "liver", 8.0)
    noisy, clean = patient.series.voxels.values[-1][liver], patient.noise_free[-1][liver]
    assert noisy.std() / noisy.mean() == pytest.approx(0.12 * np.sqrt(6), abs=0.01 * np.sqrt(6))
    assert (noisy - clean).std() / clean.mean() == pytest.approx(0.12 * np.sqrt(6), abs=0.012 * np.sqrt(6))


def test_a_person_reaches_from_the_vertex_to_the_thighs(patients) -> None:
    patient = patients["total-body"]
    z = grid_axes(patient.series.geometry)[2]
    height = {
        name: float(z[np.nonzero(tissue(patient, name))[0]].mean())
        for name in ("grey matter", "cerebellum", "lung", "liver", "kidney", "urine", "limb bones")
    }
    order = ["grey matter", "cerebellum", "lung", "liver", "kidney", "urine"]
    assert sorted(order, key=lambda name: -height[name]) == order
    assert not patient.labels[-1].any(), "air above the head"
    thighs = patient.labels[0] > 0
    pieces, count = ndimage.label(thighs)
    assert count == 2, "two thighs"
    assert pieces[:, : thighs.shape[1] // 2].max() != pieces[:, thighs.shape[1] // 2 :].max()
    litres = np.count_nonzero(patient.labels) * patient.series.geometry.voxel_volume_ml / 1000
    assert 0.6 < litres / patient.series.weight_kg < 0.95, "lower legs and feet are not scanned"
    last = patient.noise_free[-1] * patient.series.suv_factor
    suv = {name: float(last[tissue(patient, name)].mean()) for name in height}
    assert set(sorted(suv, key=lambda name: -suv[name])[:3]) >= {"grey matter", "urine"}


def test_the_trunk_of_the_whole_body_is_that_of_the_thorax() -> None:
    """The same seed is the same trunk: one set of shapes, not two."""
    whole, thorax = TotalBody(5, 63.0), Thorax(5, 63.0)
    assert whole.template.heart_size == thorax.template.heart_size
    np.testing.assert_array_equal(whole.template.liver_shift_mm, thorax.template.liver_shift_mm)
    assert list(whole.names.items())[: len(thorax.names)] == list(thorax.names.items())


# -- brain ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "low", "high"), [("grey matter", 0.030, 0.040), ("white matter", 0.0125, 0.0175)])
def test_brain_tissue_takes_up_fdg_as_in_huang_1980(name: str, low: float, high: float) -> None:
    drawn = [draw_kinetics(seed, {1: name})[1] for seed in range(300)]
    ki = np.array([kinetics.ki for kinetics in drawn])
    assert low < ki.mean() < high
    assert ki.std() / ki.mean() > 0.25
    assert {kinetics.k4 for kinetics in drawn} == {0.0}


def test_the_brain_releases_fdg_where_asked_for() -> None:
    crop = VolumeGeometry((4, 60, 60), (3.2, 3.2, 4.0), (-95.0, -95.0, 10.0))
    bound = simulate_patient("brain", seed=6, timing=FEW, geometry=crop, noise=False)
    free = simulate_patient("brain", seed=6, timing=FEW, geometry=crop, noise=False, reversible=True)
    grey, fat = tissue(free, "grey matter"), tissue(free, "skin")
    np.testing.assert_allclose(free.truth["k4"][grey], 0.0068, rtol=1e-5)
    assert np.isnan(free.truth["v0"][grey]).all()
    assert np.isfinite(free.truth["v0"][fat]).all()
    np.testing.assert_array_equal(free.truth["ki"], bound.truth["ki"])
    # released FDG bends the Patlak plot: its slope falls below Ki
    slope, usual = free.truth["ki_patlak_9_65"][grey].mean(), bound.truth["ki_patlak_9_65"][grey].mean()
    assert 0.6 < slope / usual < 0.92
    assert free.noise_free[-1][grey].mean() < 0.95 * bound.noise_free[-1][grey].mean()


def test_white_matter_takes_the_livers_place_in_the_calibration() -> None:
    """Deep white matter, away from grey matter's spill and from lesions."""
    crop = VolumeGeometry((16, 128, 128), (1.5, 1.5, 2.79), (-95.0, -95.0, 10.0))
    patient = simulate_patient("brain", seed=3, timing=LAST, geometry=crop)
    from_lesions = ndimage.distance_transform_edt(patient.lesions == 0, sampling=crop.spacing_mm[::-1])
    white = tissue(patient, "white matter", 6.5) & (from_lesions > 15.0)
    assert white.sum() > 1_000
    noisy, clean = patient.series.voxels.values[0][white], patient.noise_free[0][white]
    assert noisy.std() / noisy.mean() == pytest.approx(0.12, abs=0.01)
    assert 0.08 < (noisy - clean).std() / clean.mean() < 0.12, "the rest is texture"


def test_the_cortex_is_a_folded_ribbon_around_white_matter(patients) -> None:
    patient = patients["brain"]
    voxel = patient.series.geometry.voxel_volume_ml
    volume = {name: np.count_nonzero(patient.labels == label) * voxel for label, name in patient.label_names.items()}
    assert 450 < volume["grey matter"] < 800
    assert 350 < volume["white matter"] < 650
    assert 90 < volume["cerebellum"] < 170
    assert 8 < volume["basal ganglia"] < 30
    spacing = patient.series.geometry.spacing_mm[::-1]
    depth = ndimage.distance_transform_edt(~tissue(patient, "skull"), sampling=spacing)
    grey, white = depth[tissue(patient, "grey matter")], depth[tissue(patient, "white matter")]
    assert np.median(grey) < np.median(white) - 5.0
    assert np.percentile(grey, 90) > 12.0, "sulci take grey matter into the depth"
    assert not (tissue(patient, "skull") & (patient.lesions > 0)).any()
    hemispheres = [tissue(patient, "grey matter")[:, :, part].sum() for part in (slice(0, 42), slice(42, 84))]
    assert hemispheres[0] / hemispheres[1] == pytest.approx(1.0, abs=0.15)


def test_the_carotids_are_too_thin_to_show_blood_alone(patients) -> None:
    patient = patients["brain"]
    assert 0.35 < patient.settings["blood_region_purity"] < 0.9
    assert patient.settings["blood_region"] == "carotid arteries"


# -- variants of the aorta ---------------------------------------------------------------------


@pytest.mark.parametrize("anatomy", WITH_AORTA)
def test_an_aneurysm_widens_the_aorta_and_leaves_the_person(anatomy: str) -> None:
    geometry = VolumeGeometry((50, 64, 64), (4.0, 4.0, 4.0), (-110.0, -96.0, -92.0))
    axes = grid_axes(geometry)
    usual, ill = (ANATOMIES[anatomy](92_003, 63.0, aneurysm) for aneurysm in (False, True))
    aorta = next(label for label, name in usual.names.items() if name == "aorta")
    painted = [body.paint(*axes) for body in (usual, ill)]
    region = usual.input_region(*axes)  # not the arch
    widths = [2 * ndimage.distance_transform_edt((labels == aorta), sampling=4.0)[region].max() for labels in painted]
    assert widths[0] < 34.0
    assert widths[0] + 12.0 < widths[1] < 75.0
    before, after = (labels == aorta for labels in painted)
    assert np.count_nonzero(before & ~after) < 0.12 * np.count_nonzero(before)
    elsewhere = ~before & ~after
    assert np.mean(painted[0][elsewhere] != painted[1][elsewhere]) < 1e-3


@pytest.mark.parametrize("anatomy", WITH_AORTA)
@pytest.mark.parametrize("seed", [92_004, 92_005])
def test_a_scan_may_end_within_the_aorta(anatomy: str, seed: int) -> None:
    body, geometry = ANATOMIES[anatomy](seed, 63.0, False), grid("small", anatomy)
    short = partly_out_of_view(body, seed, geometry)
    aorta = next(label for label, name in body.names.items() if name == "aorta")
    offset = (short.origin_mm[2] - geometry.origin_mm[2]) / geometry.spacing_mm[2]
    assert offset == pytest.approx(0.0) or offset == pytest.approx(geometry.shape[0] - short.shape[0])
    assert short.shape[0] < geometry.shape[0]
    x, y, z = grid_axes(geometry)
    seen = np.isin(z, grid_axes(short)[2])
    area = (body.paint(x, y, z) == aorta).sum(axis=(1, 2))
    assert 0.15 < area[seen].sum() / area.sum() < 0.85
    border = np.flatnonzero(seen)[-1 if offset < 0.5 else 0]
    assert area[border] > 0, "the aorta goes on beyond the scan"


def test_a_variant_is_scanned_and_recorded() -> None:
    whole = simulate_patient("torso-ct", seed=92_004, timing=LAST)
    short = simulate_patient("torso-ct", seed=92_004, timing=LAST, variant="partly-out-of-view")
    assert short.settings["variant"] == "partly-out-of-view"
    assert short.settings["weight_kg"] == whole.settings["weight_kg"]
    slices = np.isin(grid_axes(whole.series.geometry)[2], grid_axes(short.series.geometry)[2])
    np.testing.assert_array_equal(short.labels, whole.labels[slices])
    assert short.aorta.any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"variant": "tall"}, "'tall' is not a variant"),
        ({"anatomy": "hand"}, "choose thorax, torso-ct, total-body, brain"),
        ({"anatomy": "brain", "variant": "aneurysm"}, "no aorta"),
        ({"anatomy": "brain", "variant": "partly-out-of-view"}, "no aorta"),
        ({"anatomy": "torso-ct", "size": "huge"}, "'huge' is not a size"),
    ],
)
def test_what_cannot_be_simulated_is_refused(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        simulate_patient(**arguments)  # type: ignore[arg-type]


# -- command line ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("anatomy", "fmt"), [("torso-ct", "nifti"), ("brain", "nifti"), ("brain", "dicom"), ("total-body", "dicom")]
)
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
    if fmt == "dicom":
        header = pydicom.dcmread(next((out / "dicom").rglob("*.dcm")), stop_before_pixels=True)
        assert header.BodyPartExamined == {"brain": "BRAIN", "total-body": "WHOLEBODY"}[anatomy]


def test_two_scans_of_a_person_are_two_studies(tmp_path: Path) -> None:
    uids = set()
    crop = VolumeGeometry((2, 24, 24), (8.0, 8.0, 8.0), (-92.0, -92.0, 0.0))
    other = VolumeGeometry((2, 24, 24), (8.0, 8.0, 8.0), (-92.0, -92.0, 20.0))
    for n, scan in enumerate(({}, {"dose": 0.5}, {"anatomy": "torso-ct"}, {"geometry": other}, {})):
        write_patient(simulate_patient(**{"seed": 1, "timing": LAST, "geometry": crop, **scan}), tmp_path / str(n))
        header = pydicom.dcmread(next((tmp_path / str(n)).rglob("*.dcm")), stop_before_pixels=True)
        uids.add((header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID))
    assert len(uids) == 4, "the same scan again is the same study"
