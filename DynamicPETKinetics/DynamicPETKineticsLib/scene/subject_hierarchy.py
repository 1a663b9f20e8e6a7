"""Places in the subject hierarchy: what belongs to a series stands beside it."""

from __future__ import annotations

from typing import Any

import slicer


def place_beside(node: Any, *others: Any) -> None:
    """Move nodes into the folder (or study) in which *node* is."""
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    item = hierarchy.GetItemByDataNode(node)
    place = hierarchy.GetItemParent(item) if item else 0
    for other in others:
        moved = hierarchy.GetItemByDataNode(other)
        if moved and place and hierarchy.GetItemParent(moved) != place:
            hierarchy.SetItemParent(moved, place)
