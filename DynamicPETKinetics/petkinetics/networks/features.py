"""What our network sees of a voxel: AIF-normalised numbers that mean the same in any framing and at any dose.

Frames until T are summed into five early windows and four late ones; tissue is divided by plasma, so that
an input function twice as high, or a dose twice as large, changes nothing. Beside them stand slope and
intercept of Patlak's fit of the late frames, and the SD of that slope. All but the SD are linear in the frames.
What the whole image shares (blood curve, framing, voxel size, noise) is a vector, the condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import LinearFit, patlak_design, require_blood, weighted_fit

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: minutes; the last edge is t* of the Patlak fit
EARLY_EDGES_MIN = (0.0, 0.75, 1.5, 3.0, 5.0, 9.0)
LATE_WINDOWS = 4
T_STAR_MIN = EARLY_EDGES_MIN[-1]
#: linear features: windows, then Ki and V0
WINDOWS = len(EARLY_EDGES_MIN) - 1 + LATE_WINDOWS
LINEAR = WINDOWS + 2
#: with the logarithm of Ki's SD
FEATURES = LINEAR + 1
#: what Ki is divided by (mL/min/mL), so that features are of size one
KI_UNIT = 0.01
#: SD of Ki whose logarithm is 0
KI_SD_UNIT = 1e-3
CONDITIONS = 18
_FEWEST_LATE = 3
#: voxels up to the first are taken as they are, coarser ones are divided to about the second, mm in the slice
LARGEST_VOXEL_MM, FINE_VOXEL_MM = 2.6, 2.0


@dataclass(frozen=True, eq=False)
class FeatureDesign:
    """Linear features of the frames of one scan.

    :param rows: (LINEAR, frames): features = rows @ frames (kBq/mL).
    :param late: indices, among the frames given, of those in the Patlak fit.
    :param fit: Patlak's fit of the late frames.
    :param condition: the part of the condition that blood and framing tell, see :func:`condition`.
    """

    rows: Float64
    late: NDArray[np.intp]
    fit: LinearFit
    condition: Float64


def late_frames(timing: FrameTiming) -> NDArray[np.intp]:
    """Frames of the Patlak fit, by index, (late,): those that start at 9 min or later.

    :raises InputError: fewer than three.
    """
    late = timing.window(T_STAR_MIN)
    if late.size < _FEWEST_LATE:
        raise InputError(
            f"The network needs at least {_FEWEST_LATE} frames after {T_STAR_MIN:g} min, and the frames used hold "
            f"{late.size}.",
            "Choose a later --until, or use a compartment model.",
        )
    return late


def feature_design(curve: InputFunction, timing: FrameTiming, weights: Float64, decay_per_s: float) -> FeatureDesign:
    """Make the features' rows for frames and an input function.

    :param curve: covers the frames.
    :param timing: all frames until T.
    :param weights: of the late frames in Patlak's fit, (late,), proportional to 1/variance.
    :param decay_per_s: lambda of the weight within a frame; 0 for plain means.
    :raises InputError: too few late frames, or the blood curve does not reach them or holds no blood in one.
    """
    late = late_frames(timing)
    design = patlak_design(curve, timing, decay_per_s)
    plasma = design[:, 1]
    require_blood(timing.select(late), plasma[late])
    fit = weighted_fit(design[late], weights)
    level = float(np.average(plasma[late], weights=timing.duration_s[late]))
    rows = np.zeros((LINEAR, len(timing)))
    early = np.setdiff1d(np.arange(len(timing)), late)
    groups = [_nearest(timing, early if early.size else late, *edges) for edges in pairwise(EARLY_EDGES_MIN)]
    end = float(timing.end_s[-1]) / 60.0
    groups += [
        _nearest(timing, late, *edges) for edges in pairwise(np.linspace(T_STAR_MIN, end, LATE_WINDOWS + 1).tolist())
    ]
    blood = []
    for n, group in enumerate(groups):
        mean = timing.duration_s[group] / timing.duration_s[group].sum()
        own = float(mean @ plasma[group])
        blood.append(own / level)
        rows[n, group] = mean / (level if n < len(EARLY_EDGES_MIN) - 1 else own)
    rows[WINDOWS, late] = fit.solution[0] / KI_UNIT
    rows[WINDOWS + 1, late] = fit.solution[1]
    return FeatureDesign(rows, late, fit, _of_blood(curve, timing, design, fit, blood))


def condition(
    design: FeatureDesign, spacing_mm: tuple[float, float, float], correlation_sd_mm: tuple[float, float, float]
) -> Float32:
    """What the whole image shares, float32 (CONDITIONS,).

    :param spacing_mm: voxel size (x, y, z); *correlation_sd_mm*: of the noise, likewise.
    """
    in_plane = float(np.sqrt(spacing_mm[0] * spacing_mm[1]))
    noise_in_plane = float(np.mean(correlation_sd_mm[:2]))
    image = [np.log(in_plane / 2.0), np.log(spacing_mm[2] / 3.0), noise_in_plane / 2.5, correlation_sd_mm[2] / 2.5]
    return np.concatenate([design.condition, image]).astype(np.float32)


def fine_voxel_mm(size_mm: float) -> float:
    """Voxels that the network is given in place of coarse ones, mm in the slice: whole parts of *size_mm*, or 2 mm."""
    if size_mm <= LARGEST_VOXEL_MM:
        return size_mm
    part = size_mm / round(size_mm / FINE_VOXEL_MM)
    return part if 0.85 <= part / FINE_VOXEL_MM <= 1.2 else FINE_VOXEL_MM


def log_sd(ki_sd: Float32) -> Float32:
    """The feature that tells the noise: log10 of Ki's SD over 0.001, not below -3.

    :param ki_sd: mL/min/mL, any shape; the answer has its shape.
    """
    return np.log10(np.maximum(ki_sd, 1e-3 * KI_SD_UNIT) / KI_SD_UNIT).astype(np.float32)


def _of_blood(
    curve: InputFunction, timing: FrameTiming, design: Float64, fit: LinearFit, blood: list[float]
) -> Float64:
    """Shape of the blood curve in the windows, and how Patlak's two parameters are told apart."""
    late_blood = np.array(blood[len(EARLY_EDGES_MIN) - 1 :])
    sd = np.sqrt(np.diag(fit.covariance))
    whole = curve.whole_blood_frame_mean(timing)
    return np.concatenate(
        [
            np.log(np.array(blood[: len(EARLY_EDGES_MIN) - 1]) + 0.05),
            np.log(late_blood[[0, 1, 3]]),
            [
                float(timing.end_s[-1]) / 3600.0,
                np.log(design[-1, 0] / design[-1, 1] / 60.0),
                fit.design[0, 0] / fit.design[-1, 0],
                np.log(sd[1] / sd[0] / 30.0),
                fit.covariance[0, 1] / (sd[0] * sd[1]),
                float(whole[-1] / design[-1, 1]) - 0.9,
            ],
        ]
    )


def _nearest(timing: FrameTiming, among: NDArray[np.intp], low_min: float, high_min: float) -> NDArray[np.intp]:
    """Frames whose middle lies in a window; the one nearest to it where there is none."""
    middle = timing.mid_s[among] / 60.0
    inside = among[(middle >= low_min) & (middle < high_min)]
    return inside if inside.size else among[[int(np.argmin(np.abs(middle - 0.5 * (low_min + high_min))))]]
