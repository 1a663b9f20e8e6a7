"""Whether a learned method was made for this scan, and where in it not to trust the map.

A model card holds, under ``applicability`` (of whole scans: ``applicability_whole_scan``), what training saw: ranges
of the numbers that describe a scan (:data:`NAMES`), their joint spread, and how well the method explains the measured
frames of good scans. A scan outside is still estimated; the result says what is unusual, in words, and marks the
voxels whose measured frames the method does not explain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.estimators.scan_numbers import SCAN_NUMBERS

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: of the numbers that describe a scan
NAMES = tuple(SCAN_NUMBERS)
#: ranges are those of so many percent of the training scans, widened by this share of their width on either side
_PERCENTILES, _WIDENED = (0.5, 99.5), 0.15
#: sizes of voxels (their logarithm) by so much at least, below and above: training holds four grids, and others lie
#: close to them; slices down to 2 mm, which many scanners have, cost 5 % (docs/experiments.md)
_SIZES = {"voxel": (0.14, 0.14), "slice": (0.36, 0.14)}
#: joint distance: beyond that of nearly all training scans, by a little
_DISTANCE_PERCENTILE, _DISTANCE_WIDENED = 99.5, 1.15
#: residuals that good scans stay below, widened likewise
_RESIDUAL_WIDENED = 1.15
#: a voxel's neighbourhood is not explained when its RMS residual, over this FWHM, exceeds the card's local bound
_LOCAL_FWHM_MM = 12.0
_MOST_NAMED = 3
#: parts of a model card: of scans of half an hour and so, and of whole ones of few counts
SHORT_SCAN, WHOLE_SCAN = "applicability", "applicability_whole_scan"


@dataclass(frozen=True, eq=False)
class Applicability:
    """What is unusual about one scan for one method.

    :param warnings: sentences for the user; none when nothing is unusual.
    :param record: numbers for ``result.json``.
    :param distrust: where not to trust the map, bool (slices, rows, columns); None where it was not checked.
    """

    warnings: tuple[str, ...]
    record: dict[str, Any]
    distrust: Mask | None = None


@dataclass(eq=False)
class SlabWatch:
    """Collects, slab by slab, what the check needs of a method's maps.

    Use: :meth:`see` for every slab, :meth:`judge` at the end. The volume is that of the box the method works in.

    :param shape: (slices, rows, columns) of the series.
    :param box: where the method works.
    """

    shape: tuple[int, int, int]
    box: tuple[slice, slice, slice]

    def __post_init__(self) -> None:
        size = (self.shape[0], *(part.stop - part.start for part in self.box[1:]))
        self._residual = np.zeros(size, np.float32)
        self._inside = np.zeros(size, bool)
        self._log_sd: list[Float32] = []

    def see(self, first: int, last: int, log_sd: Float32, residual: Float32, inside: Mask) -> None:
        """Take some slices of the box.

        :param log_sd: log10 of Ki's SD over 0.001 mL/min/mL, (slices, rows, columns) as *inside*.
        :param residual: of the method, likewise.
        """
        self._residual[first:last], self._inside[first:last] = residual, inside
        # a few thousand voxels a slice tell the median as well as all
        self._log_sd.append(np.asarray(log_sd[inside][::7], dtype=np.float32))

    def judge(
        self, condition: ArrayLike, card: Mapping[str, Any], method: str, spacing_mm: tuple[float, float, float]
    ) -> Applicability:
        """The check of the whole scan; the map of distrust on the series' grid.

        :param condition: of :func:`petkinetics.networks.features.condition`, no unit, (18,).
        :param spacing_mm: along (slices, rows, columns).
        """
        if SHORT_SCAN not in card or not self._inside.any():
            return Applicability((), {"checked": False})
        scan = described(condition, 1e-3 * 10.0 ** float(np.median(np.concatenate(self._log_sd))))
        found = applicability(scan, card, method, self._residual, self._inside, spacing_mm)
        if found.distrust is None:
            return found
        whole = np.zeros(self.shape, bool)
        whole[:, self.box[1], self.box[2]] = found.distrust
        return replace(found, distrust=whole)


def described(condition: ArrayLike, ki_sd: Float32 | float) -> Float64:
    """The numbers of :data:`NAMES` for one scan.

    :param condition: of :func:`petkinetics.networks.features.condition`, (18,).
    :param ki_sd: SD of Patlak's Ki in the body's voxels, or its median, mL/min/mL.
    :raises InputError: another number of values, or the SD is not above zero.
    """
    values = np.asarray(condition, dtype=np.float64).ravel()
    sd = float(np.median(ki_sd))
    if values.size != len(NAMES) - 1:
        raise InputError(f"A scan is described by {len(NAMES) - 1} numbers and its noise, not by {values.size}.")
    if not sd > 0:
        raise InputError(f"The SD of Ki is {sd:g}; it must be above zero.")
    return np.append(values, np.log10(sd / 1e-3))


def learned_ranges(scans: Sequence[Float64]) -> dict[str, Any]:
    """What a card's ``applicability`` says of the scans that training drew.

    :param scans: :func:`described` scans, (numbers,) each, each number in its unit there; some hundreds.
    :returns: plain JSON values: "ranges" (name -> [low, high]), "mean", "whiten" (distance = |whiten (x - mean)|)
        and "distance", its bound.
    :raises InputError: too few scans to tell a range from.
    """
    table = np.array(scans, dtype=np.float64)
    if table.ndim != 2 or len(table) < 10 * len(NAMES):
        raise InputError(f"{len(scans)} scans are too few to tell ranges from; {10 * len(NAMES)} are needed.")
    low, high = np.percentile(table, _PERCENTILES, axis=0)
    least = np.array([_SIZES.get(name, (0.0, 0.0)) for name in NAMES])
    below, above = np.maximum(_WIDENED * (high - low), least.T)
    mean = table.mean(axis=0)
    whiten = _whitening(table)
    distances = np.linalg.norm((table - mean) @ whiten.T, axis=1)
    return {
        "scans": len(table),
        "ranges": {
            name: [round(float(a), 4), round(float(b), 4)]
            for name, a, b in zip(NAMES, low - below, high + above, strict=True)
        },
        "mean": np.round(mean, 5).tolist(),
        "whiten": np.round(whiten, 4).tolist(),
        "distance": round(_DISTANCE_WIDENED * float(np.percentile(distances, _DISTANCE_PERCENTILE)), 3),
    }


def learned_residuals(residuals: Sequence[tuple[float, float]]) -> dict[str, float]:
    """What a card says of the residuals of good scans: bounds of "median" and "local".

    :param residuals: :func:`residual_numbers` of good scans.
    :raises InputError: there are none.
    """
    if not residuals:
        raise InputError("Without good scans there is no bound of residuals.")
    median, local = np.array(residuals, dtype=np.float64).max(axis=0)
    return {
        "median": round(_RESIDUAL_WIDENED * float(median), 3),
        "local": round(_RESIDUAL_WIDENED * float(local), 3),
    }


def residual_numbers(residual: Float32, body: Mask, spacing_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Of a scan's residual map: the median in the body, and the 99th percentile of its local RMS.

    :param residual: ratio of the RMS residual to the noise predicted, (slices, rows, columns).
    :param spacing_mm: along (slices, rows, columns).
    :raises InputError: the body is empty.
    """
    if not body.any():
        raise InputError("The body mask is empty.")
    local = _local(residual, body, spacing_mm)
    return float(np.median(residual[body])), float(np.percentile(local[body], 99.0))


def applicability(
    scan: Float64,
    card: Mapping[str, Any],
    method: str,
    residual: Float32 | None = None,
    body: Mask | None = None,
    spacing_mm: tuple[float, float, float] | None = None,
    part: str = SHORT_SCAN,
) -> Applicability:
    """Check one scan against a model card.

    :param scan: :func:`described`, (numbers,), each in its unit there.
    :param card: the model card; without ``applicability`` nothing is checked and nothing said.
    :param method: its name, for the sentences.
    :param residual: the method's residual map; with *body* and *spacing_mm* (slices, rows, columns) it is
        checked and mapped, too.
    :param part: of the card.
    """
    known = card.get(part)
    if not isinstance(known, Mapping):
        return Applicability((), {"checked": False})
    warnings: list[str] = []
    ranges = known["ranges"]
    outside = {
        name: (float(value), *map(float, ranges[name]))
        for name, value in zip(NAMES, scan, strict=True)
        if not ranges[name][0] <= value <= ranges[name][1]
    }
    distance = float(np.linalg.norm(np.array(known["whiten"]) @ (scan - np.array(known["mean"]))))
    record: dict[str, Any] = {
        "checked": True,
        "outside": {name: {"value": v, "low": low, "high": high} for name, (v, low, high) in outside.items()},
        "distance": round(distance, 3),
        "distance_bound": known["distance"],
    }
    if outside:
        by_excess = sorted(outside, key=lambda name: -_excess(*outside[name]))
        named = by_excess[:_MOST_NAMED]
        said = "; ".join(SCAN_NUMBERS[name].outside(*outside[name]) for name in named)
        more = f"; and {len(outside) - _MOST_NAMED} more" if len(outside) > _MOST_NAMED else ""
        to_do = dict.fromkeys(SCAN_NUMBERS[name].advice(*outside[name][:2]) for name in named)
        advice = "; ".join(each for each in to_do if each)
        warnings.append(
            f"{method} was not trained on scans like this: {said}{more}. "
            f"{f'What to do: {advice}. ' if advice else ''}Compare its map with Patlak's before relying on it."
        )
    elif distance > float(known["distance"]):
        warnings.append(
            f"{method} was not trained on this combination of blood curve, framing and noise, though each is in its "
            f"range (distance {distance:.1f}, expected below {known['distance']:.1f}). Compare its map with Patlak's."
        )
    distrust = None
    bounds = known.get("residual")
    if residual is not None and body is not None and spacing_mm is not None and isinstance(bounds, Mapping):
        median, local = residual_numbers(residual, body, spacing_mm)
        distrust = body & (_local(residual, body, spacing_mm) > float(bounds["local"]))
        share = 100.0 * float(distrust.sum()) / float(body.sum())
        record["residual"] = {"median": round(median, 3), "local": round(local, 3), "distrusted_percent": share}
        if median > float(bounds["median"]):
            warnings.append(
                f"{method} explains the measured frames worse than it should: the median residual is {median:.2f} "
                f"times the noise (expected: {bounds['median']:.2f}). Blood curve, tracer or movement may not fit."
            )
        elif local > float(bounds["local"]):
            warnings.append(
                f"{method} does not explain the measured frames in {share:.1f} % of the body, marked in the map of "
                "distrust; movement between frames or unusual kinetics may be the reason."
            )
    return Applicability(tuple(warnings), record, distrust)


def _whitening(table: Float64) -> Float64:
    """Rows that turn the scans' spread into a unit sphere; directions without spread count little, not endlessly."""
    scale = np.maximum(table.std(axis=0), 1e-3)
    values, axes = np.linalg.eigh(np.cov((table - table.mean(axis=0)).T / scale[:, None]))
    size = np.sqrt(np.maximum(values, 0.02))
    return np.asarray((axes / size).T / scale)


def _local(residual: Float32, body: Mask, spacing_mm: tuple[float, float, float]) -> Float32:
    """RMS of the residual over the neighbourhood within the body."""
    from scipy.ndimage import gaussian_filter

    sd = sd_in_voxels(_LOCAL_FWHM_MM, spacing_mm)
    square = gaussian_filter(np.where(body, residual.astype(np.float32) ** 2, np.float32(0)), sd, truncate=2.5)
    weight = gaussian_filter(body.astype(np.float32), sd, truncate=2.5)
    return np.asarray(np.sqrt(square / np.maximum(weight, 1e-3)), dtype=np.float32)


def _excess(value: float, low: float, high: float) -> float:
    """How far outside, in widths of the range."""
    return max(low - value, value - high) / max(high - low, 1e-6)
