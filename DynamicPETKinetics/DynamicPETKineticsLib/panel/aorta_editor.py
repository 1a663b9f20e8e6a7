"""The few tools of the segment editor that an aorta needs, embedded in step 2."""

from __future__ import annotations

from typing import Any

import slicer
from DynamicPETKineticsLib.panel.session import Session

#: nothing else of the segment editor is offered
EFFECTS = ("Paint", "Erase", "Threshold", "Scissors", "Islands")
BRUSH_MM = 10.0
#: sections and buttons of the segment editor that an aorta does not need; masking would restrict strokes unseen
NOT_OFFERED = (
    "maskingSectionVisible",
    "specifyGeometryButtonVisible",
    "show3DButtonVisible",
    "addRemoveSegmentButtonsVisible",
)
_EDITOR_TAG = "DynamicPETKinetics"


class AortaEditor:
    """Opens and closes the embedded editor on the input segmentation, over the average of the early frames."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self.session = ui, session
        self._widget: Any = None
        #: the images that lay in the slice views before the editor was opened
        self._before: Any = None
        ui.editorBox.hide()
        ui.undoButton.clicked.connect(self._on_undo)
        ui.redoButton.clicked.connect(self._on_redo)

    def open(self) -> tuple[Any, str]:
        """Show the editor, with an empty segment where there is none yet.

        :returns: the segmentation and the ID of the segment that is edited.
        """
        from DynamicPETKineticsLib.regions.aorta_segment import aorta_segment, input_segmentation
        from DynamicPETKineticsLib.scene.series_display import show_average, slice_layers
        from DynamicPETKineticsLib.scene.window_average import average, early_window

        sequence, state = self.session.the_sequence, self.session.state
        early = average(sequence, *early_window(self.session.the_timing))
        segmentation = state.inputSegmentation or input_segmentation(sequence)
        segment_id = state.inputSegment if state.inputSegmentation else ""
        if not segment_id or segmentation.GetSegmentation().GetSegment(segment_id) is None:
            segment_id = aorta_segment(segmentation)
        if self._before is None:
            self._before = (slice_layers(), early)
        show_average(early, None, fit=False)
        widget = self._editor()
        node = widget.mrmlSegmentEditorNode()
        widget.setSegmentationNode(segmentation)
        widget.setSourceVolumeNode(early)
        widget.setCurrentSegmentID(segment_id)
        # Slicer's default would let the aorta wipe out other segments.
        node.SetOverwriteMode(node.OverwriteNone)
        widget.setActiveEffectByName("Paint")
        self._use_sphere_brush(widget)
        widget.installKeyboardShortcuts()
        self.ui.editorBox.show()
        return segmentation, segment_id

    def close(self) -> None:
        """Hide the editor, let go of mouse and keys, and show the images from before."""
        if self._widget is not None:
            self._widget.setActiveEffect(None)
            self._widget.removeViewObservations()
            self._widget.uninstallKeyboardShortcuts()
        self.ui.editorBox.hide()
        if self._before is not None:
            from DynamicPETKineticsLib.scene.series_display import lay_again

            lay_again(*self._before)
            self._before = None
        if self.ui.editAortaButton.checked:
            self.ui.editAortaButton.checked = False

    def fit_panel(self) -> None:
        """Let the panel be wide enough for the open editor, and as narrow as before without it."""
        area, width = self.ui.stepsScrollArea, 0
        if self.ui.editAortaButton.checked:
            width = self.ui.stepsWidget.minimumSizeHint.width() + area.verticalScrollBar().sizeHint.width()
        area.setMinimumWidth(width)

    def _editor(self) -> Any:
        """The editor's widget, made when it is first needed: it takes a second."""
        if self._widget is None:
            widget = slicer.qMRMLSegmentEditorWidget()
            widget.setMaximumNumberOfUndoStates(20)
            widget.setEffectNameOrder(list(EFFECTS))
            widget.unorderedEffectsVisible = False
            # Else every change of the layout, for a plot, say, would lay its image over the map.
            widget.autoShowSourceVolumeNode = False
            widget.segmentationNodeSelectorVisible = False
            widget.sourceVolumeNodeSelectorVisible = False
            widget.switchToSegmentationsButtonVisible = False
            for name in NOT_OFFERED:
                # Slicer before 5.13 lacks some of them.
                if hasattr(widget, name):
                    setattr(widget, name, False)
            for buttons in slicer.util.findChildren(widget, name="UndoRedoGroupBox"):
                # The panel has its own, beside Done.
                buttons.hide()
            node = slicer.mrmlScene.GetSingletonNode(_EDITOR_TAG, "vtkMRMLSegmentEditorNode")
            if node is None:
                node = slicer.vtkMRMLSegmentEditorNode()
                node.SetSingletonTag(_EDITOR_TAG)
                node = slicer.mrmlScene.AddNode(node)
            # In this order: a node set after the scene is replaced by a default one.
            widget.setMRMLSegmentEditorNode(node)
            widget.setMRMLScene(slicer.mrmlScene)
            self.ui.editorBox.layout().addWidget(widget)
            self._widget = widget
        return self._widget

    def _use_sphere_brush(self, widget: Any) -> None:
        # Slicer's default is a flat brush that changes its size with the zoom. The eraser has a shape of its own.
        for name in ("Paint", "Erase"):
            effect = widget.effectByName(name)
            if effect is not None:
                effect.setParameter("BrushSphere", 1)
                effect.setCommonParameter("BrushDiameterIsRelative", 0)
                effect.setCommonParameter("BrushAbsoluteDiameter", BRUSH_MM)

    def forget(self) -> None:
        """The scene closes: the editor's node goes with it."""
        # Lets the views go first: with them, but without a node, the widget crashes Slicer when the layout changes.
        self.close()
        if self._widget is not None:
            self._widget.setMRMLSegmentEditorNode(None)
            self._widget.hide()
            self._widget.deleteLater()
            self._widget = None

    def _on_undo(self, _checked: bool = False) -> None:
        if self._widget is not None:
            self._widget.undo()

    def _on_redo(self, _checked: bool = False) -> None:
        if self._widget is not None:
            self._widget.redo()
