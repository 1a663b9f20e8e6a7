"""The project's files name no machine, and its test run does not hide skipped tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = {".py", ".md", ".toml", ".txt", ".cff", ".yaml", ".yml", ".json", ".tsv", ".csv", ".cmake", ".ui", ".svg", ""}
MADE = {"build", "dist", "demo", "__pycache__"}
MACHINE_PATH = re.compile(r"(?<![\w.~}])/(?:work|home|root|mnt|farm|opt|tmp|Users|var/folders)/\w")


def text_files(folder: Path = ROOT) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") and path.name not in (".ci", ".pre-commit-config.yaml", ".gitignore")
        if hidden or path.name in MADE or path.name.endswith(".egg-info") or path.is_symlink():
            continue
        if path.is_dir():
            yield from text_files(path)
        elif path.suffix in TEXT:
            yield path


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    files = list(text_files())
    assert ROOT / "README.md" in files and ROOT / ".ci" / "run" in files
    found = []
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if MACHINE_PATH.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize("folder", ["home", "work", "tmp"])
def test_such_a_path_would_be_seen(folder: str) -> None:
    assert MACHINE_PATH.search(f"cp '/{folder}/someone/scan.nii' .")


def run_with_a_skipped_test(folder: Path, *options: str, allow: str | None = None) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Testing" / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_two.py").write_text(
        "import pytest\n\n"
        "def test_runs():\n    pass\n\n"
        "@pytest.mark.skip(reason='no scanner')\ndef test_does_not_run():\n    pass\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PETKINETICS_ALLOW_SKIPS" and "PYTEST" not in k}
    if allow is not None:
        environment["PETKINETICS_ALLOW_SKIPS"] = allow
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_a_skipped_test_fails_the_run(options: tuple[str, ...], tmp_path: Path) -> None:
    run = run_with_a_skipped_test(tmp_path, *options)
    assert run.returncode == 1
    assert "1 passed, 1 skipped" in run.stdout
    assert "PETKINETICS_ALLOW_SKIPS=1" in run.stdout


def test_a_skip_can_be_accepted_openly(tmp_path: Path) -> None:
    assert run_with_a_skipped_test(tmp_path, allow="1").returncode == 0
