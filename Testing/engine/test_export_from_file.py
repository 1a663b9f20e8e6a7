"""A result of a NIfTI series, which names no DICOM series, is not filed in another patient's study."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from exported_maps import header
from synthetic import HALF_LIFE_S, SHORT, Patient, result, run

from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer, VolumeGeometry
from petkinetics.simulate.dicom_series import write_dicom_series

PATIENT = Patient(duration=SHORT.copy(), shape=(3, 24, 24))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result of the patient's NIfTI series."""
    folder = tmp_path_factory.mktemp("nifti")
    series = PATIENT.save(folder / "in")
    arguments = ("--roi", folder / "in" / "aorta.nii", "--method", "patlak", "-o", folder / "out", "--no-compress")
    assert run("estimate", series, *arguments) == 0
    return folder / "out"


def dicom(folder: Path, **changes: object) -> Path:
    """The same scan as DICOM, or that of another patient on the same grid, by what differs."""
    about: dict[str, object] = {
        "timing": FrameTiming(PATIENT.start, PATIENT.duration),
        "geometry": VolumeGeometry(PATIENT.shape, PATIENT.spacing, (-90.0, -100.0, -40.0)),
        "tracer": Tracer("FDG", "F-18", HALF_LIFE_S),
        "voxels": ArrayVoxels(PATIENT.frames),
        "injected_activity_mbq": 300.0,
        "weight_kg": 70.0,
    }
    write_dicom_series(folder, DynamicSeries(**{**about, **changes}))  # type: ignore[arg-type]
    return folder


def stretched() -> FrameTiming:
    duration = PATIENT.duration.copy()
    duration[-2:] = 240.0, 360.0
    return FrameTiming(np.concatenate([[0.0], np.cumsum(duration)[:-1]]), duration)


OTHERS = {
    "another dose": ({"injected_activity_mbq": 250.0}, ["activity of the maps is 300 MBq", "series 250 MBq"]),
    "another weight": ({"weight_kg": 81.0}, ["weight of the maps is 70 kg", "series 81 kg"]),
    "another tracer": (
        {"tracer": Tracer("PSMA-1007", "F-18", HALF_LIFE_S)},
        ["tracer of the maps is FDG", "PSMA-1007"],
    ),
    "other frames": ({"timing": stretched()}, ["frame 25 of the maps begins", "for 300 s", "for 240 s"]),
    "fewer frames": (
        {
            "timing": FrameTiming(PATIENT.start[:-1], PATIENT.duration[:-1]),
            "voxels": ArrayVoxels(PATIENT.frames[:-1]),
        },
        ["maps are of 26 frames, the series has 25"],
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_series_that_contradicts_the_result_is_refused_with_both_values(made, tmp_path, capsys, what):
    changes, words = OTHERS[what]
    series = dicom(tmp_path / "other", **changes)
    assert run("export", made, "--series", series, "--to", tmp_path / "to", "--as", "both") == 2
    said = capsys.readouterr().err
    assert "not that of the maps" in said
    assert all(word in said for word in words), said
    assert not (tmp_path / "to").exists()


def test_the_same_scan_is_taken_with_a_warning_of_what_could_be_compared(made, tmp_path, capsys):
    series = dicom(tmp_path / "same")
    assert run("export", made, "--series", series, "--to", tmp_path / "to") == 0
    said = capsys.readouterr().err
    agreed = "the grid, frame times, injected activity, weight, half-life and tracer could be compared"
    assert agreed in said and said.count("names no DICOM series") == 1
    study = header(next(series.rglob("*.dcm"))).StudyInstanceUID
    assert header(tmp_path / "to" / "ki.dcm").StudyInstanceUID == study


def test_what_the_user_replaced_is_not_held_against_the_series_and_old_results_are_compared_too(made, tmp_path, capsys):
    record = result(made)
    for file in made.glob("*.nii"):
        (tmp_path / "old").mkdir(exist_ok=True)
        (tmp_path / "old" / file.name).write_bytes(file.read_bytes())
    for key in ("frame_start_s", "frame_duration_s"):
        del record["series"][key]
    record["overrides"] = {"dose_mbq": 300.0}
    (tmp_path / "old" / "result.json").write_text(json.dumps(record), encoding="utf-8")
    series = dicom(tmp_path / "same", injected_activity_mbq=280.0)
    assert run("export", tmp_path / "old", "--series", series, "--to", tmp_path / "to") == 0
    assert "the grid, frame times, weight, half-life and tracer could be compared" in capsys.readouterr().err
    series = dicom(tmp_path / "other", timing=stretched())
    assert run("export", tmp_path / "old", "--series", series, "--to", tmp_path / "other to") == 2
    assert "for 240 s" in capsys.readouterr().err


def test_clocks_that_disagree_are_told(made, tmp_path, capsys):
    series = dicom(tmp_path / "same", timing=FrameTiming(PATIENT.start + 90.0, PATIENT.duration))
    assert run("export", made, "--series", series, "--to", tmp_path / "to") == 0
    assert "frames lie 90 s later from injection" in capsys.readouterr().err


def test_headers_that_cannot_be_compared_are_told(made, tmp_path, capsys):
    series = dicom(tmp_path / "same")
    for path in series.rglob("*.dcm"):
        ds = pydicom.dcmread(path)
        del ds.RadiopharmaceuticalInformationSequence
        ds.save_as(path)
    assert run("export", made, "--series", series, "--to", tmp_path / "to") == 0
    said = capsys.readouterr().err
    assert "only the grid could be compared with this one; it agrees" in said
    assert "The headers could not be compared" in said
