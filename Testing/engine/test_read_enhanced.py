"""Enhanced PET: what multi-frame objects say is read as it stands, whatever the order of their frames."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from dicom_cases import assert_same_voxels, read_all, small_series
from enhanced_pet import code, one, write_enhanced
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGLSLossless
from synthetic import Patient, load_map, run

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.maps import KI, ParametricMap
from petkinetics.read.dicom import read_dicom
from petkinetics.read.dicom_scan import scan_folder
from petkinetics.read.info import info_text, series_info
from petkinetics.read.regions import read_regions
from petkinetics.read.series import read_series
from petkinetics.simulate.dicom_series import write_dicom_series
from petkinetics.write.dicom_export import export_maps
from petkinetics.write.regions import write_regions


def sheared_free(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


@pytest.mark.parametrize("one_file_a_frame", [False, True])
@pytest.mark.parametrize(
    "writing",
    [
        {},
        {"unit": "type"},
        {"corrected_to_s": 37.5},
        {"corrected_to_s": None},
        {"reference_only": True},
        {"zone": "+0100"},
        {"rle": True},
        {"jitter_s": 0.02},
        {"factors": False},
    ],
    ids=lambda w: next(iter(w), "plain"),
)
def test_frames_times_and_voxels_are_those_written(tmp_path, writing, one_file_a_frame):
    series = small_series(direction=sheared_free(11))
    write_enhanced(tmp_path, series, one_file_a_frame=one_file_a_frame, **writing)
    found = read_dicom(tmp_path)
    np.testing.assert_allclose(found.timing.start_s, series.timing.start_s, atol=1e-4)
    np.testing.assert_allclose(found.timing.duration_s, series.timing.duration_s, atol=1e-9)
    assert found.geometry.difference(series.geometry, 1e-3) is None
    assert found.tracer.is_fdg and found.tracer.half_life_s == pytest.approx(6586.2)
    assert (found.injected_activity_mbq, found.weight_kg) == (370.0, 70.0)
    # without decay factors nothing shows how a frame was averaged
    assert found.decay_weighted is (writing.get("factors", True))
    assert found.warnings == ()
    assert_same_voxels(found, series)


@pytest.mark.parametrize(
    ("corrected_to_s", "name"), [(0.0, "ADMIN"), (90.0, "START"), (37.5, "09:30:38"), (None, "NONE")]
)
def test_the_decay_reference_is_named(tmp_path, corrected_to_s, name):
    series = small_series(FrameTiming([90.0, 150.0, 400.0], [60.0, 60.0, 300.0]))
    write_enhanced(tmp_path, series, corrected_to_s=corrected_to_s)
    found = read_dicom(tmp_path)
    assert found.origin.decay_corrected_to == name
    assert_same_voxels(found, series)
    info = series_info(found)
    assert (info["suv_factor"] is None) is (corrected_to_s is None)
    factor = info["suv_factors"][0] if corrected_to_s is None else info["suv_factor"]
    # SUV of a stored 1 Bq/mL, by hand
    lam = series.tracer.decay_per_s
    x = lam * 60.0
    to_injection = np.exp(lam * 90.0) * x / -np.expm1(-x) if corrected_to_s is None else np.exp(lam * corrected_to_s)
    assert factor == pytest.approx(1e-3 * to_injection * 70.0 / 370.0, rel=1e-5)


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
@pytest.mark.parametrize("decay_correction", ["START", "NONE"])
def test_a_legacy_converted_object_reads_like_the_classic_images_it_was_made_from(tmp_path, vendor, decay_correction):
    from highdicom.legacy import LegacyConvertedEnhancedPETImage

    series = small_series()
    classic, converted = tmp_path / "classic", tmp_path / "converted"
    write_dicom_series(classic, series, vendor=vendor, decay_correction=decay_correction)
    images = [dcmread(p) for p in sorted(classic.rglob("*.dcm"))]
    converted.mkdir()
    LegacyConvertedEnhancedPETImage(
        legacy_datasets=images,
        series_instance_uid="1.2.3",
        series_number=5,
        sop_instance_uid="1.2.3.4",
        instance_number=1,
    ).save_as(converted / "all.dcm")
    a, b = read_dicom(classic), read_dicom(converted)
    np.testing.assert_array_equal(a.timing.start_s, b.timing.start_s)
    assert (a.decay_weighted, a.suv_factor, a.tracer, a.weight_kg) == (
        b.decay_weighted,
        b.suv_factor,
        b.tracer,
        b.weight_kg,
    )
    assert a.origin.decay_corrected_to == b.origin.decay_corrected_to == decay_correction
    np.testing.assert_array_equal(read_all(a), read_all(b))


@pytest.mark.parametrize("one_file_a_frame", [False, True])
def test_a_scan_split_into_three_series_is_joined(tmp_path, one_file_a_frame):
    series = small_series()
    for number, part in enumerate((range(4), range(4, 7), range(7, 9))):
        write_enhanced(tmp_path / str(number), series, frames=part, one_file_a_frame=one_file_a_frame, seed="one study")
    found = read_dicom(tmp_path)
    np.testing.assert_allclose(found.timing.start_s, series.timing.start_s, atol=1e-4)
    assert len(found.origin.series_uids) == 3
    assert found.warnings == ("The scan is stored over 3 series of one study; they were joined.",)
    assert_same_voxels(found, series)


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
def test_a_classic_scan_split_into_two_series_is_joined(tmp_path, vendor):
    """Each series has its own time, to which its frame times and decay correction refer."""
    series = small_series()
    parts = (range(5), range(5, 9))
    for number, part in enumerate(parts):
        half = small_series(series.timing.select(list(part)))
        object.__setattr__(half.voxels, "values", read_all(series)[list(part)])
        write_dicom_series(tmp_path / str(number), half, vendor=vendor, modify=_of_one_study(f"1.2.{number}"))
    found = read_dicom(tmp_path)
    np.testing.assert_allclose(found.timing.start_s, series.timing.start_s, atol=0.05)
    assert found.origin.series_uids == ("1.2.0", "1.2.1")
    assert any("2 series of one study" in w for w in found.warnings)
    assert_same_voxels(found, series)


def _of_one_study(series_uid):
    def modify(ds, frame, k):
        ds.StudyInstanceUID, ds.FrameOfReferenceUID, ds.SeriesInstanceUID = "1.2.7", "1.2.8", series_uid
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{series_uid}.{frame}.{k}"
        return ds

    return modify


def test_only_the_bytes_that_are_asked_for_are_read(tmp_path, monkeypatch):
    series = small_series()
    write_enhanced(tmp_path, series)
    found = read_dicom(tmp_path)
    read = []
    real = np.fromfile
    monkeypatch.setattr(np, "fromfile", lambda *a, **k: read.append(k["count"]) or real(*a, **k))
    values = found.voxels.read([6, 2], 1, 3)
    assert sum(read) == 2 * 2 * 8 * 10
    np.testing.assert_array_equal(values, read_all(found)[[6, 2], 1:3])


@pytest.mark.parametrize("one_file_a_frame", [False, True])
def test_a_static_object_is_described_and_not_analysed(tmp_path, one_file_a_frame):
    write_enhanced(tmp_path, small_series(), frames=range(1), one_file_a_frame=one_file_a_frame)
    with pytest.raises(InputError, match="static"):
        read_dicom(tmp_path)
    found = read_dicom(tmp_path, require_dynamic=False)
    assert not found.dynamic and "static" in info_text(found)


def test_the_written_object_satisfies_the_validator(tmp_path):
    (path,) = write_enhanced(tmp_path, small_series())
    tool = shutil.which("dciodvfy") or str(Path(__import__("sys").executable).with_name("dciodvfy"))
    said = subprocess.run([tool, str(path)], capture_output=True, text=True, check=False)
    text = said.stdout + said.stderr
    assert "EnhancedPETImage" in text
    assert [line for line in text.splitlines() if line.startswith("Error")] == []


def test_maps_of_enhanced_images_refer_to_their_frames(tmp_path):
    series = small_series()
    (source,) = write_enhanced(tmp_path / "pet", series)
    ki = ParametricMap(np.full(series.geometry.shape, 0.01, np.float32), KI, series.geometry, {})
    (path,) = export_maps([ki], tmp_path / "pet", tmp_path / "out")
    ds, of = dcmread(path), dcmread(source)
    assert (ds.PatientID, ds.StudyInstanceUID) == ("SIMULATED", of.StudyInstanceUID)
    for frame in ds.PerFrameFunctionalGroupsSequence:
        (reference,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert reference.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.130"
        origin = of.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
        np.testing.assert_allclose(
            [float(v) for v in origin.PlanePositionSequence[0].ImagePositionPatient],
            [float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient],
            atol=1e-3,
        )
    (listed,) = ds.ReferencedSeriesSequence
    assert [i.ReferencedSOPInstanceUID for i in listed.ReferencedInstanceSequence] == [of.SOPInstanceUID]


def test_enhanced_pet_estimates_like_the_series_it_was_made_from(tmp_path):
    """From one multi-frame file to maps, with the aorta from a DICOM segmentation."""
    patient = Patient()
    pet = patient.save(tmp_path / "nifti")
    write_enhanced(tmp_path / "enhanced", read_series(pet))
    write_regions(read_regions(tmp_path / "nifti" / "aorta.nii"), tmp_path / "aorta.dcm", tmp_path / "enhanced")
    maps = []
    for source, roi in ((pet, tmp_path / "nifti" / "aorta.nii"), (tmp_path / "enhanced", tmp_path / "aorta.dcm")):
        out = tmp_path / f"out{len(maps)}"
        # plain means of the NIfTI, decay-weighted ones of the decay factors, differ by 1e-4 in a frame of 5 min
        assert run("estimate", source, "--roi", roi, "--method", "patlak", "-o", out) == 0
        maps.append(load_map(out / "ki.nii.gz"))
    np.testing.assert_allclose(maps[1][patient.tissue], maps[0][patient.tissue], rtol=5e-3, atol=2e-5)
    assert run("export", tmp_path / "out1", "--series", tmp_path / "enhanced", "--to", tmp_path / "dicom") == 0


# -------------------------------------------------------------------------------------- bad objects


def gated(ds):
    ds.PerFrameFunctionalGroupsSequence[0].CardiacSynchronizationSequence = one(NominalCardiacTriggerDelayTime=0.0)
    ds.CardiacSynchronizationTechnique = "RETROSPECTIVE"


def no_units(ds):
    for item in ds.PerFrameFunctionalGroupsSequence:
        del item.RealWorldValueMappingSequence


def counts(ds):
    for item in ds.PerFrameFunctionalGroupsSequence:
        unit = [code("{propcounts}", "UCUM", "Proportional to counts")]
        item.RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence = unit


def no_times(ds):
    for item in ds.PerFrameFunctionalGroupsSequence:
        del item.FrameContentSequence[0].FrameAcquisitionDateTime, item.FrameContentSequence[0].FrameReferenceDateTime


def no_duration(ds):
    for item in ds.PerFrameFunctionalGroupsSequence:
        del item.FrameContentSequence[0].FrameAcquisitionDuration


def reference_outside(ds):
    for item in ds.PerFrameFunctionalGroupsSequence:
        item.FrameContentSequence[0].FrameReferenceDateTime = "20240314120000"


def two_slopes(ds):
    for item in ds.PerFrameFunctionalGroupsSequence:
        item.PixelValueTransformationSequence[0].RescaleType = "BQML"
        item.PixelValueTransformationSequence[0].RescaleSlope = "1.5"


def wrong_factor(ds):
    for item in ds.PerFrameFunctionalGroupsSequence:
        item.PETFrameCorrectionFactorsSequence[0].DecayFactor = "1.5"


def undated_correction(ds):
    del ds.DecayCorrectionDateTime


def unsaid_correction(ds):
    del ds.DecayCorrected


def not_attenuation_corrected(ds):
    ds.AttenuationCorrected = "NO"


def frames_missing(ds):
    ds.PerFrameFunctionalGroupsSequence = ds.PerFrameFunctionalGroupsSequence[:-1]


def pixels_missing(ds):
    ds.PixelData = ds.PixelData[:-200]


def no_position(ds):
    del ds.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence


def no_injection(ds):
    del ds.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gated, "gated"),
        (no_units, "unit is 'not stated'"),
        (counts, "proportional to counts"),
        (no_times, "does not say when it began"),
        (no_duration, r"duration of frame \d+ .* is missing"),
        (reference_outside, "contradict each other"),
        (two_slopes, "two slopes for the same unit"),
        (wrong_factor, "contradict the decay correction"),
        (undated_correction, "but not to when"),
        (unsaid_correction, "does not say to when the images are decay-corrected"),
        (not_attenuation_corrected, "not corrected for attenuation"),
        (frames_missing, "describes 35 of its 36 frames"),
        (pixels_missing, "truncated"),
        (no_position, "does not say where it lies"),
        (no_injection, "does not say when the tracer was injected"),
    ],
    ids=lambda v: v.__name__ if callable(v) else "",
)
def test_what_is_missing_or_contradictory_is_said(tmp_path, change, message):
    write_enhanced(tmp_path, small_series(), change=change)
    with pytest.raises(InputError, match=f"(?s){message}") as refused:
        read_dicom(tmp_path)
    assert "SIMULATED" not in str(refused.value)


def test_a_truncated_file_is_refused(tmp_path):
    (path,) = write_enhanced(tmp_path, small_series())
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match="truncated"):
        read_dicom(tmp_path)


def test_a_compressed_file_that_breaks_off_is_refused(tmp_path):
    (path,) = write_enhanced(tmp_path, small_series(), rle=True)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="truncated"):
        read_dicom(tmp_path)


@pytest.mark.parametrize("table", [True, False], ids=["offset table", "no offset table"])
def test_frames_in_several_fragments_are_put_together(tmp_path, table):
    series = small_series()
    (path,) = write_enhanced(tmp_path, series)
    ds = dcmread(path)
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    frames = list(generate_frames(ds.PixelData, number_of_frames=36))
    ds.PixelData = encapsulate(frames, fragments_per_frame=3, has_bot=table)
    ds.save_as(path)
    assert_same_voxels(read_dicom(tmp_path), series)


def test_every_frame_is_an_image(tmp_path):
    write_enhanced(tmp_path, small_series())
    found = scan_folder(tmp_path)
    assert len(found.images) == 36
    assert sorted(i.frame_number for i in found.images) == list(range(1, 37))
