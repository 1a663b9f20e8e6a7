"""The log of studies on test seeds: when, at which commit, and with what numbers."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from petkinetics.errors import InputError
from petkinetics.estimators.patlak import Patlak
from petkinetics.studies.known_truth import Row
from petkinetics.studies.names import USUAL
from petkinetics.studies.ratios import case_of
from petkinetics.write.tables import MISSING, format_cell

if TYPE_CHECKING:
    from petkinetics.studies.study import Study

LOG_COLUMNS = (
    *("date", "commit", "method", "options", "seeds", "anatomy", "size", "slices", "dose", "until_min", "input"),
    *("ki_rmse_mean", "ki_rmse_sd", "ki_psnr_db_mean", "ki_ssim_mean", "patlak_ki_rmse_mean"),
    # columns that came later, which older rows have no value for
    *("samples", "steps", "weights", "full"),
)
#: the columns of the first rows
_FIRST_COLUMNS = LOG_COLUMNS[:-4]
#: letters of a hash that tell weights apart
_HASH = 12


def checkout_here() -> Path | None:
    """The folder of the source checkout that this engine runs from."""
    for folder in Path(__file__).resolve().parents:
        if (folder / ".git").exists() and (folder / "docs").is_dir():
            return folder
    return None


def commit_here() -> str:
    """The commit of the checkout, with a plus where files were changed since; "" outside one."""
    folder = checkout_here()
    if folder is None:
        return ""
    try:
        named = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return named.stdout.strip()


def log_of_test_runs() -> Path:
    """The table of runs on test seeds, in the source checkout.

    :raises InputError: there is no checkout here.
    """
    folder = checkout_here()
    if folder is None:
        raise InputError(
            "Runs on test seeds are appended to docs/test_log.tsv, and there is no source checkout here.",
            "Run it from a clone of the project, or use --split validation.",
        )
    return folder / "docs" / "test_log.tsv"


def lines_of_log(log: Path) -> list[str]:
    """The log's lines, older rows brought to today's columns with ``n/a``; only the header where there is none.

    :raises InputError: its columns are not those of a log of test runs.
    """
    if not log.exists():
        return ["\t".join(LOG_COLUMNS)]
    header, *rows = (line.split("\t") for line in log.read_text(encoding="utf-8").splitlines())
    here = len(header)
    if not len(_FIRST_COLUMNS) <= here <= len(LOG_COLUMNS) or tuple(header) != LOG_COLUMNS[:here]:
        raise InputError(
            f"The columns of {log.name} are not those of a log of test runs.", "Move the file, and a new one is begun."
        )
    return ["\t".join(LOG_COLUMNS), *("\t".join(row + [MISSING] * (len(LOG_COLUMNS) - len(row))) for row in rows)]


def append_run(log: Path, study: Study, commit: str, summary: Sequence[Row], weights: str | None = None) -> None:
    """Add one line a dose, end of scan and input to the log of test runs.

    ``steps`` are the evaluations a draw of methods that have them; ``full`` says whether it was a paper's study.

    :param weights: SHA-256 of the judged method's weights; None for methods without.
    :raises InputError: as :func:`lines_of_log`.
    """
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    plain = {case_of(row): row["ki_rmse_mean"] for row in summary if row["method"] == Patlak.method}
    lines = lines_of_log(log)
    for row in summary:
        if row["method"] != study.method:
            continue
        cells: Row = {
            **row,
            "date": date,
            "commit": commit,
            "options": " ".join(_options(study, row)) or None,
            "seeds": f"{study.seeds[0]}-{study.seeds[-1]}",
            "anatomy": study.anatomy,
            "size": study.size,
            "slices": study.slices,
            "patlak_ki_rmse_mean": plain.get(case_of(row)),
            "samples": study.samples,
            "steps": row.get("steps_mean"),
            "weights": None if weights is None else weights[:_HASH],
            "full": study.full,
        }
        lines.append("\t".join(format_cell(cells[name]) for name in LOG_COLUMNS))
    log.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _options(study: Study, row: Row) -> list[str]:
    """The method's options, and the world where it is not the usual one."""
    world = [f"world:{row['world']}"] if row["world"] != USUAL else []
    return [f"{k}={v}" for k, v in study.options.items()] + world
