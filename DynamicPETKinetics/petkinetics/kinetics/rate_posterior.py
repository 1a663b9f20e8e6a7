"""Which theta: the median of its posterior under Jeffreys' prior.

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
This is given back (:attr:`petkinetics.kinetics.basis_functions.BasisFit.lost`) as a mean over the posterior. Of
a normal posterior of variance v under a prior of variance v0 the median moves from one noise to the next with
v (1 - v / v0), so this is Var: where the frames tell nothing of theta, nothing is corrected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.kinetics.basis_subsets import LEAST_OWN_PART, Subset, curvature_loss, orthonormal
from petkinetics.kinetics.between_nodes import vertex

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

#: a posterior narrower than this many nodes (SD) is replaced by its maximum, found on a finer grid
_NARROW = 0.6
#: B is not taken as smaller than this many standard deviations in the prior, which would vanish with it
_LEAST_EXCHANGE = 0.01


@dataclass(frozen=True, eq=False)
class RateMedian:
    """The median of theta, and what hangs on it.

    :param place: on the grid, in nodes, (voxels,).
    :param uptake_variance: of the first coefficient over the posterior, (voxels,).
    :param narrow: voxels whose posteriors are narrow; they have the maximum by a parabola instead.
    :param lost: what the median of the first coefficient loses to noise, (voxels,).
    """

    place: Float32
    uptake_variance: Float32
    narrow: NDArray[np.intp]
    lost: Float32


class RatePosterior:
    """Jeffreys' prior of a grid of theta, and the posterior of voxels on it.

    :param full: all fixed columns.
    :param fixed: the fixed columns, (frames, columns); *functions*: the basis functions, (nodes, frames); *fine*: those
        on the fine grid, None where nothing is to be given back. All of any unit, weighted by *root*.
    :param root: square roots of the frames' weights, (frames,).
    :param step: of log(theta) between nodes, no unit.
    """

    def __init__(
        self, full: Subset, fixed: Float64, functions: Float64, fine: Float64 | None, root: Float64, step: float
    ) -> None:
        slope = np.gradient(functions, step, axis=0)
        own = full.own / root
        # the part of dE/d log(theta) that neither the columns nor E itself explains
        slope = slope - (slope @ orthonormal(fixed)) @ orthonormal(fixed).T
        slope -= np.sum(slope * own, axis=1, keepdims=True) * own
        tellable = full.norm > LEAST_OWN_PART * np.linalg.norm(functions, axis=1)
        self._prior = np.where(tellable, np.linalg.norm(slope, axis=1) / full.norm, 0.0).astype(np.float32)[:, None]
        self._prior /= max(float(self._prior.max()), 1e-30)
        self._curved = None if fine is None else curvature_loss(fixed, fine, step)
        index, prior = np.arange(len(functions)), self._prior[:, 0] / self._prior.sum()
        self._moments = np.stack([index**0, index, index**2]).astype(np.float32)
        self._prior_variance = max(float(prior @ index**2 - (prior @ index) ** 2), 1e-30)
        self._norm = full.norm.astype(np.float32)
        self._taken = full.taken.astype(np.float32)

    def median(self, gain: Float32, highest: Float32, projection: Float32, base: Float32, scale: Float32) -> RateMedian:
        """The median of every voxel.

        :param gain: energy explained at every node, (nodes, voxels); *highest*: the most of any, (voxels,).
        :param projection: on each basis function made orthogonal to the columns, (nodes, voxels).
        :param base: coefficients of the columns alone, (columns, voxels).
        :param scale: variance of each voxel times the frames' weights, (voxels,).
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
        if len(base):
            uptake = np.maximum(base[0] - positive * (self._taken[0] / self._norm)[:, None], 0)
            posterior /= total
            mean = np.einsum("ij,ij->j", posterior, uptake)
            uptake -= mean
            uptake_variance = np.einsum("ij,ij,ij->j", posterior, uptake, uptake)
        if self._curved is not None:
            bend, at_maximum = self._curved
            # E of the posterior of B * bend * (node - centre)^2, by its three powers of the node
            posterior *= positive
            zeroth, first, second = np.einsum("kn,nv->kv", self._moments * (bend / self._norm), posterior)
            # of the posterior's variance, the part with which its median moves from one noise to the next
            told = np.maximum(1 - variance / np.float32(self._prior_variance), 0)
            lost = told * (second - 2 * centre * first + centre * centre * zeroth)
            # A narrow posterior falls between the nodes; its variance is that of the best fit.
            near = np.clip(np.round(place[narrow]), 0, nodes - 1).astype(np.intp)
            exchange = np.maximum(positive[near, narrow], np.float32(_LEAST_EXCHANGE) * np.sqrt(scale[narrow]))
            lost[narrow] = scale[narrow] * at_maximum[near] * self._norm[near] / exchange
        return RateMedian(np.clip(place, 0, nodes - 1).astype(np.float32), uptake_variance, narrow, lost)
