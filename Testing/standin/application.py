"""``start()``: the ``slicer`` namespace of slicer-core, completed to what a module finds in Slicer."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from standin.signals import PlainSignal
from standin.vtk_errors import vtk_errors

_started: Any = None


class Settings:
    """QSettings in memory, for this process."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def value(self, key: str, default: Any = None) -> Any:
        """The stored value, else `default`."""
        return self._values.get(key, default)

    def setValue(self, key: str, value: Any) -> None:
        """Store."""
        self._values[key] = value

    def contains(self, key: str) -> bool:
        """Is there a value?"""
        return key in self._values

    def remove(self, key: str) -> None:
        """Forget the value."""
        self._values.pop(key, None)

    def sync(self) -> None:
        """Nothing is on disk."""


class Application:
    """``slicer.app`` in testing mode, without a main window."""

    applicationName = "Slicer"
    applicationVersion = "5.13.0"
    majorVersion, minorVersion = 5, 13
    launcherExecutableFilePath = ""
    revision = "standin"

    def __init__(self) -> None:
        from standin.io_manager import CoreIOManager
        from standin.layout import LayoutManager
        from standin.modules import LoadableModule, ModuleManager, SequencesModule, register
        from standin.scene import Scene

        self._folder = tempfile.TemporaryDirectory(prefix="slicer-standin-")
        self.slicerHome = str(Path(self._folder.name) / "home")
        self.temporaryPath = str(Path(self._folder.name) / "temporary")
        for folder in (self.slicerHome, self.temporaryPath):
            Path(folder).mkdir()
        self.aboutToQuit = PlainSignal()
        self.startupCompleted = PlainSignal()
        self._settings = Settings()
        self._scene = Scene(self.slicerHome, self.temporaryPath)
        self._layout_manager = LayoutManager(self._scene)
        self._io_manager = CoreIOManager(self._scene)
        self._module_manager = ModuleManager(sys.modules["slicer.modules"], sys.modules["slicer.moduleNames"])
        for name, logic in self._scene.logics.items():
            kind = SequencesModule if name == "Sequences" else LoadableModule
            register(self._module_manager, kind(name, logic))

    def mrmlScene(self) -> Any:
        """The one scene."""
        return self._scene.scene

    def applicationLogic(self) -> Any:
        """vtkSlicerApplicationLogic."""
        return self._scene.application_logic

    def moduleLogic(self, name: str) -> Any:
        """Logic of a module by its name."""
        return self._scene.application_logic.GetModuleLogic(name)

    def coreIOManager(self) -> Any:
        """Reads and writes files."""
        return self._io_manager

    ioManager = coreIOManager

    def layoutManager(self) -> Any:
        """Slice views without widgets."""
        return self._layout_manager

    def moduleManager(self) -> Any:
        """Which modules there are."""
        return self._module_manager

    def settings(self) -> Settings:
        """Settings of this process."""
        return self._settings

    userSettings = settings
    revisionUserSettings = settings

    def connect(self, signal: str, slot: Any) -> bool:
        """A signal by its C++ signature, as module files do for startupCompleted()."""
        {"aboutToQuit()": self.aboutToQuit, "startupCompleted()": self.startupCompleted}[signal].connect(slot)
        return True

    def disconnect(self, signal: str, slot: Any) -> bool:
        """Undo `connect`."""
        {"aboutToQuit()": self.aboutToQuit, "startupCompleted()": self.startupCompleted}[signal].disconnect(slot)
        return True

    def testingEnabled(self) -> bool:
        """Message boxes and installations do not happen."""
        return True

    def translate(self, _context: str, text: str) -> str:
        """English."""
        return text

    def topLevelWidgets(self) -> list[Any]:
        """No main window."""
        return []

    def pauseRender(self) -> None:
        """Views wait until resumeRender."""
        self.applicationLogic().PauseRender()

    def resumeRender(self) -> None:
        """Undo pauseRender."""
        self.applicationLogic().ResumeRender()

    def setOverrideCursor(self, cursor: Any) -> None:
        """Shown where a test has started Qt."""
        if "PySide6.QtWidgets" in sys.modules:
            sys.modules["PySide6.QtWidgets"].QApplication.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        """Undo setOverrideCursor."""
        if "PySide6.QtWidgets" in sys.modules:
            sys.modules["PySide6.QtWidgets"].QApplication.restoreOverrideCursor()

    def processEvents(self) -> None:
        """Qt's events where a test has started Qt."""
        core = sys.modules.get("PySide6.QtCore")
        if core is not None and core.QCoreApplication.instance() is not None:
            core.QCoreApplication.processEvents()


def _import_slicer() -> ModuleType:
    """slicer-core's ``slicer``, without taking a folder of tests named slicer for a part of it.

    Raises:
        RuntimeError: such a folder already got in.
    """
    kept = list(sys.path)
    try:
        sys.path[:] = [entry for entry in kept if not (Path(entry or ".") / "slicer" / "conftest.py").exists()]
        module = importlib.import_module("slicer")
    finally:
        sys.path[:] = kept
    if any((Path(folder) / "conftest.py").exists() for folder in module.__path__):
        raise RuntimeError("slicer was imported before standin.application.start(), with test files as its parts")
    return module


def _namespace(slicer: ModuleType) -> None:
    """Take away what only the wheel has, add the modules that only Slicer has."""
    util = vars(slicer.util)
    for name in [name for name in vars(slicer) if name in util and not name.startswith(("_", "vtk"))]:
        delattr(slicer, name)
    slicer.util = sys.modules["slicer.util"]
    for name in ("modules", "moduleNames"):
        module = ModuleType(f"slicer.{name}")
        sys.modules[module.__name__] = module
        setattr(slicer, name, module)
    for name in ("i18n", "packaging"):
        module = importlib.import_module(f"standin.{name}")
        sys.modules[f"slicer.{name}"] = module
        setattr(slicer, name, module)


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on the terminal meanwhile; `_report_errors` raises what matters."""
    import vtk

    shown = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtk.vtkLogger.SetStderrVerbosity(shown)


def _report_errors() -> None:
    """Raise RuntimeError for what went wrong in C++ meanwhile, but for the files that only Slicer has."""
    errors = vtk_errors()
    errors.forget("erminolog")  # terminology and region contexts are data files of Slicer
    errors.forget("egionContext")
    messages = errors.take()
    if messages:
        raise RuntimeError("the scene could not be built: " + "; ".join(messages))


def start() -> Application:
    """Complete the namespace once per process; later calls return the same application."""
    global _started
    if _started is None:
        slicer = _import_slicer()
        vtk_errors()
        _namespace(slicer)
        with _quiet():
            _started = Application()
        slicer.app = _started
        importlib.import_module("standin.dicom.namespace").add_dicom()
        _report_errors()
    return _started
