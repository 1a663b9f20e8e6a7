"""The clinician's way through the panel with the real worker, from the first click to DICOM that is read back.

One panel for the whole file: each stage is a fixture that goes one step on from the stage before.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from panel_driver import PanelDriver, layers, lesion_centres

import slicer
from DynamicPETKineticsLib.at_once import at_once
from DynamicPETKineticsLib.regions.aorta_segment import aorta_centre_ras
from DynamicPETKineticsLib.results.restore_folder import restore_steps
from DynamicPETKineticsLib.results.result_nodes import ResultNodes, all_results
from petkinetics.read.maps import read_map
from petkinetics.read.regions import read_regions
from standin.panel import start
from standin.panel.brush import paint_sphere


@pytest.fixture(autouse=True)
def panel_app(vtk_errors: Any, qt_errors: Any) -> Any:  # noqa: ARG001 (they watch; the scene stays from test to test)
    """Takes the place of the one that empties the scene."""
    return start()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, patient: Path) -> Iterator[PanelDriver]:  # noqa: ARG001
    start()
    slicer.mrmlScene.Clear(0)
    slicer.dicomDatabase.initializeDatabase()
    driver = PanelDriver(tmp_path_factory.mktemp("workflow") / "temporary")
    yield driver
    driver.close()
    slicer.mrmlScene.Clear(0)


# -------------------------------------------------------------------------------------- 1  the series


@pytest.fixture(scope="module")
def loaded(opened: PanelDriver) -> PanelDriver:
    opened.load_patient()
    opened.require_no_errors()
    return opened


def test_the_patient_is_described_in_one_line_and_shown_in_grey(loaded: PanelDriver) -> None:
    line = loaded.text("summaryLabel")
    for said in ("FDG", "28 frames", "65 min", "kBq/mL", "kg", "MBq"):
        assert said in line
    assert loaded.text("seriesWarningLabel") == ""
    assert not loaded.visible("missingBox")
    assert not loaded.visible("noSeriesBox")
    assert loaded.ui.sequenceSelector.currentNode() is loaded.session.sequence.node
    for background, _foreground, _opacity in layers().values():
        assert background.GetAttribute("DynamicPET.Average").startswith("activity")
        assert background.GetDisplayNode().GetColorNode().GetName() == "InvertedGrey"
    assert loaded.session.sequence.proxy is not None
    assert not loaded.ui.inputStep.collapsed
    assert loaded.ui.estimateStep.collapsed


def test_one_window_holds_for_all_frames(loaded: PanelDriver) -> None:
    browser, proxy = loaded.session.sequence.browser, loaded.session.sequence.proxy
    windows = set()
    for frame in (0, 5, 27):
        browser.SetSelectedItemNumber(frame)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        display = proxy.GetDisplayNode()
        windows.add((display.GetWindowLevelMin(), display.GetWindowLevelMax(), display.GetAutoWindowLevel()))
    assert len(windows) == 1
    assert next(iter(windows))[2] == 0


# -------------------------------------------------------------------------------------- 2  the blood


@dataclass
class Edit:
    """The blood curve at each moment of an edit."""

    found: Any
    said_when_found: str
    views_at_ras: list[Any]
    aorta_ras: Any
    editor: Any
    stroked: Any
    verdict_stroked: str
    undone: Any
    done_shows_editor: bool


@pytest.fixture(scope="module")
def edited(loaded: PanelDriver) -> Edit:
    loaded.find_aorta()
    found, said = loaded.session.blood, loaded.text("aortaStatusLabel")
    state = loaded.state
    centre = np.array(aorta_centre_ras(state.inputSegmentation, state.inputSegment))
    views = [node.GetSliceToRAS() for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")]
    at = [[matrix.GetElement(i, 3) for i in range(3)] for matrix in views]
    loaded.click("editAortaButton")
    editor = loaded.panel.input.editor._widget
    # a stroke beside the aorta: muscle and lung come in
    paint_sphere(editor, centre + np.array([25.0, 0.0, 0.0]))
    loaded.settle(0.05)
    stroked, verdict = loaded.session.blood, loaded.text("verdictLabel")
    loaded.click("undoButton")
    loaded.settle(0.05)
    undone = loaded.session.blood
    loaded.click("doneButton")
    loaded.require_no_errors()
    return Edit(found, said, at, centre, editor, stroked, verdict, undone, loaded.visible("editorBox"))


def test_the_aorta_is_found_and_said_to_be_checked(edited: Edit) -> None:
    assert edited.found.verdict.level == "good"
    assert 5.0 < edited.found.volume_ml < 120.0
    assert "check the proposed aorta" in edited.said_when_found
    # each view was moved to the aorta along its own axis
    assert all(min(np.abs(np.array(at) - edited.aorta_ras)) < 1.0 for at in edited.views_at_ras)


def test_the_verdict_says_volume_peak_and_time(edited: Edit, loaded: PanelDriver) -> None:
    said = loaded.text("verdictLabel")
    assert said.startswith("✓ Good")
    for fact in (r"\d mL", r"peak \d+\S* kBq/mL", r"at \d\.\d min"):
        assert re.search(fact, said), said
    assert f"{edited.undone.volume_ml:.1f} mL" in said


def test_a_stroke_is_followed_by_curve_volume_and_verdict(edited: Edit) -> None:
    assert edited.stroked is not edited.found
    sphere_ml = 4.0 / 3.0 * math.pi * 5.0**3 / 1000.0
    assert edited.stroked.volume_ml - edited.found.volume_ml == pytest.approx(sphere_ml, rel=0.5)
    before, after = edited.found.frames.mean_kbq_per_ml, edited.stroked.frames.mean_kbq_per_ml
    assert not np.allclose(before, after, rtol=1e-3)
    assert f"{edited.stroked.volume_ml:.1f} mL" in edited.verdict_stroked


def test_undo_takes_the_stroke_back(edited: Edit) -> None:
    assert edited.undone.volume_ml == pytest.approx(edited.found.volume_ml, rel=1e-6)
    np.testing.assert_allclose(edited.undone.frames.mean_kbq_per_ml, edited.found.frames.mean_kbq_per_ml, rtol=1e-6)


def test_the_editor_offers_five_tools_a_ball_of_10_mm_and_the_early_average(edited: Edit) -> None:
    editor = edited.editor
    assert tuple(editor.effectNameOrder()) == ("Paint", "Erase", "Threshold", "Scissors", "Islands")
    assert not editor.unorderedEffectsVisible
    assert editor.sourceVolumeNode().GetAttribute("DynamicPET.Average").startswith("activity 10 ")
    paint = editor.effectByName("Paint")
    assert (paint.integerParameter("BrushSphere"), paint.doubleParameter("BrushAbsoluteDiameter")) == (1, 10.0)
    node = editor.mrmlSegmentEditorNode()
    assert node.GetOverwriteMode() == node.OverwriteNone
    assert not edited.done_shows_editor
    assert editor.activeEffect() is None


# ----------------------------------------------------------------------------------- 3  the estimates


@dataclass
class Run:
    """What was seen of a run from its start to its end."""

    result: ResultNodes
    said: str
    progress: list[tuple[int, str]]
    run_button: str
    log: str
    layers: dict[str, Any]
    legend: Any
    step_opened: bool


def _estimate(driver: PanelDriver, method: str) -> Run:
    seen: list[tuple[int, str]] = []
    driver.start(method)
    assert driver.visible("progressBar")
    run_button = str(driver.ui.runButton.text)

    def over() -> bool:
        seen.append((driver.ui.progressBar.value, str(driver.ui.progressBar.format)))
        return not driver.panel.estimate.running

    driver.until(over, "the estimate")
    said = driver.text("runStatusLabel")
    assert said.startswith("✓"), said
    result = driver.result
    legend = slicer.modules.colors.logic().GetColorLegendDisplayNode(result.maps["ki"])
    log = str(driver.ui.logText.plainText)
    driver.require_no_errors()
    return Run(result, said, seen, run_button, log, layers(), legend, not driver.ui.reviewStep.collapsed)


@pytest.fixture(scope="module")
def estimated(loaded: PanelDriver, edited: Edit) -> Run:  # noqa: ARG001 (the aorta comes first)
    return _estimate(loaded, "patlak")


def test_a_run_shows_its_progress_and_can_be_cancelled(estimated: Run, loaded: PanelDriver) -> None:
    values = [value for value, _text in estimated.progress]
    assert values == sorted(values)
    assert len(set(values)) > 3
    assert any(re.fullmatch(r"\d+ %( · .* left)?", text) for _value, text in estimated.progress)
    assert estimated.run_button == "Cancel"
    assert loaded.ui.runButton.text == "Run"
    assert not loaded.visible("progressBar")
    assert "Computing" in estimated.log
    assert estimated.step_opened


def test_ki_lies_over_the_patient_in_colour_with_its_legend(estimated: Run) -> None:
    ki = estimated.result.maps["ki"]
    assert len(estimated.layers) >= 3
    for background, foreground, opacity in estimated.layers.values():
        assert foreground is ki
        assert background is not None and background is not ki
        assert opacity == pytest.approx(0.6)
    assert "grey" not in ki.GetDisplayNode().GetColorNode().GetName().lower()
    assert estimated.legend.GetVisibility()
    assert "Ki" in estimated.legend.GetTitleText()
    assert "mL/min/mL" in estimated.legend.GetTitleText()


def test_maps_carry_unit_quantity_and_provenance_and_no_file_that_is_gone(estimated: Run, loaded: PanelDriver) -> None:
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    for name, node in estimated.result.maps.items():
        assert node.GetStorageNode() is None, name
        assert node.GetModifiedSinceRead(), name
        assert node.GetVoxelValueUnits() is not None, name
        assert node.GetVoxelValueQuantity() is not None, name
        assert json.loads(node.GetAttribute("DynamicPET.Provenance")), name
        assert hierarchy.GetItemByDataNode(node), name
    units = {name: node.GetVoxelValueUnits().GetCodeValue() for name, node in estimated.result.maps.items()}
    assert (units["ki"], units["v0"]) == ("mL/min/mL", "mL/mL")
    assert {"ki", "v0", "ki_sd", "v0_sd", "suv"} <= set(units)
    folder = estimated.result.folder_item
    series = hierarchy.GetItemByDataNode(loaded.session.sequence.node)
    assert hierarchy.GetItemParent(folder) == hierarchy.GetItemParent(series)
    loaded.settle(0.1)
    assert not [name for name in loaded.leftovers() if "patient" not in name]


def test_ki_of_the_lesions_is_what_was_simulated(estimated: Run, patient: Path) -> None:
    lesions = read_regions(str(patient / "lesions.nii.gz"))
    truth_file = next(patient.glob("truth/ki*.nii.gz"))
    truth = read_map(truth_file).values
    found = slicer.util.arrayFromVolume(estimated.result.maps["ki"])
    largest = max(lesions.label_values, key=lambda label: int(np.count_nonzero(lesions.labels == label)))
    inside = lesions.labels == largest
    # partial volume and a blood curve of the image: within a third, in the place where it was put
    assert found[inside].mean() == pytest.approx(truth[inside].mean(), rel=0.35)
    assert found[inside].mean() > 2.0 * np.median(found[found != 0])


@pytest.fixture(scope="module")
def second(loaded: PanelDriver, estimated: Run) -> Run:  # noqa: ARG001 (the first comes first)
    return _estimate(loaded, "gaussian")


def test_results_stay_side_by_side_named_by_method_and_time(estimated: Run, second: Run, loaded: PanelDriver) -> None:
    names = [result.name for result in all_results()]
    assert names == [estimated.result.name, second.result.name]
    assert re.fullmatch(r"Patlak \d\d:\d\d", names[0])
    assert re.fullmatch(r"Patlak, smoothed \d\d:\d\d", names[1])
    combo = loaded.ui.resultCombo
    assert [combo.itemText(i) for i in range(combo.count)] == names
    assert combo.currentText == names[1]
    for _background, foreground, _opacity in second.layers.values():
        assert foreground is second.result.maps["ki"]
    assert not slicer.modules.colors.logic().GetColorLegendDisplayNode(estimated.result.maps["ki"]).GetVisibility()


# ---------------------------------------------------------------------------------------- 4  the maps


def test_map_colours_window_opacity_and_threshold_do_what_they_say(second: Run, loaded: PanelDriver) -> None:
    ui, maps = loaded.ui, second.result.maps
    combo = ui.mapCombo
    offered = [combo.itemText(i) for i in range(combo.count)]
    assert any(text.startswith("Ki") for text in offered) and any("SUV" in text for text in offered)
    loaded.choose("mapCombo", "v0")
    assert {foreground for _b, foreground, _o in layers().values()} == {maps["v0"]}
    loaded.choose("mapCombo", "ki")
    ui.opacitySlider.value = 30
    assert [opacity for *_rest, opacity in layers().values()] == [pytest.approx(0.3)] * 3
    display = maps["ki"].GetDisplayNode()
    before = display.GetColorNodeID()
    other = next(ui.colourCombo.itemText(i) for i in range(ui.colourCombo.count) if i != ui.colourCombo.currentIndex)
    kept = ui.colourCombo.currentText
    loaded.choose("colourCombo", other)
    assert display.GetColorNodeID() != before
    loaded.choose("colourCombo", kept)
    ui.highSpin.value = 0.02
    assert display.GetWindowLevelMax() == pytest.approx(0.02)
    ui.thresholdSpin.value = 0.01
    assert display.GetLowerThreshold() == pytest.approx(0.01)
    loaded.click("autoRangeButton")
    assert display.GetWindowLevelMax() != pytest.approx(0.02)
    ui.thresholdSpin.value = ui.thresholdSpin.minimum
    assert display.GetLowerThreshold() < 1e-6
    ui.legendCheckBox.checked = False
    assert not slicer.modules.colors.logic().GetColorLegendDisplayNode(maps["ki"]).GetVisibility()
    ui.legendCheckBox.checked = True
    ui.opacitySlider.value = 60


# ------------------------------------------------------------------------------------- 4  the regions


@pytest.fixture(scope="module")
def measured(loaded: PanelDriver, second: Run, patient: Path) -> PanelDriver:  # noqa: ARG001 (results come first)
    for centre in lesion_centres(patient):
        loaded.sphere(centre, 12.0)
    loaded.require_no_errors()
    return loaded


def _cells(table: Any) -> list[list[str]]:
    return [[table.item(row, col).text() for col in range(table.columnCount)] for row in range(table.rowCount)]


def test_the_region_table_has_the_numbers_of_the_engine(measured: PanelDriver, tmp_path: Path) -> None:
    from DynamicPETKineticsLib.regions.segment_regions import regions_of
    from DynamicPETKineticsLib.scene.volume_geometry import geometry_of
    from petkinetics.evaluate.region_statistics import region_rows
    from petkinetics.read.result_folder import read_record, result_maps

    assert measured.state.regions is not measured.state.inputSegmentation
    assert measured.state.regions.GetName() == "Regions"
    folder = at_once(restore_steps(measured.result, tmp_path / "restored"))
    maps = result_maps(folder, read_record(folder))
    ki_node = measured.result.maps["ki"]
    regions = regions_of(measured.state.regions, geometry_of(ki_node), ki_node)
    mine = {(row["roi"], row["map"]): row for row in measured.panel.review.regions.rows}
    theirs = {(row["roi"], row["map"]): row for row in region_rows(maps, regions)}
    assert mine.keys() == theirs.keys()
    for key, row in theirs.items():
        for column in ("mean", "sd", "peak", "volume_ml", "n_voxels"):
            if column in row and row[column] is not None:
                assert mine[key][column] == pytest.approx(row[column], rel=1e-4, nan_ok=True), (key, column)
        assert mine[key]["unit"] == row["unit"]
    ball_ml = 4.0 / 3.0 * math.pi * 6.0**3 / 1000.0
    for (_roi, name), row in mine.items():
        # voxels count as wholes, of 0.09 mL
        assert row["volume_ml"] == pytest.approx(ball_ml, rel=0.3)
        if name == "ki":
            assert 0.0 < row["se"] < 0.5 * row["mean"]


def _shown_as_of(measured: PanelDriver, method: str) -> tuple[list[str], list[list[str]], str]:
    """Header, cells and tooltip of the region table, were the result of another method."""
    box, table = measured.panel.review.regions, measured.ui.regionTable
    record = box.session.result.record
    own = record["method"]
    try:
        record["method"] = method
        box._fill()
        header = [table.horizontalHeaderItem(i).text() for i in range(table.columnCount)]
        return header, _cells(table), table.toolTip
    finally:
        record["method"] = own
        box._fill()


def test_the_table_shows_mean_se_sd_peak_volume_and_the_unit(measured: PanelDriver) -> None:
    header, cells, tip = _shown_as_of(measured, "patlak")
    assert header == ["Ki (mL/min/mL)", "Mean", "± SE", "SD", "Peak", "mL"]
    assert "not to the map's mean" not in tip
    assert [row[0] for row in cells] == ["Sphere 1", "Sphere 2"]
    rows = [row for row in measured.panel.review.regions.rows if row["map"] == "ki"]
    for shown, row in zip(cells, rows, strict=True):
        assert float(shown[1]) == pytest.approx(row["mean"], abs=5e-5)
        assert float(shown[2]) == pytest.approx(row["se"], abs=5e-5)
        assert all(float(text) > 0 for text in shown[1:])
    table = measured.ui.regionTable
    before = _cells(table)
    measured.choose("mapCombo", "suv")
    assert table.horizontalHeaderItem(0).text().startswith("SUV")
    assert _cells(table) != before
    measured.choose("mapCombo", "ki")
    assert _cells(table) == before


def test_a_map_that_is_not_the_regions_fit_has_the_fit_and_its_error_in_a_column_of_their_own(
    measured: PanelDriver,
) -> None:
    box = measured.panel.review.regions
    header, cells, tip = _shown_as_of(measured, "nlm")
    assert header == ["Ki (mL/min/mL)", "Map", "Peak", "mL", "Fit ± SE"]
    assert "not to the map's mean" in tip
    for row, shown in zip((r for r in box.rows if r["map"] == "ki"), cells, strict=True):
        value, error = (float(number) for number in shown[4].split(" ± "))
        assert (value, error) == pytest.approx(box.fits[row["roi"], "ki"], abs=5e-5)
        assert float(shown[1]) == pytest.approx(row["mean"], abs=5e-5)


def test_a_region_has_ki_of_the_lesion_under_it(measured: PanelDriver, patient: Path) -> None:
    truth = read_map(next(patient.glob("truth/ki*.nii.gz"))).values
    lesions = read_regions(str(patient / "lesions.nii.gz"))
    largest = max(lesions.label_values, key=lambda label: int(np.count_nonzero(lesions.labels == label)))
    first = next(row for row in measured.panel.review.regions.rows if row["map"] == "ki")
    assert first["peak"] == pytest.approx(truth[lesions.labels == largest].mean(), rel=0.5)


def test_curves_of_the_regions_come_with_the_fit_and_back_to_images_restores_the_layout(measured: PanelDriver) -> None:
    layout = slicer.app.layoutManager().layout
    measured.click("regionCurvesButton")
    chart = slicer.util.getNode("Region curves")
    if not chart.IsA("vtkMRMLPlotChartNode"):
        chart = next(iter(slicer.util.getNodesByClass("vtkMRMLPlotChartNode")))
    assert slicer.app.layoutManager().layout != layout
    series = [chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]
    names = [node.GetName() for node in series]
    assert sorted(names) == ["Sphere 1", "Sphere 1, fit", "Sphere 2", "Sphere 2, fit"]
    by_name = dict(zip(names, series, strict=True))
    points, fit = by_name["Sphere 1"].GetTableNode(), by_name["Sphere 1, fit"].GetTableNode()
    assert points.GetNumberOfRows() == 28
    assert 3 <= fit.GetNumberOfRows() < 28
    table = points.GetTable()
    uptake = [table.GetValueByName(row, "Sphere 1").ToDouble() for row in range(28)]
    minutes = [table.GetValueByName(row, "time_min").ToDouble() for row in range(28)]
    fitted = [fit.GetTable().GetValueByName(row, "Sphere 1").ToDouble() for row in range(fit.GetNumberOfRows())]
    at = [fit.GetTable().GetValueByName(row, "time_min").ToDouble() for row in range(fit.GetNumberOfRows())]
    np.testing.assert_allclose(fitted, np.interp(at, minutes, uptake), rtol=0.2)
    assert "kBq/mL" in chart.GetYAxisTitle()
    measured.click("backButton")
    assert slicer.app.layoutManager().layout == layout
    assert not measured.visible("backButton")


def test_bland_altman_is_a_table_and_a_plot_on_request(measured: PanelDriver) -> None:
    from DynamicPETKineticsLib.regions.agreement import compare

    ui = measured.ui
    layout = slicer.app.layoutManager().layout
    ui.agreementBox.collapsed = False
    measured.settle(0.05)
    first, second = all_results()
    measured.choose("mapACombo", first.maps["ki"].GetID())
    measured.choose("mapBCombo", second.maps["ki"].GetID())
    assert slicer.app.layoutManager().layout == layout, "statistics alone must not move the views"
    cells = {row[0]: row[1] for row in _cells(ui.agreementTable)}
    segment = ui.agreementRegionCombo.itemData(ui.agreementRegionCombo.currentIndex)
    theirs = compare(first.maps["ki"], second.maps["ki"], measured.state.regions, [segment]).agreements[0].row()
    assert int(cells["Voxels"]) == theirs["n"] > 2
    bias = next(value for title, value in cells.items() if title.startswith("Bias ("))
    assert float(bias) == pytest.approx(theirs["bias"], rel=0.05)
    limits = re.findall(r"-?[\d.]+(?:e-?\d+)?", cells["95 % limits of agreement"].replace("−", "-"))
    assert [float(limits[0]), float(limits[-1])] == [
        pytest.approx(theirs["loa_lower"], rel=0.05),
        pytest.approx(theirs["loa_upper"], rel=0.05),
    ]
    measured.click("agreementPlotButton")
    assert slicer.app.layoutManager().layout != layout
    chart = next(n for n in slicer.util.getNodesByClass("vtkMRMLPlotChartNode") if "Bland" in n.GetName())
    assert chart.GetNumberOfPlotSeriesNodes() == 4
    points = chart.GetNthPlotSeriesNode(0).GetTableNode()
    assert points.GetNumberOfRows() == min(theirs["n"], 5000)
    measured.click("backButton")
    assert slicer.app.layoutManager().layout == layout


# ---------------------------------------------------------------------------------------- 4  the export


def _identity(patient: Path) -> tuple[str, str]:
    header = pydicom.dcmread(next((patient / "dicom").rglob("*.dcm")), stop_before_pixels=True)
    return str(header.PatientName), str(header.PatientID)


@pytest.fixture(scope="module")
def exported(measured: PanelDriver, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The DICOM files of a result, in both formats."""
    folder = tmp_path_factory.mktemp("dicom")
    measured.choose("exportTargetCombo", measured.ui.exportTargetCombo.itemText(0))
    measured.choose("exportFormatCombo", measured.ui.exportFormatCombo.itemText(2))
    said = measured.export("exportButton", folder)
    assert said.startswith("✓"), said
    files = sorted(folder.glob("*.dcm"))
    assert f"{len(files)} DICOM files" in said
    measured.require_no_errors()
    return [pydicom.dcmread(file) for file in files]


def test_dicom_into_a_folder_is_the_map_in_the_patients_study(
    measured: PanelDriver, exported: list[Any], patient: Path
) -> None:
    read = {Path(one.filename).stem: one for one in exported}
    source = pydicom.dcmread(next((patient / "dicom").rglob("*.dcm")), stop_before_pixels=True)
    ki = read["ki"]
    assert ki.SOPClassUID.name == "Parametric Map Storage"
    assert ki.StudyInstanceUID == source.StudyInstanceUID
    assert ki.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert ki.PatientID == source.PatientID
    assert ki.SeriesInstanceUID != source.SeriesInstanceUID
    shared = ki.SharedFunctionalGroupsSequence[0]
    mapping = shared.RealWorldValueMappingSequence[0]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "mL/min/mL"
    assert mapping.get("QuantityDefinitionSequence")
    # voxel by voxel, by place: the frames of the file in order of their position along z
    pixels = np.frombuffer(ki.FloatPixelData, "<f4").reshape(int(ki.NumberOfFrames), ki.Rows, ki.Columns)
    z = [float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) for frame in ki.PerFrameFunctionalGroupsSequence]
    ours = slicer.util.arrayFromVolume(measured.result.maps["ki"])
    np.testing.assert_array_equal(pixels[np.argsort(z)], ours)
    matrix = slicer.util.arrayFromVTKMatrix(_ijk_to_ras(measured.result.maps["ki"]))
    assert min(z) == pytest.approx(matrix[2, 3], abs=1e-3)


def _ijk_to_ras(node: Any) -> Any:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


def test_the_pet_image_reads_back_as_ki(measured: PanelDriver, exported: list[Any]) -> None:
    slices = [one for one in exported if one.SOPClassUID.name == "Positron Emission Tomography Image Storage"]
    ki = [one for one in slices if one.get("Units") == "MLMINML" and "SD" not in one.SeriesDescription]
    by_place = sorted(ki, key=lambda one: float(one.ImagePositionPatient[2]))
    ours = slicer.util.arrayFromVolume(measured.result.maps["ki"])
    assert len(by_place) == len(ours)
    for one, mine in zip(by_place, ours, strict=True):
        values = one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept)
        np.testing.assert_allclose(values, np.where(mine > 0, mine, values), atol=float(one.RescaleSlope))


def test_dicom_into_the_database_is_copied(measured: PanelDriver) -> None:
    measured.choose("exportFormatCombo", measured.ui.exportFormatCombo.itemText(0))
    measured.choose("exportTargetCombo", measured.ui.exportTargetCombo.itemText(1))
    from DICOMLib import DICOMUtils

    before = set(DICOMUtils.allSeriesUIDsInDatabase())
    said = measured.export("exportButton")
    measured.choose("exportTargetCombo", measured.ui.exportTargetCombo.itemText(0))
    assert said.startswith("✓"), said
    new = set(DICOMUtils.allSeriesUIDsInDatabase()) - before
    assert len(new) == len(measured.result.maps)
    for uid in new:
        for file in slicer.dicomDatabase.filesForSeries(uid):
            assert Path(file).is_file()
            assert Path(file).is_relative_to(slicer.dicomDatabase.databaseDirectory)


def test_tables_are_csv_that_a_spreadsheet_opens(measured: PanelDriver, tmp_path: Path) -> None:
    said = measured.export("csvButton", tmp_path)
    assert said.startswith("✓"), said
    tables = {}
    for file in tmp_path.glob("*.csv"):
        assert file.name in said
        with file.open(encoding="utf-8-sig", newline="") as stream:
            tables[re.sub(r"_patlak.*", "", file.stem)] = list(csv.DictReader(stream))
    assert {"regions", "bland_altman", "region_curves", "blood_region"} <= set(tables)
    rows = {(row["roi"], row["map"]): row for row in tables["regions"]}
    for row in measured.panel.review.regions.rows:
        assert float(rows[row["roi"], row["map"]]["mean"]) == pytest.approx(row["mean"], rel=1e-4)
    assert len(tables["region_curves"]) == 28
    assert "Sphere 1" in tables["region_curves"][0]
    again = measured.export("csvButton", tmp_path)
    assert again.startswith("✗") and "already" in again


def test_the_report_stands_alone_and_names_nobody(measured: PanelDriver, patient: Path, tmp_path: Path) -> None:
    said = measured.export("reportButton", file=tmp_path / "report.html")
    assert said.startswith("✓"), said
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    for word in ("Ki", "Sphere 1", "Bland", "research"):
        assert word in page
    for link in re.findall(r"""(?:src|href)=["']([^"']+)""", page):
        assert link.startswith(("data:", "#")), link[:80]
    assert not re.search(r"@import|url\((?!['\"]?(?:data:|#))", page)
    name, number = _identity(patient)
    assert name not in page and number not in page
    assert str(measured.temporary) not in page and str(Path.home()) not in page


def test_nothing_is_left_in_the_temporary_folder(measured: PanelDriver) -> None:
    measured.settle(0.2)
    assert measured.leftovers() == []
