"""Tables of the report: HTML of rows and facts, numbers with the digits that mean something."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from petkinetics.evaluate.figures import three_digits, with_error
from petkinetics.evaluate.record_values import number_of, text_of


def html_table(header: Sequence[tuple[str, str]], body: Sequence[Sequence[str]]) -> str:
    """A table that scrolls where the page is narrow.

    :param header: a column's name, and its unit or what else stands small below it.
    :param body: rows of cells; a second line in a cell is small.
    """
    heads = "".join(
        f'<th scope="col">{escape(name)}{f"<small>{escape(unit)}</small>" if unit else ""}</th>'
        for name, unit in header
    )
    lines = "\n".join("<tr>" + "".join(f"<td>{_two_lines(c)}</td>" for c in cells) + "</tr>" for cells in body)
    return (
        f'<div class="scroll">\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>\n</div>'
    )


def _two_lines(cell: str) -> str:
    """A cell whose second line, if it has one, is smaller."""
    first, _, second = cell.partition("\n")
    return escape(first) + (f"<small>{escape(second)}</small>" if second else "")


def facts_table(facts: Sequence[tuple[str, object]]) -> str:
    """Names and values, one a line."""
    lines = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text_of(value))}</td></tr>' for name, value in facts
    )
    return f'<table class="facts">\n<tbody>\n{lines}\n</tbody>\n</table>'


def value_and_error(value: object, error: object) -> str:
    """A value, its standard error in the second line."""
    if value is None:
        return "n/a"
    return with_error(number_of(value), None if error is None else number_of(error)).replace(" ±", "\n±")


def digits(value: object, places: int | None = None) -> str:
    """A number with three significant digits, or with some decimal places."""
    if value is None or value == "n/a":
        return "n/a"
    number = number_of(value)
    return f"{number:.{places}f}" if places is not None and number == number else three_digits(number)


def minutes(seconds: object) -> str:
    """Seconds as minutes."""
    value = number_of(seconds) / 60.0
    return f"{value:.4g}" if math.isfinite(value) else "n/a"


def p_value(value: object) -> str:
    """A p-value with its sign."""
    if value is None or number_of(value) != number_of(value):
        return "n/a"
    p = number_of(value)
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def cell_of(value: object) -> str:
    """Any value of a table's row."""
    if value is None:
        return "n/a"
    return str(value) if isinstance(value, str | int) else three_digits(number_of(value))
