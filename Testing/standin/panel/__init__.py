"""The Qt side of the stand-in: ``qt``, ``ctk``, qMRML widgets and ScriptedLoadableModule, on PySide6.

``from standin.panel import start`` and ``start()``, then ``import qt`` as in Slicer.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

_application: Any = None


def _keep_constants() -> None:
    """Before Python 3.12 None, True and False are counted; PySide gives a None away with each call that returns
    nothing, and a True with each emit(True).

    At zero the interpreter aborts, so as many are added as no run of tests gives away.
    """
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            # The count is the first member of an object.
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def start() -> Any:
    """Complete the namespace once per process; the QApplication."""
    global _application
    if _application is None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from standin.application import start as start_scene

        start_scene()
        _keep_constants()
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
