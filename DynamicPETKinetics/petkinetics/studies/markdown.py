"""Lines of Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence


def line(cells: Sequence[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"


def head(cells: Sequence[str]) -> list[str]:
    """The title line of a table and the one below it."""
    return [line(cells), "|" + "---|" * len(cells)]
