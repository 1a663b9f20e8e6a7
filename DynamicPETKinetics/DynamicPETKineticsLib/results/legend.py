"""The legend of the shown map: what it is, its unit, its numbers."""

from __future__ import annotations

import math
from typing import Any

import slicer
from DynamicPETKineticsLib.results.result_nodes import LABEL
from DynamicPETKineticsLib.scene.map_attribute import MAP
from petkinetics.maps import QUANTITIES

#: share of the view that bar and numbers take, (across, along)
_SIZE = (0.16, 0.6)
#: characters of a number. Slicer makes the letters of legends as large as the widest number lets it, so that
#: numbers of one width (blanks in front, letters of one width) keep legends of different maps alike
_WIDTH = 5
#: more characters than this make the letters too small: then powers of ten are written
_WIDEST = 8
#: how many numbers to try, the best first
_COUNTS = (5, 4, 6, 7)
#: behind the letters, which would be lost over the white of inverted grey
_SHADE = 0.5


def map_title(node: Any) -> str:
    """What a map shows, such as "Ki" or "Ki (whole-blood input)"; not which result it belongs to."""
    return str(node.GetAttribute(LABEL) or node.GetName())


def title_with_unit(node: Any) -> str:
    """Such as "Ki [mL/min/mL]" or "Ki [mL/min/mL] (whole-blood input)"."""
    quantity = QUANTITIES.get(str(node.GetAttribute(MAP)))
    unit = f" [{quantity.unit}]" if quantity is not None and quantity.unit != "1" else ""
    name, bracket, rest = map_title(node).partition(" (")
    return f"{name}{unit}{bracket}{rest}"


def legend_title(node: Any) -> str:
    """Title of the legend: the same, a label in two parts on two lines."""
    return title_with_unit(node).replace(" (", "\n(", 1)


def legend_numbers(low: float, high: float) -> tuple[int, str]:
    """How many numbers a legend needs so that they are round, and their printf format.

    Five from 0 to 0.04 (0.01 apart), four from 0 to 1.5 (0.5 apart); at least two digits of the step are shown.
    """
    span = high - low
    best, digits = _COUNTS[0], 3
    for count in reversed(_COUNTS):
        step = span / (count - 1)
        needed = next((d for d in (1, 2) if math.isclose(float(f"{step:.{d}g}"), step, rel_tol=1e-6)), 3)
        if needed <= digits:
            best, digits = count, needed
    # Of a step that is not round, two digits tell neighbours apart.
    place = math.floor(math.log10(span / (best - 1))) - min(digits, 2) + 1
    largest = max(abs(low), abs(high))
    decimals = max(-place, 0)
    if len(f"{largest:.{decimals}f}") > _WIDEST:
        return best, f"%{_WIDTH}.{max(math.floor(math.log10(largest)) - place + 1, 1)}g"
    return best, f"%{_WIDTH}.{decimals}f"


def show_legend(node: Any, visible: bool = True, beside: Any = None) -> None:
    """Show the legend of a map, or hide it; those of other maps are hidden.

    :param beside: the map in the lower row of views, whose legend is shown or hidden with it; None for none.
    """
    shown = [each for each in (node, beside) if each is not None]
    for other in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        owner = other.GetDisplayableNode()
        if owner is not None and owner not in shown and owner.GetAttribute(MAP):
            other.SetVisibility(False)
    for each in shown:
        _show_own(each, visible)


def _show_own(node: Any, visible: bool) -> None:
    colors = slicer.modules.colors.logic()
    own = colors.GetColorLegendDisplayNode(node)
    if own is None and visible:
        own = colors.AddDefaultColorLegendDisplayNode(node)
        _dress(own)
    if own is not None:
        _label(own, node)
        own.SetVisibility(visible)


def _dress(legend: Any) -> None:
    legend.SetMaxNumberOfColors(256)
    legend.SetSize(*_SIZE)
    legend.SetPosition(0.97, 0.5)
    for text in (legend.GetTitleTextProperty(), legend.GetLabelTextProperty()):
        text.BoldOn()
        text.ShadowOff()
        text.SetColor(1.0, 1.0, 1.0)
        text.SetBackgroundColor(0.0, 0.0, 0.0)
        text.SetBackgroundOpacity(_SHADE)
    legend.GetLabelTextProperty().SetFontFamilyToCourier()


def _label(legend: Any, node: Any) -> None:
    display = node.GetDisplayNode()
    count, form = legend_numbers(display.GetWindowLevelMin(), display.GetWindowLevelMax())
    changing = legend.StartModify()
    legend.SetTitleText(legend_title(node))
    legend.SetNumberOfLabels(count)
    legend.SetLabelFormat(form)
    legend.EndModify(changing)
