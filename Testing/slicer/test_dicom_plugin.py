"""The DICOM plugin: what it claims and what it leaves alone, what it loads, and the maps it writes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pydicom
import pytest
from scene_cases import FDG, GRID, small_series, voxels_of

import slicer
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer
from petkinetics.simulate.dicom_series import write_dicom_series

ROOT = Path(__file__).parents[2]
FRAMES = FrameTiming.parse("4x15,4x60,2x300,3x1000")


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The plugin, registered as Slicer registers it; an empty database."""
    if "slicer.ScriptedLoadableModule" not in sys.modules:
        module = ModuleType("slicer.ScriptedLoadableModule")

        class ScriptedLoadableModule:
            """What a module class inherits."""

            def __init__(self, parent: Any) -> None:
                self.parent = parent

        module.ScriptedLoadableModule = ScriptedLoadableModule  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.syspath_prepend(str(ROOT / "DICOMDynamicPETPlugin"))
    monkeypatch.delitem(sys.modules, "DICOMDynamicPETPlugin", raising=False)
    module = importlib.import_module("DICOMDynamicPETPlugin")

    class Parent:
        """qSlicerScriptedLoadableModule."""

    parent = Parent()
    module.DICOMDynamicPETPlugin(parent)
    assert parent.hidden  # type: ignore[attr-defined]
    slicer.dicomDatabase.initializeDatabase()
    yield slicer.modules.dicomPlugins.pop("DICOMDynamicPETPlugin")()
    slicer.dicomDatabase.initializeDatabase()


def series(timing: FrameTiming = FRAMES, **more: Any) -> DynamicSeries:
    # An activity that a scan could have: no rise is judged here.
    values = 5.0 + voxels_of(timing, GRID.shape) / 100
    return small_series(timing, voxels=ArrayVoxels(values.astype(np.float32)), height_m=None, sex="", **more)


def imported(folder: Path) -> list[tuple[str, ...]]:
    """The files of every series in a folder, by way of the database."""
    from DICOMLib import DICOMUtils

    DICOMUtils.importDicom(str(folder))
    return [slicer.dicomDatabase.filesForSeries(uid) for uid in DICOMUtils.allSeriesUIDsInDatabase()]


def test_a_dynamic_series_is_named_and_preferred(plugin: Any, tmp_path: Path) -> None:
    write_dicom_series(tmp_path, series())
    (loadable,) = plugin.examineForImport(imported(tmp_path))
    assert loadable.name == "FDG dynamic, 13 frames, 0–65 min"
    assert (loadable.confidence, loadable.selected) == (1.05, True)
    assert len(loadable.files) == 13 * 3
    assert plugin.examine(imported(tmp_path)) == []


@pytest.mark.parametrize("vendor", ["ge", "siemens", "philips"])
def test_what_is_loaded_has_times_units_and_place(plugin: Any, tmp_path: Path, vendor: Any) -> None:
    from DICOMLib import DICOMUtils

    from petkinetics.read.series import read_series

    write_dicom_series(tmp_path, series(), vendor=vendor)
    slicer.modules.dicomPlugins["DICOMDynamicPETPlugin"] = type(plugin)
    imported(tmp_path)
    DICOMUtils.loadSeriesByUID(DICOMUtils.allSeriesUIDsInDatabase(), enabledPluginClassNames=["DICOMDynamicPETPlugin"])
    (node,) = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
    sequence, expected = DynamicSequence(node), read_series(tmp_path)
    found = sequence.series()
    np.testing.assert_allclose(found.timing.start_s, FRAMES.start_s, atol=1e-3)
    np.testing.assert_array_equal(found.timing.start_s, expected.timing.start_s)
    np.testing.assert_array_equal(found.timing.duration_s, expected.timing.duration_s)
    np.testing.assert_array_equal(found.read(range(13)), expected.read(range(13)))
    assert found.geometry.difference(expected.geometry, 1e-6) is None
    assert found.origin.series_uids == expected.origin.series_uids
    assert sequence.warnings == expected.warnings
    assert sequence.missing == ()
    assert node.GetName() == "FDG dynamic"
    assert node.GetAttribute("DynamicPET.FrameOfReferenceUID")
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    items = [hierarchy.GetItemByDataNode(n) for n in (node, sequence.proxy, sequence.browser)]
    parents = {hierarchy.GetItemParent(item) for item in items}
    assert len(parents) == 1
    assert hierarchy.GetItemLevel(parents.pop()) == slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy()


def test_enhanced_pet_is_recognised(plugin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "Testing" / "engine"))
    from enhanced_pet import write_enhanced

    write_enhanced(tmp_path, series())
    (loadable,) = plugin.examineForImport(imported(tmp_path))
    assert loadable.name == "FDG dynamic, 13 frames, 0–65 min"
    node = plugin.load(loadable)
    assert node.GetNumberOfDataNodes() == 13


def _static(ds: Any, frame: int, *_: Any) -> Any:
    return ds if frame == 0 else None


def _other_modality(ds: Any, *_: Any) -> Any:
    ds.Modality = "CT"
    return ds


@pytest.mark.parametrize("modify", [_static, _other_modality])
def test_other_series_are_turned_away_before_a_file_is_opened(
    plugin: Any, tmp_path: Path, modify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dicom_series(tmp_path, series(), modify=modify)
    files = imported(tmp_path)
    monkeypatch.setattr(plugin, "_read", lambda _: pytest.fail("a file was opened"))
    for name in [name for name in sys.modules if name.startswith("petkinetics.read.dicom")]:
        monkeypatch.delitem(sys.modules, name)
    assert plugin.examineForImport(files) == []
    assert not any(name.startswith("petkinetics.read.dicom") for name in sys.modules)


def test_every_series_has_its_loadable(plugin: Any, tmp_path: Path) -> None:
    write_dicom_series(tmp_path / "a", series(), seed=1)
    flt = replace(series(), tracer=Tracer("FLT", "F-18", FDG.half_life_s))
    write_dicom_series(tmp_path / "b", flt, seed=2)
    files = imported(tmp_path)
    assert len(plugin.examineForImport(files)) == 2
    both = [tuple(file for some in files for file in some)]
    assert sorted(x.name for x in plugin.examineForImport(both)) == sorted(
        x.name for x in plugin.examineForImport(files)
    )


def test_a_series_that_cannot_be_used_says_why_and_is_not_chosen(plugin: Any, tmp_path: Path) -> None:
    def without_duration(ds: Any, *_: Any) -> Any:
        del ds.ActualFrameDuration
        return ds

    write_dicom_series(tmp_path, series(), modify=without_duration)
    (loadable,) = plugin.examineForImport(imported(tmp_path))
    assert loadable.confidence < 0.5 and not loadable.selected
    assert "duration" in loadable.warning.lower()


def test_the_reader_s_assumptions_are_warnings_of_the_loadable(plugin: Any, tmp_path: Path) -> None:
    def no_weight(ds: Any, *_: Any) -> Any:
        del ds.PatientWeight
        return ds

    write_dicom_series(tmp_path, series(), modify=no_weight)
    (loadable,) = plugin.examineForImport(imported(tmp_path))
    assert loadable.selected
    sequence = DynamicSequence(plugin.load(loadable))
    assert loadable.warning == "\n".join(sequence.warnings)
    assert [asked.key for asked in sequence.wanting] == ["weight_kg"]


# ------------------------------------------------------------------------------------------- export


def _map_of(series_uids: list[str], result: str = "r1", name: str = "ki") -> Any:
    """A Ki map as a result in the scene has it."""
    import json

    from DynamicPETKineticsLib.results import result_nodes as nodes
    from DynamicPETKineticsLib.scene.volume_geometry import empty_image, ijk_to_ras

    image, voxels = empty_image(GRID)
    voxels[:] = np.linspace(-0.01, 0.05, voxels.size, dtype=np.float32).reshape(voxels.shape)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Ki")
    volume.SetIJKToRASMatrix(ijk_to_ras(GRID))
    volume.SetAndObserveImageData(image)
    record = {
        "job": "estimate",
        "method": "patlak",
        "maps": {name: {"symbol": "Ki"}},
        "input_function": {"kind": "whole blood"},
        "frames_used": [{"index": i} for i in range(8, 13)],
        "t_star_min": 9.0,
        "input_uids": series_uids,
    }
    text = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "result.json")
    text.SetText(json.dumps(record))
    for node in (text, volume):
        node.SetAttribute(nodes.RESULT, result)
    text.SetAttribute(nodes.FILE, "result.json")
    volume.SetAttribute(nodes.MAP, name)
    text.AddNodeReferenceID(nodes.MAP_ROLE, volume.GetID())
    return volume


def _exportables(plugin: Any, volume: Any, folder: Path) -> list[Any]:
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    found = plugin.examineForExport(hierarchy.GetItemByDataNode(volume))
    for exportable in found:
        exportable.directory = str(folder)
    return list(found)


def test_a_map_goes_to_dicom_as_flat_files_of_its_patient(plugin: Any, tmp_path: Path) -> None:
    write_dicom_series(tmp_path / "pet", series())
    (files,) = imported(tmp_path / "pet")
    source = pydicom.dcmread(files[0])
    out = tmp_path / "out"
    out.mkdir()
    first, second = _map_of([source.SeriesInstanceUID]), _map_of([source.SeriesInstanceUID], "r2")
    exportables = [*_exportables(plugin, first, out), *_exportables(plugin, second, out)]
    assert [e.confidence for e in exportables] == [1.0, 1.0]
    assert exportables[0].pluginClass == "DICOMDynamicPETPlugin"
    assert plugin.export(exportables) == ""
    written = sorted(out.iterdir())
    assert [path.name for path in written] == ["ki.dcm", "ki_2.dcm"]
    ds = pydicom.dcmread(written[0])
    assert ds.PatientID == source.PatientID and ds.StudyInstanceUID == source.StudyInstanceUID
    found = np.frombuffer(ds.FloatPixelData, "<f4")
    assert np.sort(found).tolist() == np.sort(slicer.util.arrayFromVolume(first).ravel()).tolist()
    assert {pydicom.dcmread(path).SeriesNumber for path in written} == {9001, 9002}


def test_without_its_source_a_map_says_so(plugin: Any, tmp_path: Path) -> None:
    (exportable,) = _exportables(plugin, _map_of(["1.2.3"]), tmp_path)
    said = plugin.export([exportable])
    assert "not in Slicer's database" in said and "step 4 of the panel" in said
    assert list(tmp_path.iterdir()) == []


def test_a_map_whose_source_has_lost_files_says_how_many(plugin: Any, tmp_path: Path) -> None:
    write_dicom_series(tmp_path / "pet", series())
    (files,) = imported(tmp_path / "pet")
    out = tmp_path / "out"
    out.mkdir()
    (exportable,) = _exportables(plugin, _map_of([pydicom.dcmread(files[0]).SeriesInstanceUID]), out)
    for file in files[:3]:
        Path(file).unlink()
    assert f"3 of the {len(files)} DICOM files of the series are no longer at" in plugin.export([exportable])
    assert list(out.iterdir()) == []


def test_a_map_that_cannot_be_written_is_no_success(plugin: Any, tmp_path: Path) -> None:
    """The dialog takes an exception for success: nothing may be raised."""
    write_dicom_series(tmp_path / "pet", series())
    (files,) = imported(tmp_path / "pet")
    volume = _map_of([pydicom.dcmread(files[0]).SeriesInstanceUID])
    (exportable,) = _exportables(plugin, volume, tmp_path / "not there")
    assert "could not be written (No such file or directory)" in plugin.export([exportable])
    volume.SetAttribute("DynamicPET.Map", "of a newer version")
    assert plugin.export([exportable]) != ""


def test_only_our_maps_are_offered_for_export(plugin: Any) -> None:
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MR")
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    assert plugin.examineForExport(hierarchy.GetItemByDataNode(volume)) == []
    assert plugin.examineForExport(hierarchy.GetSceneItemID()) == []


def test_what_a_failed_load_tells_slicer_s_log_names_no_folder(tmp_path, monkeypatch):
    """Slicer logs the exceptions of plugins, and folders may be named after patients."""
    import traceback

    from DICOMDynamicPETPlugin import DICOMDynamicPETPluginClass

    from petkinetics.errors import InputError

    plugin = DICOMDynamicPETPluginClass()
    monkeypatch.setattr(
        plugin, "_read", lambda _files: (_ for _ in ()).throw(InputError(f"'{tmp_path}/Doe/a.dcm' is cut off."))
    )
    loadable = slicer.qSlicerDICOMLoadable()
    try:
        plugin.load(loadable)
    except InputError:
        logged = traceback.format_exc()
    assert "Doe" not in logged and "is cut off" in logged
