"""Curves from tables: TSV and CSV, BIDS ``_blood.tsv`` with its sidecar, PMOD and DFT files.

What the numbers mean must be stated (:mod:`petkinetics.read.curve_statements`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S, FrameTiming
from petkinetics.read.curve_statements import CurveContext, CurveStatements
from petkinetics.read.curve_tables import CurveTable

Float64 = NDArray[np.float64]

#: times are written with nine digits, so a node at the end of a frame may come back a little after it
_ROUNDING_S = 1e-3


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
    stated = CurveStatements(path, table, dict(options or {}))
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
    stated = CurveStatements(path, table, dict(options or {}))
    columns = [c for c in stated.columns() if not (c == "sd" and "mean" in table.columns)]
    return _over_frames(table, stated, context, columns)


def read_blood_frames(
    path: Path, context: CurveContext, options: Mapping[str, str] | None = None, until_s: float | None = None
) -> tuple[TimeActivityCurve, str, tuple[str, ...]]:
    """The blood curve in a table of frames, which kind of blood it is, and sentences for the user.

    :param options: as of :func:`read_input_function`; ``input_region`` picks the curve.
    :param until_s: frames that end later are not looked at.
    :raises InputError: as :func:`read_activity_curves`; it is open which curve is blood, or of which kind;
        or no frame ends by *until_s*.
    """
    table = CurveTable.read(path)
    stated = CurveStatements(path, table, dict(options or {}))
    columns, kind = stated.blood_columns()
    (curve,) = _over_frames(table, stated, context, [columns[kind]], until_s)
    return curve, kind, tuple(stated.notes)


def _over_frames(
    table: CurveTable,
    stated: CurveStatements,
    context: CurveContext,
    columns: Sequence[str],
    until_s: float | None = None,
) -> list[TimeActivityCurve]:
    """Some columns as curves; cells of other columns, and of frames that end after *until_s*, are not looked at."""
    if not table.framed:
        raise InputError(
            f"{table.name} holds samples, not means over frames; when its frames start and end is not stated.",
            "Two columns are needed: start and end.",
        )
    unit = stated.time_unit()
    start = table.numbers(table.time_column) * unit
    if table.duration_column is not None:
        duration = table.numbers(table.duration_column) * unit
    else:
        duration = table.numbers(str(table.end_column)) * unit - start
    timing = FrameTiming(start + stated.time_zero_s(context), duration)
    used = timing.until(None if until_s is None else until_s / 60.0)
    if used.size == 0:
        raise InputError(f"{table.name} has no frames in the time used.")
    timing = timing.select(used)
    factor, weighted = stated.frame_decay_factor(context, timing)
    return [
        TimeActivityCurve(
            timing,
            table.numbers(column)[used] * stated.activity_unit(column) * factor,
            decay_per_s=context.decay_per_s if weighted else 0.0,
            name=column.partition(" [")[0],
        )
        for column in columns
    ]


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
