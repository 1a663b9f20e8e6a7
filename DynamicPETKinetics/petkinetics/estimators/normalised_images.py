"""Ki and the activity at the mean Patlak time, divided by what the maps show: what the diffusion prior sees.

The activity V0 + theta Ki at the mean Patlak time theta is the centred form of the same straight line as slope and
intercept; its noise is independent of Ki's, so the 2x2 data step is two divisions.

docs/methods.md, "Diffusion prior".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.regularised import PatlakImages, contrast_of

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NormalisedImages:
    """Ki and the activity at theta, each divided by its contrast.

    :param values: (2, slices, rows, columns); *sigma*: SD of their noise, likewise.
    :param contrast: 99th percentile in the mask after smoothing by 8 mm: of Ki (mL/min/mL) and activity (mL/mL).
    :param theta_min: mean Patlak time: Ki and V0 + theta Ki are independent there.
    :param unit: what the whitened images of :class:`PatlakImages` were multiplied by.
    """

    values: Float32
    sigma: Float32
    contrast: tuple[float, float]
    theta_min: float
    unit: Float32

    @classmethod
    def of(cls, images: PatlakImages, strength: float) -> NormalisedImages:
        """Normalise; *strength* multiplies the noise that is told to the prior."""
        turn = images.turn
        # Ki = L00 t0 and V0 = L10 t0 + L11 t1, so V0 + theta Ki = L11 t1 for theta = -L10 / L00.
        theta = float(-turn[1, 0] / turn[0, 0])
        size = np.array([turn[0, 0], turn[1, 1]], np.float32)
        contrast = [
            contrast_of(v * s, images.inside, images.spacing_mm) for v, s in zip(images.values, size, strict=True)
        ]
        sd = np.sqrt(images.typical_scale) * size
        # Where nothing stands out of the noise, the noise itself is the unit.
        height = np.array([max(c, float(s)) for c, s in zip(contrast, sd, strict=True)], np.float32)
        unit = np.asarray(size / height, np.float32)
        by_image = unit[:, None, None, None]
        return cls(
            images.values * by_image,
            np.asarray(np.float32(strength) * np.sqrt(images.scale)[None] * by_image, np.float32),
            (float(size[0] / unit[0]), float(size[1] / unit[1])),
            theta,
            unit,
        )

    def with_values(self, values: Float32) -> NormalisedImages:
        """Other images, (2, slices, rows, columns), of the same noise and units."""
        return replace(self, values=values)

    def whitened(self, values: Float32) -> Float32:
        """Back to the images of :class:`PatlakImages`."""
        return np.asarray(values / self.unit[:, None, None, None], np.float32)

    def normalised(self, parameters: Float32) -> Float32:
        """Such images of Ki and V0, no unit, (2, slices, rows, columns).

        :param parameters: Ki, mL/min/mL, and V0, mL/mL, likewise.
        """
        ki, v0 = parameters
        activity = v0 + np.float32(self.theta_min) * ki
        return np.stack([ki / np.float32(self.contrast[0]), activity / np.float32(self.contrast[1])])

    def parameters(self, values: Float32) -> Float32:
        """Ki and V0 of normalised images."""
        ki = values[0] * np.float32(self.contrast[0])
        return np.stack([ki, values[1] * np.float32(self.contrast[1]) - np.float32(self.theta_min) * ki])
