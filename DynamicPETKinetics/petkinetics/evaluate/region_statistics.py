"""Statistics of parametric maps in regions: the rows of ``roi.tsv``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.maps import ParametricMap
from petkinetics.read.regions import NoRegions, Regions, voxels_on_grid
from petkinetics.series import VolumeGeometry

#: columns of roi.tsv
COLUMNS = (
    *("roi", "map", "unit", "voxels", "volume_ml", "mean", "sd", "se", "median", "min", "max", "p05", "p95", "peak"),
)
#: radius of a sphere of 1 mL, mm
PEAK_RADIUS_MM = (3.0 / (4.0 * np.pi) * 1000.0) ** (1.0 / 3.0)
#: points an axis with which a voxel's share of the sphere is counted
_SUBPOINTS = 9

StandardError = Callable[[str, str], float]
#: (region, quantity) -> value and standard error of the fit to the region's mean curve, in the quantity's unit
RegionFits = Mapping[tuple[str, str], tuple[float | None, float | None]]


def mean_is_the_fit(record: Mapping[str, object]) -> bool:
    """Whether a map's mean over a region and the fit of the region's mean curve are one estimate.

    They are for plain Patlak, a linear fit with the same weights in every voxel. A map that was regularised, comes
    from a network or a prior, has weights a voxel, or was fitted by a compartment model voxel by voxel has a mean of
    its own, to which the standard error of the region's fit does not belong.

    :param record: what ``result.json`` says.
    """
    return record.get("method") == "patlak" and record.get("weighting") != "voxel"


def fits_of_rows(rows: Sequence[Mapping[str, object]]) -> RegionFits:
    """The fits that rows of ``region_fits.tsv`` hold: quantities that have a column of their standard errors."""

    def number(value: object) -> float | None:
        return float(value) if isinstance(value, int | float) else None

    return {
        (str(row["roi"]), name): (number(row[name]), number(row[f"{name}_se"]))
        for row in rows
        for name in row
        if f"{name}_se" in row
    }


def region_rows(
    maps: Sequence[ParametricMap],
    regions: Regions,
    se: Mapping[tuple[str, str], float] | StandardError | None = None,
    mask: NDArray[np.bool_] | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[dict[str, object]]:
    """One row a region and map, regions in the order of their labels.

    ``mean`` and ``sd`` are over the voxels (SD: spatial, n - 1), percentiles likewise; ``se`` is the
    standard error of the fit to the region's mean curve, so it belongs to Ki and V0 only, and to ``mean`` where
    that is the same estimate (:func:`mean_is_the_fit`); ``peak`` is the mean of the hottest sphere of 1 mL
    whose centre lies in the region, the region-of-interest peak of PERCIST (Wahl et al., J Nucl Med 2009;50
    Suppl 1:122S).

    :param maps: on one grid.
    :param regions: brought to that grid by nearest neighbour.
    :param se: (region, map name) -> standard error, as a mapping or a function; n/a where it has none.
    :param mask: where the maps hold values (slices, rows, columns); voxels outside it, which the maps
        set to 0, are left out of the statistics.
    :param warn: receives sentences about regions that lie partly or wholly outside map or mask.
    :raises InputError: the maps differ in grid, no region lies on it, or a voxel within one is not a
        number.
    """
    geometry = maps[0].geometry
    for other in maps[1:]:
        if (difference := geometry.difference(other.geometry)) is not None:
            raise InputError(f"The {other.quantity.symbol} map lies on another grid: {difference}.")
    found = voxels_within(regions, geometry, mask, warn)
    if not found:
        raise InputError(f"No region of {regions.source} lies within the maps.", "Was it drawn on another examination?")
    return [_row(regions.name(label), m, voxels, mask, se) for label, voxels in found.items() for m in maps]


def voxels_within(
    regions: Regions,
    geometry: VolumeGeometry,
    mask: NDArray[np.bool_] | None = None,
    warn: Callable[[str], None] | None = None,
) -> dict[int, NDArray[np.intp]]:
    """Flat indices of each region's voxels in which the maps hold values, by label, (voxels,).

    :param geometry: of the maps.
    :param mask: where the maps hold values (slices, rows, columns); everywhere by default.
    :param warn: receives sentences about regions that lie partly or wholly outside map or mask.
    :returns: labels in order, without regions that have no such voxel.
    """
    say = warn or (lambda _: None)
    try:
        found = voxels_on_grid(regions, geometry)
    except NoRegions:
        found = {}
    within: dict[int, NDArray[np.intp]] = {}
    for label in regions.label_values:
        name = regions.name(label)
        voxels = found.get(label)
        if voxels is None:
            say(f"The region '{name}' covers no voxel of the maps and was left out of the region table.")
            continue
        if mask is not None:
            inside = mask.reshape(-1)[voxels]
            if not inside.any():
                say(f"The region '{name}' lies outside the body mask and was left out of the region table.")
                continue
            if not inside.all():
                say(
                    f"{inside.size - int(inside.sum())} of {inside.size} voxels of the region '{name}' lie outside "
                    "the body mask and were left out of its statistics."
                )
                voxels = voxels[inside]
        within[label] = voxels
    return within


def _row(
    name: str,
    parametric: ParametricMap,
    voxels: NDArray[np.intp],
    mask: NDArray[np.bool_] | None,
    se: Mapping[tuple[str, str], float] | StandardError | None,
) -> dict[str, object]:
    key = parametric.quantity.name
    values = parametric.values.reshape(-1)[voxels].astype(np.float64)
    if not np.isfinite(values).all():
        raise InputError(
            f"The {parametric.quantity.symbol} map has voxels that are not a number (NaN or infinite) "
            f"in the region '{name}'."
        )
    error = None if se is None else se(name, key) if callable(se) else se.get((name, key))
    p05, median, p95 = np.percentile(values, (5, 50, 95))
    return {
        "roi": name,
        "map": key,
        "unit": parametric.quantity.unit,
        "voxels": int(values.size),
        "volume_ml": values.size * parametric.geometry.voxel_volume_ml,
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if values.size > 1 else None,
        "se": error,
        "median": float(median),
        "min": float(values.min()),
        "max": float(values.max()),
        "p05": float(p05),
        "p95": float(p95),
        "peak": peak(parametric.values, voxels, parametric.geometry, mask),
    }


def peak(
    values: NDArray[np.float32],
    voxels: NDArray[np.intp],
    geometry: VolumeGeometry,
    mask: NDArray[np.bool_] | None = None,
) -> float:
    """Mean of the hottest sphere of 1 mL centred on a voxel of the region.

    Voxels at the sphere's surface count with their share of the sphere. The sphere may reach beyond
    the region (a lesion smaller than 1 mL keeps a peak), not beyond the image or the mask: what lies
    outside those is left out of the mean.

    :param values: the map, (slices, rows, columns); the peak has its unit.
    :param voxels: flat indices of the region.
    :param mask: where the map has values; everywhere by default.
    """
    kernel = sphere_weights(geometry.spacing_mm)
    reach = np.array(kernel.shape) // 2
    zyx = np.array(np.unravel_index(voxels, geometry.shape))
    low = np.maximum(zyx.min(axis=1) - reach, 0)
    high = np.minimum(zyx.max(axis=1) + 1 + reach, geometry.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    present = np.ones(tuple(high - low)) if mask is None else mask[box].astype(np.float64)
    filled = np.where(present > 0, values[box], 0.0).astype(np.float64)
    centres = tuple(zyx - low[:, None])
    total = _sums_around(filled, kernel, centres)
    weight = _sums_around(present, kernel, centres)
    return float((total / weight).max())


def sphere_weights(spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Share of each voxel that lies in a sphere of 1 mL around the central one, (z, y, x), sum 1."""
    axes = []
    for spacing in spacing_mm[::-1]:
        reach = int(np.ceil(PEAK_RADIUS_MM / spacing + 0.5)) - 1
        points = (np.arange((2 * reach + 1) * _SUBPOINTS) + 0.5) / _SUBPOINTS - 0.5 - reach
        axes.append(points * spacing)
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    inside = z**2 + y**2 + x**2 <= PEAK_RADIUS_MM**2
    blocks = [n for axis in axes for n in (axis.size // _SUBPOINTS, _SUBPOINTS)]
    share = inside.reshape(blocks).mean(axis=(1, 3, 5))
    return share / share.sum()


def _sums_around(
    values: NDArray[np.float64], kernel: NDArray[np.float64], centres: tuple[NDArray[np.intp], ...]
) -> NDArray[np.float64]:
    """sum of kernel * values around some voxels; nothing lies beyond the array."""
    reach = [n // 2 for n in kernel.shape]
    if centres[0].size * np.count_nonzero(kernel) < 2e7:
        padded = np.pad(values, [(r, r) for r in reach])
        sums = np.zeros(centres[0].size)
        for offset in np.argwhere(kernel > 0):
            sums += kernel[tuple(offset)] * padded[tuple(c + o for c, o in zip(centres, offset, strict=True))]
        return sums
    # a large region: one transform is quicker than a gather for each voxel of the sphere
    from scipy import fft

    shape = [fft.next_fast_len(n + 2 * r, real=True) for n, r in zip(values.shape, reach, strict=True)]
    product = fft.irfftn(fft.rfftn(values, shape) * fft.rfftn(kernel, shape), shape)
    return product[tuple(c + r for c, r in zip(centres, reach, strict=True))]
