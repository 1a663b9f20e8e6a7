"""Maps as PET images: within half a step, in the right place, of the right patient, for readers that know nothing else.

Read back with pydicom and with SimpleITK's series reader (GDCM, as in many viewers), checked with dciodvfy.
"""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from exported_maps import (
    DATA,
    GRIDS,
    PROVENANCE,
    TIMING,
    grid_of,
    header,
    make_map,
    neighbouring_slices,
    run,
    source_headers,
    write_source,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from petkinetics.cli import main
from petkinetics.errors import Cancelled, InputError, ResourceError
from petkinetics.job import ExportJob
from petkinetics.job_file import job_from_json, job_to_json
from petkinetics.maps import ACTIVITY, KI, KI_SD, MRGLC, RESIDUAL, SUV, SUV_BSA, SUV_LBM, V0, ParametricMap, Quantity
from petkinetics.read.dicom import read_dicom
from petkinetics.series import VolumeGeometry
from petkinetics.write.dicom_export import FORMATS, export_maps
from petkinetics.write.dicom_pet_image import StoredValues
from petkinetics.write.nifti import write_volume
from petkinetics.write.result_folder import write_record

AXIAL = GRIDS["axial"]
RATE = Quantity("k2", "k2", "Rate constant", "/min", "/min")


#: what the record of a result says besides: when the frames used were, and the half-life
RECORDED = {
    "frames_used": [
        {"index": f, "start_s": float(TIMING.start_s[f]), "duration_s": float(TIMING.duration_s[f])} for f in (3, 4, 5)
    ],
    "series": {"half_life_s": 6586.2},
}


def smooth_map(grid: VolumeGeometry, quantity: Quantity = KI, **changes: object) -> ParametricMap:
    """A map whose values all fit into 16 bits: noise around zero, and a masked row."""
    values = np.random.default_rng(3).normal(0.02, 0.03, grid.shape).astype(np.float32)
    values[:, -1] = 0.0
    return ParametricMap(values, quantity, grid, {**PROVENANCE, **RECORDED, **changes})


def export(maps: list[ParametricMap], source: Path | list[Path], to: Path) -> list[Path]:
    return export_maps(maps, source, to, ["pet-image"])


@pytest.fixture(scope="module")
def axial_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("axial"), AXIAL)


@pytest.fixture(scope="module")
def exported(axial_source: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Dataset]:
    """The Ki images of the axial source, whole-blood input, without pixels."""
    paths = export([smooth_map(AXIAL)], axial_source, tmp_path_factory.mktemp("out") / "dicom")
    return [header(path) for path in paths]


# --- values and places ------------------------------------------------------------------------------

Volume = tuple[NDArray[np.float64], NDArray[np.float64]]


def read_with_pydicom(folder: Path) -> Volume:
    """Images placed by their own positions, rescaled each by its own slope; affine from (column, row, slice) to LPS."""
    images = [pydicom.dcmread(path) for path in folder.glob("*.dcm")]
    first = images[0]
    row, column = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(row, column)
    images.sort(key=lambda ds: float(np.array(ds.ImagePositionPatient, float) @ normal))
    positions = np.array([ds.ImagePositionPatient for ds in images], float)
    step = np.diff(positions, axis=0).mean(axis=0) if len(images) > 1 else normal * float(first.SliceThickness)
    affine = np.eye(4)
    between_rows, between_columns = map(float, first.PixelSpacing)
    affine[:3] = np.stack([row * between_columns, column * between_rows, step, positions[0]], axis=1)
    values = [ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in images]
    return np.stack(values), affine


def read_with_simpleitk(folder: Path) -> Volume:
    reader = sitk.ImageSeriesReader()
    [series] = reader.GetGDCMSeriesIDs(str(folder))
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), series))
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).astype(np.float64), affine


READERS = {"pydicom": read_with_pydicom, "SimpleITK": read_with_simpleitk}


def assert_within_half_a_step(read: Volume, expected: ParametricMap, step: float) -> None:
    """Every voxel of the map is found at its own point of the patient, to half a step."""
    array, affine = read
    assert array.size == expected.values.size
    k, j, i = (axis.ravel() for axis in np.indices(expected.geometry.shape))
    there = (np.linalg.inv(affine) @ expected.geometry.affine_lps @ np.stack([i, j, k, np.ones(i.size)]))[:3]
    index = np.rint(there).astype(int)
    assert np.abs(there - index).max() < 1e-3, "the voxels lie between those of the map"
    found = array[index[2], index[1], index[0]]
    assert np.abs(found - expected.values.ravel().astype(np.float64)).max() <= 0.5 * step * (1 + 1e-9)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_every_reader_finds_the_values_within_half_a_step_in_the_same_place(
    grid: VolumeGeometry, tmp_path: Path
) -> None:
    source = write_source(tmp_path / "source", grid)
    expected = smooth_map(grid)
    paths = export([expected], source, tmp_path / "dicom")
    assert [path.name for path in paths] == [f"ki_{k + 1:04d}.dcm" for k in range(grid.shape[0])]
    step = float(header(paths[0]).RescaleSlope)
    assert step <= 1e-3 * np.percentile(np.abs(expected.values[expected.values != 0]), 99)
    for read in READERS.values():
        assert_within_half_a_step(read(tmp_path / "dicom"), expected, step)


def test_images_are_numbered_along_the_right_handed_normal(tmp_path: Path) -> None:
    grid = GRIDS["reversed slices"]
    source = write_source(tmp_path / "source", grid)
    images = [header(path) for path in export([smooth_map(grid)], source, tmp_path / "dicom")]
    assert [float(ds.ImagePositionPatient[2]) for ds in images] == sorted(
        float(ds.ImagePositionPatient[2]) for ds in images
    )
    assert [ds.InstanceNumber for ds in images] == [ds.ImageIndex for ds in images] == [1, 2, 3, 4, 5]


def test_one_slope_serves_the_whole_volume_and_there_is_no_intercept(exported: list[Dataset]) -> None:
    assert {ds.RescaleSlope for ds in exported} == {exported[0].RescaleSlope}
    assert {float(ds.RescaleIntercept) for ds in exported} == {0.0}
    for ds in exported:
        assert (ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation) == (16, 16, 15, 1)


# --- steps and saturation ---------------------------------------------------------------------------


def test_what_fits_uses_all_bits() -> None:
    values = np.linspace(-2.0, 8.0, 1001, dtype=np.float32)[None, None]
    stored = StoredValues.of(values)
    assert stored.saturated == 0
    assert stored.integers.max() == 32767
    assert float(stored.slope) == pytest.approx(8.0 / 32767, rel=1e-9)


def test_the_step_is_a_thousandth_of_the_99th_percentile_however_hot_a_voxel_is() -> None:
    """10,000 voxels of 1 and two of 1,000 and -500: the step stays 0.001, the limit is 32.767."""
    values = np.ones((1, 100, 100), dtype=np.float32)
    values[0, 0, :3] = 1000.0, -500.0, 32.0
    stored = StoredValues.of(values)
    assert (float(stored.slope), stored.saturated, stored.limit) == (1e-3, 2, pytest.approx(32.767))
    assert stored.integers[0, 0, :4].tolist() == [32767, -32767, 32000, 1000]


def test_what_is_masked_does_not_make_the_step_finer() -> None:
    values = np.zeros((1, 100, 100), dtype=np.float32)
    values[0, 0, :10] = 1.0
    assert StoredValues.of(values).saturated == 0
    assert float(StoredValues.of(values).slope) == pytest.approx(1 / 32767)


def test_saturated_voxels_are_told_and_recorded(axial_source: Path, tmp_path: Path) -> None:
    hot = smooth_map(AXIAL)
    hot.values[2, 1, 1] = -9.0
    said: list[str] = []
    paths = export_maps([hot], axial_source, tmp_path / "dicom", FORMATS, warn=said.append)
    images = [pydicom.dcmread(path) for path in paths[1:]]
    limit = 32767 * float(images[0].RescaleSlope)
    assert limit < 9.0
    [sentence] = said
    assert sentence.startswith(f"1 voxel of Ki lies beyond {limit:.4g} mL/min/mL")
    for ds in images:
        assert f"1 voxel beyond {limit:.4g} stored as that" in ds.DerivationDescription
    assert images[2].pixel_array[1, 1] == -32767
    assert "stored as that" not in header(paths[0]).DerivationDescription  # the parametric map holds them


def test_a_map_of_zeros_is_exported(axial_source: Path, tmp_path: Path) -> None:
    zeros = ParametricMap(np.zeros(AXIAL.shape, np.float32), KI, AXIAL, PROVENANCE)
    export([zeros], axial_source, tmp_path / "dicom")
    assert not read_with_simpleitk(tmp_path / "dicom")[0].any()


# --- conformance ------------------------------------------------------------------------------------


def errors_found(path: Path) -> list[str]:
    """What dciodvfy calls an error (its exit status does not say)."""
    result = run("dciodvfy", "-new", path)
    lines = (result.stdout + result.stderr).splitlines()
    assert "PETImage" in lines, "dciodvfy did not recognise a PET image"
    return [line for line in lines if line.startswith(("Error", "Abort"))]


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
def test_dciodvfy_finds_no_error_on_images_from_simulated_sources(vendor: str, tmp_path: Path) -> None:
    grid = GRIDS["oblique, reversed, anisotropic"]
    source = write_source(tmp_path / "source", grid, vendor=vendor)
    quantities = (KI, V0, KI_SD, RESIDUAL, MRGLC, SUV, SUV_LBM, SUV_BSA, ACTIVITY)
    maps = [make_map(grid, quantity) for quantity in quantities]
    for path in export(maps, source, tmp_path / "dicom"):
        if path.name.endswith("_0002.dcm"):
            assert errors_found(path) == []


#: folder -> the errors dciodvfy reports for our images because the source has them (docs/dicom.md)
INHERITED = {
    "pet_ge_acrin_nsclc/PT_AC": [
        "</ClinicalTrialSponsorName(0012,0010)> - Empty attribute (no value) for Type 1 Required",
        "</ClinicalTrialSubjectID(0012,0040)> - Missing attribute for Type 1C Conditional",
        "</ClinicalTrialSubjectReadingID(0012,0042)> - Missing attribute for Type 1C Conditional",
        "</Laterality(0020,0060)> - Missing attribute for Type 2C Conditional",
    ],
    "pet_siemens_qin/PT_subset": [],
    "pet_ge_sts/PT_subset": ["</Laterality(0020,0060)> - Missing attribute for Type 2C Conditional"],
}


@pytest.mark.parametrize("folder", INHERITED)
def test_images_from_real_sources_have_no_errors_but_those_of_the_source(folder: str, tmp_path: Path) -> None:
    files, headers = neighbouring_slices(DATA / folder)
    expected = smooth_map(grid_of(headers), frames_used=[0])
    paths = export([expected], files, tmp_path / "dicom")
    found = errors_found(paths[1])
    assert [line for line in found if not any(known in line for known in INHERITED[folder])] == []
    assert len(found) == len(INHERITED[folder])
    of_the_source = run("dciodvfy", "-new", files[1])
    for known in INHERITED[folder]:
        assert known in of_the_source.stdout + of_the_source.stderr
    for read in READERS.values():
        assert_within_half_a_step(read(tmp_path / "dicom"), expected, float(header(paths[0]).RescaleSlope))


# --- who, what and how ------------------------------------------------------------------------------


def test_images_belong_to_the_patient_study_and_frame_of_reference_of_their_source(
    exported: list[Dataset], axial_source: Path
) -> None:
    source = source_headers(axial_source)[0]
    for ds in exported:
        for keyword in [
            *["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientSize", "PatientWeight"],
            *["StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "StudyDescription"],
            *["FrameOfReferenceUID", "BodyPartExamined", "SpecificCharacterSet", "CorrectedImage", "SeriesTime"],
            *["RadiopharmaceuticalInformationSequence", "PatientOrientationCodeSequence", "ReconstructionMethod"],
        ]:
            assert ds[keyword].value == source[keyword].value, keyword
    assert {ds.SeriesInstanceUID for ds in exported} == {exported[0].SeriesInstanceUID}
    assert exported[0].SeriesInstanceUID != source.SeriesInstanceUID
    assert len({ds.SOPInstanceUID for ds in exported}) == len(exported)


def test_images_say_that_they_are_derived_static_and_not_for_diagnosis(exported: list[Dataset]) -> None:
    for ds in exported:
        assert (list(ds.ImageType), list(ds.SeriesType), ds.Modality) == (
            ["DERIVED", "PRIMARY"],
            ["STATIC", "IMAGE"],
            "PT",
        )
        assert ds.SeriesDescription == "Ki (whole-blood input) [mL/min/mL] research only"
        assert ds.ImageComments == "For research only. Not for diagnostic use."
        assert ds.DerivationDescription.startswith("Ki (whole-blood input) by petkinetics")
        assert "whole blood input function" in ds.DerivationDescription
        assert "Not for diagnostic use" in ds.DerivationDescription
        assert ds.Manufacturer == "petkinetics"
        assert ds.ContributingEquipmentSequence[0].Manufacturer == "GE MEDICAL SYSTEMS"


@pytest.mark.parametrize(
    ("quantity", "units", "suv_type", "factor"),
    [
        (KI, "MLMINML", None, 1.0),
        (KI_SD, "MLMINML", None, 1.0),
        (V0, "MLML", None, 1.0),
        (RESIDUAL, "NONE", None, 1.0),
        (MRGLC, "UMOLMINML", None, 1.0),
        (SUV, "GML", "BW", 1.0),
        (SUV_LBM, "GML", "LBMJANMA", 1.0),
        (SUV_BSA, "CM2ML", "BSA", 1.0),
        (ACTIVITY, "BQML", None, 1000.0),
    ],
)
def test_units_and_suv_type_are_the_standards_terms(
    quantity: Quantity, units: str, suv_type: str | None, factor: float, axial_source: Path, tmp_path: Path
) -> None:
    expected = smooth_map(AXIAL, quantity)
    export([expected], axial_source, tmp_path / "dicom")
    ds = pydicom.dcmread(tmp_path / "dicom" / f"{quantity.name}_0001.dcm")
    assert (ds.Units, ds.get("SUVType")) == (units, suv_type)
    stored = ds.pixel_array * float(ds.RescaleSlope)
    assert np.allclose(stored, factor * expected.values[0], atol=0.501 * float(ds.RescaleSlope), rtol=0)
    # The real-world value is the quantity itself, in its UCUM unit, whatever the stored unit is.
    [mapping] = ds.RealWorldValueMappingSequence
    said = {"suv": "g/ml{SUVbw}", "suv_lbm": "g/ml{SUVlbm(Janma)}", "suv_bsa": "cm2/ml{SUVbsa}"}
    [code] = mapping.MeasurementUnitsCodeSequence
    assert (code.get("CodeValue") or code.LongCodeValue) == said.get(quantity.name, quantity.ucum)
    assert float(mapping.RealWorldValueSlope) == pytest.approx(float(ds.RescaleSlope) / factor, rel=1e-12)


def test_an_suv_image_is_read_back_as_suv_by_this_reader(axial_source: Path, tmp_path: Path) -> None:
    expected = smooth_map(AXIAL, SUV)
    paths = export([expected], axial_source, tmp_path / "dicom")
    series = read_dicom(tmp_path / "dicom", require_dynamic=False)
    assert series.suv_factor == pytest.approx(1.0)
    suv = series.read([0])[0] * series.weight_kg / series.injected_activity_mbq
    assert np.abs(suv - expected.values).max() <= 0.501 * float(header(paths[0]).RescaleSlope)


def test_ki_images_are_not_mistaken_for_activity(axial_source: Path, tmp_path: Path) -> None:
    export([smooth_map(AXIAL)], axial_source, tmp_path / "dicom")
    with pytest.raises(InputError, match="unit is 'MLMINML'"):
        read_dicom(tmp_path / "dicom", require_dynamic=False)


def test_exports_beside_the_series_do_not_hide_it(tmp_path: Path) -> None:
    source = write_source(tmp_path / "study", AXIAL)
    export([smooth_map(AXIAL), smooth_map(AXIAL, SUV)], source, source / "maps")
    assert len(read_dicom(source).timing) == len(TIMING)


def test_each_image_refers_to_the_images_of_the_frames_used_at_its_position(
    exported: list[Dataset], axial_source: Path
) -> None:
    sources = {str(h.SOPInstanceUID): h for h in source_headers(axial_source)}
    starts_ms = [1000.0 * TIMING.start_s[f] for f in PROVENANCE["frames_used"]]  # type: ignore[attr-defined]
    for ds in exported:
        referred = [sources[str(item.ReferencedSOPInstanceUID)] for item in ds.SourceImageSequence]
        assert [float(h.FrameReferenceTime) for h in referred] == starts_ms
        assert all(np.allclose(h.ImagePositionPatient, ds.ImagePositionPatient) for h in referred)
        assert {item.SpatialLocationsPreserved for item in ds.SourceImageSequence} == {"YES"}


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
def test_times_say_when_the_window_was_and_decay_is_corrected_to_injection(vendor: str, tmp_path: Path) -> None:
    """Whatever the vendor means by its tags: frames of 120, 300 and 300 s from 4 min on, injection at 09:30."""
    source = write_source(tmp_path / "source", AXIAL, vendor=vendor)
    [first, *_] = export([smooth_map(AXIAL, SUV)], source, tmp_path / "dicom")
    ds = header(first)
    assert (ds.SeriesTime, ds.AcquisitionTime) == ("093000.000000", "093400.000000")
    assert (float(ds.FrameReferenceTime), ds.ActualFrameDuration, ds.DecayCorrection) == (600e3, 720000, "ADMIN")
    decay = np.log(2) / 6586.2
    mean_left = (np.exp(-decay * 240.0) - np.exp(-decay * 960.0)) / (decay * 720.0)
    assert float(ds.DecayFactor) == pytest.approx(1 / mean_left, rel=1e-8)
    found = read_dicom(tmp_path / "dicom", require_dynamic=False)
    assert (found.timing.start_s[0], found.timing.duration_s[0]) == (pytest.approx(240.0), pytest.approx(720.0))


def test_an_injection_time_of_the_users_moves_the_window(axial_source: Path, tmp_path: Path) -> None:
    made = smooth_map(AXIAL, overrides={"injection_time": "09:31:30"})
    [first, *_] = export([made], axial_source, tmp_path / "dicom")
    assert header(first).AcquisitionTime == "093530.000000"


def test_without_known_times_the_first_frames_stay(axial_source: Path, tmp_path: Path) -> None:
    made = smooth_map(AXIAL, frames_used=[3, 4, 5])
    [first, *_] = export([made], axial_source, tmp_path / "dicom")
    ds = header(first)
    assert (float(ds.FrameReferenceTime), ds.ActualFrameDuration, float(ds.DecayFactor)) == (240e3, 720000, 1.0)


# --- both formats, what is left out, what is refused ------------------------------------------------


def test_both_formats_appear_together_in_one_flat_folder(axial_source: Path, tmp_path: Path) -> None:
    paths = export_maps([smooth_map(AXIAL), smooth_map(AXIAL, V0)], axial_source, tmp_path / "dicom", FORMATS)
    expected = {"ki.dcm", "v0.dcm", *(f"{n}_{k:04d}.dcm" for n in ("ki", "v0") for k in range(1, 6))}
    assert {path.name for path in (tmp_path / "dicom").iterdir()} == {path.name for path in paths} == expected
    headers = [header(path) for path in paths]
    assert len({ds.SeriesInstanceUID for ds in headers}) == 4
    assert sorted({int(ds.SeriesNumber) for ds in headers}) == [9001, 9002, 9101, 9102]


def test_a_map_without_a_unit_for_pet_images_is_left_out_with_a_sentence(axial_source: Path, tmp_path: Path) -> None:
    said: list[str] = []
    maps = [smooth_map(AXIAL), smooth_map(AXIAL, RATE)]
    paths = export_maps(maps, axial_source, tmp_path / "dicom", FORMATS, warn=said.append)
    assert said == ["DICOM has no unit /min for PET images, so k2 was not written as such; a parametric map holds it."]
    assert {path.name[:2] for path in paths} == {"ki", "k2"}
    assert not list((tmp_path / "dicom").glob("k2_*"))
    with pytest.raises(InputError, match="None of these maps has a unit that DICOM knows for PET images"):
        export([smooth_map(AXIAL, RATE)], axial_source, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_an_unknown_format_is_refused(axial_source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'secondary-capture' is not a DICOM format"):
        export_maps([smooth_map(AXIAL)], axial_source, tmp_path / "dicom", ["secondary-capture"])
    with pytest.raises(InputError, match="'nifti' is not a DICOM format"):
        ExportJob("result", "series", "to", "nifti")


def test_stopping_between_the_formats_leaves_nothing_behind(axial_source: Path, tmp_path: Path) -> None:
    def stop(_fraction: float, message: str) -> None:
        if "ki_0001" in message:
            raise Cancelled

    with pytest.raises(Cancelled):
        export_maps([smooth_map(AXIAL)], axial_source, tmp_path / "dicom", FORMATS, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_half_way_leaves_nothing_behind(
    axial_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def fills_up(self: Path, data: bytes) -> int:
        if self.name == "ki_0004.dcm":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.raises(ResourceError, match="full; nothing was written"):
        export_maps([smooth_map(AXIAL)], axial_source, tmp_path / "dicom", FORMATS)
    assert list(tmp_path.iterdir()) == []


# --- from a result folder ---------------------------------------------------------------------------


def test_the_command_exports_a_result_in_both_formats_and_tells_each_maps_own_history(
    axial_source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result"
    result.mkdir()
    for quantity in (KI, MRGLC, SUV, RESIDUAL):
        write_volume(result / f"{quantity.name}.nii.gz", smooth_map(AXIAL, quantity).values, AXIAL)
    glucose = {"glucose_mmol_per_l": 5.2, "lumped_constant": 0.65}
    suv = {"frames_used": [5], "from_s": 660.0, "to_s": 960.0, "dose_mbq": 300.0, "weight_kg": 70.0}
    frames = [{"index": f, "start_s": float(TIMING.start_s[f]), "duration_s": 300.0} for f in (4, 5)]
    record = {
        "job": "estimate",
        "method": "patlak",
        "t_star_min": 6.0,
        "maps": {name: {} for name in ("ki", "mrglc", "suv", "residual")},
        "frames_used": frames,
        "input_function": {"kind": "whole blood"},
        "series": {"half_life_s": 6586.2},
        "derived": {"mrglc": glucose, "suv": suv},
    }
    write_record(result, record)
    assert job_from_json(job_to_json(ExportJob("a", "b", "c", "both"))).formats == "both"
    to = tmp_path / "dicom"
    command = ["export", str(result), "--series", str(axial_source), "--to", str(to), "--as", "both"]
    assert main(command) == 0
    capsys.readouterr()
    described = {name: header(to / f"{name}_0001.dcm").DerivationDescription for name in ("ki", "mrglc", "suv")}
    assert "Ki (whole-blood input) by" in described["ki"] and "frames 5, 6" in described["ki"]
    assert described["mrglc"].startswith("MRglc (whole-blood input) by")
    assert "glucose 5.2 mmol/L; lumped constant 0.65" in described["mrglc"]
    assert "frame mean; frames 6; mean of 11-16 min; dose 300 MBq; weight 70 kg" in described["suv"]
    assert "patlak" not in described["suv"] and "whole blood" not in described["suv"]
    assert len(header(to / "suv.dcm").SourceImageSequence) == AXIAL.shape[0]  # its one frame, not the estimate's two
    assert header(to / "residual_0001.dcm").Units == "NONE"
    assert json.loads((result / "result.json").read_text()) == record
