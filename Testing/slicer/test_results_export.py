"""Results leave Slicer: DICOM into folder and database, tables, the report; and the reasons when they cannot."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from DICOMLib import DICOMUtils
from region_scenes import HOT_AT, SMALL, VESSEL_AT, add_segment, ball, segmentation
from results_cases import loaded, sequence_in_scene, study

import slicer
from DynamicPETKineticsLib.at_once import at_once
from DynamicPETKineticsLib.regions.agreement import compare
from DynamicPETKineticsLib.regions.region_table import region_rows
from DynamicPETKineticsLib.results.export_maps import (
    export_steps,
    into_database,
    require_series,
    source_folder,
    source_uids,
)
from DynamicPETKineticsLib.results.export_tables import write_csv_tables
from DynamicPETKineticsLib.results.report import deliver, report_steps
from petkinetics.errors import InputError
from petkinetics.read.maps import read_map


@pytest.fixture
def database() -> Iterator[Any]:
    with DICOMUtils.TemporaryDICOMDatabase() as temporary:
        yield temporary


def regions() -> Any:
    node = segmentation()
    add_segment(node, ball(SMALL, HOT_AT, 9.0), SMALL, "Tumour <1>")
    add_segment(node, ball(SMALL, (20.0, 20.0, 5.0), 12.0), SMALL, "Liver")
    return node


# ------------------------------------------------------------------------------------- source files


def test_the_source_is_where_the_database_says(database: Any) -> None:
    result = loaded(sequence_in_scene())
    DICOMUtils.importDicom(str(study().dicom))
    assert source_folder(result, result.sequence) == study().dicom
    assert database.filesForSeries(source_uids(result)[0])


def test_a_source_that_cannot_be_found_is_explained(database: Any, tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    with pytest.raises(InputError, match="are not in Slicer's database") as raised:
        source_folder(result)
    assert "Locate the folder" in raised.value.hint
    moved = tmp_path / "series"
    shutil.copytree(study().dicom, moved)
    DICOMUtils.importDicom(str(moved))
    moved.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"no longer at .*series"):
        source_folder(result)
    database.isOpen = False
    with pytest.raises(InputError, match="database is not open"):
        source_folder(result)


def test_a_series_that_was_no_dicom_has_no_source(database: Any) -> None:  # noqa: ARG001
    result = loaded(sequence_in_scene())
    result.record["input_uids"] = []
    assert source_uids(result, result.sequence) == source_uids(loaded(sequence_in_scene()))
    with pytest.raises(InputError, match="did not come from DICOM"):
        source_folder(result, None)


def test_a_located_folder_must_hold_that_series(tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    require_series(result, study().dicom)
    require_series(result, study().dicom.parent)
    with pytest.raises(InputError, match="There are no DICOM files"):
        require_series(result, tmp_path)
    other = pydicom.dcmread(next(study().dicom.iterdir()))
    other.SeriesInstanceUID = "1.2.3"
    other.save_as(tmp_path / "other.dcm")
    with pytest.raises(InputError, match="holds other series"):
        require_series(result, tmp_path)


# -------------------------------------------------------------------------------------------- DICOM


def test_maps_go_into_the_database_as_copies(database: Any, tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    job = at_once(export_steps(result, tmp_path, study().dicom, tmp_path / "dicom", "parametric-map"))
    job.run()
    assert all(path.is_file() for path in (tmp_path / "dicom").iterdir())  # flat
    series = into_database(tmp_path / "dicom")
    assert len(series) == 6
    shutil.rmtree(tmp_path / "dicom")
    descriptions = set()
    for uid in series:
        (file,) = database.filesForSeries(uid)
        read = pydicom.dcmread(file)
        descriptions.add(read.SeriesDescription)
        assert read.StudyInstanceUID == pydicom.dcmread(next(study().dicom.iterdir())).StudyInstanceUID
    assert any("Ki (whole-blood input)" in text for text in descriptions)


def test_exported_numbers_are_those_of_the_scene(tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    ki = slicer.util.arrayFromVolume(result.maps["ki"])
    ki[3, 4, 5] = 0.123
    slicer.util.arrayFromVolumeModified(result.maps["ki"])
    at_once(export_steps(result, tmp_path, study().dicom, tmp_path / "dicom")).run()
    exported = pydicom.dcmread(tmp_path / "dicom" / "ki.dcm")
    pixels = np.frombuffer(exported.FloatPixelData, dtype="<f4")
    np.testing.assert_array_equal(np.sort(pixels), np.sort(ki.ravel()))


def test_a_database_that_takes_nothing_is_told(database: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did not take"):
        into_database(tmp_path)
    database.isOpen = False
    with pytest.raises(InputError, match="not open"):
        into_database(tmp_path)


# ------------------------------------------------------------------------------------------- tables


def test_tables_are_written_as_csv(tmp_path: Path) -> None:
    sequence = sequence_in_scene()
    result, other = loaded(sequence), loaded(sequence, "Gaussian 15:01", study().gaussian)
    node = regions()
    rows = region_rows(result, node, sequence)
    comparison = compare(result.maps["ki"], other.maps["ki"], node)
    files = write_csv_tables(tmp_path, result, rows, comparison, sequence, node)
    assert [path.name for path in files] == [
        f"{title}_patlak-14-32.csv" for title in ("regions", "bland_altman", "region_curves", "blood_region")
    ]
    with files[0].open(encoding="utf-8-sig", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert {row["roi"] for row in table} == {"Tumour <1>", "Liver"}
    ki = next(row for row in table if row["roi"] == "Tumour <1>" and row["map"] == "ki")
    assert float(ki["mean"]) == pytest.approx(0.04, rel=0.1)
    assert float(ki["se"]) > 0
    assert next(row for row in table if row["map"] == "residual")["se"] == ""
    with files[2].open(encoding="utf-8-sig", newline="") as stream:
        curves = list(csv.DictReader(stream))
    assert len(curves) == 28
    assert list(curves[0]) == ["frame_start", "frame_duration", "Tumour <1>", "Liver"]
    with pytest.raises(InputError, match=r"already holds regions_patlak-14-32\.csv"):
        write_csv_tables(tmp_path, result, rows)


def test_without_regions_the_blood_is_written_and_without_anything_it_is_said(tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    assert [path.name for path in write_csv_tables(tmp_path, result)] == ["blood_region_patlak-14-32.csv"]
    slicer.mrmlScene.RemoveNode(result.tables["input_function_frames.tsv"])
    with pytest.raises(InputError, match="There are no tables yet"):
        write_csv_tables(tmp_path, result)


# ------------------------------------------------------------------------------------------- report


def words(path: Path) -> str:
    import re

    text = re.sub(r"<style>.*?</style>|<img[^>]*>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def report(result: Any, work: Path, **more: Any) -> tuple[str, list[str]]:
    work.mkdir()
    said: list[str] = []
    job = at_once(report_steps(result, work, **more))
    assert json.loads(json.dumps(job.__dict__)) == job.__dict__
    return words(job.run(warn=said.append)), said


def test_a_report_holds_regions_agreement_and_fits_of_the_scene(tmp_path: Path) -> None:
    sequence = sequence_in_scene()
    result, other = loaded(sequence), loaded(sequence, "Gaussian 15:01", study().gaussian)
    node = regions()
    rows = region_rows(result, node, sequence)
    comparison = compare(result.maps["ki"], other.maps["ki"], node)
    text, said = report(
        result, tmp_path / "work", segmentation=node, sequence=sequence, rows=rows, comparison=comparison
    )
    assert said == []
    assert "Ki (whole-blood input) over the anatomy." in text
    ki = next(row for row in rows if row["roi"] == "Liver" and row["map"] == "ki")
    assert f"Liver {ki['volume_ml']:.3g}" in text
    assert f"{ki['mean']:.2g}"[:4] in text
    assert "Patlak plot." in text
    names = [result.maps["ki"].GetName(), other.maps["ki"].GetName()]
    assert f"Differences are {names[0]} − {names[1]}." in text
    agreement = comparison.agreements[0]
    assert f"Agreement: {agreement.roi}" in text
    final = deliver(tmp_path / "work" / "report.html", tmp_path / "report.html")
    assert final.is_file()
    # a report may replace an earlier one
    (tmp_path / "work" / "report.html").write_text("new", encoding="utf-8")
    deliver(tmp_path / "work" / "report.html", final)
    assert final.read_text(encoding="utf-8") == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "work"]


def test_without_the_series_the_report_lacks_only_fits_and_errors(tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    text, said = report(result, tmp_path / "work", segmentation=regions())
    assert said == []
    assert "Tumour <1>" in text
    assert "Patlak plot." not in text
    text, _ = report(result, tmp_path / "again")
    assert "Input function" in text
    assert "Tumour" not in text


def test_overlapping_regions_are_all_reported(tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    node = regions()
    add_segment(node, ball(SMALL, HOT_AT, 4.5), SMALL, "Core")
    text, _ = report(result, tmp_path / "work", segmentation=node)
    assert all(name in text for name in ("Tumour <1>", "Core", "Liver"))


def test_no_patients_name_is_in_the_report(tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    patient = pydicom.dcmread(next(study().dicom.iterdir()))
    text, _ = report(result, tmp_path / "work", segmentation=regions())
    assert patient.PatientName
    assert str(patient.PatientName) not in text
    assert str(patient.PatientName).split("^")[0].lower() not in text.lower()
    html = (tmp_path / "work" / "report.html").read_text(encoding="utf-8")
    assert str(tmp_path) not in html
    assert str(study().dicom.parent) not in html


def test_a_map_renamed_since_it_was_compared_is_told(tmp_path: Path) -> None:
    sequence = sequence_in_scene()
    result, other = loaded(sequence), loaded(sequence, "Gaussian 15:01", study().gaussian)
    node = segmentation()
    add_segment(node, ball(SMALL, VESSEL_AT, 9.0), SMALL, "Blood")
    comparison = compare(result.maps["ki"], other.maps["ki"], node)
    other.maps["ki"].SetName("renamed")
    with pytest.raises(InputError, match="renamed or deleted"):
        report(result, tmp_path / "work", segmentation=node, comparison=comparison)


def test_a_report_that_cannot_be_put_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        deliver(tmp_path / "report.html", tmp_path / "nowhere" / "report.html")


def test_maps_read_back_from_the_hand_over_lie_where_they_were(tmp_path: Path) -> None:
    result = loaded(sequence_in_scene())
    at_once(export_steps(result, tmp_path, study().dicom, tmp_path / "dicom"))
    restored = read_map(tmp_path / "result" / "ki.nii")
    assert restored.geometry.difference(read_map(study().patlak / "ki.nii").geometry, 1e-3) is None
