"""Two patients in one scene: what is shown, measured and written of one never comes from the other."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from panel_driver import PanelDriver, layers
from panel_scenes import ct, draw_aorta, ready

import slicer
from background.run_cases import scene_sequence
from DynamicPETKineticsLib.regions.region_curves import region_tacs
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.window_average import is_average_of
from standin.panel.events import process_events


def another(factor: float = 2.0) -> DynamicSequence:
    """A series of the same frames and grid with other activities."""
    sequence = scene_sequence()
    for i in range(sequence.node.GetNumberOfDataNodes()):
        slicer.util.arrayFromVolume(sequence.node.GetNthDataNode(i))[:] *= factor
    return sequence


def test_curves_and_tables_of_a_result_are_of_its_own_series(driver: PanelDriver, tmp_path: Path) -> None:
    first = ready(driver)
    driver.estimate()
    driver.sphere((0.0, 0.0, -8.0))
    expected = region_tacs(first, driver.state.regions)[0].mean
    driver.take(another())
    assert driver.result.sequence == first, "the result stays chosen"
    driver.until(lambda: bool(driver.panel.review.regions.rows), "the region table")
    assert driver.export("csvButton", folder=tmp_path).startswith("✓")
    (path,) = tmp_path.glob("region_curves_*.csv")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    np.testing.assert_allclose([float(row["Sphere 1"]) for row in rows], expected, rtol=1e-4)
    driver.click("regionCurvesButton")
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    table = chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    shown = [table.GetColumnByName("Sphere 1").GetValue(row) for row in range(table.GetNumberOfRows())]
    np.testing.assert_allclose(shown, expected, rtol=1e-6)


def test_a_result_whose_series_is_gone_takes_no_other_patients(driver: PanelDriver) -> None:
    first = ready(driver)
    result = driver.estimate()
    other = another()
    other.node.SetAttribute("DynamicPET.SourceSeriesUIDs", "1.2.3")
    driver.take(other)
    slicer.mrmlScene.RemoveNode(first.node)
    driver.settle()
    assert driver.result == result
    assert driver.session.series_of_result is None
    driver.sphere((0.0, 0.0, -8.0))
    driver.until(lambda: bool(driver.panel.review.regions.rows), "the region table")
    assert {row["se"] for row in driver.panel.review.regions.rows} == {None}
    assert not driver.ui.regionCurvesButton.enabled
    other.node.RemoveAttribute("DynamicPET.SourceSeriesUIDs")
    assert driver.session.series_of_result == other, "the same scan, loaded again, has its place"


def test_maps_are_never_filed_with_another_patients_series(driver: PanelDriver, tmp_path: Path) -> None:
    ready(driver)
    driver.estimate()
    other = another()
    other.node.SetAttribute("DynamicPET.SourceSeriesUIDs", "1.2.3")
    other.node.SetAttribute("DynamicPET.SourceFolder", str(tmp_path))
    driver.take(other)
    said = driver.export("exportButton", folder=tmp_path / "dicom")
    assert said.startswith("⚠") and "did not come from DICOM" in said


def test_a_closed_scene_leaves_no_word_of_its_files(driver: PanelDriver, tmp_path: Path) -> None:
    ready(driver)
    driver.estimate()
    assert driver.export("exportButton", folder=tmp_path).startswith("⚠")
    assert driver.visible("locateButton")
    slicer.mrmlScene.Clear(0)
    process_events()
    assert driver.text("exportStatusLabel") == ""
    assert not driver.visible("locateButton")


# ------------------------------------------------------------------------------------------- images


def backgrounds() -> list[Any]:
    return [background for background, *_rest in layers().values()]


def test_a_map_lies_over_its_own_patient(driver: PanelDriver) -> None:
    first = ready(driver)
    result = driver.estimate()
    anatomy = ct()
    driver.take(another())
    driver.ui.anatomySelector.setCurrentNode(anatomy)
    process_events()
    driver.choose("mapCombo", "v0")
    assert all(foreground is result.maps["v0"] for _below, foreground, _opacity in layers().values())
    assert all(is_average_of(volume, first.node) for volume in backgrounds())


def test_a_run_that_ends_when_another_patient_is_shown_lies_over_its_own(driver: PanelDriver) -> None:
    first = ready(driver)
    driver.start()
    driver.take(another())
    assert driver.end().startswith("✓")
    assert driver.result.sequence == first
    assert all(is_average_of(volume, first.node) for volume in backgrounds())


# ------------------------------------------------------------------------------------------- choices


@pytest.fixture
def patients(driver: PanelDriver) -> tuple[DynamicSequence, DynamicSequence]:
    """The first is chosen, its aorta and a region drawn, its glucose and haematocrit typed."""
    first = scene_sequence()
    first.node.SetAttribute("DynamicPET.FrameOfReferenceUID", "1.1")
    driver.take(first)
    draw_aorta(driver, first)
    second = another()
    second.node.SetAttribute("DynamicPET.FrameOfReferenceUID", "2.2")
    driver.ui.glucoseSpin.value = 5.0
    driver.choose("plasmaCombo", driver.ui.plasmaCombo.itemText(2))
    driver.ui.plasmaSpin.value = 0.31
    driver.sphere((0.0, 0.0, -8.0))
    return first, second


def test_nothing_of_the_patient_before_is_used(
    driver: PanelDriver, patients: tuple[DynamicSequence, DynamicSequence], tmp_path: Path
) -> None:
    first, second = patients
    drawn, regions = driver.state.inputSegmentation, driver.state.regions
    driver.state.anatomy = ct()
    driver.state.inputFile = str(tmp_path / "Doe.tsv")
    driver.click("editAortaButton")
    driver.take(second)
    state = driver.state
    assert state.inputSegmentation is None and state.inputSegment == "" and driver.session.blood is None
    assert state.regions is None
    assert (state.inputFile, state.glucose, state.plasmaKind) == ("", 0.0, "none")
    assert "Doe" not in str(driver.ui.curveFileLabel.text)
    assert not driver.ui.editAortaButton.checked
    assert "Another patient" in driver.text("aortaStatusLabel")
    assert not driver.ui.runButton.enabled
    draw_aorta(driver, second)
    assert driver.state.inputSegmentation is not drawn
    driver.take(first)
    assert driver.state.inputSegmentation is drawn and driver.state.inputSegment
    assert driver.state.regions is regions
    assert driver.session.blood is not None


def test_a_ct_of_the_patient_before_is_not_kept(
    driver: PanelDriver, patients: tuple[DynamicSequence, DynamicSequence]
) -> None:
    anatomy = ct()
    hierarchy, names = slicer.mrmlScene.GetSubjectHierarchyNode(), slicer.vtkMRMLSubjectHierarchyConstants
    item = hierarchy.GetItemByDataNode(anatomy)
    hierarchy.SetItemAttribute(item, names.GetDICOMSeriesModalityAttributeName(), "CT")
    hierarchy.SetItemAttribute(item, names.GetDICOMFrameOfReferenceUIDAttributeName(), "1.1")
    driver.ui.anatomySelector.setCurrentNode(anatomy)
    process_events()
    driver.take(patients[1])
    assert driver.state.anatomy is None
    assert all(is_average_of(volume, patients[1].node) for volume in backgrounds())
    driver.take(patients[0])
    assert driver.state.anatomy is anatomy


def test_what_is_chosen_stays_within_a_patient(
    driver: PanelDriver, patients: tuple[DynamicSequence, DynamicSequence]
) -> None:
    _first, second = patients
    second.node.SetAttribute("DynamicPET.FrameOfReferenceUID", "1.1")
    drawn = driver.state.inputSegmentation
    driver.take(second)
    assert driver.state.inputSegmentation is drawn and driver.state.glucose == 5.0
    assert driver.state.plasmaKind == "haematocrit"
