"""Compartment models by basis functions, millions of voxels at once.

With one rate theta fixed, a compartment model is linear in what remains, with coefficients that
cannot be negative (Gunn, Lammertsma, Hume & Cunningham 1997). For the irreversible two-tissue model
theta = k2 + k3:

    C_PET = A integral Cp + B Cp (x) e^(-theta t) + f C_WB,    A = Ki,  A + B = (1 - fv) K1,  f = fv

So theta is laid on a grid, the non-negative least squares of every node is solved for a slab of voxels
by one matrix product, and theta is chosen by these fits. Which theta?

The best fit (maximum likelihood) is what nonlinear least squares gives, and with the noise of a voxel
its Ki is biased: the likelihood is long-tailed towards small theta, where Cp (x) e^(-theta t) looks like
the integral of Cp and takes uptake away from it. Instead theta is the *median* of its posterior under
Jeffreys' prior, the square root of the determinant of Fisher's information, which for least squares is

    exp(-chi2(theta) / 2) |B(theta)| || part of dE/d log(theta) that no basis explains ||

per unit of log(theta), with E the response to theta, B the coefficient fitted at theta and A of either
sign. A median is kept by every monotone change of parameter, Jeffreys' prior makes the quantiles of one
parameter right in repeated noise to second order (Welch & Peers 1963), and so the median of Ki over
noise stays where theta is. Coefficients are then the non-negative ones at this theta. With little noise
this is the best fit again, found between the nodes.

A itself is not yet right in the median, since it is a curved function of theta. To second order in the
noise its median lies off by

    -1/2 B P_A(E'') (1 - r^2) Var(log theta),    E'' = d^2 E / d log(theta)^2

with P_A(E'') the integral's coefficient in the least-squares fit of E'' by integral, E, whole blood and E',
r the correlation of A and log(theta), and Var the variance over noise. It is the bias of the mean (Box 1971)
less a sixth of the third cumulant over the variance, by which mean and median differ (Cornish & Fisher 1938).
This is given back (:attr:`BasisFit.lost`) as a mean over the posterior. Of a normal posterior of variance v
under a prior of variance v0 the median moves from one noise to the next with v (1 - v / v0), so this is Var:
where the frames tell nothing of theta, nothing is corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.basis_subsets import (
    FINE,
    LEAST_OWN_PART,
    bounded_rows,
    curvature_loss,
    fine_grid,
    orthonormal,
    subset_of,
)
from petkinetics.kinetics.between_nodes import cubic, parabola, vertex
from petkinetics.kinetics.convolution import plasma_response

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

#: grid of theta, 1/min: from exchange that an hour cannot tell from trapping to k2 + k3 = 4
SLOWEST, FASTEST, NODES = 0.005, 4.0, 52

#: voxels at once: nodes * voxels floats of each intermediate stay in the processor's cache
_CHUNK = 1024
#: a posterior narrower than this many nodes (SD) is replaced by its maximum, found on a finer grid
_NARROW = 0.6
#: how many fine nodes the parabola through the maximum spans to either side
_SPAN = 2
#: B is not taken as smaller than this many standard deviations in the prior, which would vanish with it
_LEAST_EXCHANGE = 0.01


@dataclass(frozen=True, eq=False)
class BasisFit:
    """What the voxels of a slab were fitted with.

    :param theta: 1/min, (voxels,).
    :param moving: B, coefficient of the basis function, (voxels,).
    :param fixed: coefficients of the fixed columns, (columns, voxels).
    :param spread: standard deviation of the first fixed column's coefficient, (voxels,).
    :param energy: largest weighted sum of squares that any node explains, (voxels,).
    :param lost: by how much noise moves the median of the first fixed column's coefficient down, (voxels,);
        0 where that coefficient is 0, and where there are no fine functions or they are not *signed*.
    """

    theta: Float32
    moving: Float32
    fixed: Float32
    spread: Float32
    energy: Float32
    lost: Float32


class BasisFunctions:
    """Fixed columns and one basis function out of a grid, all coefficients not negative.

    :param fixed: (frames, columns), at most two: such as integral of Cp, and whole blood.
    :param theta: grid, 1/min, equally spaced in the logarithm, (nodes,).
    :param moving: the basis function of every node, (nodes, frames).
    :param weights: of the frames, (frames,), 1/variance up to the voxel's scale.
    :param fine: the basis function on :func:`fine_grid`, for exact fits of curves with little noise.
    :param signed: while theta is sought, the first fixed column's coefficient may be negative (with
        noise uptake near 0 would else push theta to where it is not). Coefficients returned never are.
    """

    def __init__(
        self,
        fixed: Float64,
        theta: Float64,
        moving: Float64,
        weights: Float64,
        fine: Float64 | None = None,
        signed: bool = False,
    ) -> None:
        root = np.sqrt(weights)
        self.theta = theta
        self._log0, self._step = float(np.log(theta[0])), float(np.log(theta[-1] / theta[0]) / (theta.size - 1))
        self._columns, self._signed = fixed.shape[1], signed
        scaled, functions = fixed * root[:, None], moving * root
        order = [c for size in range(self._columns, -1, -1) for c in combinations(range(self._columns), size)]
        self._subsets = [subset_of(c, scaled, functions, root) for c in order]
        full = self._subsets[0]
        rows = [np.concatenate([s.captured, s.solution, s.own]) for s in self._subsets]
        self._rows = np.ascontiguousarray(np.concatenate(rows), dtype=np.float32)
        self._fine = None if fine is None else subset_of(order[0], scaled, fine * root, root)
        self._norm = [s.norm.astype(np.float32) for s in self._subsets]
        self._taken = [s.taken.astype(np.float32) for s in self._subsets]
        # Jeffreys' prior: the part of dE/d log(theta) that neither the columns nor E itself explains.
        slope = np.gradient(functions, self._step, axis=0)
        own = full.own / root
        slope = slope - (slope @ orthonormal(scaled)) @ orthonormal(scaled).T
        slope -= np.sum(slope * own, axis=1, keepdims=True) * own
        tellable = full.norm > LEAST_OWN_PART * np.linalg.norm(functions, axis=1)
        self._prior = np.where(tellable, np.linalg.norm(slope, axis=1) / full.norm, 0.0).astype(np.float32)[:, None]
        self._prior /= max(float(self._prior.max()), 1e-30)
        self._curved = curvature_loss(scaled, fine * root, self._step) if fine is not None and signed else None
        index, prior = np.arange(theta.size), self._prior[:, 0] / self._prior.sum()
        self._moments = np.stack([index**0, index, index**2]).astype(np.float32)
        self._prior_variance = max(float(prior @ index**2 - (prior @ index) ** 2), 1e-30)
        self._variance = np.zeros(theta.size, dtype=np.float32)
        if self._columns:
            alone = np.linalg.inv(scaled.T @ scaled)[0, 0]
            self._variance = (alone + (full.taken[0] / full.norm) ** 2).astype(np.float32)

    def fit(self, frames: Float32, scale: Float32) -> BasisFit:
        """Fit voxels.

        :param frames: float32 (frames, voxels).
        :param scale: variance of each voxel times the frames' weights, (voxels,), above zero.
        """
        voxels = frames.shape[1]
        theta, moving, spread, energy, lost = (np.empty(voxels, dtype=np.float32) for _ in range(5))
        fixed = np.empty((self._columns, voxels), dtype=np.float32)
        for first in range(0, voxels, _CHUNK):
            part = slice(first, min(first + _CHUNK, voxels))
            theta[part], moving[part], fixed[:, part], spread[part], energy[part], lost[part] = self._chunk(
                frames[:, part], scale[part]
            )
        return BasisFit(theta, moving, fixed, spread, energy, lost)

    def _chunk(self, frames: Float32, scale: Float32) -> tuple[Float32, ...]:
        nodes = self.theta.size
        # Not by BLAS: its threads would stay awake beside the estimator's own, for four times the processor
        # time of everything here. This product takes an eighth of the time of a voxel.
        product = np.einsum("rf,fv->rv", self._rows, frames)
        projections: list[Float32] = []
        bases: list[Float32] = []
        offsets: list[Float32] = []
        at = 0
        explained = None
        for subset in self._subsets:
            size = len(subset.columns)
            captured, base = product[at : at + size], product[at + size : at + 2 * size]
            at += 2 * size
            projections.append(product[at : at + nodes])
            at += nodes
            bases.append(base)
            energy = np.einsum("ij,ij->j", captured, captured)
            explained = energy if explained is None else explained
            # Energies are taken relative to all fixed columns: that keeps float32's digits for theta.
            offsets.append(energy - explained)
        assert explained is not None
        gain = self._gains(projections, bases, offsets)
        highest = gain.max(axis=0)
        place, uptake_variance, narrow, lost = self._theta(gain, highest, projections[0], bases[0], scale)
        moving, fixed = self._coefficients(place, projections, bases, offsets)
        if narrow.size and self._fine is not None:
            self._sharpen(frames[:, narrow], narrow, place, moving, fixed)
        if self._columns:
            lost[fixed[0] <= 0] = 0
        lower = np.minimum(place.astype(np.intp), nodes - 2)
        share = place - lower
        variance = (1 - share) * self._variance[lower] + share * self._variance[lower + 1]
        spread = np.sqrt(scale * variance + uptake_variance)
        theta = np.exp(np.float32(self._log0) + np.float32(self._step) * place)
        return theta, moving, fixed, spread, explained + highest, lost

    def _without(self, bases: list[Float32], offsets: list[Float32], signed: bool) -> Float32:
        """Energy beyond the fixed columns' of the best fit without any basis function, (voxels,): at most 0."""
        best = np.full(offsets[0].shape, -np.inf, dtype=np.float32)
        for subset, base, offset in zip(self._subsets, bases, offsets, strict=True):
            feasible = np.ones(offset.shape, dtype=bool)
            for row in bounded_rows(subset, signed):
                feasible &= base[row] >= 0
            np.maximum(best, np.where(feasible, offset, -np.inf), out=best)
        return best

    def _gains(self, projections: list[Float32], bases: list[Float32], offsets: list[Float32]) -> Float32:
        """Energy that the bounded fit of every node explains beyond the fixed columns', (nodes, voxels).

        Of all subsets of columns, the feasible one that explains most is the bounded solution.
        """
        gain = np.broadcast_to(self._without(bases, offsets, self._signed), projections[0].shape).copy()
        for subset, projection, base, offset, norm, taken in zip(
            self._subsets, projections, bases, offsets, self._norm, self._taken, strict=True
        ):
            if self._signed and 0 not in subset.columns:
                continue
            feasible = projection > 0
            for row in bounded_rows(subset, self._signed):
                feasible &= projection * (taken[row] / norm)[:, None] <= base[row]
            np.maximum(gain, np.where(feasible, projection * projection + offset, -np.inf), out=gain)
        return gain

    def _theta(
        self, gain: Float32, highest: Float32, projection: Float32, base: Float32, scale: Float32
    ) -> tuple[Float32, Float32, NDArray[np.intp], Float32]:
        """Posterior median of theta as a place on the grid, and the variance of the first coefficient over it.

        Also which voxels' posteriors are narrow (they have the maximum by a parabola instead), and what the
        median of the first coefficient loses.
        """
        nodes, voxels = gain.shape
        index = np.arange(nodes, dtype=np.float32)
        posterior = gain - highest
        posterior *= np.float32(0.5) / scale
        np.exp(posterior, out=posterior)
        positive = np.maximum(projection, 0)
        slope = positive * positive
        slope += np.float32(_LEAST_EXCHANGE**2) * scale
        np.sqrt(slope, out=slope)
        slope *= self._prior
        posterior *= slope
        cumulative = np.cumsum(posterior, axis=0, dtype=np.float32)
        total = np.maximum(cumulative[-1], np.float32(1e-38))
        half = np.float32(0.5) * total
        node = np.minimum((cumulative < half).sum(axis=0), nodes - 1)
        voxel = np.arange(voxels)
        weight = np.maximum(posterior[node, voxel], np.float32(1e-38))
        place = node + np.float32(0.5) - (cumulative[node, voxel] - half) / weight
        centre = np.einsum("n,nv->v", index, posterior) / total
        variance = np.einsum("n,nv->v", index * index, posterior) / total - centre * centre
        narrow = np.flatnonzero(variance < _NARROW**2)
        if narrow.size:
            place[narrow] = vertex(gain[:, narrow])
        uptake_variance, lost = (np.zeros(voxels, dtype=np.float32) for _ in range(2))
        if self._columns:
            uptake = np.maximum(base[0] - positive * (self._taken[0][0] / self._norm[0])[:, None], 0)
            posterior /= total
            mean = np.einsum("ij,ij->j", posterior, uptake)
            uptake -= mean
            uptake_variance = np.einsum("ij,ij,ij->j", posterior, uptake, uptake)
        if self._curved is not None:
            bend, at_maximum = self._curved
            # E of the posterior of B * bend * (node - centre)^2, by its three powers of the node
            posterior *= positive
            zeroth, first, second = np.einsum("kn,nv->kv", self._moments * (bend / self._norm[0]), posterior)
            # of the posterior's variance, the part with which its median moves from one noise to the next
            told = np.maximum(1 - variance / np.float32(self._prior_variance), 0)
            lost = told * (second - 2 * centre * first + centre * centre * zeroth)
            # A narrow posterior falls between the nodes; its variance is that of the best fit.
            near = np.clip(np.round(place[narrow]), 0, nodes - 1).astype(np.intp)
            exchange = np.maximum(positive[near, narrow], np.float32(_LEAST_EXCHANGE) * np.sqrt(scale[narrow]))
            lost[narrow] = scale[narrow] * at_maximum[near] * self._norm[0][near] / exchange
        return np.clip(place, 0, nodes - 1).astype(np.float32), uptake_variance, narrow, lost

    def _sharpen(
        self, frames: Float32, voxels: NDArray[np.intp], place: Float32, moving: Float32, fixed: Float32
    ) -> None:
        """Best fit of voxels with little noise in float64 on the fine grid, where no coefficient is held at 0."""
        fine = self._fine
        assert fine is not None
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

    def _coefficients(
        self,
        place: Float32,
        projections: list[Float32],
        bases: list[Float32],
        offsets: list[Float32],
    ) -> tuple[Float32, Float32]:
        """Non-negative coefficients at places between the nodes: (moving, fixed), by cubic interpolation."""
        nodes, voxels = projections[0].shape
        voxel = np.arange(voxels)
        first = np.clip(place.astype(np.intp) - 1, 0, nodes - 4)
        taps = cubic(place - first)
        best = self._without(bases, offsets, signed=False)
        moving = np.zeros(voxels, dtype=np.float32)
        fixed = np.zeros((self._columns, voxels), dtype=np.float32)
        for subset, base, offset in zip(self._subsets, bases, offsets, strict=True):
            chosen = (base >= 0).all(axis=0) & (offset >= best)
            for row, column in enumerate(subset.columns):
                fixed[column] = np.where(chosen, base[row], fixed[column])
            for column in set(range(self._columns)) - set(subset.columns):
                fixed[column][chosen] = 0
        for subset, projection, base, offset, norm, taken in zip(
            self._subsets, projections, bases, offsets, self._norm, self._taken, strict=True
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


def compartment_basis(
    input_function: InputFunction,
    timing: FrameTiming,
    weights: Float64,
    decay_per_s: float = 0.0,
    trapping: bool = True,
    exact: bool = True,
) -> BasisFunctions:
    """The basis functions of a one-tissue model, or with *trapping* of the irreversible two-tissue model.

    Fixed columns: the integral of Cp (with trapping), then whole blood.

    :param weights: of the frames, 1/variance up to a voxel's scale.
    :param decay_per_s: lambda of the weight within a frame; 0 for plain means.
    :param exact: fit curves with little noise on a finer grid.
    """
    columns = [input_function.whole_blood_frame_mean(timing, decay_per_s)]
    if trapping:
        columns.insert(0, input_function.plasma_integral_frame_mean(timing, decay_per_s))
    theta = np.geomspace(SLOWEST, FASTEST, NODES)

    def response(rates: Float64) -> Float64:
        return plasma_response(input_function, timing, rates, decay_per_s)

    fine = response(fine_grid(theta)) if exact else None
    return BasisFunctions(np.stack(columns, axis=1), theta, response(theta), weights, fine, signed=trapping)
