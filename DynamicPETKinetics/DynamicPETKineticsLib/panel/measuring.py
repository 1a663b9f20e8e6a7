"""Statistics of regions in a thread: a second of numbers must not stop the mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DynamicPETKineticsLib.panel.session import Session
from DynamicPETKineticsLib.process.steps import Steps
from DynamicPETKineticsLib.runs.side_thread import thread_steps


class Measuring:
    """One measurement at a time; a newer one takes the place of an older, which is heard no more."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._steps: Steps | None = None

    @property
    def running(self) -> bool:
        """Whether a measurement is under way."""
        return self._steps is not None and self._steps.running

    def run(self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Call *work*, which may touch neither scene nor Qt, and tell what came of it."""
        self.cancel()
        self._steps = Steps(self._session.services.ticker())
        self._steps.run(thread_steps(work), done, failed)

    def cancel(self) -> None:
        """Let go of the measurement under way."""
        if self._steps is not None:
            self._steps.cancel()
            self._steps = None
