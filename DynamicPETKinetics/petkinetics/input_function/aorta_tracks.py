"""Cross-sections linked from plane to plane: which of the tubes is the aorta, and how sure that is.

docs/methods.md, "Input function".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.input_function.aorta_discs import Discs
from petkinetics.input_function.aorta_images import Float32

Float64 = NDArray[np.float64]

#: a cross-section must be this likely (0-1) to lengthen a track
_LIKELY = 0.25
#: the centre may move by this much per mm along the body without loss
_SLOPE = 0.6
#: planes in which a vessel may be invisible, mm
_GAP_MM = 12.0
#: another vessel to the left within this distance makes a cross-section the vein's
_BESIDE_MM = (12.0, 50.0)
#: steps of the mean profile across a tube
_PROFILE_MM = 2.0


@dataclass(frozen=True, eq=False)
class Track:
    """One tube: a chain of cross-sections, from the feet up.

    :param discs: its cross-sections.
    :param likely: how much each looks like the aorta, 0-1.
    :param score: mm of tube, each weighted by how much it looks like the aorta.
    """

    discs: Discs
    likely: Float64
    score: float

    @property
    def planes(self) -> tuple[int, int]:
        """First and last plane."""
        return int(self.discs.plane[0]), int(self.discs.plane[-1])


def likelihood(discs: Discs) -> Float64:
    """How much each cross-section looks like the aorta in front of the spine, 0-1, (n,)."""
    alone = np.clip(1.0 - 1.6 * np.maximum(discs.around - 0.12, 0.0), 0.0, 1.0)
    full = np.clip((discs.blood - 0.5) / 0.3, 0.0, 1.0)
    size = np.clip((discs.radius - 5.0) / 2.5, 0.0, 1.0) * np.clip((42.0 - discs.radius) / 10.0, 0.0, 1.0)
    size *= np.where(discs.radius > 18.0, 0.7, 1.0)
    side = np.interp(discs.from_middle, [-45, -20, -5, 5, 35, 60, 80], [0.0, 0.25, 0.75, 1.0, 1.0, 0.3, 0.0])
    deep = np.interp(discs.depth, [0.25, 0.40, 0.48, 0.70, 0.80], [0.0, 0.45, 1.0, 1.0, 0.0])
    return np.asarray(alone * full * size * side * deep * _beside(discs))


def _beside(discs: Discs) -> Float64:
    """Of two vessels side by side the left one is the aorta: 1.2 for it, 0.35 for the other, 1 for one alone."""
    out = np.ones(len(discs))
    for plane in np.unique(discs.plane):
        here = np.flatnonzero(discs.plane == plane)
        dx = discs.x[here][None, :] - discs.x[here][:, None]
        dy = np.abs(discs.y[here][None, :] - discs.y[here][:, None])
        alike = (discs.radius[here] < 18.0) & (discs.around[here] < 0.45)
        near = (dy < np.maximum(12.0, 0.7 * np.abs(dx))) & alike[None, :] & alike[:, None]
        low, high = _BESIDE_MM
        to_left = (near & (dx > low) & (dx < high)).any(axis=1)
        to_right = (near & (dx < -low) & (dx > -high)).any(axis=1)
        out[here[to_left]] = 0.35
        out[here[to_right & ~to_left]] = 1.2
    return out


def best_track(discs: Discs, likely: Float64, step_mm: float) -> Track | None:
    """The chain of cross-sections with the highest score (dynamic programming over planes).

    A cross-section adds its length times (likelihood - 0.25); jumps, gaps and changes of calibre cost.

    :param likely: likelihood of each cross-section, a share, (n,).
    :param step_mm: distance of planes.
    :returns: None where no chain scores above zero.
    """
    if not len(discs):
        return None
    gain = step_mm * (likely - _LIKELY)
    total, before = gain.copy(), np.full(len(discs), -1, dtype=np.intp)
    reach = max(1, int(_GAP_MM // step_mm))
    by_plane = {int(plane): np.flatnonzero(discs.plane == plane) for plane in np.unique(discs.plane)}
    for plane in sorted(by_plane):
        here = by_plane[plane]
        for back in range(1, reach + 1):
            there = by_plane.get(plane - back)
            if there is None:
                continue
            along = back * step_mm
            moved = np.hypot(
                discs.x[here][:, None] - discs.x[there][None, :], discs.y[here][:, None] - discs.y[there][None, :]
            )
            excess = np.maximum(moved - _SLOPE * along - 2.0, 0.0)
            smaller = np.minimum(discs.radius[here][:, None], discs.radius[there][None, :])
            calibre = np.abs(np.log(discs.radius[here][:, None] / discs.radius[there][None, :]))
            cost = 0.6 * excess + 3.0 * calibre + 0.5 * (along - step_mm)
            cost[moved > np.maximum(1.2 * smaller, 1.2 * along)] = np.inf
            value = total[there][None, :] - cost
            best = value.argmax(axis=1)
            top = value[np.arange(here.size), best]
            better = (top > 0) & (top + gain[here] > total[here])
            total[here[better]] = top[better] + gain[here[better]]
            before[here[better]] = there[best[better]]
    at = int(total.argmax())
    score = float(total[at])
    if score <= 0:
        return None
    chain = []
    while at >= 0:
        chain.append(at)
        at = int(before[at])
    keep = np.zeros(len(discs), dtype=bool)
    keep[chain] = True
    return Track(discs.select(keep), likely[keep], score)


def without(discs: Discs, track: Track) -> NDArray[np.bool_]:
    """Which cross-sections are not those of a track nor lie within it, bool (n,)."""
    keep = np.ones(len(discs), dtype=bool)
    for plane, x, y, radius in zip(track.discs.plane, track.discs.x, track.discs.y, track.discs.radius, strict=True):
        same = discs.plane == plane
        keep[same & (np.hypot(discs.x - x, discs.y - y) < 0.8 * radius + 2.0)] = False
    return keep


def calibre(track: Track, fraction: Float32, axes_mm: tuple[Float64, Float64, Float64], blur_mm: float) -> float:
    """The mean radius (mm) of a tube, from its mean profile.

    Noise dents the lumen of a single plane and makes its largest circle small, blur makes a thin vessel
    wide; in the mean blood fraction at each distance from the centre line noise averages out, and the
    edge lies at half the height.

    :param fraction: blood fraction (z, y, x), and *axes_mm* the positions of its planes.
    :param blur_mm: SD of its smoothing and of the scanner's resolution together. It lowers the middle of
        a thin tube, and half of that height lies outside its wall, by about 0.6 SD^2 / radius.
    """
    _, y, x = axes_mm
    count_of_bins = int(50.0 / _PROFILE_MM)
    total, count = np.zeros(count_of_bins), np.zeros(count_of_bins)
    d = track.discs
    for plane, cx, cy, weight in zip(d.plane, d.x, d.y, track.likely, strict=True):
        bins = (np.hypot(y[:, None] - cy, x[None, :] - cx) / _PROFILE_MM).astype(np.intp)
        # The vena cava lies on the right.
        used = (bins < count_of_bins) & (x[None, :] >= cx - 1.0)
        total += weight * np.bincount(bins[used], fraction[plane][used], minlength=count_of_bins)
        count += weight * np.bincount(bins[used], minlength=count_of_bins)
    profile = total / np.maximum(count, 1e-9)
    filled = np.flatnonzero(count > 0)
    at, profile = (filled + 0.5) * _PROFILE_MM, profile[filled]
    middle = float(np.average(d.radius, weights=track.likely + 1e-6))
    level = 0.5 * float(profile[at < max(0.5 * middle, at[0] + 0.1)].mean())
    below = np.flatnonzero((profile < level) & (at > at[0]))
    if not below.size:
        return middle
    i = int(below[0])
    share = (profile[i - 1] - level) / max(float(profile[i - 1] - profile[i]), 1e-9)
    radius = float(at[i - 1] + share * (at[i] - at[i - 1]))
    return radius - 0.6 * blur_mm**2 / radius


def scaled(track: Track, radius_mm: float) -> Track:
    """The track with radii whose mean is that of a measured calibre, where that is up to a third larger.

    :param radius_mm: measured, mean along the track.
    """
    middle = float(np.average(track.discs.radius, weights=track.likely + 1e-6))
    factor = float(np.clip(radius_mm / middle, 1.0, 1.35))
    return replace(track, discs=replace(track.discs, radius=track.discs.radius * factor))
