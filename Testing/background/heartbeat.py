"""A heartbeat in the thread of the GUI while an estimate runs: the longest pause is what a person would feel.

The stand-in for the panel has to be started before this is imported.
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


def _run(services: Services, sequence: Any, chosen: Any) -> Responsiveness:
    loop, heart, told = qt.QEventLoop(), Heartbeat(), {}
    run = EstimateRun(services)

    def click() -> None:
        told["click"] = time.perf_counter()
        heart.enter("click")
        run.start(sequence, chosen)
        heart.enter("handing over")

    def progressed(_fraction: float, message: str, _remaining_s: float | None) -> None:
        if heart.phase == "handing over" and message != "Handing over the series":
            heart.enter("computing")

    def logged(line: str) -> None:
        if line.startswith("Computing"):  # it says how long that took when the process has ended
            told["process ended"] = time.perf_counter()
            heart.enter("loading")

    def finished(result: Any) -> None:
        heart.enter("showing")
        show_map(result.maps["ki"], 0.6)
        # The overlay is there when the event loop has come round once more.
        qt.QTimer.singleShot(0, shown)

    def shown() -> None:
        told["shown"] = time.perf_counter()
        heart.enter("cleaning up")
        qt.QTimer.singleShot(500, loop.quit)

    def failed(message: str, hint: str) -> None:
        told["failed"] = f"{message} {hint}"
        loop.quit()

    run.logged.connect(logged)
    run.progressed.connect(progressed)
    run.finished.connect(finished)
    run.failed.connect(failed)
    qt.QTimer.singleShot(50, click)
    loop.exec()
    heart.stop()
    if "failed" in told:
        raise RuntimeError(told["failed"])
    return Responsiveness(
        heart.pauses, heart.busiest_s, told["shown"] - told["process ended"], told["shown"] - told["click"]
    )
