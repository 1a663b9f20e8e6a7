"""How far a patient slides in the course of a scan: too little from frame to frame to be seen, but not from end to end.

What a late image L looks like differs from the early ones E by kinetics and by the shift d of the body between them.
In a patch a few centimetres wide kinetics are a few tissues' own, and L is a sum of early images there, with
coefficients of the patch; what is left of it is -d . grad L, with the same d in all patches. Patches whose remainder
is large for another reason (a beating heart, a bladder that fills) count less, and how the patches disagree gives the
error of d: noise, kinetics and breath are all in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.coarse_frames import smoothed
from petkinetics.estimators.frame_shift import FEWEST_BLOCKS, Shift
from petkinetics.frames import TOLERANCE_S, FrameTiming

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: early images, by the middles of their frames, min: first pass, distribution, first uptake
_EARLY_MIN = ((-np.inf, 2.0), (2.0, 5.0), (5.0, 12.0))
#: the late image: the last minutes, and the fewest of them
_LATE_MIN, _LEAST_LATE_MIN = 15.0, 5.0
_SMOOTHING_MM, PATCH_MM = 10.0, 24.0
#: blocks around the body that are still looked at: its outline shows most
_AROUND = 2
#: a patch has at least this share of its blocks, and a scan so many patches
_FILLED, _FEWEST_PATCHES = 0.3, 20
_STEPS = 15


@dataclass(frozen=True, eq=False)
class Drift(Shift):
    """A shift of the body from the early frames to the late ones; its change is that of the late image.

    :param covariance_mm2: of *mm*, along the axes that were looked at.
    """

    covariance_mm2: Float64

    @property
    def z(self) -> float:
        """Its length in standard errors."""
        seen = self.mm[3 - len(self.covariance_mm2) :]
        return float(seen @ np.linalg.solve(self.covariance_mm2, seen)) ** 0.5


def drift_rows(timing: FrameTiming) -> Float64 | None:
    """Rows over the frames that give the early images and, last, the late one, (images, frames).

    :returns: None where the scan is too short, or nothing was taken early.
    """
    middle, end = timing.mid_s / 60.0, float(timing.end_s[-1]) / 60.0
    spans = [(middle >= low) & (middle < high) & (timing.end_s > 0) for low, high in _EARLY_MIN]
    early = [chosen for chosen in spans if chosen.any()]
    late_from_s = 60.0 * max(end - _LATE_MIN, float(_EARLY_MIN[-1][1]))
    late = timing.start_s >= late_from_s - TOLERANCE_S
    if not early or float(timing.duration_s[late].sum()) < 60.0 * _LEAST_LATE_MIN:
        return None
    weights = np.array([np.where(chosen, timing.duration_s, 0.0) for chosen in (*early, late)])
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def slow_drift(images: Float32, inside: Mask, spacing_mm: tuple[float, float, float]) -> Drift | None:
    """The shift between early and late images.

    :param images: sums by :func:`drift_rows`, kBq/mL, (images, slices, rows, columns); overwritten.
    :param inside: the body.
    :returns: None where there is too little of it. Along slices fewer than 8 blocks show no shift.
    """
    from scipy.ndimage import binary_dilation

    axes = [axis for axis in range(3) if axis > 0 or inside.shape[0] >= FEWEST_BLOCKS]
    if min(inside.shape[1:]) < FEWEST_BLOCKS:
        return None
    for image in images:
        image[:] = smoothed(image, _SMOOTHING_MM, spacing_mm)
    slopes = np.stack([np.gradient(images[-1], spacing_mm[axis], axis=axis) for axis in axes])
    around = np.zeros((3, 3, 3), bool)
    around[1] = True
    where = binary_dilation(inside, around, iterations=_AROUND)
    size = [min(max(1, round(PATCH_MM / step)), n) for step, n in zip(spacing_mm, where.shape, strict=True)]
    parts = []
    for first in range(0, where.shape[0] // size[0] * size[0], size[0]):
        some = slice(first, first + size[0])
        columns = np.concatenate([images[:-1, some], -slopes[:, some], images[-1:, some]])
        parts.append(_unexplained(columns, where[some], size, len(images) - 1))
    products, count = (np.concatenate(each) for each in zip(*parts, strict=True))
    if len(products) < _FEWEST_PATCHES:
        return None
    found = _robust_shift(products, count)
    if found is None:
        return None
    mm = np.zeros(3)
    mm[axes] = found[0]
    change = np.abs(np.tensordot(found[0].astype(np.float32), slopes, 1))
    return Drift(mm, np.asarray(change, dtype=np.float32), found[1])


def _unexplained(columns: Float32, where: Mask, size: list[int], early: int) -> tuple[Float64, Float64]:
    """Of every patch: products of slopes and late image without what a constant and the early images explain.

    :param columns: early images, slopes, late image, (columns, slices, rows, columns).
    :param size: of a patch, blocks.
    :returns: (patches, slopes + 1, slopes + 1), and the number of blocks in each.
    """
    inside = _patches(where[None], size)[:, 0]
    use = inside.sum(axis=1) >= max(_FILLED * float(np.prod(size)), 2.0 * len(columns))
    inside = inside[use]
    count = inside.sum(axis=1).astype(np.float64)
    values = _patches(columns, size)[use].astype(np.float64) * inside[:, None]
    values -= (values.sum(axis=2) / count[:, None])[:, :, None] * inside[:, None]
    # early images of one patch differ by orders of magnitude, and resemble each other
    values[:, :early] /= np.maximum(np.linalg.norm(values[:, :early], axis=2, keepdims=True), 1e-30)
    gram = np.einsum("pik,pjk->pij", values, values)
    known, across = gram[:, :early, :early], gram[:, :early, early:]
    known = known + 1e-6 * np.eye(early)
    return gram[:, early:, early:] - across.transpose(0, 2, 1) @ np.linalg.solve(known, across), count


def _patches(images: NDArray[np.generic], size: list[int]) -> NDArray[np.generic]:
    """(images, slices, rows, columns) to (patches, images, blocks); what fills no patch at the far ends is left out."""
    whole = [n // k for n, k in zip(images.shape[1:], size, strict=True)]
    slices, rows, columns = (slice(0, n * k) for n, k in zip(whole, size, strict=True))
    cut = images[:, slices, rows, columns]
    split = cut.reshape(len(images), *(x for pair in zip(whole, size, strict=True) for x in pair))
    return split.transpose(1, 3, 5, 0, 2, 4, 6).reshape(int(np.prod(whole)), len(images), -1)


def _robust_shift(products: Float64, count: Float64) -> tuple[Float64, Float64] | None:
    """The shift, and its covariance from how the patches disagree (White 1980)."""
    normal, right, square = products[:, :-1, :-1], products[:, :-1, -1], products[:, -1, -1]
    weights = np.ones(len(count))
    for _ in range(_STEPS):
        matrix = np.tensordot(weights, normal, 1)
        if not np.linalg.cond(matrix) < 1e8:
            return None
        shift = np.linalg.solve(matrix, weights @ right)
        rest = square - 2.0 * right @ shift + np.einsum("i,pij,j->p", shift, normal, shift)
        variance = np.maximum(rest, 0.0) / count
        weights = 1.0 / np.maximum(variance + np.median(variance), 1e-30)
    scores = weights[:, None] * (right - normal @ shift)
    inverse = np.linalg.inv(np.tensordot(weights, normal, 1))
    return np.asarray(shift), np.asarray(inverse @ (scores.T @ scores) @ inverse)
