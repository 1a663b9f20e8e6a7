"""What the panel finds in ``slicer`` beyond the scene: widgets, module classes, signals of the module manager."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from PySide6 import QtWidgets

import slicer
from standin.panel.main_window import register_other_modules
from standin.panel.ui_loader import CUSTOM_CLASSES
from standin.signals import PlainSignal

#: modules with stand-ins for C++ widgets; every class of theirs that begins with q goes into ``slicer``
_ROOMS = ("mrml_widget", "node_selector", "segment_widgets", "segment_editor", "mrml_views", "module_host")
#: Python files of Slicer, and what stands in for them
_FILES = {"ScriptedLoadableModule": "scripted_module", "parameterNodeWrapper": "parameter_node"}


def _widgets() -> None:
    for room in _ROOMS:
        for name, kind in vars(importlib.import_module(f"standin.panel.{room}")).items():
            if name.startswith(("qMRML", "qSlicer")):
                setattr(slicer, name, kind)
                if hasattr(kind, "staticMetaObject"):
                    CUSTOM_CLASSES[name] = kind


def _module_manager() -> None:
    """Give the module manager its signal."""
    manager = slicer.app.moduleManager()
    unloaded = PlainSignal()

    def known(signal: str) -> bool:
        return signal == "moduleAboutToBeUnloaded(QString)"

    def connect(signal: str, slot: Any) -> bool:
        if known(signal):
            unloaded.connect(slot)
        return known(signal)

    def disconnect(signal: str, slot: Any) -> bool:
        if known(signal) and slot in unloaded._slots:
            unloaded.disconnect(slot)
            return True
        return False

    manager.connect, manager.disconnect, manager.unloaded = connect, disconnect, unloaded.emit


def _python_files() -> None:
    from standin.panel.slicer_source import use_slicer_source

    if use_slicer_source():
        return
    for name, file in _FILES.items():
        module = importlib.import_module(f"standin.panel.{file}")
        sys.modules[f"slicer.{name}"] = module
        setattr(slicer, name, module)


def complete() -> None:
    """Put everything in its place."""
    _widgets()
    _module_manager()
    slicer.app.topLevelWidgets = QtWidgets.QApplication.topLevelWidgets
    register_other_modules()
    _python_files()
