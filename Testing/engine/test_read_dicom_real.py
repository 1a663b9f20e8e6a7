"""Real headers: GE, Siemens, Philips, and the real GE series written as a dynamic one."""

# ruff: noqa: ARG001 - the hook that spoils an image is given its frame and slice

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from acrin_dynamic import REAL, real_slices, write_acrin_dynamic
from dicom_cases import assert_same_voxels, small_series
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.datadict import dictionary_VR
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.dicom import read_dicom
from petkinetics.read.info import series_info
from petkinetics.simulate.dicom_series import write_dicom_series

DATA = Path(__file__).parent.parent / "data"
ACRIN = DATA / "pet_ge_acrin_nsclc"


# --- GE Discovery ST, ACRIN -----------------------------------------------------------------------


def test_the_real_ge_series_is_described():
    series = read_dicom(REAL, require_dynamic=False)
    info = series_info(series)
    assert info["dynamic"] is False
    assert info["shape"] == [1, 135, 128, 128]
    assert info["spacing_mm"] == [4.6875, 4.6875, pytest.approx(3.2703, abs=1e-4)]
    assert info["suv_factor"] == pytest.approx(0.000421110, abs=5e-10)
    assert info["suv_factor"] == pytest.approx(91 * 1000 / (588802304.0 * 2 ** (-9527 / 6588)), rel=1e-12)
    # Three beds, 07:21:00 to 09:59:47 after injection and 303 s apart: FrameReferenceTime is the start.
    assert [f["start_s"] for f in info["frames"]] == pytest.approx([9527, 9830, 10133], abs=1e-3)
    assert {f["duration_s"] for f in info["frames"]} == {300.0}
    assert (info["weight_kg"], info["half_life_s"]) == (91.0, 6588.0)
    assert info["injected_activity_mbq"] == pytest.approx(588.802304)
    assert info["warnings"] == [
        "The slices are unevenly spaced by up to 0.014 mm (steps 3.270-3.290 mm); "
        "they are taken as evenly spaced by 3.2703 mm."
    ]


def test_the_real_jpeg_ls_pixels_are_suv_by_the_factor():
    series = read_dicom(REAL, require_dynamic=False)
    ds = dcmread(real_slices()[40].filename)
    suv = ds.pixel_array * float(ds.RescaleSlope) * 0.000421110
    expected = suv * series.injected_activity_mbq / series.weight_kg
    np.testing.assert_allclose(series.read([0], 40, 41)[0, 0], expected, rtol=3e-6, atol=1e-6)


def test_the_real_ge_series_is_refused_as_static_although_it_counts_three_time_slices():
    with pytest.raises(InputError, match="static: it shows each of its 135 slices once, in 3 bed positions"):
        read_dicom(REAL)


def test_the_real_uncorrected_series_is_refused():
    for require in (True, False):
        with pytest.raises(InputError, match="PROPCNTS"):
            read_dicom(ACRIN / "PT_NAC", require_dynamic=require)


def test_of_both_real_series_the_corrected_one_is_chosen():
    assert read_dicom(ACRIN, require_dynamic=False).geometry.shape == (135, 128, 128)


def with_vr(json_object: dict) -> dict:
    """DICOM JSON with the value representations that some attributes lack; private ones left out."""
    found = {}
    for tag, element in json_object.items():
        if int(tag[:4], 16) % 2:
            continue
        element = {"vr": dictionary_VR(int(tag, 16)), **element}
        if element["vr"] == "SQ":
            element["Value"] = [with_vr(item) for item in element.get("Value", [])]
        found[tag] = element
    return found


def real_world_values() -> Iterator[tuple[str, Dataset]]:
    for path in sorted(ACRIN.glob("RWV_*.json.gz")):
        ds = Dataset.from_json(with_vr(json.loads(gzip.decompress(path.read_bytes()))))
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        yield path.name.removesuffix(".json.gz"), ds


def test_the_wrong_real_world_value_object_is_noticed_and_the_right_ones_are_not(tmp_path):
    shutil.copytree(REAL, tmp_path / "PT_AC")
    for name, ds in real_world_values():
        dcmwrite(tmp_path / f"{name}.dcm", ds, enforce_file_format=True)
    series = read_dicom(tmp_path, require_dynamic=False)
    about = [w for w in series.warnings if "real-world-value" in w]
    assert len(about) == 1
    assert "4.2111e-07" in about[0] and "RWV_10734" in about[0] and "0.00042111" in about[0]
    assert "of another series of this study" in about[0]


def test_a_wrong_object_for_these_images_says_so(tmp_path):
    shutil.copytree(REAL, tmp_path / "PT_AC")
    _, ds = next(iter(real_world_values()))
    for reference in ds.ReferencedImageRealWorldValueMappingSequence:
        reference.RealWorldValueMappingSequence[0].RealWorldValueSlope = 0.000421110 * 1.002
    dcmwrite(tmp_path / "rwv.dcm", ds, enforce_file_format=True)
    warnings = read_dicom(tmp_path, require_dynamic=False).warnings
    assert any("0.000421952 for images of this series" in w for w in warnings)


def striped(geometry, timing):
    """Activity that differs by frame, slice and place."""
    k, i, j = np.ogrid[: geometry.shape[0], : geometry.shape[1], : geometry.shape[2]]
    pattern = 5 + 3 * np.sin(0.3 * i) * np.cos(0.2 * j) + 0.1 * k
    return (pattern[None] * np.linspace(0.1, 2, len(timing))[:, None, None, None]).astype(np.float32)


def test_the_real_headers_written_as_a_dynamic_series_come_back(tmp_path):
    # Slices 40-51 lie across a seam of two beds, with its wider step.
    series = write_acrin_dynamic(tmp_path, striped, slices=range(38, 50))
    found = read_dicom(tmp_path)
    assert_same_voxels(found, series)
    assert found.shape == (28, 12, 128, 128)
    np.testing.assert_allclose(found.timing.start_s, FrameTiming.parse("liang2023").start_s, atol=0.002)
    assert found.geometry.difference(series.geometry, 0.02) is None
    assert (found.weight_kg, found.injected_activity_mbq) == (91.0, pytest.approx(588.802304))
    assert found.tracer.half_life_s == 6588.0 and found.decay_weighted
    assert found.suv_factor == pytest.approx(91 / 588802.304)
    assert [w for w in found.warnings if "unevenly" not in w] == []


# --- the other real series ------------------------------------------------------------------------


def test_the_second_real_ge_series_is_described():
    info = series_info(read_dicom(DATA / "pet_ge_sts" / "beds", require_dynamic=False))
    assert [f["start_s"] for f in info["frames"]] == pytest.approx([2711 + 243 * n for n in range(6)], abs=1e-3)
    assert {f["duration_s"] for f in info["frames"]} == {240.0}
    assert info["dynamic"] is False and info["units"] == "BQML"
    assert info["suv_factor"] == pytest.approx(71 * 1000 / (info["injected_activity_mbq"] * 1e6 * 2 ** (-2711 / 6588)))


def test_real_suv_images_return_to_activity():
    series = read_dicom(DATA / "pet_ge_sts" / "gml", require_dynamic=False)
    info = series_info(series)
    assert (info["units"], info["decay_corrected_to"], info["suv_factor"]) == ("GML", "ADMIN", pytest.approx(1.0))
    first = min(
        (dcmread(p) for p in (DATA / "pet_ge_sts" / "gml").iterdir()), key=lambda ds: float(ds.ImagePositionPatient[2])
    )
    suv = first.pixel_array * float(first.RescaleSlope)
    activity = suv * series.injected_activity_mbq / series.weight_kg
    np.testing.assert_allclose(series.read([0], 0, 1)[0, 0], activity, rtol=1e-5, atol=1e-6)


def test_the_real_siemens_series_is_described_bed_by_bed():
    series = read_dicom(DATA / "pet_siemens_qin" / "beds", require_dynamic=False)
    starts = [0, 184.109, 368.266, 552.328, 736.547, 920.656, 1104.641, 1288.922, 1472.906]
    # AcquisitionTime of each bed; injected 08:45:00, series at 10:27:31.687.
    np.testing.assert_allclose(series.timing.start_s, 6151.687 + np.array(starts), atol=1e-3)
    assert set(series.timing.duration_s) == {180.0}
    assert series.decay_weighted and series.tracer.radionuclide == "F-18"
    assert series.suv_factor == pytest.approx(123.6 * 1000 / (587929992.67578 * 2 ** (-6151.687 / 6586.2)))


# --- header sets of other scanners ------------------------------------------------------------------

CASES = sorted((DATA / "pet_headers_cornerstone").glob("*-instances.json"))
#: expected start of the first image after injection (s), and SUVbw per stored unit
EXPECTED = {
    # acquisition 5 microseconds before the series time
    "BQML_AC_DT_lessThan_S_DT_SIEMENS": (3255.0, 65e3 / (225e6 * 2 ** (-3255 / 6586.2))),
    # acquisition 2730 s before the series time: the acquisition is the reference
    "CPS_AND_BQML_AC_DT_-_S_DT": (3791.234, 69e3 / (388e6 * 2 ** (-3791.234 / 6586.2))),
    "GE_MEDICAL_AND_BQML": (4281.0, 52e3 / (152022720 * 2 ** (-4281 / 6586.2001953125))),
    # FrameReferenceTime is the middle of the frame, counted from the series time
    "PHILIPS_BQML": (3657 + 1328.7 - 60.35, 0.003515736 / 4.709921),
    "PHILIPS_CNTS_AND_BQML_SUV": (3956 + 1183 - 60, 0.000551),
    "PHILIPS_CNTS_AND_SUV": (4551 + 1755 - 90, 0.000728),
    "RADIOPHARM_DATETIME_UNDEFINED": (5155.687, 102e3 / (412e6 * 2 ** (-3871.843 / 6586.2))),
    "SIEMENS": (8265.35137, 67e3 / (374e6 * 2 ** (-8264 / 6586.2))),
}
MANUFACTURER = {"CPS": "CPS", "GE": "GE MEDICAL SYSTEMS", "PHI": "Philips Medical Systems"}


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.name[14:-15])
def test_start_and_suv_factor_of_real_header_sets(tmp_path, path):
    name = path.name.removeprefix("test_metadata_").removesuffix("-instances.json")
    real = json.loads(path.read_text())[0]

    def apply(ds, frame, k):
        ds.Manufacturer = MANUFACTURER.get(name[:3], "SIEMENS")
        ds.SeriesType, ds.AcquisitionDate = ["STATIC", "IMAGE"], real["AcquisitionDate"]
        del ds.DecayFactor  # the sets do not hold it
        ds.remove_private_tags()
        item = ds.RadiopharmaceuticalInformationSequence[0]
        del item.RadiopharmaceuticalStartDateTime
        for keyword, value in real.items():
            if keyword.startswith("Radi"):
                setattr(item, keyword, value.strip() if isinstance(value, str) else str(value))
            elif keyword == "PhilipsPETPrivateGroup":
                block = ds.private_block(0x7053, "Philips PET Private Group", create=True) if value else None
                for element, key in ((0x00, "SUVScaleFactor"), (0x09, "ActivityConcentrationScaleFactor")):
                    if key in value:
                        block.add_new(element, "DS", value[key].strip())
            else:
                setattr(ds, keyword, str(value)[:16] if isinstance(value, float) else value)
        return ds

    write_dicom_series(tmp_path, small_series("1x60", shape=(3, 4, 4)), modify=apply)
    found = read_dicom(tmp_path, require_dynamic=False)
    start, suv = EXPECTED[name]
    assert found.timing.start_s[0] == pytest.approx(start, abs=1e-3)
    # Philips' own factors are rounded and use their own half-life: within 0.1 %.
    assert found.suv_factor == pytest.approx(suv, rel=1e-3 if "PHILIPS" in name else 1e-9)
    assert any("2730 s later" in w for w in found.warnings) == ("CPS" in name)
