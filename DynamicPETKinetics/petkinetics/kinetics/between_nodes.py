"""Where a maximum lies between the nodes of a grid, and values between them.

docs/methods.md, "Compartment models, fitted".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


def vertex(gain: Float32) -> Float32:
    """Place of the maximum along the first axis, between the nodes by a parabola: (nodes, voxels) -> (voxels,).

    :param gain: what is to be largest, any unit, (nodes, voxels).
    :returns: in steps of the grid, from 0.
    """
    nodes, voxels = gain.shape
    voxel = np.arange(voxels)
    top = np.clip(np.argmax(gain, axis=0), 1, nodes - 2)
    below, here, above = (gain[top + k, voxel].astype(np.float64) for k in (-1, 0, 1))
    return (top + parabola(below, here, above)).astype(np.float32)


def parabola(below: Float64, here: Float64, above: Float64) -> Float64:
    """Where the parabola through three values at -1, 0, 1 is highest, within them; 0 where it has no highest place.

    :param below: at -1, any unit; *here*: at 0, *above*: at 1. Arrays of one shape, as the answer.
    """
    bend = below - 2.0 * here + above
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 0.5 * (below - above) / bend
    return np.where(np.isfinite(shift) & (bend < 0), np.clip(shift, -1.0, 1.0), 0.0)


def cubic(x: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
    """Lagrange weights of four nodes 0...3 at x: one array a node, no unit, each of the same shape as x."""
    a, b, c, d = x, x - 1, x - 2, x - 3
    return -b * c * d / 6, a * c * d / 2, -a * b * d / 2, a * b * c / 6
