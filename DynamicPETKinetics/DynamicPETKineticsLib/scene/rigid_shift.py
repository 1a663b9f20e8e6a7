"""How far one coarse image of a patient lies from another, although the tracer has moved on meanwhile."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_COMPRESSED = 0.3
_ROUNDS = 12
_CONVERGED = 0.002
#: blocks at the borders that are left out: what is seen there changes with the shift
_MARGIN = 2


def outline(image: Float32) -> Float32:
    """The image with bright organs compressed and smoothed, so that its outlines weigh more than uptake.

    v = a/(a + m) with m 0.3 of the body's mean: 0 in air, near 1 in tissue, hardly more in the hottest organ.
    """
    positive = np.maximum(image, 0.0)
    body = positive > 0.1 * np.percentile(positive, 98)
    middle = _COMPRESSED * float(positive[body].mean()) if body.any() else 0.0
    squashed = np.asarray(positive / (positive + middle) if middle > 0 else positive, dtype=np.float32)
    for axis in range(3):
        if squashed.shape[axis] > 2:
            squashed = _smoothed(squashed, axis)
    return squashed


def shift_steps(fixed: Float32, moving: Float32) -> Generator[None, None, Float64]:
    """The shift of what is seen from *fixed* to *moving*, in blocks along (slice, row, column).

    Whole blocks come from the peak of the cross-correlation, the rest from least squares of
    fixed = gain moving(x + shift) + offset (Gauss-Newton); places that fit badly, where the tracer
    has redistributed, weigh little (Cauchy's weights).

    :param fixed: :func:`outline` of an image, *moving* likewise.
    :returns: the shift (of the generator).
    """
    shift = _whole_blocks(fixed, moving)
    for _ in range(_ROUNDS):
        yield
        step = _improvement(fixed, shifted(moving, shift))
        shift += np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < _CONVERGED:
            break
    return shift


def shifted(image: Float32, shift: Float64) -> Float32:
    """image(x + shift) by linear interpolation; beyond its borders the image goes on as it ends."""
    moved = image
    for axis, distance in enumerate(shift):
        whole = int(np.floor(distance))
        part = np.float32(distance - whole)
        at = np.arange(image.shape[axis]) + whole
        last = image.shape[axis] - 1
        lower = moved.take(np.clip(at, 0, last), axis=axis)
        if part:
            upper = moved.take(np.clip(at + 1, 0, last), axis=axis)
            lower = lower + part * (upper - lower)
        moved = lower
    return np.asarray(moved, dtype=np.float32)


def _improvement(fixed: Float32, moved: Float32) -> Float64:
    inner = tuple(slice(_MARGIN, -_MARGIN) if n > 3 * _MARGIN else slice(None) for n in fixed.shape)
    middle = 0.5 * (fixed + moved)
    slopes = [np.gradient(middle, axis=axis)[inner].ravel() if n > 2 else None for axis, n in enumerate(fixed.shape)]
    used = [axis for axis, slope in enumerate(slopes) if slope is not None]
    columns = [slope for slope in slopes if slope is not None]
    there = moved[inner].ravel()
    design = np.stack([*columns, there, np.ones_like(there)], axis=1).astype(np.float64)
    difference = fixed[inner].ravel().astype(np.float64) - there
    weights = np.ones_like(difference)
    found = np.zeros(design.shape[1])
    for _ in range(3):
        weighted = design * weights[:, None]
        found = np.linalg.lstsq(weighted.T @ design, weighted.T @ difference, rcond=None)[0]
        residual = difference - design @ found
        scale = 2.0 * np.median(np.abs(residual[np.abs(residual) > 0])) if np.any(residual) else 1.0
        weights = 1.0 / (1.0 + (residual / scale) ** 2)
    step = np.zeros(3)
    step[used] = found[: len(used)]
    return step


def _whole_blocks(fixed: Float32, moving: Float32) -> Float64:
    shape = [2 * n for n in fixed.shape]
    axes = (0, 1, 2)
    product = np.fft.rfftn(moving - moving.mean(), shape, axes) * np.conj(
        np.fft.rfftn(fixed - fixed.mean(), shape, axes)
    )
    correlation = np.fft.irfftn(product, shape, axes)
    peak = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
    found = np.array([p - n if p > n // 2 else p for p, n in zip(peak, shape, strict=True)], dtype=np.float64)
    # A patient moves by centimetres at most; a peak further out is a coincidence.
    limit = np.array(fixed.shape) / 4.0
    return np.where(np.abs(found) <= limit, found, 0.0)


def _smoothed(image: Float32, axis: int) -> Float32:
    padded = np.pad(image, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
    n = image.shape[axis]
    parts = [padded.take(range(first, first + n), axis=axis) for first in range(3)]
    return np.asarray(0.25 * parts[0] + 0.5 * parts[1] + 0.25 * parts[2], dtype=np.float32)
