"""Bland-Altman of two maps in the scene: the engine's statistics, a chart with three lines, the user's layout kept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from region_scenes import SMALL, add_segment, affine, ball, grid, linear_transform, segmentation, volume

import slicer
from DynamicPETKineticsLib.regions.agreement import (
    agreement_plot,
    agreement_table,
    back_to_images,
    compare,
    plot_is_shown,
    show_plot,
)
from petkinetics.errors import InputError
from petkinetics.evaluate.bland_altman import COLUMNS
from petkinetics.evaluate.compare import compare_maps
from petkinetics.maps import KI, ParametricMap
from petkinetics.read.regions import Regions

PLACES = {"liver": ball(SMALL, (10, 10, 0), 30.0), "lesion": ball(SMALL, (-30, -20, 0), 8.0)}


def ki_map(name: str, seed: int, geometry: Any = SMALL, quantity: str = "ki") -> Any:
    values = 0.02 + 0.002 * np.random.default_rng(seed).standard_normal(geometry.shape)
    node = volume(geometry, values, name)
    node.SetAttribute("DynamicPET.Map", quantity)
    return node


def drawn() -> Any:
    node = segmentation()
    for name, mask in PLACES.items():
        add_segment(node, mask, SMALL, name)
    return node


def test_the_statistics_are_the_engines() -> None:
    a, b, node = ki_map("Patlak", 1), ki_map("Filtered", 2), drawn()
    found = compare(a, b, node)
    values = [ParametricMap(slicer.util.arrayFromVolume(m), KI, SMALL) for m in (a, b)]
    labels = np.zeros(SMALL.shape, np.uint8)
    for label, mask in enumerate(PLACES.values(), start=1):
        labels[mask] = label
    expected = compare_maps(*values, Regions(labels, dict(enumerate(PLACES, start=1)), SMALL), "Patlak", "Filtered")
    assert found.rows() == expected.rows()
    assert found.symbol == "Ki"
    assert found.unit == "mL/min/mL"
    only = compare(a, b, node, [node.GetSegmentation().GetNthSegmentID(1)])
    assert [agreement.roi for agreement in only.agreements] == ["lesion"]


def test_maps_that_are_no_pairs_are_refused_in_words() -> None:
    a, node = ki_map("A", 1), drawn()
    other_grid = ki_map("B", 2, grid((8, 40, 40), (3.0, 3.0, 6.0)))
    with pytest.raises(InputError, match="different grids") as refused:
        compare(a, other_grid, node)
    assert "same dynamic series" in refused.value.hint
    with pytest.raises(InputError, match="same quantity"):
        compare(a, ki_map("C", 3, quantity="v0"), node)
    moved = ki_map("D", 4)
    moved.SetAndObserveTransformNodeID(linear_transform(affine(shift=(3.0, 0, 0))).GetID())
    with pytest.raises(InputError, match="different transforms"):
        compare(a, moved, node)
    with pytest.raises(InputError, match="has no segment"):
        compare(a, ki_map("E", 5), segmentation())
    unnamed = ki_map("SUV of another program", 6)
    unnamed.RemoveAttribute("DynamicPET.Map")
    assert compare(a, unnamed, node).unit == "mL/min/mL"


def test_the_table_holds_every_number_and_is_reused() -> None:
    found = compare(ki_map("A", 1), ki_map("B", 2), drawn())
    node = agreement_table(found)
    table = node.GetTable()
    assert tuple(table.GetColumnName(c) for c in range(table.GetNumberOfColumns())) == (*COLUMNS, "difference")
    row = found.rows()[0]
    for column in ("n", "n_effective", "bias", "sd", "loa_lower", "loa_upper", "bias_ci_lower", "slope", "slope_p"):
        assert table.GetColumnByName(column).GetValue(0) == pytest.approx(row[column])
    assert table.GetColumnByName("roi").GetValue(0) == "liver"
    assert table.GetColumnByName("difference").GetValue(0) == "A - B"
    assert agreement_table(found, node) is node


def test_the_chart_draws_at_most_five_thousand_points_and_three_lines() -> None:
    sequence_of_plots = []
    node = drawn()
    found = compare(ki_map("A", 1), ki_map("B", 2), node)
    big = grid((40, 60, 60), (3.0, 3.0, 3.0))
    everywhere = segmentation()
    add_segment(everywhere, np.ones(big.shape, bool), big, "everything")
    large = compare(ki_map("A", 3, big), ki_map("B", 4, big), everywhere)
    for comparison, roi, points in ((large, None, 5000), (found, "lesion", PLACES["lesion"].sum())):
        layout = slicer.app.layoutManager().layout
        chart = agreement_plot(comparison, roi)
        assert slicer.app.layoutManager().layout == layout
        sequence_of_plots.append(chart)
        series = [chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]
        assert len(series) == 4
        assert all(s.GetPlotType() == s.PlotTypeScatter and s.GetXColumnName() == "mean" for s in series)
        assert series[0].GetTableNode().GetNumberOfRows() == points
        assert series[0].GetLineStyle() == series[0].LineStyleNone
        limits = comparison.agreements[0 if roi is None else 1].absolute
        heights = [slicer.util.arrayFromTableColumn(s.GetTableNode(), s.GetYColumnName()).tolist() for s in series[1:]]
        assert heights == [[v] * 2 for v in (limits.loa[1], limits.bias, limits.loa[0])]
        assert all(s.GetMarkerStyle() == s.MarkerStyleNone for s in series[1:])
        assert chart.GetXAxisTitle() == "Ki, mean of the two (mL/min/mL)"
        assert chart.GetYAxisTitle() == "Ki: A − B (mL/min/mL)"
    assert sequence_of_plots[0] is sequence_of_plots[1]
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotSeriesNode") == 4
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 2
    assert large.agreements[0].absolute.n == np.prod(big.shape)
    assert chart.GetTitle() == "lesion"
    with pytest.raises(InputError, match="no region 'gone'"):
        agreement_plot(found, "gone")


def test_back_to_images_restores_the_layout_of_before() -> None:
    layouts = slicer.app.layoutManager()
    kinds = slicer.vtkMRMLLayoutNode
    layouts.setLayout(kinds.SlicerLayoutFourUpView)
    chart = agreement_plot(compare(ki_map("A", 1), ki_map("B", 2), drawn()))
    assert not plot_is_shown()
    show_plot(chart)
    with_plot = layouts.layout
    assert with_plot != kinds.SlicerLayoutFourUpView
    assert plot_is_shown()
    show_plot(chart)
    assert layouts.layout == with_plot
    assert slicer.app.applicationLogic().GetSelectionNode().GetActivePlotChartID() == chart.GetID()
    back_to_images()
    assert layouts.layout == kinds.SlicerLayoutFourUpView
    assert not plot_is_shown()


def test_back_to_images_leaves_a_layout_that_the_user_chose() -> None:
    layouts = slicer.app.layoutManager()
    kinds = slicer.vtkMRMLLayoutNode
    layouts.setLayout(kinds.SlicerLayoutFourUpView)
    show_plot(agreement_plot(compare(ki_map("A", 1), ki_map("B", 2), drawn())))
    layouts.setLayout(kinds.SlicerLayoutOneUpRedSliceView)
    assert not plot_is_shown()
    back_to_images()
    assert layouts.layout == kinds.SlicerLayoutOneUpRedSliceView


def test_what_sets_two_maps_apart_besides_their_method_is_said() -> None:
    a, b, node = ki_map("A", 1), ki_map("B", 2), drawn()
    for map_node, blood, until_s in ((a, "whole blood", 3900.0), (b, "plasma", 2100.0)):
        how = {"method": "patlak", "blood": blood, "t_star_min": 30.0, "window_s": [1800.0, until_s]}
        map_node.SetAttribute("DynamicPET.Provenance", json.dumps(how))
    said: list[str] = []
    found = compare(a, b, node, warn=said.append)
    assert tuple(said) == found.warnings
    assert "different input functions: A has whole blood, B has plasma" in said[0]
    assert "different windows: A of 30-65 min, B of 30-35 min" in said[1]
