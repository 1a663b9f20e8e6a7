"""Qt's ticks and processes, and Slicer's folder for temporary files, as the services of runs."""

from __future__ import annotations

from pathlib import Path

import slicer
from DynamicPETKineticsLib.panel.qt_process import QtProcess
from DynamicPETKineticsLib.panel.qt_ticker import QtTicker
from DynamicPETKineticsLib.process.temp_folders import TempFolders
from DynamicPETKineticsLib.runs.services import Services


def temp_folders() -> TempFolders:
    """Folders below the application's temporary folder."""
    return TempFolders(lambda: Path(slicer.app.temporaryPath))


def qt_services() -> Services:
    """New services; what a session that crashed has left in the temporary folder is removed."""
    folders = temp_folders()
    folders.remove_stale()
    return Services(QtTicker, QtProcess, folders)
