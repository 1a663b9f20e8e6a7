"""A heartbeat in the thread of the GUI while an estimate runs: the longest pause is what a person would feel.

In Slicer, or on the stand-in for its panel, which has to be started before this is imported.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import qt

import slicer
from background.run_cases import choices, drawn_aorta, scene_sequence
from DynamicPETKineticsLib.panel.qt_process import QtProcess
from DynamicPETKineticsLib.panel.qt_ticker import QtTicker
from DynamicPETKineticsLib.process.temp_folders import TempFolders
from DynamicPETKineticsLib.results.map_display import show_map
from DynamicPETKineticsLib.runs.estimate_run import EstimateRun
from DynamicPETKineticsLib.runs.services import Services
from petkinetics.frames import FrameTiming

LONGEST_PAUSE_S = 0.1
LATEST_OVERLAY_S = 2.0
_BEAT_MS = 5
#: the temporary folder is removed within this time
CLEANING_MS = 500


@dataclass
class Heartbeat:
    """Beats in the thread of the GUI, and the longest pause of each phase (s).

    *busiest_s* is the most processor time of this thread between two beats: what the pause would be on a machine
    that has nothing else to do, but for waiting for the disk.
    """

    pauses: dict[str, float] = field(default_factory=dict)
    phase: str = "before"
    busiest_s: float = 0.0

    def __post_init__(self) -> None:
        self._timer = qt.QTimer()
        self._timer.setTimerType(qt.Qt.PreciseTimer)
        self._timer.setInterval(_BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._last, self._last_busy = time.perf_counter(), time.thread_time()
        self._timer.start()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.pauses[self.phase] = max(self.pauses.get(self.phase, 0.0), now - self._last)
        self._last = now
        busy = time.thread_time()
        self.busiest_s = max(self.busiest_s, busy - self._last_busy)
        self._last_busy = busy

    def enter(self, phase: str) -> None:
        """The pause that ends next counts for both phases."""
        self._beat()
        self.phase = phase

    def stop(self) -> None:
        """No more."""
        self._beat()
        self._timer.stop()


@dataclass(frozen=True)
class Responsiveness:
    """What was measured.

    :param pauses: longest pause of each phase, s.
    :param overlay_s: from the end of the background process to the overlay.
    :param whole_s: from the click to the overlay.
    :param busiest_s: most processor time of the GUI's thread in a pause.
    """

    pauses: dict[str, float]
    busiest_s: float
    overlay_s: float
    whole_s: float

    @property
    def longest_s(self) -> float:
        """Of the pauses from the click to the overlay."""
        return max(pause for phase, pause in self.pauses.items() if phase != "before")

    def __str__(self) -> str:
        pauses = ", ".join(f"{phase} {1000 * pause:.0f}" for phase, pause in self.pauses.items())
        longest = f"longest pause {1000 * self.longest_s:.0f} ms ({pauses}), {1000 * self.busiest_s:.0f} ms of it busy"
        return f"{longest}\n  overlay {self.overlay_s:.2f} s after the process, {self.whole_s:.1f} s after the click"


def measure(slices: int, matrix: int, timing: FrameTiming, method: str = "patlak") -> Responsiveness:
    """One run of an estimate of such a series.

    :raises RuntimeError: the run failed.
    """
    slicer.mrmlScene.Clear(0)
    sequence = scene_sequence((slices, matrix, matrix), timing)
    blood = drawn_aorta(sequence)
    with tempfile.TemporaryDirectory(prefix="responsiveness-") as name:
        services = Services(QtTicker, QtProcess, TempFolders(lambda: Path(name)), lambda: sys.executable)
        measured = _run(services, sequence, choices(blood, method=method))
        services.shutdown()
    slicer.mrmlScene.Clear(0)
    return measured


class Watch:
    """Follows an estimate: tells the heartbeat which phase it is in, and notes when what happened.

    :param run: the estimate.
    :param heart: beats since before the click; in phase "handing over" or later.
    :param clicked: when *Run* was clicked (``time.perf_counter()``).
    """

    def __init__(self, run: EstimateRun, heart: Heartbeat, clicked: float) -> None:
        self.heart, self.failure = heart, ""
        self._clicked, self._ended, self._shown = clicked, 0.0, 0.0
        run.logged.connect(self._on_logged)
        run.progressed.connect(self._on_progressed)
        run.failed.connect(self._on_failed)

    def _on_progressed(self, _fraction: float, message: str, _remaining_s: float | None) -> None:
        if self.heart.phase == "handing over" and message != "Handing over the series":
            self.heart.enter("computing")

    def _on_logged(self, line: str) -> None:
        if line.startswith("Computing"):  # it says how long that took when the process has ended
            self._ended = time.perf_counter()
            self.heart.enter("loading")

    def _on_failed(self, message: str, hint: str) -> None:
        self.failure = f"{message} {hint}"

    def shown(self) -> None:
        """The overlay is there."""
        self._shown = time.perf_counter()
        self.heart.enter("cleaning up")

    def measured(self) -> Responsiveness:
        """All of it.

        :raises RuntimeError: the run failed.
        """
        self.heart.stop()
        if self.failure:
            raise RuntimeError(self.failure)
        return Responsiveness(
            self.heart.pauses, self.heart.busiest_s, self._shown - self._ended, self._shown - self._clicked
        )


def _run(services: Services, sequence: Any, chosen: Any) -> Responsiveness:
    loop, heart = qt.QEventLoop(), Heartbeat()
    run, watches = EstimateRun(services), []

    def click() -> None:
        watches.append(Watch(run, heart, time.perf_counter()))
        heart.enter("click")
        run.start(sequence, chosen)
        heart.enter("handing over")

    def finished(result: Any) -> None:
        heart.enter("showing")
        show_map(result.maps["ki"], 0.6)
        # The overlay is there when the event loop has come round once more.
        qt.QTimer.singleShot(0, shown)

    def shown() -> None:
        watches[0].shown()
        qt.QTimer.singleShot(CLEANING_MS, loop.quit)

    run.finished.connect(finished)
    run.failed.connect(lambda _message, _hint: loop.quit())
    qt.QTimer.singleShot(50, click)
    loop.exec()
    return watches[0].measured()
