"""Whether a result is all there: a process that says so may still have lost its disk."""

from __future__ import annotations

import json
from pathlib import Path

from petkinetics.job import AnyJob, AortaJob, EstimateJob, ExportJob
from petkinetics.read.result_folder import RECORD_NAME
from petkinetics.write.aorta import aorta_files


def missing_part(job: AnyJob, result: Path) -> str:
    """Name of a file that a job's result lacks; "" when it is complete."""
    if isinstance(job, EstimateJob):
        return _missing_in_estimate(result)
    if isinstance(job, AortaJob):
        names = aorta_files(result.name)
        return next((name for name in names if not _has_content(result.parent / name)), "")
    if isinstance(job, ExportJob):
        return "" if any(result.rglob("*.dcm")) else "*.dcm"
    if result.is_dir():
        return "" if any(result.iterdir()) else f"{result.name}/*"
    return "" if _has_content(result) else result.name


def _missing_in_estimate(folder: Path) -> str:
    try:
        maps = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))["maps"]
    except (OSError, ValueError, KeyError, TypeError):
        return RECORD_NAME
    for name in maps:
        if not any(_has_content(folder / f"{name}{ending}") for ending in (".nii", ".nii.gz")):
            return f"{name}.nii"
    return "" if _has_content(folder / "input_function.tsv") else "input_function.tsv"


def _has_content(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0
