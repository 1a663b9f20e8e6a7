"""One-tissue and two-tissue models in every voxel: rate constants, fv, and what follows from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress, no_progress
from petkinetics.estimators.noise import NoiseModel, body_sample, estimate_noise, frame_variances
from petkinetics.estimators.patlak import require_numbers
from petkinetics.estimators.voxel_stream import VoxelFit, stream_voxels
from petkinetics.frames import FrameTiming
from petkinetics.input_function.checks import require_plausible_scale
from petkinetics.kinetics.basis_functions import FASTEST, SLOWEST, compartment_basis
from petkinetics.kinetics.compartments import ResponseTable, net_influx
from petkinetics.kinetics.convolution import frame_mean_convolved
from petkinetics.kinetics.patlak import LinearFit
from petkinetics.kinetics.region_fit import LARGEST, PARAMETERS, CompartmentFitter, require_frames
from petkinetics.kinetics.reversible import LEAST_TISSUE, ReversibleFit, rate_constants
from petkinetics.maps import FV, K1, K2, K3, K4, KI, KI_SD, RESIDUAL, V0, VT, Quantity
from petkinetics.series import Float32

Float64 = NDArray[np.float64]

#: singular values below this share of the largest are not part of what the models can look like
_MODEL_SPACE = 1e-3


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What is known before the first voxel is fitted.

    :param timing: the frames used.
    :param weights: one a frame.
    :param variances: v_m of the frames, up to a voxel's variance scale.
    :param noise: that scale.
    :param scale_of_weights: mean of weight * v_m: 1 where the weights are 1/v_m.
    :param activity: mean activity of the body a frame, kBq/mL.
    :param blood_to_plasma: ratio of the areas of whole blood and plasma.
    """

    timing: FrameTiming
    weights: Float64
    variances: Float64
    noise: NoiseModel
    scale_of_weights: float
    activity: Float64
    blood_to_plasma: float


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
    def voxel_fit(self, problem: Problem, prepared: _Prepared) -> VoxelFit:
        """Fit of the voxels of a slab, giving the maps in the order of *quantities*."""

    def estimate(self, problem: Problem, sink: MapSink, progress: Progress = no_progress) -> Estimate:
        """See :class:`petkinetics.estimators.estimator.Estimator`."""
        weighting = problem.choice("weights", ("frame", "uniform"))
        prepared = _prepare(problem, weighting, self.method)
        stream_voxels(
            problem, self.quantities, self.voxel_fit(problem, prepared), sink, progress, f"Fitting {self.method}"
        )
        fitter = CompartmentFitter(
            problem.input_function, prepared.timing, prepared.weights, self.method,
            problem.series.frame_decay_per_s, prepared.blood_to_plasma,
        )  # fmt: skip

        def region_fit(values: Float64) -> tuple[dict[str, tuple[float, float]], Float64]:
            found = fitter.fit(values)
            return found.values, found.fitted_kbq_per_ml

        return Estimate(_record(self.method, weighting, prepared, problem), region_fit, fitter.fit)


class TwoTissue(CompartmentEstimator):
    """Irreversible two-tissue model (k4 = 0) by basis functions; see petkinetics.kinetics.basis_functions."""

    method = "two-tissue"
    quantities: tuple[Quantity, ...] = (KI, V0, KI_SD, K1, K2, K3, FV, RESIDUAL)

    def voxel_fit(self, problem: Problem, prepared: _Prepared) -> VoxelFit:
        """See :class:`CompartmentEstimator`."""
        decay = problem.series.frame_decay_per_s
        basis = compartment_basis(problem.input_function, prepared.timing, prepared.weights, decay)
        table = ResponseTable(problem.input_function, prepared.timing, decay)
        integral = problem.input_function.plasma_integral_frame_mean(prepared.timing, decay)
        columns = np.stack([integral, table.blood]).astype(np.float32)
        ratio = np.float32(prepared.blood_to_plasma)
        residual = _Residual(prepared, self.method)

        def fit(values: Float32) -> Sequence[Float32]:
            scale = _scale(prepared, values)
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
    quantities: tuple[Quantity, ...] = (K1, K2, FV, VT, RESIDUAL)

    def voxel_fit(self, problem: Problem, prepared: _Prepared) -> VoxelFit:
        """See :class:`CompartmentEstimator`."""
        decay = problem.series.frame_decay_per_s
        basis = compartment_basis(problem.input_function, prepared.timing, prepared.weights, decay, trapping=False)
        table = ResponseTable(problem.input_function, prepared.timing, decay)
        blood = table.blood[:, None]
        residual = _Residual(prepared, self.method)

        def fit(values: Float32) -> Sequence[Float32]:
            scale = _scale(prepared, values)
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
    quantities: tuple[Quantity, ...] = (KI, KI_SD, K1, K2, K3, K4, FV, RESIDUAL)

    def voxel_fit(self, problem: Problem, prepared: _Prepared) -> VoxelFit:
        """See :class:`CompartmentEstimator`."""
        model = ReversibleFit(
            problem.input_function, prepared.timing, prepared.weights, problem.series.frame_decay_per_s
        )
        residual = _Residual(prepared, self.method)

        def influx(p: Float64) -> Float64:
            k1, k2, k3, _, fv = rate_constants(p)
            return net_influx(k1, k2, k3, np.minimum(fv, 1.0 - LEAST_TISSUE))

        def fit(values: Float32) -> Sequence[Float32]:
            scale = _scale(prepared, values)
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


@dataclass(frozen=True, eq=False)
class CompartmentNoise:
    """What tells noise from misfit in all frames until T.

    :param weights: one a frame, (frames,).
    :param blood_to_plasma: ratio of the areas of whole blood and plasma.
    """

    weights: Float64
    blood_to_plasma: float
    _prepared: _Prepared = field(repr=False)

    def residual(self, misfit: Float32, measured: Float32, degrees_of_freedom: int) -> Float32:
        """Weighted RMS residual over the noise predicted: (frames, voxels) -> (voxels,)."""
        squares = np.einsum("f,fv,fv->v", self.weights.astype(np.float32), misfit, misfit)
        return np.sqrt(squares / (np.float32(degrees_of_freedom) * _scale(self._prepared, measured)))


def compartment_noise(problem: Problem) -> CompartmentNoise:
    """Weights and noise of all frames until T, for methods that explain them by other means than a fit.

    :raises InputError: frames or input function cannot be used.
    """
    prepared = _prepare(problem, "frame", "two-tissue")
    return CompartmentNoise(prepared.weights, prepared.blood_to_plasma, prepared)


class _Residual:
    """Weighted RMS residual over the noise predicted."""

    def __init__(self, prepared: _Prepared, method: str) -> None:
        self._weights = prepared.weights.astype(np.float32)
        self._dof = np.float32(len(prepared.timing) - len(PARAMETERS[method]))

    def __call__(self, misfit: Float32, scale: Float32) -> Float32:
        squares = np.einsum("f,fv,fv->v", self._weights, misfit, misfit)
        return np.sqrt(squares / (self._dof * scale))


def _scale(prepared: _Prepared, values: Float32) -> Float32:
    """Variance of the voxels times the frames' weights."""
    return prepared.noise.scale(values.mean(axis=0)) * np.float32(prepared.scale_of_weights)


def _prepare(problem: Problem, weighting: str, method: str) -> _Prepared:
    series, curve = problem.series, problem.input_function
    timing = series.timing.select(problem.frames)
    require_frames(len(timing), method)
    curve.require_cover(timing)
    sample = body_sample(series, problem.frames.tolist(), problem.mask)
    require_numbers(sample, problem)
    activity = sample.mean(axis=1, dtype=np.float64)
    decay = series.frame_decay_per_s
    plasma, blood = (frames(timing, decay) for frames in (curve.plasma_frame_mean, curve.whole_blood_frame_mean))
    if not plasma.max() > 0:
        raise InputError("The input function has no activity in the frames used, so nothing can be fitted.")
    require_plausible_scale(plasma, activity)
    variances = frame_variances(timing, activity, series.tracer.decay_per_s)
    weights = 1.0 / variances if weighting == "frame" else np.ones_like(variances)
    noise = estimate_noise(_model_space(problem, timing, weights), sample, variances)
    area = timing.duration_s @ plasma
    return _Prepared(
        timing=timing,
        weights=weights,
        variances=variances,
        noise=noise,
        scale_of_weights=float(np.mean(weights * variances)),
        activity=activity,
        blood_to_plasma=float(timing.duration_s @ blood / area) if area > 0 else 1.0,
    )


def _model_space(problem: Problem, timing: FrameTiming, weights: Float64) -> LinearFit:
    """Everything that a compartment model can look like, as one linear fit: what is left is noise.

    Whole blood and the responses to many rates span few dimensions (about seven to 1e-3), so that the
    noise can be told before any rate is known.
    """
    decay = problem.series.frame_decay_per_s
    curve = problem.input_function
    rates = np.concatenate([[0.0], np.geomspace(SLOWEST, FASTEST, 24)])
    columns = [
        curve.whole_blood_frame_mean(timing, decay),
        *frame_mean_convolved(curve.time_s, curve.plasma_kbq_per_ml, timing, rates, decay),
    ]
    root = np.sqrt(weights)
    design = np.stack(columns, axis=1) * root[:, None]
    length = np.linalg.norm(design, axis=0)
    left, singular, _ = np.linalg.svd(design / np.maximum(length, 1e-300), full_matrices=True)
    rank = min(int(np.sum(singular > _MODEL_SPACE * singular[0])), len(timing) - 1)
    basis = left[:, :rank]
    return LinearFit(
        design=basis / root[:, None],
        weights=weights,
        solution=basis.T * root,
        misfit=left[:, rank:].T * root,
        covariance=np.eye(rank),
    )


def _record(method: str, weighting: str, prepared: _Prepared, problem: Problem) -> dict[str, Any]:
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
