"""Running the search for the aorta: from a series to a label map of the proposed region."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Progress
from petkinetics.input_function.aorta import CHECK_IT, find_aorta
from petkinetics.job import AortaJob
from petkinetics.read.overrides import Overrides
from petkinetics.read.series import STATEMENTS, read_series
from petkinetics.write.aorta import aorta_files, write_aorta
from petkinetics.write.staging import staged_files


def run_aorta(job: AortaJob, progress: Progress, tell: Callable[[str], None] | None = None) -> Path:
    """Run the search; see :class:`petkinetics.job.AortaJob`.

    :returns: the label map.
    :raises InputError: the answer is "not possible" or "not sure", or the series cannot be read; nothing was
        written.
    """
    unknown = sorted(set(job.options) - set(STATEMENTS))
    if unknown:
        raise InputError(
            f"'{unknown[0]}' is not an option of this command.", f"Options for --set: {', '.join(STATEMENTS)}."
        )
    output = Path(job.output)
    if not output.name.endswith((".nii.gz", ".nii")):
        raise InputError(f"'{output.name}' is not the name of a NIfTI file.", "Give a name that ends in .nii.gz.")
    warn = tell or (lambda _sentence: None)
    with staged_files(output.absolute().parent, aorta_files(output.name)) as folder:
        progress(0.0, "Reading the series")
        overrides = Overrides(job.injection_time, half_life_s=job.half_life_s)
        series = read_series(Path(job.series), overrides, job.options)
        for sentence in series.warnings:
            warn(sentence)
        progress(0.1, "Looking for the aorta")
        found = find_aorta(series, job.until_min, lambda done, what: progress(0.1 + 0.85 * done, what))
        write_aorta(folder, output.name, found.mask, series.geometry)
    warn(f"{found.summary} {CHECK_IT}")
    progress(1.0, "Done")
    return output
