"""Looks for motion between the frames while nothing else happens, and warns in step 3."""

from __future__ import annotations

from typing import Any

from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.panel.widgets import say


class MotionWatch:
    """Measures the shifts of a newly chosen series, a little at a tick."""

    def __init__(self, label: Any, session: Session) -> None:
        self.label, self.session = label, session
        self._steps: Any = None
        self._looked_at: Any = None
        say(label, "")
        session.series_changed.connect(self._on_series)

    def _on_series(self) -> None:
        sequence = self.session.sequence
        node = sequence.node if sequence is not None and not sequence.missing else None
        if node is self._looked_at:
            return
        self.close()
        say(self.label, "")
        self._looked_at = node
        if node is None:
            return
        from DynamicPETKineticsLib.process.steps import Steps
        from DynamicPETKineticsLib.scene.motion import motion_steps

        self._steps = Steps(self.session.services.ticker())
        self._steps.run(motion_steps(self.session.the_sequence), self._on_measured, self._on_failed)

    def _on_measured(self, shifts: Any) -> None:
        from DynamicPETKineticsLib.scene.motion import sentence

        found = sentence(shifts)
        say(self.label, "⚠ " + found if found else "")

    def _on_failed(self, error: Exception) -> None:
        import logging

        # A series too small or too noisy to measure: no warning can be given.
        logging.info("Motion between frames was not measured (%s).", type(error).__name__)

    def close(self) -> None:
        """Stop measuring."""
        if self._steps is not None:
            self._steps.cancel()
            self._steps = None
        self._looked_at = None
