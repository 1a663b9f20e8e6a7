"""What a table of curves states about its numbers: in its header, its sidecar, or by the user.

A number in a table means nothing without its unit, the zero of its clock, the time it is
decay-corrected to and the kind of blood. Each must be stated: in the column header ("time (min)",
"plasma [kBq/mL]"), in the JSON sidecar of the same name, or by the user; what is missing is asked
for. Only a table with exactly the columns that petkinetics itself writes is taken to follow its
conventions, and that is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import BLOOD_KINDS
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.activity_units import activity_unit
from petkinetics.read.curve_tables import FRAME_COLUMNS, CurveTable
from petkinetics.read.text_files import finite, read_json

Float64 = NDArray[np.float64]

TIME_UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0}
OWN_COLUMNS = ("time", "whole_blood_radioactivity", "plasma_radioactivity")
#: options (``--set``) that state what a table does not
OPTION_NAMES = ("input_units", "input_time_units", "input_time_zero", "input_decay", "input_blood", "input_region")
_KINDS_OF_COLUMNS = (
    ("parent plasma", re.compile(r"parent|metabolite.?corrected")),
    ("plasma", re.compile(r"plasma")),
    ("whole blood", re.compile(r"whole.?blood|blood")),
)
#: BIDS metabolite_parent_fraction, hplc_recovery_fractions ...: shares between 0 and 1, no activity
_FRACTION = re.compile(r"fraction")


@dataclass(frozen=True)
class CurveContext:
    """What the series knows that a table may refer to.

    :param decay_per_s: of the tracer.
    :param time_zero_s: BIDS TimeZero in seconds from injection; None where there is none.
    """

    decay_per_s: float
    time_zero_s: float | None = None


class CurveStatements:
    """What the header, the sidecar and the user state about a table.

    :param options: what the user states, see :data:`OPTION_NAMES`.
    :raises InputError: the sidecar is not valid JSON; every method: a statement is missing or impossible.
    """

    def __init__(self, path: Path, table: CurveTable, options: dict[str, str]) -> None:
        self.name, self.table, self.options = path.name, table, options
        self.sidecar = {**table.stated, **_read_sidecar(path)}
        self.notes: list[str] = []
        self.is_bids = path.name.endswith("_blood.tsv")
        self._own = False
        said = any(name in options for name in OPTION_NAMES)
        own = set(table.columns) == set(OWN_COLUMNS) or set(FRAME_COLUMNS) <= set(table.columns)
        # BIDS names its columns so too, in units that only its sidecar states.
        if not self.sidecar and own and not said and not self.is_bids:
            self._own = True
            self.notes.append(
                f"{path.name} states no units; having the columns that petkinetics writes, it was taken as seconds "
                "from injection and kBq/mL decay-corrected to injection."
            )

    def _unit_of(self, column: str) -> str | None:
        in_header = re.search(r"[\[(]\s*([^\[\]()]+?)\s*[\])]\s*$", column)
        if in_header:
            return in_header[1]
        entry = self.sidecar.get(column)
        return str(entry["Units"]) if isinstance(entry, dict) and entry.get("Units") else None

    def _missing(self, what: str, option: str, example: str) -> InputError:
        return InputError(f"{self.name} does not state {what}.", f"State it with --set {option}={example}.")

    def time_unit(self) -> float:
        """Seconds in a unit of the times.

        :raises InputError: it is not stated, or no unit of time.
        """
        unit = self.options.get("input_time_units") or self._unit_of(self.table.time_column)
        unit = unit or ("s" if self._own else None)
        if unit is None:
            raise self._missing("the unit of its times", "input_time_units", "s (or min)")
        if unit.lower() not in TIME_UNITS:
            raise InputError(f"'{unit}' is not a unit of time for {self.name}; use s or min.")
        return TIME_UNITS[unit.lower()]

    def activity_unit(self, column: str) -> float:
        """kBq/mL in a unit of a column.

        :raises InputError: it is not stated, or no unit of activity concentration.
        """
        # in our own tables brackets are part of a region's name
        unit = self.options.get("input_units") or ("kBq/mL" if self._own else self._unit_of(column))
        if unit is None:
            raise self._missing(f"the unit of {column}", "input_units", "kBq/mL (or Bq/mL)")
        found = activity_unit(unit)
        if found is None:
            raise InputError(f"'{unit}' is not a unit of activity for {self.name}; use kBq/mL or Bq/mL.")
        return found

    def time_zero_s(self, context: CurveContext) -> float:
        """Zero of the times, seconds from injection.

        :raises InputError: it is not stated, or neither "injection" nor a number.
        """
        stated = self.options.get("input_time_zero") or self.sidecar.get("TimeZero")
        if stated is None and self.is_bids and context.time_zero_s is not None:
            # BIDS: the times of a blood recording are relative to the PET image's TimeZero.
            return context.time_zero_s
        if stated is None and not self._own:
            raise self._missing("from when its times count", "input_time_zero", "injection (or seconds from injection)")
        if stated is None or str(stated).lower() == "injection":
            return 0.0
        return self._seconds(stated, "input_time_zero")

    def decay_factor(self, context: CurveContext, time: Float64) -> Float64:
        """Factors to activity at injection.

        :param time: s from injection, any shape.
        :returns: of its shape.
        :raises InputError: the time of decay correction is not stated, or is not "injection", "none" or a number.
        """
        stated = self.options.get("input_decay")
        if stated is None:
            stated = self.sidecar.get("DecayCorrectedTo", "injection" if self._own else None)
        if stated is None:
            raise self._missing(
                "the time its activity is decay-corrected to", "input_decay", "injection (or none, or seconds)"
            )
        if str(stated).lower() == "injection":
            return np.ones_like(time)
        if str(stated).lower() == "none":
            return np.exp(context.decay_per_s * time)
        return np.full_like(time, np.exp(context.decay_per_s * self._seconds(stated, "input_decay")))

    def frame_decay_factor(self, context: CurveContext, timing: FrameTiming) -> tuple[Float64, bool]:
        """Factors to activity at injection, (frames,), and whether frames are decay-weighted means."""
        ones = np.ones(len(timing))
        stated = self.options.get("input_decay") or self.sidecar.get("DecayCorrectedTo")
        if stated is not None and str(stated).lower() == "none":
            return timing.decay_factors(context.decay_per_s), True
        return self.decay_factor(context, ones), False

    def _seconds(self, value: Any, option: str) -> float:
        seconds = finite(value)
        if seconds is None:
            raise InputError(
                f"'{value}' is not a value for {option} of {self.name}; use injection or a number of seconds."
            )
        return seconds

    def columns(self) -> list[str]:
        """The curves, or the one that the user names.

        :raises InputError: the table has no curve of that name.
        """
        wanted = self.options.get("input_region")
        if wanted is None:
            return self.table.value_columns
        matching = [c for c in self.table.value_columns if c.partition(" [")[0].casefold() == wanted.casefold()]
        if not matching:
            known = ", ".join(c.partition(" [")[0] for c in self.table.value_columns)
            raise InputError(f"{self.name} has no curve named '{wanted}'; it has {known}.")
        return matching

    def blood_columns(self) -> tuple[dict[str, str], str]:
        """Columns by kind, and the kind that drives the kinetics.

        :raises InputError: the kind of blood is not stated, no such kind, or without a column.
        """
        found: dict[str, str] = {}
        columns = [c for c in self.columns() if not _FRACTION.search(c.lower())]
        for column in columns:
            for kind, pattern in _KINDS_OF_COLUMNS:
                if pattern.search(column.lower()):
                    found.setdefault(kind, column)
                    break
        wanted = self.options.get("input_blood") or self.sidecar.get("InputFunctionKind")
        shares = [c for c in self.columns() if c not in columns and "parent" in c.lower()]
        if shares and "plasma" in found and "parent plasma" not in (*found, wanted):
            self.notes.append(f"{self.name} gives {shares[0]}; it was not applied: the curve is total plasma.")
        if not found and len(columns) == 1 and wanted:
            found[str(wanted)] = columns[0]
        if not found:
            raise self._missing("whether it is whole blood or plasma", "input_blood", "'whole blood' (or plasma)")
        if wanted is not None and wanted not in BLOOD_KINDS:
            raise InputError(f"'{wanted}' is not a kind of blood; use {', '.join(BLOOD_KINDS)}.")
        if self._own and wanted is None and {"whole blood", "plasma"} <= found.keys():
            both = (self.table.numbers(found["whole blood"]), self.table.numbers(found["plasma"]))
            wanted = "whole blood" if np.array_equal(*both, equal_nan=True) else "plasma"
        if wanted == "whole blood" and "whole blood" in found:
            # Where plasma equals whole blood it is the uncorrected curve, not a measurement.
            return {"whole blood": found["whole blood"]}, "whole blood"
        if wanted == "parent plasma" and wanted not in found and "plasma" in found:
            # BIDS has one name for both; the statement tells which plasma it is (our own files do so).
            found["parent plasma"] = found.pop("plasma")
        if wanted is not None and wanted not in found:
            raise InputError(f"{self.name} has no {wanted} column; it has {', '.join(found.values())}.")
        best = next(kind for kind, _ in _KINDS_OF_COLUMNS if kind in found)
        return found, str(wanted or best)


def _read_sidecar(path: Path) -> dict[str, Any]:
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        return {}
    content = read_json(sidecar)
    return content if isinstance(content, dict) else {}
