"""Step 1: what a series says, what it lacks, its times, its averages, its anatomy, its parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qt
from panel_driver import PanelDriver, layers
from panel_scenes import ct, draw_aorta, multivolume, part, ready

import slicer
from background.run_cases import scene_sequence
from background.worker_cases import FRAMES
from DynamicPETKineticsLib.scene.load_sequence import add_sequence
from petkinetics.read.series import read_series
from standin.panel.events import process_events


def average_of(volume: Any) -> str:
    """The attribute that says which window a volume is the mean of."""
    return str(volume.GetAttribute("DynamicPET.Average") or "") if volume is not None else ""


# ------------------------------------------------------------------------------------- arriving


def test_a_series_that_came_while_another_module_was_open_is_taken(driver: PanelDriver) -> None:
    driver.shown.exit()
    sequence = scene_sequence()
    driver.shown.enter()
    process_events()
    assert driver.session.sequence == sequence
    assert driver.ui.sequenceSelector.currentNode() is sequence.node
    assert not driver.visible("noSeriesBox")
    assert driver.ui.runButton.toolTip != ""


def test_of_several_the_person_chooses(driver: PanelDriver) -> None:
    driver.shown.exit()
    first, _second = scene_sequence(), scene_sequence()
    driver.shown.enter()
    process_events()
    assert driver.session.sequence is None
    assert not driver.visible("noSeriesBox"), "there are series: it must not say that there is none"
    driver.take(first)
    assert "FDG" in driver.text("summaryLabel")


def test_a_series_from_file_is_offered(driver: PanelDriver, tmp_path: Path) -> None:
    sequence = scene_sequence()
    path = tmp_path / "pet.seq.nrrd"
    assert slicer.util.saveNode(sequence.node, str(path))
    slicer.mrmlScene.Clear(0)
    node = slicer.util.loadNodeFromFile(str(path), "SequenceFile")
    driver.ui.sequenceSelector.setCurrentNode(node)
    process_events()
    assert "19 frames" in driver.text("summaryLabel") and "kBq/mL" in driver.text("summaryLabel")
    draw_aorta(driver, driver.session.sequence)
    assert driver.session.blood.verdict.level != "bad"


def test_changing_the_series_changes_everything(driver: PanelDriver) -> None:
    ready(driver)
    assert driver.session.blood is not None
    driver.take(part(0, 10, "first half"))
    assert "10 frames" in driver.text("summaryLabel")
    assert driver.ui.frameTable.rowCount == 10


# -------------------------------------------------------------------------------------- what is missing


def line(driver: PanelDriver, key: str) -> Any:
    """The field of the form for a value."""
    found = driver.ui.missingBox.findChildren(qt.QLineEdit, "missing_" + key)
    assert found, f"the form does not ask for {key}"
    return found[-1]


def asked(driver: PanelDriver) -> set[str]:
    """What the form asks for."""
    fields = [field for field in driver.ui.missingBox.findChildren(qt.QLineEdit) if not field.isHidden()]
    return {field.objectName.removeprefix("missing_") for field in fields}


def answer(driver: PanelDriver, key: str, text: str) -> None:
    """Type into a field and leave it."""
    field = line(driver, key)
    field.text = text
    field.editingFinished.emit()
    driver.settle(0.05)


def test_a_series_of_another_importer_is_asked_about_and_then_works(driver: PanelDriver) -> None:
    sequence = multivolume()
    driver.take(sequence)
    assert "19 frames" in driver.text("summaryLabel")
    assert "fill in" in driver.text("seriesWarningLabel")
    assert driver.visible("missingBox")
    assert {"frames", "units"} <= asked(driver)
    assert "step 1" in driver.ui.findAortaButton.toolTip
    assert "step 1" in driver.ui.runButton.toolTip
    for key in list(asked(driver)):
        assert line(driver, key).placeholderText, key
    answers = {
        "frames": "3x20,4x60,12x300",
        "first_frame": "0",
        "units": "Bq/mL",
        "decay_corrected_to": "injection",
        "half_life_s": "F-18",
        "injected_activity_mbq": "300",
        "weight_kg": "70",
    }
    for _turn in range(10):
        if not (open_questions := asked(driver)):
            break
        key = sorted(open_questions)[0]
        answer(driver, key, answers[key])
        assert key not in asked(driver), f"{answers[key]} was not taken for {key}"
    assert not driver.visible("missingBox")
    for said in ("kBq/mL", "65 min", "70 kg", "300 MBq"):
        assert said.replace("kBq", "Bq") in driver.text("summaryLabel").replace("kBq", "Bq")
    draw_aorta(driver, driver.session.sequence)
    ki = slicer.util.arrayFromVolume(driver.estimate().maps["ki"])
    assert np.median(ki[ki != 0]) == pytest.approx(0.02, rel=0.1)
    record = driver.result.record
    assert "units" in json.dumps(record), "what was typed must be recorded"


@pytest.mark.parametrize(
    ("key", "nonsense"),
    [
        ("frames", "a few"),
        ("frames", "3x20"),
        ("frames", "18x0,1x5"),
        ("units", "bananas"),
        ("weight_kg", "heavy"),
        ("weight_kg", "7000"),
        ("injected_activity_mbq", "-3"),
    ],
)
def test_nonsense_is_refused_in_words(driver: PanelDriver, key: str, nonsense: str) -> None:
    driver.take(multivolume())
    before = driver.text("summaryLabel")
    answer(driver, key, nonsense)
    assert line(driver, key).text == ""
    # a placeholder would be cut off in a narrow field: the reason stands in a line
    labels = [str(label.text) for label in driver.ui.missingBox.findChildren(qt.QLabel) if not label.isHidden()]
    (said,) = [text.split("⚠")[1] for text in labels if "⚠" in text]
    assert len(said.split()) >= 4
    assert "Error" not in said and "could not convert" not in said and "--" not in said
    assert driver.text("summaryLabel") == before
    assert key in asked(driver)


def test_dose_and_weight_are_asked_for_but_not_needed(driver: PanelDriver) -> None:
    sequence = scene_sequence()
    for name in ("InjectedActivity_MBq", "Weight_kg"):
        sequence.node.RemoveAttribute("DynamicPET." + name)
    driver.take(sequence)
    assert asked(driver) == {"injected_activity_mbq", "weight_kg"}
    assert not driver.ui.windowSuvCheckBox.enabled
    assert driver.ui.earlyButton.enabled
    draw_aorta(driver, sequence)
    assert driver.ui.runButton.enabled
    answer(driver, "injected_activity_mbq", "300")
    answer(driver, "weight_kg", "70,5")
    assert driver.ui.windowSuvCheckBox.enabled
    assert "70.5 kg" in driver.text("summaryLabel")


def test_what_was_assumed_is_said(driver: PanelDriver, patient: Path) -> None:
    import dataclasses

    series = read_series(patient / "dicom")
    warned = dataclasses.replace(series, warnings=("The injection time was taken from the first frame.",))
    node = add_sequence(warned, "FDG")
    driver.ui.sequenceSelector.setCurrentNode(node)
    process_events()
    assert "⚠ The injection time was taken from the first frame." in driver.text("seriesWarningLabel")


# --------------------------------------------------------------------------------------- frame times


def edit(driver: PanelDriver, row: int, column: int, text: str) -> None:
    """Type into a cell of the frame table."""
    driver.ui.frameTable.item(row, column).setText(text)
    process_events()


def test_the_frame_table_is_folded_and_says_its_unit(driver: PanelDriver) -> None:
    driver.take(scene_sequence())
    assert driver.ui.frameTimesBox.collapsed
    table = driver.ui.frameTable
    header = [table.horizontalHeaderItem(i).text() for i in range(table.columnCount)]
    assert header == ["Frame", "Start (s)", "Duration (s)"]
    assert [table.item(0, i).text() for i in range(3)] == ["1", "0", "20"]
    assert not table.item(0, 0).flags() & qt.Qt.ItemIsEditable
    assert table.item(0, 1).flags() & qt.Qt.ItemIsEditable


def test_edited_times_count(driver: PanelDriver) -> None:
    sequence = ready(driver)
    before = driver.estimate().maps["ki"]
    peak_s, _ = driver.session.blood.function.peak
    driver.unfold("frameTimesBox")
    # a scan of twice the length, last frame first so that nothing overlaps meanwhile
    for row in reversed(range(len(FRAMES))):
        edit(driver, row, 1, f"{2 * FRAMES.start_s[row]:g}")
    for row in range(len(FRAMES)):
        edit(driver, row, 2, f"{2 * FRAMES.duration_s[row]:g}")
    assert driver.text("frameTableNote").startswith("Seconds")
    assert "130 min" in driver.text("summaryLabel")
    assert driver.session.blood.function.peak[0] == pytest.approx(2 * peak_s, rel=0.1)
    np.testing.assert_allclose(sequence.timing.end_s, 2 * FRAMES.end_s)
    after = driver.estimate()
    fast, slow = (slicer.util.arrayFromVolume(node) for node in (before, after.maps["ki"]))
    both = (fast > 0) & (slow > 0)
    assert np.median(slow[both]) == pytest.approx(0.5 * np.median(fast[both]), rel=0.15), "Ki is per minute"
    assert "edited" in json.dumps(after.record)


@pytest.mark.parametrize(
    ("column", "text"), [(1, "soon"), (2, "-5"), (2, "0"), (1, "5"), (2, "100000"), (1, "nan"), (2, "")]
)
def test_impossible_times_are_refused_with_a_sentence_and_nothing_changes(
    driver: PanelDriver, column: int, text: str
) -> None:
    sequence = ready(driver)
    driver.unfold("frameTimesBox")
    summary, blood = driver.text("summaryLabel"), driver.session.blood
    before = driver.ui.frameTable.item(3, column).text()
    edit(driver, 3, column, text)
    note = driver.text("frameTableNote")
    assert note.startswith("⚠ Not taken:") and len(note) > 25
    assert "Error" not in note and "could not convert" not in note
    assert driver.ui.frameTable.item(3, column).text() == before
    assert driver.text("summaryLabel") == summary
    assert driver.session.blood is blood
    np.testing.assert_array_equal(sequence.timing.start_s, FRAMES.start_s)
    np.testing.assert_array_equal(sequence.timing.duration_s, FRAMES.duration_s)


# ----------------------------------------------------------------------------------- averages, anatomy


def test_early_and_late_means_come_with_one_click(driver: PanelDriver) -> None:
    driver.take(scene_sequence())
    assert any(char.isdigit() for char in driver.ui.earlyButton.text), "the button says its window"
    for button in ("earlyButton", "lateButton"):
        driver.click(button)
        for background, _foreground, _opacity in layers().values():
            assert average_of(background).startswith("activity")
    early, late = (n for n in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if average_of(n))
    if average_of(early).split()[1] > average_of(late).split()[1]:
        early, late = late, early
    count = len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"))
    driver.click("earlyButton")
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == count, "the same window is the same volume"


def test_a_window_of_ones_own(driver: PanelDriver) -> None:
    sequence = scene_sequence()
    driver.take(sequence)
    ui = driver.ui
    assert not driver.visible("otherWindowBox")
    ui.otherWindowButton.click()
    assert driver.visible("otherWindowBox")
    ui.windowFromSpin.value, ui.windowToSpin.value = 40.0, 60.0
    driver.click("windowButton")
    shown = next(iter(layers().values()))[0]
    frames = [slicer.util.arrayFromVolume(sequence.node.GetNthDataNode(i)) for i in range(len(FRAMES))]
    inside = [i for i in range(len(FRAMES)) if FRAMES.start_s[i] >= 2400 and FRAMES.end_s[i] <= 3600]
    np.testing.assert_allclose(
        slicer.util.arrayFromVolume(shown), np.mean([frames[i] for i in inside], axis=0), rtol=1e-4
    )
    ui.windowSuvCheckBox.checked = True
    driver.click("windowButton")
    suv = next(iter(layers().values()))[0]
    np.testing.assert_allclose(
        slicer.util.arrayFromVolume(suv), slicer.util.arrayFromVolume(shown) * 70.0 / 300.0, rtol=1e-4
    )
    ui.windowFromSpin.value, ui.windowToSpin.value = 60.0, 40.0
    driver.click("windowButton")
    assert driver.text("seriesWarningLabel").startswith("⚠")
    ui.windowFromSpin.value, ui.windowToSpin.value = 40.0, 60.0
    driver.click("windowButton")
    assert driver.text("seriesWarningLabel") == "", "a reason that holds no more must go"


def test_the_ct_of_the_same_patient_is_preselected_and_lies_under_the_pet(driver: PanelDriver) -> None:
    volume = ct()
    driver.take(scene_sequence())
    assert driver.state.anatomy is volume
    assert driver.ui.anatomySelector.currentNode() is volume
    for background, foreground, opacity in layers().values():
        assert background is volume
        assert foreground is driver.session.sequence.proxy
        assert opacity == 0.5
    driver.ui.anatomySelector.setCurrentNode(None)
    process_events()
    assert all(average_of(background) for background, *_rest in layers().values())
    driver.ui.anatomySelector.setCurrentNode(volume)
    process_events()
    assert all(background is volume for background, *_rest in layers().values())


def test_maps_lie_over_the_ct(driver: PanelDriver) -> None:
    volume = ct()
    ready(driver)
    result = driver.estimate()
    assert all(b is volume and f is result.maps["ki"] for b, f, _opacity in layers().values())


# ------------------------------------------------------------------------------------------- joining


def test_the_parts_of_a_scan_are_joined(driver: PanelDriver) -> None:
    early, late = part(0, 9, "early"), part(9, len(FRAMES), "late")
    driver.take(late)
    assert driver.visible("joinButton")
    driver.click("joinButton")
    joined = driver.session.sequence
    assert joined not in (early, late)
    assert f"{len(FRAMES)} frames" in driver.text("summaryLabel")
    np.testing.assert_allclose(joined.timing.start_s, FRAMES.start_s)
    assert driver.ui.frameTable.rowCount == len(FRAMES)
    assert not driver.visible("joinButton")
    draw_aorta(driver, joined)
    assert driver.estimate().sequence == joined


def test_nothing_is_offered_to_join_where_there_is_one_series(driver: PanelDriver) -> None:
    driver.take(scene_sequence())
    assert not driver.visible("joinButton")
