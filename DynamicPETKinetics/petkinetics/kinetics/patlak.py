"""Patlak's graphical model in its linear two-basis form (Patlak, Blasberg & Fenstermacher 1983).

    frame mean of C_T = Ki * frame mean of integral Cp + V0 * frame mean of Cp

fitted by weighted least squares, so one small matrix serves every voxel. Dividing both sides by the
frame mean of Cp gives the classical ratio plot that people look at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming

Float64 = NDArray[np.float64]

#: what is divided by blood needs at least this share of its mean over the frames
_LEAST_BLOOD = 0.01


def patlak_design(input_function: InputFunction, timing: FrameTiming, decay_per_s: float = 0.0) -> Float64:
    """The two regressors: frame means of the integral of Cp (kBq/mL*min) and of Cp (kBq/mL).

    :param timing: the frames of the fit only.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame, 1/s; 0 for plain means.
    :returns: shape (frames, 2).
    :raises InputError: the input function ends before the frames do.
    """
    input_function.require_cover(timing)
    return np.stack(
        [
            input_function.plasma_integral_frame_mean(timing, decay_per_s),
            input_function.plasma_frame_mean(timing, decay_per_s),
        ],
        axis=1,
    )


def require_blood(timing: FrameTiming, plasma_kbq_per_ml: Float64) -> None:
    """Refuse frames without blood where something is to be divided by it.

    :param plasma_kbq_per_ml: frame means of Cp, (frames,).
    :raises InputError: a frame holds less than 1 % of the frames' mean.
    """
    level = float(np.average(plasma_kbq_per_ml, weights=timing.duration_s))
    lost = np.flatnonzero(plasma_kbq_per_ml <= _LEAST_BLOOD * max(level, 0.0))
    if lost.size:
        frame = int(lost[0])
        raise InputError(
            f"The blood curve holds next to nothing from {timing.start_s[frame] / 60:.1f} to "
            f"{timing.end_s[frame] / 60:.1f} min ({plasma_kbq_per_ml[frame]:.3g} kBq/mL; the frames' mean is "
            f"{level:.3g}), and this method divides by it.",
            "Draw a larger blood region or give another curve with --input-function; --method patlak with its default "
            "weights does not divide.",
        )


def plot_weights(timing: FrameTiming, design: Float64, decay_per_s: float) -> Float64:
    """Weights that take the variance of tissue to fall as plasma does, T e^(-lambda t) / Cp, (frames,).

    :param design: of :func:`patlak_design`, (frames, 2).
    :param decay_per_s: the tracer's lambda.
    :raises InputError: a frame holds no blood, see :func:`require_blood`.
    """
    require_blood(timing, design[:, 1])
    return timing.duration_s / timing.decay_factors(decay_per_s) / design[:, 1]


@dataclass(frozen=True, eq=False)
class LinearFit:
    """Weighted linear least squares of frames on a design, prepared once for all voxels.

    With A the design and W the weights, the rows of *solution* turn a voxel's frames into its
    parameters, and the rows of *misfit* turn them into frames - 2 independent residuals whose sum of
    squares is the weighted residual sum of squares.

    :param solution: (parameters, frames), (A'WA)^-1 A'W.
    :param misfit: (frames - parameters, frames), orthonormal complement of W^1/2 A, times W^1/2.
    :param covariance: (parameters, parameters), (A'WA)^-1: covariance a unit of variance scale.
    """

    design: Float64
    weights: Float64
    solution: Float64
    misfit: Float64
    covariance: Float64

    @property
    def degrees_of_freedom(self) -> int:
        """Frames minus parameters."""
        return int(self.misfit.shape[0])


def weighted_fit(design: Float64, weights: Float64) -> LinearFit:
    """Prepare the weighted least squares of a design.

    :param design: (frames, parameters), any unit a column.
    :param weights: (frames,), above zero: proportional to 1/variance.
    :raises InputError: fewer frames than parameters + 1, or the regressors cannot be told apart.
    """
    frames, parameters = design.shape
    if frames <= parameters:
        raise InputError(
            f"Only {frames} frame{'s' if frames != 1 else ''} can be used, and the Patlak fit needs at least "
            f"{parameters + 1}.",
            "Choose an earlier --t-star or a later --until.",
        )
    root = np.sqrt(weights)
    scale = np.linalg.norm(design * root[:, None], axis=0)
    if not np.all(scale > 0):
        raise InputError("The input function has no activity in the frames used, so nothing can be fitted.")
    q, r = np.linalg.qr(design * root[:, None] / scale, mode="complete")
    upper = r[:parameters]
    if abs(upper[-1, -1]) < 1e-7:
        raise InputError(
            "The blood curve in the frames used does not separate uptake from distribution (the Patlak plot would "
            "be a single point).",
            "Check the input function and the frame times.",
        )
    inverse = np.linalg.inv(upper) / scale[:, None]
    return LinearFit(
        design=design,
        weights=weights,
        solution=(inverse @ q[:, :parameters].T) * root,
        misfit=q[:, parameters:].T * root,
        covariance=inverse @ inverse.T,
    )


@dataclass(frozen=True)
class RegionFit:
    """Patlak in one region's curve.

    :param ki: slope, mL/min/mL; *ki_se* its standard error from the scatter about the line.
    :param v0: intercept, mL/mL; *v0_se* its standard error.
    :param fitted_kbq_per_ml: the model's frame means, shape (frames,).
    """

    ki: float
    v0: float
    ki_se: float
    v0_se: float
    fitted_kbq_per_ml: Float64


def fit_curve(fit: LinearFit, frames_kbq_per_ml: Float64) -> RegionFit:
    """Fit one region curve; standard errors from its own residuals.

    :param frames_kbq_per_ml: frame means of the frames of the fit, shape (frames,).
    """
    values = np.asarray(frames_kbq_per_ml, dtype=np.float64)
    ki, v0 = fit.solution @ values
    scale = float(np.sum((fit.misfit @ values) ** 2)) / fit.degrees_of_freedom
    ki_se, v0_se = np.sqrt(scale * np.diag(fit.covariance))
    return RegionFit(float(ki), float(v0), float(ki_se), float(v0_se), fit.design @ np.array([ki, v0]))
