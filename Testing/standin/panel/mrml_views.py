"""Further MRML widgets: tables, numbers with units, sequence browsers, selectors of several nodes."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from standin.panel.ctk_sliders import ctkDoubleSpinBox, ctkRangeWidget, ctkSliderWidget
from standin.panel.declared import with_properties
from standin.panel.mrml_widget import Observations, qMRMLWidget
from standin.panel.node_selector import qMRMLNodeComboBox


class qMRMLTableView(
    with_properties(  # type: ignore[misc]
        QtWidgets.QTableView,
        transposed=(bool, False),
        firstRowLocked=(bool, False),
        firstColumnLocked=(bool, False),
    )
):
    """A table node's texts."""

    mrmlSceneChanged = QtCore.Signal(object)
    SIGNALS = ("mrmlSceneChanged(vtkMRMLScene*)",)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._observations = Observations(self)
        self._model = QtGui.QStandardItemModel(self)
        self.setModel(self._model)

    def mrmlScene(self) -> Any:
        """The scene."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Another scene."""
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlTableNode(self) -> Any:
        """What is shown."""
        return self._node

    def setMRMLTableNode(self, node: Any) -> None:
        """Show another table."""
        if node is not None and not node.IsA("vtkMRMLTableNode"):
            raise TypeError(f"setMRMLTableNode takes a table node, not {node!r}")
        self._observations.clear()
        self._node = node
        if node is not None:
            self._observations.add(node, ("ModifiedEvent",), self._fill)
        self._fill()

    def _fill(self, _caller: Any = None) -> None:
        self._model.clear()
        if self._node is None:
            return
        rows, columns = self._node.GetNumberOfRows(), self._node.GetNumberOfColumns()
        cells = [[self._node.GetCellText(row, column) for column in range(columns)] for row in range(rows)]
        names = [self._node.GetColumnName(column) for column in range(columns)]
        if self.firstRowLocked and cells:
            names, cells = cells[0], cells[1:]
        self._model.setHorizontalHeaderLabels(names)
        for row in cells:
            self._model.appendRow([QtGui.QStandardItem(text) for text in row])

    def _updated(self, _name: str) -> None:
        self._fill()


class _WithScene:
    """Widgets that know units by the scene."""

    def mrmlScene(self) -> Any:
        """The scene."""
        return self.__dict__.get("_scene")

    def setMRMLScene(self, scene: Any) -> None:
        """Another scene."""
        self.__dict__["_scene"] = scene


class qMRMLSliderWidget(with_properties(ctkSliderWidget, quantity=(str, "")), _WithScene):  # type: ignore[misc]
    """A slider whose unit is the scene's."""


class qMRMLSpinBox(with_properties(ctkDoubleSpinBox, quantity=(str, "")), _WithScene):  # type: ignore[misc]
    """A spin box whose unit is the scene's."""


class qMRMLRangeWidget(with_properties(ctkRangeWidget, quantity=(str, "")), _WithScene):  # type: ignore[misc]
    """A range whose unit is the scene's."""


class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """A selector of several nodes; the boxes are not drawn."""

    checkedNodesChanged = QtCore.Signal()
    SIGNALS = ("checkedNodesChanged()",)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._checked: set[str] = set()

    def checkedNodes(self) -> tuple[Any, ...]:
        """Those that are ticked."""
        return tuple(self.nodeFromIndex(i) for i in range(self.nodeCount()) if self._ids[i] in self._checked)

    def uncheckedNodes(self) -> tuple[Any, ...]:
        """The others."""
        return tuple(self.nodeFromIndex(i) for i in range(self.nodeCount()) if self._ids[i] not in self._checked)

    def allChecked(self) -> bool:
        """Every node?"""
        return not self.uncheckedNodes()

    def noneChecked(self) -> bool:
        """No node?"""
        return not self.checkedNodes()

    def checkState(self, node: Any) -> Any:
        """Qt.Checked or Qt.Unchecked."""
        state = QtCore.Qt.CheckState
        return state.Checked if node.GetID() in self._checked else state.Unchecked

    def setCheckState(self, node: Any, state: Any) -> None:
        """Tick a node, or not."""
        before = set(self._checked)
        (self._checked.add if state == QtCore.Qt.CheckState.Checked else self._checked.discard)(node.GetID())
        if before != self._checked:
            self.checkedNodesChanged.emit()


class _BrowserWidget(qMRMLWidget):
    """Follows a sequence browser."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._browser: Any = None
        self._observations = Observations(self)

    def setMRMLSequenceBrowserNode(self, browser: Any) -> None:
        """Another browser."""
        if browser is not None and not browser.IsA("vtkMRMLSequenceBrowserNode"):
            raise TypeError(f"a sequence browser is needed, not {browser!r}")
        self._observations.clear()
        self._browser = browser
        if browser is not None:
            self._observations.add(browser, ("ModifiedEvent",), self._follow)
        self._follow()

    def _follow(self, _caller: Any = None) -> None:
        """For subclasses."""


class qMRMLSequenceBrowserPlayWidget(_BrowserWidget):
    """Steps through a sequence."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        steps = (self.onVcrFirst, self.onVcrPrevious, self.onVcrPlayPause, self.onVcrNext, self.onVcrLast)
        for text, step in zip("⏮⏪⏯⏩⏭", steps, strict=True):
            button = QtWidgets.QToolButton(self)
            button.setText(text)
            button.clicked.connect(step)
            row.addWidget(button)

    def _select(self, item: int) -> None:
        if self._browser is not None:
            last = self._browser.GetNumberOfItems() - 1
            self._browser.SetSelectedItemNumber(min(max(item, 0), last))

    def onVcrFirst(self) -> None:
        """The first frame."""
        self._select(0)

    def onVcrPrevious(self) -> None:
        """One back."""
        self._select(self._browser.GetSelectedItemNumber() - 1)

    def onVcrNext(self) -> None:
        """One forth."""
        self._select(self._browser.GetSelectedItemNumber() + 1)

    def onVcrLast(self) -> None:
        """The last frame."""
        self._select(self._browser.GetNumberOfItems() - 1)

    def onVcrPlayPause(self) -> None:
        """Play or stop."""
        if self._browser is not None:
            self._browser.SetPlaybackActive(not self._browser.GetPlaybackActive())


class qMRMLSequenceBrowserSeekWidget(_BrowserWidget):
    """A slider over a sequence."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal, self)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider)
        self._slider.valueChanged.connect(self.setSelectedItemNumber)

    def slider(self) -> Any:
        """The slider."""
        return self._slider

    def setSelectedItemNumber(self, item: int) -> None:
        """Show a frame."""
        if self._browser is not None:
            self._browser.SetSelectedItemNumber(item)

    def _follow(self, _caller: Any = None) -> None:
        self._slider.blockSignals(True)
        self._slider.setMaximum(max(self._browser.GetNumberOfItems() - 1, 0) if self._browser is not None else 0)
        self._slider.setValue(self._browser.GetSelectedItemNumber() if self._browser is not None else 0)
        self._slider.blockSignals(False)
