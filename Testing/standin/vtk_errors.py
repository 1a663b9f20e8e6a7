"""C++ errors as test failures: VTK only prints them, and a test would pass over a broken scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import vtk


class VtkErrors:
    """Collects what VTK and MRML report through vtkErrorMacro and vtkGenericWarningMacro's error level."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._window = vtk.vtkStringOutputWindow()
        vtk.vtkOutputWindow.SetInstance(self._window)
        self._window.AddObserver(vtk.vtkCommand.ErrorEvent, self._collect)

    @vtk.calldata_type(vtk.VTK_STRING)
    def _collect(self, _caller: object, _event: str, message: str) -> None:
        self.messages.append(message.strip())

    def take(self) -> list[str]:
        """All messages since the last call."""
        taken, self.messages = self.messages, []
        return taken

    def forget(self, words: str) -> None:
        """Drop messages that contain `words`."""
        self.messages = [message for message in self.messages if words not in message]

    @contextmanager
    def expected(self, words: str) -> Iterator[None]:
        """A block that must report an error which contains `words`; others stay collected.

        Raises:
            AssertionError: no error said so.
        """
        before = len(self.messages)
        yield
        during = self.messages[before:]
        assert any(words in message for message in during), f"no VTK error said {words!r}: {during}"
        self.messages[before:] = [message for message in during if words not in message]


_collector: VtkErrors | None = None


def vtk_errors() -> VtkErrors:
    """The collector of this process."""
    global _collector
    if _collector is None:
        _collector = VtkErrors()
    return _collector
