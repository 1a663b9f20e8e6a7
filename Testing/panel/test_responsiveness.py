"""The GUI keeps answering while an estimate runs; Testing/benchmarks/responsiveness.py measures the full size."""

from __future__ import annotations

from background.heartbeat import LONGEST_PAUSE_S, measure
from petkinetics.frames import FrameTiming


def test_no_pause_is_felt_from_the_click_to_the_overlay():
    # In processor time of the thread, since other tests may run on this machine; the benchmark takes the clock's.
    measured = measure(12, 256, FrameTiming.parse("liang2023"))
    assert measured.busiest_s < LONGEST_PAUSE_S, measured
    assert {"click", "handing over", "computing", "loading", "showing"} <= set(measured.pauses)
