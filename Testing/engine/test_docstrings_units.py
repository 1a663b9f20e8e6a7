"""Public functions name their arrays and physical numbers, say their units, and where their equations come from.

Read from the source. An argument that is an array or a float is named in the docstring of its function or class,
whatever the case ("K1 in mL/min/mL" names ``k1``). A float or an array of floats has a unit: at the end of its name
(``t_star_min``), or the docstring has one, or says what has none (a share, a ratio, any unit). Files with equations
name a paper, or a section of docs/methods.md, which must exist. That unit and source are the true ones no test can see.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from layout import PACKAGE, module_files, room_of
from test_docstrings import ARRAY, public

NUMBER = re.compile(r"float(?: \| None)?|ArrayLike")
FLOATS = re.compile(r"\b(?:Float16|Float32|Float64|Tensor|ArrayLike|Array|Volume|np\.(?:float\d*|floating))\b|^float")
UNIT_IN_NAME = re.compile(r"_(?:s|min|mm|ml|kg|m|mbq|per_ml|per_s|per_min|voxels|share|fraction)$")
UNIT = re.compile(
    r"(?<![\w.'’])(?:kBq/mL|MBq|Bq|mL/min/mL|mL/mL|mL|g/mL|kg|mm?|ms|s|min|1/s|1/min|/min|inches|percent|%|SDs?"
    r"|(?:any|no|its|own|one|the|their) unit|in units of|in \*?unit\*?|ratio|shares?|fractions?|factor|from 0 to 1"
    r"|moments?|variances?|1/variance)(?!\w)"
)
SECTION = re.compile(r'docs/methods\.md, "([^"]+)"')
PAPER = re.compile(r"\b(?:18|19|20)\d\d\b|\bPS3\.\d+")
#: rooms and files that hold equations, and what in them does not
EQUATIONS = {"curves", "integrals", "kinetics", "input_function", "estimators"}
EQUATIONS_OF_EVALUATE = {
    "bland_altman",
    "compare",
    "image_quality",
    "limits_of_agreement",
    "proportional_bias",
    "region_statistics",
    "spatial_correlation",
    "tac",
}
NONE_OF_ESTIMATORS = {
    "applicability",
    "boxes",
    "estimator",
    "learned",
    "light_numpy",
    "scan_check",
    "slab_stream",
    "voxel_stream",
}


def complaints(source: str) -> Iterator[str]:
    for one in public(ast.parse(source).body):
        node = one.node
        if isinstance(node, ast.ClassDef) or one.override_of:
            continue
        told = one.docstring + "\n" + (ast.get_docstring(one.owner) or "" if one.owner else "")
        where, told = f"{node.lineno}: {one.name}", " ".join(told.split())
        for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            kind = ast.unparse(argument.annotation) if argument.annotation else ""
            if not (ARRAY.search(kind) or NUMBER.fullmatch(kind)):
                continue
            if not re.search(rf"(?<!\w){argument.arg}(?!\w)", told, re.IGNORECASE):
                yield f"{where} does not name {argument.arg}"
            elif FLOATS.search(kind) and not UNIT_IN_NAME.search(argument.arg) and not UNIT.search(told):
                yield f"{where} does not say the unit of {argument.arg}"


def of_equations() -> list[Path]:
    return [
        file
        for file in module_files()
        if file.stem != "__init__"
        and (
            (room_of(file) in EQUATIONS and not (room_of(file) == "estimators" and file.stem in NONE_OF_ESTIMATORS))
            or (room_of(file) == "evaluate" and file.stem in EQUATIONS_OF_EVALUATE)
        )
    ]


def docstrings(source: str) -> str:
    """All of a file, each on its own lines."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return "\n".join(one for one in found if one)


def name_of(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("file", module_files(), ids=name_of)
def test_arguments_are_named_with_their_units(file: Path) -> None:
    assert list(complaints(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("file", of_equations(), ids=name_of)
def test_equations_have_a_source(file: Path) -> None:
    said = docstrings(file.read_text(encoding="utf-8"))
    methods = (PACKAGE.parents[1] / "docs" / "methods.md").read_text(encoding="utf-8")
    headings = {line.lstrip("# ").replace("\\", "") for line in methods.splitlines() if line.startswith("#")}
    assert set(SECTION.findall(said)) <= headings
    assert SECTION.search(said) or PAPER.search(said) or "docs/methods.md" in said


BARE = "def f({}) -> float:\n    "


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (BARE.format("t: Float64, c: Float64") + '"""Integral of the curve, (n,)."""', "name t"),
        (BARE.format("decay: float") + '"""The patient\'s weight within a frame."""', "name decay"),
        (BARE.format("sex: str, height: float") + '"""By the patient\'s height."""', "the unit of height"),
        (BARE.format("where: Mask") + '"""The mean inside."""', "name where"),
    ],
)
def test_what_is_missing_would_be_seen(source: str, complaint: str) -> None:
    assert complaint in next(complaints(source))


@pytest.mark.parametrize(
    "source",
    [
        BARE.format("k1: ArrayLike") + '"""K1 in mL/min/mL; broadcast."""',
        BARE.format("t_star_min: float | None") + '"""From t_star_min on."""',
        BARE.format("x: Float64") + '"""The curve at *x*, in the unit of its nodes."""',
        BARE.format("x: Float64") + '"""The mean of *x*, any unit."""',
        BARE.format("where: Mask, count: int, name: str") + '"""The mean where it is true."""',
    ],
)
def test_what_is_said_in_a_sentence_is_enough(source: str) -> None:
    assert list(complaints(source)) == []
