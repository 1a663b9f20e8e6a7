"""Run programs, each in a process of its own, and measure how long they take and how much they hold."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class ProgramFailed(Exception):
    """A program under test ended with an error; its last words are the message."""


@dataclass
class Measured:
    """Runs of one program.

    :param seconds: wall time of the whole process, start-up included, a run.
    :param peak_mib: largest resident memory, a run.
    """

    seconds: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """Median wall time."""
        return statistics.median(self.seconds)

    @property
    def largest_mib(self) -> float:
        """Largest peak of all runs."""
        return max(self.peak_mib)


def run_once(command: Sequence[str | Path]) -> tuple[float, float, str]:
    """Run a program to its end: (wall seconds, peak MiB, standard output).

    The peak is what the operating system counted for this process (wait4). A child's count begins
    with its parent's size, so whoever calls this has to be small: no numpy here.

    :raises ProgramFailed: it exits with another status than 0.
    """
    # A file, not a pipe: a program that warns of every voxel would fill it and wait.
    with tempfile.TemporaryFile() as complained:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=complained, env=_keeps_bytecode()
        )
        assert process.stdout
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        if process.returncode != 0:
            complained.seek(0)
            last = complained.read().decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise ProgramFailed(f"'{Path(command[1]).name}' ended with status {process.returncode}: {last[0]}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return seconds, usage.ru_maxrss / unit, said.decode(errors="replace")


def _keeps_bytecode() -> dict[str, str]:
    """Our environment, where Python keeps what it has compiled, as it does for who installed the programs."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def interleaved(
    programs: Mapping[str, Callable[[], Sequence[str | Path]]], runs: int, before_each: Callable[[], None]
) -> dict[str, Measured]:
    """Run programs in turn (A B C A B C ...), so that a busy moment of the machine meets all of them.

    One round before the first is not counted: it fills the file cache and compiles bytecode.

    :param programs: name -> makes the command of the next run.
    :param before_each: clears away what the run before left.
    """
    found = {name: Measured() for name in programs}
    for round_number in range(runs + 1):
        for name, command in programs.items():
            before_each()
            # What earlier runs wrote is on disk before the clock starts.
            os.sync()
            seconds, peak, _ = run_once(command())
            if round_number:
                found[name].seconds.append(seconds)
                found[name].peak_mib.append(peak)
    return found


def ratio(numerator: Measured, denominator: Measured) -> float:
    """Median of the ratios of runs made one after the other."""
    return statistics.median(a / b for a, b in zip(numerator.seconds, denominator.seconds, strict=True))
