"""Statistics of regions in a thread: a second of numbers must not stop the mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DynamicPETKineticsLib.process.steps import Steps
from DynamicPETKineticsLib.process.ticker import TickerFactory
from DynamicPETKineticsLib.runs.side_thread import thread_steps

Work = Callable[[], Any]


class Measuring:
    """The measurements of one box: a newer one takes the place of an older, which is heard no more.

    :param turns: of all boxes.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._asked: tuple[Work, Callable[[Any], None], Callable[[Exception], None]] | None = None
        self._steps: Steps | None = None

    @property
    def running(self) -> bool:
        """Whether a measurement is under way, or waits for its turn."""
        return self._asked is not None

    def run(self, work: Work, done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Call *work*, which may touch neither scene nor Qt, and tell what came of it."""
        self.cancel()
        self._asked = (work, done, failed)
        self._turns.ask(self)

    def cancel(self) -> None:
        """Let go of the measurement under way."""
        if self._steps is not None:
            self._steps.cancel()
        self._end()

    def begin(self) -> None:
        """It is this box's turn."""
        assert self._asked is not None
        work, done, failed = self._asked
        self._steps = Steps(self._turns.ticker())

        def tell(heard: Callable[[Any], None], outcome: Any) -> None:
            self._end()
            heard(outcome)

        self._steps.run(thread_steps(work), lambda found: tell(done, found), lambda error: tell(failed, error))

    def _end(self) -> None:
        self._asked = self._steps = None
        self._turns.leave(self)


class Turns:
    """Lets one box measure at a time: the GUI waits for each of the threads that compute."""

    def __init__(self, ticker: TickerFactory) -> None:
        self.ticker = ticker
        self._queue: list[Measuring] = []

    def ask(self, box: Measuring) -> None:
        """Begin with *box* at once, or after those that came before."""
        self._queue.append(box)
        if self._queue[0] is box:
            box.begin()

    def leave(self, box: Measuring) -> None:
        """It has ended, or waits no more; one that never asked is no error."""
        if box not in self._queue:
            return
        first = self._queue[0] is box
        self._queue.remove(box)
        if first and self._queue:
            self._queue[0].begin()
