"""Step 2 of the panel: the blood curve, from the aorta or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt

import slicer
from DynamicPETKineticsLib.panel.aorta_editor import AortaEditor
from DynamicPETKineticsLib.panel.curve_view import draw_blood_curve
from DynamicPETKineticsLib.panel.dialogs import ask_file, ask_new_file
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.stroke_watch import StrokeWatch
from DynamicPETKineticsLib.panel.widgets import allow, say, silently
from DynamicPETKineticsLib.process.faults import in_words
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import PetKineticsError

FROM_AORTA, FROM_FILE = "aorta", "file"
#: entries of the plasma box, and the value each begins with
PLASMA = ("none", "ratio", "haematocrit")
_PLASMA_RANGE = {"ratio": (0.5, 2.5, 1.1), "haematocrit": (0.15, 0.75, 0.42)}
_MARKS = {"good": "✓", "check": "⚠", "bad": "✗"}


class InputStep:
    """Proposes the aorta, lets it be corrected, and shows the curve after every stroke."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self.session = ui, session
        self.editor = AortaEditor(ui, session)
        self._search: Any = None
        self._no_file = str(ui.curveFileLabel.text)
        self._strokes = StrokeWatch(self._measure_after_stroke)
        # Timers of a widget end with it.
        self._fit_timer, self._draw_timer = qt.QTimer(ui.curveView), qt.QTimer(ui.curveView)
        for timer, slot in ((self._fit_timer, self._fit), (self._draw_timer, self.draw)):
            timer.setSingleShot(True)
            timer.timeout.connect(slot)
        ui.inputSourceCombo.currentIndexChanged.connect(self._on_source)
        ui.findAortaButton.clicked.connect(self._on_find)
        ui.editAortaButton.toggled.connect(self._on_edit)
        ui.doneButton.clicked.connect(self._on_done)
        ui.jumpToAortaButton.clicked.connect(self._on_jump)
        ui.curveFileButton.clicked.connect(self._on_choose_file)
        ui.plasmaCombo.currentIndexChanged.connect(self._on_plasma_kind)
        ui.plasmaSpin.valueChanged.connect(self._on_plasma_value)
        ui.saveCurveButton.clicked.connect(self._on_save)
        # The label knows its width when the step is open.
        ui.inputStep.contentsCollapsed.connect(self._on_step_toggled)
        say(ui.aortaStatusLabel, "")
        session.series_changed.connect(self.on_series)
        session.blood_changed.connect(self.update)

    # ------------------------------------------------------------------------------ state to widgets

    def on_series(self) -> None:
        """Another series, or other times: measure again."""
        if self._search is not None:
            self._search.cancel()
        if self.session.sequence is None:
            self.editor.close()
            say(self.ui.aortaStatusLabel, "")
        self._observe()
        self.measure()

    def update(self) -> None:
        """Bring every widget of the step up to date."""
        ui, state, blood = self.ui, self.session.state, self.session.blood
        source = state.inputSource if state else FROM_AORTA
        kind = state.plasmaKind if state else "none"
        with silently(ui.inputSourceCombo, ui.plasmaCombo, ui.plasmaSpin):
            ui.inputSourceCombo.setCurrentIndex(int(source == FROM_FILE))
            ui.plasmaCombo.setCurrentIndex(PLASMA.index(kind))
            if kind in _PLASMA_RANGE:
                low, high, _start = _PLASMA_RANGE[kind]
                ui.plasmaSpin.setRange(low, high)
                ui.plasmaSpin.value = state.plasmaRatio if kind == "ratio" else state.haematocrit
        ui.plasmaSpin.visible = kind != "none"
        ui.aortaBox.visible = source == FROM_AORTA
        ui.curveFileBox.visible = source == FROM_FILE
        ui.curveFileLabel.text = Path(state.inputFile).name if state and state.inputFile else self._no_file
        self.draw()
        verdict = blood.verdict if blood is not None else None
        say(ui.verdictLabel, f"{_MARKS[verdict.level]} {verdict.sentence}" if verdict else "")
        self._update_buttons()

    def _update_buttons(self) -> None:
        ui, sequence, state = self.ui, self.session.sequence, self.session.state
        no_series = ""
        if sequence is None:
            no_series = _("Choose a dynamic series in step 1 first.")
        elif sequence.missing:
            no_series = _("Fill in what step 1 asks for first.")
        searching = self._search is not None and self._search.running
        ui.findAortaButton.text = _("Stop searching") if searching else _("Find aorta")
        tip = _("Look for the aorta in the early frames and propose a segment. Check it: you can correct it.")
        allow(ui.findAortaButton, no_series, tip)
        tip = _(
            "Correct the aorta with brush, eraser, threshold, scissors or islands, on the image of the early frames."
        )
        allow(ui.editAortaButton, no_series, tip)
        drawn = bool(state and state.inputSegmentation and state.inputSegment)
        reason = "" if drawn else _("There is no aorta segment yet: press Find aorta or Edit.")
        allow(ui.jumpToAortaButton, no_series or reason, _("Centre the slice views on the aorta."))
        allow(ui.curveFileButton, no_series, _("A table of blood activity over time: TSV or CSV, BIDS, PMOD or Turku."))
        has_curve = self.session.blood is not None and self.session.blood.function is not None
        reason = "" if has_curve else _("There is no blood curve yet.")
        allow(ui.saveCurveButton, reason, _("Save the blood curve as TSV (s, kBq/mL)."))

    def _on_step_toggled(self, _collapsed: bool = False) -> None:
        self._draw_timer.start(0)

    def _fit(self) -> None:
        """The editor was opened or closed, and the layout knows how wide it is: so is the panel, and the curve."""
        self.editor.fit_panel()
        self._draw_timer.start(100)

    def draw(self) -> None:
        """Draw the curve in the width and the colours that the panel has now."""
        draw_blood_curve(self.ui.curveView, self.session.blood)

    # ---------------------------------------------------------------------------------- measuring

    def measure(self) -> None:
        """Measure the blood curve from what the state names."""
        state, sequence = self.session.state, self.session.sequence
        if state is None or sequence is None or sequence.missing:
            self.session.set_blood(None)
            return
        ratio = state.plasmaRatio if state.plasmaKind == "ratio" else None
        haematocrit = state.haematocrit if state.plasmaKind == "haematocrit" else None
        if state.inputSource == FROM_FILE:
            if not state.inputFile:
                self.session.set_blood(None)
                return
            from DynamicPETKineticsLib.regions.blood_curve import blood_from_file

            path = Path(state.inputFile)
            self.session.set_blood(blood_from_file(path, sequence, plasma_ratio=ratio, haematocrit=haematocrit))
            return
        if not (state.inputSegmentation and state.inputSegment):
            self.session.set_blood(None)
            return
        from DynamicPETKineticsLib.regions.blood_curve import BloodCurve

        curve = BloodCurve(sequence, state.inputSegmentation, state.inputSegment)
        self.session.set_blood(curve.measure(plasma_ratio=ratio, haematocrit=haematocrit))

    def _observe(self) -> None:
        """Follow the strokes in the input segmentation."""
        state = self.session.state
        self._strokes.watch(state.inputSegmentation if state else None)

    def _measure_after_stroke(self) -> None:
        state = self.session.state
        if state is not None and state.inputSource == FROM_AORTA:
            self.measure()

    def after_removal(self) -> None:
        """Nodes were deleted: was the segmentation among them?"""
        state = self.session.state
        if state.inputSegment and state.inputSegmentation is None:
            state.inputSegment = ""
            self.editor.close()
            self._observe()
            self.measure()

    def take_segment(self, segmentation: Any, segment_id: str) -> None:
        """Use a segment as the aorta from now on."""
        state = self.session.state
        state.inputSegmentation = segmentation
        state.inputSegment = segment_id
        self._observe()
        self.measure()

    # ------------------------------------------------------------------------------------- searching

    def _on_find(self, _checked: bool = False) -> None:
        if self._search is not None and self._search.running:
            self._search.cancel()
            return
        from DynamicPETKineticsLib.runs.aorta_run import AortaRun

        search = self._search = AortaRun(self.session.services)
        search.progressed.connect(self._on_search_progress)
        search.finished.connect(self._on_found)
        search.failed.connect(self._on_not_found)
        search.cancelled.connect(self._on_search_stopped)
        self._on_search_progress(0.0, _("Looking for the aorta"), None)
        search.start(self.session.the_sequence, self.session.state.until or None)
        self._update_buttons()

    def _on_search_progress(self, fraction: float, message: str, _remaining_s: float | None) -> None:
        say(self.ui.aortaStatusLabel, f"{message} … {100 * fraction:.0f} %")

    def _on_found(self, mask: Any, geometry: Any, sentence: str) -> None:
        from DynamicPETKineticsLib.regions.aorta_segment import add_aorta, input_segmentation

        try:
            segmentation = input_segmentation(self.session.the_sequence)
            self.take_segment(segmentation, add_aorta(segmentation, mask, geometry))
        except Exception as error:
            # what a reaction to a signal raises would be logged only
            self._on_not_found(*in_words(error))
            return
        say(self.ui.aortaStatusLabel, sentence)
        self._on_jump()
        self._update_buttons()

    def _on_not_found(self, message: str, hint: str) -> None:
        say(self.ui.aortaStatusLabel, f"⚠ {message} {hint}".strip())
        self._update_buttons()

    def _on_search_stopped(self) -> None:
        say(self.ui.aortaStatusLabel, "")
        self._update_buttons()

    # --------------------------------------------------------------------------------------- editing

    def _on_edit(self, checked: bool = False) -> None:
        if checked:
            segmentation, segment_id = self.editor.open()
            self.take_segment(segmentation, segment_id)
        else:
            self.editor.close()
        self._fit_timer.start(0)

    def _on_done(self, _checked: bool = False) -> None:
        self.ui.editAortaButton.checked = False

    def _on_jump(self, _checked: bool = False) -> None:
        from DynamicPETKineticsLib.regions.aorta_segment import aorta_centre_ras

        state = self.session.state
        centre = aorta_centre_ras(state.inputSegmentation, state.inputSegment)
        if centre is not None:
            slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *centre)

    # ---------------------------------------------------------------------------------- other inputs

    def _on_source(self, _index: Any = None) -> None:
        self.session.state.inputSource = FROM_FILE if self.ui.inputSourceCombo.currentIndex == 1 else FROM_AORTA
        if self.session.state.inputSource == FROM_FILE:
            self.ui.editAortaButton.checked = False
        self.measure()

    def _on_choose_file(self, _checked: bool = False) -> None:
        filters = _("Blood curves") + " (*.tsv *.csv *.txt *.bld *.crv *.tac *.dft);;" + _("All files") + " (*)"
        path = ask_file(_("Blood curve"), filters)
        if path is not None:
            self.session.state.inputFile = str(path)
            self.measure()

    def _on_plasma_kind(self, _index: Any = None) -> None:
        self.session.state.plasmaKind = PLASMA[self.ui.plasmaCombo.currentIndex]
        self.measure()

    def _on_plasma_value(self, _value: Any = None) -> None:
        state = self.session.state
        if state.plasmaKind == "ratio":
            state.plasmaRatio = self.ui.plasmaSpin.value
        elif state.plasmaKind == "haematocrit":
            state.haematocrit = self.ui.plasmaSpin.value
        self.measure()

    def _on_save(self, _checked: bool = False) -> None:
        from DynamicPETKineticsLib.regions.blood_curve import save_curve

        path = ask_new_file(_("Save the blood curve"), "input_function.tsv", _("Table") + " (*.tsv)")
        if path is None or self.session.blood is None:
            return
        try:
            save_curve(self.session.blood, path)
        except (PetKineticsError, OSError) as error:
            say(self.ui.aortaStatusLabel, f"⚠ {error}")

    def close(self) -> None:
        """The panel is left or the scene closes: stop what runs, let go of what was observed."""
        if self._search is not None:
            self._search.cancel()
        self.editor.close()
        self._strokes.close()
