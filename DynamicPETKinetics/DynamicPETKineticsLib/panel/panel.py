"""The panel: its four steps on one state, and what happens when scene or module come and go."""

from __future__ import annotations

from typing import Any

import qt

import slicer
from DynamicPETKineticsLib.panel.estimate_step import EstimateStep
from DynamicPETKineticsLib.panel.input_step import InputStep
from DynamicPETKineticsLib.panel.patient_change import PatientChange, take_own
from DynamicPETKineticsLib.panel.review_step import ReviewStep
from DynamicPETKineticsLib.panel.sample_button import SampleButton
from DynamicPETKineticsLib.panel.series_step import SeriesStep
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import say
from DynamicPETKineticsLib.translation import _

#: steps in order, each with those that are done with when it opens
DONE_WITH: dict[str, tuple[str, ...]] = {
    "inputStep": (),
    "estimateStep": ("seriesStep",),
    "reviewStep": ("seriesStep", "inputStep"),
}


class Panel:
    """Wires the steps to the parameter node.

    :param ui: the widgets by name.
    :param services: what runs need.
    """

    def __init__(self, ui: Any, services: Any) -> None:
        self.ui = ui
        self.session = Session(services)
        self.series = SeriesStep(ui, self.session)
        self.input = InputStep(ui, self.session)
        self.estimate = EstimateStep(ui, self.session)
        self.review = ReviewStep(ui, self.session)
        self.sample = SampleButton(ui, self.session)
        self._anatomy: Any = None
        self._regions: Any = None
        self._opened: set[str] = set()
        self._waiting = False
        self._patient = PatientChange()
        self._choosing = False
        # Sequences of transforms or segmentations are no series.
        ui.sequenceSelector.addAttribute("vtkMRMLSequenceNode", "DataNodeClassName", "vtkMRMLScalarVolumeNode")
        self.session.series_changed.connect(self._open_next)
        self.session.blood_changed.connect(self._open_next)
        self.session.results_changed.connect(self._open_next)

    def use(self, state: Any, imported: bool = False) -> None:
        """Work on a parameter node (or on none, while the scene closes).

        :param imported: it was read with a scene.
        """
        if state is None:
            self.close()
            self.session.forget()
            self._begin_again()
            self._anatomy = self._regions = None
            self._patient.forget()
            return
        self.session.state = state
        self.update_from_state(first=True, imported=imported)

    def update_from_state(
        self, _caller: Any = None, _event: Any = None, first: bool = False, imported: bool = False
    ) -> None:
        """The parameter node changed, by a selector, by a script, or with a scene that was read.

        :param first: it is new to the panel.
        :param imported: a scene was read, with or without a series and results.
        """
        state = self.session.state
        if state is None or slicer.mrmlScene.IsImporting() or self._choosing:
            return
        current = self.session.sequence.node if self.session.sequence else None
        if first or state.sequence is not current:
            self._choosing = True
            try:
                self._choose(state, first, imported)
            finally:
                self._choosing = False
        if state.anatomy is not self._anatomy:
            self._anatomy = state.anatomy
            if state.anatomy is None or self.session.result is None:
                self.series.show()
            self.review.map.show()
        if state.regions is not None and state.regions is state.inputSegmentation:
            state.regions = None
            say(self.ui.regionNoteLabel, _("The aorta's segmentation is for the blood curve. Choose another one."))
            return
        if state.regions is not self._regions or imported:
            self._regions = state.regions
            self.review.update()

    def _choose(self, state: Any, first: bool, imported: bool) -> None:
        """Take the state's series, with what was chosen for it."""
        from DynamicPETKineticsLib.results.map_display import map_is_shown

        # What comes with a scene belongs together.
        changed = self._patient.comes_with(state.sequence) and not (first or imported)
        if changed:
            self.input.editor.close()
            take_own(state, state.sequence)
        self.session.choose_sequence(state.sequence)
        if changed:
            told = _("Another patient or visit: aorta, blood curve and regions of the series before are not used.")
            say(self.ui.aortaStatusLabel, told)
        # A scene that was saved with a map over the images brings them, and where the slices were.
        brought = imported and map_is_shown()
        if not brought:
            self.series.show(propose=True)
        self._anatomy = state.anatomy
        self.review.update()
        if self.session.result is not None and (first or imported) and not brought:
            self.review.map.show()

    def enter(self) -> None:
        """The module is opened: what came into the scene since is offered; a single series is taken at once."""
        from DynamicPETKineticsLib.scene.dynamic_sequence import dynamic_sequences

        # Window and theme may have changed, and how a map looks.
        self.input.draw()
        self.review.map.update()
        state = self.session.state
        if state is None or state.sequence is not None:
            return
        complete = [sequence for sequence in dynamic_sequences() if not sequence.missing]
        if len(complete) == 1:
            state.sequence = complete[0].node
        else:
            self.series.update()

    def on_node_removed(self, _caller: Any = None, _event: Any = None) -> None:
        """A node went, perhaps one of many: look once, when all are gone."""
        if self.session.state is not None and not slicer.mrmlScene.IsClosing() and not self._waiting:
            self._waiting = True
            qt.QTimer.singleShot(0, self._after_removal)

    def _after_removal(self) -> None:
        self._waiting = False
        if self.session.state is not None:
            self.input.after_removal()
            self.review.after_removal()

    def _open_next(self) -> None:
        """Open each step when it becomes possible, and fold those that are done with, so that it is in sight.

        Once for each: what the user opens or closes afterwards stays as it is.
        """
        session = self.session
        ready = {
            "inputStep": session.sequence is not None and not session.sequence.missing,
            "estimateStep": session.blood is not None and session.blood.verdict.level != "bad",
            "reviewStep": session.result is not None,
        }
        for name, possible in ready.items():
            if possible and name not in self._opened:
                self._opened.add(name)
                for earlier in DONE_WITH[name]:
                    getattr(self.ui, earlier).collapsed = True
                getattr(self.ui, name).collapsed = False
                # Its place is known when the layout has settled.
                qt.QTimer.singleShot(0, self._show_newest)

    def _begin_again(self) -> None:
        """The steps as for an empty scene."""
        self._opened.clear()
        self.ui.seriesStep.collapsed = False
        for name in DONE_WITH:
            getattr(self.ui, name).collapsed = True
        self.ui.stepsScrollArea.verticalScrollBar().value = 0

    def _show_newest(self) -> None:
        """Scroll to the step that was opened last."""
        newest = next((name for name in reversed(DONE_WITH) if name in self._opened), None)
        if newest is not None:
            bar = self.ui.stepsScrollArea.verticalScrollBar()
            bar.value = min(getattr(self.ui, newest).y, bar.maximum)

    def leave(self) -> None:
        """Another module is opened: no brush may stay active. Runs go on."""
        self.input.editor.close()

    def close(self) -> None:
        """The scene closes, or Slicer quits: stop everything."""
        self.sample.close()
        self.estimate.close()
        self.review.close()
        self.input.close()
        self.input.editor.forget()
