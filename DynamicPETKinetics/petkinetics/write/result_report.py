"""The tables and the report of an estimate's result folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import TimeActivityCurve
from petkinetics.estimators.estimator import Estimate
from petkinetics.evaluate.region_statistics import region_rows
from petkinetics.maps import QUANTITIES, ParametricMap
from petkinetics.read.maps import read_map
from petkinetics.read.regions import Regions
from petkinetics.write.tables import write_table


def folder_maps(folder: Path, record: Mapping[str, Any]) -> dict[str, ParametricMap]:
    """The maps just written to a result folder, by name."""
    ending = ".nii.gz" if record["options"]["compress"] else ".nii"
    return {name: read_map(folder / (name + ending)) for name in record["maps"] if name in QUANTITIES}


def write_region_table(
    folder: Path,
    record: Mapping[str, Any],
    regions: Regions,
    curves: Mapping[str, TimeActivityCurve],
    found: Estimate,
    mask: NDArray[np.bool_] | None,
    warn: Callable[[str], None],
) -> list[dict[str, object]]:
    """Write ``roi.tsv``; standard errors come from the fit to each region's mean curve.

    :param curves: each region's curve in the frames used, by name.
    :returns: the rows.
    """
    errors = {}
    for name, curve in curves.items():
        for quantity, (_, se) in found.region_fit(curve.mean_kbq_per_ml)[0].items():
            errors[(name, quantity)] = se
    rows = region_rows(list(folder_maps(folder, record).values()), regions, errors, mask, warn)
    write_table(folder / "roi.tsv", rows)
    return rows
