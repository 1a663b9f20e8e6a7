"""SUV under the map in linked rows, and scale bars: what is switched on, and what of the user's is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from region_scenes import HOT_AT
from results_cases import loaded, sequence_in_scene

import slicer
from DynamicPETKineticsLib.results.beside import (
    put_rows_away,
    rows_are_shown,
    settle_rows,
    show_rows,
    suv_of,
    user_left_rows,
    views_are_as_at_first,
)
from DynamicPETKineticsLib.results.map_display import show_map
from DynamicPETKineticsLib.results.result_nodes import ResultNodes
from DynamicPETKineticsLib.scene.series_display import show_series
from DynamicPETKineticsLib.scene.window_average import average
from standin.rendering import pixel_of, slice_picture

UPPER, LOWER = ("Red", "Green", "Yellow"), ("Red+", "Green+", "Yellow+")
KINDS = slicer.vtkMRMLLayoutNode


@pytest.fixture(autouse=True)
def four_up() -> Iterator[None]:
    """The layout outlives a scene."""
    slicer.app.layoutManager().layout = KINDS.SlicerLayoutFourUpView
    yield
    slicer.app.layoutManager().layout = KINDS.SlicerLayoutFourUpView


@pytest.fixture
def result() -> ResultNodes:
    return loaded(sequence_in_scene())


def view(name: str) -> Any:
    return slicer.app.layoutManager().sliceWidget(name).mrmlSliceNode()


def composite(name: str) -> Any:
    return slicer.app.layoutManager().sliceWidget(name).mrmlSliceCompositeNode()


def shown(names: tuple[str, ...], layer: str) -> set[Any]:
    return {slicer.mrmlScene.GetNodeByID(getattr(composite(n), f"Get{layer}VolumeID")() or "") for n in names}


def scroll(name: str, offset: float) -> None:
    """As the mouse wheel over a view does."""
    logic = slicer.app.layoutManager().sliceWidget(name).sliceLogic()
    logic.StartSliceOffsetInteraction()
    logic.SetSliceOffset(offset)
    logic.EndSliceOffsetInteraction()


def with_suv(result: ResultNodes, background: Any = None) -> None:
    show_rows()
    show_map(result.maps["ki"], background=background, beside=suv_of(result))
    settle_rows()


# -------------------------------------------------------------------------------------------- two rows


def test_the_map_stands_above_suv_at_the_same_slices_each_with_its_legend(result: ResultNodes) -> None:
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *HOT_AT)
    offsets = [view(name).GetSliceOffset() for name in UPPER]
    with_suv(result)
    assert rows_are_shown()
    assert shown(UPPER, "Foreground") == {result.maps["ki"]}
    assert shown(LOWER, "Foreground") == {result.maps["suv"]}
    for names in (UPPER, LOWER):
        assert [view(name).GetSliceOffset() for name in names] == pytest.approx(offsets)
    legends = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
    titles = {legend.GetTitleText() for legend in legends if legend.GetVisibility()}
    assert titles == {"Ki [mL/min/mL]\n(whole-blood input)", "SUVbw [g/mL]"}
    show_map(result.maps["v0"], beside=suv_of(result))
    titles = {legend.GetTitleText() for legend in legends if legend.GetVisibility()}
    assert "SUVbw [g/mL]" in titles and not any(title.startswith("Ki") for title in titles)


def test_suv_is_drawn_in_the_lower_row_with_its_legend(result: ResultNodes) -> None:
    with_suv(result)
    slice_picture("Axial", ras=HOT_AT)
    picture = slice_picture("Red+", ras=HOT_AT).astype(int)
    red, _green, blue = picture[pixel_of(HOT_AT, "Red+")]
    assert red > blue + 50
    show_map(result.maps["ki"], legend=False, beside=suv_of(result))
    changed = np.abs(picture - slice_picture("Red+")).max(axis=2) > 60
    assert np.nonzero(changed)[1].min() > 0.55 * changed.shape[1]


def test_rows_scroll_and_zoom_together_until_they_are_put_away(result: ResultNodes) -> None:
    show_rows()
    for name in LOWER:
        view(name).SetViewGroup(3)
    with_suv(result)
    for moved, follows in (("Red", "Red+"), ("Yellow+", "Yellow")):
        scroll(moved, view(moved).GetSliceOffset() + 8.0)
        assert view(follows).GetSliceOffset() == pytest.approx(view(moved).GetSliceOffset())
    put_rows_away()
    assert slicer.app.layoutManager().layout == KINDS.SlicerLayoutFourUpView
    before = view("Red+").GetSliceOffset()
    scroll("Red", before + 12.0)
    assert view("Red+").GetSliceOffset() == pytest.approx(before)
    assert [view(name).GetViewGroup() for name in LOWER] == [3, 3, 3]


def test_links_that_the_user_has_made_stay(result: ResultNodes) -> None:
    composite("Green").SetLinkedControl(True)
    with_suv(result)
    put_rows_away()
    assert composite("Green").GetLinkedControl()
    assert not composite("Red").GetLinkedControl()


def test_another_arrangement_of_the_user_is_seen_and_left(result: ResultNodes) -> None:
    with_suv(result)
    assert not user_left_rows()
    slicer.app.layoutManager().layout = KINDS.SlicerLayoutOneUpRedSliceView
    assert user_left_rows() and not rows_are_shown()
    put_rows_away()
    assert slicer.app.layoutManager().layout == KINDS.SlicerLayoutOneUpRedSliceView
    assert not user_left_rows()


def test_what_the_user_has_arranged_is_known_from_what_slicer_starts_with(result: ResultNodes) -> None:
    assert views_are_as_at_first()
    slicer.app.layoutManager().layout = KINDS.SlicerLayoutOneUpRedSliceView
    assert not views_are_as_at_first()
    # as Slicer was left the last time
    slicer.app.layoutManager().layout = KINDS.SlicerLayoutThreeOverThreeView
    show_map(result.maps["ki"])
    assert views_are_as_at_first() and not rows_are_shown()
    composite("Red+").SetForegroundVolumeID(result.maps["v0"].GetID())
    assert not views_are_as_at_first(), "two rows of the user's own"
    with_suv(result)
    put_rows_away()
    assert slicer.app.layoutManager().layout == KINDS.SlicerLayoutFourUpView


def test_a_result_without_suv_has_none(result: ResultNodes) -> None:
    assert suv_of(result) is result.maps["suv"]
    slicer.mrmlScene.RemoveNode(result.maps["suv"])
    assert suv_of(result) is None


# -------------------------------------------------------------------------------------- what lies below


def test_ct_lies_under_both_rows_and_pet_only_under_the_map(result: ResultNodes) -> None:
    ct = slicer.util.addVolumeFromArray(np.zeros((8, 8, 8), np.float32), name="CT")
    with_suv(result, background=ct)
    assert shown(UPPER, "Background") == shown(LOWER, "Background") == {ct}
    assert result.sequence is not None
    late = average(result.sequence, 50.0, 65.0)
    show_map(result.maps["ki"], background=late, beside=suv_of(result))
    assert shown(UPPER, "Background") == {late}
    assert shown(LOWER, "Background") == {None}


def test_air_is_black_under_a_map_and_white_when_the_series_is_shown_alone(result: ResultNodes) -> None:
    assert result.sequence is not None
    late = average(result.sequence, 50.0, 65.0)
    show_series(result.sequence)
    assert late.GetDisplayNode().GetColorNode().GetName() == "InvertedGrey"
    show_map(result.maps["ki"])
    assert shown(UPPER, "Background") == {late}
    assert late.GetDisplayNode().GetColorNode().GetName() == "Grey"
    show_series(result.sequence)
    assert late.GetDisplayNode().GetColorNode().GetName() == "InvertedGrey"
    late.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeRainbow")
    show_map(result.maps["ki"])
    assert late.GetDisplayNode().GetColorNode().GetName() == "Rainbow"


# ------------------------------------------------------------------------------------------- scale bars


def test_a_shown_map_brings_scale_bars_that_can_be_seen(result: ResultNodes) -> None:
    show_map(result.maps["ki"], legend=False)
    slicer.util.resetSliceViews()
    assert {view(name).GetRulerType() for name in UPPER} == {view("Red").RulerTypeThin}
    with_bar = slice_picture("Axial", ras=HOT_AT).astype(int)
    view("Red").SetRulerType(view("Red").RulerTypeNone)
    changed = np.abs(with_bar - slice_picture("Axial")).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    assert rows.size and rows.min() > 0.85 * changed.shape[0]
    assert np.ptp(columns) > 0.1 * changed.shape[1]


def test_rulers_of_the_user_are_left_alone(result: ResultNodes) -> None:
    view("Green").SetRulerType(view("Green").RulerTypeThick)
    show_map(result.maps["ki"])
    assert view("Green").GetRulerType() == view("Green").RulerTypeThick
    for name in ("Red", "Green"):
        view(name).SetRulerType(view(name).RulerTypeNone)
    show_map(result.maps["v0"])
    assert view("Red").GetRulerType() == view("Green").GetRulerType() == view("Red").RulerTypeNone
    with_suv(result)
    assert view("Red").GetRulerType() == view("Red").RulerTypeNone
    assert view("Red+").GetRulerType() == view("Red+").RulerTypeThin
