"""What is known before the first voxel is fitted by a compartment model: weights of the frames, and their noise.

docs/methods.md, "Compartment models, fitted".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Problem
from petkinetics.estimators.noise import NoiseModel, body_sample, estimate_noise, frame_variances
from petkinetics.estimators.patlak import require_numbers
from petkinetics.frames import FrameTiming
from petkinetics.input_function.checks import require_plausible_scale
from petkinetics.kinetics.basis_functions import FASTEST, SLOWEST
from petkinetics.kinetics.convolution import frame_mean_convolved
from petkinetics.kinetics.patlak import LinearFit
from petkinetics.kinetics.region_fit import require_frames
from petkinetics.series import Float32

Float64 = NDArray[np.float64]

#: singular values below this share of the largest are not part of what the models can look like
_MODEL_SPACE = 1e-3


@dataclass(frozen=True, eq=False)
class PreparedVoxels:
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


def variance_of(prepared: PreparedVoxels, values: Float32) -> Float32:
    """Variance of voxels times the frames' weights, (kBq/mL)^2, (voxels,).

    :param values: of the voxels, kBq/mL, (frames, voxels).
    """
    return prepared.noise.scale(values.mean(axis=0)) * np.float32(prepared.scale_of_weights)


def prepare_voxels(problem: Problem, weighting: str, method: str) -> PreparedVoxels:
    """Weights and noise of the frames until T.

    :param weighting: ``frame`` (1 / v_m) or ``uniform``.
    :raises InputError: frames or input function cannot be used.
    """
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
    return PreparedVoxels(
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


@dataclass(frozen=True, eq=False)
class CompartmentNoise:
    """What tells noise from misfit in all frames until T.

    :param weights: one a frame, (frames,).
    :param blood_to_plasma: ratio of the areas of whole blood and plasma.
    """

    weights: Float64
    blood_to_plasma: float
    _prepared: PreparedVoxels = field(repr=False)

    def residual(self, misfit: Float32, measured: Float32, degrees_of_freedom: int) -> Float32:
        """Ratio of the weighted RMS residual to the noise predicted, (voxels,).

        :param misfit: measured less fitted, kBq/mL, (frames, voxels).
        :param measured: kBq/mL, likewise.
        :param degrees_of_freedom: what the mean of the squares is taken over.
        """
        squares = np.einsum("f,fv,fv->v", self.weights.astype(np.float32), misfit, misfit)
        return np.sqrt(squares / (np.float32(degrees_of_freedom) * variance_of(self._prepared, measured)))


def compartment_noise(problem: Problem) -> CompartmentNoise:
    """Weights and noise of all frames until T, for methods that explain them by other means than a fit.

    :raises InputError: frames or input function cannot be used.
    """
    prepared = prepare_voxels(problem, "frame", "two-tissue")
    return CompartmentNoise(prepared.weights, prepared.blood_to_plasma, prepared)
