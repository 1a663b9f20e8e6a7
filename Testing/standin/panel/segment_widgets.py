"""qMRMLSegmentsTableView and qMRMLSegmentSelectorWidget: the segments of a segmentation node."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

import slicer
from standin.panel.declared import with_properties
from standin.panel.mrml_widget import Observations, qMRMLWidget
from standin.panel.node_selector import qMRMLNodeComboBox

_EVENTS = (
    slicer.vtkSegmentation.SegmentAdded,
    slicer.vtkSegmentation.SegmentRemoved,
    slicer.vtkSegmentation.SegmentModified,
)


def _segments(node: Any) -> list[tuple[str, str]]:
    """ID and name of each segment."""
    if node is None:
        return []
    inside = node.GetSegmentation()
    return [(str(key), inside.GetSegment(key).GetName()) for key in inside.GetSegmentIDs()]


def _check(node: Any) -> None:
    if node is not None and not node.IsA("vtkMRMLSegmentationNode"):
        raise TypeError(f"a segmentation node is needed, not {node!r}")


class qMRMLSegmentsTableView(
    with_properties(  # type: ignore[misc]
        qMRMLWidget,
        selectionMode=(int, 3),
        headerVisible=(bool, True),
        visibilityColumnVisible=(bool, True),
        colorColumnVisible=(bool, True),
        opacityColumnVisible=(bool, True),
        statusColumnVisible=(bool, True),
        layerColumnVisible=(bool, False),
        readOnly=(bool, False),
        filterBarVisible=(bool, False),
        textFilter=(str, ""),
        jumpToSelectedSegmentEnabled=(bool, False),
    )
):
    """The segments, one a row."""

    selectionChanged = QtCore.Signal(object, object)
    segmentAboutToBeModified = QtCore.Signal(str)
    SIGNALS = ("selectionChanged(QItemSelection,QItemSelection)", "segmentAboutToBeModified(QString)")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._ids: list[str] = []
        self._observations = Observations(self)
        self._table = QtWidgets.QTableWidget(0, 1, self)
        self._table.setHorizontalHeaderLabels(["Name"])
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        rows = QtWidgets.QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self._table)
        self._table.selectionModel().selectionChanged.connect(lambda on, off: self.selectionChanged.emit(on, off))

    def segmentationNode(self) -> Any:
        """What is shown."""
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        """Show another one."""
        _check(node)
        if node is self._node:
            return
        self._observations.clear()
        self._node = node
        if node is not None:
            self._observations.add(node, _EVENTS, self._fill)
        self._fill()

    def _fill(self, _caller: Any = None) -> None:
        chosen, segments = self.selectedSegmentIDs(), _segments(self._node)
        self._ids = [key for key, _ in segments]
        self._table.setRowCount(len(segments))
        for row, (_, name) in enumerate(segments):
            self._table.setItem(row, 0, QtWidgets.QTableWidgetItem(name))
        self.setSelectedSegmentIDs([key for key in chosen if key in self._ids])

    def _count(self) -> int:
        return len(self._ids)

    segmentCount = QtCore.Property(int, _count)

    def tableWidget(self) -> Any:
        """The table itself."""
        return self._table

    def selectedSegmentIDs(self) -> tuple[str, ...]:
        """In order of the rows."""
        rows = sorted({index.row() for index in self._table.selectedIndexes()})
        return tuple(self._ids[row] for row in rows if row < len(self._ids))

    def setSelectedSegmentIDs(self, segment_ids: Any) -> None:
        """Select rows."""
        if tuple(segment_ids) == self.selectedSegmentIDs():
            return
        self._table.clearSelection()
        for key in segment_ids:
            if key in self._ids:
                self._table.item(self._ids.index(key), 0).setSelected(True)

    def clearSelection(self) -> None:
        """Select nothing."""
        self._table.clearSelection()

    def rowForSegmentID(self, segment_id: str) -> int:
        """-1 for none."""
        return self._ids.index(segment_id) if segment_id in self._ids else -1

    def segmentIDForRow(self, row: int) -> str:
        """ID of a row's segment."""
        return self._ids[row] if 0 <= row < len(self._ids) else ""

    def _updated(self, name: str) -> None:
        if name == "headerVisible":
            self._table.horizontalHeader().setVisible(self.headerVisible)


class qMRMLSegmentSelectorWidget(
    with_properties(  # type: ignore[misc]
        qMRMLWidget,
        noneEnabled=(bool, False),
        editEnabled=(bool, False),
        segmentationNodeSelectorVisible=(bool, True),
        multiSelection=(bool, False),
        horizontalLayout=(bool, False),
        selectNodeUponCreation=(bool, True),
    )
):
    """A segmentation and one of its segments."""

    currentNodeChanged = QtCore.Signal(object)
    currentSegmentChanged = QtCore.Signal(str)
    SIGNALS = ("currentNodeChanged(vtkMRMLNode*)", "currentNodeChanged(bool)", "currentSegmentChanged(QString)")

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._nodes = qMRMLNodeComboBox(self)
        self._nodes.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._nodes.noneEnabled = True
        self._segments = QtWidgets.QComboBox(self)
        self._ids: list[str] = []
        self._observations = Observations(self)
        rows = QtWidgets.QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self._nodes)
        rows.addWidget(self._segments)
        self._nodes.currentNodeChanged.connect(self._on_node)
        self._segments.currentIndexChanged.connect(lambda: self.currentSegmentChanged.emit(self.currentSegmentID()))

    def _scene_changed(self) -> None:
        self._nodes.setMRMLScene(self.mrmlScene())

    def _on_node(self, node: Any) -> None:
        self._observations.clear()
        if node is not None:
            self._observations.add(node, _EVENTS, self._fill)
        self._fill()
        self.currentNodeChanged.emit(node)

    def _fill(self, _caller: Any = None) -> None:
        before, segments = self.currentSegmentID(), _segments(self.currentNode())
        if self.noneEnabled:
            segments.insert(0, ("", "None"))
        self._segments.blockSignals(True)
        self._segments.clear()
        self._ids = [key for key, _ in segments]
        for _, name in segments:
            self._segments.addItem(name)
        self._segments.setCurrentIndex(self._ids.index(before) if before in self._ids else min(0, len(self._ids) - 1))
        self._segments.blockSignals(False)
        if self.currentSegmentID() != before:
            self.currentSegmentChanged.emit(self.currentSegmentID())

    def currentNode(self) -> Any:
        """The segmentation."""
        return self._nodes.currentNode()

    def setCurrentNode(self, node: Any) -> None:
        """Another segmentation."""
        _check(node)
        self._nodes.setCurrentNode(node)

    def currentNodeID(self) -> str:
        """ID of the segmentation."""
        return str(self._nodes.currentNodeID)

    def setCurrentNodeID(self, node_id: str) -> None:
        """Another segmentation."""
        self._nodes.setCurrentNodeID(node_id)

    def currentSegmentID(self) -> str:
        """ID of the segment, "" for none."""
        index = self._segments.currentIndex
        return self._ids[index] if 0 <= index < len(self._ids) else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        """Another segment."""
        if segment_id in self._ids:
            self._segments.setCurrentIndex(self._ids.index(segment_id))

    def segmentIDs(self) -> tuple[str, ...]:
        """Of all segments."""
        return tuple(key for key in self._ids if key)

    def _updated(self, name: str) -> None:
        if name == "segmentationNodeSelectorVisible":
            self._nodes.setVisible(self.segmentationNodeSelectorVisible)
        elif name == "noneEnabled":
            self._fill()
