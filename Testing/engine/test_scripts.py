"""Every script of this folder that a person or another script runs says what it is for, instead of beginning to work.

All are asked in one process, so that what they import is imported once. Programs that only some interpreters have
(``make bench``) are stood in for: a script is asked, not run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

TESTING = Path(__file__).parents[1]
#: layers whose scripts are processes of their tests
OF_TESTS = {"slicer", "background", "panel"}
SCRIPTS = [
    file.relative_to(TESTING).as_posix()
    for file in sorted(TESTING.rglob("*.py"))
    if file.relative_to(TESTING).parts[0] not in OF_TESTS
    and re.search(r'^if __name__ == "__main__":', file.read_text(encoding="utf-8"), re.MULTILINE)
]

ASK = """
import contextlib, io, json, runpy, sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock


class Absent(ModuleType):
    __path__ = []

    def __getattr__(self, name):
        return MagicMock()


class StandIns(MetaPathFinder, Loader):
    def find_spec(self, name, path, target=None):
        return ModuleSpec(name, self) if name.split(".")[0] in ("petpal", "dynamicpet") else None

    def create_module(self, spec):
        return Absent(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.append(StandIns())
testing, path, said = Path(sys.argv[1]), list(sys.path), {}
for name in sys.argv[2:]:
    sys.path[:] = [str((testing / name).parent), *path]
    sys.argv = [name, "--help"]
    out, status = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        try:
            runpy.run_path(str(testing / name), run_name="__main__")
        except SystemExit as end:
            status = end.code
        except Exception as fault:
            status = repr(fault)
    said[name] = [status, out.getvalue()]
print(json.dumps(said))
"""


@cache
def answers(folder: Path) -> dict[str, tuple[object, str]]:
    command = [sys.executable, "-c", ASK, str(TESTING), *SCRIPTS]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("asked")


def test_the_scripts_are_found() -> None:
    assert {"demo.py", "icons.py", "studies/scan_faults.py", "benchmarks/peer_petpal.py"} <= set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_what_it_is_for(script: str, folder: Path) -> None:
    status, said = answers(folder)[script]
    assert status in (None, 0)
    docstring = (TESTING / script).read_text(encoding="utf-8").split('"""')[1]
    first_words = " ".join(docstring.split())[:40]
    assert said.startswith("usage: ") and first_words in " ".join(said.split())


def test_no_script_has_begun_to_work(folder: Path) -> None:
    answers(folder)
    assert list(folder.iterdir()) == []
