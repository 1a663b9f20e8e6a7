"""What training scans look like, for the parts ``applicability`` of a model card."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from petkinetics.estimators.applicability import SHORT_SCAN, WHOLE_SCAN, described, learned_ranges
from petkinetics.networks.features import FEATURES
from petkinetics.training.pool import PatientPool, random_slab
from petkinetics.training.scan_settings import ScanRanges
from petkinetics.training.scans import draw_scan

#: crops of this many rows and columns with at least so many voxels of body tell the noise well enough
_CROP, _LEAST_BODY = 64, 2000
#: scans enough to tell where the outermost hundredth begins: with 300, one in thirty of the scans that training draws
#: was outside (docs/experiments.md)
SCANS = 3000


def scan_ranges(pool: PatientPool, ranges: ScanRanges, scans: int = SCANS, seed: int = 7) -> dict[str, Any]:
    """The two uses of the network, each described by scans of its own: a mixture would hide what is odd in either.

    :param pool: patients that are ready.
    :returns: parts of a card, see :func:`petkinetics.estimators.applicability.learned_ranges`.
    """
    end = ranges.until_range_min[1]
    # half an hour of the fewest counts shows hardly anything: who has such a scan should be warned
    short = replace(ranges, own_share=0.75, whole_share=0.0, dose=(2 * ranges.dose[0], ranges.dose[1]))
    whole = replace(ranges, own_share=0.0, whole_share=0.7, until_range_min=(30.0, end))
    return {SHORT_SCAN: _described(pool, short, scans, seed), WHOLE_SCAN: _described(pool, whole, scans, seed)}


def _described(pool: PatientPool, ranges: ScanRanges, scans: int, seed: int) -> dict[str, Any]:
    """Draw scans as training does and describe them."""
    rng = np.random.default_rng(seed)
    paths, small = pool.ready(), replace(ranges, crop=_CROP)
    found: list[np.ndarray] = []
    while len(found) < scans:
        scan = draw_scan(random_slab(paths, rng), small, rng, pool.folder / "noise")
        inside = scan.labels > 0
        if int(inside.sum()) >= _LEAST_BODY:
            log_sd = float(np.median(scan.features[:, FEATURES - 1][inside]))
            one = described(scan.condition, 1e-3 * 10.0**log_sd)
            # fewest counts can leave no late blood at all, and then no number
            if np.isfinite(one).all():
                found.append(one)
    return learned_ranges(found)
