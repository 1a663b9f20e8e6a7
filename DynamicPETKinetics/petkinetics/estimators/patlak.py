"""Voxelwise Patlak: Ki, V0, their SDs and the residual, streamed slab by slab.

docs/methods.md, "Patlak".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress, no_progress
from petkinetics.estimators.noise import (
    NoiseModel,
    body_sample,
    estimate_noise,
    frame_variances,
    parameter_variances,
    residual_shares,
)
from petkinetics.estimators.slab_stream import stream_slabs
from petkinetics.estimators.voxel_weights import VoxelWeightedFit
from petkinetics.frames import FrameTiming
from petkinetics.input_function.checks import require_plausible_scale
from petkinetics.kinetics.patlak import LinearFit, fit_curve, patlak_design, require_blood, weighted_fit
from petkinetics.maps import KI, KI_SD, RESIDUAL, V0, V0_SD, Quantity
from petkinetics.series import Float32

Float64 = NDArray[np.float64]
#: turns the frames of some voxels, (frames, voxels), into maps (ki, v0, ki_sd, v0_sd, residual)
SlabFit = Callable[[Float32], tuple[Float32, ...]]


@dataclass(frozen=True, eq=False)
class PreparedFit:
    """What is known before the first voxel is fitted.

    :param fit: the weighted least squares of the frames used.
    :param noise: variance scale of a voxel.
    :param variances: v_m of the frames, up to that scale.
    :param activity: mean activity of the body a frame, kBq/mL.
    :param sample: frames of the body's voxels in some slices, (frames, voxels).
    """

    fit: LinearFit
    noise: NoiseModel
    variances: Float64
    activity: Float64
    sample: Float32


def prepare_fit(problem: Problem, weighting: str = "frame") -> PreparedFit:
    """Design, weights and noise model of a problem.

    :param weighting: as the option ``weights`` of :class:`Patlak`.
    :raises InputError: the frames or the input function cannot be used.
    """
    series, timing = problem.series, problem.series.timing.select(problem.frames)
    design = patlak_design(problem.input_function, timing, series.frame_decay_per_s)
    sample = body_sample(series, problem.frames.tolist(), problem.mask)
    require_numbers(sample, problem)
    activity = sample.mean(axis=1, dtype=np.float64)
    require_plausible_scale(design[:, 1], activity)
    variances = frame_variances(timing, activity, series.tracer.decay_per_s)
    fit = weighted_fit(design, _weights(weighting, timing, variances, design))
    return PreparedFit(fit, estimate_noise(fit, sample, variances), variances, activity, sample)


class Patlak:
    """Weighted linear Patlak (see :mod:`petkinetics.kinetics.patlak`).

    Options: ``weights`` = ``frame`` (one weight a frame, T e^(-lambda mid) / mean activity in the
    body), ``voxel`` (T e^(-lambda mid) / model, a voxel), ``ratio`` (1/Cp^2: the unweighted line through
    the classical ratio plot) or ``uniform``.
    """

    method = "patlak"
    quantities: tuple[Quantity, ...] = (KI, V0, KI_SD, V0_SD, RESIDUAL)
    option_names: tuple[str, ...] = ("weights",)

    def estimate(self, problem: Problem, sink: MapSink, progress: Progress = no_progress) -> Estimate:
        """See :class:`petkinetics.estimators.estimator.Estimator`."""
        weighting = problem.choice("weights", ("frame", "voxel", "ratio", "uniform"))
        prepared = prepare_fit(problem, weighting)
        fit, variances, activity = prepared.fit, prepared.variances, prepared.activity
        sample, noise = prepared.sample, prepared.noise
        if weighting == "voxel":
            slab_fit: SlabFit = VoxelWeightedFit(fit, variances / activity.clip(1e-12), sample)
        else:
            slab_fit = _FrameWeightedFit(fit, noise, variances)
        self._stream(problem, slab_fit, sink, progress)
        return Estimate(fit_record(weighting, prepared, problem), region_fit(fit))

    def _stream(self, problem: Problem, slab_fit: SlabFit, sink: MapSink, progress: Progress) -> None:
        """Read, fit and write; all voxels are fitted, and those outside the mask set to 0."""
        series = problem.series
        _, rows, columns = series.geometry.shape
        frames = problem.frames.tolist()

        def slab(first: int, last: int) -> tuple[Float32, ...]:
            values = series.read(frames, first, last).reshape(len(frames), -1)
            maps = slab_fit(values)
            if not np.isfinite(maps[0].sum(dtype=np.float64)):
                require_numbers(values, problem, first)
            if problem.mask is not None:
                inside = problem.mask[first:last].reshape(-1)
                for values_of_map in maps:
                    values_of_map *= inside
            return tuple(m.reshape(-1, rows, columns) for m in maps)

        stream_slabs(problem, self.quantities, slab, sink, progress, "Estimating Ki and V0")


class _FrameWeightedFit:
    """One small matrix product a slab: parameters, mean activity and residuals in one."""

    def __init__(self, fit: LinearFit, noise: NoiseModel, variances: Float64) -> None:
        frames = fit.design.shape[0]
        mean = np.full((1, frames), 1.0 / frames)
        self._rows = np.concatenate([fit.solution, mean, fit.misfit]).astype(np.float32)
        self._noise = noise
        self._expected = np.float32(residual_shares(fit, variances).sum())
        self._spread = np.sqrt(parameter_variances(fit, variances)).astype(np.float32)

    def __call__(self, values: Float32) -> tuple[Float32, ...]:
        out = self._rows @ values
        ki, v0, activity, misfit = out[0], out[1], out[2], out[3:]
        scale = self._noise.scale(activity)
        residual = np.einsum("ij,ij->j", misfit, misfit)
        residual /= scale * self._expected
        np.sqrt(residual, out=residual)
        np.sqrt(scale, out=scale)
        return ki, v0, scale * self._spread[0], scale * self._spread[1], residual


def _weights(weighting: str, timing: FrameTiming, variances: Float64, design: Float64) -> Float64:
    if weighting == "ratio":
        require_blood(timing, design[:, 1])
        return 1.0 / design[:, 1] ** 2
    if weighting == "uniform":
        return np.ones_like(variances)
    return 1.0 / variances


def require_numbers(values: Float32, problem: Problem, first_slice: int | None = None) -> None:
    """Refuse NaN and infinity, naming the frame (and slice).

    :param values: frames used, kBq/mL, (frames, voxels).
    :param first_slice: where the voxels are those of whole slices: their first.
    :raises InputError: a value is not finite.
    """
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    frame, voxel = np.argwhere(bad)[0]
    _, rows, columns = problem.series.geometry.shape
    where = "" if first_slice is None else f", slice {first_slice + int(voxel) // (rows * columns) + 1}"
    raise InputError(
        f"Frame {int(problem.frames[frame]) + 1}{where} holds voxels that are not numbers (NaN or infinite).",
        "Export the series again, or leave the frame out with --t-star or --until.",
    )


def fit_record(weighting: str, prepared: PreparedFit, problem: Problem) -> dict[str, Any]:
    """What ``result.json`` says about frames, weights and noise."""
    timing, fit, noise, activity = problem.series.timing, prepared.fit, prepared.noise, prepared.activity
    return {
        "weighting": weighting,
        "frames_used": [
            {
                "index": int(i),
                "start_s": float(timing.start_s[i]),
                "duration_s": float(timing.duration_s[i]),
                "weight": float(w),
                "integral_kbq_min_per_ml": float(x),
                "plasma_kbq_per_ml": float(c),
                "body_mean_kbq_per_ml": float(a),
            }
            for i, w, (x, c), a in zip(problem.frames, fit.weights, fit.design, activity, strict=True)
        ],
        "noise": {"common": noise.common, "local": noise.local, "body_mean_kbq_per_ml": noise.body_mean},
    }


def region_fit(
    fit: LinearFit,
) -> Callable[[Float64], tuple[dict[str, tuple[float, float]], Float64]]:
    """The ``region_fit`` of :class:`petkinetics.estimators.estimator.Estimate`, by the weighted line.

    It takes frame means, (frames,), kBq/mL, and returns Ki (mL/min/mL) and V0 (mL/mL), each with its standard error,
    and the fitted means.
    """

    def of_curve(values: Float64) -> tuple[dict[str, tuple[float, float]], Float64]:
        found = fit_curve(fit, values)
        return {"ki": (found.ki, found.ki_se), "v0": (found.v0, found.v0_se)}, found.fitted_kbq_per_ml

    return of_curve
