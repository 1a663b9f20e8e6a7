"""The folder of a study: its tables, their summary, and the summary as Markdown for the documentation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from petkinetics.write.tables import write_table

Row = Mapping[str, object]

_KEY = ("method", "dose", "until_min", "input")
_OF_PATIENTS = ("ki_rmse", "ki_psnr_db", "ki_ssim", "ki_bias", "v0_rmse", "v0_bias")


def write_study(folder: Path, settings: Mapping[str, object], tables: Mapping[str, Sequence[Row]]) -> list[dict]:
    """Write ``patients.tsv``, ``lesions.tsv``, ``organs.tsv``, ``summary.tsv``, ``study.md`` and ``study.json``.

    :param settings: what was run; seeds among them.
    :param tables: rows of "patients", "lesions" and "organs".
    :returns: the rows of the summary, one a method, dose, end of scan and input function.
    """
    for name, rows in tables.items():
        write_table(folder / f"{name}.tsv", rows)
    summary = summarise(tables)
    write_table(folder / "summary.tsv", summary)
    (folder / "study.md").write_text(as_markdown(settings, summary), encoding="utf-8", newline="\n")
    (folder / "study.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8", newline="\n")
    return summary


def summarise(tables: Mapping[str, Sequence[Row]]) -> list[dict]:
    """Means over patients (RMSE with its SD), over lesions by size class, and over organs."""
    rows = []
    classes = sorted({str(row["size_class"]) for row in tables["lesions"]}, key=lambda c: float(c.split("-")[0]))
    for key in dict.fromkeys(tuple(row[name] for name in _KEY) for row in tables["patients"]):
        patients, lesions, organs = (
            [row for row in tables[name] if tuple(row[k] for k in _KEY) == key]
            for name in ("patients", "lesions", "organs")
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
            for size in classes:
                here = [row for row in lesions if row["size_class"] == size]
                out[f"lesion_{kind}_bias_percent_{size.replace(' ', '_')}"] = _mean(here, column)
        out["lesions"] = len(lesions)
        out["organ_absolute_bias_percent"] = _mean(organs, "bias_percent", absolute=True)
        out["low_organ_absolute_bias"] = _mean(organs, "bias_absolute", absolute=True)
        rows.append(out)
    return rows


def as_markdown(settings: Mapping[str, object], summary: Sequence[Row]) -> str:
    """The summary for people."""
    seeds = settings["seeds"]
    assert isinstance(seeds, list)
    sizes = sorted(
        {k.removeprefix("lesion_mean_bias_percent_") for r in summary for k in r if k.startswith("lesion_mean_bias_p")},
        key=lambda c: float(c.split("-")[0]),
    )
    head = ["method", "dose", "until, min", "input function", "Ki RMSE ×10⁻³", "PSNR, dB", "SSIM"]
    head += [f"lesion mean / peak bias {size.replace('_', ' ')}, %" for size in sizes]
    head += ["organ bias, %", "where Ki < .003, ×10⁻³", "V0 RMSE"]
    lines = [
        f"Simulated patients, not real ones: {settings['split']} seeds {seeds[0]}-{seeds[-1]} ({len(seeds)}), "
        f"{settings['anatomy']}, size {settings['size']}"
        + (f", {settings['slices']} slices" if settings["slices"] else "")
        + f"; t* {settings['t_star_min']:g} min; reference: noise-free Patlak 9-65 min.",
        "Input function: of the noisy images' aorta region (with the patient's plasma ratio), and the true curve.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    for row in summary:
        until = row["until_min"]
        cells = [
            str(row["method"]),
            f"{row['dose']:g}",
            "full" if until is None else f"{until:g}",
            str(row["input"]),
            f"{_text(row['ki_rmse_mean'], 1e3, 3)} ± {_text(row['ki_rmse_sd'], 1e3, 3)}",
            _text(row["ki_psnr_db_mean"], 1, 1),
            _text(row["ki_ssim_mean"], 1, 3),
        ]
        cells += [
            " / ".join(_text(row[f"lesion_{kind}_bias_percent_{size}"], 1, 1) for kind in ("mean", "peak"))
            for size in sizes
        ]
        cells += [
            _text(row["organ_absolute_bias_percent"], 1, 1),
            _text(row["low_organ_absolute_bias"], 1e3, 3),
            _text(row["v0_rmse_mean"], 1, 4),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _numbers(rows: Sequence[Row], column: str) -> np.ndarray:
    return np.array([float(value) for row in rows if isinstance(value := row[column], float | int)])


def _mean(rows: Sequence[Row], column: str, absolute: bool = False) -> float | None:
    values = _numbers(rows, column)
    return float(np.mean(np.abs(values) if absolute else values)) if values.size else None


def _sd(rows: Sequence[Row], column: str) -> float | None:
    values = _numbers(rows, column)
    return float(values.std(ddof=1)) if values.size > 1 else None


def _text(value: object, factor: float, digits: int) -> str:
    return f"{factor * float(value):.{digits}f}" if isinstance(value, float | int) else "–"
