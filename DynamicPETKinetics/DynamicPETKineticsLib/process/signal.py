"""A signal of plain Python: QObject subclasses are no ground to build on in Slicer, and tests need no Qt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from DynamicPETKineticsLib.process.faults import log_fault

Slot = Callable[..., Any]


class Signal:
    """Calls every connected slot, in order of connection.

    >>> changed = Signal()
    >>> changed.connect(print)
    >>> changed.emit("new value")
    new value
    """

    def __init__(self) -> None:
        self._slots: list[Slot] = []

    def connect(self, slot: Slot) -> None:
        """Call *slot* at every emit from now on; it is held, and connected once however often this is called."""
        if slot not in self._slots:
            self._slots.append(slot)

    def disconnect(self, slot: Slot) -> None:
        """Call it no more; one that is not connected is no error."""
        if slot in self._slots:
            self._slots.remove(slot)

    def emit(self, *args: Any) -> None:
        """Call the slots. What one of them raises is logged, and the others still run."""
        for slot in list(self._slots):
            try:
                slot(*args)
            except Exception as error:
                log_fault("A reaction to a signal failed", error)
