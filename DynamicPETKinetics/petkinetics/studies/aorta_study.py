"""The study of the automatic aorta: how often it is the right vessel, and how good its blood curve is.

A hundred unseen patients of three anatomies and three doses, some with an aneurysm, some with an aorta
partly out of view; every tenth also without its early frames, where the only right answer is "not possible".
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Progress, no_progress
from petkinetics.input_function.aorta import AortaNotFound, ProposedAorta, find_aorta
from petkinetics.integrals import frame_mean
from petkinetics.series import ArrayVoxels, DynamicSeries
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.simulate.seeds import AORTA_SEEDS, VALIDATION_SEEDS
from petkinetics.simulate.variants import Variant
from petkinetics.studies.run_log import checkout_here, commit_here
from petkinetics.write.json_text import write_json
from petkinetics.write.staging import staged_folder
from petkinetics.write.tables import format_cell, write_table

#: what ``petkinetics evaluate`` calls this study
METHOD = "automatic-aorta"
SPLITS = {"validation": VALIDATION_SEEDS, "test": AORTA_SEEDS}
ANATOMIES = ("thorax", "torso-ct", "total-body")
DOSES = (1.0, 0.25, 0.1)
#: the vessel is the right one where at least this share of the region lies in the aorta
RIGHT_SHARE = 0.8
#: and its curve is good where the area under it is off by no more than this
GOOD_AREA = 0.05
#: beginnings (min) of the scans without early frames
LATE_STARTS_MIN = (3.0, 10.0, 30.0)
_LOG = "test_log_aorta.tsv"
_COLUMNS = (
    *("seed", "anatomy", "size", "dose", "variant", "first_frame_min", "verdict", "structure", "share_in_aorta"),
    *("area_error", "volume_ml", "confidence", "length_mm", "seconds", "message"),
)

Row = dict[str, object]


@dataclass(frozen=True)
class AortaCase:
    """One patient of the study."""

    seed: int
    anatomy: str
    size: str
    dose: float
    variant: Variant | None
    late_start_min: float | None


def cases(seeds: Sequence[int], size: str) -> list[AortaCase]:
    """The patients: anatomies and doses in turn, every tenth an aneurysm, every tenth an aorta partly out of view.

    :param size: "small" or "full" for all, or "mixed": small, and every twentieth full.
    """
    out = []
    for i, seed in enumerate(seeds):
        variant: Variant | None = "aneurysm" if i % 10 == 3 else "partly-out-of-view" if i % 10 == 7 else None
        voxels = ("full" if i % 20 == 0 else "small") if size == "mixed" else size
        late = LATE_STARTS_MIN[i // 10 % 3] if i % 10 == 5 else None
        out.append(AortaCase(seed, ANATOMIES[i % 3], voxels, DOSES[i // 3 % 3], variant, late))
    return out


def run_aorta_study(
    out: Path, split: str = "validation", patients: int | None = None, size: str = "mixed",
    progress: Progress = no_progress, log: Path | None = None,
) -> Path:  # fmt: skip
    """Run the study and write its folder: ``patients.tsv``, ``study.md``, ``study.json``.

    :param patients: the first of the split; None for all.
    :param log: the table to which a run on test seeds is appended; in the checkout's docs by default.
    :raises InputError: the folder exists, no such split, or a test run cannot be logged.
    """
    if split not in SPLITS:
        raise InputError(f"'{split}' is not a split; it is {' or '.join(SPLITS)}.")
    if patients is not None and not 1 <= patients <= len(SPLITS[split]):
        raise InputError(f"There are 1 to {len(SPLITS[split])} patients in the {split} split.")
    commit, checkout = commit_here(), checkout_here()
    if split == "test" and (not commit or (checkout is None and log is None)):
        raise InputError(
            "A run on test seeds is logged with its commit, and here there is no source checkout.",
            "Run it from a clone of the project, or use --split validation.",
        )
    chosen = cases(list(SPLITS[split])[:patients], size)
    with staged_folder(out) as folder:
        rows: list[Row] = []
        for done, case in enumerate(chosen):
            progress(done / len(chosen), f"Patient {case.seed}")
            rows += _judge(case)
            write_table(folder / "patients.tsv", rows, _COLUMNS)
        summary = summarise(rows)
        heading: Row = {
            "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
            "commit": commit or None,
            "split": split,
            "seeds": f"{chosen[0].seed}-{chosen[-1].seed}",
            "size": size,
        }
        (folder / "study.md").write_text(as_markdown(heading, summary), encoding="utf-8", newline="\n")
        write_json(folder / "study.json", {**heading, **summary})
        if split == "test":
            _append(log or (checkout or Path()) / "docs" / _LOG, {**heading, **summary})
    progress(1.0, "Done")
    return out


def _judge(case: AortaCase) -> Iterator[Row]:
    patient = simulate_patient(case.anatomy, case.size, case.seed, case.dose, variant=case.variant)
    yield _row(case, patient, patient.series)
    if case.late_start_min is not None:
        yield _row(case, patient, from_minute(patient.series, case.late_start_min))


def from_minute(series: DynamicSeries, start_min: float) -> DynamicSeries:
    """A series in memory without the frames that start before *start_min*, from injection."""
    frames = np.flatnonzero(series.timing.start_s >= 60.0 * start_min - 1.0)
    values = series.read(frames.tolist())
    return replace(series, timing=series.timing.select(frames), voxels=ArrayVoxels(values))


def _row(case: AortaCase, patient: DigitalPatient, series: DynamicSeries) -> Row:
    row: Row = {name: getattr(case, name) for name in ("seed", "anatomy", "size", "dose", "variant")}
    row["first_frame_min"] = float(series.timing.start_s[0]) / 60.0
    began = time.perf_counter()
    try:
        found = find_aorta(series)
    except AortaNotFound as answer:
        return {**row, "verdict": answer.verdict, "message": answer.message, "seconds": time.perf_counter() - began}
    seconds = time.perf_counter() - began
    return {
        **row,
        **_compared(found, patient),
        "volume_ml": found.volume_ml,
        "confidence": found.confidence,
        "length_mm": found.length_mm,
        "seconds": seconds,
    }


def _compared(found: ProposedAorta, patient: DigitalPatient) -> Row:
    """Which structure the region lies in, and how far its area under the curve is from the true whole blood's."""
    labels, voxels = np.unique(patient.labels[found.mask], return_counts=True)
    shares = {patient.label_names[int(label)]: n / voxels.sum() for label, n in zip(labels, voxels, strict=True)}
    in_aorta = float(shares.get("aorta", 0.0))
    timing, blood = found.curve.timing, patient.input_function
    true = frame_mean(blood.time_s, blood.whole_blood_kbq_per_ml, timing)
    area = float(np.sum(found.curve.mean_kbq_per_ml * timing.duration_s) / np.sum(true * timing.duration_s)) - 1.0
    wrong = max((name for name in shares if name != "aorta"), key=lambda name: shares[name], default="aorta")
    right = in_aorta >= RIGHT_SHARE
    return {
        "verdict": "right" if right else "wrong",
        "structure": "aorta" if right else wrong,
        "share_in_aorta": in_aorta,
        "area_error": area,
    }


def summarise(rows: Sequence[Row]) -> Row:
    """Counts over the patients; scans without their early frames are counted apart."""
    whole = [row for row in rows if float(str(row["first_frame_min"])) < 1.0]
    late = [row for row in rows if row not in whole]
    verdicts = Counter(str(row["verdict"]) for row in whole)
    right = [row for row in whole if row["verdict"] == "right"]
    errors = np.array([float(str(row["area_error"])) for row in right])
    seconds = np.array([float(str(row["seconds"])) for row in whole])
    mistakes = Counter(str(row["structure"]) for row in whole if row["verdict"] == "wrong")
    answered = verdicts["right"] + verdicts["wrong"]
    return {
        "patients": len(whole),
        "right": verdicts["right"],
        "wrong": verdicts["wrong"],
        "not_sure": verdicts["not sure"],
        "not_possible": verdicts["not possible"],
        "right_percent": 100.0 * verdicts["right"] / max(len(whole), 1),
        "right_of_answers_percent": 100.0 * verdicts["right"] / max(answered, 1),
        "area_within_5_percent": 100.0 * float(np.mean(np.abs(errors) <= GOOD_AREA)) if errors.size else None,
        "area_error_median_percent": 100.0 * float(np.median(errors)) if errors.size else None,
        "area_error_worst_percent": 100.0 * float(errors[np.argmax(np.abs(errors))]) if errors.size else None,
        "mistakes": ", ".join(f"{name} {count}" for name, count in mistakes.most_common()) or "none",
        "without_early_frames": len(late),
        "without_early_frames_not_possible": sum(row["verdict"] == "not possible" for row in late),
        "seconds_median": float(np.median(seconds)),
        "seconds_max": float(seconds.max()),
    }


def as_markdown(heading: Row, summary: Row) -> str:
    """The summary as a table."""
    title = f"Automatic aorta, simulated patients, seeds {heading['seeds']} ({heading['split']}), {heading['date']}"
    lines = [f"**{title}**", "", "| | |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {_rounded(value)} |" for name, value in summary.items()]
    return "\n".join(lines) + "\n"


def _rounded(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else format_cell(value)


def _append(log: Path, row: Row) -> None:
    """Add one line to the log of test runs."""
    lines = [] if log.exists() else ["\t".join(row)]
    lines.append("\t".join(_rounded(value) for value in row.values()))
    with log.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write("\n".join(lines) + "\n")
