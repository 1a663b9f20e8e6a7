"""How fast this machine is, beside the one on which the methods were timed."""

from __future__ import annotations

import time
from functools import cache

import numpy as np

#: seconds that :func:`best_work` took on the machine of the constants in :mod:`~DynamicPETKineticsLib.runs.methods`
REFERENCE_S = 0.0024
_REPEATS = 8


def work() -> float:
    """Seconds that a small piece of the estimators' kind of work takes: float32 frames weighted into maps.

    Without matrix products, whose threads would wait for each other on a busy machine.
    """
    frames = np.ones((7, 1 << 16), dtype=np.float32)
    maps, scratch = np.zeros((2, 1 << 16), dtype=np.float32), np.empty(1 << 16, dtype=np.float32)
    begin = time.perf_counter()
    for turn in range(12):
        for frame in frames:
            np.multiply(frame, np.float32(0.1 * turn), out=scratch)
            np.add(maps[0], scratch, out=maps[0])
            np.subtract(maps[1], scratch, out=maps[1])
        np.sqrt(np.abs(maps[1], out=scratch), out=scratch)
    return time.perf_counter() - begin


def best_work() -> float:
    """Seconds of :func:`work` when nothing comes between: the best of some."""
    return min(work() for _ in range(_REPEATS))


@cache
def slowness() -> float:
    """How many times longer than the reference machine this one takes; measured once a session, in 50 ms."""
    return best_work() / REFERENCE_S
