"""Bland-Altman agreement of two maps in the scene: statistics as a table, differences as a chart."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from DynamicPETKineticsLib.regions.plot_nodes import (
    Trace,
    back_to_images,
    chart_node,
    data_table,
    plot_is_shown,
    set_traces,
    show_plot,
)
from DynamicPETKineticsLib.regions.region_model import map_of
from DynamicPETKineticsLib.regions.segment_regions import regions_of
from DynamicPETKineticsLib.regions.table_node import fill, fill_numbers
from DynamicPETKineticsLib.scene.map_attribute import PROVENANCE
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError

if TYPE_CHECKING:
    from petkinetics.evaluate.compare import Comparison
    from petkinetics.maps import ParametricMap

__all__ = ["agreement_plot", "agreement_table", "back_to_images", "compare", "plot_is_shown", "show_plot"]

#: characters that fit along the axis of a plot view in a quarter of the window
LONGEST_TITLE = 32
#: more points only hide each other; all are used in the statistics
MOST_POINTS = 5000
_GREY, _BLUE, _VERMILION = (0.45, 0.45, 0.45), (0.0, 0.45, 0.7), (0.84, 0.37, 0.0)


def compare(
    map_a: Any,
    map_b: Any,
    segmentation: Any,
    segment_ids: Sequence[str] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Comparison:
    """Agreement of two map nodes, A - B, in every region.

    :param segment_ids: the regions, all by default.
    :param warn: receives sentences about regions and voxels left out, and about what else sets the maps apart.
    :raises InputError: the maps do not lie on one grid and in one place, show different quantities, or no
        region has two voxels on them.
    """
    return comparison_of(map_a, map_b, segmentation, segment_ids, warn)()


def comparison_of(
    map_a: Any,
    map_b: Any,
    segmentation: Any,
    segment_ids: Sequence[str] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Callable[[], Comparison]:
    """Take from the scene what :func:`compare` needs, at once.

    :returns: computes the comparison; touches no node, so that it can run in a thread.
    :raises InputError: as :func:`compare`, now or when it is called.
    """
    from petkinetics.evaluate.compare import compare_maps

    if map_a.GetParentTransformNode() is not map_b.GetParentTransformNode():
        raise InputError(
            _("The two maps hang under different transforms, so their voxels are no pairs."),
            _("Put both under the same transform, or under none."),
        )
    a, b = _with_history(map_a), _with_history(map_b)
    if a.geometry.difference(b.geometry) is not None:
        raise InputError(
            _("The two maps lie on different grids, so their voxels are no pairs."),
            _("Compare maps of the same dynamic series."),
        )
    regions = regions_of(segmentation, a.geometry, map_a, segment_ids, warn)
    names = map_a.GetName(), map_b.GetName()
    return lambda: compare_maps(a, b, regions, *names, warn=warn)


def _with_history(node: Any) -> ParametricMap:
    """A map with what its node says of how it was made, so that the engine can tell what sets two apart."""
    how = json.loads(node.GetAttribute(PROVENANCE) or "{}")
    keys = {"blood": "input_function_kind", "window_s": "window_s", "t_star_min": "t_star_min"}
    return replace(map_of(node), provenance={there: how.get(here) for here, there in keys.items()})


def agreement_table(comparison: Comparison, node: Any = None) -> Any:
    """The statistics, one row a region, in a table node with the columns of ``bland_altman.tsv``.

    :param node: filled anew; made where it is None.
    """
    from petkinetics.evaluate.bland_altman import COLUMNS

    difference = f"{comparison.name_a} - {comparison.name_b}"
    rows = [{**row, "difference": difference} for row in comparison.rows()]
    return fill(node, (*COLUMNS, "difference"), rows, _("Bland–Altman statistics"))


def agreement_plot(comparison: Comparison, roi: str | None = None, chart: Any = None) -> Any:
    """The chart of one region: differences over pair means, and lines for bias and limits of agreement.

    Nodes are reused; the layout does not change (:func:`show_plot` shows the chart).

    :param roi: name of the region, or "across regions"; the first by default.
    :param chart: as returned before; found in the scene by default.
    :raises InputError: the comparison has no such region.
    """
    found = [a for a in comparison.agreements if roi is None or a.roi == roi]
    if not found:
        raise InputError(_("The comparison has no region '{name}'.").format(name=roi))
    agreement = found[0]
    pairs, limits = comparison.pairs[agreement.roi], agreement.absolute
    difference, middle = pairs.a - pairs.b, 0.5 * (pairs.a + pairs.b)
    drawn = np.unique(np.linspace(0, middle.size - 1, min(middle.size, MOST_POINTS)).round().astype(int))
    ends = np.array([middle.min(), middle.max()])
    lines = {"bias": limits.bias, "lower": limits.loa[0], "upper": limits.loa[1]}
    chart = chart_node("agreement", _("Bland–Altman"), chart)
    points = {"mean": middle[drawn], "difference": difference[drawn]}
    flat = {"mean": ends} | {name: np.full(2, value) for name, value in lines.items()}
    points_table = data_table(chart, "points", lambda node: fill_numbers(node, points, _("Bland–Altman points")))
    lines_table = data_table(chart, "lines", lambda node: fill_numbers(node, flat, _("Bland–Altman lines")))
    few = drawn.size <= 60
    titles = {"bias": _("Bias {value}"), "upper": _("+1.96 SD {value}"), "lower": _("−1.96 SD {value}")}
    what = _("regions") if agreement.roi == "across regions" else _("voxels")
    shown = _("{n} of {all} {what}") if drawn.size < middle.size else _("{all} {what}")
    title = shown.format(n=drawn.size, all=middle.size, what=what)
    marker = 9.0 if few else 3.0
    traces = [Trace(title, points_table, "mean", "difference", _GREY, points=True, marker=marker)]
    for name in ("upper", "bias", "lower"):
        title = titles[name].format(value=f"{lines[name]:.3g}")
        colour = _BLUE if name == "bias" else _VERMILION
        traces.append(Trace(title, lines_table, "mean", name, colour, line=True, dashed=name != "bias"))
    unit = comparison.unit or _("no unit")
    set_traces(
        chart,
        traces,
        agreement.roi,
        _("{symbol}, mean of the two ({unit})").format(symbol=comparison.symbol, unit=unit),
        _("{symbol}: {difference} ({unit})").format(
            symbol=comparison.symbol, difference=_difference_words(comparison), unit=unit
        ),
    )
    return chart


def _difference_words(comparison: Comparison) -> str:
    """What is subtracted from what, as short as an axis: names of maps in the scene can be longer."""
    words = f"{comparison.name_a} − {comparison.name_b}"
    return words if len(words) <= LONGEST_TITLE else _("first − second")
