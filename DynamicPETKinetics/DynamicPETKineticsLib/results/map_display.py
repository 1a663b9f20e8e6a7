"""A map in colour over the anatomy, with its legend."""

from __future__ import annotations

from typing import Any

import slicer
from DynamicPETKineticsLib.results.beside import lay_below
from DynamicPETKineticsLib.results.colours import COLOURS, colour_of, default_colour
from DynamicPETKineticsLib.results.legend import legend_title, map_title, show_legend
from DynamicPETKineticsLib.results.result_nodes import SEQUENCE_ROLE, result_of
from DynamicPETKineticsLib.results.scale_bar import show_scale_bars
from DynamicPETKineticsLib.results.window import window_from_percentiles
from DynamicPETKineticsLib.scene.map_attribute import MAP
from DynamicPETKineticsLib.scene.window_average import AVERAGE, is_average_of, newest_average, set_background_dark

__all__ = [
    "COLOURS",
    "colour_of",
    "default_colour",
    "default_threshold",
    "legend_title",
    "map_is_shown",
    "map_title",
    "show_map",
    "threshold_of",
    "window_from_percentiles",
    "window_of",
]

#: lower threshold of a map whose user asked for none: hides 0, which is what lies outside the mask
_ABOVE_ZERO = 1e-30


def window_of(node: Any) -> tuple[float, float]:
    """The values at which a map's colours begin and end."""
    display = node.GetDisplayNode()
    return float(display.GetWindowLevelMin()), float(display.GetWindowLevelMax())


def threshold_of(node: Any) -> float | None:
    """The value below which a map is transparent; None where nothing but the outside of its mask is."""
    display = node.GetDisplayNode()
    if display is None or not display.GetApplyThreshold() or display.GetLowerThreshold() <= _ABOVE_ZERO:
        return None
    return float(display.GetLowerThreshold())


#: maps of uptake, whose faint background would only hide the anatomy, and the share of the window that it fills
_UPTAKE = ("ki", "mrglc", "suv", "suv_lbm", "suv_bsa", "activity")
_BACKGROUND = 0.15


def default_threshold(quantity_name: str, window: tuple[float, float]) -> float | None:
    """Below which value a map is transparent when it arrives; None for nowhere but outside its mask."""
    return float(f"{_BACKGROUND * window[1]:.2g}") if quantity_name in _UPTAKE and window[1] > 0 else None


def show_map(
    node: Any,
    opacity: float = 0.6,
    colour: str | None = None,
    window: tuple[float, float] | None = None,
    threshold: float | None = None,
    legend: bool = True,
    background: Any = None,
    beside: Any = None,
) -> None:
    """Lay a map over what the slice views show.

    :param opacity: of the map, 0 to 1.
    :param colour: one of :data:`COLOURS`; None keeps the map's own.
    :param window: lowest and highest value of the colours; None keeps them.
    :param threshold: values below are transparent. With None only the outside of the mask is (values that are not
        above 0), and nothing at all where the window begins below 0.
    :param legend: show the legend; those of other maps are hidden.
    :param background: volume to lay it over; None keeps what is there; where nothing, a map or an average of
        another series is, the newest window average of the map's own series is taken.
    :param beside: another map, which the lower row of views shows in the same way
        (:mod:`DynamicPETKineticsLib.results.beside`); None for none.
    """
    # Else every view draws after every change of a layer or a legend, inside the call that makes it.
    with slicer.util.RenderBlocker():
        _dress(node, colour, window, threshold)
        layers = {"foreground": node, "foregroundOpacity": opacity}
        if background is not None and background is not node:
            layers["background"] = background
        else:
            result = result_of(node)
            series = result.record_node.GetNodeReference(SEQUENCE_ROLE) if result is not None else None
            if _shows_nothing_of(series):
                layers["background"] = newest_average(series)
        slicer.util.setSliceViewerLayers(**layers)
        under = _background()
        if under is not None and under.GetAttribute(AVERAGE):
            set_background_dark(under, True)
        if beside is not None:
            lay_below(beside)
        show_legend(node, legend, beside)
        show_scale_bars()


def _dress(node: Any, colour: str | None, window: tuple[float, float] | None, threshold: float | None) -> None:
    display = node.GetDisplayNode()
    changing = display.StartModify()
    try:
        if colour is not None:
            display.SetAndObserveColorNodeID(COLOURS[colour]())
        if window is not None:
            display.SetAutoWindowLevel(False)
            display.SetWindowLevelMinMax(*window)
        set_threshold(node, threshold)
    finally:
        display.EndModify(changing)


def map_is_shown() -> bool:
    """Whether a map of ours lies over the images in a slice view."""
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    over = (slicer.mrmlScene.GetNodeByID(view.GetForegroundVolumeID() or "") for view in composites)
    return any(volume is not None and volume.GetAttribute(MAP) for volume in over)


def set_threshold(node: Any, threshold: float | None) -> None:
    """Make what lies below a value transparent; see :func:`show_map`."""
    display = node.GetDisplayNode()
    display.SetAutoThreshold(False)
    if threshold is None and window_of(node)[0] < 0:
        display.SetApplyThreshold(False)
        return
    lower = _ABOVE_ZERO if threshold is None else float(threshold)
    # Ten times as fast as GetScalarRange() of a new image.
    highest = float(slicer.util.arrayFromVolume(node).max())
    display.SetThreshold(lower, max(highest, lower, window_of(node)[1]))
    display.SetApplyThreshold(True)


def _shows_nothing_of(series: Any) -> bool:
    """Whether under the maps lies no image, a map, or an average of another series, perhaps of another patient."""
    current = _background()
    if current is None or current.GetAttribute(MAP):
        return True
    return bool(current.GetAttribute(AVERAGE)) and not is_average_of(current, series)


def _background() -> Any:
    """The volume under the maps in the first slice view; None for none."""
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    shown = (composite.GetBackgroundVolumeID() for composite in composites)
    return slicer.mrmlScene.GetNodeByID(next((node_id for node_id in shown if node_id), "") or "")
