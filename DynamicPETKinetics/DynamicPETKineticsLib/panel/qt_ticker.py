"""Ticks from Qt's event loop."""

from __future__ import annotations

from collections.abc import Callable

import qt

#: running tickers: a Qt signal may not keep the Python object of its slot alive
_running: set[QtTicker] = set()


class QtTicker:
    """A :class:`~DynamicPETKineticsLib.process.ticker.Ticker` on a QTimer.

    :param interval_ms: 0 for every turn of the event loop that has nothing else to do.
    """

    def __init__(self, interval_ms: int = 0) -> None:
        self._slot: Callable[[], None] | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self._on_timeout)

    def start(self, slot: Callable[[], None]) -> None:
        """See Ticker."""
        self._slot = slot
        _running.add(self)
        self._timer.start()

    def stop(self) -> None:
        """See Ticker."""
        self._slot = None
        self._timer.stop()
        # Not at once: Qt may still be inside this timer's signal.
        qt.QTimer.singleShot(0, self._forget)

    def _on_timeout(self) -> None:
        if self._slot is not None:
            self._slot()

    def _forget(self) -> None:
        if self._slot is None:
            _running.discard(self)
