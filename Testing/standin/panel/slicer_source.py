"""Slicer's own Python files on the stand-in, where a source tree is at hand."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import slicer

VARIABLE = "SLICER_SOURCE"
_FOLDER = "Base/Python/slicer"
#: these take the place of the stand-in's; util stays the wheel's, which is the same file
_FILES = ("i18n", "ScriptedLoadableModule", "parameterNodeWrapper")


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


def use_slicer_source() -> bool:
    """Import Slicer's files; False when there is no tree."""
    import sys

    folder = source_folder()
    if folder is None:
        return False
    slicer.__path__.append(str(folder))
    for name in _FILES:
        sys.modules.pop(f"slicer.{name}", None)
        setattr(slicer, name, importlib.import_module(f"slicer.{name}"))
    return True
