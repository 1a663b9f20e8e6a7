"""The background process: runs one Job, tells its progress on stdout, listens on stdin.

Started as ``python -m petkinetics.worker JOB.json`` (Slicer starts it through a line that puts the
engine's own folder first on the path). It prints one JSON object a line: started, progress, warning,
done or error. A line ``cancel`` on stdin, or its end, stops it within two seconds with nothing left
behind: at the next slab where it can, else by removing the unfinished folder and ending the process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import petkinetics
from petkinetics.errors import Cancelled, InputError, PetKineticsError, ResourceError

#: the work gets this long to stop by itself after a cancel
_PATIENCE_S = 1.5
_LEAST_BETWEEN_LINES_S = 0.1


class Lines:
    """Writes events as JSON lines; safe from several threads."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, event: str, **content: Any) -> None:
        """One line."""
        line = json.dumps({"event": event, **content}, ensure_ascii=False)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


class ProgressLines:
    """A Progress that prints lines with the remaining time.

    :raises Cancelled: when called after it was asked to stop.
    """

    def __init__(self, lines: Lines, cancelled: threading.Event | None = None) -> None:
        self._lines = lines
        self._cancelled = cancelled or threading.Event()
        self._began = time.monotonic()
        self._last_line = -1.0
        self._last_message = ""

    def __call__(self, fraction: float, message: str) -> None:
        """Say what *fraction* is done, from 0 to 1.

        :raises Cancelled: the run is to stop.
        """
        if self._cancelled.is_set():
            raise Cancelled
        now = time.monotonic()
        if message == self._last_message and now - self._last_line < _LEAST_BETWEEN_LINES_S and fraction < 1.0:
            return
        self._last_line, self._last_message = now, message
        content: dict[str, Any] = {"fraction": round(fraction, 4), "message": message}
        if fraction > 0.05:
            content["remaining_s"] = round((now - self._began) * (1.0 - fraction) / fraction, 1)
        self._lines.send("progress", **content)


def run_job_file(path: Path, lines: Lines, cancelled: threading.Event) -> int:
    """Run the job in a file and tell how it went.

    Errors are told as lines, not raised.

    :returns: the exit status: 0 done, 1 fault, 2 bad input, 3 cancelled.
    """
    tell_started(lines)
    try:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"The job file {path.name} cannot be read ({error.strerror}).") from error
        # Imported here, so that main() has set the environment before numpy reads it.
        from petkinetics.job_file import job_from_json

        result = job_from_json(text).run(
            ProgressLines(lines, cancelled), lambda sentence: lines.send("warning", message=sentence)
        )
    except Exception as error:
        return tell_error(lines, error)
    lines.send("done", result=str(result))
    return 0


def tell_started(lines: Lines) -> None:
    """The first line: which petkinetics this is, and where its code lies."""
    lines.send("started", version=petkinetics.__version__, file=str(Path(petkinetics.__file__).resolve()))


def tell_error(lines: Lines, error: Exception) -> int:
    """The line of an error (none for a cancel), and the exit status that goes with it."""
    if isinstance(error, Cancelled):
        return error.exit_status
    if isinstance(error, PetKineticsError):
        lines.send("error", kind=error.kind, message=error.message, hint=error.hint)
        return error.exit_status
    if isinstance(error, MemoryError):
        lines.send("error", kind=ResourceError.kind, message="The memory is not enough.", hint="Close other programs.")
        return ResourceError.exit_status
    lines.send("error", kind="fault", message=fault_message(error), hint="")
    return 1


def fault_message(error: BaseException) -> str:
    """What may be said of an unexpected exception: its kind and place; its own text may quote a header."""
    return f"An unexpected fault occurred ({_place(error)})."


def _place(error: BaseException) -> str:
    """Type of an exception, and the innermost line of ours that raised it."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "petkinetics" in Path(code.co_filename).parts:
            place = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} in {place}" if place else type(error).__name__


def _listen(stream: IO[str], cancelled: threading.Event) -> None:
    """Wait for ``cancel`` or the end of stdin, then see to it that the process ends."""
    for line in stream:
        if line.strip() == "cancel":
            break
    cancelled.set()
    time.sleep(_PATIENCE_S)
    from petkinetics.write.staging import discard_unfinished

    discard_unfinished()
    os._exit(Cancelled.exit_status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job file named on the command line."""
    # The estimators bring threads of their own; BLAS's would only take time from Slicer.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    args = list(sys.argv[1:] if arguments is None else arguments)
    if len(args) != 1:
        print("usage: python -m petkinetics.worker JOB.json", file=sys.stderr)
        return 2
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    cancelled = threading.Event()
    threading.Thread(target=_listen, args=(sys.stdin, cancelled), daemon=True).start()
    return run_job_file(Path(args[0]), Lines(sys.stdout), cancelled)


if __name__ == "__main__":
    sys.exit(main())
