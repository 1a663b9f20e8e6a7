"""Where not to trust a result: it comes with the maps, hidden, and stays with them until they go."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from region_scenes import affine, linear_transform, rotation
from results_cases import distrusted, loaded, save_modified, sequence_in_scene, study

import slicer
from DynamicPETKineticsLib.at_once import at_once
from DynamicPETKineticsLib.results.load_result import load_result_steps
from DynamicPETKineticsLib.results.report import report_steps
from DynamicPETKineticsLib.results.restore_folder import restore_steps
from DynamicPETKineticsLib.results.result_nodes import RESULT, all_results
from petkinetics.read.result_folder import read_distrust


@pytest.fixture
def marked(tmp_path: Path) -> tuple[Path, Any]:
    """A result folder with such places, and the places."""
    folder = tmp_path / "marked"
    shutil.copytree(study().patlak, folder)
    return folder, distrusted(folder)


def segment_of(node: Any) -> Any:
    inside = node.GetSegmentation()
    return inside.GetSegment(inside.GetNthSegmentID(0))


def test_it_lies_with_the_maps_hidden_under_a_plain_name(marked: tuple[Path, Any]) -> None:
    folder, where = marked
    sequence = sequence_in_scene()
    moved = affine(rotation(0, 0, 30), (100.0, -20.0, 7.0))
    sequence.proxy.SetAndObserveTransformNodeID(linear_transform(moved).GetID())
    result = loaded(sequence, folder=folder)
    node = result.distrust
    assert node.GetName() == "Where not to trust it (Patlak 14:32)"
    assert segment_of(node).GetName() == "Where not to trust it"
    assert not node.GetDisplayNode().GetVisibility()
    assert node.GetAttribute(RESULT) == result.id
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == result.folder_item
    ki = result.maps["ki"]
    assert node.GetTransformNodeID() == ki.GetTransformNodeID()
    found = slicer.util.arrayFromSegmentBinaryLabelmap(node, node.GetSegmentation().GetNthSegmentID(0), ki)
    np.testing.assert_array_equal(found > 0, where)


def test_it_goes_with_the_result_and_a_load_given_up_leaves_nothing(marked: tuple[Path, Any]) -> None:
    sequence = sequence_in_scene()
    before = slicer.mrmlScene.GetNumberOfNodes()
    loaded(sequence, folder=marked[0]).remove()
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    steps = load_result_steps(marked[0], sequence, "Patlak")
    shares = [next(steps) for _ in range(14)]
    assert shares == sorted(shares) and shares[-1] < 1
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    steps.close()
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_without_such_places_there_is_none() -> None:
    assert loaded(sequence_in_scene()).distrust is None


@pytest.mark.parametrize("how", ["mrb", "mrml"])
def test_it_survives_saving_and_is_written_with_the_folder(marked: tuple[Path, Any], how: str, tmp_path: Path) -> None:
    folder, where = marked
    loaded(sequence_in_scene(), folder=folder)
    scene = tmp_path / "scene.mrb" if how == "mrb" else tmp_path / "saved" / "scene.mrml"
    if how == "mrb":
        assert slicer.util.saveScene(str(scene), {})
    else:
        save_modified(tmp_path / "saved")
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(scene), {})
    (result,) = all_results()
    assert not result.distrust.GetDisplayNode().GetVisibility()
    restored = at_once(restore_steps(result, tmp_path / "restored"))
    np.testing.assert_array_equal(read_distrust(restored), where)


def test_a_report_from_the_scene_outlines_it(marked: tuple[Path, Any], tmp_path: Path) -> None:
    result = loaded(sequence_in_scene(), folder=marked[0])
    (tmp_path / "report").mkdir()
    job = at_once(report_steps(result, tmp_path / "report"))
    job.run()
    assert "not to trust it" in Path(job.output).read_text(encoding="utf-8")


def test_emptied_by_its_user_it_marks_nothing(marked: tuple[Path, Any], tmp_path: Path) -> None:
    result = loaded(sequence_in_scene(), folder=marked[0])
    result.distrust.GetSegmentation().RemoveAllSegments()
    assert read_distrust(at_once(restore_steps(result, tmp_path / "restored"))) is None
