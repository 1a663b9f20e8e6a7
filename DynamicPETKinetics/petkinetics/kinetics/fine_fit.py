"""Best fits of voxels with little noise: in float64, on a grid finer than that of the basis functions.

docs/methods.md, "Compartment models, fitted".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.kinetics.basis_subsets import FINE, Subset
from petkinetics.kinetics.between_nodes import parabola

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

#: how many fine nodes the parabola through the maximum spans to either side
_SPAN = 2


def sharpen(
    fine: Subset, frames: Float32, voxels: NDArray[np.intp], place: Float32, moving: Float32, fixed: Float32
) -> None:
    """Put the best fit in place of a coarse one, where no coefficient is held at 0.

    :param fine: all fixed columns, and the basis function on :func:`petkinetics.kinetics.basis_subsets.fine_grid`.
    :param frames: of *voxels* alone, kBq/mL, (frames, voxels).
    :param voxels: which of the slab's.
    :param place: on the coarse grid, in units of its step, (voxels of the slab,); *moving* and *fixed*: the
        coefficients, (voxels of the slab,) and (columns, voxels of the slab). All three are changed.
    """
    values = frames.astype(np.float64)
    base = np.einsum("rf,fv->rv", fine.solution, values)
    centre = np.round(place[voxels].astype(np.float64) * FINE).astype(np.intp)
    last = len(fine.norm) - 1
    for _ in range(2):
        centre = np.clip(centre, _SPAN, last - _SPAN)
        along = np.stack([np.einsum("vf,fv->v", fine.own[centre + k], values) for k in (-_SPAN, 0, _SPAN)])
        gain = np.maximum(along, 0.0) ** 2
        shift = parabola(gain[0], gain[1], gain[2])
        nodes = np.stack([centre - _SPAN, centre, centre + _SPAN])
        centre = centre + np.round(_SPAN * shift).astype(np.intp)
    x = shift
    taps = np.stack([0.5 * x * (x - 1.0), 1.0 - x * x, 0.5 * x * (x + 1.0)])
    coefficient = along / fine.norm[nodes]
    others = [np.sum(taps * (b - t[nodes] * coefficient), axis=0) for b, t in zip(base, fine.taken, strict=True)]
    own = np.sum(taps * coefficient, axis=0)
    # A coefficient that is 0 comes out as rounding of either sign.
    least = -1e-5 * (own + sum(np.abs(c) for c in others))
    inside = (along > 0).all(axis=0) & np.logical_and.reduce([c >= least for c in others] or [own > 0])
    chosen = voxels[inside]
    place[chosen] = ((nodes[1] + _SPAN * x) / FINE)[inside]
    moving[chosen] = own[inside]
    for row, column in zip(others, fixed, strict=True):
        column[chosen] = np.maximum(row[inside], 0.0)
