"""Rows as a table node: numbers stay numbers; NaN, in texts ``n/a``, where there is no value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import vtk
from vtk.util.numpy_support import numpy_to_vtk

import slicer
from DynamicPETKineticsLib.regions.node_geometry import Float64


def fill(node: Any, columns: Sequence[str], rows: Sequence[Mapping[str, object]], name: str) -> Any:
    """Replace what a table holds, at once, so that who observes it sees no half of it.

    :param node: the table node; made under *name* where it is None.
    """
    table = vtk.vtkTable()
    for column in columns:
        table.AddColumn(_column(column, [row.get(column) for row in rows]))
    return _set(node, table, name)


def _column(name: str, values: Sequence[object]) -> Any:
    """A column of numbers (or of no values) is numeric, others are text."""
    numeric = all(value is None or (isinstance(value, Real) and not isinstance(value, bool)) for value in values)
    column = vtk.vtkDoubleArray() if numeric else vtk.vtkStringArray()
    column.SetName(name)
    for value in values:
        if isinstance(column, vtk.vtkDoubleArray):
            column.InsertNextValue(math.nan if value is None else float(value))  # type: ignore[arg-type]
        else:
            column.InsertNextValue("n/a" if value is None else str(value))
    return column


def fill_numbers(node: Any, columns: Mapping[str, Float64], name: str) -> Any:
    """As :func:`fill`, from arrays."""
    table = vtk.vtkTable()
    for column, values in columns.items():
        array = numpy_to_vtk(values, deep=True)
        array.SetName(column)
        table.AddColumn(array)
    return _set(node, table, name)


def _set(node: Any, table: Any, name: str) -> Any:
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    node.SetUseColumnTitleAsColumnHeader(True)
    node.SetAndObserveTable(table)
    # A table that was read and filled anew must count as changed when the scene is saved.
    node.StorableModified()
    return node
