"""From a tube to the region: the core of the lumen, chosen by geometry and never by brightness.

Picking bright voxels of a noisy image biases the blood curve upwards; a cylinder around the centre line
within the wall does not.

docs/methods.md, "Input function".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.input_function.aorta_tracks import Track
from petkinetics.input_function.patient_grid import PatientGrid

Float64 = NDArray[np.float64]

#: the centre line and the radius are smoothed along the body (SD)
_SMOOTH_MM = 10.0
#: ends of the tube that are left out: there it branches, bends or leaves the scan
_END_MM = 6.0
#: distances from the wall, best first: 7 mm keep more than 99 % of the resolution's blur (5-7 mm FWHM) out
_MARGINS_MM = (7.0, 6.0, 5.0, 4.3)
_LEAST_RADIUS_MM = 2.5
#: cross-sections less likely than this are used only between better ones
_DOUBTFUL = 0.5
#: a longer tube is not used over its whole length
_LONGEST_MM = 180.0
#: volume (mL) that is never exceeded; the region's ends are dropped first
_MOST_ML = 20.0


def lumen_core(track: Track, grid: PatientGrid, shape: tuple[int, int, int], wanted_ml: float) -> NDArray[np.bool_]:
    """Voxels of the image around the centre line of a tube.

    :param shape: of the image (slices, rows, columns).
    :param wanted_ml: the margin to the wall is the widest that leaves this volume.
    :returns: mask of the image (slices, rows, columns).
    """
    z, y, x = grid.index_axes_mm(shape)
    step = grid.steps_mm[0]
    at = track.discs.plane * step
    first, last = _best_stretch(track, step)
    levels = np.arange(at[first], at[last] + 0.5 * step, step)
    columns = [_smooth(np.interp(levels, at, v), step) for v in (track.discs.y, track.discs.x, track.discs.radius)]
    low, high = levels[0] + _END_MM, levels[-1] - _END_MM
    if high - low < 2 * _END_MM:
        low, high = levels[0], levels[-1]
    used = np.flatnonzero((z >= low - 1e-6) & (z <= high + 1e-6))
    if not used.size:
        used = np.array([int(np.argmin(np.abs(z - levels.mean())))])
    cy, cx, radius = (np.interp(z[used], levels, values) for values in columns)
    voxel_ml = float(np.prod([s / grid.block[a] for s, a in zip(grid.steps_mm, grid.order, strict=True)])) / 1000.0
    for margin in _MARGINS_MM:
        core = np.maximum(radius - margin, _LEAST_RADIUS_MM)
        length = np.abs(z[1] - z[0]) if z.size > 1 else step
        if np.sum(np.pi * core**2) * length / 1000.0 >= wanted_ml:
            break
    mask = np.zeros((z.size, y.size, x.size), dtype=bool)
    for k, a, b, r in zip(used, cy, cx, core, strict=True):
        near = np.hypot(y[:, None] - a, x[None, :] - b)
        mask[k] = near <= max(float(r), float(near.min()))
    if mask.sum() * voxel_ml > 1.5 * _MOST_ML:
        _shorten(mask, used, voxel_ml)
    return np.ascontiguousarray(mask.transpose(np.argsort(grid.order)))


def _best_stretch(track: Track, step_mm: float) -> tuple[int, int]:
    """First and last cross-section of the part that is used: the likeliest, at most 180 mm long.

    Where a tube goes on into a heart chamber, or below the aorta's fork into a vessel of the pelvis, it
    looks less like the aorta.
    """
    at = track.discs.plane * step_mm
    total = np.concatenate([[0.0], np.cumsum(track.likely - _DOUBTFUL)])
    best, stretch = -np.inf, (0, at.size - 1)
    for first in range(at.size):
        for last in range(first, at.size):
            if at[last] - at[first] > _LONGEST_MM:
                break
            if total[last + 1] - total[first] > best:
                best, stretch = total[last + 1] - total[first], (first, last)
    return stretch


def _smooth(values: Float64, step_mm: float) -> Float64:
    from scipy.ndimage import gaussian_filter1d, median_filter

    size = max(3, round(_SMOOTH_MM / step_mm)) | 1
    return np.asarray(gaussian_filter1d(median_filter(values, size, mode="nearest"), _SMOOTH_MM / step_mm))


def _shorten(mask: NDArray[np.bool_], used: NDArray[np.intp], voxel_ml: float) -> None:
    """Drop planes at both ends, in place, until the region has no more than the largest volume."""
    volume = mask.sum(axis=(1, 2)) * voxel_ml
    planes = sorted(used.tolist())
    while volume[planes].sum() > _MOST_ML and len(planes) > 3:
        planes = planes[1:-1]
    keep = np.zeros(len(mask), dtype=bool)
    keep[planes] = True
    mask[~keep] = False
