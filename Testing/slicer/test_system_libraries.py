"""The script that checks the system libraries: silent when all are there, else it says what to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "standin" / "system_libraries.sh"


def _run(programs: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = os.environ["PATH"] if programs is None else f"{programs}:{os.environ['PATH']}"
    return subprocess.run(["bash", SCRIPT], env={"PATH": path}, capture_output=True, text=True, check=False)


def _program(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def test_it_is_silent_where_everything_is_there() -> None:
    done = _run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_rights_it_prints_the_command(tmp_path: Path) -> None:
    _program(tmp_path, "ldconfig", "echo 'libGL.so.1 (libc6,x86-64) => /lib/libGL.so.1'")
    _program(tmp_path, "id", "echo 1000")
    done = _run(tmp_path)
    assert done.returncode == 1
    assert "sudo apt-get install" in done.stderr
    assert "libegl1" in done.stderr and "libgl1 " not in done.stderr


def test_as_root_it_installs_and_looks_again(tmp_path: Path) -> None:
    _program(tmp_path, "ldconfig", ":")
    _program(tmp_path, "id", "echo 0")
    _program(tmp_path, "apt-get", f'echo "$1" >> {tmp_path}/asked; [ -e {tmp_path}/updated ] || [ "$1" != install ]')
    done = _run(tmp_path)
    assert (done.returncode, "still missing" in done.stderr) == (1, False)  # the installation failed twice
    assert (tmp_path / "asked").read_text().split() == ["install", "update", "install"]
    (tmp_path / "updated").touch()
    done = _run(tmp_path)
    assert (done.returncode, "still missing" in done.stderr) == (1, True)
