"""A main window with a module selector, for code that opens other modules; Slicer without a window has none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from PySide6 import QtCore, QtWidgets

import slicer
from standin.modules import register
from standin.panel.mrml_widget import qSlicerWidget
from standin.panel.segment_editor import qMRMLSegmentEditorWidget


class ModuleSelector(QtWidgets.QWidget):
    """Opens one module at a time."""

    moduleSelected = QtCore.Signal(str)
    SIGNALS = ("moduleSelected(QString)",)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._name = ""

    def _panel(self, name: str) -> Any:
        module = slicer.app.moduleManager().module(name)
        if module is None:
            raise RuntimeError(f"there is no module {name}; the stand-in has only what tests register")
        return module.widgetRepresentation()

    def selectModule(self, name: str) -> None:
        """Leave the open module and enter another.

        Raises:
            RuntimeError: no such module.
        """
        new, old = self._panel(name), self._panel(self._name) if self._name else None
        if name == self._name:
            return
        if hasattr(old, "exit"):
            old.exit()
        self._name = name
        if hasattr(new, "enter"):
            new.enter()
        self.moduleSelected.emit(name)

    def _selected(self) -> str:
        return self._name

    selectedModule = QtCore.Property(str, _selected)


class MainWindow(QtWidgets.QMainWindow):
    """Found by ``slicer.util.mainWindow()``."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = ModuleSelector(self)

    def moduleSelector(self) -> ModuleSelector:
        """The module selector."""
        return self._selector


@contextmanager
def main_window() -> Iterator[MainWindow]:
    """A main window, for a while."""
    window = MainWindow()
    try:
        yield window
    finally:
        window.close()
        window.setObjectName("closed")
        window.deleteLater()


class OtherModule:
    """A module of Slicer's that our panel opens: its panel is empty, but for what ``self()`` returns."""

    hidden, path = False, ""

    def __init__(self, name: str, python: Any = None) -> None:
        self.name = self.title = name
        self._python, self._widget = python, None

    def logic(self) -> None:
        """None is needed."""

    def widgetRepresentation(self) -> Any:
        """The panel."""
        if self._widget is None:
            self._widget = _OtherPanel(self._python)
        return self._widget


class _OtherPanel(qSlicerWidget):
    def __init__(self, python: Any) -> None:
        super().__init__()
        self._make, self._python = python, None

    def self(self) -> Any:
        """The module's Python object."""
        if self._python is None and self._make is not None:
            self._python = self._make()
        return self._python


def _segment_editor() -> Any:
    """What ``slicer.modules.segmenteditor.widgetRepresentation().self()`` is asked for."""
    editor = qMRMLSegmentEditorWidget()
    node = slicer.vtkMRMLSegmentEditorNode()
    node.SetSingletonTag("SegmentEditor")
    editor.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNode(node))
    editor.setMRMLScene(slicer.mrmlScene)
    return SimpleNamespace(editor=editor, parameterSetNode=editor.mrmlSegmentEditorNode())


def register_other_modules() -> None:
    """The modules that our panel opens."""
    for module in (OtherModule("DICOM"), OtherModule("SegmentEditor", _segment_editor)):
        register(slicer.app.moduleManager(), module)
