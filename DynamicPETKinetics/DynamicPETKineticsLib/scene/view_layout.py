"""The arrangement of the views: changed for something of ours, and given back as it was before."""

from __future__ import annotations

from typing import Any

import slicer


def layout_node() -> Any:
    """The node of the arrangement; None where there are no views."""
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def arrangement() -> int | None:
    """How the views are arranged (vtkMRMLLayoutNode's numbers); None where there are none."""
    layout = layout_node()
    return None if layout is None else int(layout.GetViewArrangement())


def remember(memory: str, before: int | None) -> None:
    """Note the arrangement to give back.

    :param memory: attribute of the layout node, which is saved with the scene.
    """
    layout = layout_node()
    if layout is not None and before is not None:
        layout.SetAttribute(memory, str(before))


def remembered(memory: str) -> int | None:
    """The arrangement noted there; None for none."""
    layout = layout_node()
    noted = None if layout is None else layout.GetAttribute(memory)
    return None if noted is None else int(noted)


def forget(memory: str) -> None:
    """There is nothing to give back any more."""
    layout = layout_node()
    if layout is not None:
        layout.RemoveAttribute(memory)
