"""qMRMLWidget, and the observing of scenes and nodes by widgets that may be deleted before them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore, QtWidgets


class Observations:
    """Observers of a widget on VTK objects; they do nothing once Qt has deleted the widget."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._tags: list[tuple[Any, int]] = []

    def add(self, observed: Any, events: tuple[Any, ...], call: Callable[[Any], None]) -> None:
        """Call with the observed object after each of the events."""

        def observer(caller: Any, _event: Any) -> None:
            if shiboken6.isValid(self._widget):
                call(caller)

        for event in events:
            self._tags.append((observed, observed.AddObserver(event, observer)))

    def clear(self) -> None:
        """Remove all."""
        for observed, tag in self._tags:
            observed.RemoveObserver(tag)
        self._tags = []


class qMRMLWidget(QtWidgets.QWidget):
    """A widget with a scene; says ``mrmlSceneChanged`` when it gets another one."""

    mrmlSceneChanged = QtCore.Signal(object)
    SIGNALS = ("mrmlSceneChanged(vtkMRMLScene*)",)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        """The scene, None at first."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Another scene."""
        if scene is not None and not scene.IsA("vtkMRMLScene"):
            raise TypeError(f"setMRMLScene takes a vtkMRMLScene, not {scene!r}")
        if scene is self._scene:
            return
        self._scene = scene
        self._scene_changed()
        self.mrmlSceneChanged.emit(scene)

    def _scene_changed(self) -> None:
        """For subclasses: before others hear of it."""


class qSlicerWidget(qMRMLWidget):
    """The widget that module widgets are made of."""
