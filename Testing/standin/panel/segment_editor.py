"""qMRMLSegmentEditorWidget over Slicer's own segment editor logic; only mouse, views and options are missing."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

import slicer
from standin.panel.declared import with_properties
from standin.panel.mrml_widget import Observations, qMRMLWidget
from standin.panel.segment_effect import EFFECTS, Effect
from standin.panel.segment_widgets import qMRMLSegmentsTableView

_FLAGS = (
    "segmentationNodeSelectorVisible",
    "sourceVolumeNodeSelectorVisible",
    "maskingSectionVisible",
    "specifyGeometryButtonVisible",
    "show3DButtonVisible",
    "addRemoveSegmentButtonsVisible",
    "autoShowSourceVolumeNode",
    "switchToSegmentationsButtonVisible",
    "undoEnabled",
    "unorderedEffectsVisible",
)


class qMRMLSegmentEditorWidget(
    with_properties(  # type: ignore[misc]
        qMRMLWidget,
        **dict.fromkeys(_FLAGS, (bool, True)),
        maximumNumberOfUndoStates=(int, 10),
        readOnly=(bool, False),
        effectButtonStyle=(object, 0),
        effectColumnCount=(int, 2),
        defaultTerminologyEntry=(str, ""),
        defaultTerminologyEntrySettingsKey=(str, ""),
        jumpToSelectedSegmentEnabled=(bool, False),
    )
):
    """Segments, effects and undo; without a segment editor node it does nothing, or fails where Slicer crashes."""

    currentSegmentIDChanged = QtCore.Signal(str)
    sourceVolumeNodeChanged = QtCore.Signal(object)
    segmentationNodeChanged = QtCore.Signal(object)
    SIGNALS = (
        "currentSegmentIDChanged(QString)",
        "sourceVolumeNodeChanged(vtkMRMLVolumeNode*)",
        "segmentationNodeChanged(vtkMRMLSegmentationNode*)",
    )

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._effects = {name: Effect(name) for name in EFFECTS}
        self._order: list[str] = []
        self._node: Any = None
        self._shown: tuple[Any, Any, str] = (None, None, "")
        self._active: Effect | None = None
        self._shortcuts = False
        self._views_observed = False
        self._observations = Observations(self)
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._table = qMRMLSegmentsTableView(self)
        self._table.setMaximumHeight(90)
        self._layout.addWidget(self._table)
        self._buttons = QtWidgets.QWidget(self)
        self._grid = QtWidgets.QGridLayout(self._buttons)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self._buttons)
        self._brush = QtWidgets.QLabel(self)
        self._brush.hide()
        self._layout.addWidget(self._brush)
        self._list_effects()

    # ------------------------------------------------------------------------------------------- nodes

    def mrmlSegmentEditorNode(self) -> Any:
        """Where the state is."""
        return self._node

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        """Take another state."""
        if node is self._node:
            return
        if node is None and self._views_observed:
            raise RuntimeError("without its node Slicer's editor crashes when the layout changes: let go of the views")
        self._observations.clear()
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        if node is not None:
            for effect in self._effects.values():
                effect.setParameterSetNode(node)
            self._observations.add(node, ("ModifiedEvent",), self._update)
            self._observations.add(node, (node.EffectParameterModified,), self._show_brush)
            self._update()

    def _scene_changed(self) -> None:
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(self.mrmlScene())
        if self._node is not None:
            self._update()

    def _update(self, _caller: Any = None) -> None:
        """Follow the segment editor node."""
        segmentation, volume, segment = self._shown
        now = (
            self._node.GetSegmentationNode(),
            self._node.GetSourceVolumeNode(),
            self._node.GetSelectedSegmentID() or "",
        )
        self._shown = now
        if now[0] is not segmentation:
            self._table.setSegmentationNode(now[0])
            if now[0] is not None:
                now[0].CreateDefaultDisplayNodes()
                reference = now[0].GetNodeReference(now[0].GetReferenceImageGeometryReferenceRole())
                if reference is not None:
                    self.setSourceVolumeNode(reference)
                if now[0].GetSegmentation().GetNumberOfSegments() > 0:
                    self.setCurrentSegmentID(now[0].GetSegmentation().GetNthSegmentID(0))
            self.segmentationNodeChanged.emit(now[0])
        if now[1] is not volume:
            self.sourceVolumeNodeChanged.emit(now[1])
        if now[2] != segment:
            self._table.setSelectedSegmentIDs([now[2]] if now[2] else [])
            self.currentSegmentIDChanged.emit(now[2])
        self._activate(self.effectByName(self._node.GetActiveEffectName() or ""))

    def _begin(self, segmentation: Any) -> None:
        """What Slicer chooses for a segmentation that is new to the editor."""
        segmentation.CreateDefaultDisplayNodes()
        reference = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
        if reference is not None:
            self.setSourceVolumeNode(reference)
        if segmentation.GetSegmentation().GetNumberOfSegments() > 0:
            self.setCurrentSegmentID(segmentation.GetSegmentation().GetNthSegmentID(0))

    def setupViewObservations(self) -> None:
        """Follow the mouse in the slice views."""
        self._views_observed = True

    def removeViewObservations(self) -> None:
        """Let the mouse go."""
        self._views_observed = False

    def segmentationNode(self) -> Any:
        """The edited segmentation."""
        return self._logic.GetSegmentationNode()

    def setSegmentationNode(self, node: Any) -> None:
        """Edit another one; the effect is put down."""
        if node is not self.segmentationNode():
            self._logic.SetSegmentationNode(node)
            self.setActiveEffect(None)

    def segmentationNodeID(self) -> str:
        """Its ID."""
        return self.segmentationNode().GetID() if self.segmentationNode() else ""

    def sourceVolumeNode(self) -> Any:
        """The volume whose grid is edited."""
        return self._logic.GetSourceVolumeNode()

    def setSourceVolumeNode(self, node: Any) -> None:
        """Edit on another grid."""
        if node is not None and not node.IsA("vtkMRMLVolumeNode"):
            raise TypeError(f"setSourceVolumeNode takes a volume, not {node!r}")
        self._logic.SetSourceVolumeNode(node)

    def currentSegmentID(self) -> str:
        """The segment that effects change."""
        return str(self._node.GetSelectedSegmentID() or "") if self._node is not None else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        """Change another segment."""
        if self._node is not None:
            self._node.SetSelectedSegmentID(segment_id)

    # ----------------------------------------------------------------------------------------- effects

    def activeEffect(self) -> Effect | None:
        """The effect in hand."""
        return self._active

    def setActiveEffect(self, effect: Effect | None) -> None:
        """Take an effect in hand, or put it down."""
        if self._node is None:
            if effect is not None:
                raise RuntimeError("the segment editor has no segment editor node")
            return
        self._node.SetActiveEffectName(effect.name if effect is not None else "")

    def setActiveEffectByName(self, name: str) -> None:
        """The same by its name; "" puts it down."""
        self.setActiveEffect(self.effectByName(name))

    def _activate(self, effect: Effect | None) -> None:
        if effect is not None and not self._logic.SetSourceRepresentationToBinaryLabelMap():
            effect = None
        self._active = effect
        if effect is not None:
            self.setupViewObservations()
        for button in self._buttons.findChildren(QtWidgets.QToolButton):
            button.setChecked(effect is not None and button.objectName == effect.name)
        self._show_brush()

    def _show_brush(self, _caller: Any = None) -> None:
        """In place of the effect's options: what is in hand."""
        effect = self._active
        self._brush.setVisible(effect is not None and effect.name in ("Paint", "Erase"))
        if effect is not None and effect.name in ("Paint", "Erase"):
            relative = effect.integerParameter("BrushDiameterIsRelative")
            size = effect.doubleParameter("BrushRelativeDiameter" if relative else "BrushAbsoluteDiameter")
            shape = "sphere" if effect.integerParameter("BrushSphere") else "disc"
            self._brush.setText(f"{effect.name}: {shape} of {size:g} {'%' if relative else 'mm'}")

    def effectByName(self, name: str) -> Effect | None:
        """None when there is no such effect."""
        return self._effects.get(name)

    def availableEffectNames(self) -> tuple[str, ...]:
        """All, shown or not."""
        return EFFECTS

    def effectCount(self) -> int:
        """How many."""
        return len(EFFECTS)

    def setEffectNameOrder(self, names: Any) -> None:
        """Which effects come first."""
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
            raise TypeError("setEffectNameOrder takes a list of names")
        self._order = list(names)
        self._list_effects()

    def effectNameOrder(self) -> tuple[str, ...]:
        """See `setEffectNameOrder`."""
        return tuple(self._order)

    def updateEffectList(self) -> None:
        """Draw the buttons anew."""
        self._list_effects()

    def _list_effects(self) -> None:
        for button in self._buttons.findChildren(QtWidgets.QToolButton):
            button.setParent(None)
            button.deleteLater()
        names = [name for name in self._order if name in self._effects]
        if self.unorderedEffectsVisible:
            names += [name for name in EFFECTS if name not in names]
        policy = QtWidgets.QSizePolicy.Policy
        for index, name in enumerate(names):
            button = QtWidgets.QToolButton(self._buttons)
            button.setObjectName(name)
            button.setText(name)
            button.setCheckable(True)
            button.setSizePolicy(policy.Expanding, policy.Fixed)
            button.clicked.connect(lambda checked=False, name=name: self.setActiveEffectByName(name if checked else ""))
            self._grid.addWidget(button, index // 3, index % 3)

    # -------------------------------------------------------------------------------------- undo, keys

    def saveStateForUndo(self) -> None:
        """Remember."""
        self._logic.SaveStateForUndo()

    def undo(self) -> None:
        """Back."""
        self._logic.Undo()

    def redo(self) -> None:
        """Forth."""
        self._logic.Redo()

    def installKeyboardShortcuts(self, _parent: Any = None) -> None:
        """Keys choose effects, until `uninstallKeyboardShortcuts`; ``_shortcuts`` tells tests."""
        self._shortcuts = True

    def uninstallKeyboardShortcuts(self) -> None:
        """The keys do what they did before."""
        self._shortcuts = False

    def _updated(self, name: str) -> None:
        if name == "maximumNumberOfUndoStates":
            self._logic.SetMaximumNumberOfUndoStates(self.maximumNumberOfUndoStates)
        elif name == "unorderedEffectsVisible":
            self._list_effects()
        elif name == "readOnly" and self.readOnly:
            self.setActiveEffect(None)


def has_shortcuts(editor: qMRMLSegmentEditorWidget) -> bool:
    """Are the editor's keys installed?"""
    return bool(editor._shortcuts)
