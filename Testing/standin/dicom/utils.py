"""``DICOMLib.DICOMUtils``: import a folder, let the registered plugins look at it, load what they prefer."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

import vtk

import slicer
from standin.dicom.database import DicomDatabase, DicomIndexer


def importDicom(dicomDataDir: str, dicomDatabase: Any = None, copyFiles: bool = False) -> bool:
    """Add a folder's files to the database; without `copyFiles` it only remembers where they are."""
    database = slicer.dicomDatabase if dicomDatabase is None else dicomDatabase
    DicomIndexer().addDirectory(database, dicomDataDir, copyFiles)
    return True


def allSeriesUIDsInDatabase(database: Any = None) -> list[str]:
    """All series."""
    database = slicer.dicomDatabase if database is None else database
    studies = [study for patient in database.patients() for study in database.studiesForPatient(patient)]
    return [series for study in studies for series in database.seriesForStudy(study)]


def seriesUIDsForFiles(files: list[str]) -> set[str]:
    """Series of the files that are in the database."""
    return {slicer.dicomDatabase.seriesForFile(file) for file in files} - {""}


def getLoadablesFromFileLists(
    fileLists: list[Any], pluginClassNames: list[str] | None = None, messages: list[str] | None = None
) -> tuple[dict[Any, list[Any]], bool]:
    """Loadables by plugin, and whether there is one at all. A plugin that fails is logged and passed over."""
    loadables: dict[Any, list[Any]] = {}
    for name in pluginClassNames or list(slicer.modules.dicomPlugins):
        plugin = slicer.modules.dicomPlugins[name]()
        try:
            loadables[plugin] = plugin.examineForImport(fileLists) or plugin.examine(fileLists)
        except Exception:
            logging.exception("DICOM plugin %s failed", name)
            if messages is not None:
                messages.append(f"Plugin failed: {name}.")
    return loadables, any(loadables.values())


def selectHighestConfidenceLoadables(loadablesByPlugin: dict[Any, list[Any]]) -> None:
    """Select, per series of the first file, the loadables of the highest confidence, ties together."""
    by_series: dict[str, list[Any]] = {}
    for loadable in [loadable for loadables in loadablesByPlugin.values() for loadable in loadables]:
        series = slicer.dicomDatabase.fileValue(loadable.files[0], "0020,000E")
        by_series.setdefault(series, []).append(loadable)
    for loadables in by_series.values():
        highest = max(loadable.confidence for loadable in loadables)
        for loadable in loadables:
            loadable.selected = loadable.confidence == highest


def loadLoadables(loadablesByPlugin: dict[Any, list[Any]], messages: list[str] | None = None) -> list[str]:
    """Load what is selected; IDs of the nodes that came, without storage and display nodes."""
    loaded: list[str] = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(_caller: Any, _event: str, node: Any) -> None:
        if not node.IsA("vtkMRMLStorageNode") and not node.IsA("vtkMRMLDisplayNode"):
            loaded.append(node.GetID())

    observer = slicer.mrmlScene.AddObserver(slicer.mrmlScene.NodeAddedEvent, added)
    for plugin, loadables in loadablesByPlugin.items():
        for loadable in loadables:
            if not loadable.selected:
                continue
            try:
                node = plugin.load(loadable)
            except Exception:
                node = None
                logging.exception("DICOM plugin failed to load %s as %s", loadable.name, plugin.loadType)
            loadable.loadSuccess = bool(node)
            if not node and messages is not None:
                messages.append(f"Could not load: {loadable.name} as a {plugin.loadType}")
    slicer.mrmlScene.RemoveObserver(observer)
    return loaded


def loadSeriesByUID(
    seriesUIDs: list[str], messages: list[str] | None = None, enabledPluginClassNames: list[str] | None = None
) -> list[str]:
    """Load each series with the plugin that is surest of it; IDs of the nodes."""
    if not isinstance(seriesUIDs, list) or not seriesUIDs:
        raise ValueError("seriesUIDs must be a list that is not empty")
    files = [slicer.dicomDatabase.filesForSeries(series) for series in seriesUIDs]
    loadables, _ = getLoadablesFromFileLists(files, enabledPluginClassNames, messages)
    selectHighestConfidenceLoadables(loadables)
    return loadLoadables(loadables, messages)


def loadPatientByUID(patientUID: str, messages: list[str] | None = None) -> list[str]:
    """Load all series of a patient."""
    if str(patientUID) not in slicer.dicomDatabase.patients():
        raise OSError(f"No patient found with DICOM database UID {patientUID}")
    studies = slicer.dicomDatabase.studiesForPatient(str(patientUID))
    return loadSeriesByUID([uid for study in studies for uid in slicer.dicomDatabase.seriesForStudy(study)], messages)


class TemporaryDICOMDatabase:
    """An empty database for a ``with`` block."""

    def __init__(self, directory: str | None = None) -> None:
        self.temporaryDatabaseDir = directory

    def __enter__(self) -> DicomDatabase:
        self._original = slicer.dicomDatabase
        slicer.dicomDatabase = DicomDatabase()
        return slicer.dicomDatabase

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        slicer.dicomDatabase = self._original
