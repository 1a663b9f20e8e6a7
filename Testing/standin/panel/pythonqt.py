"""PythonQt's rules for PySide6's classes.

``install()`` changes the classes themselves, not copies of them: what Qt returns (a table's header, a layout's
children) follows the same rules as what a test makes. The rules:

- a property wins over a getter of its name: ``b.text`` is the string, ``b.text()`` an error;
- assigning to a property sets it; assigning to anything else raises AttributeError;
- ``isEnabled()``, ``setText()`` and other methods stay; ``name`` is ``objectName``;
- ``x.connect("signal(types)", slot)`` returns False for a signal that does not exist, and calls the slot with the
  arguments that the string names;
- an enum equals its number;
- what waits for a user (``exec``) raises.
"""

from __future__ import annotations

import ctypes
import enum
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets

MODULES = (QtCore, QtGui, QtWidgets)
# They have methods that exist twice, for the class and for an object, and look those up in a way of their own;
# Qt crashes when that is changed. Files have no properties that anybody reads.
_AS_THEY_ARE = (QtCore.QFile, QtCore.QLibrary)
_get = QtCore.QObject.__getattribute__
_properties: dict[type, dict[str, Any]] = {}
_installed = False
_silent = False


def classes() -> Iterator[tuple[str, type]]:
    """Every Q… class and the Qt namespace, by name."""
    for module in MODULES:
        for name in dir(module):
            found = getattr(module, name)  # PySide makes a class when it is first asked for
            if isinstance(found, type) and (name == "Qt" or (name[0] == "Q" and name[1:2].isupper())):
                yield name, found


def properties(kind: type) -> dict[str, Any]:
    """Qt properties of a class by name; PySide's own attribute where Python defines it."""
    known = _properties.get(kind)
    if known is None:
        meta = kind.staticMetaObject  # type: ignore[attr-defined]  # metaObject() of an instance crashes
        known = {}
        for index in range(meta.propertyCount()):
            entry = meta.property(index)
            name = str(entry.name())
            defined = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
            if callable(defined) and type(defined).__name__ == "function":
                continue  # a Python class overrides the method: Qt must find it as one
            known[name] = defined if isinstance(defined, QtCore.Property) else entry
        _properties[kind] = known
    return known


def read_property(widget: Any, name: str, entry: Any) -> Any:
    """Value of a property, through PySide's getter where there is one: it knows the type."""
    if isinstance(entry, QtCore.Property):
        return _get(widget, name)
    capital = name[0].upper() + name[1:]
    for getter in (f"is{capital}", f"has{capital}", name):
        method = getattr(type(widget), getter, None)
        if callable(method):
            return _get(widget, getter)()
    return entry.read(widget)


def write_property(widget: Any, name: str, entry: Any, value: Any) -> None:
    """Set a property.

    Raises:
        AttributeError: it can't be written.
    """
    if not isinstance(entry, QtCore.Property) and not entry.isWritable():
        raise AttributeError(f"Property '{name}' of type '{type(widget).__name__}' object is not writable")
    setter = getattr(type(widget), f"set{name[0].upper()}{name[1:]}", None)
    if callable(setter):
        setter(widget, value)
    elif not widget.setProperty(name, value):
        raise AttributeError(f"Property '{name}' of type '{type(widget).__name__}' object was not set to {value!r}")


def _getattribute(self: Any, name: str) -> Any:
    if name.startswith("_") or not shiboken6.isValid(self):
        return _get(self, name)
    known = properties(type(self))
    if name == "name" and "name" not in known:
        name = "objectName"
    entry = known.get(name)
    if entry is not None:
        return read_property(self, name, entry)
    special = _INSTEAD.get(name)
    if special is not None:
        return special(self, name)
    return _get(self, name)


@contextmanager
def silent_attributes() -> Iterator[None]:
    """Meanwhile nothing is said when attributes are added, and none are: QUiLoader adds the widgets by name."""
    global _silent
    _silent = True
    try:
        yield
    finally:
        _silent = False


def _is_closed(kind: type) -> bool:
    """May nobody add attributes? So for Qt's classes and for ours that stand for C++ classes."""
    return kind.__module__.startswith(("PySide6", "standin."))


def _setattr(self: Any, name: str, value: Any) -> None:
    kind = type(self)
    if isinstance(value, QtCore.SignalInstance):  # PySide stores an object's signals as they are asked for
        self.__dict__[name] = value
        return
    if _silent and isinstance(value, QtCore.QObject) and not name.startswith("_"):
        return
    if not name.startswith("_"):
        known = properties(kind)
        if name == "name" and "name" not in known:
            name = "objectName"
        if name in known:
            write_property(self, name, known[name], value)
            return
    if _is_closed(kind) and not (name.startswith("_") and kind.__module__.startswith("standin.")):
        raise AttributeError(f"'{kind.__name__}' object has no attribute '{name}'")
    self.__dict__[name] = value


def _setattr_of_value(self: Any, name: str, value: Any) -> None:
    """QSize, QColor, QTableWidgetItem …: no attributes but the public fields of their classes."""
    field = getattr(type(self), name, None)
    if hasattr(field, "__set__"):
        field.__set__(self, value)
        return
    if _is_closed(type(self)):
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
    self.__dict__[name] = value


def _connect(self: Any, name: str) -> Callable[..., Any]:
    from standin.panel.signatures import string_connect

    original = _get(self, name)

    def connect(*args: Any) -> Any:
        if len(args) == 2 and isinstance(args[0], str) and callable(args[1]):
            return string_connect(self, args[0], args[1], name == "connect")
        return original(*args)

    return connect


def _finished(self: Any, name: str) -> Any:
    from standin.panel.signatures import OneArgument

    signal = _get(self, name)
    return OneArgument(signal) if isinstance(self, QtCore.QProcess) else signal


def _detached(self: Any, _name: str) -> Any:  # noqa: ARG001
    raise AttributeError("startDetached of an object is not in the stand-in: take QProcess.startDetached")


def _class_name(self: Any, _name: str) -> Callable[[], str]:
    return lambda: type(self).__name__


_INSTEAD: dict[str, Callable[[Any, str], Any]] = {
    "connect": _connect,
    "disconnect": _connect,
    "finished": _finished,
    "className": _class_name,
    "startDetached": _detached,
}


def _number(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _soften(kind: type) -> None:
    """An enum that is no number becomes comparable with one."""
    if not issubclass(kind, int):
        kind.__eq__ = lambda self, other: self.value == _number(other)  # type: ignore[assignment,method-assign]
        kind.__hash__ = lambda self: hash(self.value)  # type: ignore[method-assign]
        kind.__int__ = lambda self: self.value  # type: ignore[attr-defined]


def _would_wait(self: Any, *_args: Any) -> None:
    raise RuntimeError(f"{type(self).__name__}.exec would wait for a user")


def install() -> None:
    """Change PySide6's classes; once a process."""
    global _installed
    if _installed:
        return
    _installed = True
    if sys.version_info < (3, 12):
        # PySide6 6.12 gives back a reference to None that it never took, in every call that returns None.
        # From Python 3.12 on None is immortal; before, the process would end when the last one is gone.
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40
    for _, kind in list(classes()):
        for member in list(vars(kind).values()):
            if isinstance(member, type) and issubclass(member, enum.Enum):
                _soften(member)
        if issubclass(kind, QtCore.QObject):
            kind.__setattr__ = _setattr  # type: ignore[method-assign,assignment]
            if not issubclass(kind, _AS_THEY_ARE):
                kind.__getattribute__ = _getattribute  # type: ignore[method-assign,assignment]
        elif issubclass(kind, shiboken6.Object):
            kind.__setattr__ = _setattr_of_value  # type: ignore[method-assign,assignment]
    for dialog in (QtWidgets.QDialog, QtWidgets.QMenu):
        for waits in ("exec", "exec_"):
            setattr(dialog, waits, _would_wait)
