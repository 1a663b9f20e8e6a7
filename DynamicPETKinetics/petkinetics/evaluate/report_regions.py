"""The report's table of regions: what the map shows in them, and what the fit of their mean curves gives."""

from __future__ import annotations

from collections.abc import Sequence

from petkinetics.evaluate.record_values import Record, Row
from petkinetics.evaluate.region_statistics import RegionFits, mean_is_the_fit
from petkinetics.evaluate.report_cells import cell_of, digits, html_table, value_and_error

#: maps that have columns of their own in the region table (the first two that there are), and their symbols
REGION_MAPS = {"ki": "Ki", "v0": "V0", "k1": "K1", "vt": "VT"}
#: SUV maps and what they are called; the one that there is stands beside the first of those
_SUVS = {"suv": "SUV", "suv_lbm": "SUVlbm", "suv_bsa": "SUVbsa"}
_ONE_ESTIMATOR = "Means over the region's voxels. SE: standard error of the fit to the region's mean curve."
_TWO_ESTIMATORS = (
    "Two estimates stand beside each other. Map mean: of the map's voxels in the region. Curve fit ± SE: fit of the "
    "region's mean curve, without the regularisation, network or voxelwise fit that made the map; the standard error "
    "belongs to this value, not to the map mean."
)
_SPREAD = (
    "SD: spread over the voxels. Peak: mean of the hottest sphere of 1 mL centred in the region; it includes "
    "surroundings where a region is below 1 mL, and can lie below the mean there."
)


def regions_table(rows: Sequence[Row], record: Record, fits: RegionFits) -> str:
    """One row a region with Ki, SUV and V0 beside each other; every number is in roi.tsv and region_fits.tsv.

    :param rows: of ``roi.tsv``.
    :param record: what ``result.json`` says: it tells whether a map's mean is the fit of the region's curve.
    :param fits: of the regions' mean curves, for methods where it is not.
    """
    if not rows:
        return ""
    one_estimator = mean_is_the_fit(record)
    there = {str(row.get("map")): str(row.get("unit", "")) for row in rows}
    maps = [m for m in REGION_MAPS if m in there][:2]
    maps[1:1] = [m for m in _SUVS if m in there][:1]
    names = list(dict.fromkeys(str(row["roi"]) for row in rows))
    by_key = {(str(row["roi"]), str(row["map"])): row for row in rows}
    header = [("Region", ""), ("Volume", "mL")]
    for m in maps:
        symbol = str(record.get("ki_label", "Ki")) if m == "ki" else REGION_MAPS.get(m, "")
        header += _heads(m, symbol, there[m], m == maps[0], one_estimator)
    body = []
    for name in names:
        first = next(row for row in rows if str(row["roi"]) == name)
        cells = [name, digits(first.get("volume_ml"))]
        for m in maps:
            cells += _cells(by_key.get((name, m), {}), m, m == maps[0], one_estimator, fits.get((name, m)))
        body.append(cells)
    note = f"{_ONE_ESTIMATOR if one_estimator else _TWO_ESTIMATORS} {_SPREAD}"
    full = html_table([(c, "") for c in rows[0]], [[cell_of(row.get(c)) for c in rows[0]] for row in rows])
    return (
        f'{html_table(header, body)}\n<p class="note">{note}</p>\n'
        f"<details>\n<summary>All maps and statistics (roi.tsv)</summary>\n{full}\n</details>"
    )


def _heads(name: str, label: str, unit: str, main: bool, one_estimator: bool) -> list[tuple[str, str]]:
    """Of a map's columns. Spread, peak and a fit of its own has the map that the report is about: the table has to
    fit a page.

    :param label: what its values are called, such as "Ki (whole-blood input)".
    """
    if name in _SUVS:
        return [(_SUVS[name], unit), (f"{_SUVS[name]} peak", "1 mL"), (f"{_SUVS[name]} max", "voxel")]
    symbol = REGION_MAPS[name]
    spread = [(f"{symbol} SD", "spatial"), (f"{symbol} peak", "1 mL")] if main else []
    if one_estimator:
        return [(f"{label} ± SE", unit), *spread]
    fit = [(f"{label} ± SE", f"curve fit, {unit}")] if main else []
    return [(label, f"map mean, {unit}"), *spread, *fit]


def _cells(
    row: Row, name: str, main: bool, one_estimator: bool, fit: tuple[float | None, float | None] | None
) -> list[str]:
    """In the order of :func:`_heads`."""
    if name in _SUVS:
        return [digits(row.get(key)) for key in ("mean", "peak", "max")]
    spread = [digits(row.get("sd")), digits(row.get("peak"))] if main else []
    if one_estimator:
        return [value_and_error(row.get("mean"), row.get("se")), *spread]
    return [digits(row.get("mean")), *spread, *([value_and_error(*(fit or (None, None)))] if main else [])]
