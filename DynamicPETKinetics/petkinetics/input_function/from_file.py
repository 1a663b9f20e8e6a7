"""Input functions from files: samples of blood as they are, means over frames made continuous.

docs/methods.md, "Input function".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from petkinetics.curves import InputFunction
from petkinetics.input_function.from_frames import continuous_curve
from petkinetics.read.curve_statements import CurveContext
from petkinetics.read.curves import is_framed, read_blood_frames, read_input_function


def input_function_from_file(
    path: Path, context: CurveContext, options: Mapping[str, str] | None = None, until_s: float | None = None
) -> InputFunction:
    """The input function in a table of any format that :mod:`petkinetics.read.curves` reads.

    Means over frames (an image-derived curve in a PMOD ``.tac``, a DFT or our own table) become a curve that
    keeps every frame's mean.

    :param options: what the user states; see :func:`petkinetics.read.curves.read_input_function`.
    :param until_s: nothing after this time is used, seconds from injection.
    :raises InputError: the table cannot be read, or lacks a statement.
    """
    if not is_framed(path):
        return read_input_function(path, context, options, until_s)
    frames, kind, notes = read_blood_frames(path, context, options, until_s)
    time, value, assumed = continuous_curve(frames)
    return InputFunction(time, value, value, kind, f"file {path.name}, '{frames.name}'", (*notes, *assumed))
