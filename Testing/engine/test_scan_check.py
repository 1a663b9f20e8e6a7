"""Whether methods that were not trained say what is wrong with a scan, and no check stands in the way of maps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from petkinetics.cli import main
from petkinetics.errors import Cancelled, InputError
from petkinetics.estimators import METHODS, make_estimator
from petkinetics.estimators.coarse_frames import coarse_frames
from petkinetics.estimators.estimator import Problem, no_progress
from petkinetics.estimators.scan_check import check_scan, use_of
from petkinetics.estimators.scan_faults import NAMES, scan_faults
from petkinetics.series import ArrayVoxels, Float32
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.simulate.write import write_patient
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of
from petkinetics.studies.worlds import World

CLASSICAL = (
    "patlak",
    "gaussian",
    "nlm",
    "hypr",
    "total-variation",
    "two-tissue",
    "two-tissue-reversible",
    "one-tissue",
)
#: models with a rate for what leaves tissue again
REVERSIBLE = ("two-tissue-reversible", "one-tissue")


def moved(patient: DigitalPatient, from_s: float = 900.0, mm: float = 10.0) -> DigitalPatient:
    """The patient lies further to the back from a time on."""
    series = patient.series
    values = series.read(range(len(series.timing)))
    after = series.timing.start_s >= from_s
    values[after] = np.roll(values[after], round(mm / series.geometry.spacing_mm[1]), axis=2)
    return replace(patient, series=replace(series, voxels=ArrayVoxels(values)))


@pytest.fixture(scope="module")
def patient() -> DigitalPatient:
    return simulate_patient("thorax", seed=90031, geometry=middle_slices("small", 8))


@pytest.fixture(scope="module")
def folders(patient: DigitalPatient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("scans")
    write_patient(patient, root / "good", "nifti")
    write_patient(moved(patient), root / "moved", "nifti")
    return {name: root / name for name in ("good", "moved")}


def run(scan: Path, out: Path, method: str, *options: str) -> dict[str, Any]:
    command = [
        "estimate",
        str(scan / "pet.nii.gz"),
        "--roi",
        str(scan / "aorta.nii.gz"),
        "--method",
        method,
        "--check-scan",
    ]
    assert main([*command, "--no-compress", *options, "-o", str(out)]) == 0
    record: dict[str, Any] = json.loads((out / "result.json").read_text(encoding="utf-8"))
    return record


def of_scan(record: dict[str, Any]) -> list[str]:
    """Warnings of the scan's check."""
    begins = ("The frames ", "The blood curve is lower", "The body's tissue", "Whether the patient")
    return [said for said in record["warnings"] if said.startswith(begins) or "the body lies at least" in said]


@pytest.mark.parametrize("method", CLASSICAL)
def test_every_method_tells_that_the_patient_moved_and_where_not_to_trust_its_maps(
    method: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    window = [] if method in ("two-tissue", *REVERSIBLE) else ["--t-star", "9"]
    record = run(folders["moved"], tmp_path / "moved", method, "--until", "35", *window)
    (said,) = of_scan(record)
    assert said.startswith("The frames from 15 min on seem to be shifted") and "Align the frames" in said
    assert record["applicability"]["checked"] is False
    assert set(record["applicability"]["scan"]) == set(NAMES)
    assert (tmp_path / "moved" / "distrust.nii").is_file()
    record = run(folders["good"], tmp_path / "good", method, "--until", "35", *window)
    assert of_scan(record) == []
    assert not (tmp_path / "good" / "distrust.nii").exists()


def test_plain_patlak_is_checked_with_a_report_or_when_asked(folders: dict[str, Path], tmp_path: Path) -> None:
    command = ["estimate", str(folders["moved"] / "pet.nii.gz"), "--roi", str(folders["moved"] / "aorta.nii.gz")]
    command += ["--method", "patlak", "--t-star", "9", "--until", "35"]
    for name, more in (("bare", []), ("report", ["--report"])):
        assert main([*command, *more, "-o", str(tmp_path / name)]) == 0
        record = json.loads((tmp_path / name / "result.json").read_text(encoding="utf-8"))
        assert bool(of_scan(record)) == (name == "report")


@pytest.mark.parametrize(
    ("preset", "said"), [("compact", 1), pytest.param("default", 0, marks=pytest.mark.slow)], ids=["compact", "default"]
)
def test_that_a_network_knows_no_ranges_is_said_in_record_report_and_on_the_way(
    folders: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    preset: str,
    said: int,
) -> None:
    words = "has no ranges to check a scan against"
    options = ("--until", "35", "--set", f"preset={preset}", "--report")
    record = run(folders["good"], tmp_path / "out", "kinetic-network", *options)
    assert record["applicability"]["checked"] is not bool(said)
    assert len([sentence for sentence in record["warnings"] if words in sentence]) == said
    assert capsys.readouterr().err.count(words) == said
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf-8").count(words) == said


def test_every_method_has_its_check() -> None:
    assert {*CLASSICAL, "kinetic-network", "direct-network", "diffusion-prior"} == set(METHODS)


def test_frames_after_the_movement_agree_and_only_the_blood_curve_is_doubted(patient: DigitalPatient) -> None:
    patient = moved(patient)
    problem = problem_of(patient, aorta_input(patient, 65.0), 30.0, 65.0)
    found = scan_faults(problem, use_of(make_estimator("patlak"), problem))
    (said,) = found.warnings
    assert "The frames that are fitted, from 30 min on, agree with each other" in said
    assert found.distrust is None
    whole = replace(problem, frames=patient.series.timing.until(65.0))
    both = scan_faults(whole, use_of(make_estimator("two-tissue"), whole))
    assert both.record == found.record
    assert both.distrust is not None and "Maps are wrong at the borders" in both.warnings[0]


def test_a_movement_among_the_fitted_frames_is_told_as_theirs(patient: DigitalPatient) -> None:
    patient = moved(moved(patient), from_s=2700.0, mm=7.0)
    problem = problem_of(patient, aorta_input(patient, 65.0), 30.0, 65.0)
    found = scan_faults(problem, use_of(make_estimator("patlak"), problem))
    assert found.distrust is not None and "Maps are wrong at the borders" in found.warnings[0]


@pytest.mark.parametrize("method", ["patlak", "two-tissue", *REVERSIBLE])
def test_release_of_the_tracer_is_no_fault_for_a_model_of_it(method: str) -> None:
    where = middle_slices("small", 10)
    patient = World.parse("tracer=reversible").patient("thorax", "small", 90041, 1.0, where, no_progress)
    problem = problem_of(patient, aorta_input(patient, 35.0), 9.0, 35.0)
    found = scan_faults(problem, use_of(make_estimator(method), problem))
    if method in REVERSIBLE:
        assert found.warnings == () and found.record["release"] is None
    else:
        assert found.warnings[0].startswith("The body's tissue seems to release the tracer again")


def test_the_words_name_what_the_method_maps(patient: DigitalPatient) -> None:
    problem = problem_of(patient, aorta_input(patient, 35.0), 9.0, 35.0)
    curve = problem.input_function
    blood, plasma = 0.5 * curve.whole_blood_kbq_per_ml, 0.5 * curve.plasma_kbq_per_ml
    half = replace(curve, whole_blood_kbq_per_ml=blood, plasma_kbq_per_ml=plasma)
    for method, symbol in (("one-tissue", "K1"), ("patlak", "Ki")):
        found = scan_faults(replace(problem, input_function=half), use_of(make_estimator(method), problem))
        assert any(f"{symbol} is too high then. Draw the region within the vessel" in said for said in found.warnings)


class Unreadable:
    """Voxels that cannot be read."""

    def read(self, *_: object) -> Float32:
        raise InputError("pet.nii is truncated.")


def test_a_check_that_cannot_be_made_says_so_and_the_maps_stay(patient: DigitalPatient) -> None:
    problem = problem_of(patient, aorta_input(patient, 35.0), 9.0, 35.0)
    unread = replace(problem, series=replace(problem.series, voxels=Unreadable()))
    found = check_scan(make_estimator("patlak"), unread, no_progress)
    (said,) = found.warnings
    assert said.endswith("could not be checked: pet.nii is truncated.")
    assert found.record == dict.fromkeys(NAMES) and found.distrust is None


def test_voxels_that_are_no_numbers_in_frames_that_are_not_fitted_do_not_stop_it(patient: DigitalPatient) -> None:
    values = patient.series.read(range(len(patient.series.timing))).copy()
    values[2, 3, 20:24, 30:34] = np.nan
    problem = problem_of(patient, aorta_input(patient, 35.0), 9.0, 35.0)
    found = scan_faults(replace(problem, series=replace(patient.series, voxels=ArrayVoxels(values))))
    assert found.warnings == ()
    assert all(number is not None for number in found.record.values())


def test_a_cancel_stops_the_check(patient: DigitalPatient) -> None:
    problem = problem_of(patient, aorta_input(patient, 35.0), 9.0, 35.0)
    calls = []

    def cancel(*_: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        check_scan(make_estimator("patlak"), problem, cancel)
    assert len(calls) == 3


def test_only_what_lies_around_the_body_is_read(patient: DigitalPatient) -> None:
    series = patient.series
    mask = np.zeros(series.geometry.shape, bool)
    rows = mask.shape[1]
    mask[:, rows // 2 - 2 : rows // 2 + 2, rows // 2 : rows // 2 + 2] = True
    frames = np.array([3, 20])
    part, whole = coarse_frames(series, frames, mask, 24.0), coarse_frames(series, frames, None)
    assert part.values.size < whole.values.size
    box = tuple(slice(a, a + n) for a, n in zip(part.corner, part.values.shape[1:], strict=True))
    assert np.allclose(part.values, whole.values[(slice(None), *box)])
    assert part.on_voxels(part.inside, mask.shape)[mask].any()


def test_a_problem_without_a_body_tells_nothing(patient: DigitalPatient) -> None:
    problem: Problem = problem_of(patient, aorta_input(patient, 35.0), 9.0, 35.0)
    found = scan_faults(replace(problem, mask=np.zeros(patient.series.geometry.shape, bool)))
    assert found.record == dict.fromkeys(NAMES) and found.warnings == ()


def test_a_movement_is_told_with_the_time_when_it_happened() -> None:
    """The advice, to choose t* or T so that one position is left, needs the very frame."""
    where = middle_slices("small", 10)
    patient = World.parse("move=10").patient("thorax", "small", 90031, 1.0, where, no_progress)
    for until in (35.0, 65.0):
        problem = problem_of(patient, aorta_input(patient, until), 9.0, until)
        step = scan_faults(problem).record["shift_mm"]
        assert step["from_s"] == 1500.0 and step["length"] > 6.0
