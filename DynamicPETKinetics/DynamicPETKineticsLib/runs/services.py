"""What runs need from outside, so that they run alike in Slicer, on the stand-in and in plain tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from DynamicPETKineticsLib.process.launch import find_python
from DynamicPETKineticsLib.process.process import Process
from DynamicPETKineticsLib.process.steps import Steps
from DynamicPETKineticsLib.process.temp_folders import TempFolders
from DynamicPETKineticsLib.process.ticker import TickerFactory
from DynamicPETKineticsLib.process.worker_process import WorkerProcess


class Stoppable(Protocol):
    """A run, as far as quitting is concerned."""

    def shutdown(self) -> None:
        """Stop at once; wait for what must not go on; tell nobody."""
        ...


@dataclass
class Services:
    """Ticks, processes and temporary folders.

    :param ticker: makes tickers of the GUI's event loop.
    :param process: makes child processes.
    :param temp_folders: of this session.
    :param python: finds the program that runs the worker.
    """

    ticker: TickerFactory
    process: Callable[[], Process]
    temp_folders: TempFolders
    python: Callable[[], str] = find_python
    _running: list[Stoppable] = field(default_factory=list)

    def worker(self) -> WorkerProcess:
        """A worker, not started."""
        return WorkerProcess(self.process, self.ticker, self.python)

    def keep(self, run: Stoppable) -> None:
        """Hold a run while it is under way: its callbacks may not keep it alive."""
        self._running.append(run)

    def let_go(self, run: Stoppable) -> None:
        """It has ended."""
        if run in self._running:
            self._running.remove(run)

    def discard(self, folder: Path) -> None:
        """Remove a temporary folder of a run that has ended, a little at a tick: a large file takes its time."""
        steps = Steps(self.ticker())
        steps.run(self.temp_folders.remove_steps(folder), _nothing, _nothing)

    def shutdown(self) -> None:
        """The program ends: stop what runs, remove the temporary folders."""
        for run in list(self._running):
            run.shutdown()
        self._running.clear()
        self.temp_folders.remove_all()


def _nothing(_: object) -> None:
    """What cannot be removed now the next session removes."""
