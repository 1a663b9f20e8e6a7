"""The worker runs the engine of the program that started it, wherever that lies and whatever else there is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import petkinetics
import slicer
from background.installed_layout import ROOT, lay_out
from background.worker_cases import save_series
from DynamicPETKineticsLib.process import launch
from petkinetics.errors import InputError

#: a program of its own: runs one estimate from the engine in the folder of its first argument
_PROGRAM = """
import json, sys
from pathlib import Path
root, tests, folder, series, decoy, working_folder = sys.argv[1:]
sys.path[:0] = [root, tests]
import petkinetics
from standin.application import start
start()
from background.bench import Bench
from background.worker_cases import estimate
bench = Bench(Path(folder))
bench.environment = {"PYTHONPATH": decoy} if decoy else {}
bench.working_folder = working_folder or None
bench.start(estimate(Path(series), Path(folder) / "result"))
how = bench.end()
print(json.dumps([petkinetics.__file__, how, bench.told.failed]))
"""

_DECOY = """
__version__ = "0.0.1"
"""


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_series(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("Ünser Slicer") / "qt-scripted-modules"
    return lay_out(to)


@pytest.fixture(scope="module")
def decoy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An older petkinetics, as a pip-installed one would be, without a worker that could run a job."""
    folder = tmp_path_factory.mktemp("decoy")
    (folder / "petkinetics").mkdir()
    (folder / "petkinetics" / "__init__.py").write_text(_DECOY)
    (folder / "petkinetics" / "worker.py").write_text("raise SystemExit('the decoy ran')")
    return folder


def run_from(root: Path, folder: Path, series: Path, decoy: Path | None = None, working_folder: Path | None = None):  # type: ignore[no-untyped-def]
    """(file of the engine in the program, how its run ended, failures)."""
    arguments = [root, ROOT / "Testing", folder, series, decoy or "", working_folder or ""]
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_from_the_source_tree(tmp_path, series):
    file, how, failed = run_from(ROOT / "DynamicPETKinetics", tmp_path, series)
    assert (how, failed) == ("done", [])
    assert Path(file).parents[1] == ROOT / "DynamicPETKinetics"


def test_from_the_layout_of_an_installed_extension(tmp_path, series, installed):
    file, how, failed = run_from(installed, tmp_path, series)
    assert (how, failed) == ("done", [])
    assert Path(file).parents[1] == installed


def test_an_older_engine_on_the_path_is_not_taken(tmp_path, series, installed, decoy):
    assert run_from(installed, tmp_path, series, decoy)[1:] == ["done", []]


def test_modules_in_the_working_folder_are_not_taken(tmp_path, series, installed, decoy):
    working = tmp_path / "working"
    shutil.copytree(decoy, working)
    for name in ("json.py", "numpy.py", "threading.py"):
        (working / name).write_text("raise SystemExit('the wrong module')")
    assert run_from(installed, tmp_path, series, decoy, working)[1:] == ["done", []]


def test_the_command_names_nothing_but_engine_and_job(tmp_path):
    program, arguments = launch.worker_command("/programs/PythonSlicer", tmp_path / "job.json")
    assert program == "/programs/PythonSlicer"
    assert arguments[0] == "-c"
    assert arguments[2:] == [str(ROOT / "DynamicPETKinetics"), str(tmp_path / "job.json")]
    assert '"' not in launch.BOOT
    assert "\n" not in launch.BOOT


def test_ours_is_the_same_version_of_the_same_file():
    ours = str(launch.engine_file())
    assert launch.is_our_engine(petkinetics.__version__, ours)
    assert not launch.is_our_engine("0.0.1", ours)
    assert not launch.is_our_engine(petkinetics.__version__, "/elsewhere/petkinetics/__init__.py")
    assert not launch.is_our_engine(None, None)


# ----------------------------------------------------------------------------------- which Python it is


def executable(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_python_is_that_of_the_running_slicer(tmp_path, monkeypatch):
    monkeypatch.setattr(slicer.app, "slicerHome", str(tmp_path / "Slicer"))
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    assert launch.find_python() == sys.executable
    on_path = executable(tmp_path / "other" / "PythonSlicer")
    assert launch.find_python() == on_path
    at_home = executable(tmp_path / "Slicer" / "bin" / "PythonSlicer")
    assert launch.find_python() == at_home


def test_slicer_itself_is_never_started_as_python(tmp_path, monkeypatch):
    monkeypatch.setattr(slicer.app, "slicerHome", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "SlicerApp-real"))
    with pytest.raises(InputError, match="PythonSlicer"):
        launch.find_python()


def test_the_gui_s_own_process_takes_the_engine_beside_the_module(tmp_path):
    """A decoy that comes earlier on the path, as a copy installed into Slicer's Python would."""
    decoy = tmp_path / "petkinetics"
    decoy.mkdir()
    (decoy / "__init__.py").write_text('raise ImportError("the wrong engine")\n')
    modules = Path(__file__).parents[2] / "DynamicPETKinetics"
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.append({str(modules)!r}); "
        "import DynamicPETKineticsLib; import petkinetics.job; print(petkinetics.__file__)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert Path(run.stdout.strip()) == modules / "petkinetics" / "__init__.py"
