"""Scale bars in the slice views: Slicer's thin ruler, switched on once where there is none."""

from __future__ import annotations

import slicer

#: on a slice view: we have looked at its ruler, and what the user does with it since is the user's choice
_SEEN = "DynamicPET.ScaleBar"


def show_scale_bars() -> None:
    """Switch the ruler on in slice views that have none; a view is touched once in a scene."""
    for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        if view.GetAttribute(_SEEN) is not None:
            continue
        view.SetAttribute(_SEEN, "yes")
        if view.GetRulerType() == view.RulerTypeNone:
            view.SetRulerType(view.RulerTypeThin)
