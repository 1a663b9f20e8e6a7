"""How far the frames of a scan lie apart, beyond what uptake explains: a patient who moved between them.

A body that shifts by d at some time changes every later frame by -d . grad A. Patlak's straight line explains what
tracer does over the late frames; of a step in time it leaves a known part. That part of the residuals, regressed on
the slopes of the mean image (and on Ki and V0, since late kinetics bend a little), gives d.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.kinetics.patlak import LinearFit

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: rows before the steps: mean activity, Ki, V0
_IMAGES = 3
#: images are smoothed to this FWHM: the slopes then hold over the shifts that are looked for
_SMOOTHING_MM = 18.0
#: blocks around the body that are still looked at: its outline shows most
_AROUND = 2
#: along an axis of fewer blocks a shift cannot be told from what comes in and out of view
FEWEST_BLOCKS = 8


@dataclass(frozen=True, eq=False)
class Shift:
    """A shift of the body.

    :param mm: along (slice, row, column).
    :param change: |d . grad A| of an image A, how much it changes a block, kBq/mL, (slices, rows, columns).
    """

    mm: Float64
    change: Float32

    @property
    def distance_mm(self) -> float:
        """Its length."""
        return float(np.linalg.norm(self.mm))


@dataclass(frozen=True, eq=False)
class FrameShift(Shift):
    """A step of the body; its size is told low when it is larger than the images' blur.

    :param frame: the first frame after it, among the late frames.
    :param explained: share of the unexplained step's variance that the shift explains.
    """

    frame: int
    explained: float


def shift_rows(fit: LinearFit, steps: Sequence[int]) -> Float64:
    """Rows over the late frames: weighted mean activity, Ki, V0, and the unexplained part of a step at each time.

    :param fit: Patlak's of the late frames.
    :param steps: frames that a step may begin with, 1 to frames - 1.
    :returns: (3 + steps, frames); the rows of steps turn a step of height 1 into 1.
    """
    weights = fit.weights / fit.weights.sum()
    rows = [weights, *fit.solution]
    for first in steps:
        step = (np.arange(len(weights)) >= first).astype(np.float64)
        left = step - fit.design @ (fit.solution @ step)
        rows.append(fit.weights * left / np.sum(fit.weights * left**2))
    return np.array(rows)


def frame_shift(
    images: Float32, inside: Mask, spacing_mm: tuple[float, float, float], steps: Sequence[int]
) -> FrameShift | None:
    """The largest step.

    :param images: sums by :func:`shift_rows`, (3 + steps, slices, rows, columns).
    :param inside: the body.
    :returns: None where there is nothing to compare.
    """
    from scipy.ndimage import binary_dilation, gaussian_filter

    axes = [axis for axis in range(3) if inside.shape[axis] >= FEWEST_BLOCKS]
    if not inside.any() or not axes or not steps:
        return None
    sd = sd_in_voxels(_SMOOTHING_MM, spacing_mm)
    smooth = [gaussian_filter(image, sd, mode="nearest", truncate=2.5) for image in images]
    mean, ki, v0 = smooth[:_IMAGES]
    where = binary_dilation(inside, iterations=_AROUND)
    slopes = [np.gradient(mean, spacing_mm[axis], axis=axis) for axis in axes]
    columns = [-slope[where] for slope in slopes]
    columns += [ki[where], v0[where], np.ones(int(where.sum()), np.float32)]
    design = np.stack(columns, axis=1).astype(np.float64)
    best: FrameShift | None = None
    for first, image in zip(steps, smooth[_IMAGES:], strict=True):
        seen = image[where].astype(np.float64)
        found = np.linalg.lstsq(design.T @ design, design.T @ seen, rcond=None)[0]
        mm = np.zeros(3)
        mm[axes] = found[: len(axes)]
        if best is None or np.linalg.norm(mm) > best.distance_mm:
            rest = seen - design @ found
            without = seen - design[:, len(axes) :] @ np.linalg.lstsq(design[:, len(axes) :], seen, rcond=None)[0]
            explained = 1.0 - float(np.sum(rest**2) / max(float(np.sum(without**2)), 1e-30))
            change = sum(s * np.float32(d) for s, d in zip(slopes, found[: len(axes)], strict=True))
            best = FrameShift(mm, np.asarray(np.abs(change), dtype=np.float32), first, explained)
    return best
