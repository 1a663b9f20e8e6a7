"""Studies on simulated patients: their scores, their tables, and the log of runs on test seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from petkinetics.cli import main
from petkinetics.errors import InputError
from petkinetics.estimators import METHODS
from petkinetics.maps import KI, V0, ParametricMap
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import grid
from petkinetics.studies import run_study as running
from petkinetics.studies.folder import summarise
from petkinetics.studies.known_truth import lesion_rows, organ_rows, size_class, whole_map_row
from petkinetics.studies.names import AORTA, LEARNED, PATLAK, USUAL
from petkinetics.studies.patient_problem import middle_slices
from petkinetics.studies.run_log import LOG_COLUMNS, append_run
from petkinetics.studies.run_study import run_study
from petkinetics.studies.study import SPLITS, Study
from petkinetics.write.tables import read_table

GEOMETRY = VolumeGeometry((12, 30, 30), (4.0, 4.0, 4.0))


@dataclass
class Lesion:
    number: int
    diameter_mm: float
    malignant: bool


@dataclass
class Patient:
    """Liver around two lesions, muscle with hardly any uptake, and air."""

    labels: np.ndarray
    label_names: dict[int, str]
    lesions: np.ndarray
    lesion_list: list[Lesion]
    truth: dict[str, np.ndarray]
    body_mask: np.ndarray


def known() -> Patient:
    labels = np.zeros(GEOMETRY.shape, np.uint8)
    labels[:, 5:25, 5:15], labels[:, 5:25, 15:25] = 1, 2
    lesions = np.zeros_like(labels)
    lesions[4:8, 8:12, 7:11] = 1
    lesions[10:12, 20:22, 7:9] = 2
    ki = np.choose(labels, [0.0, 0.01, 0.001]).astype(np.float32)
    ki[lesions > 0] = 0.04
    v0 = (0.5 * (labels > 0)).astype(np.float32)
    return Patient(
        labels,
        {1: "liver", 2: "muscle"},
        lesions,
        [Lesion(1, 18.0, True), Lesion(2, 9.0, False)],
        {"ki_patlak_9_65": ki, "v0_patlak_9_65": v0},
        labels > 0,
    )


def maps(patient: Patient, ki_factor: float = 1.0, ki_added: float = 0.0) -> tuple[ParametricMap, ParametricMap]:
    ki = (patient.truth["ki_patlak_9_65"] * np.float32(ki_factor) + np.float32(ki_added)).astype(np.float32)
    return ParametricMap(ki, KI, GEOMETRY), ParametricMap(patient.truth["v0_patlak_9_65"] + 0.1, V0, GEOMETRY)


def test_a_perfect_map_has_no_error_and_a_shifted_one_its_shift() -> None:
    patient = known()
    row = whole_map_row(patient, *maps(patient, ki_added=0.002))
    assert row["ki_rmse"] == pytest.approx(0.002, rel=1e-3)
    assert row["ki_bias"] == pytest.approx(0.002, rel=1e-3)
    assert row["ki_loa_lower"] == pytest.approx(row["ki_loa_upper"], rel=1e-3)
    assert row["ki_psnr_db"] == pytest.approx(20 * np.log10(0.04 / 0.002), rel=1e-3)
    assert row["v0_rmse"] == pytest.approx(0.1, rel=1e-4)
    assert whole_map_row(patient, maps(patient)[0], None)["v0_rmse"] is None


def test_lesions_are_judged_by_mean_and_peak_and_cut_ones_left_out() -> None:
    patient = known()
    (row,) = lesion_rows(patient, maps(patient, ki_factor=0.9)[0])
    assert row["lesion"] == 1
    assert row["size_class"] == "10-20 mm"
    assert row["mean_bias_percent"] == pytest.approx(-10.0, abs=1e-3)
    assert row["peak_bias_percent"] == pytest.approx(-10.0, abs=1e-3)


def test_organs_with_hardly_any_uptake_get_their_absolute_bias() -> None:
    patient = known()
    liver, muscle = organ_rows(patient, maps(patient, ki_factor=1.2)[0])
    assert liver["bias_percent"] == pytest.approx(20.0, abs=1e-3)
    assert liver["bias_absolute"] is None
    assert muscle["bias_percent"] is None
    assert muscle["bias_absolute"] == pytest.approx(0.0002, rel=1e-3)
    assert (liver["organ"], muscle["organ"]) == ("liver", "muscle")


@pytest.mark.parametrize(("mm", "name"), [(6.3, "0-10 mm"), (10.0, "10-20 mm"), (38.0, "20-40 mm"), (45.0, "20-40 mm")])
def test_size_classes(mm: float, name: str) -> None:
    assert size_class(mm) == name


def test_the_methods_that_tables_name_exist() -> None:
    assert {PATLAK, *LEARNED} <= METHODS.keys()


def test_the_middle_slices_lie_where_the_whole_grid_has_them() -> None:
    whole, some = grid("small"), middle_slices("small", 10, shift=3)
    first = (44 - 10) // 2 + 3
    assert some.shape == (10, 96, 96)
    assert some.origin_mm[2] == pytest.approx(whole.origin_mm[2] + first * 4.5)
    assert middle_slices("small", None) == whole or middle_slices("small", None).shape == whole.shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "no method 'magic'"),
        ({"split": "training"}, "'training' is not a split"),
        ({"patients": 0}, "1 to 100 patients"),
        ({"options": {"colour": "red"}}, "'colour' is not an option of gaussian"),
    ],
)
def test_a_study_that_makes_no_sense_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Study(**{"method": "gaussian", **change})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    arguments = ["evaluate", "gaussian", "--patients", "1", "--slices", "9", "--until", "35", "--until", "65"]
    assert main([*arguments, "--dose", "0.25", "--set", "strength=8", "-o", str(out)]) == 0
    return out


def test_the_command_writes_tables_that_name_their_seeds(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        *("patients.tsv", "lesions.tsv", "organs.tsv", "summary.tsv", "study.md", "study.json"),
        *("ratios.tsv", "chi_square.tsv"),
    }
    settings = json.loads((folder / "study.json").read_text())
    assert settings["seeds"] == [90_000]
    assert settings["options"] == {"strength": "8"}
    text = (folder / "study.md").read_text()
    assert "validation seeds 90000-90000" in text
    assert "Simulated patients, not real ones" in text
    assert sum(line.startswith("| gaussian |") for line in text.splitlines()) == 4


def test_the_method_stands_beside_patlak_for_both_input_functions(folder: Path) -> None:
    rows = read_table(folder / "summary.tsv")
    found = {(row["method"], row["until_min"], row["input"]): row["ki_rmse_mean"] for row in rows}
    assert len(found) == 8
    for until in (35, 65):
        for source in ("aorta ROI", "true curve"):
            assert 0 < found["gaussian", until, source] < 0.8 * found["patlak", until, source]
    rows = read_table(folder / "patients.tsv")
    assert {row["strength"] for row in rows if row["method"] == "gaussian"} == {8}


def test_the_summary_is_the_mean_over_patients() -> None:
    key = {"dose": 1.0, "until_min": None, "input": "aorta ROI", "method": "nlm"}
    names = ("ki_rmse", "ki_psnr_db", "ki_ssim", "ki_bias", "v0_rmse", "v0_bias", "strength")
    patients = [{**key, **dict.fromkeys(names, value)} for value in (1.0, 3.0)]
    lesions = [
        {**key, "size_class": "10-20 mm", "mean_bias_percent": value, "peak_bias_percent": 0.0}
        for value in (-10.0, 20.0)
    ]
    organs = [
        {**key, "bias_percent": -4.0, "bias_absolute": None},
        {**key, "bias_percent": None, "bias_absolute": 1e-4},
    ]
    (row,) = summarise({"patients": patients, "lesions": lesions, "organs": organs})
    assert row["ki_rmse_mean"] == 2.0
    assert row["ki_rmse_sd"] == pytest.approx(np.sqrt(2.0))
    assert row["lesion_mean_bias_percent_10-20_mm"] == 5.0
    assert row["lesion_mean_absolute_bias_percent"] == 15.0
    assert row["organ_absolute_bias_percent"] == 4.0
    assert row["low_organ_absolute_bias"] == 1e-4


def test_runs_on_test_seeds_are_logged_and_cannot_run_where_they_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # seeds of the validation split stand in: the real ones are kept for the final numbers
    monkeypatch.setitem(SPLITS, "test", range(90_050, 90_051))
    log = tmp_path / "test_log.tsv"
    study = Study("gaussian", "test", slices=5, options={"strength": "6"})
    with monkeypatch.context() as without:
        without.setattr(running, "commit_here", lambda: "")
        with pytest.raises(InputError, match="logged with its commit"):
            run_study(study, tmp_path / "no", log=log)
        assert not log.exists() and not (tmp_path / "no").exists()
    monkeypatch.setattr(running, "commit_here", lambda: "abc1234")
    run_study(study, tmp_path / "out", log=log)
    rows = read_table(log)
    assert [(row["method"], row["commit"], row["input"]) for row in rows] == [
        ("gaussian", "abc1234", "aorta ROI"),
        ("gaussian", "abc1234", "true curve"),
    ]
    assert all(row["ki_rmse_mean"] < row["patlak_ki_rmse_mean"] for row in rows)
    with pytest.raises(InputError, match="exists already"):
        run_study(study, tmp_path / "out", log=log)
    assert len(read_table(log)) == 2
    assert [(row["samples"], row["steps"], row["weights"], row["full"]) for row in rows] == [
        (0, None, None, "false")
    ] * 2


def test_a_logged_run_says_what_was_run_and_older_rows_stay_readable(tmp_path: Path) -> None:
    log = tmp_path / "test_log.tsv"
    old = LOG_COLUMNS[: LOG_COLUMNS.index("samples")]
    log.write_text("\t".join(old) + "\n" + "\t".join(f"{name} then" for name in old) + "\n", encoding="utf-8")
    study = Study("diffusion-prior", "test", patients=2, samples=4, full=True)
    numbers = dict.fromkeys(("ki_rmse_mean", "ki_rmse_sd", "ki_psnr_db_mean", "ki_ssim_mean"), 0.5)
    case = {"dose": 1.0, "until_min": None, "input": AORTA, "world": USUAL}
    row = {**case, **numbers, "method": "diffusion-prior", "steps_mean": 12.0}
    append_run(log, study, "abc1234", [row], "0123456789abcdef")
    before, after = read_table(log)
    later = ("samples", "steps", "weights", "full")
    assert [before[name] for name in later] == [None] * 4 and before["date"] == "date then"
    assert [after[name] for name in later] == [4, 12, "0123456789ab", "true"]
    append_run(log, study, "abc1234", [row])
    assert [row["weights"] for row in read_table(log)] == [None, "0123456789ab", None]
    # the log of this project is one of those
    assert read_table(Path(__file__).parents[2] / "docs" / "test_log.tsv")[0].keys() == after.keys()
    log.write_text("another\ttable\n", encoding="utf-8")
    with pytest.raises(InputError, match="not those of a log of test runs"):
        append_run(log, study, "abc1234", [row])
