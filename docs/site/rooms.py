"""The rooms of the engine as its source shows them: modules, first sentences, imports.

The order and the reading of imports are those of the test that holds them, ``Testing/engine/test_layout.py``.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing" / "engine"))
from layout import ORDER, PACKAGE, imported, module_files, room_of  # noqa: E402

#: the single files at one place of the order are one room, named after the one that says what runs
JOB = "job"


@dataclass(frozen=True)
class Room:
    """One place of the order: a folder of the engine, or single files.

    :param name: of the folder or file.
    :param says: first sentence of its docstring.
    :param modules: full names, in order of the alphabet.
    :param lines: of code, comments and docstrings.
    :param uses: names of the rooms that it imports from.
    """

    name: str
    says: str
    modules: tuple[str, ...]
    lines: int
    uses: frozenset[str]


@cache
def all_rooms() -> tuple[Room, ...]:
    """Every room that has a file, in the order of the house."""
    files: dict[str, list[Path]] = {}
    for file in module_files():
        if file.name != "__main__.py":
            files.setdefault(_name(room_of(file)), []).append(file)
    names = [min(rooms) if JOB not in rooms else JOB for rooms in ORDER]
    return tuple(_room(name, files[name]) for name in names if name in files)


def _name(first: str) -> str:
    """The room of a folder or file of the package's top."""
    return next((JOB for rooms in ORDER if JOB in rooms and first in rooms), first)


def _room(name: str, files: list[Path]) -> Room:
    entry = PACKAGE / name / "__init__.py" if (PACKAGE / name).is_dir() else PACKAGE / f"{name}.py"
    text = ast.get_docstring(ast.parse(entry.read_text(encoding="utf-8"))) or ""
    uses = {
        _name(rest.split(".")[0])
        for file in files
        for _, full in imported(file)
        for first, _, rest in [full.partition(".")]
        if first == "petkinetics"
    }
    return Room(
        name=name,
        says=" ".join(text.split("\n\n")[0].split()),
        modules=tuple(_module(file) for file in files),
        lines=sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files),
        uses=frozenset(uses - {name}),
    )


def _module(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
