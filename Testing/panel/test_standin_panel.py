"""The rules of PythonQt on the stand-in, Designer files and pictures; each test shows one rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
import pytest
import qt
from designer_file import SELECTOR, load_ui

import slicer
from standin.panel import grab, process_events


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


# ------------------------------------------------------------------------------------- Designer files


def test_a_designer_file_makes_and_connects_widgets(tmp_path: Path) -> None:
    top = load_ui(SELECTOR, tmp_path)
    ui = slicer.util.childWidgetVariables(top)
    assert ui.selector.nodeTypes == ("vtkMRMLScalarVolumeNode",)
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
        load_ui(SELECTOR.replace(right, wrong), tmp_path)
    qt_errors.take()  # Qt says its own of the class


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
