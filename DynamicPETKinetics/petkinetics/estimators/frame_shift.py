"""How far the frames of a scan lie apart, beyond what uptake explains: a patient who moved between them.

A body that shifts by d at some time changes every later frame by -d . grad A. Patlak's straight line explains what
tracer does over the late frames; of a step in time it leaves a known part. That part of the residuals, regressed on
the slopes of the mean image (and on Ki and V0, since late kinetics bend a little), gives d.

docs/methods.md, "Faults of a scan".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.coarse_frames import smoothed
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

    :param images: sums by :func:`shift_rows`: activity, kBq/mL, Ki, mL/min/mL, V0, mL/mL, and steps, kBq/mL;
        (3 + steps, slices, rows, columns); overwritten.
    :param inside: the body.
    :returns: None where there is nothing to compare.
    """
    from scipy.ndimage import binary_dilation

    axes = [axis for axis in range(3) if inside.shape[axis] >= FEWEST_BLOCKS]
    if not inside.any() or not axes or not steps:
        return None
    for image in images:
        image[:] = smoothed(image, _SMOOTHING_MM, spacing_mm)
    where = binary_dilation(inside, iterations=_AROUND)
    slopes = np.stack([np.gradient(images[0], spacing_mm[axis], axis=axis) for axis in axes])
    n = len(axes)
    # columns: what a shift does along each axis, Ki, V0, a constant; then what is seen of every step
    products = np.zeros((n + 3 + len(steps),) * 2)
    for k, blocks in enumerate(where):
        known = [-slopes[:, k, blocks], images[1:_IMAGES, k, blocks], np.ones((1, int(blocks.sum())))]
        columns = np.concatenate([*known, images[_IMAGES:, k, blocks]]).astype(np.float64)
        products += columns @ columns.T
    normal, right = products[: n + 3, : n + 3], products[: n + 3, n + 3 :]
    found = np.linalg.lstsq(normal, right, rcond=None)[0]
    best = int(np.argmax(np.linalg.norm(found[:n], axis=0)))
    d, square = found[:n, best], products[n + 3 + best, n + 3 + best]
    without = np.linalg.lstsq(normal[n:, n:], right[n:, best], rcond=None)[0]
    left = square - found[:, best] @ right[:, best]
    left_without = square - without @ right[n:, best]
    mm = np.zeros(3)
    mm[axes] = d
    change = np.abs(np.tensordot(d.astype(np.float32), slopes, 1))
    explained = 1.0 - float(left / max(left_without, 1e-30))
    return FrameShift(mm, np.asarray(change, dtype=np.float32), steps[best], explained)
