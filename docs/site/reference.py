"""The API reference: a page a room, made of the docstrings of its modules.

Rooms and modules are read from the package, so a new one is in the reference without a word here. Their order is the
order of ``Testing/engine/test_layout.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rooms import Room, all_rooms

START = "reference/index.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the reference to the navigation."""
    pages = [{"Rooms": START}, *({room.name: _page(room)} for room in all_rooms())]
    assert config.nav is not None
    config.nav.append({"API reference": pages})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    files.append(File.generated(config, START, content=_overview()))
    for room in all_rooms():
        files.append(File.generated(config, _page(room), content=_reference(room)))
    return files


def _page(room: Room) -> str:
    return f"reference/{room.name}.md"


def _overview() -> str:
    rows = [f"| [`{room.name}`]({room.name}.md) | {room.says} | {len(room.modules)} |" for room in all_rooms()]
    head = (
        "# API reference\n\nThe engine, room by room, in the order in which data travel and imports are allowed "
        "([the house](../developers.md)). Shapes are (frame, slice, row, column); units are those of "
        "[methods](../methods.md#units-and-the-meaning-of-ki-and-v0).\n\n"
    )
    return head + "| room | what it is | modules |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _reference(room: Room) -> str:
    parts = [f"# {room.name}\n"]
    parts += [f"::: {module}\n" for module in room.modules]
    return "\n".join(parts)
