"""Noise drawn anew with the spatial correlation that was seen in the data.

docs/methods.md, "Diffusion prior".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.noise_correlation import NoiseCorrelation

Float32 = NDArray[np.float32]


def unit_draws(
    rng: np.random.Generator, shape: tuple[int, ...], correlation: NoiseCorrelation
) -> Callable[[], Float32]:
    """A function that draws float32 noise of unit variance, (images, slices, rows, columns), whenever called.

    White noise under a Gaussian kernel; at the borders it continues on the other side, so they are like the middle.
    """
    return partial(_draw, rng, shape, correlation)


def _draw(rng: np.random.Generator, shape: tuple[int, ...], correlation: NoiseCorrelation) -> Float32:
    from scipy import ndimage

    field = rng.standard_normal(shape, dtype=np.float32)
    for axis, (sd, step) in enumerate(zip(correlation.sd_mm, correlation.spacing_mm, strict=True)):
        if sd > 0 and shape[axis + 1] > 1:
            taps = np.zeros(shape[axis + 1], np.float32)
            taps[0] = 1.0
            taps = ndimage.gaussian_filter1d(taps, sd / step, mode="wrap", truncate=3.5)
            field = ndimage.gaussian_filter1d(field, sd / step, axis=axis + 1, mode="wrap", truncate=3.5)
            field /= np.float32(np.sqrt(np.sum(taps.astype(np.float64) ** 2)))
    return np.asarray(field, np.float32)
