"""Slicer's own Python files on the stand-in, where a source tree is at hand."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import slicer

VARIABLE = "SLICER_SOURCE"
_FOLDER = "Base/Python/slicer"
#: in the order of their imports of each other
FILES = ("util", "i18n", "ScriptedLoadableModule", "parameterNodeWrapper")


def source_folder() -> Path | None:
    """Folder of Slicer's Python package in the tree that ``SLICER_SOURCE`` names, None without the variable.

    Raises:
        FileNotFoundError: the variable names something else.
    """
    tree = os.environ.get(VARIABLE)
    if not tree:
        return None
    folder = Path(tree) / _FOLDER
    if not (folder / "ScriptedLoadableModule.py").exists():
        raise FileNotFoundError(f"{VARIABLE}={tree}: there is no {_FOLDER}/ScriptedLoadableModule.py")
    return folder


def _import(folder: Path, name: str) -> None:
    """Import a file or a package as ``slicer.<name>``, in place of what is there."""
    package = folder / name / "__init__.py"
    path = package if package.exists() else folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"slicer.{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    setattr(slicer, name, module)


def use_slicer_source() -> bool:
    """Import Slicer's files; False when there is no tree."""
    folder = source_folder()
    if folder is None:
        return False
    slicer.__path__.append(str(folder))
    for name in FILES:
        _import(folder, name)
    return True


def description() -> str:
    """For the head of a test report: whose files run."""
    if source_folder() is None:
        return f"Slicer's Python files: stand-ins ({VARIABLE} names no source tree, so Slicer's own are not tested)"
    return f"Slicer's Python files: Slicer's own ({VARIABLE})"
