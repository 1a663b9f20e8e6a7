"""Regions live in the scene: saved, reopened, undone, and gone with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from region_scenes import SMALL, VESSEL_AT, ball, dynamic_sequence, small_patient

import slicer
from DynamicPETKineticsLib.regions.aorta_segment import add_aorta, aorta_segment, input_segmentation
from DynamicPETKineticsLib.regions.blood_curve import BloodCurve
from DynamicPETKineticsLib.regions.region_curves import region_tacs, tac_plot
from DynamicPETKineticsLib.regions.segment_regions import names
from DynamicPETKineticsLib.regions.sphere import add_sphere, regions_segmentation
from DynamicPETKineticsLib.scene.dynamic_sequence import dynamic_sequences

VESSEL = ball(SMALL, VESSEL_AT, 9.0)


def test_a_reopened_scene_has_the_same_aorta_regions_and_chart(tmp_path: Path) -> None:
    sequence = dynamic_sequence(small_patient())
    node = input_segmentation(sequence)
    segment = add_aorta(node, VESSEL, SMALL)
    before = BloodCurve(sequence, node, segment).measure()
    add_sphere(regions_segmentation(sequence), VESSEL_AT, 12.0)
    tac_plot(region_tacs(sequence, regions_segmentation(sequence)))
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"), {})
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {})
    (sequence,) = dynamic_sequences()
    node = input_segmentation(sequence)
    assert names(node) == {segment: "Aorta"}
    assert aorta_segment(node) == segment
    after = BloodCurve(sequence, node, segment).measure()
    np.testing.assert_allclose(after.frames.mean_kbq_per_ml, before.frames.mean_kbq_per_ml, rtol=1e-5)
    assert after.verdict == before.verdict
    assert list(names(regions_segmentation(sequence)).values()) == ["Sphere 1"]
    chart = tac_plot(region_tacs(sequence, regions_segmentation(sequence)))
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode") == 1
    assert chart.GetNumberOfPlotSeriesNodes() == 1
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2


def test_undo_of_the_segment_editor_brings_the_earlier_aorta_back() -> None:
    sequence = dynamic_sequence(small_patient())
    node = input_segmentation(sequence)
    segment = add_aorta(node, VESSEL, SMALL)
    curve = BloodCurve(sequence, node, segment)
    before = curve.measure()
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(node.GetSegmentation())
    history.SaveState()
    add_aorta(node, ball(SMALL, (-10.0, 10.0, 0.0), 12.0), SMALL)
    assert curve.measure().verdict.level == "bad"
    assert history.RestorePreviousState()
    after = curve.measure()
    np.testing.assert_array_equal(after.frames.mean_kbq_per_ml, before.frames.mean_kbq_per_ml)
    assert after.volume_ml == before.volume_ml


def test_measuring_changes_nothing_in_the_scene() -> None:
    sequence = dynamic_sequence(small_patient())
    node = input_segmentation(sequence)
    segment = add_aorta(node, VESSEL, SMALL)
    times = [node.GetSegmentation().GetMTime(), node.GetMTime(), sequence.node.GetMTime()]
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    BloodCurve(sequence, node, segment).measure()
    region_tacs(sequence, node)
    assert [node.GetSegmentation().GetMTime(), node.GetMTime(), sequence.node.GetMTime()] == times
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
