"""The share of every voxel that follows the blood, by a linear model of the early frames.

A voxel's early curve is a mixture of what blood does and what tissue does with it:
C(t) = f b(t) + k1 (b * e^(-t/min))(t) + k2 (b * 1)(t), with b the blood curve. The share f is near 1 in
vessels and heart, and small in organs however strongly they are perfused (the linear form of the
tissue models, Gunn et al. 1997, with two fixed exponentials). It weighs all frames together, where a
peak image shows what happens to be bright, kidneys and noise among it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.frames import FrameTiming
from petkinetics.input_function.aorta_images import EARLY_S, EarlyImages, smoothed

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: where the first pass is brightest, this volume (mL) makes the first guess of the blood curve
_GUESS_ML = 25.0
#: volume (mL) of blood that a scan with the aorta shows at least, vessels and heart together
_BLOOD_ML = 50.0
#: what is washed out of tissue within a minute or so, 1/s; and what stays
_TISSUE_RATES_PER_S = (1.0 / 60.0, 0.0)


def first_blood_curve(images: EarlyImages) -> Float64:
    """A first guess of the blood curve: where the first pass is brightest above what stays.

    :returns: kBq/mL, shape (frames,).
    """
    early = images.early
    bright = _running_maximum(images.values[early], images.timing.duration_s[early])
    after = images.timing.start_s >= images.timing.start_s[0] + EARLY_S
    stays = images.values[after].mean(axis=0) if after.any() else images.values[-1]
    passing = smoothed(bright - stays, images.grid)
    return images.mean_curve(_highest(passing, images.voxels_of(_GUESS_ML)))


def _highest(volume: Float32, count: int) -> NDArray[np.bool_]:
    """The *count* highest voxels."""
    out = np.zeros(volume.size, dtype=bool)
    out[np.argpartition(volume.ravel(), -count)[-count:]] = True
    return out.reshape(volume.shape)


def _running_maximum(values: Float32, duration_s: Float64) -> Float32:
    """The brightest mean of some 20 s of consecutive frames."""
    best: Float32 | None = None
    for first in range(len(values)):
        last = first + 1
        while last < len(values) and duration_s[first:last].sum() < 20.0:
            last += 1
        weights = duration_s[first:last] / duration_s[first:last].sum()
        mean = np.tensordot(weights.astype(np.float32), values[first:last], axes=1)
        best = mean if best is None else np.maximum(best, mean)
    assert best is not None
    return best


def blood_fraction(images: EarlyImages, blood: Float64, sd_mm: tuple[float, float]) -> Float32:
    """The share of every voxel that follows the blood curve, smoothed.

    :param blood: kBq/mL, shape (frames,).
    :param sd_mm: of the smoothing, across and along the body.
    :returns: (z, y, x), near 1 in blood that follows this curve.
    """
    design = np.column_stack([blood, *(_washed_in(images.timing, blood, rate) for rate in _TISSUE_RATES_PER_S)])
    root = np.sqrt(images.weights)
    solution = np.linalg.pinv(design * root[:, None])[0] * root
    return smoothed(np.tensordot(solution.astype(np.float32), images.values, axes=1), images.grid, sd_mm)


def refined_blood_curve(images: EarlyImages, fraction: Float32) -> Float64:
    """The blood curve of the voxels that hold most blood, kBq/mL, shape (frames,).

    :param fraction: share of blood in every voxel, (slices, rows, columns).
    """
    return images.mean_curve(_highest(fraction, images.voxels_of(_BLOOD_ML)))


def _washed_in(timing: FrameTiming, blood: Float64, rate_per_s: float) -> Float64:
    """The blood curve folded with e^(-rate t), at the frames' middles, scaled to the blood's size."""
    out = np.zeros(blood.size)
    level, before = 0.0, float(timing.start_s[0])
    for i, (start, length) in enumerate(zip(timing.start_s, timing.duration_s, strict=True)):
        gap = max(float(start) - before, 0.0)
        if gap > 0 and i:
            level = level * np.exp(-rate_per_s * gap) + _gain(rate_per_s, gap) * 0.5 * (blood[i - 1] + blood[i])
        half = 0.5 * float(length)
        out[i] = level * np.exp(-rate_per_s * half) + _gain(rate_per_s, half) * blood[i]
        level = level * np.exp(-rate_per_s * length) + _gain(rate_per_s, float(length)) * blood[i]
        before = float(start + length)
    top = float(np.abs(out).max())
    return out * (float(np.abs(blood).max()) / top) if top > 0 else out


def _gain(rate_per_s: float, seconds: float) -> float:
    """Integral of e^(-rate t) over some seconds."""
    return seconds if rate_per_s == 0 else float(-np.expm1(-rate_per_s * seconds) / rate_per_s)
