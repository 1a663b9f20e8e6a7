"""The module as an installed extension lays it out: what the CMake lists name, and nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


def listed_files(module: Path) -> list[str]:
    """Files that a module's ``CMakeLists.txt`` installs, relative to the module's folder.

    :param module: folder of the module.
    """
    text = re.sub(r"#.*", "", (module / "CMakeLists.txt").read_text(encoding="utf-8"))
    text = text.replace("${MODULE_NAME}", module.name)
    names = []
    for variable in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"):
        for block in re.findall(rf"set\s*\(\s*{variable}\s+([^)]*)\)", text):
            names += block.split()
    return names


def lay_out(to: Path, module: str = "DynamicPETKinetics") -> Path:
    """Copy a module to *to* as the build does.

    :returns: the folder that goes onto the module path.
    :raises FileNotFoundError: the lists name a file that is not there.
    """
    source = ROOT / module
    for name in listed_files(source):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, to / name)
    return to
