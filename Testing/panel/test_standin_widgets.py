"""The widgets of the stand-in behave as those of ctk and qMRML; each test shows one rule."""

from __future__ import annotations

from typing import Any

import ctk
import numpy as np
import pytest
import qt

import slicer
from standin.panel import process_events


def _volume(name: str = "volume") -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def test_a_collapsible_button_hides_and_shows_its_children() -> None:
    for section in (ctk.ctkCollapsibleButton("Options"), ctk.ctkCollapsibleGroupBox()):
        layout = qt.QVBoxLayout(section)
        shown, hidden = qt.QLabel("a"), qt.QLabel("b")
        layout.addWidget(shown)
        layout.addWidget(hidden)
        hidden.hide()
        section.show()
        process_events()
        height = section.sizeHint.height()
        section.collapsed = True
        assert not shown.visible
        assert section.sizeHint.height() < height
        hidden.visible = True  # counts when unfolded
        shown.hide()
        assert not hidden.visible
        section.checked = True
        assert (section.collapsed, shown.visible, hidden.visible) == (False, False, True)


def test_collapsible_button_signals() -> None:
    heard: list[bool] = []
    button = ctk.ctkCollapsibleButton()
    assert button.connect("contentsCollapsed(bool)", heard.append)
    button.contentsCollapsed.connect(heard.append)
    button.collapsed = True
    assert heard == [True, True]


def test_a_slider_keeps_its_range_and_says_when_it_changes() -> None:
    heard: list[float] = []
    slider = ctk.ctkSliderWidget()
    slider.valueChanged.connect(heard.append)
    slider.maximum = 10
    slider.decimals = 1
    slider.singleStep = 0.5
    slider.value = 20
    slider.value = 2.5
    assert (slider.value, heard) == (2.5, [10.0, 2.5])
    with pytest.raises(TypeError):
        slider.value()


def test_a_range_keeps_its_order() -> None:
    heard: list[tuple[float, float]] = []
    widget = ctk.ctkRangeWidget()
    widget.setRange(0, 60)
    widget.valuesChanged.connect(lambda low, high: heard.append((low, high)))
    widget.setValues(40, 20)
    widget.minimumValue = 50
    assert (widget.minimumValue, widget.maximumValue, heard) == (50, 50, [(20, 40), (50, 50)])


def _selector(none: bool = True) -> Any:
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = none
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


def test_a_selector_follows_the_scene() -> None:
    heard: list[Any] = []
    selector = _selector()
    selector.currentNodeChanged.connect(heard.append)
    assert selector.connect("currentNodeIDChanged(QString)", heard.append)
    first, second = _volume("a"), _volume("b")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    assert (selector.nodeCount(), selector.currentNode()) == (2, None)
    selector.setCurrentNode(second)
    assert (selector.currentNode(), selector.currentNodeID) == (second, second.GetID())
    slicer.mrmlScene.RemoveNode(second)
    assert selector.currentNode() is first
    selector.currentNodeID = ""
    assert heard == [second, second.GetID(), first, first.GetID(), None, ""]


def test_a_selector_without_none_takes_the_first_node() -> None:
    selector = _selector(none=False)
    first = _volume()
    _volume()
    assert selector.currentNode() is first
    slicer.mrmlScene.Clear(0)
    assert selector.currentNode() is None


def test_a_selector_filters_by_attribute_type_and_visibility() -> None:
    selector = _selector()
    selector.addAttribute("vtkMRMLScalarVolumeNode", "DynamicPET.Map", "ki")
    map_node, _other = _volume("ki"), _volume("other")
    map_node.SetAttribute("DynamicPET.Map", "ki")
    assert [selector.nodeFromIndex(i) for i in range(selector.nodeCount())] == [map_node]
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    selector.removeAttribute("vtkMRMLScalarVolumeNode", "DynamicPET.Map")
    assert selector.nodeCount() == 3
    selector.showChildNodeTypes = False
    assert selector.nodeCount() == 2
    assert not labels.IsA("vtkMRMLTextNode")
    map_node.SetHideFromEditors(1)
    map_node.Modified()
    assert selector.nodeCount() == 1


def _cube() -> tuple[Any, Any, str]:
    """A volume of 20 x 20 x 20 voxels of 2 mm, a segmentation on it, its empty segment."""
    volume = slicer.util.addVolumeFromArray(np.zeros((20, 20, 20), np.float32))
    volume.SetSpacing(2, 2, 2)
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return volume, segmentation, segmentation.GetSegmentation().AddEmptySegment("aorta", "Aorta")


def _editor() -> Any:
    editor = slicer.qMRMLSegmentEditorWidget()
    node = slicer.mrmlScene.AddNode(slicer.vtkMRMLSegmentEditorNode())
    node.SetOverwriteMode(node.OverwriteNone)
    editor.setMRMLSegmentEditorNode(node)
    editor.setMRMLScene(slicer.mrmlScene)
    return editor


def test_a_stroke_changes_the_segment_and_can_be_undone() -> None:
    from standin.panel.brush import paint_sphere

    volume, segmentation, aorta = _cube()
    editor, strokes = _editor(), []
    editor.setSegmentationNode(segmentation)
    editor.setActiveEffectByName("Paint")
    assert (editor.sourceVolumeNode(), editor.currentSegmentID()) == (volume, aorta)
    with pytest.raises(RuntimeError, match="flat"):
        paint_sphere(editor, (20, 20, 20))
    effect = editor.activeEffect()
    effect.setParameter("BrushSphere", 1)
    effect.setCommonParameter("BrushDiameterIsRelative", 0)
    effect.setCommonParameter("BrushAbsoluteDiameter", 10.0)
    observed = segmentation.GetSegmentation()
    observed.AddObserver(observed.SourceRepresentationModified, lambda *_: strokes.append(1))

    def voxels() -> int:
        return int(slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, aorta, volume).sum())

    paint_sphere(editor, (20, 20, 20))
    assert voxels() == 81  # centres within 2.5 voxels
    assert strokes
    editor.setActiveEffectByName("Erase")
    editor.activeEffect().setParameter("BrushSphere", 1)
    paint_sphere(editor, (20, 20, 20))
    assert voxels() == 0
    editor.undo()
    assert voxels() == 81
    editor.undo()
    editor.redo()
    assert voxels() == 81


def test_the_editor_shows_the_effects_asked_for_and_puts_them_down() -> None:
    from standin.panel.segment_editor import has_shortcuts

    _, segmentation, _ = _cube()
    editor = _editor()
    editor.setEffectNameOrder(["Paint", "Erase"])
    editor.unorderedEffectsVisible = False
    editor.setSegmentationNode(segmentation)
    assert sorted(button.text for button in editor.findChildren(qt.QToolButton) if button.text) == ["Erase", "Paint"]
    editor.setActiveEffectByName("Paint")
    editor.setActiveEffect(None)
    assert editor.activeEffect() is None
    editor.installKeyboardShortcuts()
    assert has_shortcuts(editor)
    editor.uninstallKeyboardShortcuts()
    assert not has_shortcuts(editor)
    with pytest.raises(AttributeError):
        editor.maskingVisible = False


def test_an_editor_without_its_node_refuses_effects() -> None:
    editor = slicer.qMRMLSegmentEditorWidget()
    editor.setMRMLScene(slicer.mrmlScene)
    with pytest.raises(RuntimeError):
        editor.setActiveEffectByName("Paint")


def test_segment_table_and_selector_follow_the_segmentation() -> None:
    _, segmentation, aorta = _cube()
    table, selector = slicer.qMRMLSegmentsTableView(), slicer.qMRMLSegmentSelectorWidget()
    for widget in (table, selector):
        widget.setMRMLScene(slicer.mrmlScene)
    table.setSegmentationNode(segmentation)
    selector.setCurrentNode(segmentation)
    liver = segmentation.GetSegmentation().AddEmptySegment("liver", "Liver")
    assert (table.segmentCount, selector.segmentIDs()) == (2, (aorta, liver))
    table.setSelectedSegmentIDs([liver])
    selector.setCurrentSegmentID(liver)
    assert (table.selectedSegmentIDs(), selector.currentSegmentID()) == ((liver,), liver)
    segmentation.GetSegmentation().RemoveSegment(liver)
    assert (table.segmentCount, selector.currentSegmentID()) == (1, aorta)


def test_a_table_view_shows_a_table_node() -> None:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    slicer.util.updateTableFromArray(node, np.array([[1.5, 2.5]]), ["Ki", "V0"])
    view = slicer.qMRMLTableView()
    view.setMRMLTableNode(node)
    model = view.model()
    assert (model.rowCount(), model.index(0, 1).data(), model.headerData(0, qt.Qt.Horizontal)) == (1, "2.5", "Ki")


def test_sequence_widgets_step_through_a_browser() -> None:
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
    for second in range(3):
        sequence.SetDataNodeAtValue(slicer.vtkMRMLTextNode(), str(second))
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    play, seek = slicer.qMRMLSequenceBrowserPlayWidget(), slicer.qMRMLSequenceBrowserSeekWidget()
    for widget in (play, seek):
        widget.setMRMLSequenceBrowserNode(browser)
    play.onVcrLast()
    assert (seek.slider().value, seek.slider().maximum) == (2, 2)
    seek.slider().value = 1
    assert browser.GetSelectedItemNumber() == 1
