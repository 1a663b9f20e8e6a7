"""One way to open a series, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.read.overrides import Overrides
from petkinetics.series import DynamicSeries


def read_series(
    path: Path,
    overrides: Overrides | None = None,
    statements: Mapping[str, str] | None = None,
    *,
    require_dynamic: bool = True,
) -> DynamicSeries:
    """Open a DICOM folder, or a 4-D NIfTI with its BIDS-PET sidecar.

    :param overrides: what replaces the header's values.
    :param statements: what a NIfTI's sidecar may not say (see :mod:`petkinetics.read.bids`).
    :param require_dynamic: refuse static and gated series; ``info`` describes them.
    :raises InputError: nothing is there, or it is not a series that can be used.
    """
    if path.is_dir():
        from petkinetics.read.dicom import read_dicom

        return read_dicom(path, overrides or Overrides(), require_dynamic=require_dynamic)
    if not path.exists():
        raise InputError(f"There is no file or folder {path}.")
    if path.name.endswith((".nii", ".nii.gz")):
        from petkinetics.read.nifti import read_nifti

        return read_nifti(path, overrides, statements)
    raise InputError(
        f"{path.name} is not a format that can be read.",
        "A series is a folder of DICOM files, or a .nii/.nii.gz with a BIDS-PET .json beside it.",
    )
