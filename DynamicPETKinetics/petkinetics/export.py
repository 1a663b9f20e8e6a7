"""Exporting the maps of a result folder to DICOM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Progress
from petkinetics.job import ExportJob
from petkinetics.read.result_folder import read_record, result_maps


def run_export(job: ExportJob, progress: Progress, tell: Callable[[str], None] | None = None) -> Path:
    """Run an export; see :class:`petkinetics.job.ExportJob`.

    :returns: the folder with the DICOM files.
    :raises InputError: the result folder is not one, or the series is not the maps' own.
    """
    from petkinetics.write.dicom_export import FORMATS, export_maps

    record = read_record(Path(job.result))
    maps = result_maps(Path(job.result), record)
    series = Path(job.series)
    if not series.is_dir():
        raise InputError(f"There is no folder {series}.", "Give the DICOM folder of the series with --series.")
    if tell and record.get("input_function", {}).get("kind") == "whole blood":
        tell('The input function is uncorrected whole blood; the exported maps say "whole-blood input".')
    formats = FORMATS if job.formats == "both" else (job.formats,)
    export_maps(maps, series, Path(job.to), formats, progress=progress, warn=tell)
    return Path(job.to)
