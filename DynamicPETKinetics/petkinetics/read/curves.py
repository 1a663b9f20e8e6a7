"""Curves from tables: TSV and CSV, BIDS ``_blood.tsv`` with its sidecar, PMOD and DFT files.

A number in a table means nothing without its unit, the zero of its clock, the time it is
decay-corrected to and the kind of blood. Each must be stated: in the column header ("time (min)",
"plasma [kBq/mL]"), in the JSON sidecar of the same name, or by the user; what is missing is asked
for. Only a table with exactly the columns that petkinetics itself writes is taken to follow its
conventions, and that is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import BLOOD_KINDS, InputFunction, TimeActivityCurve
from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S, FrameTiming
from petkinetics.read.curve_tables import FRAME_COLUMNS, CurveTable

Float64 = NDArray[np.float64]

TIME_UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "min": 60.0, "minutes": 60.0}
ACTIVITY_UNITS = {
    f"{prefix}/{volume}": factor
    for prefix, factor in {"bq": 1e-3, "kbq": 1.0, "mbq": 1e3, "nci": 0.037, "uci": 37.0}.items()
    for volume in ("ml", "cc")
}
OWN_COLUMNS = ("time", "whole_blood_radioactivity", "plasma_radioactivity")
#: options (``--set``) that state what a table does not
OPTION_NAMES = ("input_units", "input_time_units", "input_time_zero", "input_decay", "input_blood", "input_region")
#: times are written with nine digits, so a node at the end of a frame may come back a little after it
_ROUNDING_S = 1e-3
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


def read_input_function(
    path: Path, context: CurveContext, options: Mapping[str, str] | None = None, until_s: float | None = None
) -> InputFunction:
    """Read a blood curve as an input function in kBq/mL, decay-corrected to injection.

    :param options: ``input_units``, ``input_time_units`` (s or min), ``input_time_zero`` ("injection" or
        seconds from injection), ``input_decay`` ("injection", "none", or seconds from injection),
        ``input_blood`` ("whole blood", "plasma", "parent plasma"): stated by the user, stronger than the file.
    :param until_s: rows after this time are not looked at; a curve that goes on after it is carried on
        from the last sample before it.
    :raises InputError: the table cannot be read, lacks a statement, or holds impossible values.
    """
    table = CurveTable.read(path)
    if table.framed:
        raise InputError(
            f"{path.name} holds means over frames, not samples of a blood curve.",
            "They have to be made continuous first.",
        )
    stated = _Statements(path, table, dict(options or {}))
    time = table.numbers(table.time_column) * stated.time_unit()
    time = time + stated.time_zero_s(context)
    rows = np.ones(time.size, dtype=bool)
    if until_s is not None:
        rows = ~(time > until_s + _ROUNDING_S)
    time = time[rows]
    blood, kind = stated.blood_columns()
    decay = stated.decay_factor(context, time)
    curves = {k: table.numbers(c)[rows] * stated.activity_unit(c) * decay for k, c in blood.items()}
    for column in blood.values():
        failed = np.flatnonzero(table.computed_nan(column)[rows])
        if failed.size:
            raise InputError(
                f"{path.name} holds a value that is not a number ({column}, sample {failed[0] + 1}, time "
                f"{time[failed[0]]:g} s).",
                "Correct it; a sample that was not taken is written n/a.",
            )
    time, curves = _usable(path.name, time, curves)
    plasma = curves.get(kind, next(iter(curves.values())))
    whole = curves.get("whole blood", plasma)
    warnings = list(stated.notes)
    if "whole blood" not in curves:
        warnings.append(f"{path.name} has no whole blood; plasma stands in for it in V0's blood volume.")
    if time[0] > TOLERANCE_S and int(np.argmax(plasma)) == 0:
        warnings.append(
            f"{path.name} begins at its highest value, {time[0]:.0f} s after injection: the bolus was not sampled. "
            "A straight rise from zero at injection stands in for it, which biases V0 and, less, Ki."
        )
    found = _from_injection(InputFunction(time, plasma, whole, kind, f"file {path.name}", tuple(warnings)))
    return found if until_s is None or rows.all() else _reaching(found, until_s)


class _Statements:
    """What the header, the sidecar and the user state about a table."""

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
        unit = self.options.get("input_time_units") or self._unit_of(self.table.time_column)
        unit = unit or ("s" if self._own else None)
        if unit is None:
            raise self._missing("the unit of its times", "input_time_units", "s (or min)")
        if unit.lower() not in TIME_UNITS:
            raise InputError(f"'{unit}' is not a unit of time for {self.name}; use s or min.")
        return TIME_UNITS[unit.lower()]

    def activity_unit(self, column: str) -> float:
        # in our own tables brackets are part of a region's name
        unit = self.options.get("input_units") or ("kBq/mL" if self._own else self._unit_of(column))
        if unit is None:
            raise self._missing(f"the unit of {column}", "input_units", "kBq/mL (or Bq/mL)")
        key = unit.lower().replace("µ", "u").replace("cm3", "ml")
        if key not in ACTIVITY_UNITS:
            raise InputError(f"'{unit}' is not a unit of activity for {self.name}; use kBq/mL or Bq/mL.")
        return ACTIVITY_UNITS[key]

    def time_zero_s(self, context: CurveContext) -> float:
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
        """Factors to activity at injection, a frame, and whether frames are decay-weighted means."""
        ones = np.ones(len(timing))
        stated = self.options.get("input_decay") or self.sidecar.get("DecayCorrectedTo")
        if stated is not None and str(stated).lower() == "none":
            return timing.decay_factors(context.decay_per_s), True
        return self.decay_factor(context, ones), False

    def _seconds(self, value: Any, option: str) -> float:
        try:
            return float(value)
        except ValueError as error:
            raise InputError(f"'{value}' is not a value for {option}; use injection or a number of seconds.") from error

    def columns(self) -> list[str]:
        """The curves, or the one that the user names."""
        wanted = self.options.get("input_region")
        if wanted is None:
            return self.table.value_columns
        matching = [c for c in self.table.value_columns if c.partition(" [")[0].casefold() == wanted.casefold()]
        if not matching:
            known = ", ".join(c.partition(" [")[0] for c in self.table.value_columns)
            raise InputError(f"{self.name} has no curve named '{wanted}'; it has {known}.")
        return matching

    def blood_columns(self) -> tuple[dict[str, str], str]:
        """Columns by kind, and the kind that drives the kinetics."""
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


def is_framed(path: Path) -> bool:
    """Whether a table holds means over frames (start and end, or start and duration), not samples.

    :raises InputError: it is no table of curves.
    """
    return CurveTable.read(path).framed


def read_activity_curves(
    path: Path, context: CurveContext, options: Mapping[str, str] | None = None
) -> list[TimeActivityCurve]:
    """The curves of a table of frames, kBq/mL decay-corrected to injection: ``tac``'s TSV, PMOD ``.tac``, DFT.

    Values that were not decay-corrected are corrected with the factors of the frames' means.

    :param options: as of :func:`read_input_function`; ``input_region`` picks one curve.
    :raises InputError: the table holds samples, lacks a statement, or holds impossible values.
    """
    table = CurveTable.read(path)
    if not table.framed:
        raise InputError(
            f"{path.name} holds samples, not means over frames; when its frames start and end is not stated.",
            "Two columns are needed: start and end.",
        )
    stated = _Statements(path, table, dict(options or {}))
    unit = stated.time_unit()
    start = table.numbers(table.time_column) * unit
    if table.duration_column is not None:
        duration = table.numbers(table.duration_column) * unit
    else:
        duration = table.numbers(str(table.end_column)) * unit - start
    timing = FrameTiming(start + stated.time_zero_s(context), duration)
    factor, weighted = stated.frame_decay_factor(context, timing)
    columns = [c for c in stated.columns() if not (c == "sd" and "mean" in table.columns)]
    return [
        TimeActivityCurve(
            timing,
            table.numbers(column) * stated.activity_unit(column) * factor,
            decay_per_s=context.decay_per_s if weighted else 0.0,
            name=column.partition(" [")[0],
        )
        for column in columns
    ]


def read_blood_frames(
    path: Path, context: CurveContext, options: Mapping[str, str] | None = None, until_s: float | None = None
) -> tuple[TimeActivityCurve, str, tuple[str, ...]]:
    """The blood curve in a table of frames, which kind of blood it is, and sentences for the user.

    :param options: as of :func:`read_input_function`; ``input_region`` picks the curve.
    :param until_s: frames that end later are not used.
    :raises InputError: as :func:`read_activity_curves`; it is open which curve is blood, or of which kind;
        or no frame ends by *until_s*.
    """
    table = CurveTable.read(path)
    stated = _Statements(path, table, dict(options or {}))
    columns, kind = stated.blood_columns()
    name = columns[kind].partition(" [")[0]
    curve = next(c for c in read_activity_curves(path, context, options) if c.name == name)
    if until_s is not None:
        used = curve.timing.until(until_s / 60.0)
        if used.size == 0:
            raise InputError(f"{path.name} has no frames in the time used.")
        curve = replace(curve, timing=curve.timing.select(used), mean_kbq_per_ml=curve.mean_kbq_per_ml[used])
    return curve, kind, tuple(stated.notes)


def _read_sidecar(path: Path) -> dict[str, Any]:
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        return {}
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{sidecar.name} is not valid JSON ({error}).") from error
    return content if isinstance(content, dict) else {}


def _usable(name: str, time: Float64, curves: dict[str, Float64]) -> tuple[Float64, dict[str, Float64]]:
    """Refuse what is no curve; whole blood may be sampled less often than plasma and is interpolated."""
    if time.size == 0:
        raise InputError(f"{name} has no samples in the time used.")
    for kind, values in curves.items():
        bad = ~np.isfinite(values)
        if np.isinf(values).any() or bad.all() or not np.isfinite(time).all() or (bad.any() and len(curves) == 1):
            i = int(np.flatnonzero(bad | ~np.isfinite(time))[0])
            raise InputError(
                f"{name} holds a value that is not a number ({kind}, sample {i + 1}, time {time[i]:g} s).",
                "Remove the row or correct it.",
            )
        if bad.any():
            curves[kind] = np.interp(time, time[~bad], values[~bad])
    return time, curves


def _from_injection(curve: InputFunction) -> InputFunction:
    """Add (0, 0) before a first sample after injection that already holds activity."""
    if curve.time_s[0] <= 0 or curve.plasma_kbq_per_ml[0] <= 0:
        return curve
    return replace(
        curve,
        time_s=np.concatenate([[0.0], curve.time_s]),
        plasma_kbq_per_ml=np.concatenate([[0.0], curve.plasma_kbq_per_ml]),
        whole_blood_kbq_per_ml=np.concatenate([[0.0], curve.whole_blood_kbq_per_ml]),
    )


def _reaching(curve: InputFunction, until_s: float) -> InputFunction:
    """The curve carried on to *until_s* where its last sample lies less than one interval before.

    The next sample, which would serve to interpolate, lies after the end of the frames and is not used:
    a scan that ends at T and a longer one used until T have to give the same maps.
    """
    missing = until_s - curve.end_s
    interval = float(curve.time_s[-1] - curve.time_s[-2])
    if missing <= TOLERANCE_S or missing > interval:
        return curve

    def onward(values: Float64) -> float:
        if values[-1] <= 0 or values[-2] <= 0:
            return max(float(values[-1]), 0.0)
        return float(values[-1] * (values[-1] / values[-2]) ** (missing / interval))

    return replace(
        curve,
        time_s=np.append(curve.time_s, until_s),
        plasma_kbq_per_ml=np.append(curve.plasma_kbq_per_ml, onward(curve.plasma_kbq_per_ml)),
        whole_blood_kbq_per_ml=np.append(curve.whole_blood_kbq_per_ml, onward(curve.whole_blood_kbq_per_ml)),
        warnings=(
            *curve.warnings,
            f"The blood curve's last sample lies {missing:.0f} s before the end of the frames used; it was carried on.",
        ),
    )
