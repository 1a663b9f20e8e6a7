"""Fields of unit noise with the correlation of reconstructed PET, to crop from.

White noise under a Gaussian kernel. Making a field takes longer than a training step, so some of various
kernels are kept and renewed bit by bit; a crop is a random mixture of two places of one field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from petkinetics.estimators.gaussian_width import FWHM_PER_SD

Float32 = NDArray[np.float32]

_DEPTH, _WIDTH = 13, 256
#: FWHM of the kernels in voxels, in the slice, and as a share of that across slices
_IN_SLICE, _ACROSS = (0.7, 6.5), (0.35, 1.4)


@dataclass(frozen=True, eq=False)
class NoiseField:
    """Unit noise.

    :param values: float32 (slices, rows, columns).
    :param fwhm: of the kernel in voxels, in the slice and across slices; 0 for white noise.
    """

    values: Float32
    fwhm: tuple[float, float]

    @classmethod
    def random(cls, rng: np.random.Generator, fwhm: tuple[float, float]) -> NoiseField:
        """Draw a field."""
        sd = [fwhm[i] / FWHM_PER_SD for i in (1, 0, 0)]
        values = rng.standard_normal((_DEPTH, _WIDTH, _WIDTH), dtype=np.float32)
        values = ndimage.gaussian_filter(values, sd, mode="wrap", truncate=3.5)
        values /= values.std()
        return cls(values, fwhm)

    def crop(self, rng: np.random.Generator, slices: int, size: int) -> Float32:
        """Unit noise, (slices, size, size)."""
        turn = rng.uniform(0.0, 2.0 * np.pi)
        return np.float32(np.cos(turn)) * self._place(rng, slices, size) + np.float32(np.sin(turn)) * self._place(
            rng, slices, size
        )

    def _place(self, rng: np.random.Generator, slices: int, size: int) -> Float32:
        k = int(rng.integers(0, _DEPTH - slices + 1))
        r, c = (int(i) for i in rng.integers(0, _WIDTH - size + 1, 2))
        place = self.values[k : k + slices, r : r + size, c : c + size]
        return place[:: rng.choice((-1, 1)), :: rng.choice((-1, 1)), :: rng.choice((-1, 1))]


class NoiseFields:
    """Fields of many kernels."""

    def __init__(self, rng: np.random.Generator, count: int = 48, white: int = 4) -> None:
        self._rng = rng
        self._white, self._count = white, count
        self._fields = [self._new(i) for i in range(count)]
        self._next = 0

    def _new(self, index: int) -> NoiseField:
        if index < self._white:
            return NoiseField.random(self._rng, (0.0, 0.0))
        low, high = np.log(_IN_SLICE)
        # Evenly spread by their index, so that every correlation finds a field.
        share = (index - self._white + self._rng.uniform()) / (self._count - self._white)
        in_slice = float(np.exp(low + (high - low) * share))
        return NoiseField.random(self._rng, (in_slice, in_slice * float(self._rng.uniform(*_ACROSS))))

    def renew_one(self) -> None:
        """Draw the next field again."""
        self._fields[self._next] = self._new(self._next)
        self._next = (self._next + 1) % len(self._fields)

    def white(self) -> NoiseField:
        """Some field of white noise."""
        return self._fields[int(self._rng.integers(0, self._white))]

    def correlated(self, low: float, high: float) -> NoiseField:
        """Some field whose FWHM in the slice lies within bounds; the nearest where there is none.

        :param low: in units of a voxel; *high*: likewise.
        """
        fields = self._fields[self._white :]
        fit = [field for field in fields if low <= field.fwhm[0] <= high]
        if fit:
            return fit[int(self._rng.integers(0, len(fit)))]
        middle = np.sqrt(low * high)
        return min(fields, key=lambda field: abs(np.log(field.fwhm[0] / middle)))
