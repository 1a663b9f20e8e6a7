"""Results come into the scene whole, in the right place, with units, and are found however they are called."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vtk
from region_scenes import HOT_AT, SMALL, affine, linear_transform, rotation
from results_cases import loaded, sequence_in_scene, study

import slicer
from DynamicPETKineticsLib.at_once import at_once
from DynamicPETKineticsLib.results.load_result import load_result_steps, node_name
from DynamicPETKineticsLib.results.map_display import colour_of, threshold_of, window_of
from DynamicPETKineticsLib.results.map_file import read_map_image
from DynamicPETKineticsLib.results.result_nodes import MAP, RESULT, all_results, result_of
from DynamicPETKineticsLib.results.table_nodes import add_table, rows_of
from DynamicPETKineticsLib.scene.map_attribute import PROVENANCE
from petkinetics.errors import InputError
from petkinetics.read.maps import read_map
from petkinetics.write.tables import read_table

MAPS = ["ki", "v0", "ki_sd", "v0_sd", "residual", "suv"]


def hottest_ras(node: Any) -> Any:
    """Where Ki is above that of the tissue (0.02), in the coordinates of the scene: the centroid."""
    k, j, i = np.nonzero(slicer.util.arrayFromVolume(node) > 0.03)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    ras = slicer.util.arrayFromVTKMatrix(matrix) @ [i.mean(), j.mean(), k.mean(), 1.0]
    world = np.zeros(3)
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    transform.TransformPoint(ras[:3], world)
    return world


def test_maps_lie_where_the_patient_has_them() -> None:
    result = loaded(sequence_in_scene())
    assert list(result.maps) == MAPS
    ki = slicer.util.arrayFromVolume(result.maps["ki"])
    expected = read_map(study().patlak / "ki.nii")
    np.testing.assert_array_equal(ki, expected.values)
    assert ki.dtype == np.float32
    # the hot ball of the patient: a grid that is turned, read by coordinates alone
    np.testing.assert_allclose(hottest_ras(result.maps["ki"]), HOT_AT, atol=1.5)


def test_maps_follow_the_transform_of_the_pet() -> None:
    sequence = sequence_in_scene()
    moved = affine(rotation(0, 0, 30), (100.0, -20.0, 7.0))
    sequence.proxy.SetAndObserveTransformNodeID(linear_transform(moved).GetID())
    result = loaded(sequence)
    np.testing.assert_allclose(hottest_ras(result.maps["ki"]), (moved @ [*HOT_AT, 1.0])[:3], atol=1.5)


def test_a_map_says_what_it_is_in_what_unit_and_how_it_was_made() -> None:
    result = loaded(sequence_in_scene())
    ki, v0, suv = (result.maps[name] for name in ("ki", "v0", "suv"))
    assert ki.GetName() == "Ki (whole-blood input, Patlak 14:32)"
    assert result.maps["residual"].GetName() == "Residual (Patlak 14:32)"
    assert node_name("Ki", "Patlak 14:32") == "Ki (Patlak 14:32)"
    assert ki.GetVoxelValueUnits().GetCodeValue() == "mL/min/mL"
    assert ki.GetVoxelValueUnits().GetCodingSchemeDesignator() == "UCUM"
    quantity = ki.GetVoxelValueQuantity()
    assert (quantity.GetCodeValue(), quantity.GetCodingSchemeDesignator()) == ("KI_WB", "99PETKIN")
    assert v0.GetVoxelValueUnits().GetCodeValue() == "mL/mL"
    assert suv.GetVoxelValueQuantity().GetCodeMeaning() == "SUVbw"
    assert {node.GetAttribute(MAP) for node in result.maps.values()} == set(MAPS)
    how = json.loads(ki.GetAttribute(PROVENANCE))
    assert how["method"] == "patlak"
    assert how["ki_label"] == "Ki (whole-blood input)"
    assert how["t_star_min"] == 30.0
    assert how["frames_used"] == [21, 22, 23, 24, 25, 26, 27]
    assert json.loads(suv.GetAttribute(PROVENANCE))["method"] == "frame mean"


def test_the_look_of_a_map_suits_its_quantity() -> None:
    maps = loaded(sequence_in_scene()).maps
    low, high = window_of(maps["ki"])
    values = slicer.util.arrayFromVolume(maps["ki"])
    assert low == 0.0
    assert np.percentile(values[values != 0], 99.5) <= high <= 1.3 * np.percentile(values[values != 0], 99.5)
    assert (colour_of(maps["ki"]), colour_of(maps["v0"])) == ("Inferno", "Viridis")
    assert threshold_of(maps["ki"]) == pytest.approx(0.15 * high, rel=0.1)
    assert threshold_of(maps["v0"]) is None


def test_a_result_lies_beside_its_series() -> None:
    sequence = sequence_in_scene()
    result = loaded(sequence)
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result.maps["ki"]))
    assert hierarchy.GetItemName(folder) == "Patlak 14:32"
    assert folder == result.folder_item
    assert hierarchy.GetItemParent(folder) == hierarchy.GetItemParent(hierarchy.GetItemByDataNode(sequence.proxy))
    assert hierarchy.GetItemName(hierarchy.GetItemParent(folder)) == "PET study"
    assert {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in result.nodes} == {folder}


def test_nothing_points_into_the_result_folder_and_all_counts_as_modified() -> None:
    result = loaded(sequence_in_scene())
    for node in result.nodes:
        assert node.GetStorageNode() is None, node.GetName()
        assert node.GetModifiedSinceRead(), node.GetName()


def test_texts_and_tables_are_those_of_the_folder() -> None:
    result = loaded(sequence_in_scene())
    folder = study().patlak
    assert result.record == json.loads((folder / "result.json").read_text(encoding="utf-8"))
    for name, node in result.texts.items():
        assert node.GetText() == (folder / name).read_text(encoding="utf-8")
    assert list(result.tables) == ["input_function_frames.tsv"]
    assert rows_of(result.tables["input_function_frames.tsv"]) == read_table(folder / "input_function_frames.tsv")
    assert result.input_function.kind == "whole blood"
    assert result.input_function.time_s.size == result.record["input_function"]["nodes"]
    assert result.sequence is not None
    assert result.sequence.name == "FDG dynamic"
    assert (result.method, result.ki_label) == ("patlak", "Ki (whole-blood input)")


def test_table_cells_without_a_value_stay_without() -> None:
    rows = [{"roi": "Liver\t1", "se": None, "n": 3}, {"roi": "n/a", "se": 0.25, "n": 4}]
    assert rows_of(add_table(rows, "Regions")) == [
        {"roi": "Liver\t1", "se": None, "n": 3.0},
        {"roi": None, "se": 0.25, "n": 4.0},
    ]


def test_results_are_found_whatever_they_are_called() -> None:
    sequence = sequence_in_scene()
    first, second = loaded(sequence), loaded(sequence, "Gaussian 15:01", study().gaussian)
    assert all_results() == [first, second]
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    for node in (*first.nodes, sequence.node, sequence.proxy):
        node.SetName("x")
    hierarchy.SetItemName(first.folder_item, "before therapy")
    assert [result.name for result in all_results()] == ["before therapy", "Gaussian 15:01"]
    assert list(all_results()[0].maps) == MAPS
    assert result_of(second.maps["v0"]) == second
    assert result_of(sequence.proxy) is None
    hierarchy.RemoveItem(first.folder_item, False, False)
    assert all_results()[0].name == "Patlak 14:32"


def test_a_deleted_map_is_named() -> None:
    result = loaded(sequence_in_scene())
    assert result.missing_maps == ()
    slicer.mrmlScene.RemoveNode(result.maps["v0"])
    assert result.missing_maps == ("V0",)
    assert "v0" not in all_results()[0].maps
    slicer.mrmlScene.RemoveNode(result.texts["input_function.tsv"])
    with pytest.raises(InputError, match=r"deleted from the scene \(input_function\.tsv\)"):
        _ = result.input_function
    result.record_node.SetText("{}")
    with pytest.raises(InputError, match="does not hold the record"):
        _ = all_results()[0].record


def test_removing_a_result_leaves_only_the_series() -> None:
    sequence = sequence_in_scene()
    before = slicer.mrmlScene.GetNumberOfNodes()
    items = slicer.mrmlScene.GetSubjectHierarchyNode().GetNumberOfItems()
    loaded(sequence).remove()
    assert all_results() == []
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert slicer.mrmlScene.GetSubjectHierarchyNode().GetNumberOfItems() == items


def test_a_load_that_is_given_up_leaves_nothing() -> None:
    sequence = sequence_in_scene()
    before = slicer.mrmlScene.GetNumberOfNodes()
    items = slicer.mrmlScene.GetSubjectHierarchyNode().GetNumberOfItems()
    steps = load_result_steps(study().patlak, sequence, "Patlak")
    shares = [next(steps) for _ in range(7)]
    assert shares == sorted(shares)
    steps.close()
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert slicer.mrmlScene.GetSubjectHierarchyNode().GetNumberOfItems() == items


def test_a_scene_closed_while_a_result_loads_stays_empty() -> None:
    steps = load_result_steps(study().patlak, sequence_in_scene(), "Patlak")
    for _ in range(5):
        next(steps)
    slicer.mrmlScene.Clear(0)
    before = slicer.mrmlScene.GetNumberOfNodes()
    steps.close()
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert all_results() == []


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("result.json", "not a result folder"),
        ("v0.nii", "the map v0.nii is missing"),
        ("input_function.tsv", "input_function.tsv is missing"),
        (None, "truncated"),
    ],
)
def test_an_incomplete_folder_is_refused_and_leaves_nothing(tmp_path: Path, missing: str | None, message: str) -> None:
    sequence = sequence_in_scene()
    shutil.copytree(study().patlak, tmp_path / "result")
    if missing:
        (tmp_path / "result" / missing).unlink()
    else:
        file = tmp_path / "result" / "ki_sd.nii"
        file.write_bytes(file.read_bytes()[:-100])
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match=message):
        at_once(load_result_steps(tmp_path / "result", sequence, "Patlak"))
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_compressed_maps_are_read_as_well() -> None:
    result = loaded(sequence_in_scene(), folder=study().gaussian)
    expected = read_map(study().gaussian / "ki.nii.gz")
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(result.maps["ki"]), expected.values)
    np.testing.assert_allclose(hottest_ras(result.maps["ki"]), HOT_AT, atol=1.5)


def test_plain_maps_are_read_without_simpleitk(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_reader(_path: Path) -> None:
        raise AssertionError("read by the slow way")

    monkeypatch.setattr("petkinetics.read.maps.read_map", no_reader)
    found = read_map_image(study().patlak / "ki.nii")
    assert found.geometry.difference(SMALL, 0.01) is None


def test_a_scene_imported_into_itself_holds_two_results(tmp_path: Path) -> None:
    loaded(sequence_in_scene())
    slicer.util.saveScene(str(tmp_path / "scene.mrb"), {})
    slicer.app.coreIOManager().loadScene(str(tmp_path / "scene.mrb"), False)
    first, second = all_results()
    assert first.id != second.id
    assert {node.GetAttribute(RESULT) for node in second.nodes} == {second.id}
    assert not {node.GetID() for node in first.nodes} & {node.GetID() for node in second.nodes}
    assert len(second.maps) == len(MAPS)
    assert second.folder_item != first.folder_item != 0


@pytest.mark.slow
def test_a_clinical_result_loads_in_steps_that_nobody_feels(tmp_path: Path) -> None:
    from petkinetics.series import VolumeGeometry
    from petkinetics.write.nifti import write_volume

    shutil.copytree(study().patlak, tmp_path / "result")
    geometry = VolumeGeometry((71, 256, 256), (2.73, 2.73, 3.27))
    rng = np.random.default_rng(0)
    for name in MAPS:
        (tmp_path / "result" / f"{name}.nii").unlink()
        write_volume(tmp_path / "result" / f"{name}.nii", rng.normal(1, 1, geometry.shape), geometry)
    sequence = sequence_in_scene()
    best = np.full(2 * len(MAPS) + 2, np.inf)
    for _ in range(3):  # other programs run beside the test
        steps, took = load_result_steps(tmp_path / "result", sequence, "Patlak"), []
        while True:
            began = time.process_time()
            try:
                next(steps)
            except StopIteration as end:
                end.value.remove()
                break
            finally:
                took.append(time.process_time() - began)
        best = np.minimum(best, took)
    assert best.max() < 0.1, best
    assert best.sum() < 2.0, best


def test_steps_end_with_the_result() -> None:
    result = at_once(load_result_steps(study().patlak, sequence_in_scene(), "Patlak"))
    assert all_results() == [result]
