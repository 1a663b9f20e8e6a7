"""Long work in the GUI thread without a pause: a generator that is advanced a little at every tick."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from DynamicPETKineticsLib.process.ticker import Ticker

Result = TypeVar("Result")

#: a tick takes further steps while they are expected to end within this: cheap steps need not wait for a tick each,
#: and dear ones get a tick of their own
TIME_BOX_S = 0.025
#: how fast a dear step is forgotten, a step
_FORGET = 0.9


class Steps:
    """Runs a generator that yields the share done (0 to 1) after each small piece of work.

    Whoever starts it keeps it until it has ended.

    >>> from DynamicPETKineticsLib.process.steps import Steps
    >>> steps = Steps(services.ticker())                                    # doctest: +SKIP
    >>> steps.run(load_steps(series, "FDG"), show, complain, progress_bar)  # doctest: +SKIP

    :param ticker: calls in the GUI thread; used by this object alone.
    """

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._generator: Generator[float, None, Any] | None = None
        self._done: Callable[[Any], None] = _ignore
        self._failed: Callable[[Exception], None] = _ignore
        self._progressed: Callable[[float], None] = _ignore
        self._inside = False
        self._dearest_s = 0.0

    @property
    def running(self) -> bool:
        """Whether there is work left."""
        return self._generator is not None

    def run(
        self,
        generator: Generator[float, None, Result],
        done: Callable[[Result], None],
        failed: Callable[[Exception], None],
        progressed: Callable[[float], None] | None = None,
    ) -> None:
        """Advance *generator* from the next tick on.

        :param done: called with what the generator returned.
        :param failed: called with what it raised.
        :param progressed: called at most once a tick, and with 1 before *done*.
        :raises RuntimeError: other work is still running.
        """
        if self.running:
            raise RuntimeError("these steps are still running others")
        self._generator, self._done, self._failed = generator, done, failed
        self._progressed = progressed or _ignore
        self._dearest_s = 0.0
        self._ticker.start(self._tick)

    def cancel(self) -> None:
        """Close the generator, so that its finally clauses clean up; none of the callbacks follows."""
        generator = self._forget()
        # A step that leads to its own cancel (it closed the scene, say) is closed when it comes back.
        if generator is not None and not self._inside:
            generator.close()

    def _tick(self) -> None:
        generator = self._generator
        if generator is None or self._inside:
            return
        now = time.perf_counter()
        end, share = now + TIME_BOX_S, 0.0
        self._inside = True
        try:
            while True:
                began = now
                share = next(generator)
                now = time.perf_counter()
                self._dearest_s = max(now - began, _FORGET * self._dearest_s)
                if self._generator is not generator or now + self._dearest_s >= end:
                    break
        except StopIteration as stop:
            self._inside = False
            if self._generator is generator:
                self._progressed(1.0)
            self._end(generator, self._done, stop.value)
            return
        except Exception as error:
            self._inside = False
            self._end(generator, self._failed, error)
            return
        self._inside = False
        if self._generator is not generator:
            generator.close()
        else:
            self._progressed(share)

    def _end(self, generator: object, callback: Callable[[Any], None], argument: Any) -> None:
        if self._generator is generator:
            self._forget()
            callback(argument)

    def _forget(self) -> Generator[float, None, Any] | None:
        self._ticker.stop()
        generator, self._generator = self._generator, None
        self._done = self._failed = self._progressed = _ignore
        return generator


def _ignore(_: Any) -> None:
    """A callback for nobody."""
