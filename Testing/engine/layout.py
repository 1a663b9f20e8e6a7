"""The engine's rooms in their order, and what each file of it imports, read from the source.

The test of the order and the documentation's picture of the house both read it here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "DynamicPETKinetics" / "petkinetics"
#: each may import from those above it and from itself
ORDER = (
    {"errors"},
    {"frames"},
    {"integrals"},
    {"series"},
    {"curves"},
    {"maps"},
    {"kinetics"},
    {"read"},
    {"input_function"},
    {"networks"},
    {"estimators"},
    {"evaluate"},
    {"write"},
    {"simulate"},
    {"studies"},
    {"training"},
    {
        "job",
        "job_file",
        "estimate",
        "estimate_options",
        "estimate_record",
        "estimate_regions",
        "propose_aorta",
        "export",
        "report",
        "worker",
    },
    {"commands"},
    {"cli"},
    {"__main__"},
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}


def module_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(file: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports, wherever in the file."""
    package = ["petkinetics", *file.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            for alias in node.names:
                yield (
                    node.lineno,
                    ".".join([*base, *((node.module or "").split(".") if node.module else []), alias.name]),
                )
