"""Names of image files and of what lies beside them."""

from __future__ import annotations

from pathlib import Path

_DOUBLE = ".nii.gz"


def file_stem(path: Path) -> str:
    """The file's name without ``.nii.gz`` (in capitals, too), or without its last ending."""
    return path.name[: -len(_DOUBLE)] if path.name.lower().endswith(_DOUBLE) else path.stem
