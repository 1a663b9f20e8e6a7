"""One way to open a series, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.read.dicom_files import is_dicom
from petkinetics.read.overrides import Overrides, administration_doubts
from petkinetics.series import DynamicSeries

#: options (``--set``) that state what a series does not: of NIfTI (:mod:`petkinetics.read.bids`) and of
#: sequences (:mod:`petkinetics.read.sequence_nrrd`)
STATEMENTS = ("units", "decay_corrected_to", "frames", "first_frame")


def read_series(
    path: Path,
    overrides: Overrides | None = None,
    statements: Mapping[str, str] | None = None,
    *,
    require_dynamic: bool = True,
) -> DynamicSeries:
    """Open a DICOM folder or file, a 4-D NIfTI with its BIDS-PET sidecar, or a ``.seq.nrrd``.

    :param overrides: what replaces the header's values.
    :param statements: what a NIfTI's sidecar or a sequence may not say (:data:`STATEMENTS`).
    :param require_dynamic: refuse static and gated series; ``info`` describes them.
    :raises InputError: nothing is there, or it is not a series that can be used.
    """
    if not path.exists():
        raise InputError(f"There is no file or folder {path}.")
    series = _of_its_format(path, overrides, statements, require_dynamic)
    doubts = administration_doubts(series.injected_activity_mbq, series.weight_kg)
    return replace(series, warnings=(*series.warnings, *doubts)) if doubts else series


def _of_its_format(
    path: Path, overrides: Overrides | None, statements: Mapping[str, str] | None, require_dynamic: bool
) -> DynamicSeries:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        from petkinetics.read.bids import STATEMENTS as USED
        from petkinetics.read.nifti import read_nifti

        series = read_nifti(path, overrides, statements, require_dynamic=require_dynamic)
        return _with_unused(series, statements, USED, "a NIfTI series has that in its sidecar")
    if path.is_dir() or is_dicom(path):
        from petkinetics.read.dicom import read_dicom

        series = read_dicom(path, overrides or Overrides(), require_dynamic=require_dynamic)
        return _with_unused(series, statements, (), "a DICOM series has that in its headers")
    if name.endswith(".nrrd"):
        from petkinetics.read.sequence_nrrd import read_sequence

        return read_sequence(path, overrides, statements)
    raise InputError(
        f"{path.name} is not a format that can be read.",
        "A series is a folder of DICOM files, a .nii/.nii.gz with a BIDS-PET .json beside it, or a .seq.nrrd.",
    )


def _with_unused(
    series: DynamicSeries, statements: Mapping[str, str] | None, used: Sequence[str], why: str
) -> DynamicSeries:
    """The series, warning of statements that its reader does not look at."""
    unused = [name for name in STATEMENTS if name in (statements or {}) and name not in used]
    if not unused:
        return series
    sentence = f"Not used, because {why}: --set {', '.join(unused)}."
    return replace(series, warnings=(*series.warnings, sentence))
