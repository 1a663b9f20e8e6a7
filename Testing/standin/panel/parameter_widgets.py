"""Which widgets show which parameters; exact classes, as in Slicer."""

from __future__ import annotations

import enum
import math
import pathlib
from collections.abc import Callable
from typing import Any

from PySide6 import QtWidgets

import slicer
from standin.panel import ctk_edits, ctk_sliders, node_selector
from standin.panel.parameter_types import Choice, Decimals, Maximum, Minimum, Parameter, SingleStep, WithinRange, find

_SPINS = (
    QtWidgets.QDoubleSpinBox,
    ctk_sliders.ctkSliderWidget,
    ctk_sliders.ctkDoubleSlider,
    ctk_sliders.ctkDoubleSpinBox,
)
_INTEGERS = (QtWidgets.QSlider, QtWidgets.QSpinBox)
_COMBOS = (QtWidgets.QComboBox, ctk_edits.ctkComboBox)
_CHECKS = (QtWidgets.QCheckBox, ctk_edits.ctkCheckBox)


class Connector:
    """Reads and writes a widget, and tells of changes."""

    def __init__(self, signal: Any, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        self._signal, self.read, self.write = signal, read, write
        self._call: Callable[[], None] | None = None

    def _changed(self) -> None:
        if self._call is not None:
            self._call()

    def start(self, call: Callable[[], None]) -> None:
        """Call after each change."""
        self._call = call
        self._signal.connect(self._changed)

    def stop(self) -> None:
        """Never again."""
        self._call = None
        self._signal.disconnect(self._changed)


def _set(widget: Any, name: str) -> Callable[[Any], None]:
    return lambda value: setattr(widget, name, value)


def _limit(widget: Any, parameter: Parameter, open_end: float) -> None:
    """Give a spin box or slider the parameter's range."""
    within = find(parameter.annotations, WithinRange)
    low = within or find(parameter.annotations, Minimum)
    high = within or find(parameter.annotations, Maximum)
    bounded = low is not None and high is not None
    if isinstance(widget, (QtWidgets.QSlider, ctk_sliders.ctkSliderWidget)) and not bounded:
        raise RuntimeError(f"{parameter.name}: a slider needs a parameter with a range")
    widget.setMinimum(low.minimum if low is not None else -open_end)
    widget.setMaximum(high.maximum if high is not None else open_end)
    for kind, name in ((Decimals, "decimals"), (SingleStep, "singleStep")):
        annotation = find(parameter.annotations, kind)
        if annotation is not None:
            setattr(widget, name, annotation.value)


def _number(widget: Any, parameter: Parameter) -> Connector:
    if type(widget) in _INTEGERS:
        _limit(widget, parameter, 2**31 - 1)
        return Connector(widget.valueChanged, lambda: widget.value, _set(widget, "value"))
    if parameter.kind is int:
        widget.decimals = 0
    _limit(widget, parameter, math.inf)
    return Connector(widget.valueChanged, lambda: parameter.kind(widget.value), _set(widget, "value"))


def _combo(widget: Any, parameter: Parameter) -> Connector:
    if issubclass(parameter.kind, enum.Enum):
        label = getattr(parameter.kind, "label", lambda item: item.name)
        entries = [(label(item), item) for item in parameter.kind]
    else:
        choice = find(parameter.annotations, Choice)
        if choice is None:
            raise RuntimeError(f"{parameter.name}: a combo box needs a parameter with Choice")
        entries = [(str(item), item) for item in choice.choices]
    widget.clear()
    for text, _ in entries:
        widget.addItem(text)
    values = [value for _, value in entries]
    return Connector(
        widget.currentIndexChanged,
        lambda: values[widget.currentIndex],
        lambda value: widget.setCurrentIndex(values.index(value)),
    )


def _text(widget: Any) -> Connector:
    name = "text" if type(widget) is QtWidgets.QLineEdit else "plainText"

    def write(text: str) -> None:
        if getattr(widget, name) != text:  # keeps the cursor where it is
            setattr(widget, name, text)

    return Connector(widget.textChanged, lambda: getattr(widget, name), write)


def _node(widget: Any, parameter: Parameter) -> Connector:
    widget.nodeTypes = (parameter.kind().GetClassName(),)
    return Connector(widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode)


def _path(widget: Any, parameter: Parameter) -> Connector:
    name, signal = "currentPath", "currentPathChanged"
    if type(widget) is ctk_edits.ctkDirectoryButton:
        name, signal = "directory", "directoryChanged"
    write = _set(widget, name)
    return Connector(
        getattr(widget, signal),
        lambda: parameter.kind(getattr(widget, name)),
        lambda value: write(str(value)),
    )


def _rule(kind: type, widget: type) -> str:
    """Name of the rule for a parameter type and a widget class, "" for none."""
    if kind is bool and (widget in _CHECKS or widget in (QtWidgets.QPushButton, ctk_edits.ctkCheckablePushButton)):
        return "checked"
    if (kind is int and widget in _INTEGERS) or (kind in (int, float) and widget in _SPINS):
        return "number"
    if widget in _COMBOS and (kind in (int, float, str, bool) or issubclass(kind, enum.Enum)):
        return "combo"
    if kind is str and widget in (QtWidgets.QLineEdit, QtWidgets.QTextEdit):
        return "text"
    if issubclass(kind, slicer.vtkMRMLNode) and widget is node_selector.qMRMLNodeComboBox:
        return "node"
    paths = (ctk_edits.ctkPathLineEdit, ctk_edits.ctkDirectoryButton)
    return "path" if issubclass(kind, pathlib.PurePath) and widget in paths else ""


def connector(widget: Any, parameter: Parameter) -> Connector:
    """The connector for a widget.

    Raises:
        RuntimeError: no such widget shows such a parameter.
    """
    rule = _rule(parameter.kind, type(widget))
    if rule == "checked":
        if isinstance(widget, QtWidgets.QPushButton):
            widget.checkable = True
        return Connector(widget.toggled, lambda: widget.checked, _set(widget, "checked"))
    if rule == "text":
        return _text(widget)
    makers = {"number": _number, "combo": _combo, "node": _node, "path": _path}
    if rule not in makers:
        raise RuntimeError(f"{parameter.name}: a {type(widget).__name__} shows no {parameter.kind.__name__}")
    return makers[rule](widget, parameter)
