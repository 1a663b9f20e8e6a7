"""The background process: its lines, its end, and what it leaves behind when it is stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from synthetic import Patient

import petkinetics
from petkinetics.job import EstimateJob
from petkinetics.job_file import job_from_json, job_to_json


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Path:
    return Patient().save(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def long_scan(tmp_path_factory) -> Path:
    """A series whose estimate takes seconds: noise, and 38 MB of voxels a frame."""
    folder = tmp_path_factory.mktemp("long")
    patient = Patient(duration=np.array([30.0, 30.0, 60.0, *[900.0] * 4]), shape=(1, 256, 256), spacing=(2.0, 2.0, 3.0))
    slices = 100
    noise = np.random.default_rng(0).standard_normal((1, slices, 256, 256), dtype=np.float32)
    frames = np.concatenate([np.maximum(f + 0.5 * np.roll(noise, i), 0.0) for i, f in enumerate(patient.frames)])
    patient.aorta = np.broadcast_to(patient.aorta, (slices, 256, 256))
    series = patient.save(folder, frames=frames)
    patient.save_blood(folder / "blood.tsv")
    return series


def job_file(folder: Path, series: Path, **changes: object) -> Path:
    job = {"series": str(series), "output": str(folder / "out"), "roi": str(series.parent / "aorta.nii"), **changes}
    path = folder / "job.json"
    path.write_text(job_to_json(EstimateJob(**job)), encoding="utf-8")  # type: ignore[arg-type]
    return path


class Worker:
    """The process, with its lines read as they come."""

    def __init__(self, *arguments: object, environment: dict[str, str] | None = None, code: str = "") -> None:
        start = ["-c", code] if code else ["-m", "petkinetics.worker"]
        self.process = subprocess.Popen(
            [sys.executable, *start, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        self.lines: list[bytes] = []
        self.errors = b""
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)

    def _read_errors(self) -> None:
        assert self.process.stderr
        self.errors = self.process.stderr.read()

    def wait(self, seconds: float = 60.0) -> int:
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join()
        return code

    def events(self) -> list[dict]:  # type: ignore[type-arg]
        return [json.loads(line.decode("utf-8")) for line in list(self.lines)]

    def until_fraction(self, fraction: float) -> None:
        """Wait until it says that so much is done."""
        end = time.monotonic() + 60.0
        while not any(e["event"] == "progress" and e["fraction"] >= fraction for e in self.events()):
            assert self.process.poll() is None, (self.events()[-1:], self.errors)
            assert time.monotonic() < end
            time.sleep(0.005)

    def say(self, text: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(text)
        self.process.stdin.flush()


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


# ------------------------------------------------------------------------------------ a good run


def test_lines_of_a_whole_run_follow_the_contract(tmp_path, scan):
    worker = Worker(job_file(tmp_path, scan, until_min=35.0))
    assert worker.wait() == 0
    events = worker.events()
    assert [e["event"] for e in (events[0], events[-1])] == ["started", "done"]
    assert events[0] == {
        "event": "started",
        "version": petkinetics.__version__,
        "file": str(Path(petkinetics.__file__).resolve()),
    }
    assert events[-1] == {"event": "done", "result": str(tmp_path / "out")}
    progress = [e for e in events if e["event"] == "progress"]
    fractions = [e["fraction"] for e in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert min(fractions) >= 0.0
    for e in progress:
        assert set(e) <= {"event", "fraction", "message", "remaining_s"}
        assert e["message"]
        assert e.get("remaining_s", 0.0) >= 0.0
    assert any("remaining_s" in e for e in progress)
    warnings = [e for e in events if e["event"] == "warning"]
    assert warnings, "a scan used for less than an hour warns about t*"
    assert all(set(e) == {"event", "message"} for e in warnings)
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["warnings"] == [e["message"] for e in warnings]
    assert {e["event"] for e in events} == {"started", "progress", "warning", "done"}
    assert worker.errors == b""


def test_done_comes_after_the_whole_folder_and_not_before(tmp_path, long_scan):
    blood = str(long_scan.parent / "blood.tsv")
    worker = Worker(job_file(tmp_path, long_scan, roi=None, input_function=blood, compress=False, t_star=2.0))
    while not any(e["event"] == "done" for e in worker.events()):
        assert (tmp_path / "out" / "result.json").exists() or not (tmp_path / "out").exists()
        time.sleep(0.005)
        assert worker.process.poll() in (None, 0)
    assert (tmp_path / "out" / "result.json").exists()
    assert (tmp_path / "out" / "ki.nii").stat().st_size == 352 + 4 * 100 * 256 * 256
    assert worker.wait() == 0
    assert names(tmp_path) == {"job.json", "out"}


def test_text_is_utf_8_whatever_the_locale(tmp_path, scan):
    folder = tmp_path / "Größe µ"
    folder.mkdir()
    worker = Worker(job_file(folder, scan), environment={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert worker.wait() == 0, worker.errors
    assert worker.events()[-1]["result"] == str(folder / "out")


def test_it_runs_from_any_folder_without_the_environment_of_a_shell(tmp_path, scan):
    done = subprocess.run(
        [sys.executable, "-m", "petkinetics.worker", str(job_file(tmp_path, scan))],
        input=None,
        stdin=subprocess.PIPE,
        capture_output=False,
        stdout=subprocess.PIPE,
        cwd="/",
        env={"PATH": os.environ.get("PATH", "")},
        check=False,
    )
    # subprocess.run closes stdin at once, which is end-of-file: stopped, or done if it was faster
    assert done.returncode in (0, 3)


# ------------------------------------------------------------------------------------ stopped


@pytest.mark.parametrize("how", ["cancel", "end of file"])
@pytest.mark.parametrize("at", [0.0, 0.15, 0.5])
def test_cancel_or_end_of_file_stops_within_2_s_and_leaves_nothing(tmp_path, long_scan, how, at):
    blood = str(long_scan.parent / "blood.tsv")
    options = {"weights": "voxel"}
    worker = Worker(job_file(tmp_path, long_scan, roi=None, input_function=blood, t_star=2.0, options=options))
    worker.until_fraction(at)
    began = time.monotonic()
    if how == "cancel":
        worker.say(b"cancel\n")
    else:
        worker.process.stdin.close()
    code = worker.wait(30.0)
    assert time.monotonic() - began < 2.0
    assert code == 3
    assert "done" not in {e["event"] for e in worker.events()}
    assert "error" not in {e["event"] for e in worker.events()}
    assert names(tmp_path) == {"job.json"}
    assert worker.errors == b""


def test_other_lines_on_stdin_do_not_stop_it(tmp_path, scan):
    worker = Worker(job_file(tmp_path, scan))
    worker.say(b"hello\n\ncancelled?\n")
    assert worker.wait() == 0


def test_a_windows_line_end_after_cancel_counts(tmp_path, long_scan):
    blood = str(long_scan.parent / "blood.tsv")
    worker = Worker(job_file(tmp_path, long_scan, roi=None, input_function=blood, t_star=2.0))
    worker.until_fraction(0.05)
    worker.say(b"cancel\r\n")
    assert worker.wait(5.0) == 3
    assert names(tmp_path) == {"job.json"}


def test_a_reader_that_leaves_is_no_reason_to_leave_files(tmp_path, long_scan):
    blood = str(long_scan.parent / "blood.tsv")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "petkinetics.worker",
            str(job_file(tmp_path, long_scan, roi=None, input_function=blood)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60.0) != 0
    process.stderr.close()
    process.stdin.close()
    assert names(tmp_path) == {"job.json"}


# ------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "job"),
        ("", "job"),
        ("{", "job"),
        ("[]", "job"),
        ("{}", "job"),
        ('{"job": "bake"}', "bake"),
        ('{"job": "estimate"}', "series"),
        ('{"job": "estimate", "series": "a", "output": "b", "roi": "c", "colour": "red"}', "colour"),
        ('{"job": "estimate", "series": "a", "output": "b"}', "input function"),
        ('{"job": "estimate", "series": 3, "output": "b", "roi": "c"}', "series"),
        ('{"job": "estimate", "series": "a", "output": "b", "roi": "c", "compress": "yes"}', "compress"),
        ('{"job": "estimate", "series": "a", "output": "b", "roi": "c", "until_min": "35"}', "until_min"),
        ('{"job": "estimate", "series": "a", "output": "b", "roi": "c", "options": {"weights": 3}}', "options"),
    ],
)
def test_a_bad_job_file_is_bad_input(tmp_path, text, words):
    path = tmp_path / "job.json"
    if text is not None:
        path.write_text(text)
    worker = Worker(path)
    assert worker.wait() == 2
    started, error = worker.events()
    assert started["event"] == "started"
    assert set(error) == {"event", "kind", "message", "hint"}
    assert (error["event"], error["kind"]) == ("error", "input")
    assert words in (error["message"] + error["hint"]).lower(), error
    assert worker.errors == b""


def test_bad_input_is_told_with_a_hint_and_leaves_nothing(tmp_path, scan):
    worker = Worker(job_file(tmp_path, scan, t_star=64.0))
    assert worker.wait() == 2
    error = worker.events()[-1]
    assert (error["event"], error["kind"]) == ("error", "input")
    assert error["message"].endswith(".")
    assert error["hint"]
    assert names(tmp_path) == {"job.json"}
    assert worker.errors == b""


def test_a_fault_tells_its_place_but_nothing_of_foreign_texts(tmp_path, scan):
    code = (
        "import sys, petkinetics.estimate as e\n"
        "def broken(*_): raise RuntimeError('header of Doe^John')\n"
        "e.run_estimate = broken\n"
        "from petkinetics.worker import main\nsys.exit(main(sys.argv[1:]))"
    )
    worker = Worker(job_file(tmp_path, scan), code=code)
    assert worker.wait() == 1
    error = worker.events()[-1]
    assert (error["event"], error["kind"]) == ("error", "fault")
    assert "RuntimeError" in error["message"]
    assert "Doe" not in (b"".join(worker.lines) + worker.errors).decode()


@pytest.mark.parametrize("fault", ["MemoryError()", "OSError(28, 'No space left on device')"])
def test_want_of_memory_or_disk_is_a_resource(tmp_path, scan, fault):
    code = (
        "import sys, petkinetics.write.result_folder as w\n"
        f"def full(*_): raise {fault}\n"
        "w.NiftiSink.write = full\n"
        "from petkinetics.worker import main\nsys.exit(main(sys.argv[1:]))"
    )
    worker = Worker(job_file(tmp_path, scan), code=code)
    assert worker.wait() == 1
    assert (worker.events()[-1]["event"], worker.events()[-1]["kind"]) == ("error", "resource")
    assert names(tmp_path) == {"job.json"}


def test_what_libraries_print_does_not_reach_stdout(tmp_path, scan):
    code = (
        "import sys, petkinetics.estimate as e\n"
        "honest = e.run_estimate\n"
        "def chatty(*a, **k):\n    print('chatter', file=sys.stderr)\n    return honest(*a, **k)\n"
        "e.run_estimate = chatty\n"
        "from petkinetics.worker import main\nsys.exit(main(sys.argv[1:]))"
    )
    worker = Worker(job_file(tmp_path, scan), code=code)
    assert worker.wait() == 0
    assert worker.events()[-1]["event"] == "done"  # every line was JSON; stderr is not failure


@pytest.mark.parametrize("arguments", [(), ("a.json", "b.json")])
def test_without_one_job_file_it_says_how_it_is_used(arguments):
    worker = Worker(*arguments)
    assert worker.wait() == 2
    assert worker.lines == []
    assert b"usage" in worker.errors


# ------------------------------------------------------------------------------------ the job itself


def test_a_job_survives_its_way_through_json():
    job = EstimateJob("a", "b", roi="c:2", t_star="auto", until_min=35, dose_mbq=300.0, options={"weights": "voxel"})
    assert job_from_json(job_to_json(job)) == job
    assert json.loads(job_to_json(job))["job"] == "estimate"


def test_worker_and_command_line_make_the_same_maps(tmp_path, scan):
    from petkinetics.cli import main

    worker = Worker(job_file(tmp_path, scan))
    assert worker.wait() == 0
    here = ["estimate", str(scan), "--roi", str(scan.parent / "aorta.nii"), "--method", "patlak"]
    assert main([*here, "-o", str(tmp_path / "here")]) == 0
    for name in ("ki.nii.gz", "v0.nii.gz", "ki_sd.nii.gz", "v0_sd.nii.gz", "residual.nii.gz", "input_function.tsv"):
        assert (tmp_path / "out" / name).read_bytes()[10:] == (tmp_path / "here" / name).read_bytes()[10:], name


def test_two_workers_for_one_output_do_not_mix(tmp_path, scan):
    job = job_file(tmp_path, scan)
    workers = [Worker(job) for _ in range(3)]
    codes = sorted(w.wait() for w in workers)
    assert codes[0] == 0
    assert set(codes[1:]) <= {2}, "the others find that the output exists"
    assert names(tmp_path) == {"job.json", "out"}
