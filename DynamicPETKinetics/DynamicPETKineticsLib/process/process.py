"""A child process as the rest of the code sees it: Qt's in Slicer, a plain one in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class Process(Protocol):
    """One child process, started once. The owner sets the three callbacks before it starts it.

    They are called in the thread of the GUI. *on_finished* comes once, when the process has ended;
    *on_failed_to_start* comes instead of it. What the process wrote last may not have been announced by
    *on_output* then: whoever is told of the end reads once more.
    """

    on_output: Callable[[], None]
    on_finished: Callable[[], None]
    on_failed_to_start: Callable[[], None]

    def start(self, program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it; returns at once.

        :param environment: variables to set beside those that this process has.
        """
        ...

    def write(self, data: bytes) -> None:
        """Send to its standard input."""
        ...

    def close_input(self) -> None:
        """End its standard input once all that was written has been sent."""
        ...

    def terminate(self) -> None:
        """Ask it to end, as the system does it; nothing when it is not running."""
        ...

    def kill(self) -> None:
        """End it at once; nothing when it is not running."""
        ...

    def wait(self, milliseconds: int) -> bool:
        """Wait for its end, for the moment of quitting only; whether it has ended."""
        ...

    def read_output(self) -> bytes:
        """What it has written to standard output since the last call."""
        ...

    def read_errors(self) -> bytes:
        """The same for standard error."""
        ...

    def exit_code(self) -> int:
        """Its exit status, once it has ended. Behind a launcher a crash looks like 1, so it proves nothing."""
        ...
