"""The reversible two-tissue model in millions of voxels: least squares from a grid of starts.

    C_PET = a Cp (x) e^(-alpha1 t) + b Cp (x) e^(-alpha2 t) + f C_WB,   a, b, f >= 0,  alpha1 < alpha2

K1 = (a + b)/(1 - fv), k3 + k4 = (a alpha2 + b alpha1)/(a + b), k2 = alpha1 + alpha2 - k3 - k4,
k4 = alpha1 alpha2/k2 (the inverse of petkinetics.kinetics.compartments). Every alpha1 of a short list
starts as a two-tissue fit by basis functions; Levenberg-Marquardt steps, all voxels of a slab at once,
lead from the best of them to the least squares of all five parameters.

docs/methods.md, "Compartment models, fitted".
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.basis_functions import FASTEST, BasisFunctions
from petkinetics.kinetics.convolution import plasma_response

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

#: alpha1 of the starts, 1/min: from trapping to a tracer that is in equilibrium within minutes
_SLOW = (0.0, 0.003, 0.008, 0.02, 0.05, 0.12)
_LARGEST_SLOW, _SLOWEST_FAST = 0.5, 0.02
_START_NODES = 28
_STEPS = 20
_CHUNK = 2048
_KNEE = 1e-3
_NODES = 1024
#: tissue is taken to fill at least this share of a voxel when its K1 is told from (1 - fv) K1: nothing but
#: noise would be divided by what is left of it in vessels
LEAST_TISSUE = 0.1


class ReversibleFit:
    """Least squares of a, b, alpha1, alpha2, f in every voxel.

    :param timing: frames of the fit.
    :param weights: of the frames, (frames,), 1/variance up to a voxel's scale.
    :param decay_per_s: lambda of the weight within a frame; 0 for plain means.
    """

    def __init__(
        self, input_function: InputFunction, timing: FrameTiming, weights: Float64, decay_per_s: float = 0.0
    ) -> None:
        self._root = np.sqrt(weights)
        self._frames = len(timing)
        self._blood = input_function.whole_blood_frame_mean(timing, decay_per_s)
        self._step = np.log1p(FASTEST / _KNEE) / (_NODES - 1)
        alpha = _KNEE * np.expm1(self._step * np.arange(_NODES))
        response = partial(plasma_response, input_function, timing, decay_per_s=decay_per_s)
        table = response(alpha)
        # Response and slope side by side: one look-up brings both.
        self._table = np.concatenate([table, np.gradient(table, alpha, axis=0, edge_order=2)], axis=1) * np.tile(
            self._root, 2
        )
        self._starts = []
        for slow in _SLOW:
            theta = np.geomspace(max(_SLOWEST_FAST, 2.0 * slow), FASTEST, _START_NODES)
            fixed = np.stack([response(np.array([slow]))[0], self._blood], axis=1)
            self._starts.append(BasisFunctions(fixed, theta, response(theta), weights))

    def fit(self, frames: Float32, scale: Float32) -> tuple[Float64, Float64]:
        """Fit voxels.

        :param frames: float32 (frames, voxels).
        :param scale: variance of each voxel times the frames' weights, (voxels,).
        :returns: parameters (a, b, alpha1, alpha2, f), (voxels, 5), and their covariance a unit of
            *scale*, (voxels, 5, 5), zero for what a bound holds.
        """
        voxels = frames.shape[1]
        parameters, covariance = np.empty((voxels, 5)), np.empty((voxels, 5, 5))
        for first in range(0, voxels, _CHUNK):
            part = slice(first, min(first + _CHUNK, voxels))
            values = frames[:, part]
            weighted = values.T * self._root
            parameters[part], covariance[part] = self._descend(weighted, self._start(values, scale[part]))
        return parameters, covariance

    def fitted(self, parameters: Float64) -> Float64:
        """Frame means of the model, (voxels, frames), kBq/mL.

        :param parameters: of :meth:`fit`, (voxels, 5).
        """
        return self._model(parameters)[0] / self._root

    def _start(self, frames: Float32, scale: Float32) -> Float64:
        best = np.full(frames.shape[1], -np.inf)
        parameters = np.empty((frames.shape[1], 5))
        for slow, basis in zip(_SLOW, self._starts, strict=True):
            found = basis.fit(frames, scale)
            better = found.energy > best
            best[better] = found.energy[better]
            columns = (found.fixed[0], found.moving, np.full_like(found.theta, slow), found.theta, found.fixed[1])
            parameters[better] = np.stack(columns, axis=1)[better]
        return parameters

    def _descend(self, weighted: Float64, start: Float64) -> tuple[Float64, Float64]:
        p = self._within(start)
        damping = np.full(len(p), 1e-2)
        model, jacobian = self._model(p)
        misfit = weighted - model
        cost = np.einsum("vf,vf->v", misfit, misfit)
        diagonal = np.arange(5)
        for _ in range(_STEPS):
            normal, gradient, _ = self._normal(p, jacobian, misfit)
            normal[:, diagonal, diagonal] *= 1.0 + damping[:, None]
            tried = self._within(p + np.linalg.solve(normal, gradient[..., None])[..., 0])
            model, slopes = self._model(tried)
            rest = weighted - model
            new = np.einsum("vf,vf->v", rest, rest)
            better = new < cost
            p[better], cost[better], misfit[better], jacobian[better] = (
                tried[better],
                new[better],
                rest[better],
                slopes[better],
            )
            damping = np.clip(np.where(better, damping * 0.2, damping * 5.0), 1e-9, 1e9)
        normal, _, held = self._normal(p, jacobian, misfit)
        size = np.sqrt(normal[:, diagonal, diagonal])
        covariance = np.linalg.pinv(normal / (size[:, :, None] * size[:, None, :]), rcond=1e-10, hermitian=True)
        covariance /= size[:, :, None] * size[:, None, :]
        covariance[held[:, :, None] | held[:, None, :]] = 0.0
        return p, covariance

    def _normal(self, p: Float64, jacobian: Float64, misfit: Float64) -> tuple[Float64, Float64, NDArray[np.bool_]]:
        """Normal equations without the parameters that a bound holds; which these are."""
        gradient = np.einsum("vfp,vf->vp", jacobian, misfit)
        lower, upper = self._bounds(p)
        held = ((p <= lower) & (gradient < 0)) | ((p >= upper) & (gradient > 0))
        normal = np.matmul(jacobian.transpose(0, 2, 1), jacobian)
        diagonal = np.arange(5)
        entries = normal[:, diagonal, diagonal]
        # Where a or b is 0 nothing depends on its rate: it stays where it is.
        held |= entries <= 1e-12 * entries.max(axis=1, keepdims=True)
        normal[held[:, :, None] | held[:, None, :]] = 0.0
        normal[:, diagonal, diagonal] = np.where(held, 1.0, entries)
        return normal, np.where(held, 0.0, gradient), held

    def _bounds(self, p: Float64) -> tuple[Float64, Float64]:
        lower, upper = np.zeros_like(p), np.full_like(p, np.inf)
        upper[:, 2] = np.minimum(_LARGEST_SLOW, 0.8 * p[:, 3])
        lower[:, 3], upper[:, 3] = _SLOWEST_FAST, FASTEST
        upper[:, 4] = 1.0
        return lower, upper

    def _within(self, p: Float64) -> Float64:
        p = p.copy()
        p[:, 3] = np.clip(p[:, 3], _SLOWEST_FAST, FASTEST)
        lower, upper = self._bounds(p)
        return np.clip(p, lower, upper)

    def _model(self, p: Float64) -> tuple[Float64, Float64]:
        """Weighted frame means (voxels, frames) and their slopes (voxels, frames, 5)."""
        frames = self._frames
        slow, fast = self._look_up(p[:, 2]), self._look_up(p[:, 3])
        a, b, blood = p[:, :1], p[:, 1:2], self._blood * self._root
        jacobian = np.empty((len(p), frames, 5))
        jacobian[..., 0], jacobian[..., 1] = slow[:, :frames], fast[:, :frames]
        jacobian[..., 2], jacobian[..., 3] = a * slow[:, frames:], b * fast[:, frames:]
        jacobian[..., 4] = blood
        return a * slow[:, :frames] + b * fast[:, :frames] + p[:, 4:] * blood, jacobian

    def _look_up(self, alpha: Float64) -> Float64:
        place = np.clip(np.log1p(alpha / _KNEE) / self._step, 0.0, _NODES - 1.0)
        lower = np.minimum(place.astype(np.intp), _NODES - 2)
        share = (place - lower)[:, None]
        below = self._table[lower]
        return below + share * (self._table[lower + 1] - below)


def rate_constants(p: Float64) -> tuple[Float64, Float64, Float64, Float64, Float64]:
    """K1, k2, k3, k4, fv of the convolution's parameters; 0 where nothing exchanges.

    :param p: a and b (mL/min/mL), alpha1 and alpha2 (1/min), f (fraction of blood), shape (..., 5).
    :returns: mL/min/mL, three times 1/min, a fraction; each of shape (...).
    """
    a, b, alpha1, alpha2, f = np.moveaxis(p, -1, 0)
    total = a + b
    some = total > 0
    trapping = np.where(some, (a * alpha2 + b * alpha1) / np.where(some, total, 1.0), 0.0)
    k2 = np.where(some, np.maximum(alpha1 + alpha2 - trapping, 0.0), 0.0)
    k4 = np.where(k2 > 0, alpha1 * alpha2 / np.where(k2 > 0, k2, 1.0), 0.0)
    k4 = np.minimum(k4, trapping)
    return total / np.maximum(1.0 - f, LEAST_TISSUE), k2, trapping - k4, k4, f
