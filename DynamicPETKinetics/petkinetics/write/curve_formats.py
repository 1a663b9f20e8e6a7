"""Curves in the format that the file's name asks for: TSV, PMOD's ``.tac .crv .bld`` or Turku's ``.dft``.

PMOD's format has no place for what times count from, what activity is decay-corrected to, or the kind
of blood; that stands in a JSON file of the same name. In a DFT it stands in comments.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.errors import InputError
from petkinetics.evaluate.tac import tac_rows
from petkinetics.read.curve_tables import FRAME_COLUMNS
from petkinetics.write.input_function import write_input_function
from petkinetics.write.json_text import write_json
from petkinetics.write.tables import write_table

_PMOD = (".tac", ".crv", ".bld")
_STATED = {"TimeZero": "injection", "DecayCorrectedTo": "injection"}


def activity_files(path: Path) -> list[str]:
    """Names of the files that :func:`write_activity_curves` makes: the curves, and what states what they cannot."""
    return [path.name, path.with_suffix(".json").name] if path.suffix.lower() in _PMOD else [path.name]


def blood_files(path: Path) -> list[str]:
    """Names of the files that :func:`write_blood_curve` makes."""
    return [path.name] if path.suffix.lower() == ".dft" else [path.name, path.with_suffix(".json").name]


def write_activity_curves(path: Path, curves: Sequence[TimeActivityCurve]) -> None:
    """Write the curves of regions over the same frames, kBq/mL at injection, times in s from injection.

    :param path: ``.tac`` or ``.crv`` (PMOD), ``.dft``, else a TSV.
    :raises InputError: a ``.bld``, which holds samples of blood.
    """
    suffix = path.suffix.lower()
    if suffix == ".bld":
        raise InputError(
            f"'{path.name}' asks for samples of blood, but these are curves over frames.", "Use .tac, .dft or .tsv."
        )
    rows = tac_rows(curves)
    if suffix not in (*_PMOD, ".dft"):
        write_table(path, rows)
        return
    timing = curves[0].timing
    names = [name for name in rows[0] if name not in FRAME_COLUMNS]
    values = np.column_stack([timing.start_s, timing.end_s, *(c.mean_kbq_per_ml for c in curves)])
    if suffix == ".dft":
        _write(path, [*_dft_titles(names, "Times"), *_lines(values)])
        return
    titles = "\t".join(["start[seconds]", "end[kBq/cc]", *(_one_word(name) for name in names)])
    _write(path, [titles, *_lines(values)])
    _write_statements(path, {})


def write_blood_curve(path: Path, curve: InputFunction) -> None:
    """Write an input function; see :func:`petkinetics.write.input_function.write_input_function` for the TSV.

    :param path: ``.bld`` or ``.crv`` (PMOD), ``.dft``, else a TSV with its sidecar.
    :raises InputError: a ``.tac``, which holds means over frames, or a ``.json``, the name of the sidecar.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        raise InputError(
            f"'{path.name}' is the name of the file that states units beside a curve.", "Use .tsv, .bld or .dft."
        )
    if suffix == ".tac":
        raise InputError(
            f"'{path.name}' asks for means over frames, but an input function is a curve.", "Use .bld, .dft or .tsv."
        )
    if suffix not in (*_PMOD, ".dft"):
        write_input_function(path, curve)
        return
    columns = {"whole-blood": curve.whole_blood_kbq_per_ml}
    if curve.kind != "whole blood":
        columns = {curve.kind.replace(" ", "-"): curve.plasma_kbq_per_ml, **columns}
    values = np.column_stack([curve.time_s, *columns.values()])
    if suffix == ".dft":
        titles = _dft_titles(list(columns), "Time")
        _write(path, [f"# petkinetics.InputFunctionKind := {curve.kind}", *titles, *_lines(values)])
        return
    head = ["sample-time[seconds]", *(f"{name}[kBq/cc]" for name in columns)]
    _write(path, ["\t".join(head), *_lines(values)])
    _write_statements(path, {"InputFunctionKind": curve.kind, "Source": curve.source})


def _lines(values: NDArray[np.float64]) -> list[str]:
    return ["\t".join(f"{v:.9g}" for v in row) for row in values]


def _dft_titles(names: Sequence[str], times: str) -> list[str]:
    none = ["."] * len(names)
    return [
        *(f"# petkinetics.{key} := {value}" for key, value in _STATED.items()),
        "\t".join(["DFT", *(_one_word(name) for name in names)]),
        "\t".join([".", *none]),
        "\t".join(["kBq/mL", *none]),
        "\t".join([f"{times} (sec)", *none]),
    ]


def _one_word(name: str) -> str:
    """A name without the white space and brackets that would make columns or units of its parts."""
    return "_".join(name.replace("[", "(").replace("]", ")").split()) or "."


def _write_statements(path: Path, more: dict[str, str]) -> None:
    write_json(path.with_suffix(".json"), {**_STATED, **more})


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
