"""Services on Qt, for Slicer and for the stand-in."""

from __future__ import annotations

from pathlib import Path

import slicer
from DynamicPETKineticsLib.panel.qt_process import QtProcess
from DynamicPETKineticsLib.panel.qt_ticker import QtTicker
from DynamicPETKineticsLib.process.temp_folders import TempFolders
from DynamicPETKineticsLib.runs.services import Services


def qt_services() -> Services:
    """New services of this session; what a session that crashed left in the temporary folder is removed."""
    temp_folders = TempFolders(lambda: Path(slicer.app.temporaryPath))
    temp_folders.remove_stale()
    return Services(QtTicker, QtProcess, temp_folders)
