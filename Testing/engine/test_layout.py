"""The layout is the explanation: rooms in the order of the data's journey, nothing imports upward.

Read from the source, so that imports inside functions count as well.
"""

from __future__ import annotations

from pathlib import Path

import layout
import pytest
from layout import RANK, imported, module_files, room_of

FOREIGN = {"slicer", "qt", "ctk", "vtk", "PythonQt", "vtkmodules", "nibabel", "pandas", "skimage"}
#: what an optional part needs, imported where it is used
OPTIONAL = {("simulate/projection.py", "skimage"), ("studies/metric_libraries.py", "skimage")}


def upward_imports(file: Path) -> list[str]:
    room = room_of(file)
    found = []
    for line, name in imported(file):
        first, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if first == "petkinetics" and target in RANK and target != room and RANK[target] > RANK[room]:
            found.append(f"{file.relative_to(layout.PACKAGE)}:{line} ({room}) imports {name}")
    return found


def test_every_room_has_its_place_in_the_order() -> None:
    unplaced = {room_of(file) for file in module_files()} - set(RANK) - {"__init__"}
    assert not unplaced


def test_nothing_imports_from_a_room_further_down() -> None:
    assert [found for file in module_files() if room_of(file) in RANK for found in upward_imports(file)] == []


@pytest.mark.parametrize("line", ["from petkinetics.write.nifti import NiftiWriter", "from ..write import nifti"])
def test_an_upward_import_would_be_seen(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "PACKAGE", tmp_path)
    file = tmp_path / "read" / "series.py"
    file.parent.mkdir()
    file.write_text(f"def read():\n    {line}\n")
    assert len(upward_imports(file)) == 1


def test_the_engine_knows_nothing_of_slicer_or_qt() -> None:
    found = [
        f"{file.relative_to(layout.PACKAGE)}:{line} imports {name}"
        for file in module_files()
        for line, name in imported(file)
        if name.split(".")[0] in FOREIGN
        and (file.relative_to(layout.PACKAGE).as_posix(), name.split(".")[0]) not in OPTIONAL
    ]
    assert found == []
