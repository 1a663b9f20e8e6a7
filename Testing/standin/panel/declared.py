"""Properties of stand-in widgets: a Qt property, its setter, and a place for its value."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore

_NUMBERS = (bool, int, float)


def _checked(name: str, kind: Any, value: Any) -> Any:
    """The value as its type; TypeError for what a QVariant would not become."""
    if kind in _NUMBERS and isinstance(value, _NUMBERS):
        return kind(value)
    if kind is tuple and isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if kind is str and isinstance(value, str):
        return value
    if kind is object:
        return value
    raise TypeError(f"property '{name}' takes {kind.__name__}, not {value!r}")


def with_properties(base: type, **declared: tuple[Any, Any]) -> Any:
    """A subclass of a Qt class with further properties.

    Each is ``name=(type, default)``, has a ``setName()``, and calls ``_updated(name)`` after a change. A list of
    texts is a tuple, as PythonQt returns it.
    """
    namespace: dict[str, Any] = {"__module__": __name__, "_updated": lambda *_: None}
    for name, (kind, default) in declared.items():

        def getter(self: Any, key: str = f"_{name}", start: Any = default) -> Any:
            return self.__dict__.get(key, start)

        def setter(self: Any, value: Any, name: str = name, kind: Any = kind) -> None:
            self.__dict__[f"_{name}"] = _checked(name, kind, value)
            self._updated(name)

        qt_type = {tuple: "QStringList", object: "QVariant"}.get(kind, kind)
        namespace[name] = QtCore.Property(qt_type, getter, setter)
        namespace[f"set{name[0].upper()}{name[1:]}"] = setter
    return type(base)(f"{base.__name__}WithProperties", (base,), namespace)
