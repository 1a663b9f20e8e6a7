"""A WorkerProcess on a plain loop, started directly or behind the launcher, with all that it tells."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from background.plain_loop import PlainLoop, PlainProcess
from background.worker_cases import Told, estimate
from DynamicPETKineticsLib.process.worker_process import WorkerProcess

LAUNCHER = Path(__file__).with_name("fake_launcher.py")


class Bench:
    """A worker process on a plain loop, directly or behind the launcher."""

    def __init__(
        self, folder: Path, launcher: bool = False, python: Callable[[], str] = lambda: sys.executable
    ) -> None:
        self.loop, self.folder, self.launcher = PlainLoop(), folder, launcher
        self.worker = WorkerProcess(self._make, self.loop.ticker, python)
        self.told = Told(self.worker)
        self.process: PlainProcess | None = None
        self.environment: dict[str, str] = {}
        self.working_folder: str | None = None

    def _make(self) -> PlainProcess:
        process = self.process = self.loop.process()
        process.environment = {"CHILD_PID_FILE": str(self.folder / "pid"), **self.environment}
        process.folder = self.working_folder
        if self.launcher:
            # -S: what a test puts into sitecustomize.py is meant for the worker.
            process.prefix = (sys.executable, "-S", str(LAUNCHER))
        return process

    def start(self, job: Any) -> None:
        self.worker.start(job, self.folder)

    def until_busy(self) -> None:
        """Wait until the estimate is well under way."""
        self.loop.until(lambda: any(0.1 < fraction < 0.9 for fraction, *_ in self.told.progressed))

    @property
    def launcher_pid(self) -> int:
        assert self.process and self.process.popen
        return self.process.popen.pid

    @property
    def pid(self) -> int:
        """Of the worker itself."""
        return int((self.folder / "pid").read_text()) if self.launcher else self.launcher_pid

    def end(self) -> str:
        how = self.told.wait(self.loop)
        assert not self.worker.running
        assert self.loop.due == [], "a ticker or process is still being watched"
        return how

    def leftovers(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} - {"job.json", "pid"}

    def runs_again(self, series: Path) -> None:
        """A second run after whatever happened to the first."""
        self.told = Told(self.worker)
        self.environment = {}
        self.start(estimate(series, self.folder / "again"))
        assert self.end() == "done", self.told.failed
