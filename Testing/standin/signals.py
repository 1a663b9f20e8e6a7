"""Qt's signals as far as Python code sees them: connect, disconnect, emit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Slot = Callable[..., Any]


class PlainSignal:
    """A signal without Qt: ``connect(slot)``, ``disconnect(slot)``, ``emit(*values)``."""

    def __init__(self) -> None:
        self._slots: list[Slot] = []

    def connect(self, slot: Slot) -> None:
        """Call `slot` at each emit.

        Raises:
            TypeError: `slot` can't be called; PythonQt would return False and say nothing.
        """
        if not callable(slot):
            raise TypeError(f"a slot must be callable, not {slot!r}")
        self._slots.append(slot)

    def disconnect(self, slot: Slot) -> None:
        """Forget `slot`; ValueError when it was never connected."""
        self._slots.remove(slot)

    def emit(self, *values: Any) -> None:
        """Call every slot with `values`, in the order of their connecting."""
        for slot in list(self._slots):
            slot(*values)
