"""Spheres, the region table and region curves: the numbers that the engine's own tables have, from the scene."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from region_scenes import (
    HOT_AT,
    SMALL,
    TIMING,
    VESSEL_AT,
    add_segment,
    affine,
    ball,
    dynamic_sequence,
    estimated,
    grid,
    linear_transform,
    points,
    rotation,
    segmentation,
    small_patient,
    volume,
)

import slicer
from DynamicPETKineticsLib.at_once import at_once
from DynamicPETKineticsLib.regions.node_geometry import transform_between
from DynamicPETKineticsLib.regions.region_curves import region_tacs, tac_plot, tac_table
from DynamicPETKineticsLib.regions.region_table import fill_table, measurement, region_rows
from DynamicPETKineticsLib.regions.segment_regions import names, regions_of
from DynamicPETKineticsLib.regions.sphere import add_sphere, crosshair_ras, regions_segmentation
from DynamicPETKineticsLib.results.load_result import load_result_steps
from petkinetics.errors import InputError
from petkinetics.evaluate.region_statistics import COLUMNS
from petkinetics.read.regions import Regions, fractional_coverage
from petkinetics.write.tables import read_table

METHODS = ("patlak", "two-tissue", "gaussian")
LESION, TISSUE = ball(SMALL, HOT_AT, 8.0), ball(SMALL, (10, 20, 0), 10.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Results of three methods, with the engine's region tables."""
    folder = tmp_path_factory.mktemp("estimates")
    rois = Regions((LESION + 2 * TISSUE).astype(np.uint8), {1: "lesion", 2: "tissue"}, SMALL)
    more: dict[str, Any] = {"options": {"glucose": "5.1", "lumped_constant": "0.89"}}
    return {m: estimated(folder, m, rois, **(more if m == "patlak" else {})) for m in METHODS}


def drawn() -> Any:
    node = segmentation()
    add_segment(node, LESION, SMALL, "lesion")
    add_segment(node, TISSUE, SMALL, "tissue")
    return node


# -------------------------------------------------------------------------------------------- spheres


@pytest.mark.parametrize("diameter", [6.0, 10.0, 25.0])
@pytest.mark.parametrize("turned", [False, True], ids=["", "everything moved"])
def test_a_sphere_has_its_volume_and_lies_at_the_crosshair(diameter: float, turned: bool) -> None:
    sequence = dynamic_sequence(small_patient())
    if turned:
        where = linear_transform(affine(rotation(10, 0, 25), (30.0, -10.0, 5.0)))
        sequence.proxy.SetAndObserveTransformNodeID(where.GetID())
    node = regions_segmentation(sequence)
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCrosshairRAS(31.7, -12.3, 6.1)
    assert crosshair_ras() == (31.7, -12.3, 6.1)
    add_sphere(node, crosshair_ras(), diameter)
    weights = fractional_coverage(regions_of(node, SMALL, sequence.proxy), SMALL, 1)
    own = weights.weight @ points(SMALL).reshape(-1, 3)[weights.index] / weights.weight.sum()
    transform, _ = transform_between(sequence.proxy, None)
    np.testing.assert_allclose(transform.TransformPoint(own.tolist()), crosshair_ras(), atol=0.3)
    assert weights.volume_ml == pytest.approx(np.pi / 6 * (diameter / 10) ** 3, rel=0.03)


def test_spheres_are_numbered_and_belong_to_the_regions_not_to_the_aorta() -> None:
    sequence = dynamic_sequence(small_patient())
    node = regions_segmentation(sequence)
    assert node.GetName() == "Regions"
    assert regions_segmentation(sequence) is node
    add_sphere(node, HOT_AT)
    add_sphere(node, VESSEL_AT)
    add_sphere(node, VESSEL_AT, name="mine")
    assert list(names(node).values()) == ["Sphere 1", "Sphere 2", "mine"]
    for wrong in (0.1, 1000.0):
        with pytest.raises(InputError, match="not plausible"):
            add_sphere(node, HOT_AT, wrong)


def test_a_sphere_without_a_series_stands_on_a_grid_of_its_own() -> None:
    node = regions_segmentation(None)
    assert regions_segmentation(None) is node
    add_sphere(node, (5.0, 6.0, 7.0), 20.0)
    assert fractional_coverage(regions_of(node, SMALL), SMALL, 1).volume_ml == pytest.approx(4.19, rel=0.03)


# ---------------------------------------------------------------------------------------------- table


@pytest.mark.parametrize("method", METHODS)
def test_the_table_from_the_scene_is_the_engines(method: str, folders: dict[str, Path]) -> None:
    sequence = dynamic_sequence(small_patient())
    result = at_once(load_result_steps(folders[method], sequence, method))
    said: list[str] = []
    rows = region_rows(result, drawn(), sequence, warn=said.append)
    expected = read_table(folders[method] / "roi.tsv")
    assert [(row["roi"], row["map"], row["unit"]) for row in rows] == [
        (row["roi"], row["map"], str(row["unit"])) for row in expected
    ]
    for row, engine in zip(rows, expected, strict=True):
        for column in COLUMNS[3:]:
            value = np.nan if row[column] is None else row[column]
            reference = np.nan if engine[column] is None else engine[column]
            np.testing.assert_allclose(value, reference, rtol=2e-5, err_msg=f"{row['roi']} {row['map']} {column}")
    assert any(row["map"] == "ki" and row["se"] > 0 for row in rows)
    assert said == []


@pytest.mark.parametrize("method", METHODS)
def test_the_fits_behind_the_errors_are_the_engines(method: str, folders: dict[str, Path]) -> None:
    sequence = dynamic_sequence(small_patient())
    result = at_once(load_result_steps(folders[method], sequence, method))
    fits = measurement(result, drawn(), sequence)().fits
    for row in read_table(folders[method] / "region_fits.tsv"):
        assert fits[str(row["roi"]), "ki"] == pytest.approx((row["ki"], row["ki_se"]), rel=2e-5)


def test_the_table_node_has_the_columns_of_roi_tsv_and_is_reused(folders: dict[str, Path]) -> None:
    sequence = dynamic_sequence(small_patient())
    rows = region_rows(at_once(load_result_steps(folders["patlak"], sequence, "patlak")), drawn(), sequence)
    node = fill_table(rows)
    table = node.GetTable()
    assert tuple(table.GetColumnName(c) for c in range(table.GetNumberOfColumns())) == COLUMNS
    assert table.GetNumberOfRows() == len(rows)
    assert table.GetColumnByName("unit").GetValue(0) == "mL/min/mL"
    assert table.GetColumnByName("mean").GetValue(0) == pytest.approx(rows[0]["mean"])
    assert fill_table(rows[:1], node) is node
    assert node.GetNumberOfRows() == 1
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1 + sum(
        node.GetAttribute("DynamicPET.File") is not None for node in slicer.util.getNodesByClass("vtkMRMLTableNode")
    )


def test_without_the_series_or_with_other_times_there_is_no_se_and_a_sentence(folders: dict[str, Path]) -> None:
    sequence = dynamic_sequence(small_patient())
    result = at_once(load_result_steps(folders["patlak"], sequence, "patlak"))
    node = drawn()
    said: list[str] = []
    rows = region_rows(result, node, None, warn=said.append)
    assert all(row["se"] is None for row in rows)
    assert said == ["There are no standard errors: the dynamic series is not in the scene."]
    sequence.set_timing(sequence.timing.shifted(20.0))
    said.clear()
    rows = region_rows(result, node, sequence, warn=said.append)
    assert all(row["se"] is None for row in rows)
    assert "frame times of the series are not those of the estimate" in said[0]


def test_regions_outside_are_named_and_the_maps_may_hang_under_a_transform(folders: dict[str, Path]) -> None:
    sequence = dynamic_sequence(small_patient())
    where = linear_transform(affine(rotation(0, 0, 30), (40.0, 0.0, 0.0)))
    sequence.proxy.SetAndObserveTransformNodeID(where.GetID())
    result = at_once(load_result_steps(folders["patlak"], sequence, "patlak"))
    node = drawn()
    node.SetAndObserveTransformNodeID(where.GetID())
    add_sphere(node, (900.0, 0.0, 0.0))
    said: list[str] = []
    rows = region_rows(result, node, sequence, warn=said.append)
    assert rows[0]["mean"] == pytest.approx(read_table(folders["patlak"] / "roi.tsv")[0]["mean"], rel=1e-5)
    assert any("'Sphere 1'" in sentence for sentence in said)
    with pytest.raises(InputError):
        region_rows(result, node, sequence, [list(names(node))[-1]])


def test_twenty_regions_and_three_maps_of_a_clinical_scan_take_a_second() -> None:
    clinical = grid((71, 256, 256), (1.95, 1.95, 2.79))
    rng = np.random.default_rng(0)
    values = rng.uniform(0.01, 0.02, clinical.shape).astype(np.float32)
    maps = {name: volume(clinical, values, name) for name in ("ki", "v0", "residual")}
    result = type("Result", (), {"record": {"options": {"mask": "body"}}, "maps": maps})()
    for drawn_finer in (False, True):
        node = segmentation()
        if not drawn_finer:
            node.SetReferenceImageGeometryParameterFromVolumeNode(maps["ki"])
        for place in rng.uniform(-80, 80, (20, 3)):
            if drawn_finer:
                add_sphere(node, tuple(place.tolist()), 20.0)
            else:
                add_segment(node, ball(clinical, place, 10.0), clinical)
        region_rows(result, node, None)
        began = time.process_time()
        assert len(region_rows(result, node, None)) == 60
        seconds = time.process_time() - began
        print(f"20 regions, 3 maps at 256x256x71, {'finer' if drawn_finer else 'same'} grid: {seconds:.2f} s")
        assert seconds < 2.0


# --------------------------------------------------------------------------------------------- curves


def test_curves_are_the_engines_and_the_fit_goes_through_them(folders: dict[str, Path]) -> None:
    sequence = dynamic_sequence(small_patient())
    tables = read_table(folders["patlak"] / "tacs.tsv")
    for method in ("patlak", "two-tissue"):
        result = at_once(load_result_steps(folders[method], sequence, method))
        tacs = region_tacs(sequence, drawn(), result)
        assert [tac.name for tac in tacs] == ["lesion", "tissue"]
        for tac in tacs:
            np.testing.assert_allclose(tac.mean, [row[tac.name] for row in tables], rtol=1e-5)
            used = np.isfinite(tac.fitted)
            np.testing.assert_array_equal(np.flatnonzero(used), [f["index"] for f in result.record["frames_used"]])
            np.testing.assert_allclose(tac.fitted[used][-7:], tac.mean[used][-7:], rtol=0.03)
    assert all(tac.fitted is None for tac in region_tacs(sequence, drawn()))


def test_the_chart_shows_points_and_fits_and_is_reused(folders: dict[str, Path]) -> None:
    sequence = dynamic_sequence(small_patient())
    result = at_once(load_result_steps(folders["patlak"], sequence, "patlak"))
    tacs = region_tacs(sequence, drawn(), result)
    chart = tac_plot(tacs)
    assert chart.GetXAxisTitle() == "Time from injection (min)"
    assert chart.GetYAxisTitle() == "Activity (kBq/mL)"
    series = [chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]
    assert [node.GetName() for node in series] == ["lesion", "tissue", "lesion, fit", "tissue, fit"]
    assert all(node.GetPlotType() == node.PlotTypeScatter for node in series)
    assert series[0].GetTableNode().GetNumberOfRows() == len(TIMING)
    assert series[2].GetTableNode().GetNumberOfRows() == len(result.record["frames_used"])
    counts = {kind: slicer.mrmlScene.GetNumberOfNodesByClass(kind) for kind in ("vtkMRMLTableNode",)}
    assert tac_plot(tacs[:1]) is chart
    assert chart.GetNumberOfPlotSeriesNodes() == 2
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotSeriesNode") == 2
    assert {kind: slicer.mrmlScene.GetNumberOfNodesByClass(kind) for kind in counts} == counts


def test_columns_keep_apart_whatever_regions_are_called() -> None:
    sequence = dynamic_sequence(small_patient())
    node = segmentation()
    for name in ("time_min", "lesion", "lesion SD"):
        add_segment(node, LESION if name == "lesion" else TISSUE, SMALL, name)
    tacs = region_tacs(sequence, node)
    table = tac_table(tacs).GetTable()
    columns = [table.GetColumnName(c) for c in range(table.GetNumberOfColumns())]
    assert len(set(columns)) == len(columns)
    assert table.GetColumnByName("time_min").GetValue(0) == pytest.approx(5 / 60)
    assert table.GetColumnByName("lesion SD").GetValue(27) == pytest.approx(tacs[2].mean[27])
    tac_plot(tacs)


def test_a_result_that_cannot_be_fitted_again_leaves_the_curves(folders: dict[str, Path]) -> None:
    sequence = dynamic_sequence(small_patient())
    result = at_once(load_result_steps(folders["two-tissue"], sequence, "two-tissue"))
    slicer.mrmlScene.RemoveNode(result.texts["input_function.tsv"])
    said: list[str] = []
    tacs = region_tacs(sequence, drawn(), result, warn=said.append)
    assert all(tac.fitted is None for tac in tacs)
    assert said[0].startswith("There is no fit: The input function of")
    add_sphere(node := drawn(), (900.0, 0.0, 0.0))
    said.clear()
    assert len(region_tacs(sequence, node, warn=said.append)) == 2
    assert "outside the PET image. It was left out." in said[0]
