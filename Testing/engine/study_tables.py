"""Scripts of ``Testing/studies`` as modules, and the tables that they write into documents."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

STUDIES = Path(__file__).resolve().parents[1] / "studies"


def study(name: str) -> ModuleType:
    """The script of that name, loaded but not run."""
    spec = importlib.util.spec_from_file_location(name, STUDIES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def shown_table(text: str, name: str) -> str:
    """What stands between the marks of a table in a document."""
    return text.split(f"<!-- table {name} -->\n")[1].split("\n<!-- end -->")[0]


def numbers_and_words(text: str) -> tuple[list[float], str]:
    """The numbers of a text, and the text with # in their places."""
    number = r"[+-]?\d+(?:\.\d+)?"
    return [float(n) for n in re.findall(number, text)], re.sub(number, "#", text)
