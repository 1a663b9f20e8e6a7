"""The folder of a simulated patient."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.curve_statements import CurveContext
from petkinetics.read.curves import read_input_function
from petkinetics.read.series import read_series
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import FDG, simulate_patient
from petkinetics.simulate.write import write_patient
from petkinetics.write.tables import read_table

TRUTH = {"ki", "v0", "k1", "k2", "k3", "k4", "fv", "ki_patlak_9_65", "v0_patlak_9_65"}


@pytest.fixture(scope="module")
def patient():
    geometry = VolumeGeometry((14, 64, 64), (6.0, 6.0, 13.0), (-189.0, -189.0, -80.0))
    return simulate_patient(seed=91_001, geometry=geometry, timing=FrameTiming.parse("3x20,2x120,3x300"))


@pytest.fixture(scope="module")
def nifti(patient, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "nifti"
    write_patient(patient, out, "nifti")
    return out


@pytest.fixture(scope="module")
def dicom(patient, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "dicom"
    write_patient(patient, out, "dicom", vendor="siemens")
    return out


def test_the_folder_holds_what_the_design_says(nifti: Path, dicom: Path) -> None:
    common = {"aorta.nii.gz", "aorta.tsv", "lesions.nii.gz", "lesions.tsv", "labels.nii.gz", "labels.tsv"}
    common |= {"truth", "simulation.json"}
    assert {p.name for p in nifti.iterdir()} == common | {"pet.nii.gz", "pet.json"}
    assert {p.name for p in dicom.iterdir()} == common | {"dicom"}
    expected = {f"{name}.nii.gz" for name in TRUTH} | {"input_function.tsv", "input_function.json"}
    for out in (nifti, dicom):
        assert {p.name for p in (out / "truth").iterdir()} == expected
    assert len(list((dicom / "dicom").rglob("*.dcm"))) == 8 * 14
    assert not list(nifti.parent.glob(".*")), "temporary files are left"


def test_nifti_reads_back_to_the_same_scan(patient, nifti: Path) -> None:
    series = read_series(nifti / "pet.nii.gz")
    np.testing.assert_allclose(series.timing.start_s, patient.series.timing.start_s)
    np.testing.assert_allclose(series.timing.duration_s, patient.series.timing.duration_s)
    np.testing.assert_allclose(series.read(range(8)), patient.series.voxels.values, rtol=1e-6)
    assert series.geometry.difference(patient.series.geometry) is None
    assert series.decay_weighted
    assert series.tracer.half_life_s == FDG.half_life_s
    assert series.tracer.is_fdg
    assert series.weight_kg == patient.series.weight_kg
    assert series.injected_activity_mbq == patient.series.injected_activity_mbq


def test_dicom_reads_back_to_the_same_scan(patient, dicom: Path) -> None:
    series = read_series(dicom / "dicom")
    np.testing.assert_allclose(series.timing.start_s, patient.series.timing.start_s, atol=0.5)
    assert series.geometry.difference(patient.series.geometry) is None
    stored, meant = series.read(range(8)), patient.series.voxels.values
    # int16 with a slope for each image
    assert np.abs(stored - meant).max() < np.abs(meant).max() / 30_000
    assert series.weight_kg == pytest.approx(patient.series.weight_kg)
    assert series.injected_activity_mbq == pytest.approx(patient.series.injected_activity_mbq)


def test_truth_and_labels_lie_on_the_scan_and_keep_their_values(patient, nifti: Path) -> None:
    for name in TRUTH:
        image = sitk.ReadImage(nifti / "truth" / f"{name}.nii.gz")
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), patient.truth[name])
        np.testing.assert_allclose(image.GetOrigin(), patient.series.geometry.origin_mm, atol=1e-4)
        np.testing.assert_allclose(image.GetSpacing(), patient.series.geometry.spacing_mm, rtol=1e-6)
    labels = sitk.GetArrayFromImage(sitk.ReadImage(nifti / "labels.nii.gz"))
    names = {row["index"]: row["name"] for row in read_table(nifti / "labels.tsv")}
    assert set(names) == set(np.unique(labels).tolist()) - {0}
    assert {"liver", "aorta", "lung", "vertebrae", "lesion"} <= set(names.values())
    lesions = sitk.GetArrayFromImage(sitk.ReadImage(nifti / "lesions.nii.gz"))
    rows = read_table(nifti / "lesions.tsv")
    assert {row["index"] for row in rows} == set(np.unique(lesions).tolist()) - {0}
    assert {row["kind"] for row in rows} <= {"malignant", "benign"}
    aorta = sitk.GetArrayFromImage(sitk.ReadImage(nifti / "aorta.nii.gz"))
    np.testing.assert_array_equal(aorta, patient.aorta)


def test_the_true_input_function_reads_back(patient, nifti: Path) -> None:
    curve = read_input_function(nifti / "truth" / "input_function.tsv", CurveContext(FDG.decay_per_s))
    np.testing.assert_allclose(curve.time_s, patient.input_function.time_s)
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, patient.input_function.plasma_kbq_per_ml, rtol=1e-8)
    np.testing.assert_allclose(curve.whole_blood_kbq_per_ml, patient.input_function.whole_blood_kbq_per_ml, rtol=1e-8)
    assert curve.kind == "plasma"


def test_the_record_names_seed_settings_and_version(nifti: Path) -> None:
    import petkinetics

    record = json.loads((nifti / "simulation.json").read_text())
    assert record["seed"] == 91_001
    assert record["dose"] == 1.0
    assert record["anatomy"] == "thorax"
    assert record["petkinetics"] == petkinetics.__version__
    sidecar = json.loads((nifti / "pet.json").read_text())
    required = {"FrameTimesStart", "FrameDuration", "InjectionStart", "ImageDecayCorrected", "ImageDecayCorrectionTime"}
    required |= {"DecayCorrectionFactor", "TracerName", "TracerRadionuclide", "InjectedRadioactivity", "BodyWeight"}
    assert required <= set(sidecar)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"fmt": "minc"}, "'minc' is not a format"), ({"vendor": "acme"}, "'acme' is not a vendor")],
)
def test_unknown_formats_and_vendors_are_refused_and_nothing_is_written(
    patient, tmp_path: Path, arguments, words
) -> None:
    with pytest.raises(InputError, match=words):
        write_patient(patient, tmp_path / "out", **arguments)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_not_touched(patient, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match="exists"):
        write_patient(patient, tmp_path, "nifti")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
