"""Step 2: the blood curve from segment and file, plasma, what is said of bad regions, saving; and the drawing of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from panel_driver import PanelDriver
from panel_scenes import ready

import slicer
from background.run_cases import scene_sequence
from background.worker_cases import FRAMES, save_blood
from DynamicPETKineticsLib.regions.aorta_segment import add_aorta, input_segmentation
from standin.panel.brush import paint_sphere
from standin.panel.events import process_events


def picture(driver: PanelDriver) -> bytes:
    """The drawn curve."""
    image = driver.ui.curveView.pixmap.toImage()
    return bytes(image.constBits())


def from_file(driver: PanelDriver, path: Path | None) -> None:
    """Choose a table of a blood curve."""
    driver.ui.inputSourceCombo.setCurrentIndex(1)
    with driver.answering(file=path):
        driver.click("curveFileButton")


# ----------------------------------------------------------------------------------------- the drawing


def test_drawing_from_nothing_with_the_brush(driver: PanelDriver) -> None:
    driver.take(scene_sequence())
    empty = picture(driver)
    driver.click("editAortaButton")
    editor = driver.panel.input.editor._widget
    assert driver.session.blood.verdict.level == "bad"
    assert driver.text("verdictLabel").startswith("✗")
    # in the vessel (rows and columns 10-13 of 24, 4 mm apart from -40): LPS 6 mm, so RAS -6
    for z in (-16.0, -10.0, -4.0):
        paint_sphere(editor, (-6.0, -6.0, z))
        driver.settle(0.02)
    assert driver.session.blood.verdict.level in ("good", "check")
    assert driver.session.blood.peak_kbq_per_ml == pytest.approx(60.0, rel=0.4)
    assert picture(driver) != empty
    volume = driver.session.blood.volume_ml
    driver.click("undoButton")
    driver.settle(0.02)
    assert driver.session.blood.volume_ml < volume
    driver.click("redoButton")
    driver.settle(0.02)
    assert driver.session.blood.volume_ml == pytest.approx(volume)
    editor.setActiveEffectByName("Erase")
    paint_sphere(editor, (-6.0, -6.0, -10.0))
    driver.settle(0.02)
    assert driver.session.blood.volume_ml < volume
    driver.click("doneButton")
    assert not driver.visible("editorBox")
    assert not driver.ui.editAortaButton.checked


def test_every_brush_of_the_editor_is_a_ball_of_10_mm(driver: PanelDriver) -> None:
    ready(driver)
    driver.click("editAortaButton")
    editor = driver.panel.input.editor._widget
    for name in ("Paint", "Erase"):
        editor.setActiveEffectByName(name)
        effect = editor.activeEffect()
        assert effect.integerParameter("BrushSphere") == 1, name
        assert effect.integerParameter("BrushDiameterIsRelative") == 0, name
        assert effect.doubleParameter("BrushAbsoluteDiameter") == 10.0, name


def test_editing_goes_on_where_it_was_left(driver: PanelDriver) -> None:
    ready(driver)
    segment = driver.state.inputSegment
    for _turn in range(2):
        driver.click("editAortaButton")
        assert driver.panel.input.editor._widget.currentSegmentID() == segment
        assert driver.state.inputSegment == segment
        driver.click("editAortaButton")
    assert driver.state.inputSegmentation.GetSegmentation().GetNumberOfSegments() == 1


def test_no_brush_stays_active_when_another_module_is_opened(driver: PanelDriver) -> None:
    from standin.panel.segment_editor import has_shortcuts

    ready(driver)
    driver.click("editAortaButton")
    editor = driver.panel.input.editor._widget
    assert has_shortcuts(editor)
    driver.shown.exit()
    assert editor.activeEffect() is None
    assert not has_shortcuts(editor)
    driver.shown.enter()


def test_tissue_is_no_input_function_and_cannot_be_used(driver: PanelDriver) -> None:
    sequence = scene_sequence()
    driver.take(sequence)
    tissue = np.zeros(sequence.geometry.shape, dtype=bool)
    tissue[2:4, 5:8, 5:8] = True
    segmentation = input_segmentation(sequence)
    driver.panel.input.take_segment(segmentation, add_aorta(segmentation, tissue, sequence.geometry))
    assert driver.text("verdictLabel").startswith("✗ Not an input function")
    assert not driver.ui.runButton.enabled
    assert "no input function" in driver.ui.runButton.toolTip


def test_a_found_aorta_that_cannot_be_taken_is_said(driver: PanelDriver) -> None:
    sequence = scene_sequence()
    driver.take(sequence)
    driver.click("findAortaButton")
    search = driver.panel.input._search
    search.cancel()
    driver.until(lambda: not search.running, "the search to stop")
    empty = np.zeros(sequence.geometry.shape, dtype=bool)
    search.finished.emit(empty, sequence.geometry, "The aorta was found.")
    assert driver.text("aortaStatusLabel") == "⚠ The proposed aorta is empty. Draw it: press Edit."
    search.finished.emit(None, sequence.geometry, "The aorta was found.")
    assert driver.text("aortaStatusLabel").startswith("⚠ An unexpected fault occurred")
    assert driver.ui.findAortaButton.text == "Find aorta" and driver.ui.findAortaButton.enabled


def test_a_deleted_segment_is_noticed(driver: PanelDriver) -> None:
    ready(driver)
    driver.state.inputSegmentation.GetSegmentation().RemoveSegment(driver.state.inputSegment)
    driver.settle(0.05)
    assert not driver.ui.runButton.enabled
    driver.click("editAortaButton")
    driver.click("doneButton")


def test_jump_to_aorta(driver: PanelDriver) -> None:
    ready(driver)
    driver.click("jumpToAortaButton")
    at = [node.GetSliceToRAS().GetElement(2, 3) for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")]
    # the middle of the vessel's slices, -16 to -4
    assert any(z == pytest.approx(-10.0, abs=2.5) for z in at)


# -------------------------------------------------------------------------------------------- plasma


def test_plasma_by_ratio_and_by_haematocrit_changes_curve_label_and_ki(driver: PanelDriver) -> None:
    ready(driver)
    assert not driver.visible("plasmaSpin")
    blood = driver.session.blood.function
    np.testing.assert_array_equal(blood.plasma_kbq_per_ml, blood.whole_blood_kbq_per_ml)
    whole = driver.estimate()
    assert whole.ki_label == "Ki (whole-blood input)"
    assert "whole blood" in driver.text("mapNoteLabel")
    driver.ui.plasmaCombo.setCurrentIndex(1)
    process_events()
    assert driver.visible("plasmaSpin")
    assert driver.ui.plasmaSpin.value == pytest.approx(1.1)
    driver.ui.plasmaSpin.value = 1.25
    curve = driver.session.blood.function
    np.testing.assert_allclose(curve.plasma_kbq_per_ml, 1.25 * curve.whole_blood_kbq_per_ml)
    plasma = driver.estimate()
    assert plasma.ki_label == "Ki"
    assert driver.ui.mapCombo.itemText(0) == "Ki [mL/min/mL]"
    both = [slicer.util.arrayFromVolume(result.maps["ki"]) for result in (whole, plasma)]
    inside = (both[0] > 0) & (both[1] > 0)
    assert np.median(both[1][inside]) == pytest.approx(np.median(both[0][inside]) / 1.25, rel=0.02)
    driver.ui.plasmaCombo.setCurrentIndex(2)
    process_events()
    assert driver.ui.plasmaSpin.value == pytest.approx(0.42)
    assert 1.0 < driver.session.blood.function.plasma_kbq_per_ml[-1] / curve.whole_blood_kbq_per_ml[-1] < 1.3
    driver.ui.plasmaCombo.setCurrentIndex(1)
    process_events()
    assert driver.ui.plasmaSpin.value == pytest.approx(1.25), "what was typed is kept"


# ----------------------------------------------------------------------------------------- files


def test_a_curve_from_file_drives_the_estimate(driver: PanelDriver, tmp_path: Path) -> None:
    driver.take(scene_sequence())
    save_blood(tmp_path / "arterial samples.tsv")
    from_file(driver, tmp_path / "arterial samples.tsv")
    assert not driver.visible("aortaBox")
    assert driver.text("curveFileLabel") == "arterial samples.tsv"
    # "check": the file does not state its units
    assert driver.session.blood.verdict.level in ("good", "check"), driver.text("verdictLabel")
    assert driver.session.blood.frames is None
    result = driver.estimate()
    ki = slicer.util.arrayFromVolume(result.maps["ki"])
    assert np.median(ki[ki != 0]) == pytest.approx(0.02, rel=0.1)


def test_closing_the_dialog_changes_nothing(driver: PanelDriver) -> None:
    driver.take(scene_sequence())
    from_file(driver, None)
    assert driver.session.blood is None
    assert not driver.ui.runButton.enabled
    driver.ui.inputSourceCombo.setCurrentIndex(0)
    assert driver.visible("aortaBox")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.tsv", b""),
        ("prose.txt", b"The patient was fine.\n"),
        ("binary.csv", bytes(range(256))),
        ("gone.tsv", None),
    ],
)
def test_a_file_that_is_no_curve_is_refused_in_words(
    driver: PanelDriver, tmp_path: Path, name: str, content: bytes | None
) -> None:
    driver.take(scene_sequence())
    if content is not None:
        (tmp_path / name).write_bytes(content)
    from_file(driver, tmp_path / name)
    said = driver.text("verdictLabel")
    assert said.startswith("✗") and len(said) > 30
    assert "Traceback" not in said and "--" not in said
    assert not driver.ui.runButton.enabled


def test_the_curve_is_saved_and_read_back(driver: PanelDriver, tmp_path: Path) -> None:
    ready(driver)
    with driver.answering(file=tmp_path / "curve.tsv"):
        driver.click("saveCurveButton")
    saved = driver.session.blood.function
    from_file(driver, tmp_path / "curve.tsv")
    read = driver.session.blood.function
    at = np.linspace(0.0, float(FRAMES.end_s[-1]), 200)
    np.testing.assert_allclose(
        np.interp(at, read.time_s, read.whole_blood_kbq_per_ml),
        np.interp(at, saved.time_s, saved.whole_blood_kbq_per_ml),
        rtol=1e-3,
        atol=1e-3,
    )
    assert json.loads((tmp_path / "curve.json").read_text())


def test_a_place_that_cannot_be_written_is_said(driver: PanelDriver, tmp_path: Path) -> None:
    ready(driver)
    with driver.answering(file=tmp_path / "no such folder" / "curve.tsv"):
        driver.click("saveCurveButton")
    assert driver.text("aortaStatusLabel").startswith("⚠")


# ------------------------------------------------------------------------------------------- the speed


def test_a_stroke_costs_little(driver: PanelDriver) -> None:
    """The time at full size is a benchmark; here, in processor time: far less than reading the series."""
    import time

    ready(driver, (24, 96, 96))
    begin = time.thread_time()
    driver.panel.input.measure()
    assert time.thread_time() - begin < 0.3


def test_the_series_is_held_once(driver: PanelDriver) -> None:
    """The browser's volume shows a frame, it has no copy of all."""
    sequence = ready(driver)
    volumes: list[Any] = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    frames = sequence.node.GetNumberOfDataNodes()
    assert len(volumes) <= 4 < frames, [volume.GetName() for volume in volumes]


def test_strokes_are_followed_in_new_contents_and_no_more_in_the_old() -> None:
    """A script may give the segmentation node other contents."""
    from DynamicPETKineticsLib.panel.stroke_watch import StrokeWatch

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    old, new, told = node.GetSegmentation(), slicer.vtkSegmentation(), []
    watch = StrokeWatch(lambda: told.append(1))
    watch.watch(node)
    node.SetAndObserveSegmentation(new)
    watch.watch(node)
    new.AddEmptySegment("a")
    process_events()
    assert told == [1]
    old.AddEmptySegment("b")
    process_events()
    assert told == [1]
    watch.close()
    new.AddEmptySegment("c")
    process_events()
    assert told == [1]
