"""The Qt side of the stand-in behaves as PythonQt, ctk and qMRML do; each test shows one rule."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import ctk
import numpy as np
import pytest
import qt
from slicer.parameterNodeWrapper import Choice, Default, Minimum, WithinRange, parameterNodeWrapper

import slicer
from standin.panel import grab, process_events


def _volume(name: str = "volume") -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


def _load(text: str, tmp_path: Path) -> Any:
    path = tmp_path / "panel.ui"
    path.write_text(f'<ui version="4.0"><class>Panel</class>{text}</ui>', encoding="utf-8")
    return slicer.util.loadUI(str(path))


# ------------------------------------------------------------------------------------------- PythonQt


def test_a_property_is_read_and_set_as_an_attribute() -> None:
    button = qt.QPushButton("Run")
    button.text = "Stop"
    button.enabled = False
    assert (button.text, button.enabled, button.isEnabled()) == ("Stop", False, False)
    button.setText("Go")
    assert button.text == "Go"


def test_a_property_cannot_be_called() -> None:
    with pytest.raises(TypeError):
        qt.QPushButton("Run").text()


def test_an_unknown_attribute_cannot_be_set() -> None:
    for thing in (qt.QPushButton(), qt.QTimer(), qt.QColor(1, 2, 3), qt.QTableWidgetItem("a"), ctk.ctkSliderWidget()):
        with pytest.raises(AttributeError):
            thing.foo = 1


def test_what_qt_returns_follows_the_same_rules() -> None:
    table = qt.QTableWidget(2, 3)
    header = table.horizontalHeader()
    header.stretchLastSection = True
    assert header.stretchLastSection is True
    with pytest.raises(AttributeError):
        header.foo = 1


def test_name_is_the_object_name() -> None:
    button = qt.QPushButton()
    button.name = "run"
    assert button.objectName == "run"


def test_properties_of_combo_box_table_and_timer() -> None:
    combo = qt.QComboBox()
    combo.addItem("Patlak", "patlak")
    assert (combo.count, combo.currentText, combo.currentData, combo.itemData(combo.currentIndex)) == (
        1,
        "Patlak",
        "patlak",
        "patlak",
    )
    assert qt.QTableWidget(2, 3).rowCount == 2
    timer = qt.QTimer()
    timer.singleShot = True
    timer.interval = 3
    assert (timer.singleShot, timer.active, timer.isActive()) == (True, False, False)


def test_an_enum_equals_its_number() -> None:
    assert qt.QHeaderView.Stretch == 1
    assert int(qt.QHeaderView.Stretch) == 1
    assert qt.QProcess.NotRunning == 0


def test_dynamic_properties_are_read_by_name() -> None:
    label = qt.QLabel()
    assert label.property("SlicerParameterName") is None
    label.setProperty("SlicerParameterName", "method")
    assert label.property("SlicerParameterName") == "method"
    assert [bytes(name.data()).decode() for name in label.dynamicPropertyNames()] == ["SlicerParameterName"]


def test_an_attribute_signal_passes_what_the_slot_takes() -> None:
    heard: list[Any] = []
    button = qt.QPushButton()
    button.checkable = True
    button.clicked.connect(lambda: heard.append("none"))
    button.clicked.connect(lambda checked=False: heard.append(checked))
    button.click()
    assert heard == ["none", True]


def test_a_string_connect_passes_what_the_string_names_and_is_false_for_no_signal() -> None:
    heard: list[Any] = []
    button = qt.QPushButton()
    button.checkable = True
    slot = heard.append
    assert button.connect("clicked(bool)", slot)
    assert button.connect("clickd(bool)", slot) is False
    assert button.connect("clicked(int)", slot) is False
    button.click()
    assert button.disconnect("clicked(bool)", slot)
    button.click()
    assert heard == [True]


def test_a_slot_that_raises_is_noticed(qt_errors: Any) -> None:
    button = qt.QPushButton()
    button.clicked.connect(lambda: 1 / 0)
    button.click()
    (message,) = qt_errors.take()
    assert "ZeroDivisionError" in message


def test_process_finished_reaches_slots_without_arguments() -> None:
    heard: list[str] = []
    process = qt.QProcess()
    process.finished.connect(lambda: heard.append("none"))
    process.finished.connect(lambda code: heard.append(f"code {code}"))
    process.start("/bin/sh", ["-c", "echo hi; exit 3"])
    process_events(lambda: len(heard) == 2)
    assert heard == ["none", "code 3"]
    assert process.exitCode() == 3
    assert bytes(process.readAllStandardOutput().data()) == b"hi\n"


def test_process_finished_never_runs_a_slot_with_two_parameters(qt_errors: Any) -> None:
    heard: list[int] = []
    process = qt.QProcess()
    process.finished.connect(lambda code, status: heard.append(code))  # noqa: ARG005
    process.start("/bin/true", [])
    process_events(lambda: bool(qt_errors.messages))
    assert not heard
    assert "positional argument" in qt_errors.take()[0]


def test_what_waits_for_a_user_raises() -> None:
    with pytest.raises(RuntimeError, match="wait"):
        qt.QDialog().exec()
    with pytest.raises(RuntimeError, match="wait"):
        qt.QFileDialog.getExistingDirectory(None, "Folder")


def test_file_dialogs_answer_with_a_string(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: "/data/curve.tsv")
    assert qt.QFileDialog.getOpenFileName(None, "Curve", "", "*.tsv") == "/data/curve.tsv"


def test_settings_are_those_of_the_application() -> None:
    qt.QSettings().setValue("DynamicPET/Folder", "x")
    assert slicer.app.userSettings().value("DynamicPET/Folder") == "x"


# ------------------------------------------------------------------------------------------------ ctk


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


# ------------------------------------------------------------------------------------- Designer files

_SELECTOR = """
<widget class="qMRMLWidget" name="top"><layout class="QVBoxLayout" name="rows">
 <item><widget class="qMRMLNodeComboBox" name="selector">
  <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
  <property name="noneEnabled"><bool>true</bool></property>
  <property name="SlicerParameterName" stdset="0"><string>volume</string></property>
 </widget></item>
 <item><widget class="QPushButton" name="run"><property name="text"><string>Run</string></property></widget></item>
</layout></widget>
<connections><connection><sender>top</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
 <receiver>selector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections>
"""


def test_a_designer_file_makes_and_connects_widgets(tmp_path: Path) -> None:
    top = _load(_SELECTOR, tmp_path)
    ui = slicer.util.childWidgetVariables(top)
    assert ui.selector.nodeTypes == ["vtkMRMLScalarVolumeNode"]
    assert (ui.run.text, ui.selector.enabled) == ("Run", False)
    top.setMRMLScene(slicer.mrmlScene)
    assert ui.selector.mrmlScene() is slicer.mrmlScene
    assert ui.selector.enabled


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("noneEnabled", "noneEnable", "has no property 'noneEnable'"),
        ("mrmlSceneChanged(", "sceneChanged(", "has no signal"),
        ("setMRMLScene(", "setScene(", "has no slot"),
        ("qMRMLNodeComboBox", "qMRMLNodeSelector", "no such class"),
    ],
)
def test_a_wrong_designer_file_is_an_error(
    tmp_path: Path, qt_errors: Any, right: str, wrong: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _load(_SELECTOR.replace(right, wrong), tmp_path)
    qt_errors.take()  # Qt says its own of the class


# -------------------------------------------------------------------------------------- node selector


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


# ------------------------------------------------------------------------------------- parameter node


class Kind(enum.Enum):
    FAST = "fast"
    GOOD = "good"


@parameterNodeWrapper
class Parameters:
    volume: slicer.vtkMRMLScalarVolumeNode
    method: Annotated[str, Choice(["patlak", "osem"])] = "patlak"
    opacity: Annotated[float, WithinRange(0, 100)] = 60.0
    count: Annotated[int, Minimum(1), Default(3)]
    kind: Kind = Kind.GOOD
    legend: bool
    folder: Path


def _parameters() -> Any:
    return Parameters(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))


def test_parameters_begin_with_their_defaults_and_stay_in_the_node() -> None:
    parameters = _parameters()
    assert (parameters.volume, parameters.method, parameters.opacity, parameters.count) == (None, "patlak", 60.0, 3)
    assert (parameters.kind, parameters.legend, parameters.folder) == (Kind.GOOD, False, Path())
    parameters.volume = volume = _volume()
    parameters.kind = Kind.FAST
    parameters.legend = True
    node = parameters.parameterNode
    assert (node.GetParameter("kind"), node.GetParameter("legend")) == ("FAST", "True")
    assert node.GetNodeReference("volume") is volume
    again = Parameters(node)
    assert (again.volume, again.kind, again.legend) == (volume, Kind.FAST, True)


def test_parameters_refuse_what_their_types_and_annotations_forbid() -> None:
    parameters = _parameters()
    for name, value, error in (
        ("method", "kmap", ValueError),
        ("opacity", 101.0, ValueError),
        ("count", 0, ValueError),
        ("count", 1.5, TypeError),
        ("method", None, ValueError),
        ("volume", slicer.vtkMRMLTextNode(), TypeError),
    ):
        with pytest.raises(error):
            setattr(parameters, name, value)


def test_parameters_and_widgets_follow_each_other(tmp_path: Path) -> None:
    top = _load(_SELECTOR, tmp_path)
    ui = slicer.util.childWidgetVariables(top)
    top.setMRMLScene(slicer.mrmlScene)
    volume, parameters = _volume(), _parameters()
    tag = parameters.connectGui(ui)
    ui.selector.setCurrentNode(volume)
    assert parameters.volume is volume
    parameters.volume = None
    assert ui.selector.currentNode() is None
    parameters.disconnectGui(tag)
    ui.selector.setCurrentNode(volume)
    assert parameters.volume is None


def test_a_parameter_needs_a_widget_that_can_show_it() -> None:
    parameters = _parameters()
    slider, combo = ctk.ctkSliderWidget(), qt.QComboBox()
    parameters.connectParametersToGui({"opacity": slider, "method": combo})
    combo.currentIndex = 1
    slider.value = 30
    assert (parameters.method, parameters.opacity, slider.maximum) == ("osem", 30.0, 100.0)
    with pytest.raises(RuntimeError):
        parameters.connectParametersToGui({"opacity": qt.QCheckBox()})


# --------------------------------------------------------------------------------------------- modules

_MODULE = """
import qt, slicer
from slicer.ScriptedLoadableModule import *

class TinyModule(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Tiny"

class TinyModuleWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        super().setup()
        self.label = qt.QLabel("VERSION")
        self.layout.addWidget(self.label)
        self.calls = []
    def enter(self):
        self.calls.append("enter")
    def exit(self):
        self.calls.append("exit")
    def cleanup(self):
        self.calls.append("cleanup")

class TinyModuleLogic(ScriptedLoadableModuleLogic):
    pass

class TinyModuleTest(ScriptedLoadableModuleTest):
    def test_one(self):
        slicer.tiny_module_tested = True
"""


def test_a_module_file_is_loaded_opened_reloaded_and_unloaded(tmp_path: Path) -> None:
    from standin.panel.module_host import load_module, unload_module

    path = tmp_path / "TinyModule.py"
    path.write_text(_MODULE, encoding="utf-8")
    module = load_module(path)
    assert slicer.modules.tinymodule is module
    with pytest.raises(AttributeError):
        module.foo = 1
    shown = module.widgetRepresentation()
    first = shown.self()
    shown.enter()
    assert (shown.isEntered, first.calls, first.label.text) == (True, ["enter"], "VERSION")
    assert first.resourcePath("UI/x.ui") == str(tmp_path / "Resources/UI/x.ui")
    path.write_text(_MODULE.replace('"VERSION"', '"second"'), encoding="utf-8")
    first.onReload()
    assert slicer.modules.TinyModuleWidget.label.text == "second"
    assert first.calls == ["enter", "cleanup"]
    slicer.selfTests["TinyModule"]()
    assert slicer.tiny_module_tested
    second = slicer.modules.TinyModuleWidget
    unload_module(module)
    assert second.calls == ["exit", "cleanup"]


def test_slicers_own_python_files_run_where_a_source_tree_is_named() -> None:
    from standin.panel.slicer_source import FILES, source_folder

    folder = source_folder()
    files = [Path(getattr(slicer, name).__file__) for name in FILES]
    assert [file.is_relative_to(folder or "Base/Python/slicer") for file in files] == [folder is not None] * len(FILES)


def test_the_logic_has_one_parameter_node_a_scene() -> None:
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    class TinyLogic(ScriptedLoadableModuleLogic):
        pass

    node = TinyLogic().getParameterNode()
    assert TinyLogic().getParameterNode() is node
    assert (node.GetSingletonTag(), node.GetAttribute("ModuleName")) == ("Tiny", "Tiny")


def test_a_main_window_opens_one_module_at_a_time(main_window: Any) -> None:
    assert slicer.util.mainWindow() is main_window
    slicer.util.selectModule("DICOM")
    slicer.util.selectModule("SegmentEditor")
    assert slicer.util.selectedModule() == "SegmentEditor"
    with pytest.raises(RuntimeError, match="no module"):
        slicer.util.selectModule("Nothing")


def test_without_a_main_window_there_is_none() -> None:
    assert slicer.util.mainWindow() is None
    with pytest.raises(RuntimeError):
        slicer.util.selectModule("DICOM")


# -------------------------------------------------------------------------------------------- segments


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
    from standin.panel.segment_editor import paint_sphere

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
    assert (table.segmentCount, selector.segmentIDs()) == (2, [aorta, liver])
    table.setSelectedSegmentIDs([liver])
    selector.setCurrentSegmentID(liver)
    assert (table.selectedSegmentIDs(), selector.currentSegmentID()) == ([liver], liver)
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


# -------------------------------------------------------------------------------------------- pictures


def test_a_picture_has_the_width_asked_for_and_legible_text_in_both_themes(tmp_path: Path) -> None:
    label = qt.QLabel("For research, not for diagnosis")
    light = qt.QImage(str(grab(label, tmp_path / "light.png", width=320)))
    dark = qt.QImage(str(grab(label, tmp_path / "dark.png", width=320, dark=True)))
    assert light.width() == dark.width() == 320

    def extremes(image: Any) -> tuple[int, int]:
        values = [qt.QColor(image.pixel(x, y)).lightness() for x in range(320) for y in range(image.height())]
        return min(values), max(values)

    assert extremes(light)[0] < 60
    assert qt.QColor(light.pixel(319, 0)).lightness() > 200
    assert qt.QColor(dark.pixel(319, 0)).lightness() < 70
    assert extremes(dark)[1] > 200
