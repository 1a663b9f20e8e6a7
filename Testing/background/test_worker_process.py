"""The worker from the GUI's side: what it tells, how it is stopped, and that nothing is ever left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from background.bench import Bench
from background.worker_cases import LONG, alive, estimate, gone_within, save_series
from DynamicPETKineticsLib.process import launch, worker_process
from petkinetics.job import AortaJob, EstimateJob

TESTING = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_series(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def long_series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 MB: some seconds of work."""
    return save_series(tmp_path_factory.mktemp("long"), LONG)


@pytest.fixture(params=[False, True], ids=["direct", "behind the launcher"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path, launcher=request.param)


# -------------------------------------------------------------------------------------------- a run


def test_a_run_tells_progress_warnings_and_one_end(bench, series):
    bench.start(estimate(series, bench.folder / "result", until_min=40.0))
    assert bench.worker.running
    with pytest.raises(RuntimeError):
        bench.start(estimate(series, bench.folder / "other"))
    assert bench.end() == "done"
    told = bench.told
    assert told.done == [(bench.folder / "result",)]
    fractions = [fraction for fraction, _message, _remaining in told.progressed]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert told.order[-1] == "done"
    assert told.warned, "a scan used for less than an hour warns about t*"
    assert all(isinstance(remaining, float | None) for *_, remaining in told.progressed)
    assert told.logged == []
    bench.runs_again(series)


def test_what_is_wrong_with_the_input_is_told_with_its_hint(bench, series):
    bench.start(estimate(series, bench.folder / "result", until_min=2.0))
    assert bench.end() == "failed"
    ((kind, message, hint),) = bench.told.failed
    assert kind == "input"
    assert message
    assert hint
    assert bench.leftovers() == set()
    bench.runs_again(series)


def test_the_aorta_that_is_not_found_is_a_failure_with_message_and_hint(bench, series):
    bench.start(AortaJob(str(series), str(bench.folder / "aorta.nii")))
    assert bench.end() == "failed"
    ((kind, message, _hint),) = bench.told.failed
    assert (kind, bool(message)) == ("input", True)
    assert bench.leftovers() == set()


# ------------------------------------------------------------------------------------------ stopping


def test_cancel_stops_it_in_time_and_leaves_nothing(bench, long_series, series):
    bench.start(estimate(long_series, bench.folder / "result", method="gaussian"))
    bench.until_busy()
    pid = bench.pid
    bench.worker.cancel()
    bench.worker.cancel()
    begin = time.monotonic()
    assert bench.end() == "cancelled"
    assert time.monotonic() - begin < 2.5
    assert not alive(pid)
    assert bench.leftovers() == set()
    bench.runs_again(series)


def test_cancel_at_once_is_a_cancel_too(bench, series):
    bench.start(estimate(series, bench.folder / "result"))
    bench.worker.cancel()
    assert bench.end() == "cancelled"
    assert bench.told.done == []
    bench.runs_again(series)


def test_a_worker_that_is_killed_is_a_failure(bench, long_series, series):
    bench.start(estimate(long_series, bench.folder / "result", method="gaussian"))
    bench.until_busy()
    os.kill(bench.pid, signal.SIGKILL)
    assert bench.end() == "failed"
    ((kind, message, hint),) = bench.told.failed
    assert kind == "fault"
    assert "ended unexpectedly" in message
    assert hint
    bench.runs_again(series)


_CRASH = """
import ctypes, threading, time, faulthandler
faulthandler.enable()
def crash():
    time.sleep(2.5)
    ctypes.string_at(0)
threading.Thread(target=crash, daemon=True).start()
"""


def test_a_worker_that_crashes_is_a_failure_and_its_last_words_are_logged(bench, long_series, series):
    (bench.folder / "crash").mkdir()
    (bench.folder / "crash" / "sitecustomize.py").write_text(_CRASH)
    bench.environment = {"PYTHONPATH": str(bench.folder / "crash")}
    bench.start(estimate(long_series, bench.folder / "result", method="nlm"))
    assert bench.end() == "failed"
    assert "ended unexpectedly" in bench.told.failed[0][1]
    assert any("Segmentation fault" in line for (line,) in bench.told.logged)
    assert not any(str(bench.folder) in line for (line,) in bench.told.logged)
    bench.runs_again(series)


def test_killing_the_launcher_ends_the_worker(tmp_path, long_series, series):
    bench = Bench(tmp_path, launcher=True)
    bench.start(estimate(long_series, tmp_path / "result", method="gaussian"))
    bench.until_busy()
    pid = bench.pid
    os.kill(bench.launcher_pid, signal.SIGKILL)
    assert gone_within(pid, 2.0)
    assert bench.end() == "failed"
    assert bench.leftovers() == set()
    bench.runs_again(series)


def test_shutdown_waits_for_a_tidy_end_and_says_nothing(bench, long_series, series):
    bench.start(estimate(long_series, bench.folder / "result", method="gaussian"))
    bench.until_busy()
    pid = bench.pid
    begin = time.monotonic()
    bench.worker.shutdown()
    assert time.monotonic() - begin < 3.0
    assert not alive(pid)
    assert bench.leftovers() == set()
    assert bench.told.ends == []
    bench.worker.shutdown()
    bench.loop.due.clear()
    bench.runs_again(series)


_GUI = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from standin.application import start
start()
from background.bench import Bench
from background.worker_cases import estimate
bench = Bench(Path({folder!r}), launcher=True)
bench.start(estimate(Path({series!r}), Path({folder!r}) / "result", method="gaussian"))
bench.until_busy()
print(bench.pid, flush=True)
while True:
    bench.loop.turn()
"""


def test_the_worker_ends_when_the_gui_process_dies(tmp_path, long_series):
    code = _GUI.format(tests=str(TESTING), folder=str(tmp_path), series=str(long_series))
    gui = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert gui.stdout
    pid = int(gui.stdout.readline())
    assert alive(pid)
    gui.kill()
    gui.wait()
    assert gone_within(pid, 2.0)
    assert not (tmp_path / "result").exists()
    assert not list(tmp_path.glob(".petkinetics-*"))


# ------------------------------------------------------------------------------- a worker that misbehaves


class Puppet(Bench):
    """In the place of the worker a few lines of Python, which get JOB.json's path as the last argument."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, started: bool = True) -> None:
        super().__init__(folder)
        hello = {"event": "started", "version": launch.petkinetics.__version__, "file": str(launch.engine_file())}
        code = f"import json, os, sys, time\nif {started}: print({json.dumps(hello)!r}, flush=True)\n{code}"
        monkeypatch.setattr(worker_process, "worker_command", lambda python, job: (python, ["-c", code, str(job)]))
        self.start(EstimateJob(series="x", output=str(folder / "result"), aorta="auto"))


def made_result(folder: Path) -> None:
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps({"maps": {"ki": {}, "v0": {}}}))
    for name in ("ki.nii", "v0.nii.gz", "input_function.tsv"):
        (folder / name).write_text("x")


DONE = 'print(json.dumps({{"event": "done", "result": {path!r}}}), flush=True)'


def test_the_exit_status_alone_is_no_success(tmp_path, monkeypatch):
    made_result(tmp_path / "result")
    assert Puppet(tmp_path, monkeypatch, "sys.exit(0)").end() == "failed"


def test_nor_does_a_bad_exit_status_undo_one(tmp_path, monkeypatch):
    made_result(tmp_path / "result")
    puppet = Puppet(tmp_path, monkeypatch, DONE.format(path=str(tmp_path / "result")) + "\nos._exit(7)")
    assert puppet.end() == "done"


@pytest.mark.parametrize("lost", ["result.json", "ki.nii", "v0.nii.gz", "input_function.tsv"])
def test_a_folder_that_lacks_a_file_is_no_result(tmp_path, monkeypatch, lost):
    made_result(tmp_path / "result")
    (tmp_path / "result" / lost).write_text("")
    puppet = Puppet(tmp_path, monkeypatch, DONE.format(path=str(tmp_path / "result")))
    assert puppet.end() == "failed"
    assert "not complete" in puppet.told.failed[0][1]


def test_what_a_library_prints_is_logged_and_split_characters_are_joined(tmp_path, monkeypatch):
    made_result(tmp_path / "result")
    code = f"""
out = sys.stdout.buffer
for byte in '{{"event": "warning", "message": "Größe µm"}}'.encode():
    out.write(bytes([byte])); out.flush(); time.sleep(0.003)
out.write(b"\\nnoise \\xff\\n[1]\\n"); out.flush()
print("from a library", file=sys.stderr, flush=True)
print(json.dumps({{"event": "unknown"}}), flush=True)
print(json.dumps({{"event": "progress", "fraction": "much"}}), flush=True)
print(json.dumps({{"event": "progress", "fraction": 7, "message": "m"}}), flush=True)
sys.stdout.write(json.dumps({{"event": "done", "result": {str(tmp_path / "result")!r}}}))
"""
    puppet = Puppet(tmp_path, monkeypatch, code)
    assert puppet.end() == "done"
    assert puppet.told.warned == [("Größe µm",)]
    assert puppet.told.progressed == [(1.0, "m", None)]
    assert {line for (line,) in puppet.told.logged} == {"noise �", "[1]", "from a library"}


def test_a_flood_of_messages_is_cut_off(tmp_path, monkeypatch):
    puppet = Puppet(tmp_path, monkeypatch, "print('noise\\n' * 20000, flush=True)")
    assert puppet.end() == "failed"
    assert len(puppet.told.logged) < 510


def test_one_that_ignores_everything_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_process, "GRACE_S", 0.2)
    monkeypatch.setattr(worker_process, "_BETWEEN_MEASURES_S", 0.2)
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here', flush=True)\ntime.sleep(60)"
    puppet = Puppet(tmp_path, monkeypatch, code)
    puppet.loop.until(lambda: puppet.told.logged)
    pid = puppet.pid
    puppet.worker.cancel()
    assert puppet.end() == "cancelled"
    assert not alive(pid)


def test_one_that_does_not_end_after_its_work_is_ended_and_its_result_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_process, "LINGER_S", 0.2)
    monkeypatch.setattr(worker_process, "_BETWEEN_MEASURES_S", 0.2)
    made_result(tmp_path / "result")
    puppet = Puppet(tmp_path, monkeypatch, DONE.format(path=str(tmp_path / "result")) + "\ntime.sleep(60)")
    pid = puppet.pid
    assert puppet.end() == "done"
    assert not alive(pid)


@pytest.mark.parametrize("started", ['{"event": "started", "version": "0.0.1", "file": "/x"}', ""])
def test_another_engine_or_none_is_refused_whatever_it_says_then(tmp_path, monkeypatch, started):
    made_result(tmp_path / "result")
    code = f"print({started!r}, flush=True)\n" + DONE.format(path=str(tmp_path / "result"))
    puppet = Puppet(tmp_path, monkeypatch, code, started=False)
    assert puppet.end() == "failed"
    assert puppet.told.failed[0][0] == "fault"


def test_a_program_that_is_not_there_and_a_folder_that_is_gone(tmp_path, series):
    bench = Bench(tmp_path, python=lambda: str(tmp_path / "no such python"))
    bench.start(estimate(series, tmp_path / "result"))
    assert bench.end() == "failed"
    assert "could not be started" in bench.told.failed[0][1]
    gone = Bench(tmp_path / "gone")
    gone.start(estimate(series, tmp_path / "result"))
    assert gone.end() == "failed"
    assert gone.told.failed[0][0] == "fault"
