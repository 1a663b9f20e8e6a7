"""A picture of the house, drawn from the imports in the source.

Rooms stand one under the other in their order. A filled square says that the room of its row imports from the room
above it in the square's column. Nothing can stand right of the diagonal: nothing imports from a room further down.
"""

from __future__ import annotations

import html
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rooms import Room, all_rooms

STEP = 26
NAMES, SAYS = 130, 16
#: readable on light and dark pages alike, apart for every kind of colour vision
INK, LIGHT, LINK = "#7a7a7a", "#9a9a9a", "#009e73"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add ``images/house.svg``."""
    files.append(File.generated(config, "images/house.svg", content=house(all_rooms())))
    return files


def house(rooms: tuple[Room, ...]) -> str:
    """The picture, SVG."""
    left, top = NAMES, 96
    grid = STEP * len(rooms)
    width, height = left + grid + SAYS + 360, top + grid + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="14">',
        "<title>Rooms of the engine and what each imports from</title>",
    ]
    for row, room in enumerate(rooms):
        y = top + STEP * row
        middle = y + STEP / 2 + 5
        parts.append(_text(left - 10, middle, room.name, INK, anchor="end", weight=600))
        parts.append(_text(left + grid + SAYS, middle, _short(room), LIGHT))
        parts.append(_column_name(left + STEP * row + STEP / 2 + 5, top - 8, room.name))
        for column, other in enumerate(rooms[: row + 1]):
            x = left + STEP * column
            if column == row:
                parts.append(_square(x, y, INK))
            elif other.name in room.uses:
                parts.append(_square(x, y, LINK, f"{room.name} imports from {other.name}"))
            else:
                parts.append(f'<circle cx="{x + STEP / 2}" cy="{y + STEP / 2}" r="1.5" fill="{LIGHT}"/>')
    return "\n".join([*parts, "</svg>\n"])


def _short(room: Room) -> str:
    files = f"{len(room.modules)} files, " if len(room.modules) > 1 else ""
    return f"{files}{room.lines:,} lines"


def _text(x: float, y: float, text: str, fill: str, *, anchor: str = "start", weight: int = 400) -> str:
    said = html.escape(text)
    return f'<text x="{x}" y="{y}" fill="{fill}" text-anchor="{anchor}" font-weight="{weight}">{said}</text>'


def _column_name(x: float, y: float, text: str) -> str:
    return f'<text transform="translate({x} {y}) rotate(-60)" fill="{INK}" font-size="12">{html.escape(text)}</text>'


def _square(x: float, y: float, fill: str, says: str = "") -> str:
    side = STEP - 8
    title = f"<title>{html.escape(says)}</title>" if says else ""
    return f'<rect x="{x + 4}" y="{y + 4}" width="{side}" height="{side}" rx="3" fill="{fill}">{title}</rect>'
