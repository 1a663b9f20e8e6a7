"""From the worker's bytes to its events; what is not an event becomes a line of the log."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

#: a line longer than this is no event of ours
_LONGEST_LINE = 1 << 20
_QUOTED = re.compile(r"(?<!\w)(['\"])(.*?)\1(?!\w)")
#: from the first separator that begins a path to the last of the line: a folder's name may hold blanks
_FOLDERS = re.compile(r"(?:(?<=[\s=(:\[<,])|^)(?:[A-Za-z]:)?\.{0,2}[/\\].*[/\\]")


class LineReader:
    """Joins pieces of output to lines: a piece may end within a line, and within a character."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that *data* completes; bytes that are no UTF-8 become replacement characters."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest[:_LONGEST_LINE])
            self._rest = b""
        return [_decoded(line) for line in lines]

    def rest(self) -> list[str]:
        """What came after the last end of line, when nothing more will come."""
        rest, self._rest = self._rest, b""
        return [_decoded(rest)] if rest else []


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r")


def event_of(line: str) -> dict[str, Any] | None:
    """The event in a line; None where it holds something else, such as what a library printed."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) and isinstance(content.get("event"), str) else None


def without_names(line: str) -> str:
    """A line of a library's output as it may be shown in a log.

    Folders may be named after patients and quoted values may come from headers: of a path the file's name is
    kept, of anything else between quotation marks nothing.
    """
    line = _QUOTED.sub(lambda found: found[1] + _file_name(found[2]) + found[1], line)
    return _FOLDERS.sub("", line)


def _file_name(text: str) -> str:
    if "\\" in text:
        return PureWindowsPath(text).name or "…"
    return PurePosixPath(text).name or "…" if "/" in text else "…"
