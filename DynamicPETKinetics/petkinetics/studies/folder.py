"""The folder of a study: its tables, their summary, and the summary as Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from petkinetics.studies.gates import GATES, StudyNumbers, gate_rows
from petkinetics.studies.names import PATLAK, USUAL
from petkinetics.studies.noisy_reference import COLUMNS as NOISY_COLUMNS
from petkinetics.studies.noisy_reference import gain_rows
from petkinetics.studies.ratios import ratio_rows, world_costs
from petkinetics.studies.text import as_markdown
from petkinetics.write.json_text import write_json
from petkinetics.write.tables import write_table

Row = Mapping[str, object]

_KEY = ("method", "dose", "until_min", "input", "world")
_OF_PATIENTS = ("ki_rmse", "ki_psnr_db", "ki_ssim", "ki_bias", "v0_rmse", "v0_bias")
#: columns of newer studies, which rows of a part of the tables may lack
_MORE_OF_PATIENTS = (
    *("v0_ssim", "seconds", "cpu_seconds_a_slice", "steps", "evaluations"),
    *(f"ki_within_{times}_sd_{place}_percent" for place in ("body", "lesion") for times in (1, 2)),
    *NOISY_COLUMNS,
)
#: lesions whose contrast recovery has a gate, mm
_LARGE_MM = 12.0


def write_study(
    folder: Path,
    settings: Mapping[str, object],
    tables: Mapping[str, Sequence[Row]],
    more: Sequence[str] = (),
) -> list[dict]:
    """Write a study's tables and its text.

    ``patients.tsv``, ``lesions.tsv``, ``organs.tsv``, ``tumour_roi.tsv``, ``chi_square.tsv``, ``invented.tsv``,
    ``summary.tsv``, ``ratios.tsv``, ``gains.tsv`` (over the short scan's Patlak, the noisy full scan being the
    reference), ``worlds.tsv``, ``gates.tsv``, ``study.md`` and ``study.json``; tables without rows are left out.

    :param settings: what was run; seeds among them.
    :param tables: rows of "patients", "lesions", "organs" and "tumour_roi"; "chi_square" and "invented" may be absent.
    :param more: further lines of the text.
    :returns: the rows of the summary, one a method, dose, end of scan, input function and world.
    """
    summary = summarise(tables)
    method, classical = str(settings["method"]), _texts(settings, "classical")
    judged = [
        label
        for label in dict.fromkeys(str(row["method"]) for row in summary)
        if label == method or (label not in classical and not label.startswith(PATLAK))
    ]
    derived: dict[str, Sequence[Row]] = {
        "summary": summary,
        "ratios": ratio_rows(tables["patients"], summary, classical, judged),
        "gains": gain_rows(summary),
    }
    cases = dict.fromkeys((row["dose"], row["until_min"]) for row in summary)
    derived["worlds"] = [
        {"method": label, "dose": dose, "until_min": until, **cost}
        for label in judged
        for dose, until in cases
        for cost in world_costs(summary, label, dose, until)
    ]
    gates = settings.get("gates")
    if gates is not None:
        contestants = settings.get("contestants", {})
        assert isinstance(contestants, dict)
        measured = (tables["tumour_roi"], tables.get("invented", ()), tables.get("chi_square", ()))
        numbers = StudyNumbers(method, summary, derived["ratios"], *measured, contestants)
        derived["gates"] = gate_rows(GATES[str(gates)], numbers)
    for name, rows in {**tables, **derived}.items():
        if rows:
            write_table(folder / f"{name}.tsv", rows)
    text = as_markdown(settings, {**tables, **derived}) + "".join(f"{line}\n" for line in (*([""] * bool(more)), *more))
    (folder / "study.md").write_text(text, encoding="utf-8", newline="\n")
    write_json(folder / "study.json", settings)
    return summary


def summarise(tables: Mapping[str, Sequence[Row]]) -> list[dict]:
    """Means over patients (RMSE with its SD), over lesions by size class, and over organs."""
    rows = []
    classes = sorted({str(row["size_class"]) for row in tables["lesions"]}, key=lambda c: float(c.split("-")[0]))
    for key in dict.fromkeys(_key(row) for row in tables["patients"]):
        patients, lesions, organs = (
            [row for row in tables[name] if _key(row) == key] for name in ("patients", "lesions", "organs")
        )
        out: dict[str, object] = {**dict(zip(_KEY, key, strict=True)), "patients": len(patients)}
        for name in _OF_PATIENTS:
            out[f"{name}_mean"] = _mean(patients, name)
            if name == "ki_rmse":
                out["ki_rmse_sd"] = _sd(patients, name)
        out["strength_mean"] = _mean(patients, "strength")
        for kind in ("mean", "peak"):
            column = f"{kind}_bias_percent"
            out[f"lesion_{kind}_absolute_bias_percent"] = _mean(lesions, column, absolute=True)
            out[f"lesion_{kind}_bias_percent"] = _mean(lesions, column)
            for size in classes:
                here = [row for row in lesions if row["size_class"] == size]
                out[f"lesion_{kind}_bias_percent_{size.replace(' ', '_')}"] = _mean(here, column)
        out["lesions"] = len(lesions)
        large = [row for row in lesions if float(row.get("diameter_mm", 0.0)) >= _LARGE_MM]  # type: ignore[arg-type]
        out["lesion_contrast_recovery_percent_12mm"] = _mean(large, "contrast_recovery_percent")
        out["organ_absolute_bias_percent"] = _mean(organs, "bias_percent", absolute=True)
        out["low_organ_absolute_bias"] = _mean(organs, "bias_absolute", absolute=True)
        for name in _MORE_OF_PATIENTS:
            out[f"{name}_mean"] = _mean(patients, name)
        rows.append(out)
    return rows


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row.get(name, USUAL) if name == "world" else row[name] for name in _KEY)


def _texts(settings: Mapping[str, object], name: str) -> list[str]:
    found = settings.get(name, [])
    assert isinstance(found, list)
    return [str(text) for text in found]


def _numbers(rows: Sequence[Row], column: str) -> np.ndarray:
    return np.array([float(value) for row in rows if isinstance(value := row.get(column), float | int)])


def _mean(rows: Sequence[Row], column: str, absolute: bool = False) -> float | None:
    values = _numbers(rows, column)
    return float(np.mean(np.abs(values) if absolute else values)) if values.size else None


def _sd(rows: Sequence[Row], column: str) -> float | None:
    values = _numbers(rows, column)
    return float(values.std(ddof=1)) if values.size > 1 else None
