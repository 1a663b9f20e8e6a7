"""The worker as the GUI sees it: one Job in a child process, its lines as signals, its end made sure of."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from DynamicPETKineticsLib.process.complete import missing_part
from DynamicPETKineticsLib.process.faults import in_words, kind_of
from DynamicPETKineticsLib.process.launch import ENVIRONMENT, find_python, is_our_engine, worker_command
from DynamicPETKineticsLib.process.process import Process
from DynamicPETKineticsLib.process.signal import Signal
from DynamicPETKineticsLib.process.ticker import TickerFactory
from DynamicPETKineticsLib.process.worker_lines import LineReader, event_of, without_names
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import PetKineticsError
from petkinetics.job import AnyJob
from petkinetics.job_file import job_to_json

#: after "cancel" the worker stops by itself within two seconds, tidily; only then is it made to
GRACE_S = 3.0
#: a process whose work is done has this long to end by itself
LINGER_S = 5.0
#: between end-of-file (which the worker obeys in two seconds), terminate, kill, and giving up
_BETWEEN_MEASURES_S = 2.5
_CHECK_EVERY_MS = 50
_MOST_LOGGED_LINES = 500
JOB_FILE = "job.json"


class WorkerProcess:
    """Runs one Job in the background; may be started again when it is no longer running.

    Signals: ``progressed(fraction, message, remaining_s | None)``, ``warned(sentence)``, ``logged(line)``, and
    exactly one of ``done(path)``, ``failed(kind, message, hint)``, ``cancelled()``, when the process has ended.

    Success is a ``done`` line and a complete result, whatever the exit status says: behind Slicer's launcher a
    crash is an ordinary end with status 1.

    :param process: makes the child process (not yet started).
    :param ticker: makes tickers, for the deadlines after a cancel.
    :param python: finds the program to run.
    """

    def __init__(
        self, process: Callable[[], Process], ticker: TickerFactory, python: Callable[[], str] = find_python
    ) -> None:
        self.progressed = Signal()
        self.warned = Signal()
        self.logged = Signal()
        self.done = Signal()
        self.failed = Signal()
        self.cancelled = Signal()
        self._make_process, self._python = process, python
        self._deadlines = ticker(_CHECK_EVERY_MS)
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether the process has not ended, or its end has not been told yet."""
        return self._process is not None

    def start(self, job: AnyJob, folder: Path) -> None:
        """Write the job file and start the process.

        What prevents the start is told by ``failed`` as well.

        :param folder: private folder for the job file.
        :raises RuntimeError: it is running.
        """
        if self.running:
            raise RuntimeError("the worker is still running another job")
        self._job = job
        self._lines, self._error_lines = LineReader(), LineReader()
        self._started = self._cancelling = False
        self._result: Path | None = None
        self._error: tuple[str, str, str] | None = None
        self._measures: list[tuple[float, Callable[[], None]]] = []
        self._logged_lines = 0
        try:
            job_file = folder / JOB_FILE
            job_file.write_text(job_to_json(job), encoding="utf-8")
            program, arguments = worker_command(self._python(), job_file)
        except (OSError, PetKineticsError) as error:
            self.failed.emit(kind_of(error), *in_words(error))
            return
        process = self._process = self._make_process()
        process.on_output = self._read
        process.on_finished = self._on_finished
        process.on_failed_to_start = self._on_failed_to_start
        process.start(program, arguments, ENVIRONMENT)

    def cancel(self) -> None:
        """Stop the work; ``cancelled`` follows when the process has ended, with nothing left behind."""
        if self._process is None or self._cancelling:
            return
        self._cancelling = True
        self._process.write(b"cancel\n")
        self._make_sure(after_s=GRACE_S)

    def shutdown(self) -> None:
        """Stop now and wait, three seconds at most: the program is about to end. No signal follows."""
        process = self._forget()
        if process is None:
            return
        process.write(b"cancel\n")
        process.close_input()
        if not process.wait(2500):
            process.kill()
            process.wait(500)

    # ------------------------------------------------------------------------------------- listening

    def _read(self) -> None:
        process = self._process
        if process is None:
            return
        for line in self._error_lines.feed(process.read_errors()):
            self._log(line)
        for line in self._lines.feed(process.read_output()):
            self._take(line)

    def _take(self, line: str) -> None:
        event = event_of(line)
        if event is None:
            self._log(line)
            return
        kind = event["event"]
        if kind == "started":
            self._check_engine(event)
        elif kind == "progress":
            self._tell_progress(event)
        elif kind == "warning":
            self.warned.emit(str(event.get("message", "")))
        elif kind == "done" and isinstance(event.get("result"), str):
            self._result = Path(event["result"])
            self._expect_end()
        elif kind == "error" and self._error is None:
            kind, message, hint = (str(event.get(key, "")) for key in ("kind", "message", "hint"))
            self._error = (kind, message, hint)
            self._expect_end()

    def _tell_progress(self, event: dict[str, Any]) -> None:
        fraction, remaining_s = event.get("fraction"), event.get("remaining_s")
        if isinstance(fraction, int | float) and not self._cancelling and self._error is None:
            remaining_s = float(remaining_s) if isinstance(remaining_s, int | float) else None
            self.progressed.emit(min(max(float(fraction), 0.0), 1.0), str(event.get("message", "")), remaining_s)

    def _check_engine(self, event: dict[str, Any]) -> None:
        self._started = True
        if is_our_engine(event.get("version"), event.get("file")):
            return
        self._error = (
            "fault",
            _("The background process found another petkinetics (version {version}) than this program's.").format(
                version=event.get("version")
            ),
            _("Remove the other copy from Slicer's Python, or restart Slicer after an update."),
        )
        assert self._process is not None
        self._process.write(b"cancel\n")
        self._make_sure(after_s=GRACE_S)

    def _log(self, line: str) -> None:
        self._logged_lines += 1
        if line.strip() and self._logged_lines <= _MOST_LOGGED_LINES:
            self.logged.emit(without_names(line))
        elif self._logged_lines == _MOST_LOGGED_LINES + 1:
            self.logged.emit("…")

    # ---------------------------------------------------------------------------------------- ending

    def _expect_end(self) -> None:
        """Its last word was said: now it must end."""
        if not self._measures:
            self._make_sure(after_s=LINGER_S)

    def _make_sure(self, after_s: float) -> None:
        """Take ever stronger measures from *after_s* on, for as long as it runs."""
        process = self._process
        assert process is not None
        measures = (process.close_input, process.terminate, process.kill, self._on_finished)
        begin = time.monotonic() + after_s
        self._measures = [(begin + i * _BETWEEN_MEASURES_S, measure) for i, measure in enumerate(measures)]
        self._deadlines.start(self._check_deadlines)

    def _check_deadlines(self) -> None:
        if self._measures and time.monotonic() >= self._measures[0][0]:
            self._measures.pop(0)[1]()

    def _on_failed_to_start(self) -> None:
        if self._forget() is None:
            return
        if self._cancelling:
            self.cancelled.emit()
        else:
            self.failed.emit(
                "fault", _("The background process could not be started."), _("Is Slicer installed completely?")
            )

    def _on_finished(self) -> None:
        """The process has ended: read what is left, then tell how it went."""
        self._read()
        process = self._process
        if process is None:
            return
        for line in self._error_lines.rest():
            self._log(line)
        for line in self._lines.rest():
            self._take(line)
        exit_code = process.exit_code()
        self._forget()
        if self._cancelling:
            self.cancelled.emit()
        elif self._error is not None:
            self.failed.emit(*self._error)
        elif self._result is None or not self._started:
            self.logged.emit(f"exit status {exit_code}")
            self.failed.emit(
                "fault",
                _("The background process ended unexpectedly; nothing was written."),
                _("The memory may not have been enough. Close other programs and try again; the log may say more."),
            )
        elif missing := missing_part(self._job, self._result):
            self.failed.emit(
                "fault",
                _("The result is not complete: {name} is missing.").format(name=missing),
                _("Check that the disk of the temporary folder is not full, and try again."),
            )
        else:
            self.done.emit(self._result)

    def _forget(self) -> Process | None:
        self._deadlines.stop()
        process, self._process = self._process, None
        if process is not None:
            process.on_output = process.on_finished = process.on_failed_to_start = _nobody
        return process


def _nobody() -> None:
    """Takes the place of a callback when nobody listens any more."""
