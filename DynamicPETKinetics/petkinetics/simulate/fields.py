"""Smooth random fields in patient coordinates: the same field on every voxel grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
#: mean over positions of the sum of squared cubic B-spline weights, one axis (151/315)
_BSPLINE_POWER = 151.0 / 315.0


@dataclass(frozen=True)
class SmoothField:
    """A Gaussian random field of zero mean and unit variance, a cubic B-spline over random nodes.

    White node values make a field whose autocorrelation has a full width at half maximum of about
    1.9 node distances. It is defined in millimetres: a crop or a finer grid sees the same field.

    :param nodes: B-spline coefficients, shape (z, y, x).
    :param spacing_mm: node distance.
    :param low_mm: position (x, y, z) of the first node.
    """

    nodes: Float32
    spacing_mm: float
    low_mm: tuple[float, float, float]

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        spacing_mm: float,
        low_mm: tuple[float, float, float],
        high_mm: tuple[float, float, float],
    ) -> SmoothField:
        """A field over the box from *low_mm* to *high_mm* (x, y, z)."""
        counts = [int(np.ceil((h - lo) / spacing_mm)) + 4 for lo, h in zip(low_mm, high_mm, strict=True)]
        nodes = rng.standard_normal(counts[::-1], dtype=np.float32) * np.float32(_BSPLINE_POWER**-1.5)
        first = tuple(lo - spacing_mm for lo in low_mm)
        return cls(nodes, spacing_mm, (first[0], first[1], first[2]))

    def on_axes(self, x: NDArray[np.floating], y: NDArray[np.floating], z: NDArray[np.floating]) -> Float32:
        """The field on the grid of three coordinate axes (mm), shape (len(z), len(y), len(x))."""
        wx, wy, wz = (
            _bspline_matrix((np.asarray(axis) - low) / self.spacing_mm, count)
            for axis, low, count in zip((x, y, z), self.low_mm, self.nodes.shape[::-1], strict=True)
        )
        in_plane = wy @ (self.nodes @ wx.T)
        flat = in_plane.reshape(in_plane.shape[0], -1)
        return (wz @ flat).reshape(len(wz), *in_plane.shape[1:])


@dataclass(frozen=True)
class Deformation:
    """A smooth random displacement that bends organs together.

    :param fields: of the x, y and z displacement, unit variance.
    :param sd_mm: standard deviation of a component; *limit_mm*: none is larger.
    """

    fields: tuple[SmoothField, SmoothField, SmoothField]
    sd_mm: float
    limit_mm: float

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        spacing_mm: float,
        low_mm: tuple[float, float, float],
        high_mm: tuple[float, float, float],
        sd_mm: float,
        limit_mm: float,
    ) -> Deformation:
        """Over the box from *low_mm* to *high_mm*; *spacing_mm* is the node distance of the fields."""
        x, y, z = (SmoothField.random(rng, spacing_mm, low_mm, high_mm) for _ in range(3))
        return cls((x, y, z), sd_mm, limit_mm)

    def displaced(self, x: Float32, y: Float32, z: Float32) -> tuple[Float32, Float32, Float32]:
        """Displaced positions of the voxels of a grid of three axes, (len(z), len(y), len(x)) each."""
        dx, dy, dz = (
            np.clip(np.float32(self.sd_mm) * field.on_axes(x, y, z), -self.limit_mm, self.limit_mm)
            for field in self.fields
        )
        return x[None, None, :] + dx, y[None, :, None] + dy, z[:, None, None] + dz


def _bspline_matrix(position: NDArray[np.floating], count: int) -> Float32:
    """Cubic B-spline weights of *count* nodes (columns) at positions in units of nodes (rows)."""
    inside = np.clip(position, 1.0, count - 2.0 - 1e-6)
    distance = np.abs(inside[:, None] - np.arange(count)[None, :])
    near = 2.0 / 3.0 - distance**2 + 0.5 * distance**3
    far = np.maximum(2.0 - distance, 0.0) ** 3 / 6.0
    return np.where(distance < 1.0, near, far).astype(np.float32)
