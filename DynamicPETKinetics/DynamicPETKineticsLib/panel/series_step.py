"""Step 1 of the panel: which series, is anything missing, and what does it look like."""

from __future__ import annotations

import logging
from typing import Any

import slicer
from DynamicPETKineticsLib.panel.frame_table import FrameTable
from DynamicPETKineticsLib.panel.missing_form import MissingForm
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import allow, minutes, say
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import PetKineticsError


class SeriesStep:
    """Shows the chosen series in one line, asks for what it lacks, and averages its frames.

    :param ui: the panel's widgets by name.
    :param session: what the steps share.
    """

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self.session = ui, session
        self._frames = FrameTable(ui.frameTable, ui.frameTableNote, session)
        self._missing = MissingForm(ui.missingBox, session)
        self._suv_tip = str(ui.windowSuvCheckBox.toolTip)
        ui.openDicomButton.clicked.connect(self._on_open_dicom)
        ui.earlyButton.clicked.connect(self._on_early)
        ui.lateButton.clicked.connect(self._on_late)
        ui.otherWindowButton.toggled.connect(self._on_other_toggled)
        ui.windowButton.clicked.connect(self._on_window)
        ui.joinButton.clicked.connect(self._on_join)
        ui.otherWindowBox.hide()
        session.series_changed.connect(self.update)

    def show(self, propose: bool = False) -> None:
        """Lay the series into the slice views.

        :param propose: choose the anatomy, too, where none is chosen: once, when the series was.
        """
        sequence, state = self.session.sequence, self.session.state
        if sequence is None or state is None:
            return
        from DynamicPETKineticsLib.scene.anatomy import ct_of_same_patient_space
        from DynamicPETKineticsLib.scene.series_display import show_series

        if propose and state.anatomy is None:
            state.anatomy = ct_of_same_patient_space(sequence)
        try:
            show_series(sequence, state.anatomy)
        except PetKineticsError:
            # The summary line already says what the series lacks.
            logging.info("The series cannot be averaged yet.")

    def update(self) -> None:
        """Bring every widget of the step up to date."""
        ui, sequence = self.ui, self.session.sequence
        from DynamicPETKineticsLib.scene.dynamic_sequence import dynamic_sequences

        ui.noSeriesBox.visible = not dynamic_sequences()
        say(ui.summaryLabel, sequence.summary() if sequence else "")
        say(ui.seriesWarningLabel, self._warning())
        self._missing.update()
        self._frames.update()
        self._update_windows()

    def _warning(self) -> str:
        sequence = self.session.sequence
        if sequence is None:
            return ""
        lines = []
        if sequence.missing:
            lines.append(_("⚠ Please fill in what the series does not say:"))
        lines += ["⚠ " + sentence for sentence in sequence.warnings]
        return "\n".join(lines)

    def _update_windows(self) -> None:
        ui, sequence = self.ui, self.session.sequence
        timing = sequence.timing if sequence else None
        usable = timing is not None and sequence is not None and not sequence.missing
        reason = "" if usable else _("Choose a series whose frame times and units are known.")
        for button in (ui.earlyButton, ui.lateButton, ui.otherWindowButton, ui.windowButton):
            allow(button, reason, self._tips().get(button.objectName, ""))
        if timing is not None:
            from DynamicPETKineticsLib.scene.window_average import early_window, late_window

            ui.earlyButton.text = _("Blood {start}–{end}").format(
                start=minutes(early_window(timing)[0]), end=minutes(early_window(timing)[1])
            )
            ui.lateButton.text = _("Uptake {start}–{end}").format(
                start=minutes(late_window(timing)[0]), end=minutes(late_window(timing)[1])
            )
            ui.windowToSpin.maximum = float(timing.end_s[-1]) / 60.0
        joinable = self._joinable()
        ui.joinButton.visible = bool(joinable)
        wanting = {missing.key for missing in sequence.wanting} if sequence else set()
        needed = wanting & {"weight_kg", "injected_activity_mbq"}
        no_suv = _("SUV needs the injected activity and the patient's weight.") if needed else ""
        allow(ui.windowSuvCheckBox, no_suv, self._suv_tip)

    def _tips(self) -> dict[str, str]:
        return {
            "earlyButton": _("Mean of the early frames, kBq/mL: blood vessels are brightest."),
            "lateButton": _("Mean of the last frames, kBq/mL: what tissue has taken up."),
            "otherWindowButton": _("Mean of the frames in a window of your own."),
            "windowButton": _("Average the frames that lie in this window, weighted by their duration."),
        }

    def _joinable(self) -> list[Any]:
        if self.session.sequence is None:
            return []
        from DynamicPETKineticsLib.scene.join_sequences import joinable_with

        return list(joinable_with(self.session.sequence.node))

    def _on_open_dicom(self, _checked: bool = False) -> None:
        slicer.util.selectModule("DICOM")

    def _on_early(self, _checked: bool = False) -> None:
        from DynamicPETKineticsLib.scene.window_average import early_window

        self._show_average(*early_window(self.session.the_timing))

    def _on_late(self, _checked: bool = False) -> None:
        from DynamicPETKineticsLib.scene.window_average import late_window

        self._show_average(*late_window(self.session.the_timing))

    def _on_other_toggled(self, checked: bool = False) -> None:
        self.ui.otherWindowBox.visible = checked

    def _on_window(self, _checked: bool = False) -> None:
        kind = "suv" if self.ui.windowSuvCheckBox.checked else "activity"
        self._show_average(self.ui.windowFromSpin.value, self.ui.windowToSpin.value, kind)

    def _show_average(self, from_min: float, to_min: float, kind: str = "activity") -> None:
        from DynamicPETKineticsLib.scene.series_display import show_average
        from DynamicPETKineticsLib.scene.window_average import average

        try:
            volume = average(self.session.the_sequence, from_min, to_min, kind)
        except PetKineticsError as error:
            say(self.ui.seriesWarningLabel, f"⚠ {error}")
            return
        say(self.ui.seriesWarningLabel, self._warning())
        show_average(volume, self.session.state.anatomy)

    def _on_join(self, _checked: bool = False) -> None:
        from DynamicPETKineticsLib.scene.join_sequences import join

        try:
            joined = join([self.session.the_sequence.node, *self._joinable()])
        except PetKineticsError as error:
            say(self.ui.seriesWarningLabel, f"⚠ {error}")
            return
        self.session.state.sequence = joined
