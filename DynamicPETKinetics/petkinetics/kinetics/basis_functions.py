"""Compartment models by basis functions, millions of voxels at once.

With one rate theta fixed, a compartment model is linear in what remains, with coefficients that
cannot be negative (Gunn, Lammertsma, Hume & Cunningham 1997). For the irreversible two-tissue model
theta = k2 + k3:

    C_PET = A integral Cp + B Cp (x) e^(-theta t) + f C_WB,    A = Ki,  A + B = (1 - fv) K1,  f = fv

So theta is laid on a grid, the non-negative least squares of every node is solved for a slab of voxels
by one matrix product (:mod:`petkinetics.kinetics.bounded_fits`), and theta is chosen by these fits
(:mod:`petkinetics.kinetics.rate_posterior`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.basis_subsets import fine_grid, subset_of
from petkinetics.kinetics.bounded_fits import BoundedFits
from petkinetics.kinetics.convolution import plasma_response
from petkinetics.kinetics.fine_fit import sharpen
from petkinetics.kinetics.rate_posterior import RatePosterior

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

#: grid of theta, 1/min: from exchange that an hour cannot tell from trapping to k2 + k3 = 4
SLOWEST, FASTEST, NODES = 0.005, 4.0, 52

#: voxels at once: nodes * voxels floats of each intermediate stay in the processor's cache
_CHUNK = 1024


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
        self._columns = fixed.shape[1]
        scaled, functions = fixed * root[:, None], moving * root
        order = [c for size in range(self._columns, -1, -1) for c in combinations(range(self._columns), size)]
        subsets = [subset_of(c, scaled, functions, root) for c in order]
        full = subsets[0]
        self._fits = BoundedFits(subsets, signed)
        self._fine = None if fine is None else subset_of(order[0], scaled, fine * root, root)
        curved = fine * root if fine is not None and signed else None
        self._posterior = RatePosterior(full, scaled, functions, curved, root, self._step)
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
        projected = self._fits.project(frames)
        gain = self._fits.gains(projected)
        highest = gain.max(axis=0)
        median = self._posterior.median(gain, highest, projected.along[0], projected.bases[0], scale)
        place, lost = median.place, median.lost
        moving, fixed = self._fits.coefficients(projected, place)
        if median.narrow.size and self._fine is not None:
            sharpen(self._fine, frames[:, median.narrow], median.narrow, place, moving, fixed)
        if self._columns:
            lost[fixed[0] <= 0] = 0
        lower = np.minimum(place.astype(np.intp), nodes - 2)
        share = place - lower
        variance = (1 - share) * self._variance[lower] + share * self._variance[lower + 1]
        spread = np.sqrt(scale * variance + median.uptake_variance)
        theta = np.exp(np.float32(self._log0) + np.float32(self._step) * place)
        return theta, moving, fixed, spread, projected.explained + highest, lost


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

    :param weights: of the frames, (frames,), 1/variance up to a voxel's scale.
    :param decay_per_s: lambda of the weight within a frame; 0 for plain means.
    :param exact: fit curves with little noise on a finer grid.
    """
    columns = [input_function.whole_blood_frame_mean(timing, decay_per_s)]
    if trapping:
        columns.insert(0, input_function.plasma_integral_frame_mean(timing, decay_per_s))
    theta = np.geomspace(SLOWEST, FASTEST, NODES)
    response = partial(plasma_response, input_function, timing, decay_per_s=decay_per_s)
    fine = response(fine_grid(theta)) if exact else None
    return BasisFunctions(np.stack(columns, axis=1), theta, response(theta), weights, fine, signed=trapping)
