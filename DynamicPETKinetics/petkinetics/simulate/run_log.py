"""The log of studies on test seeds: when, at which commit, and with what numbers."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from petkinetics.errors import InputError
from petkinetics.estimators.patlak import Patlak
from petkinetics.evaluate.known_truth import Row
from petkinetics.evaluate.study_names import USUAL
from petkinetics.evaluate.study_ratios import case_of

if TYPE_CHECKING:
    from petkinetics.simulate.study import Study

LOG_COLUMNS = (
    *("date", "commit", "method", "options", "seeds", "anatomy", "size", "slices", "dose", "until_min", "input"),
    *("ki_rmse_mean", "ki_rmse_sd", "ki_psnr_db_mean", "ki_ssim_mean", "patlak_ki_rmse_mean"),
)


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


def append_run(log: Path, study: Study, commit: str, summary: Sequence[Row]) -> None:
    """Add one line a dose, end of scan and input to the log of test runs."""
    from petkinetics.write.tables import format_cell

    date = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    plain = {case_of(row): row["ki_rmse_mean"] for row in summary if row["method"] == Patlak.method}
    lines = [] if log.exists() else ["\t".join(LOG_COLUMNS)]
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
        }
        lines.append("\t".join(format_cell(cells[name]) for name in LOG_COLUMNS))
    with log.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write("\n".join(lines) + "\n")


def _options(study: Study, row: Row) -> list[str]:
    """The method's options, and the world where it is not the usual one."""
    world = [f"world:{row['world']}"] if row["world"] != USUAL else []
    return [f"{k}={v}" for k, v in study.options.items()] + world
