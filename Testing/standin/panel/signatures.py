"""Signals as PythonQt connects them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore

Slot = Callable[..., Any]
_connected: dict[tuple[int, str, Any], Any] = {}


def positional_count(slot: Slot) -> int | None:
    """How many arguments a slot takes; None when any number (``*args``, or nobody knows)."""
    if not (inspect.isfunction(slot) or inspect.ismethod(slot)):
        return None
    code = slot.__code__
    if code.co_flags & inspect.CO_VARARGS:
        return None
    return code.co_argcount - int(inspect.ismethod(slot))


def call(slot: Slot, arguments: tuple[Any, ...]) -> None:
    """Call a slot with as many of the arguments as it takes."""
    count = positional_count(slot)
    slot(*(arguments if count is None else arguments[:count]))


def _keep(sender: Any, key: str, slot: Slot, receiver: Any) -> None:
    _connected[(shiboken6.getCppPointer(sender)[0], key, slot)] = receiver


def _forget(sender: Any, key: str, slot: Slot) -> Any:
    return _connected.pop((shiboken6.getCppPointer(sender)[0], key, slot), None)


def _split(signature: str) -> tuple[str, str, int]:
    """Normalised signature, name, number of arguments."""
    normal = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
    name, _, rest = normal.partition("(")
    types = rest.rstrip(")")
    return normal, name, types.count(",") + 1 if types else 0


def _receiver(slot: Slot, count: int) -> Slot:
    """A function of exactly `count` parameters: PySide chooses a signal's overload by their number."""
    receivers: tuple[Slot, ...] = (
        lambda: call(slot, ()),
        lambda a: call(slot, (a,)),
        lambda a, b: call(slot, (a, b)),
        lambda a, b, c: call(slot, (a, b, c)),
        lambda a, b, c, d: call(slot, (a, b, c, d)),
    )
    return receivers[count]


def has_signal(kind: type, signature: str) -> bool:
    """Does a class have the signal? Our classes say the types of theirs in ``SIGNALS``."""
    normal, name, _ = _split(signature)
    declared = [entry for base in kind.__mro__ for entry in vars(base).get("SIGNALS", ())]
    if any(entry.partition("(")[0] == name for entry in declared):
        return normal in declared
    return bool(kind.staticMetaObject.indexOfSignal(normal) >= 0)  # type: ignore[attr-defined]


def string_connect(sender: Any, signature: str, slot: Slot, connect: bool) -> bool:
    """``sender.connect("signal(types)", slot)`` and its opposite; False when there is no such signal."""
    if not has_signal(type(sender), signature):
        return False
    normal, name, count = _split(signature)
    signal = getattr(sender, name)
    if connect:
        receiver = _receiver(slot, count)
        signal.connect(receiver)
        _keep(sender, normal, slot, receiver)
        return True
    receiver = _forget(sender, normal, slot)
    return receiver is not None and bool(signal.disconnect(receiver))


class OneArgument:
    """A signal whose first overload has one argument: ``QProcess.finished`` of Qt 5.15 as PythonQt takes it.

    A slot with two parameters is never run, as there: PythonQt prints an error and goes on.
    """

    def __init__(self, signal: Any) -> None:
        self._signal = signal

    def connect(self, slot: Slot) -> bool:
        """Connect; the slot gets the first argument at most."""

        receiver = _receiver(slot, 1)
        self._signal.connect(receiver)
        _connected[(id(slot), "finished", slot)] = receiver
        return True

    def disconnect(self, slot: Slot) -> bool:
        """Undo `connect`."""
        return bool(self._signal.disconnect(_connected.pop((id(slot), "finished", slot))))
