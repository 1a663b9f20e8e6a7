"""SD maps of Ki and V0 from draws of the posterior, calibrated.

    SD^2 = (factor * spread of the draws)^2 + (relative * value)^2

The spread of a few draws of a few steps is too small, the more so the more noise there is: the factor. What draws from
a prior cannot show, an input function that is off or a lesion that every draw levels, is the relative part.

docs/methods.md, "Diffusion prior".
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.regularised import smoothed

Float32 = NDArray[np.float32]

#: factor = the first + the second * noise / contrast, and the relative parts; calibrated on validation patients
_FACTOR = (1.1, 2.5)
RELATIVE = {"ki": 0.09, "v0": 0.03}
#: variances of few samples are averaged over this width
_SMOOTHING_MM = 8.0


def sd_factor(noise_to_contrast: float) -> float:
    """What the spread of the draws is multiplied by.

    :param noise_to_contrast: ratio of a voxel's SD to the contrast of the map, both of Ki.
    """
    return _FACTOR[0] + _FACTOR[1] * noise_to_contrast


def sd_maps(
    draws: Iterable[Float32], centre: Float32, spacing_mm: tuple[float, float, float], factor: float
) -> Float32:
    """SDs of Ki (mL/min/mL) and V0 (mL/mL), (2, slices, rows, columns).

    :param draws: of Ki and V0, (2, slices, rows, columns) each; one by one, so that they need not be kept.
    :param centre: the estimate, likewise: the relative part is of it, and of a single draw the distance from it counts.
    :param spacing_mm: (slices, rows, columns).
    :param factor: of :func:`sd_factor`.
    """
    total, squares, count = np.zeros_like(centre), np.zeros_like(centre), 0
    for draw in draws:
        off = draw - centre
        total += off
        squares += off**2
        count += 1
    variance = squares if count < 2 else (squares - total**2 / count) / (count - 1)
    smooth = np.stack([smoothed(v, spacing_mm, _SMOOTHING_MM) for v in variance])
    relative = np.array([RELATIVE["ki"], RELATIVE["v0"]], np.float32)[:, None, None, None]
    return np.sqrt(np.float32(factor**2) * np.maximum(smooth, 0.0) + (relative * centre) ** 2)
