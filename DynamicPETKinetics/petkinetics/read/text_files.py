"""Text beside images: JSON and tables, UTF-8 with or without a byte order mark."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from petkinetics.errors import InputError


def read_text(path: Path) -> str:
    """What a text file holds.

    :raises InputError: it cannot be opened, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8 text.", "Save it as text with the encoding UTF-8.") from error
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror}).") from error


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    :raises InputError: as :func:`read_text`, or it is not valid JSON.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path.name} is not valid JSON ({error}).") from error


def finite(value: object) -> float | None:
    """A value of a text file as a number; None where it is not one, or not finite."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table with a title line and tabs between its cells; a cell that is missing is empty.

    :raises InputError: as :func:`read_text`.
    """
    stream = io.StringIO(read_text(path), newline="")
    return [{k: v.strip() for k, v in row.items() if k} for row in csv.DictReader(stream, delimiter="\t", restval="")]
