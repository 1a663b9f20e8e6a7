"""The C++ side of a scripted module: what the application makes of its file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtWidgets

import slicer
from standin.modules import register
from standin.panel.mrml_widget import qSlicerWidget


class qSlicerScriptedLoadableModule:
    """The ``parent`` of a module: nothing but these can be set."""

    __slots__ = (
        "acknowledgementText",
        "associatedNodeTypes",
        "categories",
        "contributors",
        "dependencies",
        "extensions",
        "helpText",
        "hidden",
        "icon",
        "index",
        "instance",
        "name",
        "path",
        "title",
        "widget",
        "widgetRepresentationCreationEnabled",
    )

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path, self.title = name, path, name
        self.categories, self.dependencies, self.contributors, self.associatedNodeTypes = [], [], [], []
        self.helpText = self.acknowledgementText = ""
        self.extensions: dict[str, Any] = {}
        self.icon: Any = None
        self.hidden, self.index = False, -1
        self.widgetRepresentationCreationEnabled = True
        self.instance: Any = None
        self.widget: Any = None

    def logic(self) -> None:
        """A scripted module has its logic in its widget."""

    def widgetRepresentation(self) -> Any:
        """The panel, made at the first call; None when the module has no widget class."""
        has_class = hasattr(sys.modules[self.name], f"{self.name}Widget")
        if self.widget is None and has_class and self.widgetRepresentationCreationEnabled:
            self.widget = qSlicerScriptedLoadableModuleWidget()
            self.widget._open(self)
        return self.widget


class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The widget that holds a module's panel."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._module: Any = None
        self._python: Any = None
        self._entered = False
        self.setLayout(QtWidgets.QVBoxLayout())

    def _open(self, module: qSlicerScriptedLoadableModule) -> None:
        self._module = module
        self._build()
        self.setMRMLScene(slicer.mrmlScene)

    def _build(self) -> None:
        kind = getattr(sys.modules[self._module.name], f"{self._module.name}Widget")
        self._python = kind(self)
        setattr(slicer.modules, f"{self._module.name}Widget", self._python)
        self._python.setup()

    def self(self) -> Any:
        """The module's Python object."""
        return self._python

    def reload(self) -> None:
        """Build the panel anew from the class that the module's file has now."""
        self._build()

    def _call(self, name: str) -> None:
        method = getattr(self._python, name, None)
        if method is not None:
            method()

    def enter(self) -> None:
        """The module is opened."""
        self._entered = True
        self._call("enter")

    def exit(self) -> None:
        """Another module is opened."""
        self._entered = False
        self._call("exit")

    def _is_entered(self) -> bool:
        return self._entered

    isEntered = QtCore.Property(bool, _is_entered)

    def _module_name(self) -> str:
        return str(self._module.name)

    moduleName = QtCore.Property(str, _module_name)


def load_module(path: str | Path) -> qSlicerScriptedLoadableModule:
    """Load a module's file as the application does at its start; ``slicer.modules.<name>`` afterwards.

    Raises:
        Exception: whatever the file raises.
    """
    path = Path(path).resolve()
    name = path.stem
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    python = importlib.util.module_from_spec(spec)
    sys.modules[name] = python
    spec.loader.exec_module(python)
    module = qSlicerScriptedLoadableModule(name, str(path))
    module.instance = getattr(python, name)(module)
    setattr(slicer.modules, f"{name}Instance", module.instance)
    register(slicer.app.moduleManager(), module)
    if hasattr(module.instance, "setup"):
        module.instance.setup()
    return module


def unload_module(module: qSlicerScriptedLoadableModule) -> None:
    """What the application does when it quits: clean up the panel and delete it."""
    if module.widget is not None:
        if module.widget._entered:
            module.widget.exit()
        slicer.app.moduleManager().unloaded(module.name)
        module.widget.close()
        module.widget.deleteLater()
        module.widget = None
