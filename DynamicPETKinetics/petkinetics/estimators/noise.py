"""Weights and the noise model, estimated once from a sample of slices.

A frame's variance is taken as s * v_m with v_m = (mean activity in the body) / (T e^(-lambda mid)),
the count statistics of a decay-corrected frame. The scale s of a voxel is a + b * u, with u its mean
activity relative to the body's: reconstructed noise has a part that the whole slice shares and a part
that follows the local activity. a and b are estimated from the residuals of the fit in the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.light_numpy import evenly_spread, median
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import LinearFit
from petkinetics.series import DynamicSeries, Float32

Float64 = NDArray[np.float64]

_MOST_SLICES = 12
_BINS = 12
#: no voxel is taken to be less noisy than this share of the body's average variance
_LEAST = 0.05


def body_sample(series: DynamicSeries, frames: Sequence[int], mask: NDArray[np.bool_] | None) -> Float32:
    """Frames of the body's voxels in up to 12 slices spread over the volume: (frames, voxels).

    :raises InputError: the mask is empty in them, or voxels are not numbers.
    """
    slices = series.geometry.shape[0]
    chosen = evenly_spread(0, slices - 1, min(_MOST_SLICES + 2, slices))
    if len(chosen) > 3:
        chosen = chosen[1:-1]
    parts = []
    for k in chosen:
        values = series.read(list(frames), k, k + 1)[:, 0]
        parts.append(values.reshape(len(frames), -1) if mask is None else values[:, mask[k]])
    sample = np.concatenate(parts, axis=1)
    if sample.shape[1] == 0 and mask is not None and mask.any():
        k = int(np.flatnonzero(mask.any(axis=(1, 2)))[0])
        sample = series.read(list(frames), k, k + 1)[:, 0][:, mask[k]]
    if sample.shape[1] == 0:
        raise InputError("The mask is empty: there is no voxel to estimate.", "Check the file given with --mask.")
    return sample


def frame_variances(timing: FrameTiming, mean_activity: Float64, decay_per_s: float) -> Float64:
    """v_m = activity / (T e^(-lambda mid)), up to a scale, (frames,); activity floored at 2 % of its largest.

    :param mean_activity: of the body in every frame, (frames,), kBq/mL.
    :param decay_per_s: lambda of the nuclide.
    """
    activity = np.maximum(mean_activity, 0.02 * max(float(np.max(mean_activity)), 1e-12))
    return activity / (timing.duration_s * np.exp(-decay_per_s * timing.mid_s))


@dataclass(frozen=True)
class NoiseModel:
    """Variance scale of a voxel: a + b * u, u = its mean activity / body_mean.

    :param common: a, the part that all voxels share.
    :param local: b, the part that follows a voxel's activity.
    :param body_mean: kBq/mL.
    :param rounding: scale below which differences are rounding of float32, not noise.
    """

    common: float
    local: float
    body_mean: float
    rounding: float = 0.0

    def scale(self, activity: Float32) -> Float32:
        """Variance scale for voxels of some mean activity, never below 5 % of the average.

        :param activity: kBq/mL, any shape; the answer has its shape.
        """
        slope = np.float32(self.local / self.body_mean) if self.body_mean > 0 else np.float32(0)
        least = np.float32(max(_LEAST * (self.common + self.local), self.rounding, 1e-30))
        return np.maximum(np.float32(self.common) + slope * activity, least)


def estimate_noise(fit: LinearFit, sample: Float32, variances: Float64) -> NoiseModel:
    """Estimate a and b from the residuals of a sample of body voxels.

    Voxels are sorted into bins of activity; a bin's variance is the median of the residual variances
    over the median of a chi-squared variable (Wilson & Hilferty 1931), so that vessels, moving organs
    and other voxels that the model misses do not count; a + b*u is fitted to the bins with a, b >= 0.

    :param fit: the weighted fit; its weights need not be 1/v_m.
    :param sample: (frames, voxels), kBq/mL.
    :param variances: v_m, of activity but for a factor (no unit), (frames,).
    """
    activity = sample.mean(axis=0, dtype=np.float64)
    body_mean = float(activity.mean())
    # The sum of squares of the residuals is that of dof normal variables where the weights are 1/v_m;
    # with other weights it is a mixture, taken as the chi-squared of the same mean and variance.
    shares = residual_shares(fit, variances)
    dof = shares.sum() ** 2 / np.sum(shares**2)
    variance = np.sum((fit.misfit.astype(np.float32) @ sample) ** 2, axis=0) / shares.sum()
    order = np.argsort(activity)
    bins = [b for b in np.array_split(order, min(_BINS, max(1, order.size // 50))) if b.size]
    median_of_mean_chi2 = (1.0 - 2.0 / (9.0 * dof)) ** 3
    v = np.array([median(variance[b]) for b in bins]) / median_of_mean_chi2
    u = np.array([activity[b].mean() for b in bins]) / body_mean if body_mean > 0 else np.zeros(len(bins))
    common, local = _nonnegative_line(u, v)
    rounding = (np.finfo(np.float32).eps * body_mean) ** 2 / float(variances.min())
    return NoiseModel(common, local, body_mean, rounding)


def residual_shares(fit: LinearFit, variances: Float64) -> Float64:
    """Variances of the fit's independent residuals for frame variances v_m; all 1 for weights 1/v_m.

    The eigenvalues of M V M' with M the fit's misfit and V = diag(v_m), ascending, (frames - parameters,).

    :param variances: v_m, of activity but for a factor (no unit), (frames,).
    """
    return np.linalg.eigvalsh((fit.misfit * variances) @ fit.misfit.T)


def parameter_variances(fit: LinearFit, variances: Float64) -> Float64:
    """Variances of the parameters for frame variances v_m, whatever the weights: diagonal of S V S', (parameters,).

    :param fit: its solution is S.
    :param variances: v_m, of activity but for a factor (no unit), (frames,).
    """
    return np.sum(fit.solution**2 * variances, axis=1)


def _nonnegative_line(u: Float64, v: Float64) -> tuple[float, float]:
    """a, b >= 0 minimising the relative misfit of v = a + b u."""
    if not np.any(v > 0):
        return 0.0, 0.0
    weight = 1.0 / np.maximum(v, 1e-3 * v.max()) ** 2
    u = np.maximum(u, 0.0)
    s0, s1, s2 = weight.sum(), (weight * u).sum(), (weight * u * u).sum()
    t0, t1 = (weight * v).sum(), (weight * u * v).sum()
    determinant = s0 * s2 - s1 * s1
    if determinant > 1e-12 * s0 * s2:
        a, b = (s2 * t0 - s1 * t1) / determinant, (s0 * t1 - s1 * t0) / determinant
        if a >= 0 and b >= 0:
            return float(a), float(b)
        if a < 0 and s2 > 0:
            return 0.0, float(max(t1 / s2, 0.0))
    return float(t0 / s0), 0.0
