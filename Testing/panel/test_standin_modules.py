"""Parameter nodes and module files on the stand-in, or with SLICER_SOURCE on Slicer's own Python files."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import ctk
import pytest
import qt
from designer_file import SELECTOR, load_ui
from slicer.parameterNodeWrapper import Choice, Default, Minimum, WithinRange, parameterNodeWrapper

import slicer


def _volume(name: str = "volume") -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


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
    top = load_ui(SELECTOR, tmp_path)
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
