"""How the worker is started: which Python, and which engine.

In a source tree the module's folder is only on the running program's ``sys.path``; in an installed extension
it is on PYTHONPATH, but after the folders of Slicer's Python, so that a pip-installed copy would win. The
worker is therefore told where the engine of this very process lies, and puts that first.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import petkinetics
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError

#: Runs the engine in the folder of its first argument on the job file of its second. Entries "" (the working
#: folder, which ``-c`` puts first) go, lest a json.py or numpy folder that happens to lie there be imported.
BOOT = (
    "import sys; root, job = sys.argv[1:]; sys.path[:] = [root] + [p for p in sys.path if p]; "
    "from petkinetics.worker import main; sys.exit(main([job]))"
)

#: lines must come as they are written, in UTF-8, whatever the locale
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def engine_file() -> Path:
    """The file of this process's engine, as the worker's ``started`` line reports it."""
    return Path(petkinetics.__file__).resolve()


def worker_command(python: str, job_file: Path) -> tuple[str, list[str]]:
    """Program and arguments that run a job file with this process's engine."""
    return python, ["-c", BOOT, str(engine_file().parents[1]), str(job_file)]


def is_our_engine(version: object, file: object) -> bool:
    """Whether a ``started`` line tells of the engine that this process has."""
    if version != petkinetics.__version__ or not isinstance(file, str):
        return False
    return os.path.normcase(file) == os.path.normcase(engine_file())


def find_python() -> str:
    """The Python that runs the worker: PythonSlicer, else the interpreter that runs this program.

    :raises InputError: there is none.
    """
    name = "PythonSlicer.exe" if sys.platform == "win32" else "PythonSlicer"
    home = _slicer_home()
    if home is not None and (home / "bin" / name).is_file():
        return str(home / "bin" / name)
    found = shutil.which("PythonSlicer")
    if found is not None:
        return found
    # Inside Slicer sys.executable may be Slicer itself, which would open a second window.
    if Path(sys.executable).name.lower().startswith("python"):
        return sys.executable
    raise InputError(
        _("The program PythonSlicer, which runs estimates in the background, was not found."),
        _("It belongs in Slicer's folder bin; reinstalling Slicer brings it back."),
    )


def _slicer_home() -> Path | None:
    import slicer

    app = getattr(slicer, "app", None)
    return Path(app.slicerHome) if app is not None else None
