"""The Qt side of the stand-in: ``qt``, ``ctk``, qMRML widgets and ScriptedLoadableModule, on PySide6.

``from standin.panel import start`` and ``start()``, then ``import qt`` as in Slicer.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

_application: Any = None


def _keep_booleans() -> None:
    """Before Python 3.12 True and False are counted; PySide gives one away with each emit(True).

    At zero the interpreter aborts, so it is given a million more, which are never taken back.
    """
    if sys.version_info < (3, 12):
        many = (True, False) * 1_000_000
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(many))


def start() -> Any:
    """Complete the namespace once per process; the QApplication."""
    global _application
    if _application is None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from standin.application import start as start_scene

        start_scene()
        _keep_booleans()
        from PySide6 import QtWidgets

        _application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["slicer"])
        _application.setStyle("Fusion")
        from standin.panel import ctk_names, qt_names

        sys.modules["qt"] = qt_names.make()
        sys.modules["ctk"] = ctk_names.make()
        from standin.panel import slicer_names

        slicer_names.complete()
    return _application


def process_events(*arguments: Any, **named: Any) -> None:
    """See `standin.panel.events`."""
    from standin.panel import events

    events.process_events(*arguments, **named)


def grab(*arguments: Any, **named: Any) -> Any:
    """See `standin.panel.picture`."""
    from standin.panel import picture

    return picture.grab(*arguments, **named)
