"""qMRMLNodeComboBox on the real scene."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from standin.panel.ctk_edits import ctkComboBox
from standin.panel.declared import with_properties
from standin.panel.mrml_widget import Observations

_SCENE_EVENTS = ("NodeAddedEvent", "NodeRemovedEvent", "EndImportEvent", "EndCloseEvent", "EndBatchProcessEvent")


class qMRMLNodeComboBox(
    with_properties(  # type: ignore[misc]
        QtWidgets.QWidget,
        nodeTypes=(tuple, ()),
        showHidden=(bool, False),
        showChildNodeTypes=(bool, True),
        hideChildNodeTypes=(tuple, ()),
        baseName=(str, ""),
        noneEnabled=(bool, False),
        addEnabled=(bool, True),
        removeEnabled=(bool, True),
        editEnabled=(bool, False),
        renameEnabled=(bool, False),
        interactionNodeSingletonTag=(str, ""),
        selectNodeUponCreation=(bool, True),
        noneDisplay=(str, "None"),
        sizeAdjustPolicy=(object, 0),
    )
):
    """Offers the scene's nodes of some types, in scene order.

    Without ``noneEnabled`` the first node is chosen when it comes; after the chosen node is removed its neighbour is.
    """

    currentNodeChanged = QtCore.Signal(object)
    currentNodeIDChanged = QtCore.Signal(str)
    nodeActivated = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)
    nodeAboutToBeRemoved = QtCore.Signal(object)
    currentNodeRenamed = QtCore.Signal(str)
    SIGNALS = (
        "currentNodeChanged(vtkMRMLNode*)",
        "currentNodeChanged(bool)",
        "currentNodeIDChanged(QString)",
        "nodeActivated(vtkMRMLNode*)",
        "nodeAdded(vtkMRMLNode*)",
        "nodeAddedByUser(vtkMRMLNode*)",
        "nodeAboutToBeRemoved(vtkMRMLNode*)",
        "currentNodeRenamed(QString)",
    )

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._ids: list[str] = []
        self._observed: set[str] = set()
        self._attributes: list[tuple[str, str, Any]] = []
        self._current: str = ""
        self._requested: str = ""
        self._labels: dict[str, str] = {}
        self._observations = Observations(self)
        self._combo = ctkComboBox(self)
        self._combo.setMinimumContentsLength(8)
        self._combo.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo)
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Preferred, policy.Fixed)
        self._combo.setSizePolicy(policy.Expanding, policy.Expanding)
        self._combo.activated.connect(self._on_activated)
        self.setEnabled(False)

    # ------------------------------------------------------------------------------------- which nodes

    def addAttribute(self, node_type: str, name: str, value: Any = None) -> None:
        """Offer nodes of the type only with this attribute, of this value unless it is None."""
        if not isinstance(node_type, str) or not isinstance(name, str):
            raise TypeError("addAttribute(nodeType, attributeName, attributeValue)")
        self.removeAttribute(node_type, name)
        self._attributes.append((node_type, name, value))
        self._refresh()

    def removeAttribute(self, node_type: str, name: str) -> None:
        """Undo `addAttribute`."""
        self._attributes = [entry for entry in self._attributes if entry[:2] != (node_type, name)]
        self._refresh()

    def _is_offered(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        matching = [kind for kind in self.nodeTypes if node.IsA(kind)]
        if not self.showChildNodeTypes:
            matching = [kind for kind in matching if node.GetClassName() == kind]
        if self.nodeTypes and not matching:
            return False
        if any(node.IsA(kind) for kind in self.hideChildNodeTypes):
            return False
        for kind, name, value in self._attributes:
            if node.IsA(kind):
                has = node.GetAttribute(name)
                if has is None or (value is not None and has != str(value)):
                    return False
        return True

    def _nodes(self) -> list[Any]:
        """The nodes to offer; those that a changed attribute could make one are observed."""
        if self._scene is None:
            return []
        nodes = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
        nodes = [node for node in nodes if not self.nodeTypes or any(node.IsA(kind) for kind in self.nodeTypes)]
        for node in nodes:
            if node.GetID() not in self._observed:
                self._observed.add(node.GetID())
                self._observations.add(node, ("ModifiedEvent",), self._on_node_modified)
        return [node for node in nodes if self._is_offered(node)]

    # ---------------------------------------------------------------------------------------- the scene

    def mrmlScene(self) -> Any:
        """The scene, None at first."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Offer the nodes of a scene."""
        if scene is not None and not scene.IsA("vtkMRMLScene"):
            raise TypeError(f"setMRMLScene takes a vtkMRMLScene, not {scene!r}")
        if scene is self._scene:
            return
        self._observations.clear()
        self._observed.clear()
        self._scene = scene
        if scene is not None:
            events = tuple(getattr(scene, name) for name in _SCENE_EVENTS)
            self._observations.add(scene, events, self._refresh)
        self.setEnabled(scene is not None)
        self._refresh()
        if self._requested:
            self.setCurrentNodeID(self._requested)
            self._requested = ""

    def _refresh(self, _scene: Any = None) -> None:
        """The list anew; another choice when the chosen one has gone."""
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        before, nodes = self._ids, self._nodes()
        self._ids = [node.GetID() for node in nodes]
        for node_id in self._ids:
            if node_id not in before:
                self.nodeAdded.emit(self._scene.GetNodeByID(node_id))
        self._fill(nodes)
        if self._current not in self._ids:
            chosen = ""
            if self._current and self._ids and self._current in before:
                chosen = self._ids[min(before.index(self._current), len(self._ids) - 1)]
            elif self._ids and not self.noneEnabled:
                chosen = self._ids[0]
            self._choose(chosen)
        elif not self._current and self._ids and not self.noneEnabled:
            self._choose(self._ids[0])
        else:
            self._show_choice()

    def _on_node_modified(self, node: Any) -> None:
        """Another name, or an attribute that counts."""
        if self._scene is None or node.GetScene() is not self._scene:
            return
        node_id, name = node.GetID(), node.GetName() or ""
        if (node_id in self._ids) != self._is_offered(node):
            self._refresh()
        elif node_id in self._ids:
            index = self._ids.index(node_id) + int(self.noneEnabled)
            if self._combo.itemText(index) != name:
                self._combo.setItemText(index, name)
                if node_id == self._current:
                    self.currentNodeRenamed.emit(name)

    def _fill(self, nodes: list[Any]) -> None:
        self._combo.blockSignals(True)
        self._combo.clear()
        if self.noneEnabled:
            self._combo.addItem(self.noneDisplay)
        for node in nodes:
            self._combo.addItem(node.GetName() or "")
        self._combo.blockSignals(False)

    def _show_choice(self) -> None:
        index = self._ids.index(self._current) if self._current in self._ids else -1
        self._combo.blockSignals(True)
        self._combo.setCurrentIndex(index + int(self.noneEnabled))
        self._combo.blockSignals(False)

    # --------------------------------------------------------------------------------------- the choice

    def _choose(self, node_id: str) -> None:
        changed = node_id != self._current
        self._current = node_id
        self._show_choice()
        if changed:
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(node_id)

    def currentNode(self) -> Any:
        """The chosen node or None."""
        return self._scene.GetNodeByID(self._current) if self._scene is not None and self._current else None

    def setCurrentNode(self, node: Any) -> None:
        """Choose a node; one that is not offered chooses none."""
        if node is not None and not hasattr(node, "GetID"):
            raise TypeError(f"setCurrentNode takes a node, not {node!r}")
        self.setCurrentNodeID("" if node is None else node.GetID() or "")

    def setCurrentNodeID(self, node_id: str) -> None:
        """Choose a node by its ID, "" for none."""
        if self._scene is None:
            self._requested = node_id
            return
        self._choose(node_id if node_id in self._ids else "")

    def _get_id(self) -> str:
        return self._current

    currentNodeID = QtCore.Property(str, _get_id, setCurrentNodeID, notify=currentNodeIDChanged)

    def nodeCount(self) -> int:
        """How many nodes are offered."""
        return len(self._ids)

    def nodeFromIndex(self, index: int) -> Any:
        """The n-th node offered."""
        return self._scene.GetNodeByID(self._ids[index]) if 0 <= index < len(self._ids) else None

    def setCurrentNodeIndex(self, index: int) -> None:
        """Choose the n-th node."""
        self._choose(self._ids[index] if 0 <= index < len(self._ids) else "")

    def _on_activated(self, index: int) -> None:
        self.setCurrentNodeIndex(index - int(self.noneEnabled))
        self.nodeActivated.emit(self.currentNode())

    # ------------------------------------------------------------------------------ making and removing

    def addNode(self, node_type: str = "") -> Any:
        """A new node of the type, the first type unless one is named."""
        kind = node_type or self.nodeTypes[0]
        name = self.baseName or self._scene.GetTagByClassName(kind)
        node = self._scene.AddNewNodeByClass(kind, self._scene.GenerateUniqueName(name))
        for attribute_kind, attribute, value in self._attributes:
            if node.IsA(attribute_kind):
                node.SetAttribute(attribute, "" if value is None else str(value))
        if self.selectNodeUponCreation:
            self._refresh()
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        """Take the chosen node out of the scene."""
        if self.currentNode() is not None:
            self.nodeAboutToBeRemoved.emit(self.currentNode())
            self._scene.RemoveNode(self.currentNode())

    def setNodeTypeLabel(self, label: str, node_type: str) -> None:
        """What a type is called in the menu."""
        self._labels[node_type] = label

    def nodeTypeLabel(self, node_type: str) -> str:
        """What a type is called in the menu."""
        return self._labels.get(node_type, node_type)

    def addMenuAction(self, _action: Any) -> None:
        """The menu is not drawn."""

    def _updated(self, name: str) -> None:
        if name == "sizeAdjustPolicy":
            self._combo.setSizeAdjustPolicy(self.sizeAdjustPolicy)
        else:
            self._refresh()


class qMRMLColorTableComboBox(qMRMLNodeComboBox):
    """A selector of colour nodes, hidden ones too."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.nodeTypes = ["vtkMRMLColorNode"]
        self.showHidden = True
        self.addEnabled = False
        self.removeEnabled = False
