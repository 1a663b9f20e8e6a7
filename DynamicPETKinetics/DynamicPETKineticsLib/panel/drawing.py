"""When the views draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import qt

import slicer


@contextmanager
def drawn_next_turn(before: Callable[[], None] | None = None) -> Iterator[None]:
    """Views draw once what is done inside is over and the event loop has come round: two short pauses, not a long one.

    :param before: called then, before they draw.
    """

    def draw() -> None:
        try:
            if before is not None:
                before()
        finally:
            slicer.app.resumeRender()

    slicer.app.pauseRender()
    try:
        yield
    finally:
        qt.QTimer.singleShot(0, draw)
