"""Signals, steps, temporary folders and the worker's lines, each by itself."""

from __future__ import annotations

import logging
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from background.plain_loop import PlainLoop
from DynamicPETKineticsLib.process.signal import Signal
from DynamicPETKineticsLib.process.steps import Steps
from DynamicPETKineticsLib.process.temp_folders import TempFolders
from DynamicPETKineticsLib.process.worker_lines import LineReader, event_of, without_names

# ------------------------------------------------------------------------------------------ signals


def test_a_signal_calls_every_slot_once_in_order():
    heard = []
    first, second = (lambda x: heard.append(("first", x))), (lambda x: heard.append(("second", x)))
    signal = Signal()
    for slot in (first, second, first):
        signal.connect(slot)
    signal.emit(1)
    signal.disconnect(first)
    signal.disconnect(first)
    signal.emit(2)
    assert heard == [("first", 1), ("second", 1), ("second", 2)]


def test_a_slot_that_fails_is_logged_without_its_text_and_the_others_run(caplog):
    def fail(name: str) -> None:
        raise ValueError(name)

    heard: list[str] = []
    signal = Signal()
    signal.connect(fail)
    signal.connect(heard.append)
    with caplog.at_level(logging.INFO):
        signal.emit("Doe^John")
    assert heard == ["Doe^John"]
    assert "ValueError" in caplog.text
    assert "in fail" in caplog.text
    assert "Doe" not in caplog.text


# -------------------------------------------------------------------------------------------- steps


class Watched:
    """Steps with everything they tell."""

    def __init__(self) -> None:
        self.loop = PlainLoop()
        self.steps = Steps(self.loop.ticker())
        self.done: list[object] = []
        self.failed: list[Exception] = []
        self.shares: list[float] = []

    def run(self, generator: Generator[float, None, object]) -> None:
        self.steps.run(generator, self.done.append, self.failed.append, self.shares.append)


def test_steps_return_what_the_generator_returns():
    def work() -> Generator[float, None, str]:
        for i in range(4):
            time.sleep(0.02)
            yield (i + 1) / 4
        return "result"

    watched = Watched()
    watched.run(work())
    assert watched.steps.running
    watched.loop.until(lambda: not watched.steps.running)
    assert (watched.done, watched.failed) == (["result"], [])
    assert watched.shares == sorted(watched.shares)
    assert watched.shares[-1] == 1.0
    assert watched.loop.due == []


def test_cheap_steps_share_a_tick_and_no_tick_lasts_long():
    def work() -> Generator[float, None, None]:
        for i in range(3000):
            yield i / 3000

    watched = Watched()
    watched.run(work())
    begin = time.monotonic()
    watched.loop.until(lambda: watched.done)
    assert time.monotonic() - begin < 1.0
    assert len(watched.shares) < 100
    assert watched.loop.longest_turn_s < 0.1


def test_nothing_happens_before_the_first_tick():
    touched = []

    def work() -> Generator[float, None, None]:
        touched.append(1)
        yield 1.0

    watched = Watched()
    watched.run(work())
    assert touched == []
    with pytest.raises(RuntimeError, match="still running"):
        watched.run(work())


def test_what_a_step_raises_goes_to_failed():
    def work() -> Generator[float, None, None]:
        yield 0.1
        raise ValueError("no")

    watched = Watched()
    watched.run(work())
    watched.loop.until(lambda: watched.failed)
    assert [type(error) for error in watched.failed] == [ValueError]
    assert not watched.steps.running
    assert watched.done == []


def test_cancel_runs_the_finally_clauses_and_tells_nobody():
    cleaned = []

    def work() -> Generator[float, None, None]:
        try:
            while True:
                time.sleep(0.03)
                yield 0.5
        finally:
            cleaned.append(1)

    watched = Watched()
    watched.run(work())
    watched.loop.turn()
    watched.steps.cancel()
    watched.steps.cancel()
    assert cleaned == [1]
    watched.loop.turn()
    assert (watched.done, watched.failed) == ([], [])


def test_a_step_may_lead_to_its_own_cancel():
    cleaned = []

    def work() -> Generator[float, None, None]:
        try:
            watched.steps.cancel()
            yield 0.5
            cleaned.append("went on")
        finally:
            cleaned.append("closed")

    watched = Watched()
    watched.run(work())
    watched.loop.turn()
    assert cleaned == ["closed"]
    assert watched.shares == []


def test_done_may_start_the_next_steps():
    def work(result: str) -> Generator[float, None, str]:
        yield 0.5
        return result

    watched = Watched()

    def next_ones(result: object) -> None:
        watched.done.append(result)
        watched.run(work("second"))

    watched.steps.run(work("first"), next_ones, watched.failed.append)
    watched.loop.until(lambda: len(watched.done) == 2)
    assert watched.done == ["first", "second"]


# ---------------------------------------------------------------------------------- temporary folders


def test_a_folder_is_private_and_its_name_random(tmp_path):
    folders = TempFolders(lambda: tmp_path / "base")
    one, other = folders.make("estimate"), folders.make("estimate")
    assert one != other
    assert one.name == "estimate"
    for folder in (one, one.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folders.remove(one)
    assert not one.parent.exists()
    folders.remove(one)
    folders.remove_all()
    assert list((tmp_path / "base").iterdir()) == []


def test_a_folder_that_is_half_gone_is_removed_all_the_same(tmp_path):
    folders = TempFolders(lambda: tmp_path)
    folder, gone = folders.make("estimate"), folders.make("aorta")
    (folder / "result").mkdir()
    shutil.rmtree(gone.parent)
    folders.remove_all()
    assert list(tmp_path.iterdir()) == []


_SESSION = """
import sys, time
from pathlib import Path
from DynamicPETKineticsLib.process.temp_folders import TempFolders
folders = TempFolders(lambda: Path(sys.argv[1]))
(folders.make("estimate") / "voxels.nii").write_bytes(b"0" * 1000)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_crashed_sessions_folders_go_at_the_next_start_and_a_living_ones_stay(tmp_path):
    code = [sys.executable, "-c", _SESSION, str(tmp_path)]
    crashed, living = (subprocess.Popen(code, stdout=subprocess.PIPE) for _ in range(2))
    try:
        for session in (crashed, living):
            assert session.stdout
            assert session.stdout.readline() == b"ready\n"
        mine = TempFolders(lambda: tmp_path)
        own = mine.make("estimate")
        crashed.kill()
        crashed.wait()
        assert len(list(tmp_path.glob("*/estimate"))) == 3
        mine.remove_stale()
        assert len(list(tmp_path.glob("*/estimate"))) == 2
        assert own.exists()
        mine.remove_all()
        assert len(list(tmp_path.glob("*/estimate/voxels.nii"))) == 1
    finally:
        for session in (crashed, living):
            session.kill()
            session.wait()
    TempFolders(lambda: tmp_path).remove_stale()
    assert list(tmp_path.iterdir()) == []


def test_a_base_that_is_not_there_or_cannot_be_made(tmp_path):
    from petkinetics.errors import ResourceError

    TempFolders(lambda: tmp_path / "never made").remove_stale()
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="No temporary folder"):
        TempFolders(lambda: tmp_path / "file").make("estimate")


# ---------------------------------------------------------------------------------------------- lines


def test_a_line_may_come_in_any_pieces():
    text = '{"event": "warning", "message": "Größe 5 µm — ok"}\r\nnächste\n'.encode()
    for size in (1, 2, 3, 7, len(text)):
        reader = LineReader()
        lines = [line for i in range(0, len(text), size) for line in reader.feed(text[i : i + size])]
        assert lines == ['{"event": "warning", "message": "Größe 5 µm — ok"}', "nächste"], size
        assert reader.rest() == []


def test_the_end_may_lack_its_newline_and_bytes_may_be_no_text():
    reader = LineReader()
    assert reader.feed(b"\xff\xfe\n{") == ["��"]
    assert reader.rest() == ["{"]
    assert reader.rest() == []


def test_an_endless_line_does_not_fill_the_memory():
    reader = LineReader()
    lines = [line for _ in range(40) for line in reader.feed(b"x" * 65536)]
    assert len(lines) == 2


@pytest.mark.parametrize("line", ["", "hello", "[1, 2]", "3", '{"event": 3}', '{"message": "x"}', '{"event": "a"'])
def test_what_is_no_event_is_none(line):
    assert event_of(line) is None


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('  File "/people/Doe John/x/worker.py", line 3, in main', '  File "worker.py", line 3, in main'),
        ("ValueError: Invalid value for VR UI: '1.2.Doe'", "ValueError: Invalid value for VR UI: '…'"),
        ("can't open /data/Doe John/pet/x.nii: no such file", "can't open x.nii: no such file"),
        (r"C:\Users\Doe John\x.nii is bad", "x.nii is bad"),
        ("Ki in mL/min/mL", "Ki in mL/min/mL"),
        ("Fatal Python error: Segmentation fault", "Fatal Python error: Segmentation fault"),
    ],
)
def test_a_logged_line_names_files_but_no_folders_and_no_values(line, shown):
    assert without_names(line) == shown


def test_no_room_of_the_background_process_needs_qt():
    lib = Path(__file__).parents[2] / "DynamicPETKinetics" / "DynamicPETKineticsLib"
    for file in [*(lib / "process").glob("*.py"), *(lib / "runs").glob("*.py")]:
        text = file.read_text(encoding="utf-8")
        assert "import qt" not in text, file.name
        assert "os.environ[" not in text, file.name


# ---------------------------------------------------------------------------------- faults, threads, results


def test_what_a_person_reads_of_an_error(caplog):
    from DynamicPETKineticsLib.process.faults import in_words, kind_of
    from petkinetics.errors import InputError

    known = InputError("What is wrong.", "What to do.")
    assert (kind_of(known), *in_words(known)) == ("input", "What is wrong.", "What to do.")
    assert kind_of(MemoryError()) == "resource"
    assert "memory" in in_words(MemoryError())[0]
    assert caplog.text == ""
    try:
        int("Doe^John")
    except ValueError as error:
        message, hint = in_words(error)
        assert kind_of(error) == "fault"
    assert "ValueError in test_process_pieces.py:" in message
    assert "log" in hint
    assert "Doe" not in message + caplog.text.replace('int("Doe^John")', "")


def test_a_thread_is_waited_for_in_steps():
    from DynamicPETKineticsLib.runs.side_thread import thread_steps

    def slow(fail: bool) -> str:
        time.sleep(0.15)
        if fail:
            raise ValueError("no")
        return "result"

    for fail in (False, True):
        watched = Watched()
        watched.run(thread_steps(lambda fail=fail: slow(fail)))
        watched.loop.until(lambda watched=watched: watched.done or watched.failed)
        assert watched.loop.longest_turn_s < 0.1
        assert (watched.done == ["result"]) != fail
        assert (len(watched.failed) == 1) == fail


def test_folders_of_large_files_are_removed_in_steps(tmp_path):
    folders = TempFolders(lambda: tmp_path)
    folder = folders.make("estimate")
    (folder / "small").write_bytes(b"x")
    with (folder / "large").open("wb") as file:
        file.truncate(400 << 20)
    watched = Watched()
    steps = folders.remove_steps(folder)
    assert next(steps) < 1.0
    assert (folder / "large").stat().st_size < 400 << 20
    watched.run(steps)
    watched.loop.until(lambda: watched.done)
    assert list(tmp_path.iterdir()) == []


def test_what_each_job_must_leave(tmp_path):
    from DynamicPETKineticsLib.process.complete import missing_part
    from petkinetics.job import AortaJob, ExportJob, SimulateJob

    aorta = tmp_path / "aorta.nii"
    assert missing_part(AortaJob("x", str(aorta)), aorta) == "aorta.nii"
    aorta.write_bytes(b"x")
    assert missing_part(AortaJob("x", str(aorta)), aorta) == "aorta.tsv"
    (tmp_path / "aorta.tsv").write_bytes(b"x")
    assert missing_part(AortaJob("x", str(aorta)), aorta) == ""
    assert missing_part(ExportJob("x", "x", str(tmp_path)), tmp_path) == "*.dcm"
    (tmp_path / "ki.dcm").write_bytes(b"x")
    assert missing_part(ExportJob("x", "x", str(tmp_path)), tmp_path) == ""
    empty = tmp_path / "patient"
    assert missing_part(SimulateJob(str(empty)), empty) == "patient"
    empty.mkdir()
    assert missing_part(SimulateJob(str(empty)), empty) == "patient/*"
