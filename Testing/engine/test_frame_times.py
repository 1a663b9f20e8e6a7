"""When each frame began, by the header habits of three vendors."""

# ruff: noqa: ARG001 - the hook that changes an image is given its frame and slice

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from math import exp, expm1, log

import numpy as np
import pytest
from dicom_cases import small_series

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.dicom import read_dicom
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.dicom_scan import scan_folder
from petkinetics.read.dicom_time_evidence import ACQUISITION, DECAY_FACTOR, REFERENCE_MIDDLE, REFERENCE_START
from petkinetics.read.dicom_times import resolve_times, vendor_habit
from petkinetics.simulate.dicom_series import write_dicom_series

FRAMINGS = {
    "contiguous": FrameTiming.parse("6x10,4x30,2x300"),
    "equal frames": FrameTiming.parse("6x300"),
    "falling durations": FrameTiming.parse("2x300,2x60,2x10"),
    "bolus": FrameTiming.parse("12x2,4x5,2x60"),
    "gaps": FrameTiming([0, 30, 75, 400, 2700], [30, 30, 60, 300, 600]),
    "before injection": FrameTiming([-47.5, -17.5, 12.5, 72.5], [30, 30, 60, 300]),
    "late": FrameTiming([3600, 3900, 4200], [300, 300, 300]),
    "part seconds": FrameTiming([0, 9.95, 19.9, 30.2], [9.95, 9.95, 10.3, 60.45]),
}


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
@pytest.mark.parametrize("decay_correction", ["START", "ADMIN", "NONE"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_frame_times_come_back_from_every_vendors_headers(tmp_path, framing, decay_correction, vendor):
    series = small_series(FRAMINGS[framing], shape=(2, 4, 4))
    write_dicom_series(tmp_path, series, vendor=vendor, decay_correction=decay_correction)
    found = read_dicom(tmp_path)
    np.testing.assert_allclose(found.timing.start_s, series.timing.start_s, atol=0.002)
    np.testing.assert_allclose(found.timing.duration_s, series.timing.duration_s, atol=0.001)
    assert found.warnings == ()


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
def test_a_scan_over_midnight_keeps_its_times(tmp_path, vendor):
    series = small_series("4x60,4x300", shape=(2, 4, 4))
    write_dicom_series(tmp_path, series, vendor=vendor, injection=datetime(2024, 2, 29, 23, 57, 30))
    np.testing.assert_allclose(read_dicom(tmp_path).timing.start_s, series.timing.start_s, atol=0.002)


def test_an_injection_after_midnight_of_a_scan_begun_before_it(tmp_path):
    def undated(ds, frame, k):
        del ds.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime
        return ds

    series = small_series(FrameTiming([-90, -30, 30], [60, 60, 600]), shape=(2, 4, 4))
    write_dicom_series(tmp_path, series, injection=datetime(2024, 3, 1, 0, 1, 0), modify=undated)
    np.testing.assert_allclose(read_dicom(tmp_path).timing.start_s, [-90, -30, 30], atol=0.002)


def test_decay_weighting_is_claimed_only_where_the_factors_show_it(tmp_path):
    series = small_series("4x30,2x300", shape=(2, 4, 4))
    weighted = {}
    for vendor in ("ge", "siemens", "philips"):
        for correction in ("START", "ADMIN", "NONE"):
            write_dicom_series(tmp_path / vendor / correction, series, vendor=vendor, decay_correction=correction)
            weighted[vendor, correction] = read_dicom(tmp_path / vendor / correction).decay_weighted
    assert {key for key, value in weighted.items() if not value} == {("philips", "START"), ("philips", "ADMIN")}


# --- the choice itself, on headers made by hand ---------------------------------------------------

DECAY = log(2) / 6586.2
S = 63846091800.0
TRUE_START = np.array([0.0, 60.0, 120.0, 420.0])
DURATION = np.array([60.0, 60.0, 300.0, 300.0])


def mean_factor(start, duration):
    x = DECAY * duration
    return exp(DECAY * start) * x / -expm1(-x)


@pytest.fixture(scope="module")
def blank(tmp_path_factory) -> ImageHeader:
    folder = tmp_path_factory.mktemp("blank")
    write_dicom_series(folder, small_series("1x60", shape=(1, 4, 4)))
    return scan_folder(folder).images[0]


def headers(blank, acquired=None, reference=None, factor=None, duration=DURATION, series=S):
    """One header a frame; times relative to S."""
    n = len(duration)

    def of(values, i, shift=0.0):
        return None if values is None else float(values[i]) + shift

    return [
        replace(
            blank,
            series_s=series,
            acquired_s=of(acquired, i, S),
            reference_s=of(reference, i),
            duration_s=float(duration[i]),
            decay_factor=of(factor, i),
            decay_factor_step=1e-6,
        )
        for i in range(n)
    ]


def resolve(images, manufacturer="", correction="START"):
    return resolve_times(images, decay_correction=correction, injection=S, decay_per_s=DECAY, manufacturer=manufacturer)


FACTOR = [mean_factor(s, t) for s, t in zip(TRUE_START, DURATION, strict=True)]


def test_the_decay_factor_overrules_the_vendors_habit(blank):
    # A "GE" header whose FrameReferenceTime is the middle: the factors show it.
    times = resolve(headers(blank, [0] * 4, TRUE_START + DURATION / 2, FACTOR), "GE MEDICAL SYSTEMS")
    np.testing.assert_allclose(times.start - S, TRUE_START, atol=0.5)
    assert times.basis == REFERENCE_MIDDLE or times.basis.startswith("FrameReferenceTime as the moment")
    # A "Philips" header whose FrameReferenceTime is the start.
    times = resolve(headers(blank, [1] * 4, TRUE_START, FACTOR), "Philips Medical Systems")
    assert times.basis == REFERENCE_START


def test_the_factors_alone_give_the_times_where_the_tags_give_none(blank):
    times = resolve(headers(blank, [0] * 4, [0] * 4, FACTOR))
    assert times.basis == DECAY_FACTOR and times.decay_weighted
    np.testing.assert_allclose(times.start - S, TRUE_START, atol=0.02)
    assert "starts were taken from the decay factors" in times.warnings[0]


def test_of_two_readings_that_agree_with_the_factors_the_closer_one_is_taken(blank):
    # Middle and average moment of a 300-s frame lie 0.4 s apart: both agree within the tolerance.
    x = DECAY * DURATION
    reference = TRUE_START + np.log(x / -np.expm1(-x)) / DECAY
    times = resolve(headers(blank, [0] * 4, reference, FACTOR))
    np.testing.assert_allclose(times.start - S, TRUE_START, atol=1e-6)
    assert times.decay_weighted


def test_two_tags_that_agree_need_neither_factors_nor_vendor(blank):
    times = resolve(headers(blank, TRUE_START, TRUE_START + DURATION / 2, [1.0] * 4))
    assert times.basis == ACQUISITION and not times.decay_weighted


def test_the_vendors_habit_breaks_a_tie_and_without_it_the_times_are_refused(blank):
    reference = 300.0 * np.arange(4)
    frames = headers(blank, None, reference, None, duration=np.full(4, 280.0))
    assert resolve(frames, "GE MEDICAL SYSTEMS").basis == REFERENCE_START
    # A second series time lets the middle be plausible: frames would begin before the series otherwise.
    late = headers(blank, None, reference + 140.0, None, duration=np.full(4, 280.0))
    assert resolve(late, "Philips").basis == REFERENCE_MIDDLE
    with pytest.raises(InputError, match=r"leave open when the frames began.*140\.0, 440\.0.*0\.0, 300\.0"):
        resolve(late, "Acme")


def test_factors_that_contradict_every_reading_are_refused_with_the_numbers(blank):
    factor = list(FACTOR)
    factor[2] *= 1.05
    with pytest.raises(InputError, match=r"frame 3 has DecayFactor 1\.0.* but 1\.0.* is expected .*s of decay"):
        resolve(headers(blank, TRUE_START, None, factor), "SIEMENS")


def test_overlap_by_every_reading_is_refused(blank):
    start = np.array([0.0, 30.0, 120.0, 420.0])
    with pytest.raises(InputError, match=r"Frames 1 and 2 overlap by 30\.0 s by every reading"):
        resolve(headers(blank, start, None, None), "SIEMENS")


def test_plain_middle_factors_are_no_decay_weighting(blank):
    duration = np.array([900.0, 900.0, 1800.0])
    start = np.array([0.0, 900.0, 1800.0])
    factor = np.exp(DECAY * (start + duration / 2))
    times = resolve(headers(blank, start, None, factor, duration=duration), "SIEMENS")
    assert not times.decay_weighted
    assert "frames' middle" in times.warnings[0]


def test_a_series_time_after_the_first_acquisition_gives_way_to_it(blank):
    times = resolve(headers(blank, TRUE_START, None, FACTOR, series=S + 2730.0), "SIEMENS")
    np.testing.assert_allclose(times.start - S, TRUE_START)
    np.testing.assert_allclose(times.reference, S)
    assert "2730 s later than the first acquisition" in times.warnings[0]
    # Five microseconds, as a real header has it, are not worth a word.
    assert resolve(headers(blank, TRUE_START, None, FACTOR, series=S + 5e-6), "SIEMENS").warnings == ()


def test_factors_to_injection_in_a_series_said_to_be_corrected_to_its_start_are_refused(blank):
    factor = [mean_factor(s + 3600, t) for s, t in zip(TRUE_START, DURATION, strict=True)]
    with pytest.raises(InputError, match=r"are those of a correction to injection, 3600 s away.*factor 1\.461"):
        resolve_times(
            headers(blank, TRUE_START, None, factor),
            decay_correction="START",
            injection=S - 3600,
            decay_per_s=DECAY,
            manufacturer="SIEMENS",
        )


def test_vendor_names():
    assert vendor_habit("GE MEDICAL SYSTEMS") == REFERENCE_START
    assert vendor_habit("SIEMENS") == vendor_habit("CPS") == ACQUISITION
    assert vendor_habit("Philips Medical Systems") == REFERENCE_MIDDLE
    assert vendor_habit("General Imaging") is None
