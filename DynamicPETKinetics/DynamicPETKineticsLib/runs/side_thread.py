"""Engine calls that cannot be cut into steps: in a thread, while the steps wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import TypeVar

Result = TypeVar("Result")

_NAP_S = 0.005


def thread_steps(work: Callable[[], Result]) -> Generator[float, None, Result]:
    """Call *work* in a thread; the steps sleep, and end when it has ended.

    For work in Python that touches neither scene nor Qt. In Slicer threads advance only while the thread of the
    GUI lets go of the interpreter, which sleeping does. A thread whose steps are closed comes to its end unheard.

    :returns: (of the generator) what *work* returned; what it raised is raised.
    """
    results: list[Result] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        time.sleep(_NAP_S)
        yield 0.0
    if errors:
        raise errors[0]
    return results[0]
