"""The colour scales that maps are shown in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer


def _file(name: str) -> Callable[[], str]:
    return lambda: str(slicer.modules.colors.logic().GetFileColorNodeID(f"{name}.txt"))


def _pet_heat() -> str:
    kind = slicer.vtkMRMLPETProceduralColorNode.PETheat
    return str(slicer.modules.colors.logic().GetPETColorNodeID(kind))


#: what people call a scale -> id of its colour node. Brightness grows along all of the first four, so that
#: colour-blind readers and grey prints keep the order; the last has its middle at the middle of the window.
COLOURS: dict[str, Callable[[], str]] = {
    "Inferno": _file("Inferno"),
    "Viridis": _file("Viridis"),
    "PET heat": _pet_heat,
    "Inverted grey": lambda: "vtkMRMLColorTableNodeInvertedGrey",
    "Blue–white–red": _file("DivergingBlueRed"),
}
_UPTAKE = {"ki", "mrglc", "k1", "k3", "suv", "suv_lbm", "suv_bsa", "activity"}


def default_colour(quantity_name: str) -> str:
    """The scale that a map arrives in: uptake and all others differ at a glance."""
    return "Inferno" if quantity_name in _UPTAKE else "Viridis"


def colour_of(node: Any) -> str | None:
    """The scale that a map is shown in now; None for one that is not among ours."""
    display = node.GetDisplayNode()
    shown = display.GetColorNodeID() if display is not None else None
    return next((title for title, node_id in COLOURS.items() if node_id() == shown), None)
