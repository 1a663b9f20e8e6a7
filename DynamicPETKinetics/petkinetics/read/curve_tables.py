"""Tables of curves as text: TSV and CSV, PMOD's ``.bld .tac .crv`` and Turku PET Centre's ``.dft``.

All become columns with their unit in the name, "plasma [kBq/cc]", where the file states one. PMOD's
files have one title line, "sample-time[seconds] plasma[kBq/cc]" for samples and "start[seconds]
end[kBq/cc] name ..." for frames: the unit of the values stands with the second column. A DFT file has
four title lines: names; study and second names; unit and places; "Times (min)" and volumes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.read.text_files import read_text

Float64 = NDArray[np.float64]

_MISSING = ("n/a", "nan", "", ".")
#: frames of the tables that petkinetics writes
FRAME_COLUMNS = ("frame_start", "frame_duration")


@dataclass(frozen=True)
class CurveTable:
    """A table of curves.

    :param name: of the file, for messages.
    :param columns: cells by column name.
    :param time_column: sample times, or frame starts.
    :param end_column: frame ends, in the unit of the starts; None for samples.
    :param duration_column: frame durations in place of ends.
    :param first_row: line number of the first row, for messages.
    :param stated: what else the file states, by the keys of a sidecar.
    """

    name: str
    columns: dict[str, list[str]]
    time_column: str
    end_column: str | None = None
    duration_column: str | None = None
    first_row: int = 2
    stated: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> CurveTable:
        """Read a table, its format told by what it holds.

        :raises InputError: the file is missing, is no text, or no table of curves.
        """
        if not path.is_file():
            raise InputError(f"There is no file {path.name}.")
        text = read_text(path)
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if len(lines) < 2:
            raise InputError(f"{path.name} holds no table (a header and rows are needed).")
        if re.match(r"DFT", lines[0]):
            return _read_dft(path.name, lines, text)
        pmod = path.suffix.lower() in (".bld", ".tac", ".crv") or re.match(r"\s*(sample-time|start)\s*\[", lines[0])
        return _read_pmod(path.name, lines) if pmod else _read_delimited(path.name, lines)

    @property
    def framed(self) -> bool:
        """Whether values are means over frames, not samples."""
        return self.end_column is not None or self.duration_column is not None

    @property
    def value_columns(self) -> list[str]:
        """The columns that are curves."""
        return [c for c in self.columns if c not in (self.time_column, self.end_column, self.duration_column)]

    def numbers(self, column: str) -> Float64:
        """A column as numbers, (rows,); NaN where a value is missing.

        :raises InputError: a cell is no number.
        """
        values = []
        for number, cell in enumerate(self.columns[column], start=self.first_row):
            if cell.lower() in _MISSING:
                values.append(np.nan)
                continue
            try:
                values.append(float(cell))
            except ValueError as error:
                raise InputError(f"Row {number} of {self.name} has '{cell}' for {column}, not a number.") from error
        return np.array(values)

    def computed_nan(self, column: str) -> NDArray[np.bool_]:
        """Where a cell says NaN, (rows,): a computation that failed, not a sample that was not taken (n/a, empty)."""
        return np.array([cell.lower() in ("nan", "-nan") for cell in self.columns[column]])


def _by_column(name: str, titles: Sequence[str], rows: Sequence[Sequence[str]], first_row: int) -> dict[str, list[str]]:
    """Cells by title; titles that repeat are numbered."""
    for number, row in enumerate(rows, start=first_row):
        if len(row) != len(titles):
            raise InputError(f"Row {number} of {name} has {len(row)} cells, its header {len(titles)}.")
    columns: dict[str, list[str]] = {}
    for i, title in enumerate(titles):
        unique, n = title, 1
        while unique in columns:
            n += 1
            bare, _, unit = title.partition(" [")
            unique = f"{bare} ({n})" + (f" [{unit}" if unit else "")
        columns[unique] = [row[i].strip() for row in rows]
    return columns


def _read_delimited(name: str, lines: Sequence[str]) -> CurveTable:
    delimiter = "\t" if "\t" in lines[0] else ";" if ";" in lines[0] else ","
    header, *rows = list(csv.reader(lines, delimiter=delimiter))
    titles = [h.strip() for h in header]
    if set(FRAME_COLUMNS) <= set(titles):
        columns = _by_column(name, titles, rows, 2)
        return CurveTable(name, columns, FRAME_COLUMNS[0], duration_column=FRAME_COLUMNS[1])
    times = [n for n in titles if n.lower().startswith("time")]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(titles):
            raise InputError(f"Row {number} of {name} has {len(row)} cells, its header {len(titles)}.")
    if len(times) != 1:
        raise InputError(
            f"{name} needs one column named 'time'; its columns are {', '.join(titles)}.",
            "The first row must name the columns, for example: time, whole_blood_radioactivity.",
        )
    return CurveTable(name, _by_column(name, titles, rows, 2), times[0])


def _cells(lines: Sequence[str]) -> list[list[str]]:
    """Lines at tabs where there are any, else at white space."""
    if any("\t" in line for line in lines):
        return [[cell.strip() for cell in line.rstrip("\r\n").split("\t")] for line in lines]
    return [line.split() for line in lines]


def _read_pmod(name: str, lines: Sequence[str]) -> CurveTable:
    titles, *rows = _cells(lines)
    parts = [re.fullmatch(r"(.*?)\s*(?:\[([^\]]*)\])?", title) for title in titles]
    names = [str(match[1]).strip() if match else title for match, title in zip(parts, titles, strict=True)]
    units = [match[2] if match else None for match in parts]
    first = names[0].lower()
    if len(names) < 2 or not (first in ("start", "sample-time") or first.startswith("time")):
        raise InputError(
            f"{name} is not a PMOD curve file: its first column is '{titles[0]}'.",
            "'sample-time[seconds]' is expected for samples, or 'start[seconds]' and 'end[kBq/cc]' for frames.",
        )
    framed = first == "start" and names[1].lower() == "end"
    if framed and len(names) < 3:
        raise InputError(f"{name} has frames, but no curve.")
    # the unit of the values stands with the second column
    common = units[1]
    values = range(2 if framed else 1, len(names))
    titled = [f"{names[i]} [{units[i] or common}]" if units[i] or common else names[i] for i in values]
    time = "time" + (f" [{units[0]}]" if units[0] else "")
    columns = _by_column(name, [time, *(["end"] if framed else []), *titled], rows, 2)
    return CurveTable(name, columns, time, "end" if framed else None)


def _read_dft(name: str, lines: Sequence[str], text: str) -> CurveTable:
    rows = _cells(lines)
    if len(rows) < 5:
        raise InputError(f"{name} is not a whole DFT file: four title lines and rows are needed.")
    # a unit may be followed by a second word in brackets, and the time by its unit after a space
    first, second, third, fourth = (_joined(row) for row in rows[:4])
    names = first[1:]
    unit = third[0]
    match = re.fullmatch(r"(times?|start|end)\s*\(?([a-z]*)\)?", fourth[0].lower())
    if not names or match is None:
        raise InputError(
            f"{name} is not a DFT file: its fourth line begins with '{fourth[0]}'.",
            "'Time (min)' or 'Times (sec)' is expected.",
        )
    kind, time_unit = match[1], match[2]
    if kind in ("start", "end"):
        raise InputError(
            f"{name} gives only the {kind} times of its frames; when they {'end' if kind == 'start' else 'start'} "
            "is not stated.",
            "Write it again with start and end times ('Times').",
        )
    framed = kind == "times"
    titles = []
    for i, region in enumerate(names):
        more = [row[i + 1] for row in (second, third) if len(row) > i + 1 and row[i + 1] not in (".", "")]
        whole = " ".join([region, *more]) if region != "." else " ".join(more) or f"curve {i + 1}"
        titles.append(whole + (f" [{unit}]" if unit not in (".", "") else ""))
    time = "time" + (f" [{time_unit}]" if time_unit else "")
    head = [time, *(["end"] if framed else [])]
    cells = rows[4:]
    if cells and len(cells[0]) == len(head) + len(titles) + 1:
        titles.append("weight")  # a column of weights may follow the curves
    columns = _by_column(name, [*head, *titles], cells, 5)
    columns = {c: v for c, v in columns.items() if not c.lower().startswith("weight")}
    return CurveTable(name, columns, time, "end" if framed else None, first_row=5, stated=_dft_comments(text))


def _joined(row: Sequence[str]) -> list[str]:
    """A title line with "(min)" or "(...)" joined to the word before it."""
    found: list[str] = []
    for cell in row:
        if found and re.fullmatch(r"\([^)]*\)", cell):
            if len(found) == 1 and re.fullmatch(r"(?i)times?|start|end", found[0]):
                found[0] += f" {cell}"
            continue
        found.append(cell)
    return found


def _dft_comments(text: str) -> dict[str, str]:
    """What comments of our own say; comments of others may be out of date and are not believed."""
    pairs = re.findall(r"^#\s*petkinetics\.(\w+)\s*:=\s*(.+?)\s*$", text, re.MULTILINE)
    return {key: value for key, value in pairs if key in ("TimeZero", "DecayCorrectedTo", "InputFunctionKind")}
