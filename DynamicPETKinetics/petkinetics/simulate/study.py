"""Studies of methods on simulated patients: what ``petkinetics evaluate`` runs.

Every patient is simulated in each dose, its input function is taken from the aorta region of its
noisy images (and, for comparison, the true curve), and the method is judged beside plain weighted
Patlak on the same frames. Tuning uses validation seeds; runs on test seeds are logged.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators import make_estimator
from petkinetics.estimators.body import body_mask
from petkinetics.estimators.estimator import Problem, Progress, estimate_in_memory, no_progress, uses_whole_series
from petkinetics.estimators.patlak import Patlak
from petkinetics.evaluate.known_truth import Row, lesion_rows, organ_rows, whole_map_row
from petkinetics.input_function.idif import image_derived_input
from petkinetics.input_function.plasma import with_plasma
from petkinetics.maps import ParametricResult
from petkinetics.read.regions import RegionWeights
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import PATLAK_WINDOW_MIN, DigitalPatient, grid, simulate_patient
from petkinetics.simulate.seeds import TEST_SEEDS, VALIDATION_SEEDS
from petkinetics.write.staging import staged_folder
from petkinetics.write.study import write_study

SPLITS = {"validation": VALIDATION_SEEDS, "test": TEST_SEEDS}
#: where the input function comes from
INPUTS = ("aorta ROI", "true curve")
LOG_COLUMNS = (
    *("date", "commit", "method", "options", "seeds", "anatomy", "size", "slices", "dose", "until_min", "input"),
    *("ki_rmse_mean", "ki_rmse_sd", "ki_psnr_db_mean", "ki_ssim_mean", "patlak_ki_rmse_mean"),
)


@dataclass(frozen=True)
class Study:
    """What to run.

    :param method: name of the estimator.
    :param split: "validation" or "test".
    :param patients: how many seeds from the split's first; None for all.
    :param doses: fractions of a usual scan's counts.
    :param until_min: ends of the scans, minutes; None for the full one.
    :param t_star_min: start of the linear part: that of the reference.
    :param slices: only the middle slices; None for all.
    :param options: of the method.
    :raises InputError: something cannot be studied.
    """

    method: str
    split: str = "validation"
    patients: int | None = None
    doses: Sequence[float] = (1.0,)
    until_min: Sequence[float | None] = (None,)
    t_star_min: float = PATLAK_WINDOW_MIN[0]
    anatomy: str = "thorax"
    size: str = "small"
    slices: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        estimator = make_estimator(self.method)
        if "ki" not in [quantity.name for quantity in estimator.quantities]:
            raise InputError(f"The method '{self.method}' has no Ki map to compare with the truth.")
        unknown = sorted(set(self.options) - set(estimator.option_names))
        if unknown:
            raise InputError(f"'{unknown[0]}' is not an option of {self.method}.")
        if self.split not in SPLITS:
            raise InputError(f"'{self.split}' is not a split; it is {' or '.join(SPLITS)}.")
        if self.patients is not None and not 1 <= self.patients <= len(SPLITS[self.split]):
            raise InputError(f"There are 1 to {len(SPLITS[self.split])} patients in the {self.split} split.")

    @property
    def seeds(self) -> list[int]:
        """The patients."""
        return list(SPLITS[self.split])[: self.patients]


def middle_slices(size: str, slices: int | None, shift: int = 0) -> VolumeGeometry:
    """The grid of a size, cut to some slices around its middle (or *shift* slices above it)."""
    whole = grid(size)
    if slices is None or slices >= whole.shape[0]:
        return whole
    first = int(np.clip((whole.shape[0] - slices) // 2 + shift, 0, whole.shape[0] - slices))
    x, y, z = whole.origin_mm
    return VolumeGeometry(
        (max(slices, 1), *whole.shape[1:]), whole.spacing_mm, (x, y, z + first * whole.spacing_mm[2]), whole.direction
    )


def aorta_input(patient: DigitalPatient, until_min: float | None) -> InputFunction:
    """The curve of the aorta region of the noisy images, brought to plasma by the patient's true ratio.

    The ratio is known in a study as a measured haematocrit is in a clinic; without it every method's
    Ki would be off by that one factor.
    :raises InputError: there is no aorta in view.
    """
    index = np.flatnonzero(patient.aorta)
    if index.size == 0:
        raise InputError("No aorta lies in the slices chosen.", "Choose more slices.")
    series = patient.series
    region = RegionWeights("aorta", 1, series.geometry, index, np.ones(index.size, np.float32))
    measured = image_derived_input(series, region, series.timing.until(until_min).tolist()).function
    ratio = float(patient.settings["plasma_to_whole_blood"])  # type: ignore[arg-type]
    return with_plasma(measured, ratio, f"true ratio {ratio:.3f}")


def problem_of(patient: DigitalPatient, curve: InputFunction, t_star_min: float, until_min: float | None) -> Problem:
    """The estimate to make: frames of the window (t* 0: all), the body as the engine finds it."""
    frames = patient.series.timing.window(t_star_min, until_min)
    return Problem(patient.series, curve, frames, body_mask(patient.series, frames.tolist()))


def run_study(study: Study, out: Path, progress: Progress = no_progress, log: Path | None = None) -> Path:
    """Run a study and write its folder: tables of patients, lesions and organs, a summary and study.md.

    :param log: the table to which a run on test seeds is appended; found in the checkout by default.
    :raises InputError: the folder exists, or a test run cannot be logged.
    """
    test_log, commit = None, _commit()
    if study.split == "test":
        test_log = log or _test_log()
        if not commit:
            raise InputError("A run on test seeds is logged with its commit, and here there is none.")
    began = time.monotonic()
    with staged_folder(out) as folder:
        tables: dict[str, list[Row]] = {"patients": [], "lesions": [], "organs": []}
        cases = [(seed, dose) for seed in study.seeds for dose in study.doses]
        for done, (seed, dose) in enumerate(cases):
            progress(done / len(cases), f"Patient {seed}, dose {dose:g}")
            geometry = middle_slices(study.size, study.slices)
            patient = simulate_patient(study.anatomy, study.size, seed, dose, geometry=geometry)
            for until in study.until_min:
                _judge(study, patient, {"seed": seed, "dose": dose, "until_min": until}, tables)
        settings = {
            "method": study.method,
            "options": dict(study.options),
            "split": study.split,
            "seeds": study.seeds,
            "anatomy": study.anatomy,
            "size": study.size,
            "slices": study.slices,
            "t_star_min": study.t_star_min,
            "commit": commit or None,
            "seconds": round(time.monotonic() - began, 1),
        }
        summary = write_study(folder, settings, tables)
        if test_log is not None:
            _append(test_log, study, commit, summary)
    progress(1.0, "Done")
    return out


def _judge(study: Study, patient: DigitalPatient, case: Row, tables: dict[str, list[Row]]) -> None:
    """Add one patient's rows for one end of scan: the method and Patlak, with either input function."""
    until = case["until_min"]
    assert until is None or isinstance(until, float | int)
    for source in INPUTS:
        curve = aorta_input(patient, until) if source == INPUTS[0] else patient.input_function
        for method in dict.fromkeys((Patlak.method, study.method)):
            estimator = make_estimator(method)
            problem = problem_of(patient, curve, 0.0 if uses_whole_series(estimator) else study.t_star_min, until)
            options = dict(study.options) if method == study.method else {}
            result = estimate_in_memory(estimator, replace(problem, options=options))
            key = {**case, "input": source, "method": method}
            _add_rows(patient, result, key, tables)


def _add_rows(patient: DigitalPatient, result: ParametricResult, key: Row, tables: dict[str, list[Row]]) -> None:
    regularisation = result.record.get("regularisation")
    strength = regularisation.get("strength") if isinstance(regularisation, dict) else None
    v0 = result.maps.get("v0")
    tables["patients"].append({**key, "strength": strength, **whole_map_row(patient, result["ki"], v0)})
    tables["lesions"] += [{**key, **row} for row in lesion_rows(patient, result["ki"])]
    tables["organs"] += [{**key, **row} for row in organ_rows(patient, result["ki"])]


def _checkout() -> Path | None:
    """The folder of the source checkout that this engine runs from."""
    for folder in Path(__file__).resolve().parents:
        if (folder / ".git").exists() and (folder / "docs").is_dir():
            return folder
    return None


def _commit() -> str:
    """The commit of the checkout, with a plus where files were changed since; "" outside one."""
    folder = _checkout()
    if folder is None:
        return ""
    try:
        named = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return named.stdout.strip()


def _test_log() -> Path:
    folder = _checkout()
    if folder is None:
        raise InputError(
            "Runs on test seeds are appended to docs/test_log.tsv, and there is no source checkout here.",
            "Run it from a clone of the project, or use --split validation.",
        )
    return folder / "docs" / "test_log.tsv"


def _append(log: Path, study: Study, commit: str, summary: Sequence[Row]) -> None:
    """Add one line a dose, end of scan and input to the log of test runs."""
    from petkinetics.write.tables import format_cell

    date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    plain = {_case(row): row["ki_rmse_mean"] for row in summary if row["method"] == Patlak.method}
    lines = [] if log.exists() else ["\t".join(LOG_COLUMNS)]
    for row in summary:
        if row["method"] != study.method:
            continue
        cells: Row = {
            **row,
            "date": date,
            "commit": commit,
            "options": " ".join(f"{k}={v}" for k, v in study.options.items()) or None,
            "seeds": f"{study.seeds[0]}-{study.seeds[-1]}",
            "anatomy": study.anatomy,
            "size": study.size,
            "slices": study.slices,
            "patlak_ki_rmse_mean": plain.get(_case(row)),
        }
        lines.append("\t".join(format_cell(cells[name]) for name in LOG_COLUMNS))
    with log.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write("\n".join(lines) + "\n")


def _case(row: Row) -> tuple[object, ...]:
    return (row["dose"], row["until_min"], row["input"])
