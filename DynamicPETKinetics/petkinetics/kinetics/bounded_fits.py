"""Fits of which some coefficients cannot be negative, of many voxels at every node of a grid.

Of all subsets of the fixed columns, the feasible one that explains most is the bounded solution.

docs/methods.md, "Compartment models, fitted".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.kinetics.basis_subsets import Subset, bounded_rows
from petkinetics.kinetics.between_nodes import cubic

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Projections:
    """What voxels have in common with the columns and the basis functions, one entry a subset of the columns.

    :param along: on each basis function made orthogonal to the subset, (nodes, voxels).
    :param bases: coefficients of the subset's columns without a basis function, (columns, voxels).
    :param offsets: energy that the subset explains beyond that of all columns, (voxels,): at most 0.
        Relative energies keep float32's digits for theta.
    :param explained: energy that all columns explain, (voxels,).
    """

    along: list[Float32]
    bases: list[Float32]
    offsets: list[Float32]
    explained: Float32


class BoundedFits:
    """The bounded fits of fixed columns and one basis function.

    :param subsets: of the fixed columns, all of them first.
    :param signed: while theta is sought, the first fixed column's coefficient may be negative.
    """

    def __init__(self, subsets: Sequence[Subset], signed: bool) -> None:
        self._subsets, self._signed = subsets, signed
        self._columns = len(subsets[0].columns)
        rows = [np.concatenate([s.captured, s.solution, s.own]) for s in subsets]
        self._rows = np.ascontiguousarray(np.concatenate(rows), dtype=np.float32)
        self._norm = [s.norm.astype(np.float32) for s in subsets]
        self._taken = [s.taken.astype(np.float32) for s in subsets]

    def project(self, frames: Float32) -> Projections:
        """Everything that fits need of voxels, by one matrix product.

        :param frames: kBq/mL, float32 (frames, voxels).
        """
        # Not by BLAS: its threads would stay awake beside the estimator's own, for four times the processor
        # time of everything here. This product takes an eighth of the time of a voxel.
        product = np.einsum("rf,fv->rv", self._rows, frames)
        along: list[Float32] = []
        bases: list[Float32] = []
        offsets: list[Float32] = []
        at, nodes = 0, len(self._norm[0])
        explained = None
        for subset in self._subsets:
            size = len(subset.columns)
            captured, base = product[at : at + size], product[at + size : at + 2 * size]
            at += 2 * size
            along.append(product[at : at + nodes])
            at += nodes
            bases.append(base)
            energy = np.einsum("ij,ij->j", captured, captured)
            explained = energy if explained is None else explained
            offsets.append(energy - explained)
        assert explained is not None
        return Projections(along, bases, offsets, explained)

    def gains(self, projected: Projections) -> Float32:
        """Energy that the bounded fit of every node explains beyond the fixed columns', (nodes, voxels)."""
        gain = np.broadcast_to(self._without_function(projected, self._signed), projected.along[0].shape).copy()
        for subset, along, base, offset, norm, taken in zip(
            self._subsets, projected.along, projected.bases, projected.offsets, self._norm, self._taken, strict=True
        ):
            if self._signed and 0 not in subset.columns:
                continue
            feasible = along > 0
            for row in bounded_rows(subset, self._signed):
                feasible &= along * (taken[row] / norm)[:, None] <= base[row]
            np.maximum(gain, np.where(feasible, along * along + offset, -np.inf), out=gain)
        return gain

    def _without_function(self, projected: Projections, signed: bool) -> Float32:
        """Energy beyond the fixed columns' of the best fit without any basis function, (voxels,): at most 0."""
        best = np.full(projected.explained.shape, -np.inf, dtype=np.float32)
        for subset, base, offset in zip(self._subsets, projected.bases, projected.offsets, strict=True):
            feasible = np.ones(offset.shape, dtype=bool)
            for row in bounded_rows(subset, signed):
                feasible &= base[row] >= 0
            np.maximum(best, np.where(feasible, offset, -np.inf), out=best)
        return best

    def coefficients(self, projected: Projections, place: Float32) -> tuple[Float32, Float32]:
        """Non-negative coefficients at places between the nodes, by cubic interpolation.

        :param place: on the grid, in units of its step, (voxels,).
        :returns: of the basis function, (voxels,), and of the fixed columns, (columns, voxels).
        """
        nodes, voxels = projected.along[0].shape
        voxel = np.arange(voxels)
        first = np.clip(place.astype(np.intp) - 1, 0, nodes - 4)
        taps = cubic(place - first)
        best = self._without_function(projected, signed=False)
        moving = np.zeros(voxels, dtype=np.float32)
        fixed = np.zeros((self._columns, voxels), dtype=np.float32)
        for subset, base, offset in zip(self._subsets, projected.bases, projected.offsets, strict=True):
            chosen = (base >= 0).all(axis=0) & (offset >= best)
            for row, column in enumerate(subset.columns):
                fixed[column] = np.where(chosen, base[row], fixed[column])
            for column in set(range(self._columns)) - set(subset.columns):
                fixed[column][chosen] = 0
        for subset, projection, base, offset, norm, taken in zip(
            self._subsets, projected.along, projected.bases, projected.offsets, self._norm, self._taken, strict=True
        ):
            along = sum(tap * projection[first + k, voxel] for k, tap in enumerate(taps))
            length = sum(tap * norm[first + k] for k, tap in enumerate(taps))
            value = along / length
            feasible = along > 0
            coefficients = []
            for row in range(len(subset.columns)):
                lost = sum(tap * taken[row][first + k] for k, tap in enumerate(taps))
                coefficients.append(base[row] - lost * value)
                feasible &= coefficients[-1] >= 0
            energy = along * along + offset
            chosen = feasible & (energy > best)
            best = np.where(chosen, energy, best)
            moving = np.where(chosen, value, moving)
            for column in range(self._columns):
                new = coefficients[subset.columns.index(column)] if column in subset.columns else 0.0
                fixed[column] = np.where(chosen, new, fixed[column])
        return moving, fixed
