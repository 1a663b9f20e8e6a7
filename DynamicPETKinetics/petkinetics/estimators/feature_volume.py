"""Features of a series for our networks, slab by slab: what training drew, measured.

docs/methods.md, "Kinetic network".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.estimators.boxes import Box
from petkinetics.estimators.estimator import Problem
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.estimators.learned import body_box
from petkinetics.estimators.noise_correlation import NoiseCorrelation, noise_correlation
from petkinetics.estimators.patlak import PreparedFit, prepare_fit, require_numbers
from petkinetics.frames import FrameTiming
from petkinetics.input_function.tail import extrapolated
from petkinetics.networks.features import (
    FeatureDesign,
    condition,
    feature_design,
    fine_voxel_mm,
    late_frames,
    log_sd,
)
from petkinetics.networks.model_rows import REFERENCE_END_MIN

Float32 = NDArray[np.float32]

#: voxels around the body that the network still sees
_MARGIN_MM = 30.0
#: FWHM over which activity is averaged before its noise is read from it
_SMOOTHING_MM = 8.0


@dataclass(frozen=True, eq=False)
class FeatureVolume:
    """What is known before the first slab.

    :param curve: the input function, reaching 65 min (extrapolated where the scan ends earlier).
    :param timing: of the frames used.
    :param late: Patlak's fit of the late frames and its noise.
    :param condition: what the whole image shares, for voxels as the network is given them.
    :param box: the body with a margin: (slices, rows, columns).
    """

    problem: Problem
    curve: InputFunction
    timing: FrameTiming
    design: FeatureDesign
    late: PreparedFit
    correlation: NoiseCorrelation
    condition: Float32
    box: Box

    @classmethod
    def of(cls, problem: Problem) -> FeatureVolume:
        """Prepare features.

        :raises InputError: frames or input function cannot be used.
        """
        series = problem.series
        timing = series.timing.select(problem.frames)
        curve = problem.input_function
        curve.require_cover(timing)
        late = late_frames(timing)
        of_late = replace(problem, frames=problem.frames[late])
        prepared = prepare_fit(of_late)
        longer = extrapolated(curve.until(float(timing.end_s[-1])), 60.0 * REFERENCE_END_MIN)
        design = feature_design(longer, timing, prepared.fit.weights, series.frame_decay_per_s)
        correlation = noise_correlation(of_late, prepared.fit)
        sd = correlation.sd_mm[::-1]
        fine = [fine_voxel_mm(size) for size in series.geometry.spacing_mm[:2]]
        return cls(
            problem=problem,
            curve=longer,
            timing=timing,
            design=design,
            late=prepared,
            correlation=correlation,
            condition=condition(design, (fine[0], fine[1], series.geometry.spacing_mm[2]), (sd[0], sd[1], sd[2])),
            box=body_box(problem, _MARGIN_MM),
        )

    def frames_of(self, first: int, last: int) -> Float32:
        """Frames of some slices within the box's rows and columns, float32 (frames, slices, rows, columns), kBq/mL.

        Slices beyond the first and the last are those repeated.
        :raises InputError: a voxel is not a number.
        """
        count = self.problem.series.geometry.shape[0]
        low, high = max(first, 0), min(last, count)
        values = self.problem.series.read(self.problem.frames.tolist(), low, high)
        values = np.ascontiguousarray(values[:, :, self.box[1], self.box[2]])
        if not np.isfinite(values.sum(dtype=np.float64)):
            require_numbers(values.reshape(len(values), -1), self.problem)
        return np.pad(values, ((0, 0), (low - first, last - high), (0, 0), (0, 0)), mode="edge")

    def features_of(self, frames: Float32) -> Float32:
        """Features of such frames, float32 (slices, FEATURES, rows, columns)."""
        from scipy import ndimage

        rows = self.design.rows.astype(np.float32)
        flat = frames.reshape(len(frames), -1)
        linear = (rows @ flat).reshape(len(rows), *frames.shape[1:])
        activity = frames[self.design.late].mean(axis=0)
        sd = sd_in_voxels(_SMOOTHING_MM, self.problem.series.geometry.spacing_mm[::-1])
        activity = ndimage.gaussian_filter(activity, sd, mode="nearest", truncate=2.0)
        spread = float(np.sqrt(self.late.fit.covariance[0, 0]))
        ki_sd = np.sqrt(self.late.noise.scale(activity)) * np.float32(spread)
        return np.concatenate([linear, log_sd(ki_sd)[None]]).swapaxes(0, 1)
