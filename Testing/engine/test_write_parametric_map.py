"""Maps as DICOM Parametric Maps: the same bits in the same place of the same patient, for every reader.

Read back with pydicom, highdicom and dcmqi's paramap2itkimage (what Slicer runs), checked with
dciodvfy. The tools come with the development dependencies; without them these tests fail.
"""

from __future__ import annotations

import errno
import json
import logging
import shutil
import time
import warnings
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from exported_maps import (
    DATA,
    GRIDS,
    MIRRORED,
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

from petkinetics import __version__
from petkinetics.errors import Cancelled, InputError, ResourceError
from petkinetics.frames import FrameTiming
from petkinetics.maps import KI, KI_SD, QUANTITIES, RESIDUAL, V0, V0_SD, ParametricMap, Quantity
from petkinetics.read.maps import read_map
from petkinetics.series import VolumeGeometry
from petkinetics.write.dicom_export import export_maps
from petkinetics.write.map_provenance import MapProvenance
from petkinetics.write.nifti import write_volume

# --- what is exported -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def axial_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("axial"), GRIDS["axial"])


@pytest.fixture
def exported(axial_source: Path, tmp_path: Path) -> Dataset:
    """The Ki map of the axial source, whole-blood input."""
    [path] = export_maps([make_map(GRIDS["axial"])], axial_source, tmp_path / "dicom")
    return header(path)


# --- the independent readers ------------------------------------------------------------------------

Volume = tuple[NDArray[np.float32], NDArray[np.float64]]


def read_with_pydicom(path: Path) -> Volume:
    """Frames placed by nothing but their own positions; affine from (column, row, slice) to LPS."""
    ds = pydicom.dcmread(path)
    pixels = ds.pixel_array.reshape(int(ds.NumberOfFrames), ds.Rows, ds.Columns)
    shared = ds.SharedFunctionalGroupsSequence[0]
    row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    positions = np.array(
        [frame.PlanePositionSequence[0].ImagePositionPatient for frame in ds.PerFrameFunctionalGroupsSequence], float
    )
    normal = np.cross(row, column)
    thickness = float(shared.PixelMeasuresSequence[0].SpacingBetweenSlices)
    step = (positions[-1] - positions[0]) / (len(positions) - 1) if len(positions) > 1 else normal * thickness
    affine = np.eye(4)
    affine[:3] = np.stack([row * between_columns, column * between_rows, step, positions[0]], axis=1)
    expected = positions[0] + np.arange(len(positions))[:, None] * step
    assert np.abs(positions - expected).max() < 1e-6, "the frames are not one even stack"
    assert np.linalg.norm(step) == pytest.approx(thickness, abs=1e-9)
    assert ds.FloatPixelData and pixels.dtype == np.float32
    return pixels, affine


def read_with_highdicom(path: Path) -> Volume:
    volume = highdicom.Image.from_dataset(pydicom.dcmread(path)).get_volume(
        dtype=np.float32, apply_real_world_transform=True
    )
    affine = volume.affine @ np.eye(4)[[2, 1, 0, 3]]  # theirs maps (slice, row, column)
    return volume.array, affine


def read_with_dcmqi(path: Path) -> Volume:
    image, _ = run_paramap2itkimage(path)
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), affine


def run_paramap2itkimage(path: Path) -> tuple[sitk.Image, dict[str, object]]:
    to = path.with_suffix(".dcmqi")
    to.mkdir()
    result = run("paramap2itkimage", "--inputDICOM", path, "--outputDirectory", to)
    assert result.returncode == 0, result.stderr
    return sitk.ReadImage(str(to / "pmap.nrrd")), json.loads((to / "meta.json").read_text())


READERS = {"pydicom": read_with_pydicom, "highdicom": read_with_highdicom, "paramap2itkimage": read_with_dcmqi}


def assert_same_bits_in_same_place(read: Volume, expected: ParametricMap) -> None:
    """Every voxel of the map is found at its own point of the patient, bit for bit."""
    array, affine = read
    assert array.dtype == np.float32
    assert array.size == expected.values.size
    k, j, i = (axis.ravel() for axis in np.indices(expected.geometry.shape))
    points = expected.geometry.affine_lps @ np.stack([i, j, k, np.ones(i.size)])
    there = (np.linalg.inv(affine) @ points)[:3]
    index = np.rint(there).astype(int)
    assert np.abs(there - index).max() < 1e-3, "the voxels lie between those of the map"
    found = array[index[2], index[1], index[0]]
    assert np.array_equal(found.view(np.uint32), expected.values.ravel().view(np.uint32))


def errors_found(path: Path) -> list[str]:
    """What dciodvfy calls an error (its exit status does not say)."""
    result = run("dciodvfy", "-new", path)
    lines = (result.stdout + result.stderr).splitlines()
    assert "ParametricMap" in lines, "dciodvfy did not recognise a parametric map"
    return [line for line in lines if line.startswith(("Error", "Abort"))]


# --- bits and places --------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_every_reader_finds_the_same_bits_in_the_same_place(grid: VolumeGeometry, tmp_path: Path) -> None:
    source = write_source(tmp_path / "source", grid)
    expected = make_map(grid)
    [path] = export_maps([expected], source, tmp_path / "dicom")
    for read in READERS.values():
        assert_same_bits_in_same_place(read(path), expected)


def test_a_map_counted_from_the_other_end_lands_in_the_same_place(axial_source: Path, tmp_path: Path) -> None:
    grid = GRIDS["axial"]
    forward = make_map(grid)
    last = (grid.affine_lps @ [0, 0, grid.shape[0] - 1, 1])[:3]
    other_end = VolumeGeometry(grid.shape, grid.spacing_mm, tuple(last), MIRRORED)
    backward = ParametricMap(forward.values[::-1].copy(), KI, other_end, forward.provenance)
    [one] = export_maps([forward], axial_source, tmp_path / "forward")
    [other] = export_maps([backward], axial_source, tmp_path / "backward")
    assert_same_bits_in_same_place(read_with_dcmqi(one), backward)
    assert_same_bits_in_same_place(read_with_dcmqi(other), forward)
    references = [
        [
            [str(s.ReferencedSOPInstanceUID) for s in f.DerivationImageSequence[0].SourceImageSequence]
            for f in header(path).PerFrameFunctionalGroupsSequence
        ]
        for path in (one, other)
    ]
    assert references[0] == references[1]


@pytest.mark.parametrize("name", ["axial", "oblique, reversed, anisotropic"])
def test_the_dicom_map_holds_the_floats_of_the_nifti_map(name: str, tmp_path: Path) -> None:
    """The way of a result folder: map to NIfTI, NIfTI (with its rounded geometry) to DICOM."""
    grid = GRIDS[name]
    source = write_source(tmp_path / "source", grid)
    expected = make_map(grid)
    write_volume(tmp_path / "ki.nii.gz", expected.values, grid)
    from_nifti = replace(read_map(tmp_path / "ki.nii.gz"), provenance=expected.provenance)
    [path] = export_maps([from_nifti], source, tmp_path / "dicom")
    assert_same_bits_in_same_place(read_with_pydicom(path), expected)
    assert_same_bits_in_same_place(read_with_dcmqi(path), expected)


# --- conformance ------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
def test_dciodvfy_finds_no_error_on_maps_from_simulated_sources(vendor: str, tmp_path: Path) -> None:
    grid = GRIDS["oblique, reversed, anisotropic"]
    source = write_source(tmp_path / "source", grid, vendor=vendor)
    maps = [make_map(grid, quantity) for quantity in QUANTITIES.values()]
    for path in export_maps(maps, source, tmp_path / "dicom"):
        assert errors_found(path) == []


#: folder -> the errors dciodvfy reports for our maps because the source has them (docs/dicom.md)
INHERITED = {
    "pet_ge_acrin_nsclc/PT_AC": [
        "</ClinicalTrialSponsorName(0012,0010)> - Empty attribute (no value) for Type 1 Required",
        "</ClinicalTrialSubjectID(0012,0040)> - Missing attribute for Type 1C Conditional",
        "</ClinicalTrialSubjectReadingID(0012,0042)> - Missing attribute for Type 1C Conditional",
    ],
    "pet_siemens_qin/PT_subset": [],
    "pet_ge_sts/PT_subset": [],
}


@pytest.mark.parametrize("folder", INHERITED)
def test_maps_from_real_sources_have_no_errors_but_those_of_the_source(folder: str, tmp_path: Path) -> None:
    files, headers = neighbouring_slices(DATA / folder)
    assert len(headers) >= 4
    expected = make_map(grid_of(headers), frames_used=[0])
    [path] = export_maps([expected], files, tmp_path)
    found = errors_found(path)
    assert [line for line in found if not any(known in line for known in INHERITED[folder])] == []
    assert len(found) == len(INHERITED[folder])
    of_the_source = run("dciodvfy", "-new", files[0])
    for known in INHERITED[folder]:
        assert known in of_the_source.stdout + of_the_source.stderr
    for read in READERS.values():
        assert_same_bits_in_same_place(read(path), expected)


def test_uneven_slices_are_written_at_the_mean_spacing_of_the_map(tmp_path: Path) -> None:
    files, headers = neighbouring_slices(DATA / "pet_ge_acrin_nsclc/PT_AC")
    z = np.array([float(h.ImagePositionPatient[2]) for h in headers])
    assert np.ptp(np.diff(z)) > 0.01  # 3.27 mm with steps of 3.29
    grid = grid_of(headers)
    [path] = export_maps([make_map(grid, frames_used=[0])], files, tmp_path)
    ds = header(path)
    written = [float(f.PlanePositionSequence[0].ImagePositionPatient[2]) for f in ds.PerFrameFunctionalGroupsSequence]
    assert np.allclose(written, grid.origin_mm[2] + grid.spacing_mm[2] * np.arange(len(z)), atol=1e-6)
    by_uid = {str(h.SOPInstanceUID): float(h.ImagePositionPatient[2]) for h in headers}
    for position, frame in zip(written, ds.PerFrameFunctionalGroupsSequence, strict=True):
        [source] = frame.DerivationImageSequence[0].SourceImageSequence
        assert abs(by_uid[str(source.ReferencedSOPInstanceUID)] - position) < 0.1
        assert source.SpatialLocationsPreserved == "YES"


# --- who, what and how ------------------------------------------------------------------------------


def test_a_map_belongs_to_the_patient_study_and_frame_of_reference_of_its_source(
    exported: Dataset, axial_source: Path
) -> None:
    source = source_headers(axial_source)[0]
    for keyword in [
        *["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientSize", "PatientWeight"],
        *["StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "StudyDescription"],
        *["FrameOfReferenceUID", "BodyPartExamined", "SpecificCharacterSet"],
    ]:
        assert exported[keyword].value == source[keyword].value, keyword
    assert exported.SeriesInstanceUID != source.SeriesInstanceUID
    assert exported.Modality == "PT"


def test_a_map_says_what_it_shows_in_which_unit_and_how_it_was_made(exported: Dataset) -> None:
    [mapping] = exported.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert (mapping.LUTLabel, mapping.LUTExplanation) == ("Ki", "Ki (whole-blood input), mL/min/mL")
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1.0, 0.0)
    unit = mapping.MeasurementUnitsCodeSequence[0]
    assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("mL/min/mL", "UCUM")
    says = {}
    for item in mapping.QuantityDefinitionSequence:
        name = item.ConceptNameCodeSequence[0].CodeMeaning
        says[name] = item.TextValue if item.ValueType == "TEXT" else item.ConceptCodeSequence[0].CodeValue
    assert says == {
        "Quantity": "KI_WB",
        "Model fitting method": "PATLAK",
        "Input function": "WHOLE_BLOOD",
        "Algorithm Name": "petkinetics patlak",
        "Algorithm Version": __version__,
        "Algorithm Parameters": "t* 4 min; until 16 min; frames 4, 5, 6",
    }
    assert exported.DerivationDescription == (
        f"Ki (whole-blood input) by petkinetics {__version__}: patlak; t* 4 min; until 16 min; frames 4, 5, 6; "
        "whole blood input function. For research only. Not for diagnostic use."
    )
    [scheme] = exported.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == "99PETKIN"
    assert exported.SeriesDescription == "Ki (whole-blood input)"
    assert exported.ImageType == ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    assert (exported.ManufacturerModelName, exported.SoftwareVersions) == ("petkinetics", f"petkinetics {__version__}")
    purposes = {
        item.PurposeOfReferenceCodeSequence[0].CodeMeaning: item.Manufacturer
        for item in exported.ContributingEquipmentSequence
    }
    assert purposes["Acquisition Equipment"] == "GE MEDICAL SYSTEMS"


def test_a_map_says_that_it_is_not_for_diagnosis(exported: Dataset) -> None:
    assert exported.ContentQualification == "RESEARCH"
    for keyword in ("ContentDescription", "ImageComments", "DerivationDescription"):
        assert "Not for diagnostic use" in exported[keyword].value


@pytest.mark.parametrize(
    ("quantity", "blood", "code", "label", "unit"),
    [
        (KI, "whole blood", "KI_WB", "Ki (whole-blood input)", "mL/min/mL"),
        (KI, "plasma", "KI", "Ki", "mL/min/mL"),
        (KI, "parent plasma", "KI", "Ki", "mL/min/mL"),
        (KI, None, "KI", "Ki", "mL/min/mL"),
        (V0, "whole blood", "V0_WB", "V0 (whole-blood input)", "mL/mL"),
        (KI_SD, "plasma", "KI_SD", "SD of Ki", "mL/min/mL"),
        (V0_SD, "whole blood", "V0_SD_WB", "SD of V0 (whole-blood input)", "mL/mL"),
        (RESIDUAL, "whole blood", "RESIDUAL", "Residual", "1"),
    ],
)
def test_quantities_have_codes_and_labels_that_name_the_input(
    quantity: Quantity, blood: str | None, code: str, label: str, unit: str, axial_source: Path, tmp_path: Path
) -> None:
    parametric_map = make_map(GRIDS["axial"], quantity, input_function_kind=blood)
    [path] = export_maps([parametric_map], axial_source, tmp_path / "d", series_description_prefix="PK ")
    assert header(path).SeriesDescription == f"PK {label}"
    _, meta = run_paramap2itkimage(path)  # what Slicer reads
    assert meta["QuantityValueCode"]["CodeValue"] == code  # type: ignore[index]
    assert meta["QuantityValueCode"]["CodingSchemeDesignator"] == "99PETKIN"  # type: ignore[index]
    assert ("whole-blood input" in meta["QuantityValueCode"]["CodeMeaning"]) == code.endswith("_WB")  # type: ignore[index]
    assert meta["MeasurementUnitsCode"]["CodeValue"] == unit  # type: ignore[index]
    [mapping] = header(path).SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert len(mapping.LUTLabel) <= 16
    first, last = (mapping[f"DoubleFloatRealWorldValue{end}ValueMapped"].value for end in ("First", "Last"))
    assert (first, last) == (float(parametric_map.values.min()), float(parametric_map.values.max()))


def test_frames_refer_to_the_images_of_the_frames_used_at_their_position(exported: Dataset, axial_source: Path) -> None:
    sources = source_headers(axial_source)
    position_and_frame = {str(h.SOPInstanceUID): (h.ImagePositionPatient, h.FrameReferenceTime) for h in sources}
    starts_ms = [1000.0 * TIMING.start_s[f] for f in PROVENANCE["frames_used"]]  # type: ignore[attr-defined]
    seen = []
    for frame in exported.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        images = [str(s.ReferencedSOPInstanceUID) for s in frame.DerivationImageSequence[0].SourceImageSequence]
        assert [float(position_and_frame[uid][1]) for uid in images] == starts_ms
        assert all(np.allclose(position_and_frame[uid][0], position) for uid in images)
        seen += images
    assert [str(s.ReferencedSOPInstanceUID) for s in exported.SourceImageSequence] == seen
    [series] = exported.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == sources[0].SeriesInstanceUID
    assert [str(s.ReferencedSOPInstanceUID) for s in series.ReferencedInstanceSequence] == seen


def test_the_record_of_a_result_folder_says_the_same_as_provenance() -> None:
    record = {
        "method": "patlak",
        "versions": {"petkinetics": "0.0.9"},
        "input_function": {"kind": "plasma"},
        "frames_used": [{"index": 3, "start_s": 240.0}, {"index": 4, "start_s": 360.0}],
        "t_star_min": 4,
        "until_min": None,
        "input_uids": ["1.2.3"],
    }
    assert MapProvenance.of(record) == MapProvenance("patlak", "0.0.9", "plasma", (3, 4), 4.0, None, ("1.2.3",))
    assert MapProvenance.of({}) == MapProvenance()


def test_without_known_frames_the_last_one_is_referred_to(axial_source: Path, tmp_path: Path) -> None:
    parametric_map = ParametricMap(make_map(GRIDS["axial"]).values, KI, GRIDS["axial"])
    [path] = export_maps([parametric_map], axial_source, tmp_path / "dicom")
    last = [str(header(p).SOPInstanceUID) for p in sorted(axial_source.glob(f"PT_{len(TIMING):03d}_*.dcm"))]
    assert [str(s.ReferencedSOPInstanceUID) for s in header(path).SourceImageSequence] == last


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
def test_frames_are_told_apart_by_each_vendors_clock(vendor: str, tmp_path: Path) -> None:
    grid = GRIDS["one slice"]
    source = write_source(tmp_path / "source", grid, vendor=vendor)
    [path] = export_maps([make_map(grid, frames_used=[1, 4])], source, tmp_path / "dicom")
    files = sorted(source.glob("*.dcm"))  # named in order of frame
    referred = [str(s.ReferencedSOPInstanceUID) for s in header(path).SourceImageSequence]
    assert referred == [str(header(files[f]).SOPInstanceUID) for f in (1, 4)]


def test_a_series_stored_as_two_is_referred_to_as_two(tmp_path: Path) -> None:
    def split(ds: Dataset, frame: int, _slice: int) -> Dataset:
        if frame >= 4:
            ds.SeriesInstanceUID = ds.SeriesInstanceUID[:-3] + "999"
        return ds

    source = write_source(tmp_path / "source", GRIDS["axial"], vendor="siemens", modify=split)
    [path] = export_maps([make_map(GRIDS["axial"])], source, tmp_path / "dicom")
    referred = [len(s.ReferencedInstanceSequence) for s in header(path).ReferencedSeriesSequence]
    assert referred == [5, 10]


def test_each_map_is_a_series_of_its_own_and_every_export_is_new(axial_source: Path, tmp_path: Path) -> None:
    maps = [make_map(GRIDS["axial"], quantity) for quantity in (KI, V0)]
    paths = export_maps(maps, axial_source, tmp_path / "a", series_number=77)
    assert [path.name for path in paths] == ["ki.dcm", "v0.dcm"]
    again = export_maps(maps, axial_source, tmp_path / "b", series_number=77)
    headers = [header(path) for path in paths + again]
    assert [h.SeriesNumber for h in headers] == [77, 78, 77, 78]
    assert len({h.SeriesInstanceUID for h in headers}) == len({h.SOPInstanceUID for h in headers}) == 4


def test_the_display_window_is_one_that_a_viewer_may_apply_to_small_numbers(exported: Dataset) -> None:
    [window] = exported.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence
    assert window.VOILUTFunction == "LINEAR_EXACT"  # LINEAR needs a width of at least 1
    assert window.WindowWidth > 0


def test_a_map_of_zeros_is_exported(axial_source: Path, tmp_path: Path) -> None:
    zeros = ParametricMap(np.zeros(GRIDS["axial"].shape, np.float32), KI, GRIDS["axial"], PROVENANCE)
    [path] = export_maps([zeros], axial_source, tmp_path / "dicom")
    assert errors_found(path) == []
    assert_same_bits_in_same_place(read_with_dcmqi(path), zeros)


# --- imperfect sources ------------------------------------------------------------------------------


def test_attributes_that_the_source_lacks_are_left_empty(tmp_path: Path) -> None:
    type_2 = [
        *["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"],
        *["StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"],
    ]
    missing = [*type_2, "PositionReferenceIndicator", "Manufacturer", "BodyPartExamined"]

    def without(ds: Dataset, _frame: int, _slice: int) -> Dataset:
        for keyword in missing:
            ds.pop(keyword, None)
        return ds

    source = write_source(tmp_path / "source", GRIDS["axial"], modify=without)
    [path] = export_maps([make_map(GRIDS["axial"])], source, tmp_path / "dicom")
    ds = header(path)
    for keyword in type_2:
        assert keyword in ds and not ds[keyword].value, keyword
    assert errors_found(path) == []


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "山田^太郎"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "王^小东"),
    ],
)
def test_names_keep_their_letters(character_set: str | list[str], name: str, tmp_path: Path) -> None:
    def rename(ds: Dataset, _frame: int, _slice: int) -> Dataset:
        ds.SpecificCharacterSet, ds.PatientName = character_set, name
        return ds

    source = write_source(tmp_path / "source", GRIDS["one slice"], modify=rename)
    [path] = export_maps([make_map(GRIDS["one slice"])], source, tmp_path / "dicom")
    assert str(header(path).PatientName) == str(source_headers(source)[0].PatientName) == name


def test_identity_shows_in_the_dicom_objects_only(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """One-word names, invalid sexes and dates are what libraries like to quote."""

    def invalid(ds: Dataset, _frame: int, _slice: int) -> Dataset:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds.PatientName, ds.PatientID = "ZEBEDEE", "ZEBEDEE-1"
            ds.add(pydicom.DataElement("PatientBirthDate", "DA", "ZEBEDEE!", validation_mode=0))
            ds.add(pydicom.DataElement("PatientSex", "CS", "zebedee", validation_mode=0))
        return ds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = write_source(tmp_path / "source", GRIDS["one slice"], modify=invalid)
    capfd.readouterr()
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        messages: list[str] = []
        [path] = export_maps(
            [make_map(GRIDS["one slice"])], source, tmp_path / "dicom", progress=lambda _, text: messages.append(text)
        )
    printed = capfd.readouterr()
    said = [printed.out, printed.err, caplog.text, str(path.relative_to(tmp_path)), *map(str, caught), *messages]
    assert not any("zebedee" in text.lower() for text in said)
    ds = header(path)
    assert (ds.PatientName, ds.PatientID) == ("ZEBEDEE", "ZEBEDEE-1")
    assert ds.PatientBirthDate == "ZEBEDEE!"  # inherited as it is


def test_thousands_of_source_images_take_seconds(tmp_path: Path) -> None:
    timing, grid = FrameTiming.parse("liang2023"), VolumeGeometry((71, 4, 4), (2.0, 2.0, 2.79))
    source = write_source(tmp_path / "source", grid, timing)
    maps = [make_map(grid, q, frames_used=list(range(28))) for q in (KI, V0)]
    start = time.perf_counter()
    paths = export_maps(maps, source, tmp_path / "dicom")
    assert time.perf_counter() - start < 15.0  # 2 s on two quiet cores
    assert [len(header(path).SourceImageSequence) for path in paths] == [28 * 71] * 2


# --- what is refused, and that nothing is left behind -----------------------------------------------


def moved(grid: VolumeGeometry, by_mm: float) -> VolumeGeometry:
    return VolumeGeometry(grid.shape, grid.spacing_mm, (grid.origin_mm[0] + by_mm, *grid.origin_mm[1:]), grid.direction)


def with_voxel(value: float, count: int = 1) -> ParametricMap:
    parametric_map = make_map(GRIDS["axial"])
    parametric_map.values.ravel()[:count] = value
    return parametric_map


AXIAL = GRIDS["axial"]
REFUSED = {
    "NaN": ([with_voxel(np.nan)], "Ki map has 1 voxel that is not a number or infinite"),
    "infinite": ([with_voxel(-np.inf, 3)], "Ki map has 3 voxels that are not a number or infinite"),
    "no maps": ([], "no maps to export"),
    "twice": ([make_map(AXIAL), make_map(AXIAL)], "more than one map of ki"),
    "another place": ([make_map(moved(AXIAL, 12.5))], "voxels lying up to 12.50 mm apart"),
    "another slice spacing": (
        [make_map(VolumeGeometry(AXIAL.shape, (2.0, 2.0, 3.5), AXIAL.origin_mm))],
        "voxels lying up to 0.92 mm apart",
    ),
    "another matrix": (
        [make_map(VolumeGeometry((5, 6, 8), AXIAL.spacing_mm, AXIAL.origin_mm))],
        r"\(5, 6, 7\) voxels \(slices, rows, columns\) instead of \(5, 6, 8\)",
    ),
    "another series": ([make_map(AXIAL, series_uids=["1.2.3"])], "series that the maps were computed from is not in"),
    "fewer frames": ([make_map(AXIAL, frames_used=[4, 8])], "computed from frame 9 .* have 6 frames"),
    "uncoded": (
        [make_map(AXIAL, Quantity("k9", "k9", "unheard of", "/min", "/min"))],
        "no DICOM code for 'k9'",
    ),
}


@pytest.mark.parametrize(("maps", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_with_the_amount_and_nothing_written(
    maps: list[ParametricMap], message: str, axial_source: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        export_maps(maps, axial_source, tmp_path / "deep" / "dicom")
    assert list(tmp_path.iterdir()) == []


def drop_frame_of_reference(ds: Dataset, _frame: int, _slice: int) -> Dataset:
    del ds.FrameOfReferenceUID
    return ds


def two_frames_of_reference(ds: Dataset, frame: int, _slice: int) -> Dataset:
    if frame:
        ds.FrameOfReferenceUID = "2.25.42"
    return ds


def drop_one_image(ds: Dataset, frame: int, k: int) -> Dataset | None:
    return None if (frame, k) == (2, 3) else ds


@pytest.mark.parametrize(
    ("modify", "message"),
    [
        (drop_frame_of_reference, "no Frame of Reference UID"),
        (two_frames_of_reference, "another frame of reference"),
        (drop_one_image, "Frame 3 lacks 1 of 5 slices"),
    ],
)
def test_sources_that_cannot_place_a_map_are_refused(modify: object, message: str, tmp_path: Path) -> None:
    source = write_source(tmp_path / "source", AXIAL, modify=modify)
    with pytest.raises(InputError, match=message):
        export_maps([make_map(AXIAL)], source, tmp_path / "dicom")
    assert not (tmp_path / "dicom").exists()


@pytest.mark.parametrize("frame", range(len(TIMING)))
def test_a_source_that_has_lost_a_frame_is_refused_with_the_count(frame: int, tmp_path: Path) -> None:
    """Without the check frames 2 and 3 of the five left would be named where 2 and 3 of six were used."""
    source = write_source(tmp_path / "source", AXIAL, modify=lambda ds, f, _k: None if f == frame else ds)
    used = make_map(AXIAL, frames_used=[1, 2], series={"shape": [len(TIMING), *AXIAL.shape]})
    with pytest.raises(InputError, match=r"1 of the 6 frames .* missing \(25 images are there, 30 are needed\)"):
        export_maps([used], source, tmp_path / "dicom")
    assert not (tmp_path / "dicom").exists()


def test_a_source_with_more_frames_than_the_maps_series_is_told_once(axial_source: Path, tmp_path: Path) -> None:
    said: list[str] = []
    maps = [make_map(AXIAL, q, frames_used=[1, 2], series={"shape": [4, *AXIAL.shape]}) for q in (KI, V0)]
    export_maps(maps, axial_source, tmp_path / "dicom", warn=said.append)
    assert len(said) == 1 and "have 6 frames" in said[0] and "had 4" in said[0]


def test_a_source_that_has_all_frames_is_taken_without_a_word(axial_source: Path, tmp_path: Path) -> None:
    said: list[str] = []
    used = make_map(AXIAL, frames_used=[1, 2], series={"shape": [len(TIMING), *AXIAL.shape]})
    export_maps([used], axial_source, tmp_path / "dicom", warn=said.append)
    assert said == []


def test_a_folder_without_pet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "notes.txt").write_text("no DICOM")
    with pytest.raises(InputError, match="no DICOM in the folder"):
        export_maps([make_map(AXIAL)], tmp_path / "source", tmp_path / "dicom")
    with pytest.raises(InputError, match="no folder"):
        export_maps([make_map(AXIAL)], tmp_path / "nowhere", tmp_path / "dicom")


def test_two_reconstructions_in_one_folder_are_told_apart_or_refused(axial_source: Path, tmp_path: Path) -> None:
    shutil.copytree(axial_source, tmp_path / "source" / "one")

    def another(ds: Dataset, _frame: int, _slice: int) -> Dataset:
        ds.SeriesInstanceUID = "2.25.43"
        ds.SOPInstanceUID = ds.SOPInstanceUID[:-1] + str(9 - int(ds.SOPInstanceUID[-1]))
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        return ds

    write_source(tmp_path / "source" / "two", AXIAL, modify=another)
    with pytest.raises(InputError, match="2 PET series that could be meant"):
        export_maps([make_map(AXIAL)], tmp_path / "source", tmp_path / "dicom")
    uid = str(source_headers(tmp_path / "source" / "two")[0].SeriesInstanceUID)
    [path] = export_maps([make_map(AXIAL, series_uids=[uid])], tmp_path / "source", tmp_path / "dicom")
    assert header(path).ReferencedSeriesSequence[0].SeriesInstanceUID == uid


def test_what_is_there_already_is_not_overwritten(axial_source: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("kept")
    export_maps([make_map(AXIAL)], axial_source, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match=r"already holds ki\.dcm"):
        export_maps([make_map(AXIAL, V0), make_map(AXIAL)], axial_source, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_place_that_cannot_be_written_is_refused(axial_source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for to in (tmp_path / "file", tmp_path / "file" / "dicom"):
        with pytest.raises(InputError, match=r"is a file, not a folder|cannot be written"):
            export_maps([make_map(AXIAL)], axial_source, to)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("there", [False, True], ids=["new folder", "existing folder"])
def test_stopping_half_way_leaves_nothing_behind(there: bool, axial_source: Path, tmp_path: Path) -> None:
    to = tmp_path / "deep" / "dicom"
    if there:
        to.mkdir(parents=True)
        (to / "notes.txt").write_text("kept")

    def stop_at_second(_fraction: float, message: str) -> None:
        if "v0" in message:
            raise Cancelled

    with pytest.raises(Cancelled):
        export_maps([make_map(AXIAL), make_map(AXIAL, V0)], axial_source, to, progress=stop_at_second)
    assert [path.name for path in tmp_path.rglob("*")] == (["deep", "dicom", "notes.txt"] if there else [])


def test_a_full_disk_is_said_and_nothing_is_left(
    axial_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def fills_up(self: Path, data: bytes) -> int:
        if self.name == "v0.dcm":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.raises(ResourceError, match="full; nothing was written"):
        export_maps([make_map(AXIAL), make_map(AXIAL, V0)], axial_source, tmp_path / "dicom")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_between_two_moves_takes_the_first_file_back(
    axial_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Into a folder that is there the files move one by one.
    (tmp_path / "dicom").mkdir()
    rename = Path.rename

    def fails_second(self: Path, target: Path) -> Path:
        if self.name == "v0.dcm":
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_second)
    with pytest.raises(InputError, match=r"cannot be written \(Permission denied\); nothing was written"):
        export_maps([make_map(AXIAL), make_map(AXIAL, V0)], axial_source, tmp_path / "dicom")
    assert list((tmp_path / "dicom").iterdir()) == []
