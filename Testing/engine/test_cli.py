"""The command line: help, exit statuses, machine-readable lines, tables; a person's words on stderr."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, filewriter
from pydicom.valuerep import VR
from synthetic import LIANG, Patient, run, save_nifti, starts_of

import petkinetics
from petkinetics.commands.signals import ended_like_ctrl_c
from petkinetics.errors import ResourceError
from petkinetics.write.staging import staged_folder

COMMANDS = {
    "simulate": ["--anatomy", "--size", "--seed", "--dose", "--frames", "--vendor", "--format", "--noise"],
    "info": ["--json", "--injection-time", "--dose", "--weight", "--half-life"],
    "input-function": ["--roi", "--output"],
    "tac": ["--roi", "--output"],
    "estimate": [
        "--roi", "--input-function", "--method", "--output", "--t-star", "--until", "--mask", "--rois", "--report",
        "--plasma-ratio", "--hct", "--injection-time", "--dose", "--weight", "--half-life", "--device",
        "--no-compress", "--hash", "--set",
    ],
    "compare": ["--roi", "--output"],
    "export": ["--series", "--to", "--as"],
    "report": ["--output", "--rois", "--compare"],
}  # fmt: skip

#: what a foreign exception may quote from a header
IDENTITY = "Doe^John"


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scan")
    patient = Patient()
    labels = patient.aorta.copy()
    labels[1:3, 5:8, 6:10] = 2
    labels[4, 12, 5] = 7
    save_nifti(folder / "labels.nii.gz", labels, patient.affine())
    (folder / "labels.tsv").write_text("index\tname\n1\taorta\n2\ttumour\n7\tnode\n")
    return patient.save(folder)


def shell(*arguments: object, **named: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "petkinetics", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **named,
    )  # type: ignore[call-overload]


# ------------------------------------------------------------------------------------ help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_its_options(capsys, command):
    assert run(command, "--help") == 0
    said = capsys.readouterr().out
    for option in COMMANDS[command]:
        assert option in said


def test_help_names_every_command_and_says_it_is_no_medical_device(capsys):
    assert run("--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert all(command in said for command in COMMANDS)
    assert "not a medical device" in said


def test_version_is_the_packages(capsys):
    assert run("--version") == 0
    assert petkinetics.__version__ in capsys.readouterr().out


def test_it_runs_as_a_module_and_as_a_program(scan):
    assert shell("--version").stdout.split()[-1] == petkinetics.__version__
    program = Path(sys.executable).with_name("petkinetics")
    if program.exists():
        done = subprocess.run([program, "info", scan, "--json"], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["shape"] == [28, 6, 24, 24]


# ------------------------------------------------------------------------------------ exit status


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("bake",),
        ("estimate",),
        ("estimate", "{scan}", "--method", "patlak", "-o", "{out}"),
        ("estimate", "{scan}", "--roi", "a", "--input-function", "b", "--method", "patlak", "-o", "{out}"),
        ("estimate", "{scan}", "--roi", "{aorta}", "-o", "{out}"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "logan-plot", "-o", "{out}"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak", "-o", "{out}", "--t-star", "soon"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak", "-o", "{out}", "--t-star", "-5"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak", "-o", "{out}", "--t-star", "nan"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak", "-o", "{out}", "--until", "0"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak", "-o", "{out}", "--until", "nan"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak", "-o", "{out}", "--device", "abacus"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak", "-o", "{out}", "--set", "weights"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak", "-o", "{out}", "--set", "weights=heavy"),
        ("estimate", "{scan}", "--roi", "{aorta}", "--method", "patlak", "-o", "{out}", "--set", "colour=red"),
        ("info", "{out}"),
        ("info",),
        ("tac", "{scan}"),
        ("tac", "{scan}", "--roi", "nothing.nii", "-o", "{out}"),
        ("tac", "{scan}", "--roi", "{aorta}", "--set", "colour=red", "-o", "{out}"),
        ("info", "{scan}", "--set", "decay_correctd_to=injection"),
        ("input-function", "{scan}", "--roi", "nothing.nii", "-o", "{out}"),
        ("simulate", "{out}", "--vendor", "acme"),
        ("simulate", "{out}", "--frames", "soon"),
        ("simulate", "{out}", "--noise", "cauchy"),
        ("export", "{out}", "--series", "{scan}", "--to", "{out}"),
    ],
)  # fmt: skip
def test_bad_use_and_bad_input_exit_with_2_and_no_trace(tmp_path, scan, capsys, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    places = {"scan": str(scan), "aorta": str(scan.parent / "aorta.nii"), "out": str(tmp_path / "out")}
    before = {p.name for p in scan.parent.iterdir()}
    assert run(*(a.format(**places) for a in arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip()
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []
    assert {p.name for p in scan.parent.iterdir()} == before


def test_a_fault_exits_with_1_and_does_not_show_a_header(tmp_path, scan, monkeypatch, capsys):
    import petkinetics.estimate

    def broken(*_):  # type: ignore[no-untyped-def]
        raise RuntimeError(IDENTITY)

    monkeypatch.setattr(petkinetics.estimate, "run_estimate", broken)
    assert run("estimate", scan, "--roi", scan.parent / "aorta.nii", "--method", "patlak", "-o", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert IDENTITY not in said


def test_a_disk_that_is_full_while_pydicom_writes_is_a_full_disk(tmp_path, monkeypatch):
    """pydicom raises an OSError of its own then, without a number and with a stack trace as its text."""

    def full(*_):  # type: ignore[no-untyped-def]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setitem(filewriter.writers, VR.OW, (full, None))
    image = Dataset()
    image.add_new("PixelData", VR.OW, bytes(64))
    with (
        pytest.raises(ResourceError, match="is full; nothing was written") as told,
        staged_folder(tmp_path / "out") as to,
    ):
        image.save_as(to / "a.dcm", implicit_vr=False, little_endian=True)
    assert told.value.exit_status == 1
    assert "Traceback" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_done_exits_with_0_and_says_where(tmp_path, scan, capsys):
    assert run("estimate", scan, "--roi", scan.parent / "aorta.nii", "--method", "patlak", "-o", tmp_path / "out") == 0
    assert str(tmp_path / "out") in capsys.readouterr().out


def test_a_reader_that_leaves_early_is_no_fault_to_show(scan):
    done = subprocess.run(
        f'"{sys.executable}" -m petkinetics info "{scan}" | head -c 1',
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------------------------ ended from outside


def heed_signals() -> None:
    """As in a terminal: what was started in the background ignores some from birth."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def started(folder: Path, *before: str) -> subprocess.Popen[str]:
    """An estimate that reads for a minute, when it has begun to write beside *folder*/out."""
    code = (
        "import sys, time, petkinetics.estimate as e\n"
        "e.read_series = lambda *_: time.sleep(60.0)\n"
        "from petkinetics.cli import main\nsys.exit(main())"
    )
    estimate = ["estimate", "pet.nii", "--aorta", "auto", "--method", "patlak", "-o", str(folder / "out")]
    command = [*before, sys.executable, "-c", code, *estimate]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=heed_signals)
    end = time.monotonic() + 60.0
    while not list(folder.glob(".petkinetics-*.claim")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.2)
    return process


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_it_is_a_cancel_and_leaves_nothing(tmp_path, name):
    process = started(tmp_path)
    process.send_signal(signal.Signals[name])
    said = process.communicate(timeout=30.0)
    assert process.returncode == 3, said
    assert said == ("", "petkinetics: cancelled.\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
def test_two_signals_at_once_as_timeout_sends_them_leave_nothing_either(tmp_path):
    """``timeout`` signals its child, then the group in which the child is."""
    process = started(tmp_path)
    for _ in range(40):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.002)
        if process.poll() is not None:
            break
    assert process.communicate(timeout=30.0)[1] == "petkinetics: cancelled.\n"
    assert process.returncode == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
def test_under_nohup_a_closed_terminal_does_not_end_it(tmp_path):
    process = started(tmp_path, "sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30.0)
    assert process.returncode == 3


def test_a_call_from_python_takes_handlers_for_its_time_only_and_in_the_main_thread_only(scan):
    other = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    seen: list[object] = []

    def call() -> None:
        with ended_like_ctrl_c():
            seen.append(signal.getsignal(signal.SIGTERM))

    def own(*_: object) -> None:
        """A handler of whoever calls the engine."""

    try:
        call()
        assert callable(seen[-1])
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        assert seen[-1] is signal.SIG_DFL
        assert run("info", scan, "--json") == 0
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.signal(signal.SIGTERM, own)
        call()
        assert seen[-1] is own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, other)


# ------------------------------------------------------------------------------------ machine-readable


def test_json_of_an_estimate_is_the_workers_lines(tmp_path, scan, capsys):
    arguments = ("estimate", scan, "--roi", scan.parent / "aorta.nii", "--method", "patlak", "--until", "35")
    assert run(*arguments, "-o", tmp_path / "out", "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {e["event"] for e in events} == {"started", "progress", "warning", "done"}
    assert [e["event"] for e in (events[0], events[-1])] == ["started", "done"]
    assert events[-1] == {"event": "done", "result": str(tmp_path / "out")}


def test_json_of_a_refusal_is_an_error_line(tmp_path, scan, capsys):
    arguments = ("estimate", scan, "--roi", scan.parent / "aorta.nii", "--method", "patlak", "--t-star", "64")
    assert run(*arguments, "-o", tmp_path / "out", "--json") == 2
    said = capsys.readouterr()
    error = json.loads(said.out.splitlines()[-1])
    assert set(error) == {"event", "kind", "message", "hint"}
    assert (error["event"], error["kind"]) == ("error", "input")
    assert error["message"] in said.err, "people read stderr"


def test_info_for_machines_and_for_people_agree(scan, capsys):
    assert run("info", scan, "--json") == 0
    info = json.loads(capsys.readouterr().out)
    assert len(info["frames"]) == 28
    assert info["frames"][27] == {"start_s": 3600.0, "duration_s": 300.0}
    np.testing.assert_allclose([f["start_s"] for f in info["frames"]], starts_of(LIANG))
    assert info["suv_factor"] == pytest.approx(70.0 / 300.0)
    assert run("info", scan) == 0
    said = capsys.readouterr().out
    for fact in ("FDG", "28", "kBq/mL", "70", "300", "Example"):
        assert fact in said, fact


def test_info_on_one_frame_says_it_is_not_dynamic(tmp_path, capsys):
    patient = Patient()
    series = patient.save(tmp_path, frames=patient.frames[27:], FrameTimesStart=[3600.0], FrameDuration=[300.0])
    assert run("info", series, "--json") == 0
    assert json.loads(capsys.readouterr().out)["dynamic"] is False


# ------------------------------------------------------------------------------------ tables


def test_tac_writes_frames_and_one_column_a_region(tmp_path, scan):
    patient = Patient()
    assert run("tac", scan, "--roi", scan.parent / "labels.nii.gz", "-o", tmp_path / "tacs.tsv") == 0
    lines = [line.split("\t") for line in (tmp_path / "tacs.tsv").read_text().splitlines()]
    assert lines[0] == ["frame_start", "frame_duration", "aorta", "tumour", "node"]
    table = np.array(lines[1:], float)
    np.testing.assert_allclose(table[:, 0], patient.start)
    np.testing.assert_allclose(table[:, 1], patient.duration)
    np.testing.assert_allclose(table[:, 2], patient.design[:, 1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        table[:, 3], patient.frames[:, 1:3, 5:8, 6:10].mean(axis=(1, 2, 3)), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(table[:, 4], patient.frames[:, 4, 12, 5], rtol=1e-5, atol=1e-6)


def test_tac_of_one_label_by_number_or_name(tmp_path, scan):
    for spec in ("2", "tumour"):
        out = tmp_path / f"{spec}.tsv"
        assert run("tac", scan, "--roi", f"{scan.parent / 'labels.nii.gz'}:{spec}", "-o", out) == 0
        assert out.read_text().splitlines()[0] == "frame_start\tframe_duration\ttumour"


@pytest.mark.parametrize("command", ["tac", "input-function"])
def test_tables_are_not_overwritten(tmp_path, scan, capsys, command):
    out = tmp_path / "a.tsv"
    out.write_text("mine")
    assert run(command, scan, "--roi", f"{scan.parent / 'labels.nii.gz'}:1", "-o", out) == 2
    assert "a.tsv" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tsv"]


def test_a_region_of_several_labels_needs_a_choice_for_the_aorta(tmp_path, scan, capsys):
    arguments = ("estimate", scan, "--method", "patlak", "-o", tmp_path / "out", "--roi")
    assert run(*arguments, scan.parent / "labels.nii.gz") == 2
    said = capsys.readouterr().err
    assert all(name in said for name in ("aorta", "tumour", "node")) or "FILE:LABEL" in said
    assert run(*arguments, f"{scan.parent / 'labels.nii.gz'}:aorta") == 0


def test_warnings_are_lines_on_stderr(tmp_path, scan, capsys):
    arguments = ("estimate", scan, "--roi", scan.parent / "aorta.nii", "--method", "patlak", "--until", "35")
    assert run(*arguments, "-o", tmp_path / "out") == 0
    said = capsys.readouterr()
    assert any(line.startswith("warning: ") for line in said.err.splitlines())
    assert "warning:" not in said.out
