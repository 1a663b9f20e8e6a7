"""Rows as a table node: numbers in columns of numbers, NaN where there is no value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import vtk
from vtk.util.numpy_support import numpy_to_vtk

import slicer
from DynamicPETKineticsLib.regions.node_geometry import Float64

TEXT = ("roi", "map", "unit", "slope_meaning", "difference")


def fill(node: Any, columns: Sequence[str], rows: Sequence[Mapping[str, object]], name: str) -> Any:
    """Replace what a table holds, at once, so that who observes it sees no half of it.

    :param node: the table node; made under *name* where it is None.
    """
    table = vtk.vtkTable()
    for column in columns:
        values = [row.get(column) for row in rows]
        if column in TEXT:
            array: Any = vtk.vtkStringArray()
            for value in values:
                array.InsertNextValue("" if value is None else str(value))
        else:
            array = vtk.vtkDoubleArray()
            for value in values:
                array.InsertNextValue(float(value) if isinstance(value, int | float) else math.nan)
        array.SetName(column)
        table.AddColumn(array)
    return _set(node, table, name)


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
