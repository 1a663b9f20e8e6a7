"""What may be said of an unexpected exception.

Its own text may quote a header or a folder named after a patient, so neither log nor panel repeats it:
they get its type and the places in the code.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from DynamicPETKineticsLib.translation import _
from petkinetics.errors import PetKineticsError, ResourceError


def log_fault(what: str, error: BaseException) -> None:
    """Log an exception with its stack, without its text."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    logging.error("%s: %s\n%s", what, type(error).__name__, stack)


def in_words(error: BaseException) -> tuple[str, str]:
    """Message and hint for the person in front of the panel; what nobody foresaw is logged as well."""
    if isinstance(error, PetKineticsError):
        return error.message, error.hint
    if isinstance(error, MemoryError):
        return _("The memory is not enough."), _("Close other programs or other scenes.")
    log_fault("An unexpected fault", error)
    return _("An unexpected fault occurred ({place}).").format(place=_place(error)), _("The log has the details.")


def kind_of(error: BaseException) -> str:
    """ "input", "resource" or "fault", as the worker's error lines have it."""
    if isinstance(error, PetKineticsError):
        return error.kind
    return ResourceError.kind if isinstance(error, MemoryError) else "fault"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    return f"{type(error).__name__} in {Path(frames[-1].filename).name}:{frames[-1].lineno}"
