"""Chart nodes with their data, reused in place; and the plot shown beside the images and put away again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
from DynamicPETKineticsLib.scene.view_layout import arrangement, forget, layout_node, remember, remembered

#: attribute of a chart: which of ours it is
_KIND = "DynamicPET.Chart"
#: begins the node reference of a chart to one of its tables
_TABLE_ROLE = "DynamicPET.Data."
#: attribute of the layout node: how the views were arranged before the plot was shown
_LAYOUT_BEFORE = "DynamicPET.LayoutBeforePlot"
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Trace:
    """One series of a chart: X and Y columns of a table node, as points, a line or both."""

    name: str
    table: Any
    x: str
    y: str
    colour: Colour
    points: bool = False
    line: bool = False
    dashed: bool = False
    width: float = 2.0
    marker: float = 7.0


def chart_node(kind: str, name: str, chart: Any = None) -> Any:
    """The chart of a kind in the scene; made where there is none."""
    if chart is not None and chart.GetScene() is not None:
        return chart
    for node in slicer.util.getNodesByClass("vtkMRMLPlotChartNode"):
        if node.GetAttribute(_KIND) == kind:
            return node
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", name)
    chart.SetAttribute(_KIND, kind)
    return chart


def data_table(chart: Any, role: str, fill: Callable[[Any], Any]) -> Any:
    """A chart's table, filled anew.

    :param fill: called with the table node of last time, or None; returns the table node.
    """
    node = fill(chart.GetNodeReference(_TABLE_ROLE + role))
    chart.SetNodeReferenceID(_TABLE_ROLE + role, node.GetID())
    return node


def set_traces(chart: Any, traces: Sequence[Trace], title: str, x_title: str, y_title: str) -> None:
    """Make the chart show these traces and no others; its series nodes are reused in their order."""
    series = [chart.GetNthPlotSeriesNode(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]
    series = [node for node in series if node is not None]
    changing = chart.StartModify()
    try:
        chart.SetTitle(title)
        chart.SetXAxisTitle(x_title)
        chart.SetYAxisTitle(y_title)
        chart.SetLegendVisibility(True)
        for number, trace in enumerate(traces):
            if number == len(series):
                series.append(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode"))
            _set_trace(series[number], trace)
            if not chart.HasPlotSeriesNodeID(series[number].GetID()):
                chart.AddAndObservePlotSeriesNodeID(series[number].GetID())
        for surplus in series[len(traces) :]:
            chart.RemovePlotSeriesNodeID(surplus.GetID())
            slicer.mrmlScene.RemoveNode(surplus)
    finally:
        chart.EndModify(changing)
    # Without this a chart view may stay empty when nodes are used again.
    chart.Modified()


def _set_trace(node: Any, trace: Trace) -> None:
    changing = node.StartModify()
    node.SetName(trace.name)
    node.SetAndObserveTableNodeID(trace.table.GetID())
    # A plot of type "line" takes the row's number for x.
    node.SetPlotType(node.PlotTypeScatter)
    node.SetXColumnName(trace.x)
    node.SetYColumnName(trace.y)
    node.SetColor(*trace.colour)
    node.SetMarkerStyle(node.MarkerStyleCircle if trace.points else node.MarkerStyleNone)
    node.SetMarkerSize(trace.marker)
    line = node.LineStyleDash if trace.dashed else node.LineStyleSolid
    node.SetLineStyle(line if trace.line else node.LineStyleNone)
    node.SetLineWidth(trace.width)
    node.EndModify(changing)


# ------------------------------------------------------------------------------------------------ layout


def show_plot(chart: Any) -> None:
    """Show a chart beside the images; where the layout must change for that, it is remembered."""
    before = arrangement()
    # Changes the layout only where it has no plot view.
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    if arrangement() != before:
        remember(_LAYOUT_BEFORE, before)


def back_to_images() -> None:
    """The layout from before the plot; nothing where no plot was shown, or the user has left it already."""
    before = remembered(_LAYOUT_BEFORE)
    if before is not None and plot_is_shown():
        layout_node().SetViewArrangement(before)
    forget(_LAYOUT_BEFORE)


def plot_is_shown() -> bool:
    """Whether *Back to images* has something to do."""
    if remembered(_LAYOUT_BEFORE) is None:
        return False
    now = arrangement()
    return bool(slicer.modules.plots.logic().GetLayoutWithPlot(now) == now)
