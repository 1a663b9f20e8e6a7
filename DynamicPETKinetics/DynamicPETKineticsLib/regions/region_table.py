"""The region table of a result: the rows and columns of ``roi.tsv``, from the scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from DynamicPETKineticsLib.regions.region_model import ResultLike, estimated_mask, fit_of, maps_of
from DynamicPETKineticsLib.regions.segment_regions import regions_of
from DynamicPETKineticsLib.regions.table_node import fill
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.evaluate.region_statistics import COLUMNS, RegionFits

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """What was measured in regions.

    :param rows: with the columns of ``roi.tsv``.
    :param fits: of the regions' mean curves; empty where there are none.
    """

    rows: list[dict[str, object]]
    fits: RegionFits


def _silent(_sentence: str) -> None:
    """Nobody listens."""


def region_rows(
    result: ResultLike,
    segmentation: Any,
    sequence: DynamicSequence | None,
    segment_ids: Sequence[str] | None = None,
    warn: Warn = _silent,
) -> list[dict[str, object]]:
    """One row a region and map: mean, SD, SE, peak, volume and more, with units.

    SE is the standard error of the fit of the estimate to the region's mean curve; where that cannot be made
    (the series is gone, its frames were edited) it is None and *warn* is told why.

    :param segment_ids: all segments by default.
    :param warn: receives sentences: regions left out, no SE.
    :raises InputError: there is no region or no map, or none lies on the other.
    """
    return measurement(result, segmentation, sequence, segment_ids, warn)().rows


def measurement(
    result: ResultLike,
    segmentation: Any,
    sequence: DynamicSequence | None,
    segment_ids: Sequence[str] | None = None,
    warn: Warn = _silent,
) -> Callable[[], Measured]:
    """Take from the scene what :func:`region_rows` needs, at once.

    :returns: computes the rows and the fits behind their standard errors; touches no node, so that it can run in a
        thread.
    :raises InputError: as :func:`region_rows`, now or when it is called.
    """
    from petkinetics.evaluate.region_statistics import region_rows as rows_of_maps

    maps = maps_of(result)
    first = next(iter(maps))
    regions = regions_of(segmentation, maps[first].geometry, result.maps[first], segment_ids, warn)
    mask_of = estimated_mask(result, maps)
    why = _("There are no standard errors: {reason}")
    fit: Callable[[], RegionFits] | None = None
    try:
        fit = _region_fits(result, segmentation, sequence, segment_ids, warn)
    except InputError as error:
        warn(why.format(reason=error.message))

    def measured() -> Measured:
        fits: RegionFits = {}
        try:
            fits = fit() if fit is not None else {}
        except InputError as error:
            warn(why.format(reason=error.message))
        errors = {key: se for key, (_value, se) in fits.items() if se is not None}
        return Measured(rows_of_maps(list(maps.values()), regions, errors, mask_of(), warn), fits)

    return measured


def fill_table(rows: Sequence[Mapping[str, object]], node: Any = None) -> Any:
    """The rows in a table node with the columns of ``roi.tsv``.

    :param node: filled anew; made where it is None.
    """
    return fill(node, COLUMNS, rows, _("Region table"))


def _region_fits(
    result: ResultLike,
    segmentation: Any,
    sequence: DynamicSequence | None,
    segment_ids: Sequence[str] | None,
    warn: Warn,
) -> Callable[[], RegionFits]:
    """Computes (region, map) -> value and SE of the fit to the region's curve; touches no node.

    :raises InputError: there are none, now or when it is called.
    """
    from petkinetics.evaluate.tac import region_curves

    if sequence is None:
        raise InputError(_("the dynamic series is not in the scene."))
    series = sequence.series()
    fit = fit_of(result, series.timing)
    regions = regions_of(segmentation, series.geometry, sequence.proxy, segment_ids)

    def fits() -> RegionFits:
        return {
            (curve.name, quantity): found
            for curve in region_curves(series, regions, warn=warn, frames=fit.frames.tolist())
            for quantity, found in fit.fit(curve.mean_kbq_per_ml)[0].items()
        }

    return fits
