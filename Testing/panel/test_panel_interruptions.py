"""A run that is stopped, by the person, the scene, the system or a crash: said, cleaned up, and the next one works."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from panel_driver import Launched, PanelDriver
from panel_scenes import ready

import slicer
from background.run_cases import scene_sequence
from background.worker_cases import alive, gone_within
from DynamicPETKineticsLib.results.result_nodes import all_results

LONG = (64, 128, 128)


def nothing_is_left(driver: PanelDriver) -> None:
    """No result, no map, no worker, no folder; the panel can be used."""
    assert all_results() == []
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert [node.GetName() for node in volumes if node.GetAttribute("DynamicPET.Map")] == []
    driver.until(lambda: driver.leftovers() == [], "the temporary folder to go", 10.0)
    assert driver.ui.runButton.text == "Run"
    assert not driver.visible("progressBar")


def runs_again(driver: PanelDriver) -> None:
    """A second run, on a small series, after whatever happened to the first."""
    ready(driver)
    result = driver.estimate()
    ki = slicer.util.arrayFromVolume(result.maps["ki"])
    assert np.median(ki[ki != 0]) == pytest.approx(0.02, rel=0.1)
    driver.until(lambda: driver.leftovers() == [], "the temporary folder to go", 10.0)


@pytest.fixture
def running(driver: PanelDriver) -> PanelDriver:
    """An estimate is well under way."""
    ready(driver, LONG)
    driver.start("gaussian")
    driver.until_computing()
    return driver


def test_cancel(running: PanelDriver) -> None:
    pid = running.worker_pid
    assert running.ui.runButton.text == "Cancel"
    running.click("runButton")
    assert running.end() == "Cancelled."
    assert not alive(pid)
    nothing_is_left(running)
    runs_again(running)


def test_cancel_while_the_series_is_handed_over(driver: PanelDriver) -> None:
    ready(driver, LONG)
    driver.start("gaussian")
    driver.click("runButton")
    assert driver.end() == "Cancelled."
    nothing_is_left(driver)
    runs_again(driver)


def test_scene_closed(running: PanelDriver) -> None:
    pid = running.worker_pid
    slicer.mrmlScene.Clear(0)
    running.until(lambda: not running.panel.estimate.running, "the run to stop")
    assert gone_within(pid, 5.0)
    nothing_is_left(running)
    assert running.session.sequence is None
    assert running.visible("noSeriesBox")
    assert not running.ui.runButton.enabled
    assert running.state is not None, "the panel must work on the new scene's parameter node"
    runs_again(running)


def test_series_deleted(running: PanelDriver) -> None:
    pid = running.worker_pid
    node = running.session.sequence.node
    slicer.mrmlScene.RemoveNode(node)
    said = running.end()
    assert "removed" in said and node.GetName() in said
    assert gone_within(pid, 5.0)
    nothing_is_left(running)
    assert not running.ui.runButton.enabled
    runs_again(running)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV], ids=["killed", "crashed"])
def test_worker_gone_behind_the_launcher(running: PanelDriver, how: signal.Signals) -> None:
    os.kill(running.worker_pid, how)
    said = running.end()
    assert said.startswith("✗") and "unexpectedly" in said
    assert running.visible("runStatusLabel")
    nothing_is_left(running)
    assert running.ui.runButton.enabled
    runs_again(running)


def test_worker_that_cannot_be_started(driver: PanelDriver, qt_errors: Any) -> None:
    ready(driver)
    services = driver.session.services
    with (
        patch.object(services, "process", Launched.__mro__[1]),
        patch.object(services, "python", lambda: "/no/such/PythonSlicer"),
    ):
        driver.start()
        said = driver.end()
    assert said.startswith("✗") and "could not be started" in said
    qt_errors.take()
    nothing_is_left(driver)
    runs_again(driver)


def test_quitting_takes_the_worker_along(running: PanelDriver) -> None:
    pid = running.worker_pid
    slicer.app.aboutToQuit.emit()
    assert gone_within(pid, 5.0)
    assert running.leftovers() == []


def test_another_module_may_be_opened_meanwhile(running: PanelDriver) -> None:
    running.shown.exit()
    assert running.end().startswith("✓")
    running.shown.enter()
    assert len(all_results()) == 1
    assert running.ui.resultCombo.count == 1


def test_the_scene_may_be_closed_while_another_module_is_open(running: PanelDriver) -> None:
    running.shown.exit()
    slicer.mrmlScene.Clear(0)
    running.until(lambda: not running.panel.estimate.running, "the run to stop")
    running.shown.enter()
    nothing_is_left(running)
    runs_again(running)


def test_other_steps_can_be_used_meanwhile(running: PanelDriver) -> None:
    running.click("earlyButton")
    running.choose("plasmaCombo", running.ui.plasmaCombo.itemText(1))
    assert running.ui.runButton.text == "Cancel"
    assert running.end().startswith("✓")


def test_the_search_for_the_aorta_can_be_stopped(driver: PanelDriver) -> None:
    driver.take(scene_sequence(LONG))
    driver.click("findAortaButton")
    assert driver.ui.findAortaButton.text == "Stop searching"
    driver.until(lambda: "%" in driver.text("aortaStatusLabel"), "progress")
    driver.click("findAortaButton")
    driver.until(lambda: not driver.panel.input._search.running, "the search to stop")
    assert driver.ui.findAortaButton.text == "Find aorta"
    assert driver.text("aortaStatusLabel") == ""
    driver.until(lambda: driver.leftovers() == [], "the temporary folder to go", 10.0)


@pytest.mark.parametrize("happening", ["closed", "deleted"])
def test_a_scene_that_goes_away_stops_the_search(driver: PanelDriver, happening: str) -> None:
    sequence = scene_sequence(LONG)
    driver.take(sequence)
    driver.click("findAortaButton")
    search = driver.panel.input._search
    if happening == "closed":
        slicer.mrmlScene.Clear(0)
    else:
        slicer.mrmlScene.RemoveNode(sequence.node)
    driver.until(lambda: not search.running, "the search to stop")
    assert driver.ui.findAortaButton.text == "Find aorta"
    assert not driver.ui.findAortaButton.enabled
    runs_again(driver)


def test_simulating_can_be_cancelled(driver: PanelDriver, tmp_path: Path) -> None:
    manager = slicer.mrmlScene.GetCacheManager()
    before = manager.GetRemoteCacheDirectory()
    manager.SetRemoteCacheDirectory(str(tmp_path / "cache"))
    try:
        driver.click("sampleButton")
        assert driver.ui.sampleButton.text == "Cancel"
        pid = driver.worker_pid
        driver.until(lambda: "%" in driver.text("noSeriesLabel"), "progress")
        driver.click("sampleButton")
        driver.until(lambda: driver.ui.sampleButton.text != "Cancel", "the simulation to stop")
        assert driver.text("noSeriesLabel") == "Cancelled."
        assert gone_within(pid, 5.0)
        assert [path for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".")] == []
    finally:
        manager.SetRemoteCacheDirectory(before)


def _close() -> None:
    slicer.mrmlScene.Clear(0)


def _remove_segmentation() -> None:
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        slicer.mrmlScene.RemoveNode(node)


@pytest.mark.parametrize("happening", [_close, _remove_segmentation], ids=["scene closed", "segmentation deleted"])
def test_while_the_brush_is_in_hand(driver: PanelDriver, happening: Callable[[], None]) -> None:
    ready(driver)
    driver.click("editAortaButton")
    assert driver.visible("editorBox")
    happening()
    driver.settle(0.1)
    assert not driver.ui.runButton.enabled
    if happening is _close:
        assert not driver.visible("editorBox")
        assert not driver.ui.editAortaButton.checked
    else:
        assert driver.session.blood is None
        assert not driver.ui.jumpToAortaButton.enabled
        driver.ui.editAortaButton.checked = False
    runs_again(driver)
    driver.click("editAortaButton")
    driver.click("doneButton")


def test_results_and_maps_that_are_deleted_leave_the_panel(driver: PanelDriver) -> None:
    ready(driver)
    first = driver.estimate()
    second = driver.estimate("gaussian")
    slicer.mrmlScene.RemoveNode(second.maps["v0"])
    driver.settle(0.05)
    assert "V0" in driver.text("mapNoteLabel")
    second.remove()
    driver.settle(0.05)
    assert driver.ui.resultCombo.count == 1
    assert driver.ui.resultCombo.currentText == first.name
    first.remove()
    driver.settle(0.05)
    assert driver.ui.resultCombo.count == 0
    for name in ("exportButton", "reportButton", "csvButton", "autoRangeButton"):
        button = getattr(driver.ui, name)
        assert not button.enabled
        assert "no result" in button.toolTip
    runs_again(driver)
