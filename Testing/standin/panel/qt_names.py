"""The module ``qt``: PySide6's names in one place, with what differs in PythonQt put in their stead."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from PySide6 import QtWidgets

from standin.panel import pythonqt
from standin.panel.ui_loader import QUiLoader


class QSettings:
    """Settings in memory: those of ``slicer.app``."""

    def __init__(self, *_where: Any) -> None:
        import slicer

        self._settings = slicer.app.userSettings()

    def value(self, key: str, default: Any = None) -> Any:
        """The stored value, else `default`."""
        return self._settings.value(key, default)

    def setValue(self, key: str, value: Any) -> None:
        """Store."""
        self._settings.setValue(key, value)

    def contains(self, key: str) -> bool:
        """Is there a value?"""
        return bool(self._settings.contains(key))

    def remove(self, key: str) -> None:
        """Forget."""
        self._settings.remove(key)

    def sync(self) -> None:
        """Nothing is on disk."""


def _ask(name: str) -> Any:
    def would_wait(*_args: Any, **_named: Any) -> str:
        raise RuntimeError(f"QFileDialog.{name} would wait for a user: put a function in its place")

    return staticmethod(would_wait)


class QFileDialog(QtWidgets.QFileDialog):
    """A test answers: ``monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *args: path)``.

    PythonQt's answers are strings, not pairs of name and filter.
    """

    getExistingDirectory = _ask("getExistingDirectory")
    getOpenFileName = _ask("getOpenFileName")
    getOpenFileNames = _ask("getOpenFileNames")
    getSaveFileName = _ask("getSaveFileName")


def _question(name: str) -> Any:
    def would_wait(*_args: Any, **_named: Any) -> Any:
        raise RuntimeError(f"QMessageBox.{name} would wait for a user: put a function in its place")

    return staticmethod(would_wait)


class QMessageBox(QtWidgets.QMessageBox):
    """Raises instead of waiting."""

    question = _question("question")
    information = _question("information")
    warning = _question("warning")
    critical = _question("critical")


def make() -> ModuleType:
    """The module; PySide6's classes follow PythonQt's rules from now on."""
    pythonqt.install()
    module = ModuleType("qt", __doc__)
    for name, kind in pythonqt.classes():
        setattr(module, name, kind)
    for replaced in (QSettings, QFileDialog, QMessageBox, QUiLoader):
        setattr(module, replaced.__name__, replaced)
    return module
