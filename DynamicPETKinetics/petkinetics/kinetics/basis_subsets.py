"""What basis functions prepare once, before any voxel is seen: columns, their subsets, what curvature takes away.

docs/methods.md, "Compartment models, fitted".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

#: fine nodes a node
FINE = 20
#: part of a basis function that other columns do not explain, below which float32 cannot tell it
LEAST_OWN_PART = 1e-4


@dataclass(frozen=True, eq=False)
class Subset:
    """Some of the fixed columns, and each basis function made orthogonal to them.

    Rows act on unweighted frames.

    :param columns: which fixed columns.
    :param captured: (columns, frames), orthonormal rows whose squares sum to the energy explained.
    :param solution: (columns, frames), coefficients without the basis function.
    :param own: (nodes, frames), normalised part of each basis function that the columns do not explain.
    :param norm: (nodes,), its length: coefficient = projection / norm.
    :param taken: (columns, nodes): what a coefficient loses for each unit of the basis function's.
    """

    columns: tuple[int, ...]
    captured: Float64
    solution: Float64
    own: Float64
    norm: Float64
    taken: Float64


def subset_of(columns: tuple[int, ...], fixed: Float64, functions: Float64, root: Float64) -> Subset:
    """One subset of the columns, with everything that a voxel's fit needs of it.

    :param columns: which of the fixed columns.
    :param fixed: all of them, any unit each, (frames, columns), weighted by *root*.
    :param functions: the basis functions, any unit, (nodes, frames), weighted by *root*.
    :param root: square roots of the frames' weights, (frames,).
    """
    basis = fixed[:, list(columns)]
    q, r = np.linalg.qr(basis)
    inverse = np.linalg.inv(r) if columns else np.zeros((0, 0))
    own = functions - (functions @ q) @ q.T
    # Once more: one pass leaves the digits that the first one cancelled.
    own -= (own @ q) @ q.T
    length = np.linalg.norm(functions, axis=1)
    norm = np.maximum(np.linalg.norm(own, axis=1), 1e-12 * max(float(length.max()), 1e-300))
    tellable = norm > LEAST_OWN_PART * length
    own = np.where(tellable[:, None], own / norm[:, None], 0.0)
    return Subset(
        columns=columns,
        captured=q.T * root,
        solution=(inverse @ q.T) * root,
        own=own * root,
        norm=norm,
        taken=inverse @ (functions @ q).T,
    )


def bounded_rows(subset: Subset, signed: bool) -> list[int]:
    """Rows of a subset whose coefficients must not be negative."""
    return [row for row, column in enumerate(subset.columns) if not (signed and column == 0)]


def fine_grid(theta: Float64) -> Float64:
    """The grid on which fits of little noise are sharpened: 20 steps for each of *theta*, (20 nodes - 19,).

    :param theta: 1/min, (nodes,), increasing.
    """
    return np.geomspace(theta[0], theta[-1], (theta.size - 1) * FINE + 1)


def curvature_loss(fixed: Float64, fine: Float64, step: float) -> tuple[Float32, Float32]:
    """What the curvature of the first coefficient in log(theta) takes from its median, for B = 1, at every node.

    :param fixed: (frames, columns) and *fine*: (fine nodes, frames), both weighted, in units of the noise.
    :param step: of log(theta) between nodes, no unit.
    :returns: for a variance of theta of one node squared, and for noise of variance 1: (nodes,) each.
    """
    slope = np.gradient(fine, step / FINE, axis=0, edge_order=2)
    bend = np.gradient(slope, step / FINE, axis=0, edge_order=2)[::FINE]
    nodes = len(bend)
    jacobian = np.empty((nodes, fixed.shape[0], fixed.shape[1] + 2))
    jacobian[:, :, :-2], jacobian[:, :, -2], jacobian[:, :, -1] = fixed, fine[::FINE], slope[::FINE]
    length = np.maximum(np.linalg.norm(jacobian, axis=1), 1e-300)
    solution = np.linalg.pinv(jacobian / length[:, None, :]) / length[:, :, None]
    covariance = solution @ solution.transpose(0, 2, 1)
    own, rate, both = covariance[:, 0, 0], covariance[:, -1, -1], covariance[:, 0, -1]
    taken = 0.5 * np.einsum("nf,nf->n", solution[:, 0], bend)
    alone = 1.0 - both**2 / np.maximum(own * rate, 1e-300)
    return (taken * alone * step**2).astype(np.float32), (taken * alone * rate).astype(np.float32)


def orthonormal(columns: Float64) -> Float64:
    """An orthonormal basis of what some columns (any unit) span, (frames, columns)."""
    return np.linalg.qr(columns)[0]
