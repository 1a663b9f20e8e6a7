"""Two patients in one scene: what is shown, measured and written of one never comes from the other."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from panel_driver import PanelDriver
from panel_scenes import ready

import slicer
from background.run_cases import scene_sequence
from DynamicPETKineticsLib.regions.region_curves import region_tacs
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence


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
