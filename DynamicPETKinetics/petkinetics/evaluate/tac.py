"""Time-activity curves of every region: the table of ``petkinetics tac``.

docs/methods.md, "Region statistics".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from petkinetics.curves import TimeActivityCurve
from petkinetics.read.region_curves import region_mean_curves
from petkinetics.read.regions import NoRegions, Regions, RegionWeights, fractional_coverage
from petkinetics.series import DynamicSeries


def region_curves(
    series: DynamicSeries,
    regions: Regions,
    labels: Sequence[int] | None = None,
    warn: Callable[[str], None] | None = None,
    frames: Sequence[int] | None = None,
) -> list[TimeActivityCurve]:
    """The curve of each region over all frames, weighted by fractional coverage.

    :param frames: indices of the frames to read instead of all; no other is touched.
    :param labels: the regions wanted, all by default.
    :param warn: receives a sentence for each region that lies outside the PET and is left out.
    :raises NoRegions: every region lies outside the PET.
    :raises InputError: a label does not occur, or a voxel within is not a number.
    """
    weights: list[RegionWeights] = []
    missing: list[NoRegions] = []
    for label in regions.label_values if labels is None else labels:
        regions.voxels(label)
        try:
            weights.append(fractional_coverage(regions, series.geometry, label))
        except NoRegions as error:
            missing.append(error)
    if not weights:
        raise missing[0] if missing else NoRegions(f"{regions.source} holds no region.")
    for absent in missing:
        if warn is not None:
            warn(f"{absent.message} It was left out.")
    mean, sd = region_mean_curves(series, weights, frames)
    timing = series.timing if frames is None else series.timing.select(frames)
    return [
        TimeActivityCurve(timing, m, s, series.frame_decay_per_s, region.name)
        for region, m, s in zip(weights, mean, sd, strict=True)
    ]


def tac_rows(curves: Sequence[TimeActivityCurve]) -> list[dict[str, object]]:
    """Rows of ``tacs.tsv``: ``frame_start, frame_duration`` (s) and one column a region (kBq/mL)."""
    timing = curves[0].timing
    names = _distinct([curve.name for curve in curves])
    return [
        {
            "frame_start": float(timing.start_s[i]),
            "frame_duration": float(timing.duration_s[i]),
            **{name: float(curve.mean_kbq_per_ml[i]) for name, curve in zip(names, curves, strict=True)},
        }
        for i in range(len(timing))
    ]


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number added where two regions share one (a table's columns must differ)."""
    seen: dict[str, int] = {"frame_start": 1, "frame_duration": 1}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result
