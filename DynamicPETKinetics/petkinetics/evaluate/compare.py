"""Two maps of the same patient compared in regions: what ``petkinetics compare`` computes.

docs/methods.md, "Agreement: Bland–Altman with correlated voxels".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.evaluate.bland_altman import Agreement, Differences, agreement_across_regions, agreement_in_region
from petkinetics.evaluate.how_made import differences_in_making
from petkinetics.evaluate.proportional_bias import SLOPE_AGAINST, Against
from petkinetics.maps import ParametricMap
from petkinetics.read.regions import IntArray, Regions, to_grid_nearest, voxels_on_grid

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RegionPairs:
    """The voxel pairs behind one row: the values of both maps, shape (n,)."""

    a: Float64
    b: Float64


@dataclass(frozen=True, eq=False)
class Comparison:
    """Agreement of two maps, region by region and across the regions.

    :param name_a: how the first map is called; differences are first minus second.
    :param name_b: how the second map is called.
    :param symbol: what both show, such as "Ki".
    :param unit: their unit.
    :param agreements: one a region, then "across regions" where there are three or more.
    :param pairs: the values behind each, for the plots.
    :param warnings: regions and voxels left out, and what else sets the maps apart, for the user.
    """

    name_a: str
    name_b: str
    symbol: str
    unit: str
    against: Against
    agreements: tuple[Agreement, ...]
    pairs: dict[str, RegionPairs]
    warnings: tuple[str, ...]

    def rows(self) -> list[dict[str, object]]:
        """The rows of ``bland_altman.tsv``."""
        return [agreement.row() for agreement in self.agreements]

    def record(self) -> dict[str, object]:
        """What ``result.json`` says about the comparison."""
        return {
            "job": "compare",
            "map_a": self.name_a,
            "map_b": self.name_b,
            "quantity": self.symbol,
            "unit": self.unit,
            "difference": f"{self.name_a} - {self.name_b}",
            "slope": SLOPE_AGAINST[self.against],
            "regions": len(self.pairs) - ("across regions" in self.pairs),
            "warnings": list(self.warnings),
        }


def compare_maps(
    map_a: ParametricMap,
    map_b: ParametricMap,
    regions: Regions,
    name_a: str = "A",
    name_b: str = "B",
    against: Against = "estimate",
    warn: Callable[[str], None] | None = None,
) -> Comparison:
    """Bland-Altman statistics of A - B in every region, voxelwise, and across the regions' means.

    Voxels where both maps are exactly 0 lie outside of what was estimated: they are left out, counted in a warning.

    :param regions: brought to the maps' grid by nearest neighbour.
    :param against: "truth" where *map_b* is the truth: the slope is then regressed on it.
    :param warn: receives each warning as it arises; all are in the result as well.
    :raises InputError: the maps lie on different grids or show different quantities, no region lies on
        them or has two voxels with values, or a voxel within one is not a number.
    """
    if (difference := map_a.geometry.difference(map_b.geometry)) is not None:
        raise InputError(
            f"The two maps lie on different grids ({name_b} has {difference}), so their voxels are no pairs.",
            "Resample one onto the other's grid first, knowing that this smooths it.",
        )
    if map_a.quantity.unit and map_b.quantity.unit and map_a.quantity.name != map_b.quantity.name:
        raise InputError(
            f"{name_a} shows {map_a.quantity.symbol}, {name_b} shows {map_b.quantity.symbol}: "
            "agreement needs two maps of the same quantity."
        )
    quantity = map_a.quantity if map_a.quantity.unit else map_b.quantity
    warnings: list[str] = []

    def say(sentence: str) -> None:
        warnings.append(sentence)
        if warn is not None:
            warn(sentence)

    for sentence in differences_in_making(map_a, map_b, name_a, name_b):
        say(sentence)
    labels = to_grid_nearest(regions, map_a.geometry)
    found = voxels_on_grid(regions, map_a.geometry)
    differences = _differences(map_a, map_b, labels)
    agreements: list[Agreement] = []
    pairs: dict[str, RegionPairs] = {}
    for label in regions.label_values:
        name = regions.name(label)
        index = found.get(label, np.empty(0, dtype=np.intp))
        if index.size < 2:
            has = "1 voxel" if index.size == 1 else f"{index.size} voxels"
            say(f"The region '{name}' has {has} on the maps' grid and was left out; two are needed.")
            continue
        a, b = (m.values.reshape(-1)[index].astype(np.float64) for m in (map_a, map_b))
        # 0 in both is outside of what was estimated: no pair, which would count as perfect agreement
        there = (a != 0) | (b != 0)
        if not there.all():
            left = int(np.count_nonzero(there))
            lie = f"{a.size - left} of the {a.size} voxels in the region '{name}' lie where both maps are 0, outside of"
            if left < 2:
                say(f"{lie} what was estimated; the region was left out.")
                continue
            say(f"{lie} what was estimated; they were left out, and {left} were compared.")
            a, b, index = a[there], b[there], index[there]
        agreements.append(agreement_in_region(a, b, index, map_a.geometry, name, quantity.unit, against, differences))
        pairs[name] = RegionPairs(a, b)
    if not agreements:
        raise InputError(
            f"No region of {regions.source} has two or more voxels on the maps' grid where one of them is not 0.",
            "Check that the regions lie in the patient, and within the mask of the estimates.",
        )
    means = {name: (float(p.a.mean()), float(p.b.mean())) for name, p in pairs.items()}
    across = agreement_across_regions(means, quantity.unit, against)
    if across is not None:
        agreements.append(across)
        middle = np.array(list(means.values()))
        pairs[across.roi] = RegionPairs(middle[:, 0], middle[:, 1])
    return Comparison(
        name_a, name_b, quantity.symbol, quantity.unit, against, tuple(agreements), pairs, tuple(warnings)
    )


def _differences(map_a: ParametricMap, map_b: ParametricMap, labels: IntArray) -> Differences:
    """A - B less the mean of its region (what lies in no region is one), where either map holds a value."""
    difference = map_a.values.astype(np.float64) - map_b.values
    valid = np.isfinite(difference) & ((map_a.values != 0) | (map_b.values != 0))
    difference[~valid] = 0.0
    region = labels.reshape(-1)
    if int(region.max()) >= region.size or int(region.min()) < 0:
        # Labels are mostly small numbers, and then need no sorting.
        region = np.unique(region, return_inverse=True)[1]
    count = np.bincount(region, valid.reshape(-1))
    mean = np.bincount(region, difference.reshape(-1)) / np.maximum(count, 1)
    return Differences(difference - mean[region].reshape(difference.shape), valid)
