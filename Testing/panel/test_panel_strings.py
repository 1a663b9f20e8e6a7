"""What people read can be translated: every text goes through ``_`` as it stands, and Designer's are plain."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "DynamicPETKinetics"
FILES = [
    MODULE / "DynamicPETKinetics.py",
    *sorted((MODULE / "DynamicPETKineticsLib").rglob("*.py")),
    *sorted((ROOT / "DICOMDynamicPETPlugin").rglob("*.py")),
]
PANEL = sorted((MODULE / "DynamicPETKineticsLib" / "panel").glob("*.py"))
UI = MODULE / "Resources" / "UI" / "DynamicPETKinetics.ui"
#: properties and methods through which a text reaches a person
SHOWN_PROPERTIES = {"text", "toolTip", "placeholderText", "title", "format", "plainText", "windowTitle", "suffix"}
SHOWN_CALLS = {"setText", "setToolTip", "setTitle", "addItem", "drawText", "setHorizontalHeaderLabels"}
SHOWN_FUNCTIONS = {"say": 1, "allow": 1, "ask_folder": 0, "ask_file": 0, "ask_new_file": 0}
#: symbols and formats, the same in every language
UNITS = {"min", "kBq/mL", "mL", "%", "s"}


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Calls of a plain function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_only_plain_texts_are_translated(file: Path) -> None:
    """An f-string or a sum is never found in a table of translations."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for function in ("_", "translate"):
        for call in calls(tree, function):
            text = call.args[-1] if function == "translate" else call.args[0]
            where = f"{file.name}:{call.lineno}"
            if isinstance(text, ast.Name):
                # a constant of this file
                values = [
                    n.value
                    for n in ast.walk(tree)
                    if isinstance(n, ast.Assign)
                    for t in n.targets
                    if isinstance(t, ast.Name) and t.id == text.id
                ]
                assert len(values) == 1, where
                text = values[0]
            assert isinstance(text, ast.Constant) and isinstance(text.value, str), where


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_what_is_filled_in_has_a_name(file: Path) -> None:
    """Translators see ``{frames}``, not ``{}``, and every name that a text has is filled in."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"):
            continue
        translated = node.func.value
        if isinstance(translated, ast.Call) and isinstance(translated.func, ast.Name) and translated.func.id == "_":
            where = f"{file.name}:{node.lineno}"
            assert node.args == [], where
            text = translated.args[0]
            if isinstance(text, ast.Constant):
                import string

                fields = {name for _text, name, _spec, _conv in string.Formatter().parse(text.value) if name}
                assert fields == {keyword.arg for keyword in node.keywords}, where


def _words(node: ast.expr) -> list[str]:
    """Texts of a person's language inside an expression that do not go through ``_``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "translate"):
        return []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join"):
        return [word for part in (node.func.value, *node.args) for word in _words(part)]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value.strip()
        return [text] if any(c.isalpha() for c in text) and text not in UNITS else []
    if isinstance(node, ast.JoinedStr):
        return [word for value in node.values if isinstance(value, ast.Constant) for word in _words(value)]
    if isinstance(node, ast.BinOp | ast.IfExp | ast.BoolOp | ast.List | ast.Tuple):
        return [word for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr) for word in _words(child)]
    return []


@pytest.mark.parametrize("file", [f for f in PANEL if f.stem != "self_test"], ids=lambda path: path.stem)
def test_everything_the_panel_shows_goes_through_the_translation(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    bare: list[str] = []
    for node in ast.walk(tree):
        shown: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = [t.attr for t in node.targets if isinstance(t, ast.Attribute)]
            shown = [node.value] if SHOWN_PROPERTIES & set(targets) else []
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in SHOWN_CALLS:
                shown = [*node.args]
            elif isinstance(node.func, ast.Name) and node.func.id in SHOWN_FUNCTIONS:
                shown = node.args[SHOWN_FUNCTIONS[node.func.id] :]
                if node.func.id == "ask_new_file":
                    shown = node.args[:1]
        for expression in shown:
            # comparisons inside a condition are no texts
            expression = expression if not isinstance(expression, ast.Compare) else ast.Constant(value=0)
            bare += [f"{file.name}:{node.lineno}: {word}" for word in _words(expression)]
    assert bare == []


def test_designers_texts_are_plain_and_marked_where_they_are_not_for_people() -> None:
    tree = ElementTree.parse(UI)
    for element in tree.iter("string"):
        text = element.text or ""
        assert "<" not in text and "%1" not in text and "{" not in text, text
        assert text == text.rstrip(), text
    for node_types in tree.iter("property"):
        if node_types.get("name") == "nodeTypes":
            (listed,) = node_types.findall("stringlist")
            assert listed.get("notr") == "true", "class names are not for translators"


def test_the_line_that_research_is_not_diagnosis_is_there() -> None:
    texts = [element.text for element in ElementTree.parse(UI).iter("string")]
    assert "For research, not for diagnosis." in texts
