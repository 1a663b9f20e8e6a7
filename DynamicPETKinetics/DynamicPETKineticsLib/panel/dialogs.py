"""File dialogs, one function each: tests put their own answers in their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt


def _path(answer: Any) -> Path | None:
    """The chosen path; PythonQt answers with a string, other bindings with (string, filter)."""
    text = answer[0] if isinstance(answer, tuple) else answer
    return Path(text) if text else None


def ask_folder(title: str) -> Path | None:
    """A folder that exists; None when the dialog was closed."""
    return _path(qt.QFileDialog.getExistingDirectory(None, title))


def ask_file(title: str, filters: str) -> Path | None:
    """A file that exists."""
    return _path(qt.QFileDialog.getOpenFileName(None, title, "", filters))


def ask_new_file(title: str, name: str, filters: str) -> Path | None:
    """A file to write; the dialog has asked before an existing one is replaced."""
    return _path(qt.QFileDialog.getSaveFileName(None, title, name, filters))
