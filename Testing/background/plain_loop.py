"""An event loop, tickers and child processes without Qt: what runs in the background is tested with these."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO


class PlainLoop:
    """Calls what is registered, again and again, in the thread of the test.

    :attr longest_turn_s: of all turns so far, for tests of responsiveness.
    """

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []
        self.longest_turn_s = 0.0

    def ticker(self, interval_ms: int = 0) -> PlainTicker:
        return PlainTicker(self, interval_ms)

    def process(self) -> PlainProcess:
        return PlainProcess(self)

    def turn(self) -> None:
        begin = time.perf_counter()
        for call in list(self.due):
            call()
        self.longest_turn_s = max(self.longest_turn_s, time.perf_counter() - begin)
        time.sleep(0.001)

    def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "what was waited for did not happen"
            self.turn()


class PlainTicker:
    """A Ticker."""

    def __init__(self, loop: PlainLoop, interval_ms: int) -> None:
        self._loop, self._interval_s = loop, interval_ms / 1000.0
        self._slot: Callable[[], None] | None = None
        self._next = 0.0

    def start(self, slot: Callable[[], None]) -> None:
        self._slot, self._next = slot, time.monotonic() + self._interval_s
        if self._turn not in self._loop.due:
            self._loop.due.append(self._turn)

    def stop(self) -> None:
        self._slot = None
        if self._turn in self._loop.due:
            self._loop.due.remove(self._turn)

    def _turn(self) -> None:
        if self._slot is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._interval_s
            self._slot()


class PlainProcess:
    """A Process: threads read the pipes, the loop calls the callbacks.

    :attr prefix: program and arguments put before those that are to be started, such as a launcher.
    :attr environment: further variables.
    """

    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    folder: str | None = None

    def __init__(self, loop: PlainLoop) -> None:
        self.on_output: Callable[[], None] = lambda: None
        self.on_finished: Callable[[], None] = lambda: None
        self.on_failed_to_start: Callable[[], None] = lambda: None
        self._loop = loop
        self.popen: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._pieces: dict[str, bytes] = {"output": b"", "errors": b""}
        self._readers: list[threading.Thread] = []

    def start(self, program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._loop.due.append(self._turn)
        try:
            self.popen = subprocess.Popen(
                [*self.prefix, program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **environment, **self.environment},
                cwd=self.folder,
            )
        except OSError:
            return
        for name, stream in (("output", self.popen.stdout), ("errors", self.popen.stderr)):
            assert stream is not None
            reader = threading.Thread(target=self._gather, args=(name, stream), daemon=True)
            self._readers.append(reader)
            reader.start()

    def _gather(self, name: str, stream: IO[bytes]) -> None:
        while piece := os.read(stream.fileno(), 65536):
            with self._lock:
                self._pieces[name] += piece

    def _turn(self) -> None:
        if self.popen is None:
            self._loop.due.remove(self._turn)
            self.on_failed_to_start()
            return
        if any(self._pieces.values()):
            self.on_output()
        # As QProcess: its end counts, though a grandchild may still hold the pipe.
        if self.popen.poll() is not None:
            for reader in self._readers:
                reader.join(0.2)
            self._loop.due.remove(self._turn)
            self.on_finished()

    def _take(self, name: str) -> bytes:
        with self._lock:
            taken, self._pieces[name] = self._pieces[name], b""
        return taken

    def read_output(self) -> bytes:
        return self._take("output")

    def read_errors(self) -> bytes:
        return self._take("errors")

    def write(self, data: bytes) -> None:
        assert self.popen and self.popen.stdin
        try:
            self.popen.stdin.write(data)
            self.popen.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def close_input(self) -> None:
        assert self.popen and self.popen.stdin
        self.popen.stdin.close()

    def terminate(self) -> None:
        assert self.popen
        self.popen.terminate()

    def kill(self) -> None:
        assert self.popen
        self.popen.kill()

    def wait(self, milliseconds: int) -> bool:
        assert self.popen
        try:
            self.popen.wait(milliseconds / 1000.0)
        except subprocess.TimeoutExpired:
            return False
        return True

    def exit_code(self) -> int:
        assert self.popen
        return self.popen.returncode if self.popen.returncode is not None else -1
