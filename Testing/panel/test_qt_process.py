"""Qt's ticker and child process behind the protocols, and the real worker on them."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import qt

import slicer
from background.bench import LAUNCHER
from background.worker_cases import LONG, Told, alive, estimate, gone_within, save_series
from DynamicPETKineticsLib.panel import qt_process, qt_ticker
from DynamicPETKineticsLib.panel.qt_process import QtProcess
from DynamicPETKineticsLib.panel.qt_ticker import QtTicker
from DynamicPETKineticsLib.process.process import Process
from DynamicPETKineticsLib.process.steps import Steps
from DynamicPETKineticsLib.process.ticker import Ticker
from DynamicPETKineticsLib.process.worker_process import WorkerProcess
from standin.panel.events import process_events

# ------------------------------------------------------------------------------------------- ticks


def test_a_ticker_calls_from_the_next_turn_of_the_loop_until_it_is_stopped():
    ticks: list[float] = []
    ticker: Ticker = QtTicker()
    ticker.start(lambda: ticks.append(time.monotonic()))
    assert ticks == []
    process_events(lambda: len(ticks) > 3)
    ticker.stop()
    ticker.stop()
    count = len(ticks)
    process_events()
    process_events()
    assert len(ticks) == count
    assert qt_ticker._running == set()


def test_a_ticker_keeps_its_interval():
    ticks: list[float] = []
    ticker = QtTicker(40)
    ticker.start(lambda: ticks.append(time.monotonic()))
    process_events(lambda: len(ticks) > 3)
    ticker.stop()
    assert ticks[3] - ticks[0] > 0.1


def test_steps_run_though_nobody_keeps_the_ticker():
    done: list[str] = []

    def work():  # type: ignore[no-untyped-def]
        for i in range(20):
            time.sleep(0.002)
            yield i / 20
        return "done"

    Steps(QtTicker()).run(work(), done.append, lambda error: done.append(repr(error)))
    process_events(lambda: bool(done))
    assert done == ["done"]


# ----------------------------------------------------------------------------------------- processes


class Heard:
    """A QtProcess and the order of its callbacks."""

    def __init__(self) -> None:
        self.process: Process = QtProcess()
        self.order: list[str] = []
        self.output = self.errors = b""
        self.process.on_output = self._on_output
        self.process.on_finished = lambda: self.order.append("finished")
        self.process.on_failed_to_start = lambda: self.order.append("failed to start")

    def _on_output(self) -> None:
        self.output += self.process.read_output()
        self.errors += self.process.read_errors()

    def python(self, code: str, **environment: str) -> None:
        self.process.start(sys.executable, ["-c", code], environment)

    def wait(self) -> list[str]:
        process_events(lambda: bool(self.order), 20.0)
        self._on_output()
        process_events()
        assert qt_process._running == set(), "the process is still being held"
        return self.order


def test_input_output_errors_and_exit_code():
    heard = Heard()
    heard.python("import os, sys; print(sys.stdin.read(), os.environ['GRÜSSE']); sys.exit(5)", GRÜSSE="µ")
    heard.process.write("größe\n".encode())
    heard.process.close_input()
    assert heard.wait() == ["finished"]
    assert heard.output.decode("utf-8").split() == ["größe", "µ"]
    assert heard.errors == b""
    assert heard.process.exit_code() == 5
    heard.process.write(b"too late\n")
    heard.process.terminate()
    heard.process.kill()


def test_what_is_written_last_is_there_at_the_end():
    heard = Heard()
    heard.python("import sys; sys.stdout.write('x' * 300000); sys.stderr.write('e' * 1000)")
    heard.wait()
    assert (len(heard.output), len(heard.errors)) == (300000, 1000)


def test_the_variables_of_this_process_are_passed_on_and_not_changed(monkeypatch):
    monkeypatch.setenv("OF_SLICER", "1")
    heard = Heard()
    heard.python("import os; print(os.environ['OF_SLICER'], os.environ['OF_OURS'])", OF_OURS="2")
    heard.wait()
    assert heard.output.split() == [b"1", b"2"]
    assert "OF_OURS" not in os.environ


def test_a_crash_is_an_end():
    heard = Heard()
    heard.python("import os; os.abort()")
    assert heard.wait() == ["finished"]


def test_a_program_that_is_not_there_fails_to_start(qt_errors):
    heard = Heard()
    heard.process.start("/no/such/program", [], {})
    assert heard.wait() == ["failed to start"]
    qt_errors.take()


def test_wait_is_for_the_moment_of_quitting():
    heard = Heard()
    heard.python("import sys; sys.stdin.read()")
    assert not heard.process.wait(50)
    heard.process.close_input()
    assert heard.process.wait(5000)
    assert heard.wait() == ["finished"]


# ------------------------------------------------------------------------------------ the real worker


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_series(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def long_series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_series(tmp_path_factory.mktemp("long"), LONG)


class BehindLauncher(QtProcess):
    """Starts the launcher with the program behind it."""

    pid_file = Path()

    def start(self, program, arguments, environment):  # type: ignore[no-untyped-def]
        launched = {**environment, "CHILD_PID_FILE": str(self.pid_file)}
        super().start(sys.executable, ["-S", str(LAUNCHER), program, *arguments], launched)


@pytest.fixture
def worker(tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(BehindLauncher, "pid_file", tmp_path / "pid")
    worker = WorkerProcess(BehindLauncher, QtTicker, lambda: sys.executable)
    yield worker
    worker.shutdown()


def ends(told: Told) -> list[str]:
    process_events(lambda: bool(told.ends), 30.0)
    process_events()
    assert qt_process._running == set()
    assert qt_ticker._running == set()
    return told.ends


def busy(told: Told) -> None:
    process_events(lambda: any(0.1 < fraction < 0.9 for fraction, *_ in told.progressed), 30.0)


def test_two_runs_one_after_the_other(tmp_path, worker, series):
    for name in ("first", "second"):
        told = Told(worker)
        worker.start(estimate(series, tmp_path / name), tmp_path)
        assert ends(told) == ["done"], told.failed
        assert told.done == [(tmp_path / name,)]
        for signal_ in (worker.progressed, worker.done, worker.failed, worker.cancelled, worker.logged, worker.warned):
            signal_._slots.clear()


def test_cancel_mid_run(tmp_path, worker, long_series):
    told = Told(worker)
    worker.start(estimate(long_series, tmp_path / "result", method="gaussian"), tmp_path)
    busy(told)
    pid = int((tmp_path / "pid").read_text())
    worker.cancel()
    assert ends(told) == ["cancelled"]
    assert not alive(pid)
    assert {path.name for path in tmp_path.iterdir()} == {"job.json", "pid"}


@pytest.mark.parametrize("victim", ["worker", "launcher"])
def test_what_is_killed_is_a_failure_and_leaves_no_orphan(tmp_path, worker, long_series, victim):
    told = Told(worker)
    worker.start(estimate(long_series, tmp_path / "result", method="gaussian"), tmp_path)
    busy(told)
    pid = int((tmp_path / "pid").read_text())
    launcher = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(pid if victim == "worker" else launcher, signal.SIGKILL)
    assert ends(told) == ["failed"]
    assert gone_within(pid, 2.0)


def test_quitting_waits_for_a_tidy_end(tmp_path, worker, long_series):
    told = Told(worker)
    worker.start(estimate(long_series, tmp_path / "result", method="gaussian"), tmp_path)
    busy(told)
    pid = int((tmp_path / "pid").read_text())
    worker.shutdown()
    assert not alive(pid)
    assert not list(tmp_path.glob(".petkinetics-*"))
    process_events()
    assert told.ends == []


def test_a_session_begins_with_what_a_crashed_one_left_removed(tmp_path, monkeypatch):
    from DynamicPETKineticsLib.panel.qt_services import qt_services

    monkeypatch.setattr(slicer.app, "temporaryPath", str(tmp_path))
    # As a crash leaves it: the claim is there, and nobody locks it.
    (tmp_path / ".petkinetics-old.claim").touch()
    (tmp_path / ".petkinetics-old" / "estimate").mkdir(parents=True)
    services = qt_services()
    assert list(tmp_path.iterdir()) == []
    folder = services.temp_folders.make("estimate")
    assert tmp_path in folder.parents
    services.shutdown()
    assert list(tmp_path.iterdir()) == []


def test_the_adapters_are_what_the_protocols_say():
    assert isinstance(qt.QTimer, type)
    for protocol, adapter in ((Process, QtProcess), (Ticker, QtTicker)):
        for name in vars(protocol):
            if not name.startswith("_"):
                assert hasattr(adapter, name), name
