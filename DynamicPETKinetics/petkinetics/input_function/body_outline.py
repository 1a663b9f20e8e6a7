"""Middle, front and back of the body, plane by plane.

docs/methods.md, "Input function".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.input_function.patient_grid import PatientGrid

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outline:
    """The body's middle from side to side, its front and its back (mm on the patient grid), (planes,) each."""

    middle: Float64
    front: Float64
    back: Float64


def body_outline(volume: Float32, grid: PatientGrid) -> Outline:
    """Edges of the body, from profiles in which noise averages out.

    An edge is where a profile across the body first or last exceeds a fifth of its 90th percentile.

    :param volume: activity, (slices, rows, columns) of *grid*, in any unit.
    """
    from scipy.ndimage import gaussian_filter1d, median_filter

    _, y, x = grid.axes_mm()
    step_z, step_y, step_x = grid.steps_mm
    slab = gaussian_filter1d(volume, 20.0 / step_z, axis=0, mode="nearest")
    across = gaussian_filter1d(slab.sum(axis=1), 10.0 / step_x, axis=1)
    size = max(1, round(60.0 / step_z)) | 1
    middle = median_filter(np.array([np.mean(_edges(profile, x)) for profile in across]), size, mode="nearest")
    edges = np.empty((2, len(slab)))
    for k, centre in enumerate(middle):
        central = np.abs(x - centre) < 45.0
        profile = gaussian_filter1d(slab[k][:, central].sum(axis=1), 10.0 / step_y)
        edges[:, k] = _edges(profile, y)
    front, back = (median_filter(edge, size, mode="nearest") for edge in edges)
    return Outline(middle, front, back)


def _edges(profile: NDArray[np.floating], at: Float64) -> tuple[float, float]:
    """Where a profile first and last exceeds a fifth of its upper level."""
    above = np.flatnonzero(profile > 0.2 * np.quantile(profile, 0.9))
    return (float(at[above[0]]), float(at[above[-1]])) if above.size else (float(at[0]), float(at[-1]))
