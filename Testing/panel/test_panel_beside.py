"""SUV beside Ki: there when a result comes, one click away afterwards, and never against the user's arrangement."""

from __future__ import annotations

import pytest
from panel_driver import PanelDriver, layers
from panel_scenes import draw_aorta, ready

import slicer
from background.run_cases import WithAorta, scene_sequence
from background.worker_cases import FDG, FRAMES
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.load_sequence import add_sequence
from petkinetics.series import DynamicSeries
from standin.panel.events import process_events

KINDS = slicer.vtkMRMLLayoutNode
ROWS = KINDS.SlicerLayoutThreeOverThreeView


def layout() -> int:
    return int(slicer.app.layoutManager().layout)


def over(below: bool = False) -> set[object]:
    return {foreground for _background, foreground, _opacity in layers(below).values()}


@pytest.fixture
def shown(driver: PanelDriver) -> PanelDriver:
    """A result has come."""
    ready(driver)
    driver.estimate()
    process_events()
    return driver


def test_a_result_comes_with_suv_beside_it(shown: PanelDriver) -> None:
    assert layout() == ROWS
    assert over() == {shown.result.maps["ki"]}
    assert over(below=True) == {shown.result.maps["suv"]}
    assert shown.ui.besideCheckBox.checked and shown.ui.besideCheckBox.enabled
    shown.choose("mapCombo", "v0")
    assert over() == {shown.result.maps["v0"]}
    assert over(below=True) == {shown.result.maps["suv"]}
    shown.ui.opacitySlider.value = 40
    assert [opacity for *_rest, opacity in layers(below=True).values()] == [pytest.approx(0.4)] * 3


def test_one_click_puts_it_away_and_another_brings_it_back(shown: PanelDriver) -> None:
    shown.ui.besideCheckBox.click()
    process_events()
    assert layout() == KINDS.SlicerLayoutFourUpView and not shown.state.beside
    shown.estimate("gaussian")
    assert layout() == KINDS.SlicerLayoutFourUpView
    shown.ui.besideCheckBox.click()
    process_events()
    assert layout() == ROWS
    assert over(below=True) == {shown.result.maps["suv"]}


def test_an_arrangement_of_the_user_is_kept(driver: PanelDriver) -> None:
    ready(driver)
    slicer.app.layoutManager().layout = KINDS.SlicerLayoutOneUpRedSliceView
    driver.estimate()
    assert layout() == KINDS.SlicerLayoutOneUpRedSliceView
    assert not driver.ui.besideCheckBox.checked and driver.ui.besideCheckBox.enabled


def test_who_leaves_the_rows_does_not_get_them_again_with_the_next_result(shown: PanelDriver) -> None:
    slicer.app.layoutManager().layout = KINDS.SlicerLayoutFourUpView
    second = shown.estimate("gaussian")
    assert layout() == KINDS.SlicerLayoutFourUpView
    assert over() == {second.maps["ki"]}
    assert not shown.ui.besideCheckBox.checked and not shown.state.beside


def test_a_plot_is_no_other_arrangement(shown: PanelDriver) -> None:
    from DynamicPETKineticsLib.regions.plot_nodes import back_to_images, chart_node, show_plot

    show_plot(chart_node("test", "Chart"))
    shown.panel.review.map.update()
    assert "Go back to the images" in shown.ui.besideCheckBox.toolTip and shown.state.beside
    back_to_images()
    shown.panel.review.map.update()
    assert layout() == ROWS and shown.ui.besideCheckBox.enabled and shown.ui.besideCheckBox.checked


def test_without_dose_there_is_no_suv_and_the_box_says_why(driver: PanelDriver) -> None:
    like = scene_sequence()
    voxels = WithAorta(like.geometry.shape)
    series = DynamicSeries(FRAMES, like.geometry, FDG, voxels)
    sequence = DynamicSequence(add_sequence(series, "no dose"))
    driver.take(sequence)
    draw_aorta(driver, sequence)
    driver.estimate()
    assert layout() == KINDS.SlicerLayoutFourUpView
    assert not driver.ui.besideCheckBox.enabled
    assert "weight" in driver.ui.besideCheckBox.toolTip


def test_the_next_scene_begins_with_the_views_from_before(shown: PanelDriver) -> None:
    slicer.mrmlScene.Clear(0)
    process_events()
    assert layout() == KINDS.SlicerLayoutFourUpView
    ready(shown)
    shown.estimate()
    assert layout() == ROWS
