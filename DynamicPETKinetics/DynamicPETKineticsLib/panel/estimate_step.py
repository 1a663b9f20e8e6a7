"""Step 3 of the panel: the method, the few options that matter, and the run itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from DynamicPETKineticsLib.panel.input_step import FROM_FILE
from DynamicPETKineticsLib.panel.motion_watch import MotionWatch
from DynamicPETKineticsLib.panel.package_offers import TorchOffer
from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import allow, choice, minutes, say, set_choices, silently
from DynamicPETKineticsLib.translation import _

MASKS = ("body", "none")
DEVICES = ("auto", "cpu", "cuda")


class EstimateStep:
    """Starts runs in the background and tells how they go. One run at a time; results stay side by side."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self.session = ui, session
        self._run: Any = None
        self._motion = MotionWatch(ui.motionLabel, session)
        options = (ui.tStarSpin, ui.tStarAutoCheckBox, ui.lumpedSpin)
        self._tips = {option.objectName: str(option.toolTip) for option in options}
        self._torch = TorchOffer(ui, self.update)
        ui.methodCombo.currentIndexChanged.connect(self._on_method)
        for spin in (ui.tStarSpin, ui.untilSpin, ui.glucoseSpin, ui.lumpedSpin):
            spin.valueChanged.connect(self._on_option)
        for combo in (ui.maskCombo, ui.deviceCombo):
            combo.currentIndexChanged.connect(self._on_option)
        ui.tStarAutoCheckBox.toggled.connect(self._on_option)
        ui.runButton.clicked.connect(self._on_run)
        ui.progressBar.hide()
        say(ui.runStatusLabel, "")
        session.series_changed.connect(self.update)
        session.blood_changed.connect(self.update)

    @property
    def running(self) -> bool:
        """Whether an estimate is under way."""
        return self._run is not None and bool(self._run.running)

    # ------------------------------------------------------------------------------ state to widgets

    def update(self) -> None:
        """Bring every widget of the step up to date."""
        ui, state, sequence = self.ui, self.session.state, self.session.sequence
        from DynamicPETKineticsLib.runs.methods import METHODS, expected_minutes

        set_choices(ui.methodCombo, [(m.title, m.name) for m in METHODS], state.method if state else None)
        method = next((m for m in METHODS if m.name == choice(ui.methodCombo)), METHODS[0])
        sentence = method.sentence
        if method.learned:
            sentence += " " + _("Trained on simulated patients.")
        if sequence is not None and sequence.timing is not None:
            sentence += " " + _duration_words(
                expected_minutes(method, (len(sequence.timing), *sequence.geometry.shape))
            )
        say(ui.methodSentenceLabel, sentence)
        if state is not None:
            self._show_options(state, method)
        reason = self._missing()
        if self._torch.update(method):
            reason = reason or _("This method needs PyTorch: install it, or choose another method.")
        if self.running:
            ui.runButton.text = _("Cancel")
            allow(ui.runButton, "", _("Stop the estimate; nothing half-done is left behind."))
        else:
            ui.runButton.text = _("Run")
            allow(ui.runButton, reason, _("Estimate the maps in the background; you can keep working."))

    def _show_options(self, state: Any, method: Any) -> None:
        ui, sequence = self.ui, self.session.sequence
        widgets = (ui.tStarSpin, ui.untilSpin, ui.tStarAutoCheckBox, ui.maskCombo, ui.deviceCombo)
        with silently(*widgets, ui.glucoseSpin, ui.lumpedSpin):
            if sequence is not None and sequence.timing is not None:
                end_min = float(sequence.timing.end_s[-1]) / 60.0
                ui.tStarSpin.maximum = end_min
                ui.untilSpin.maximum = end_min
            ui.tStarSpin.value = max(state.tStar, 0.0)
            ui.untilSpin.value = max(state.until, 0.0)
            ui.tStarAutoCheckBox.checked = state.tStarAuto
            ui.maskCombo.setCurrentIndex(MASKS.index(state.mask))
            ui.deviceCombo.setCurrentIndex(DEVICES.index(state.device))
            ui.glucoseSpin.value = state.glucose
            ui.lumpedSpin.value = state.lumpedConstant
        no_t_star = "" if method.uses_t_star else _("This method fits the whole scan: it has no t*.")
        chosen = _("The start is chosen from the curves.") if state.tStarAuto else ""
        self._allow(ui.tStarSpin, no_t_star or chosen)
        self._allow(ui.tStarAutoCheckBox, no_t_star)
        self._allow(ui.lumpedSpin, "" if state.glucose > 0 else _("Only used when the glucose is given."))
        ui.deviceBox.visible = method.learned

    def _allow(self, option: Any, reason: str) -> None:
        allow(option, reason, self._tips[option.objectName])

    def _missing(self) -> str:
        """Why nothing can be estimated yet; "" when it can."""
        sequence, blood = self.session.sequence, self.session.blood
        if sequence is None:
            return _("Choose a dynamic series in step 1 first.")
        if sequence.missing:
            return _("Fill in what step 1 asks for first.")
        if blood is None:
            return _("There is no blood curve yet: find or draw the aorta in step 2.")
        if blood.verdict.level == "bad":
            return _("The region of step 2 gives no input function: {why}").format(why=blood.verdict.sentence)
        return ""

    # ------------------------------------------------------------------------------ widgets to state

    def _on_method(self, _index: Any = None) -> None:
        if self.session.state is not None and choice(self.ui.methodCombo):
            self.session.state.method = choice(self.ui.methodCombo)
        self.update()

    def _on_option(self, _value: Any = None) -> None:
        ui, state = self.ui, self.session.state
        if state is None:
            return
        state.tStar, state.until = ui.tStarSpin.value, ui.untilSpin.value
        state.tStarAuto = ui.tStarAutoCheckBox.checked
        state.mask, state.device = MASKS[ui.maskCombo.currentIndex], DEVICES[ui.deviceCombo.currentIndex]
        state.glucose, state.lumpedConstant = ui.glucoseSpin.value, ui.lumpedSpin.value
        self.update()

    # ----------------------------------------------------------------------------------------- runs

    def _on_run(self, _checked: bool = False) -> None:
        if self.running:
            self._run.cancel()
            return
        from DynamicPETKineticsLib.runs.estimate_run import EstimateRun

        run = self._run = EstimateRun(self.session.services)
        run.progressed.connect(self._on_progress)
        run.warned.connect(self._on_warning)
        run.logged.connect(self._log)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.cancelled.connect(self._on_cancelled)
        self.ui.logText.clear()
        self._warnings: list[str] = []
        say(self.ui.runStatusLabel, "")
        self.ui.progressBar.show()
        self._on_progress(0.0, _("Starting"), None)
        run.start(self.session.the_sequence, self._choices())
        self.update()

    def _choices(self) -> Any:
        from DynamicPETKineticsLib.runs.estimate_choices import CurveInput, EstimateChoices, SegmentInput
        from DynamicPETKineticsLib.runs.methods import method_named

        state = self.session.state
        blood: CurveInput | SegmentInput
        if state.inputSource == FROM_FILE:
            blood = CurveInput(Path(state.inputFile))
        else:
            blood = SegmentInput(state.inputSegmentation, state.inputSegment)
        options = {}
        if state.glucose > 0:
            options = {"glucose": f"{state.glucose:g}", "lumped_constant": f"{state.lumpedConstant:g}"}
        return EstimateChoices(
            method=state.method,
            input=blood,
            t_star="auto" if state.tStarAuto else self.ui.tStarSpin.value or None,
            until_min=self.ui.untilSpin.value or None,
            mask=state.mask,
            # what is hidden is not meant: the choice stays for the next learned method
            device=state.device if method_named(state.method).learned else "auto",
            plasma_ratio=state.plasmaRatio if state.plasmaKind == "ratio" else None,
            haematocrit=state.haematocrit if state.plasmaKind == "haematocrit" else None,
            options=options,
        )

    def _on_progress(self, fraction: float, message: str, remaining_s: float | None) -> None:
        self.ui.progressBar.value = round(1000 * fraction)
        left = ""
        if remaining_s is not None:
            left = " · " + (
                _("{n} s left").format(n=round(remaining_s))
                if remaining_s < 90
                else _("{n} min left").format(n=minutes(remaining_s / 60))
            )
        self.ui.progressBar.format = f"{100 * fraction:.0f} %{left}"
        say(self.ui.runStatusLabel, message)

    def _on_warning(self, sentence: str) -> None:
        self._warnings.append(sentence)
        self._log("⚠ " + sentence)

    def _log(self, line: str) -> None:
        self.ui.logText.appendPlainText(line)

    def _end(self, sentence: str) -> None:
        self.ui.progressBar.hide()
        lines = [sentence, *("⚠ " + warning for warning in self._warnings)]
        say(self.ui.runStatusLabel, "\n".join(line for line in lines if line))
        self.update()

    def _on_finished(self, result: Any) -> None:
        self.session.result = result
        self._end(_("✓ {name} is done.").format(name=result.name))
        self.session.results_changed.emit()

    def _on_failed(self, message: str, hint: str) -> None:
        self._end(f"✗ {message} {hint}".strip())

    def _on_cancelled(self) -> None:
        self._end(_("Cancelled."))

    def close(self) -> None:
        """The scene closes or Slicer quits: stop what runs."""
        self._motion.close()
        say(self.ui.runStatusLabel, "")
        if self.running:
            self._run.cancel()


def _duration_words(value_min: float) -> str:
    if value_min < 1.0:
        seconds = max(5, 5 * round(value_min * 12))
        return _("About {n} s on this computer.").format(n=seconds)
    return _("About {n} min on this computer.").format(n=round(value_min))
