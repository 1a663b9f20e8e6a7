"""What ends a command from outside: a batch system's SIGTERM and a closed terminal's SIGHUP, obeyed like Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: Windows has no SIGHUP, and its SIGTERM reaches nobody
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def ended_like_ctrl_c(process_ends: bool = False) -> Iterator[None]:
    """Within the block the first SIGTERM or SIGHUP raises KeyboardInterrupt, so that unfinished folders are removed.

    Further ones are left unheard: ``timeout`` sends two at once, and the second would stop the clearing up. A signal
    that is ignored (``nohup``) or has a handler keeps what it has. Other threads than the main one may set no
    handlers; the block runs without then.

    :param process_ends: after the block; a second signal cannot change the exit status then.
    :raises KeyboardInterrupt: from within the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, heard = os.getpid(), False

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if os.getpid() != ours:
            # A forked helper has nothing to clear up, and ends at once as it would without us.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif not heard:
            heard = True
            raise KeyboardInterrupt

    taken = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in taken:
            signal.signal(number, end)
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_IGN if heard and process_ends else signal.SIG_DFL)
