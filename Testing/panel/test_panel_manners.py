"""The panel's manners: what cannot be pressed says why, and the line that research is not diagnosis stays in sight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import qt
from panel_driver import STEPS, PanelDriver
from panel_scenes import draw_aorta, multivolume

import slicer
from background.run_cases import scene_sequence
from DynamicPETKineticsLib.runs.methods import METHODS
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.load_sequence import add_sequence
from petkinetics.read.series import read_series
from standin.panel.events import process_events

#: fields, switches and buttons of the panel, as Designer names them
ENDINGS = ("Button", "CheckBox", "Combo", "Spin", "Slider", "Selector")


def controls(driver: PanelDriver) -> dict[str, Any]:
    """Everything a person can press, turn or choose, by name."""
    root = driver.ui.seriesStep.parentWidget()
    found = {str(w.objectName): w for w in root.findChildren(qt.QWidget) if str(w.objectName).endswith(ENDINGS)}
    return {name: widget for name, widget in found.items() if not name.startswith("qt_") and hasattr(driver.ui, name)}


def disabled(driver: PanelDriver) -> dict[str, str]:
    """Tooltips of the buttons that are shown and cannot be pressed."""
    process_events()
    return {
        name: str(widget.toolTip)
        for name, widget in controls(driver).items()
        if name.endswith(("Button", "CheckBox")) and driver.visible(name) and not widget.enabled
    }


def unfolded(driver: PanelDriver) -> None:
    """Open every section."""
    for name in (*STEPS, "frameTimesBox", "moreOptionsBox", "logBox", "agreementBox"):
        driver.unfold(name)


def test_what_is_disabled_says_what_is_missing_in_every_state(driver: PanelDriver) -> None:
    unfolded(driver)
    seen: dict[str, set[str]] = {}

    def look(state: str, expected: set[str]) -> None:
        tips = disabled(driver)
        assert expected <= set(tips), (state, expected - set(tips))
        for name, tip in tips.items():
            assert tip and tip.rstrip().endswith("."), (state, name, tip)
            seen.setdefault(name, set()).add(tip)

    begin = {"findAortaButton", "editAortaButton", "runButton", "earlyButton", "exportButton", "reportButton"}
    look("empty scene", begin | {"sphereButton", "saveCurveButton", "csvButton", "agreementPlotButton"})
    assert "step 1" in driver.ui.runButton.toolTip
    lacking = multivolume()
    driver.take(lacking)
    look("a series that lacks its times", {"findAortaButton", "runButton", "earlyButton"})
    assert "step 1" in driver.ui.findAortaButton.toolTip
    sequence = scene_sequence()
    driver.take(sequence)
    look("a series", {"runButton", "jumpToAortaButton", "saveCurveButton"})
    assert "step 2" in driver.ui.runButton.toolTip
    draw_aorta(driver, sequence)
    look("a blood curve", {"exportButton", "reportButton"})
    assert "step 3" in driver.ui.exportButton.toolTip
    for method in METHODS:
        driver.choose("methodCombo", method.name)
        look(method.name, set())
    driver.estimate()
    look("a result", {"csvButton", "regionCurvesButton", "agreementPlotButton"})
    assert "region" in driver.ui.regionCurvesButton.toolTip
    driver.sphere((-6.0, -6.0, -10.0))
    look("a region", {"agreementPlotButton"})
    assert "second method" in driver.ui.agreementPlotButton.toolTip
    driver.estimate("gaussian")
    driver.until(lambda: set(disabled(driver)) <= {"tStarAutoCheckBox"}, "regions and maps to be measured")
    # a reason is not the description of what the button does
    for name, tips in seen.items():
        assert str(getattr(driver.ui, name).toolTip) not in tips, f"{name} describes itself instead of saying why"


def test_every_control_has_a_tooltip_in_plain_words(driver: PanelDriver) -> None:
    unfolded(driver)
    sequence = scene_sequence()
    driver.take(sequence)
    draw_aorta(driver, sequence)
    driver.estimate()
    silent = [name for name, widget in controls(driver).items() if not str(widget.toolTip).strip()]
    assert silent == []
    for name, widget in controls(driver).items():
        tip = str(widget.toolTip)
        assert (tip[0].isupper() or tip.startswith("t*")) and "--" not in tip and "_" not in tip, (name, tip)
    for name, unit in {
        "windowFromSpin": "minute",
        "tStarSpin": "minute",
        "untilSpin": "minute",
        "glucoseSpin": "mmol/L",
        "sphereSpin": "mm",
    }.items():
        widget = getattr(driver.ui, name)
        assert unit in f"{widget.toolTip} {widget.suffix}", name


def test_every_method_has_a_sentence_and_its_minutes(driver: PanelDriver) -> None:
    driver.take(scene_sequence())
    driver.unfold("estimateStep")
    for method in METHODS:
        driver.choose("methodCombo", method.name)
        said = driver.text("methodSentenceLabel")
        assert said.startswith(method.sentence)
        assert said.endswith("on this computer.")
        assert driver.ui.tStarSpin.enabled == method.uses_t_star
        assert driver.state.method == method.name


def test_options_reach_the_engine(driver: PanelDriver) -> None:
    sequence = scene_sequence()
    driver.take(sequence)
    draw_aorta(driver, sequence)
    unfolded(driver)
    ui = driver.ui
    ui.tStarSpin.value, ui.untilSpin.value = 20.0, 50.0
    driver.choose("maskCombo", ui.maskCombo.itemText(1))
    ui.glucoseSpin.value, ui.lumpedSpin.value = 5.5, 0.7
    options = driver.estimate().record
    assert options["t_star_min"] == 20.0
    assert options["until_min"] == 50.0
    ki, glucose = (slicer.util.arrayFromVolume(driver.result.maps[name]) for name in ("ki", "mrglc"))
    # Ki times glucose (µmol/mL) over the lumped constant
    np.testing.assert_allclose(glucose[ki > 0.005], ki[ki > 0.005] * 5.5 / 0.7, rtol=1e-3)


def test_motion_is_said_in_a_line(driver: PanelDriver, patient: Path) -> None:
    driver.unfold("estimateStep")
    node = add_sequence(read_series(patient / "dicom"), "FDG")
    sequence, said = DynamicSequence(node), []
    for shift in (0, 3):
        for frame in range(24, 28):
            voxels = slicer.util.arrayFromVolume(node.GetNthDataNode(frame))
            voxels[:] = np.roll(voxels, shift, axis=1)
        driver.ui.sequenceSelector.setCurrentNode(None)
        driver.take(sequence)
        watch = driver.panel.estimate._motion
        driver.until(lambda watch=watch: not watch._steps.running, "the search for motion")  # type: ignore[misc]
        said.append(driver.text("motionLabel"))
    assert said[0] == ""
    assert said[1].startswith("⚠") and "voxel" in said[1]


def test_nothing_is_asked_in_a_pop_up(driver: PanelDriver, tmp_path: Path) -> None:
    """Through a whole run no window but the panel's is opened."""
    sequence = scene_sequence()
    driver.take(sequence)
    draw_aorta(driver, sequence)
    driver.estimate()
    driver.export("exportButton", tmp_path)  # without source files: a line, not a box
    assert driver.text("exportStatusLabel").startswith("⚠")
    assert driver.visible("locateButton")
    windows = [w for w in qt.QApplication.topLevelWidgets() if w.isVisible() and w is not driver.shown]
    assert windows == []


def test_the_step_that_follows_is_opened_and_what_was_closed_stays_closed(driver: PanelDriver) -> None:
    ui = driver.ui
    assert [bool(getattr(ui, name).collapsed) for name in STEPS] == [False, True, True, True]
    sequence = scene_sequence()
    driver.take(sequence)
    assert not ui.inputStep.collapsed
    draw_aorta(driver, sequence)
    assert not ui.estimateStep.collapsed
    ui.inputStep.collapsed = True
    driver.estimate()
    assert not ui.reviewStep.collapsed
    assert ui.inputStep.collapsed
