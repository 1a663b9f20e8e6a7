"""Running Qt's events in tests, and hearing of what went wrong in a slot."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from PySide6 import QtCore, QtWidgets


def process_events(until: Callable[[], bool] | None = None, timeout_s: float = 10.0) -> None:
    """Run events until the condition holds; without one, until those that wait are done.

    Raises:
        TimeoutError: it does not hold after `timeout_s`.
    """
    end = time.monotonic() + timeout_s
    application = QtWidgets.QApplication.instance()
    application.processEvents()
    application.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete.value)
    while until is not None and not until():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout_s} s: {until}")
        application.processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents, 20)
        time.sleep(0.001)


# What the offscreen platform says of every window.
_HARMLESS = ("This plugin does not support",)


class SlotErrors:
    """Exceptions of slots and warnings of Qt: Qt prints them and goes on; a test must fail."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def collect(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """As sys.excepthook."""
        self.messages.append("".join(traceback.format_exception(kind, error, trace)))

    def hear(self, kind: Any, _where: Any, message: str) -> None:
        """As Qt's message handler."""
        if kind != QtCore.QtMsgType.QtDebugMsg and not message.startswith(_HARMLESS):
            self.messages.append(f"Qt: {message}")

    def take(self) -> list[str]:
        """All since the last call."""
        taken, self.messages = self.messages, []
        return taken


_errors: SlotErrors | None = None


def slot_errors() -> SlotErrors:
    """The collector of this process; from the first call on."""
    global _errors
    if _errors is None:
        _errors = SlotErrors()
        sys.excepthook = _errors.collect
        QtCore.qInstallMessageHandler(_errors.hear)
    return _errors
