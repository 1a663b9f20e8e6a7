"""Tab-separated tables in the BIDS manner: one header row, ``n/a`` where there is no value."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from petkinetics.errors import InputError

MISSING = "n/a"
#: enough to bring a float32 back, and the same text on every machine
SIGNIFICANT_DIGITS = 7

Value = float | int | str | None


def write_table(path: Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] | None = None) -> None:
    """Write rows as a TSV; numbers with 7 significant digits, None and NaN as ``n/a``.

    :param columns: the columns and their order; by default those of the first row.
    """
    names = list(columns) if columns is not None else list(rows[0]) if rows else []
    lines = ["\t".join(names), *("\t".join(format_cell(row.get(name)) for name in names) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def format_cell(value: object) -> str:
    """One cell's text."""
    if value is None:
        return MISSING
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return MISSING if math.isnan(value) else f"{float(value):.{SIGNIFICANT_DIGITS}g}"
    # a tab or line break inside a name would move every later column
    return " ".join(str(value).split())


def read_table(path: Path) -> list[dict[str, Value]]:
    """Read a TSV: numbers become int or float, ``n/a`` becomes None, the rest stays text.

    :raises InputError: the file is missing, or a row has another number of cells than the header.
    """
    if not path.is_file():
        raise InputError(f"There is no table {path.name}.")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = [row for row in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE) if row]
    if not lines:
        return []
    header, *body = lines
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise InputError(f"Row {number} of {path.name} has {len(row)} cells, its header {len(header)}.")
    return [{name: parse_cell(cell) for name, cell in zip(header, row, strict=True)} for row in body]


def parse_cell(text: str) -> Value:
    """The value of one cell."""
    text = text.strip()
    if text in ("", MISSING):
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
