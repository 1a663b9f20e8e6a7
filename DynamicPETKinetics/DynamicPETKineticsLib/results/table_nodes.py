"""Tables of a result folder as table nodes, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from DynamicPETKineticsLib.regions.table_node import fill
from petkinetics.write.tables import parse_cell

Row = Mapping[str, object]


def add_table(rows: Sequence[Row], name: str) -> Any:
    """A table node with one row a mapping; columns and their order are those of the first."""
    return fill(None, list(rows[0]) if rows else [], rows, name)


def rows_of(node: Any) -> list[dict[str, object]]:
    """The rows of a table node; None where there is no value.

    A table that was read from a file may hold its numbers as text; they become numbers again.
    """
    table = node.GetTable()
    if table is None:
        return []
    columns = {table.GetColumnName(c): table.GetColumn(c) for c in range(table.GetNumberOfColumns())}
    return [{name: _value(column, row) for name, column in columns.items()} for row in range(table.GetNumberOfRows())]


def _value(column: Any, row: int) -> object:
    value = column.GetValue(row)
    if isinstance(value, str):
        number = parse_cell(value)
        return None if isinstance(number, float) and math.isnan(number) else number
    return None if math.isnan(value) else value
