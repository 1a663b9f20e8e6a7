"""What training scans look like, for the part ``applicability`` of a model card."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from petkinetics.estimators.applicability import NAMES, described, learned_ranges
from petkinetics.networks.features import FEATURES
from petkinetics.training.pool import PatientPool, random_slab
from petkinetics.training.scans import ScanRanges, draw_scan

#: crops of this many rows and columns with at least so many voxels of body tell the noise well enough
_CROP, _LEAST_BODY = 64, 2000
#: scans enough to tell the 99 % ranges of all numbers, and a little
SCANS = 12 * len(NAMES)


def scan_ranges(pool: PatientPool, ranges: ScanRanges, scans: int = SCANS, seed: int = 7) -> dict[str, Any]:
    """Draw scans as training does and describe them.

    :param pool: patients that are ready.
    :returns: see :func:`petkinetics.estimators.applicability.learned_ranges`.
    """
    rng = np.random.default_rng(seed)
    paths, small = pool.ready(), replace(ranges, crop=_CROP)
    found: list[np.ndarray] = []
    while len(found) < scans:
        scan = draw_scan(random_slab(paths, rng), small, rng, pool.folder / "noise")
        inside = scan.labels > 0
        if int(inside.sum()) >= _LEAST_BODY:
            log_sd = float(np.median(scan.features[:, FEATURES - 1][inside]))
            found.append(described(scan.condition, 1e-3 * 10.0**log_sd))
    return learned_ranges(found)
