"""DICOM that cannot be used: each kind with the sentence it gets."""

# ruff: noqa: ARG001 - the hook that spoils an image is given its frame and slice

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from dicom_cases import small_series
from pydicom import dcmread

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.dicom import read_dicom
from petkinetics.simulate.dicom_series import write_dicom_series

CASES = []


def case(match: str, **writing):
    """A way to spoil an image, and what reading says of the series."""

    def register(modify):
        CASES.append(pytest.param(modify, match, writing, id=modify.__name__.replace("_", " ")))
        return modify

    return register


def isotope(ds):
    return ds.RadiopharmaceuticalInformationSequence[0]


@case("static: it shows each of its 4 slices once")
def static(ds, frame, k):
    return ds if frame == 0 else None


@case("static")
def static_that_counts_beds_as_time_slices(ds, frame, k):
    ds.NumberOfTimeSlices = 6
    return ds if frame == 0 else None


@case("gated .*, not dynamic")
def gated(ds, frame, k):
    ds.SeriesType = ["GATED", "IMAGE"]
    return ds


@case("gated")
def trigger_times(ds, frame, k):
    ds.TriggerTime = str(frame * 100)
    return ds


@case(r"proportional to counts \(PROPCNTS\)")
def proportional_counts(ds, frame, k):
    ds.Units = "PROPCNTS"
    return ds


@case("unit is '1CM'")
def unknown_unit(ds, frame, k):
    ds.Units = "1CM"
    return ds


@case("SUV normalised by LBM", units="GML")
def lean_body_mass(ds, frame, k):
    ds.SUVType = "LBM"
    return ds


@case(r"lacks the patient's weight .*--weight", units="GML")
def suv_without_weight(ds, frame, k):
    del ds.PatientWeight
    return ds


@case("Philips' private factors .* are missing", units="CNTS", vendor="philips")
def counts_without_factors(ds, frame, k):
    ds.remove_private_tags()
    return ds


@case("differ in Units: 'BQML' in .*, 'GML'")
def units_that_change(ds, frame, k):
    ds.Units = "GML" if frame == 3 else "BQML"
    return ds


@case(r"not corrected for attenuation \(CorrectedImage: DECY, SCAT, .*Choose the attenuation-corrected")
def no_attenuation_correction(ds, frame, k):
    ds.CorrectedImage = [name for name in ds.CorrectedImage if name != "ATTN"]
    return ds


@case(r"claims decay correction \(START\), but CorrectedImage does not list it")
def decay_correction_not_listed(ds, frame, k):
    ds.CorrectedImage = [name for name in ds.CorrectedImage if name != "DECY"]
    return ds


@case("not decay-corrected .* but CorrectedImage lists", decay_correction="NONE")
def decay_correction_denied(ds, frame, k):
    ds.CorrectedImage = [*ds.CorrectedImage, "DECY"]
    return ds


@case("does not say to when the images are decay-corrected")
def decay_correction_not_stated(ds, frame, k):
    ds.DecayCorrection = ""
    return ds


@case("duration of frame 3 .* is missing")
def duration_missing(ds, frame, k):
    if frame == 2:
        del ds.ActualFrameDuration
    return ds


@case("duration of frame 3 .* is 0 s")
def duration_zero(ds, frame, k):
    if frame == 2:
        ds.ActualFrameDuration = 0
    return ds


@case(r"Frames 5 and 6 overlap by 30\.0 s")
def overlapping_frames(ds, frame, k):
    ds.DecayFactor = "1"
    if frame == 4:
        ds.ActualFrameDuration = 90000
    return ds


@case(r"frame 6 has DecayFactor 1\.5, but 1\.01.* is expected")
def a_wrong_decay_factor(ds, frame, k):
    if frame == 5:
        ds.DecayFactor = "1.5"
    return ds


@case("neither the tracer's half-life nor a known nuclide.*--half-life")
def no_half_life_and_no_nuclide(ds, frame, k):
    del isotope(ds).RadionuclideHalfLife, isotope(ds).RadionuclideCodeSequence
    isotope(ds).Radiopharmaceutical = "tracer X"
    del isotope(ds).RadiopharmaceuticalCodeSequence
    return ds


@case("does not say when the tracer was injected.*--injection-time")
def no_injection_time(ds, frame, k):
    del isotope(ds).RadiopharmaceuticalStartTime, isotope(ds).RadiopharmaceuticalStartDateTime
    return ds


@case("does not say when the tracer was injected")
def no_radiopharmaceutical_at_all(ds, frame, k):
    half_life, code = isotope(ds).RadionuclideHalfLife, isotope(ds).RadionuclideCodeSequence
    isotope(ds).clear()
    isotope(ds).RadionuclideHalfLife, isotope(ds).RadionuclideCodeSequence = half_life, code
    return ds


@case(r"Frame 3 lacks 1 of 4 slices \(at -113\.71 mm")
def slice_missing_in_one_frame(ds, frame, k):
    return None if (frame, k) == (2, 2) else ds


@case("steps of 3.27-6.54 mm, the largest between -116.98 and -110.44 mm")
def slice_missing_in_all_frames(ds, frame, k):
    return None if k == 2 else ds


@case("6 x 10 pixels instead of 8 x 10: the geometry differs")
def rows_differ(ds, frame, k):
    if frame == 3:
        ds.Rows, ds.PixelData = 6, ds.PixelData[:120]
    return ds


@case("pixels of 3 mm instead of 2.5 mm: the geometry differs")
def pixel_spacing_differs(ds, frame, k):
    if frame == 3:
        ds.PixelSpacing = ["3", "3"]
    return ds


@case("another orientation: the geometry differs")
def orientation_differs(ds, frame, k):
    if frame == 3:
        ds.ImageOrientationPatient = ["1", "0", "0", "0", "0.995", "0.0998749"]
    return ds


@case("another frame of reference: the geometry differs")
def frame_of_reference_differs(ds, frame, k):
    if frame == 3:
        ds.FrameOfReferenceUID = "1.2.3"
    return ds


@case("shifted by 5.00 mm within its plane: the geometry differs")
def shifted_in_plane(ds, frame, k):
    if frame == 3:
        ds.ImagePositionPatient[0] += 5
    return ds


@case("slices of frame 4 lie at other positions .* geometry differs between frames")
def shifted_along_the_patient(ds, frame, k):
    if frame == 3:
        ds.ImagePositionPatient[2] += 1
    return ds


@case("does not say where it lies")
def no_position(ds, frame, k):
    if (frame, k) == (1, 1):
        del ds.ImagePositionPatient
    return ds


@case(r"Slices of one frame start at different times \(for example -120\.25 mm at 09:30:00.*several bed positions")
def beds_within_every_frame(ds, frame, k):
    if k >= 2:
        ds.FrameReferenceTime = str(float(ds.FrameReferenceTime) + 3000)
    return ds


@case("Slices of one frame start at different times", vendor="siemens")
def beds_within_one_frame(ds, frame, k):
    if frame == 4 and k >= 2:
        ds.AcquisitionTime = "093112"
    return ds


@case("show the same position at the same time")
def frames_that_cannot_be_told_apart(ds, frame, k):
    ds.FrameReferenceTime, ds.DecayFactor, ds.ActualFrameDuration = "0", "1", 60000
    return ds


@case("no valid rescale slope")
def rescale_slope_zero(ds, frame, k):
    ds.RescaleSlope = "0"
    return ds


@case("no valid rescale slope")
def no_rescale_slope(ds, frame, k):
    del ds.RescaleSlope
    return ds


@case("neither the series' nor the images' acquisition date and time")
def no_times_at_all(ds, frame, k):
    del ds.SeriesTime, ds.AcquisitionTime
    return ds


@case("multi-frame PET file .* describes none of its frames")
def enhanced_without_frames(ds, frame, k):
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.130"
    return ds


@case("36 DICOM files, but no PET images")
def not_pet(ds, frame, k):
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    return ds


@pytest.mark.parametrize(("modify", "match", "writing"), CASES)
def test_refused_with_a_reason(tmp_path, modify, match, writing):
    write_dicom_series(tmp_path, small_series(), modify=modify, **writing)
    with pytest.raises(InputError, match=f"(?s){match}") as refused:
        read_dicom(tmp_path)
    assert "SIMULATED" not in str(refused.value)  # no patient identity


def test_the_series_behind_the_table_is_readable(tmp_path):
    """So that each refusal above is due to what was spoilt."""
    write_dicom_series(tmp_path, small_series())
    assert read_dicom(tmp_path).warnings == ()


def test_no_dicom_in_the_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(InputError, match=r"no DICOM in the folder .* \(1 other files\)"):
        read_dicom(tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        read_dicom(tmp_path / "gone")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("keep", [0.3, 0.99])
def test_a_truncated_image_is_named(tmp_path, keep, compressed):
    syntax = "1.2.840.10008.1.2.4.80" if compressed else "1.2.840.10008.1.2.1"
    paths = write_dicom_series(tmp_path, small_series(shape=(2, 40, 40)), transfer_syntax=syntax)
    data = paths[3].read_bytes()
    paths[3].write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match=rf"'{paths[3].name}' is truncated"):
        read_dicom(tmp_path)


def test_damaged_compressed_pixels_are_named(tmp_path):
    paths = write_dicom_series(
        tmp_path, small_series("3x60", shape=(2, 40, 40)), transfer_syntax="1.2.840.10008.1.2.4.80"
    )
    data = bytearray(paths[1].read_bytes())
    at = data.find(b"\xff\xd8")
    data[at : at + 40] = bytes(40)
    paths[1].write_bytes(data)
    series = read_dicom(tmp_path)
    with pytest.raises(InputError, match=f"pixels of '{paths[1].name}' cannot be decompressed"):
        series.read([0])


def test_pipes_and_broken_links_in_the_folder_are_passed_over(tmp_path):
    write_dicom_series(tmp_path, small_series("3x60"))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert read_dicom(tmp_path).shape[0] == 3


def test_a_file_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    paths = write_dicom_series(tmp_path, small_series("3x60"))
    opened = Path.open

    def refuse(self, *args, **kwargs):
        if self.name == paths[1].name:
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=f"'{paths[1].name}' cannot be read"):
        read_dicom(tmp_path)


def test_a_file_that_vanishes_after_the_headers_were_read(tmp_path):
    paths = write_dicom_series(tmp_path, small_series("3x60"))
    series = read_dicom(tmp_path)
    paths[2].unlink()
    with pytest.raises(InputError, match=f"'{paths[2].name}' cannot be read"):
        series.read([0])


def test_two_dynamic_series_are_listed(tmp_path):
    def reconstruction(name):
        def modify(ds, frame, k):
            ds.SeriesDescription, ds.StudyInstanceUID = name, "1.2.3.4"
            return ds

        return modify

    for seed, name in enumerate(("OSEM", "FBP")):
        write_dicom_series(tmp_path / name, small_series(), seed=seed, modify=reconstruction(name))
    with pytest.raises(InputError, match=r"2 PET series that could be meant: .*'FBP' \(dynamic, 36 images, BQML\)"):
        read_dicom(tmp_path)


def test_a_static_series_of_several_beds(tmp_path):
    """GE's NumberOfTimeSlices counts the beds; slices lie at one time each."""
    beds = small_series(FrameTiming([3600, 3900], [297, 297]), shape=(4, 8, 10))

    def one_bed_each(ds, frame, k):
        ds.SeriesType = ["STATIC", "IMAGE"]
        return ds if k // 2 == frame else None

    write_dicom_series(tmp_path, beds, modify=one_bed_each)
    with pytest.raises(InputError, match=r"static: .* once, in 2 bed positions"):
        read_dicom(tmp_path)
    described = read_dicom(tmp_path, require_dynamic=False)
    assert not described.dynamic
    np.testing.assert_allclose(described.timing.start_s, [3600, 3900], atol=0.002)
    true = beds.read([0, 1])
    np.testing.assert_allclose(described.read([0])[0, :2], true[0, :2], atol=2e-3)
    np.testing.assert_allclose(described.read([0])[0, 2:], true[1, 2:], atol=2e-3)


def test_a_description_of_missing_slices_has_no_voxels(tmp_path):
    write_dicom_series(tmp_path, small_series(FrameTiming([60], [300]), shape=(6, 4, 4)))
    for path in tmp_path.glob("*_0003.dcm"):
        path.unlink()
    described = read_dicom(tmp_path, require_dynamic=False)
    assert described.geometry.spacing_mm[2] == pytest.approx(3.27)
    assert "can only be described" in described.warnings[-1]
    with pytest.raises(InputError, match="Slices of this static series are missing"):
        described.read([0])


def test_a_second_copy_of_the_folder_changes_nothing(tmp_path):
    paths = write_dicom_series(tmp_path / "a", small_series("3x60"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert len(read_dicom(tmp_path).timing) == 3
    assert dcmread(paths[0]).SOPInstanceUID
