"""QUiLoader as Slicer has it: knows ctk and qMRML classes, and says what Designer files get wrong."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

from PySide6 import QtCore, QtUiTools, QtWidgets

from standin.panel.pythonqt import properties, silent_attributes
from standin.panel.signatures import has_signal

#: by name: what C++ plugins would make
CUSTOM_CLASSES: dict[str, type] = {}
# Designer's own, which no class has as a property.
_DESIGNER = {"buddy", "currentRow", "headerVisible"}


class UiFileError(ValueError):
    """A Designer file names a class, property, signal or slot that does not exist."""


class QUiLoader(QtUiTools.QUiLoader):
    """Reads a .ui file; raises UiFileError where Qt would only print, or say nothing."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._errors: list[BaseException] = []
        self._widgets: dict[str, Any] = {}

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> Any:
        """Called by Qt, which has no way to pass an exception on."""
        try:
            kind = CUSTOM_CLASSES.get(class_name)
            if kind is None:
                widget = super().createWidget(class_name, parent, name)
                if widget is None:
                    raise UiFileError(f"no such class: {class_name}")
            else:
                widget = kind(parent)
                widget.setObjectName(name)
        except BaseException as error:
            self._errors.append(error)
            widget = QtWidgets.QWidget(parent)
        self._widgets[name] = widget
        return widget

    def load(self, device: Any, parent: Any = None) -> Any:
        """The top widget of the file; the open device is read to its end.

        Raises:
            UiFileError: see there.
        """
        tree = ElementTree.fromstring(bytes(device.readAll().data()))
        connections = [
            [entry.findtext(part, "") for part in ("sender", "signal", "receiver", "slot")]
            for entry in tree.iterfind("connections/connection")
        ]
        for entry in tree.findall("connections"):  # MRML types exist in our classes only
            tree.remove(entry)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        self._errors, self._widgets = [], {}
        with silent_attributes():
            top = super().load(buffer, parent)
        if self._errors:
            raise self._errors[0]
        if top is None:
            raise UiFileError(self.errorString())
        self._check_properties(tree)
        for connection in connections:
            self._connect(*connection)
        return top

    def _check_properties(self, tree: ElementTree.Element) -> None:
        for element in tree.iter("widget"):
            name = element.get("name", "")
            widget = self._widgets[name]
            known = properties(type(widget))
            for entry in element.iterfind("property"):
                wanted = entry.get("name", "")
                if entry.get("stdset") != "0" and wanted not in known and wanted not in _DESIGNER:
                    raise UiFileError(f"{name}: {element.get('class')} has no property '{wanted}'")

    def _connect(self, sender: str, signal: str, receiver: str, slot: str) -> None:
        source, target = self._widgets[sender], self._widgets[receiver]
        method = getattr(target, slot.partition("(")[0], None)
        if not has_signal(type(source), signal):
            raise UiFileError(f"{sender} has no signal {signal}")
        if method is None or not callable(method):
            raise UiFileError(f"{receiver} has no slot {slot}")
        if re.sub(r"^\w+", "", signal) != re.sub(r"^\w+", "", slot) and not slot.endswith("()"):
            raise UiFileError(f"{signal} does not fit {slot}")
        if slot.endswith("()"):
            source.connect(signal, lambda: method())
        else:
            source.connect(signal, method)
