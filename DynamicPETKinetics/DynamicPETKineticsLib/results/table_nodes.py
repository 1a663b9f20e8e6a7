"""Tables of a result folder as table nodes, and back: numbers stay numbers, ``n/a`` where there is no value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import vtk

import slicer
from petkinetics.write.tables import parse_cell

Row = Mapping[str, object]


def add_table(rows: Sequence[Row], name: str) -> Any:
    """A table node with one row a mapping; columns and their order are those of the first."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    set_rows(node, rows)
    return node


def set_rows(node: Any, rows: Sequence[Row]) -> None:
    """Replace what a table node holds. A column of numbers (or of no values) is numeric, others are text."""
    table = vtk.vtkTable()
    for name in rows[0] if rows else ():
        table.AddColumn(_column(name, [row.get(name) for row in rows]))
    node.SetAndObserveTable(table)
    # A table that was read and filled anew must count as changed when the scene is saved.
    node.StorableModified()


def _column(name: str, values: Sequence[object]) -> Any:
    numeric = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)
    column = vtk.vtkDoubleArray() if numeric else vtk.vtkStringArray()
    column.SetName(name)
    for value in values:
        if isinstance(column, vtk.vtkDoubleArray):
            column.InsertNextValue(math.nan if value is None else float(value))  # type: ignore[arg-type]
        else:
            column.InsertNextValue("n/a" if value is None else str(value))
    return column


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
