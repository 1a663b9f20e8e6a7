"""One-tissue and two-tissue models in every voxel: rate constants, fv, and what follows from them.

docs/methods.md, "Compartment models, fitted".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.compartment_noise import PreparedVoxels, prepare_voxels, variance_of
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress, no_progress
from petkinetics.estimators.voxel_stream import VoxelFit, stream_voxels
from petkinetics.kinetics.basis_functions import compartment_basis
from petkinetics.kinetics.compartments import ResponseTable, net_influx
from petkinetics.kinetics.region_fit import LARGEST, PARAMETERS, CompartmentFitter
from petkinetics.kinetics.reversible import LEAST_TISSUE, ReversibleFit, rate_constants
from petkinetics.maps import FV, K1, K2, K3, K4, KI, KI_SD, RESIDUAL, V0, VT, Quantity
from petkinetics.series import Float32

Float64 = NDArray[np.float64]


class CompartmentEstimator(ABC):
    """A compartment model fitted to all frames from the injection until T.

    Options: ``weights`` = ``frame`` (T e^(-lambda mid) / mean activity in the body, one a frame) or
    ``uniform``.
    """

    method: str
    quantities: tuple[Quantity, ...]
    option_names: tuple[str, ...] = ("weights",)
    #: all frames until T are used, there is no t*
    whole_series = True

    @abstractmethod
    def voxel_fit(self, problem: Problem, prepared: PreparedVoxels) -> VoxelFit:
        """Fit of the voxels of a slab, giving the maps in the order of *quantities*."""

    def estimate(self, problem: Problem, sink: MapSink, progress: Progress = no_progress) -> Estimate:
        """See :class:`petkinetics.estimators.estimator.Estimator`."""
        weighting = problem.choice("weights", ("frame", "uniform"))
        prepared = prepare_voxels(problem, weighting, self.method)
        stream_voxels(
            problem, self.quantities, self.voxel_fit(problem, prepared), sink, progress, f"Fitting {self.method}"
        )
        fitter = CompartmentFitter(
            problem.input_function, prepared.timing, prepared.weights, self.method,
            problem.series.frame_decay_per_s, prepared.blood_to_plasma,
        )  # fmt: skip
        return Estimate(_record(self.method, weighting, prepared, problem), fitter.region_fit, fitter.fit)


class TwoTissue(CompartmentEstimator):
    """Irreversible two-tissue model (k4 = 0) by basis functions; see petkinetics.kinetics.basis_functions."""

    method = "two-tissue"
    quantities: tuple[Quantity, ...] = (KI, V0, KI_SD, K1, K2, K3, FV, RESIDUAL)

    def voxel_fit(self, problem: Problem, prepared: PreparedVoxels) -> VoxelFit:
        """See :class:`CompartmentEstimator`."""
        decay = problem.series.frame_decay_per_s
        basis = compartment_basis(problem.input_function, prepared.timing, prepared.weights, decay)
        table = ResponseTable(problem.input_function, prepared.timing, decay)
        integral = problem.input_function.plasma_integral_frame_mean(prepared.timing, decay)
        columns = np.stack([integral, table.blood]).astype(np.float32)
        ratio = np.float32(prepared.blood_to_plasma)
        residual = _Residual(prepared, self.method)

        def fit(values: Float32) -> Sequence[Float32]:
            scale = variance_of(prepared, values)
            found = basis.fit(values, scale)
            trapped, blood = found.fixed
            theta = found.theta
            # K1 is what the first frames say; what noise takes from Ki is k3's.
            total = trapped + found.moving
            ki = np.clip(trapped + found.lost, 0, total)
            share = np.divide(ki, total, out=np.zeros_like(ki), where=total > 0)
            k1 = np.minimum(total / np.maximum(1.0 - blood, np.float32(LEAST_TISSUE)), np.float32(LARGEST["k1"]))
            exchanging = np.where(total > 0, theta, np.float32(0))
            k3 = np.minimum(exchanging * share, np.float32(LARGEST["k3"]))
            k2 = exchanging * (1.0 - share)
            misfit = values - table.convolved(theta).T * found.moving
            for column, coefficient in zip(columns, found.fixed, strict=True):
                misfit -= column[:, None] * coefficient
            return (
                ki, (total - ki) / theta + blood * ratio, found.spread, k1, k2, k3, np.minimum(blood, np.float32(1)),
                residual(misfit, scale),
            )  # fmt: skip

        return fit


class OneTissue(CompartmentEstimator):
    """One-tissue model by basis functions: K1, k2, fv and VT = K1/k2."""

    method = "one-tissue"
    explains_release = True
    quantities: tuple[Quantity, ...] = (K1, K2, FV, VT, RESIDUAL)

    def voxel_fit(self, problem: Problem, prepared: PreparedVoxels) -> VoxelFit:
        """See :class:`CompartmentEstimator`."""
        decay = problem.series.frame_decay_per_s
        basis = compartment_basis(problem.input_function, prepared.timing, prepared.weights, decay, trapping=False)
        table = ResponseTable(problem.input_function, prepared.timing, decay)
        blood = table.blood[:, None]
        residual = _Residual(prepared, self.method)

        def fit(values: Float32) -> Sequence[Float32]:
            scale = variance_of(prepared, values)
            found = basis.fit(values, scale)
            fv, moving = found.fixed[0], found.moving
            k1 = np.minimum(moving / np.maximum(1.0 - fv, np.float32(LEAST_TISSUE)), np.float32(LARGEST["k1"]))
            k2 = np.where(moving > 0, found.theta, np.float32(0))
            misfit = values - table.convolved(found.theta).T * moving - blood * fv
            return k1, k2, np.minimum(fv, np.float32(1)), k1 / found.theta, residual(misfit, scale)

        return fit


class TwoTissueReversible(CompartmentEstimator):
    """Two-tissue model with k4 by least squares; see petkinetics.kinetics.reversible.

    Ki = (1 - fv) K1 k3/(k2 + k3) of the fitted rates; there is no V0 with k4 > 0.
    """

    method = "two-tissue-reversible"
    explains_release = True
    quantities: tuple[Quantity, ...] = (KI, KI_SD, K1, K2, K3, K4, FV, RESIDUAL)

    def voxel_fit(self, problem: Problem, prepared: PreparedVoxels) -> VoxelFit:
        """See :class:`CompartmentEstimator`."""
        model = ReversibleFit(
            problem.input_function, prepared.timing, prepared.weights, problem.series.frame_decay_per_s
        )
        residual = _Residual(prepared, self.method)

        def influx(p: Float64) -> Float64:
            k1, k2, k3, _, fv = rate_constants(p)
            return net_influx(k1, k2, k3, np.minimum(fv, 1.0 - LEAST_TISSUE))

        def fit(values: Float32) -> Sequence[Float32]:
            scale = variance_of(prepared, values)
            p, covariance = model.fit(values, scale)
            k1, k2, k3, k4, fv = rate_constants(p)
            ki = influx(p)
            gradient = np.empty_like(p)
            for i in range(p.shape[1]):
                step = np.maximum(1e-5 * p[:, i], 1e-8)
                moved = p.copy()
                moved[:, i] += step
                gradient[:, i] = (influx(moved) - ki) / step
            variance = np.einsum("vi,vij,vj->v", gradient, covariance, gradient)
            spread = np.sqrt(np.maximum(variance, 0.0) * scale)
            misfit = (values - model.fitted(p).T).astype(np.float32)
            limited = (
                np.minimum(k, LARGEST[name]) for name, k in zip(("k1", "k2", "k3", "k4"), (k1, k2, k3, k4), strict=True)
            )
            maps = (ki, spread, *limited, fv)
            return *(m.astype(np.float32) for m in maps), residual(misfit, scale)

        return fit


class _Residual:
    """Weighted RMS residual over the noise predicted."""

    def __init__(self, prepared: PreparedVoxels, method: str) -> None:
        self._weights = prepared.weights.astype(np.float32)
        self._dof = np.float32(len(prepared.timing) - len(PARAMETERS[method]))

    def __call__(self, misfit: Float32, scale: Float32) -> Float32:
        squares = np.einsum("f,fv,fv->v", self._weights, misfit, misfit)
        return np.sqrt(squares / (self._dof * scale))


def _record(method: str, weighting: str, prepared: PreparedVoxels, problem: Problem) -> dict[str, Any]:
    noise, timing = prepared.noise, prepared.timing
    return {
        "weighting": weighting,
        "frames_used": [
            {
                "index": int(i),
                "start_s": float(start),
                "duration_s": float(duration),
                "weight": float(weight),
                "body_mean_kbq_per_ml": float(activity),
            }
            for i, start, duration, weight, activity in zip(
                problem.frames, timing.start_s, timing.duration_s, prepared.weights, prepared.activity, strict=True
            )
        ],
        "noise": {"common": noise.common, "local": noise.local, "body_mean_kbq_per_ml": noise.body_mean},
        "model": {
            "parameters": list(PARAMETERS[method]),
            "largest": {name: LARGEST[name] for name in PARAMETERS[method]},
            "blood_to_plasma": prepared.blood_to_plasma,
        },
    }
