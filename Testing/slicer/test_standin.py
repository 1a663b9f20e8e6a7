"""The stand-in does on real MRML what the module's code expects of Slicer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vtk

import slicer
from standin.vtk_errors import VtkErrors

IJK_TO_RAS = np.array([[-4.0, 0, 0, 40], [0, -4, 0, 30], [0, 0, 5, -20], [0, 0, 0, 1]])


def _volume(name: str = "PET", value: float = 1.0) -> Any:
    voxels = np.zeros((6, 7, 8), np.float32)
    voxels[2:4, 3:5, 2:6] = value
    return slicer.util.addVolumeFromArray(voxels, IJK_TO_RAS, name)


def _sequence(frames: int = 3) -> Any:
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "FDG dynamic")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    sequence.SetAttribute("DynamicPET.Tracer", "FDG")
    for frame in range(frames):
        volume = _volume(f"frame {frame}", frame + 0.5)
        volume.SetAttribute("DynamicPET.FrameDuration_s", "30.0")
        sequence.SetDataNodeAtValue(volume, str(frame * 30.0 - 15.0))
        slicer.mrmlScene.RemoveNode(volume)
    return sequence


def _segmentation(volume: Any) -> tuple[Any, str]:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Regions")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = node.GetSegmentation().AddEmptySegment("lesion", "lesion")
    mask = (slicer.util.arrayFromVolume(volume) > 0).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment, volume)
    return node, segment


def test_what_only_the_wheel_puts_into_the_namespace_is_gone() -> None:
    for name in ("loadVolume", "arrayFromVolume", "conftest", "test_standin"):
        assert not hasattr(slicer, name)
    with pytest.raises(AttributeError):
        _ = slicer.modules.petimporter
    with pytest.raises(AttributeError):
        _ = slicer.app.fetchData


def test_volume_and_its_voxels_survive_nrrd_and_nifti(tmp_path: Path) -> None:
    volume = _volume(value=3.25)
    for ending in ("nrrd", "nii.gz"):
        assert slicer.util.saveNode(volume, str(tmp_path / f"map.{ending}"), {})
        read = slicer.util.loadVolume(str(tmp_path / f"map.{ending}"), {"show": False})
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(read), slicer.util.arrayFromVolume(volume))
        matrix = vtk.vtkMatrix4x4()
        read.GetIJKToRASMatrix(matrix)
        np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(matrix), IJK_TO_RAS, atol=1e-4)


def test_sequence_file_keeps_index_and_attributes(tmp_path: Path) -> None:
    sequence = _sequence()
    assert slicer.util.saveNode(sequence, str(tmp_path / "fdg.seq.nrrd"), {})
    slicer.mrmlScene.Clear(0)
    read = slicer.util.loadSequence(str(tmp_path / "fdg.seq.nrrd"), {"show": True})
    assert (read.GetIndexName(), read.GetIndexUnit(), read.GetNumberOfDataNodes()) == ("time", "s", 3)
    assert float(read.GetNthIndexValue(0)) == -15.0
    assert read.GetAttribute("DynamicPET.Tracer") == "FDG"
    assert read.GetNthDataNode(1).GetAttribute("DynamicPET.FrameDuration_s") == "30.0"
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(read)
    proxy = browser.GetProxyNode(read)
    browser.SetSelectedItemNumber(2)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    assert slicer.util.arrayFromVolume(proxy).max() == 2.5
    assert slicer.modules.sequences.showSequenceBrowser(browser)
    with pytest.raises(TypeError):
        slicer.modules.sequences.showSequenceBrowser(read)


def test_segment_becomes_the_same_mask_again(tmp_path: Path) -> None:
    volume = _volume()
    node, segment = _segmentation(volume)
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume)
    np.testing.assert_array_equal(mask, slicer.util.arrayFromVolume(volume))
    assert slicer.util.saveNode(node, str(tmp_path / "regions.seg.nrrd"), {})
    read = slicer.util.loadSegmentation(str(tmp_path / "regions.seg.nrrd"), {})
    again = slicer.util.arrayFromSegmentBinaryLabelmap(read, segment, volume)
    np.testing.assert_array_equal(again, mask)


def test_tables_and_texts_come_back_from_their_files(tmp_path: Path) -> None:
    table = slicer.util.updateTableFromArray(None, [np.array([1.0, 2.0]), np.array([0.5, 0.25])], ["t", "ki"])
    text = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "result.json")
    text.SetText('{"method": "Patlak"}')
    assert not slicer.util.saveNode(text, str(tmp_path / "text.txt"), {})  # a short text needs no file
    text.SetForceCreateStorageNode(text.CreateStorageNodeAlways)
    assert slicer.util.saveNode(table, str(tmp_path / "table.tsv"), {})
    assert slicer.util.saveNode(text, str(tmp_path / "text.txt"), {})
    read = slicer.util.loadTable(str(tmp_path / "table.tsv"))
    assert [float(value) for value in slicer.util.arrayFromTableColumn(read, "ki")] == [0.5, 0.25]
    assert slicer.util.loadText(str(tmp_path / "text.txt")).GetText() == text.GetText()


def test_a_bundle_brings_the_whole_scene_back(tmp_path: Path) -> None:
    sequence = _sequence()
    volume = _volume("Ki")
    _segmentation(volume)
    text = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "result.json")
    text.SetText("{}")
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Patlak")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), folder)
    name = sequence.GetName()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"), {})
    slicer.mrmlScene.Clear(0)
    assert slicer.util.getNodes("Ki") == {}
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {})
    assert slicer.util.getNode(name).GetNumberOfDataNodes() == 3
    assert slicer.util.getNode("result.json").GetText() == "{}"
    read = slicer.util.getNode("Ki")
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(slicer.util.getNode("Regions"), "lesion", read)
    np.testing.assert_array_equal(mask, slicer.util.arrayFromVolume(read))
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    assert hierarchy.GetItemName(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(read))) == "Patlak"


def test_items_come_and_go_with_their_nodes() -> None:
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    volume = _volume()
    item = hierarchy.GetItemByDataNode(volume)
    assert item != 0
    assert hierarchy.GetItemOwnerPluginName(item) == "Volumes"
    assert hierarchy.GetNumberOfItems() == 1
    slicer.mrmlScene.RemoveNode(volume)
    assert hierarchy.GetNumberOfItems() == 0


def test_slice_views_follow_the_layers() -> None:
    volume, ki = _volume(), _volume("Ki")
    slicer.util.setSliceViewerLayers(background=volume, foreground=ki, foregroundOpacity=0.5, fit=True)
    slicer.util.resetSliceViews()
    widget = slicer.app.layoutManager().sliceWidget("Red")
    assert widget.mrmlSliceCompositeNode().GetForegroundVolumeID() == ki.GetID()
    assert widget.mrmlSliceNode().GetFieldOfView()[1] >= 28
    assert widget.mrmlSliceNode().GetOrientation() == "Axial"


def test_colours_of_pet_and_of_statistics_are_there() -> None:
    logic = slicer.modules.colors.logic()
    for name in ("Inferno", "DivergingBlueRed"):
        table = slicer.mrmlScene.GetNodeByID(logic.GetFileColorNodeID(f"{name}.txt"))
        assert table.GetNumberOfColors() == 256
    heat = logic.GetPETColorNodeID(slicer.vtkMRMLPETProceduralColorNode.PETheat)
    assert slicer.mrmlScene.GetNodeByID(heat) is not None


def test_plot_makes_a_chart_and_updates_it() -> None:
    nodes: dict[str, Any] = {}
    chart = slicer.util.plot(np.array([[0.0, 1.0], [1.0, 2.0]]), 0, ["t", "C"], "blood", nodes=nodes)
    assert slicer.util.plot(np.array([[0.0, 1.0], [1.0, 3.0]]), 0, ["t", "C"], "blood", nodes=nodes) is chart
    assert chart.GetNumberOfPlotSeriesNodes() == 1


def test_nothing_is_installed() -> None:
    slicer.packaging.pip_ensure("no-such-package>=1", requester="DynamicPETKinetics")
    with pytest.raises(RuntimeError, match="installs nothing"):
        slicer.util.pip_install("no-such-package")


def test_errors_pass_through_the_error_display() -> None:
    with pytest.raises(ValueError, match="bad"), slicer.util.tryWithErrorDisplay("It failed"):
        raise ValueError("bad")


def test_a_vtk_error_is_seen(vtk_errors: VtkErrors) -> None:
    with vtk_errors.expected("vtkMRMLNoSuchNode"):
        assert slicer.mrmlScene.AddNewNodeByClass("vtkMRMLNoSuchNode") is None
    assert vtk_errors.messages == []
