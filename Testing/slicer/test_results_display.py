"""Maps in colour over the anatomy, with a legend that can be read, drawn as Slicer draws them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from region_scenes import HOT_AT, SMALL, ball, linear_transform, points
from results_cases import loaded, sequence_in_scene, study

import slicer
from DynamicPETKineticsLib.results.legend import legend_numbers, legend_title
from DynamicPETKineticsLib.results.map_display import (
    COLOURS,
    colour_of,
    map_title,
    show_map,
    threshold_of,
    window_from_percentiles,
    window_of,
)
from DynamicPETKineticsLib.results.result_nodes import ResultNodes
from DynamicPETKineticsLib.results.window import percentile_window
from standin.rendering import Picture, pixel_of, slice_picture

TISSUE_AT = (30.0, -20.0, -4.0)


@pytest.fixture
def result() -> ResultNodes:
    return loaded(sequence_in_scene())


@pytest.fixture
def grey(result: ResultNodes) -> Any:
    """Anatomy of one grey everywhere, twice as wide as the maps."""
    volume = slicer.util.addVolumeFromArray(np.full((40, 60, 60), 100, np.float32), np.diag([6.0, 6, 6, 1]), "CT")
    matrix = np.diag([6.0, 6, 6, 1])
    matrix[:3, 3] = -180, -180, -120
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 200)
    volume.SetAndObserveTransformNodeID(result.maps["ki"].GetTransformNodeID())
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    return volume


def at(picture: Picture, ras: Any) -> list[int]:
    return [int(value) for value in picture[pixel_of(ras)]]


def is_grey(pixel: list[int]) -> bool:
    return max(pixel) - min(pixel) < 6


def shown_legends() -> list[str]:
    legends = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    return [legend.GetTitleText() for legend in legends if legend.GetVisibility()]


# -------------------------------------------------------------------------------------------- overlay


def test_uptake_is_coloured_where_it_is_and_the_rest_shows_the_anatomy(result: ResultNodes, grey: Any) -> None:
    show_map(result.maps["ki"], opacity=1.0, threshold=0.03, background=grey, legend=False)
    picture = slice_picture("Axial", ras=HOT_AT)
    red, green, blue = at(picture, HOT_AT)
    assert red > green > blue or red > 240  # the warm end of Inferno
    assert is_grey(at(picture, TISSUE_AT))  # below the threshold
    assert is_grey(at(picture, (150.0, 150.0, HOT_AT[2])))  # beyond the map
    show_map(result.maps["ki"], opacity=0.0, threshold=0.03, background=grey, legend=False)
    assert is_grey(at(slice_picture("Axial"), HOT_AT))


def test_what_lies_outside_the_mask_is_transparent_without_a_threshold(result: ResultNodes, grey: Any) -> None:
    v0 = result.maps["v0"]
    voxels = slicer.util.arrayFromVolume(v0)
    voxels[:] = np.where(ball(SMALL, HOT_AT, 12.0), 0.5, 0.0)
    slicer.util.arrayFromVolumeModified(v0)
    show_map(v0, opacity=1.0, window=(0.0, 1.0), threshold=None, background=grey, legend=False)
    picture = slice_picture("Axial", ras=HOT_AT)
    assert not is_grey(at(picture, HOT_AT))
    assert is_grey(at(picture, TISSUE_AT))
    assert threshold_of(v0) is None
    # who wants to see values below zero sees all
    show_map(v0, opacity=1.0, window=(-1.0, 1.0), threshold=None, background=grey, legend=False)
    assert not is_grey(at(slice_picture("Axial"), TISSUE_AT))


def test_no_map_is_so_hot_that_it_vanishes(result: ResultNodes, grey: Any) -> None:
    ki = result.maps["ki"]
    values = slicer.util.arrayFromVolume(ki)
    values[np.unravel_index(np.argmin(np.sum((points(SMALL) - HOT_AT) ** 2, axis=-1)), SMALL.shape)] = 1e6
    slicer.util.arrayFromVolumeModified(ki)
    show_map(ki, opacity=1.0, threshold=0.01, background=grey, legend=False)
    assert not is_grey(at(slice_picture("Axial", ras=HOT_AT), HOT_AT))


def test_the_look_is_kept_where_nothing_else_is_asked(result: ResultNodes, grey: Any) -> None:
    ki = result.maps["ki"]
    show_map(ki, colour="PET heat", window=(0.01, 0.05), threshold=0.02, background=grey)
    show_map(ki, threshold=threshold_of(ki))
    assert colour_of(ki) == "PET heat"
    assert window_of(ki) == pytest.approx((0.01, 0.05))
    assert threshold_of(ki) == pytest.approx(0.02)
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == grey.GetID()
    assert composite.GetForegroundVolumeID() == ki.GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.6)


def test_maps_are_never_laid_over_maps(result: ResultNodes) -> None:
    slicer.util.setSliceViewerLayers(background=result.maps["suv"])
    show_map(result.maps["ki"])
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() is None
    from DynamicPETKineticsLib.scene.window_average import average

    assert result.sequence is not None
    late = average(result.sequence, 50.0, 65.0)
    show_map(result.maps["ki"])
    assert composite.GetBackgroundVolumeID() == late.GetID()


def test_a_moved_patient_is_coloured_where_he_lies(result: ResultNodes, grey: Any) -> None:
    moved = np.eye(4)
    moved[:3, 3] = 12.0, -9.0, 0.0
    node = linear_transform(moved)
    result.maps["ki"].SetAndObserveTransformNodeID(node.GetID())
    show_map(result.maps["ki"], opacity=1.0, threshold=0.03, background=grey, legend=False)
    picture = slice_picture("Axial", ras=HOT_AT)
    assert not is_grey(at(picture, np.array(HOT_AT) + moved[:3, 3]))


@pytest.mark.parametrize("title", COLOURS)
def test_every_scale_exists_and_is_known_again(result: ResultNodes, title: str) -> None:
    ki = result.maps["ki"]
    show_map(ki, colour=title, legend=False)
    assert slicer.mrmlScene.GetNodeByID(COLOURS[title]()) is not None
    assert colour_of(ki) == title


def test_a_scale_of_somebody_elses_choice_is_left(result: ResultNodes) -> None:
    ki = result.maps["ki"]
    ki.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeRainbow")
    assert colour_of(ki) is None
    show_map(ki, legend=False)
    assert ki.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeRainbow"


# --------------------------------------------------------------------------------------------- legend


def test_only_the_shown_map_has_a_legend_with_its_unit(result: ResultNodes, grey: Any) -> None:
    show_map(result.maps["ki"], background=grey)
    assert shown_legends() == ["Ki [mL/min/mL]\n(whole-blood input)"]
    show_map(result.maps["suv"], background=grey)
    assert shown_legends() == ["SUVbw [g/mL]"]
    show_map(result.maps["residual"], background=grey)
    assert shown_legends() == ["Residual"]
    show_map(result.maps["residual"], background=grey, legend=False)
    assert shown_legends() == []
    show_map(result.maps["ki"], background=grey)
    assert shown_legends() == ["Ki [mL/min/mL]\n(whole-blood input)"]
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 3


def test_legends_of_other_volumes_are_left_alone(result: ResultNodes, grey: Any) -> None:
    slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(grey)
    show_map(result.maps["ki"], background=grey)
    assert sorted(shown_legends()) == ["CT", "Ki [mL/min/mL]\n(whole-blood input)"]


def test_the_legend_is_drawn_at_the_right_edge_and_letters_are_alike_in_size(result: ResultNodes, grey: Any) -> None:
    show_map(result.maps["ki"], opacity=0.0, background=grey, legend=False)
    bare = slice_picture("Axial").astype(int)
    heights = []
    for name in ("ki", "v0", "suv"):
        show_map(result.maps[name], opacity=0.0, background=grey)
        changed = np.abs(slice_picture("Axial").astype(int) - bare).max(axis=2) > 30
        rows, columns = np.nonzero(changed)
        assert columns.min() > 0.55 * changed.shape[1]
        assert 0.4 * changed.shape[0] < np.ptp(rows) < 0.8 * changed.shape[0]
        assert columns.max() < changed.shape[1] - 1  # not cut off
        # white letters of the title, which stands above the bar
        white = (slice_picture("Axial").min(axis=2) > 235) & changed
        lines = np.flatnonzero(white.any(axis=1))
        heights.append(int(np.argmax(np.diff(lines) > 1)) + 1)
    assert max(heights) - min(heights) <= 3, heights


def test_legend_titles_of_corrected_input_are_short() -> None:
    sequence = sequence_in_scene()
    record = study().patlak / "result.json"
    text = record.read_text(encoding="utf-8")
    try:
        record.write_text(
            text.replace('"Ki (whole-blood input)"', '"Ki"').replace('"kind": "whole blood"', '"kind": "plasma"'),
            encoding="utf-8",
        )
        result = loaded(sequence)
    finally:
        record.write_text(text, encoding="utf-8")
    assert map_title(result.maps["ki"]) == "Ki"
    assert legend_title(result.maps["ki"]) == "Ki [mL/min/mL]"
    assert result.maps["v0"].GetName() == "V0 (Patlak 14:32)"


@pytest.mark.parametrize(
    ("low", "high", "numbers"),
    [
        (0.0, 0.04, ["0.00", "0.01", "0.02", "0.03", "0.04"]),
        (0.0, 1.5, ["0.0", "0.5", "1.0", "1.5"]),
        (0.0, 2.5, ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]),
        (0.0, 0.012, ["0.000", "0.003", "0.006", "0.009", "0.012"]),
        (0.0, 0.0025, ["0.0000", "0.0005", "0.0010", "0.0015", "0.0020", "0.0025"]),
        (-0.02, 0.02, ["-0.02", "-0.01", "0.00", "0.01", "0.02"]),
        (0.0, 40.0, ["0", "10", "20", "30", "40"]),
    ],
)
def test_legend_numbers_are_round_and_aligned(low: float, high: float, numbers: list[str]) -> None:
    count, form = legend_numbers(low, high)
    shown = [form % value for value in np.linspace(low, high, count)]
    assert [text.strip() for text in shown] == numbers
    assert len({len(text) for text in shown}) <= 2


def test_legend_numbers_tell_neighbours_apart_in_any_window() -> None:
    rng = np.random.default_rng(5)
    for _ in range(500):
        low, span = rng.normal(0, 1) * 10.0 ** rng.uniform(-4, 3), 10.0 ** rng.uniform(-4, 4)
        if span < 0.02 * abs(low):
            continue
        count, form = legend_numbers(low, low + span)
        shown = [form % value for value in np.linspace(low, low + span, count)]
        assert len(set(shown)) == count, (low, span, shown)


# --------------------------------------------------------------------------------------------- window


def test_the_window_comes_from_percentiles_of_what_was_estimated(result: ResultNodes) -> None:
    ki = result.maps["ki"]
    values = slicer.util.arrayFromVolume(ki)
    inside = values[values != 0]
    low, high = window_from_percentiles(ki)
    assert low == 0.0
    assert np.percentile(inside, 99.5) <= high < 1.3 * np.percentile(inside, 99.5)
    assert window_from_percentiles(ki, 1.0, 99.0) == pytest.approx(np.percentile(inside, [1.0, 99.0]))


def test_the_window_of_odd_maps_is_usable() -> None:
    assert percentile_window(np.zeros((3, 4, 5))) == (0.0, 1.0)
    assert percentile_window(np.full((3, 4, 5), np.nan)) == (0.0, 1.0)
    low, high = percentile_window(np.full((3, 4, 5), -2.0))
    assert low < high
    low, high = percentile_window(np.full((3, 4, 5), 0.3))
    assert (low, high) == (0.0, 0.3)
    large = np.random.default_rng(0).gamma(2.0, 0.01, (80, 128, 128)).astype(np.float32)
    assert percentile_window(large, 1.0)[1] == pytest.approx(np.percentile(large, 99.5), rel=0.02)
