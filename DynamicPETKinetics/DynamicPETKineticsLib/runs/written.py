"""What an export or a report has written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Written:
    """Files, and a sentence that says so to the user.

    :param files: none where they went into the DICOM database.
    """

    files: tuple[Path, ...]
    sentence: str
