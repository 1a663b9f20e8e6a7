"""Time-activity curves of the regions over all frames, with the fit of a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from DynamicPETKineticsLib.regions.node_geometry import Float64
from DynamicPETKineticsLib.regions.plot_nodes import Trace, chart_node, data_table, set_traces
from DynamicPETKineticsLib.regions.region_model import ResultLike, fit_of
from DynamicPETKineticsLib.regions.segment_regions import names, regions_of
from DynamicPETKineticsLib.regions.table_node import fill_numbers
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.region_curves import region_mean_curves
from petkinetics.read.regions import Regions, RegionWeights, fractional_coverage
from petkinetics.series import VolumeGeometry

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence

Warn = Callable[[str], None]
Colour = tuple[float, float, float]


def _silent(_sentence: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, eq=False)
class RegionTac:
    """One region's curve.

    :param mean: kBq/mL decay-corrected to injection, (frames,).
    :param sd: spatial SD a frame, kBq/mL.
    :param fitted: the model's frame means, NaN in frames that the fit does not use; None without a fit.
    :param colour: of the segment.
    """

    name: str
    timing: FrameTiming
    mean: Float64
    sd: Float64
    fitted: Float64 | None = None
    colour: Colour = (0.5, 0.5, 0.5)


def region_tacs(
    sequence: DynamicSequence,
    segmentation: Any,
    result: ResultLike | None = None,
    segment_ids: Sequence[str] | None = None,
    warn: Warn = _silent,
) -> list[RegionTac]:
    """The curve of every region, weighted by the share of each voxel that it covers.

    :param result: whose fit is wanted; where it cannot be repeated *warn* is told why.
    :raises InputError: there is no region, all lie outside the PET, or the series lacks something.
    """
    series = sequence.series()
    regions = regions_of(segmentation, series.geometry, sequence.proxy, segment_ids, warn)
    fit = None
    if result is not None:
        try:
            fit = fit_of(result, series.timing)
        except InputError as error:
            warn(_("There is no fit: {reason}").format(reason=error.message))
    colours = _colours(segmentation, segment_ids)
    weights = _covered(regions, series.geometry, warn)
    means, spreads = region_mean_curves(series, weights)
    found = []
    for region, mean, sd in zip(weights, means, spreads, strict=True):
        fitted = None
        if fit is not None:
            fitted = np.full(len(series.timing), np.nan)
            fitted[fit.frames] = fit.fit(mean[fit.frames])[1]
        found.append(RegionTac(region.name, series.timing, mean, sd, fitted, colours[region.label - 1]))
    return found


def _covered(regions: Regions, pet: VolumeGeometry, warn: Warn) -> list[RegionWeights]:
    """What each region covers of the PET; those outside are named and left out, unless all are."""
    weights: list[RegionWeights] = []
    outside: list[InputError] = []
    for label in regions.label_values:
        try:
            weights.append(fractional_coverage(regions, pet, label))
        except InputError as absent:
            outside.append(absent)
    if not weights:
        raise outside[0]
    for missing in outside:
        warn(_("{what} It was left out.").format(what=missing.message))
    return weights


def tac_table(tacs: Sequence[RegionTac], node: Any = None) -> Any:
    """Frame start, duration and mid-time, and each region's mean and SD, in a table node (s, min, kBq/mL)."""
    timing = tacs[0].timing
    columns = {"frame_start": timing.start_s, "frame_duration": timing.duration_s, "time_min": timing.mid_s / 60.0}
    columns |= {_column(tac): tac.mean for tac in tacs}
    # A region may be called as another one's SD: the region's own column wins.
    columns = {f"{tac.name} SD": tac.sd for tac in tacs} | columns
    order = ["frame_start", "frame_duration", "time_min", *map(_column, tacs)]
    columns = {name: columns.pop(name) for name in order} | columns
    return fill_numbers(node, columns, _("Region curves"))


def tac_plot(tacs: Sequence[RegionTac], chart: Any = None) -> Any:
    """The chart of the curves: points as measured, lines as fitted. Nodes are reused; no layout changes.

    :param chart: as returned before; found in the scene by default.
    """
    chart = chart_node("curves", _("Region curves"), chart)
    table = data_table(chart, "measured", lambda node: tac_table(tacs, node))
    fits = {_column(tac): tac.fitted for tac in tacs if tac.fitted is not None}
    traces = [Trace(tac.name, table, "time_min", _column(tac), tac.colour, points=True, line=not fits) for tac in tacs]
    if fits:
        used = np.isfinite(next(iter(fits.values())))
        columns = {"time_min": tacs[0].timing.mid_s[used] / 60.0} | {name: fit[used] for name, fit in fits.items()}
        fitted = data_table(chart, "fitted", lambda node: fill_numbers(node, columns, _("Region fits")))
        for tac in tacs:
            if _column(tac) in fits:
                title = _("{name}, fit").format(name=tac.name)
                traces.append(Trace(title, fitted, "time_min", _column(tac), tac.colour, line=True))
    set_traces(chart, traces, _("Regions"), _("Time from injection (min)"), _("Activity (kBq/mL)"))
    return chart


def _column(tac: RegionTac) -> str:
    return f"{tac.name} (region)" if tac.name in ("frame_start", "frame_duration", "time_min") else tac.name


def _colours(segmentation: Any, segment_ids: Sequence[str] | None) -> list[Colour]:
    inside = segmentation.GetSegmentation()
    return [inside.GetSegment(i).GetColor() for i in (segment_ids or names(segmentation))]
