"""The simulated patient: made on this computer, in the background, at the press of a button."""

from __future__ import annotations

from typing import Any

from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import say
from DynamicPETKineticsLib.translation import _


class SampleButton:
    """Simulates a patient as a DICOM series, loads it, and chooses it as the series."""

    def __init__(self, ui: Any, session: Session) -> None:
        self.ui, self.session = ui, session
        self._run: Any = None
        self._invitation = str(ui.noSeriesLabel.text)
        ui.sampleButton.clicked.connect(self._on_clicked)

    def _on_clicked(self, _checked: bool = False) -> None:
        if self._run is not None and self._run.running:
            self._run.cancel()
            return
        from DynamicPETKineticsLib.runs.sample_run import SampleRun

        run = self._run = SampleRun(self.session.services)
        run.progressed.connect(self._on_progress)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.cancelled.connect(self._on_cancelled)
        self.ui.sampleButton.text = _("Cancel")
        self._on_progress(0.0, _("Simulating a patient"), None)
        run.start()

    def _on_progress(self, fraction: float, message: str, _remaining_s: float | None) -> None:
        say(self.ui.noSeriesLabel, f"{message} … {100 * fraction:.0f} %")

    def _end(self, sentence: str) -> None:
        self.ui.sampleButton.text = _("Simulated patient")
        say(self.ui.noSeriesLabel, sentence)

    def _on_finished(self, sequence_node: Any) -> None:
        # Hidden with its box until the scene is empty again.
        self._end(self._invitation)
        if self.session.state is not None:
            self.session.state.sequence = sequence_node

    def _on_failed(self, message: str, hint: str) -> None:
        self._end(f"✗ {message} {hint}".strip())

    def _on_cancelled(self) -> None:
        self._end(_("Cancelled."))

    def close(self) -> None:
        """The scene closes, or Slicer quits."""
        if self._run is not None and self._run.running:
            self._run.cancel()
