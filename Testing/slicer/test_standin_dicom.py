"""The stand-in's DICOM side: what a scripted plugin and its callers see."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from DICOMLib import DICOMLoadable, DICOMPlugin, DICOMUtils

import slicer

SERIES = Path(__file__).parent.parent / "data" / "pet_ge_sts"


class SumPlugin(DICOMPlugin):
    """Claims every series, and loads a volume of one voxel with the number of its files."""

    loadType = "Sum"
    confidence = 1.0

    def examineForImport(self, fileLists: list[Any]) -> list[Any]:
        loadables = []
        for files in fileLists:
            loadable = DICOMLoadable()
            loadable.files, loadable.selected, loadable.confidence = files, True, self.confidence
            loadable.name = self.defaultSeriesNodeName(slicer.dicomDatabase.seriesForFile(files[0]))
            loadables.append(loadable)
        return loadables

    def load(self, loadable: Any) -> Any:
        node = slicer.util.addVolumeFromArray(np.full((1, 1, 1), len(loadable.files), np.int32), None, loadable.name)
        self.addSeriesInSubjectHierarchy(loadable, node)
        return node


class BetterPlugin(SumPlugin):
    """Surer of the same series."""

    confidence = 1.05


@pytest.fixture
def database() -> Iterator[Any]:
    with DICOMUtils.TemporaryDICOMDatabase() as temporary:
        yield temporary


@pytest.fixture
def plugins() -> Iterator[dict[str, Any]]:
    slicer.modules.dicomPlugins.update(SumPlugin=SumPlugin, BetterPlugin=BetterPlugin)
    yield slicer.modules.dicomPlugins
    slicer.modules.dicomPlugins.clear()


def test_a_folder_is_found_by_patient_study_and_series(database: Any) -> None:
    assert DICOMUtils.importDicom(str(SERIES))
    (patient,) = database.patients()
    (study,) = database.studiesForPatient(patient)
    series = database.seriesForStudy(study)
    assert list(series) == DICOMUtils.allSeriesUIDsInDatabase()
    files = database.filesForSeries(series[0])
    assert len(database.filesForSeries(series[0], 1)) == 1
    assert database.fileValue(files[0], "0008,0060") == "PT"
    assert len(database.fileValue(files[0], "0020,0032").split("\\")) == 3
    assert database.fileValue(files[0], "0054,0016") == ""  # a sequence has no text
    assert database.instanceValue(database.instanceForFile(files[0]), "0020,000e") == series[0]
    with pytest.raises(TypeError):
        database.fileValue(Path(files[0]), "0008,0060")


def test_copied_files_outlive_their_folder(database: Any, tmp_path: Path) -> None:
    for copy in (False, True):
        folder = tmp_path / "series"
        shutil.copytree(SERIES, folder)
        assert DICOMUtils.importDicom(str(folder), database, copyFiles=copy)
        shutil.rmtree(folder)
        assert {Path(file).exists() for file in database.allFiles()} == {copy}
        database.initializeDatabase()


def test_the_surest_plugin_loads_the_series(database: Any, plugins: dict[str, Any]) -> None:
    assert len(plugins) == 2
    DICOMUtils.importDicom(str(SERIES))
    series = DICOMUtils.allSeriesUIDsInDatabase()
    nodes = [slicer.mrmlScene.GetNodeByID(name) for name in DICOMUtils.loadSeriesByUID(series)]
    volumes = [node for node in nodes if node.IsA("vtkMRMLVolumeNode")]
    assert len(volumes) == len(series)
    assert slicer.util.arrayFromVolume(volumes[0]).item() == len(database.filesForSeries(series[0]))
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(volumes[0])
    assert hierarchy.GetItemUID(item, "DICOM") == series[0]
    study = hierarchy.GetItemParent(item)
    assert hierarchy.GetItemLevel(study) == "Study"
    assert hierarchy.GetItemLevel(hierarchy.GetItemParent(study)) == "Patient"


def test_exportables_take_no_attributes_of_their_own() -> None:
    exportable = slicer.qSlicerDICOMExportable()
    exportable.setTag("Modality", "PT")
    assert (exportable.tag("Modality"), exportable.tag("Units")) == ("PT", "")
    with pytest.raises(AttributeError):
        exportable.units = "Bq/mL"
    with pytest.raises(TypeError):
        exportable.setTag("SeriesNumber", 3)
