"""Whether a file is DICOM, told by its first bytes: no reader is loaded for that."""

from __future__ import annotations

from pathlib import Path


def is_dicom(path: Path) -> bool:
    """Whether a file begins as a DICOM file does: 128 bytes of anything, then "DICM"."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
