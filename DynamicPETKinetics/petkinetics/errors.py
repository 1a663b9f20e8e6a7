"""What can go wrong, said to the person who can act on it."""

from __future__ import annotations


class PetKineticsError(Exception):
    """Base of the errors that this package raises on purpose.

    :param message: what was found, where, and what was expected.
    :param hint: what the user can do about it; shown on a line of its own.
    """

    #: exit status of the command line
    exit_status = 1
    #: the ``kind`` of the worker's error line
    kind = "fault"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class InputError(PetKineticsError, ValueError):
    """The data or an option cannot be used as given. Nothing has been written."""

    exit_status = 2
    kind = "input"


class ResourceError(PetKineticsError):
    """Disk, memory or a missing optional package stopped the work. No result was left behind."""

    kind = "resource"


class Cancelled(PetKineticsError):
    """The user stopped the work. No result was left behind."""

    exit_status = 3
    kind = "cancelled"

    def __init__(self) -> None:
        super().__init__("Cancelled.")
