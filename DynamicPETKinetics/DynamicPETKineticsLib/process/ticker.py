"""Being called again and again by the GUI's event loop, whichever that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Ticker(Protocol):
    """Calls one slot every tick, in the thread of the GUI, until it is stopped."""

    def start(self, slot: Callable[[], None]) -> None:
        """Begin to call *slot*, for the first time after control has gone back to the event loop."""
        ...

    def stop(self) -> None:
        """Call it no more; harmless when it is not running."""
        ...


class TickerFactory(Protocol):
    """Makes tickers."""

    def __call__(self, interval_ms: int = 0) -> Ticker:
        """A ticker that is not running; 0 ms: whenever the event loop has nothing else to do."""
        ...
