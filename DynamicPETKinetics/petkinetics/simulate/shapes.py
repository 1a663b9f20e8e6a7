"""Shapes of which bodies are built: how far a position lies inside or outside, in mm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float32 = NDArray[np.float32]


class Grid:
    """Positions of a box of voxels, displaced by the body's deformation.

    :param x: displaced x (mm, to the left) of every voxel, float32 (slices, rows, columns); *y* to the
        back, *z* to the head.
    """

    def __init__(self, x: Float32, y: Float32, z: Float32) -> None:
        self.x, self.y, self.z = x, y, z

    def ellipsoid(self, centre: ArrayLike, semi_axes: ArrayLike, axes: NDArray[np.floating] | None = None) -> Float32:
        """About the signed distance to an ellipsoid's surface, negative inside.

        :param centre: mm, patient axes; *semi_axes*: mm.
        :param axes: 3x3, rows are the directions of the semi-axes; the patient's axes by default.
        """
        cx, cy, cz = np.asarray(centre, dtype=np.float32)
        dx, dy, dz = self.x - cx, self.y - cy, self.z - cz
        size = np.asarray(semi_axes, dtype=np.float32)
        rows = np.eye(3, dtype=np.float32) if axes is None else np.asarray(axes, dtype=np.float32)
        radius = np.sqrt(sum(((r[0] * dx + r[1] * dy + r[2] * dz) / s) ** 2 for r, s in zip(rows, size, strict=True)))
        return (radius - 1.0) * np.float32(np.min(size))

    def tube(self, points: Sequence[Sequence[float]], radii: Sequence[float]) -> Float32:
        """Signed distance to a tube along a polyline whose radius changes linearly, negative inside."""
        nearest: Float32 | None = None
        for start, end, r0, r1 in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
            a, b = np.asarray(start, dtype=np.float32), np.asarray(end, dtype=np.float32)
            d = b - a
            dx, dy, dz = self.x - a[0], self.y - a[1], self.z - a[2]
            t = np.clip((dx * d[0] + dy * d[1] + dz * d[2]) / np.float32(d @ d), 0.0, 1.0)
            distance = np.sqrt((dx - t * d[0]) ** 2 + (dy - t * d[1]) ** 2 + (dz - t * d[2]) ** 2)
            distance -= np.float32(r0) + t * np.float32(r1 - r0)
            nearest = distance if nearest is None else np.minimum(nearest, distance)
        assert nearest is not None
        return nearest


def superellipse(x: Float32, y: Float32, half_x: Float32, half_y: Float32, power: float) -> Float32:
    """Radial distance (mm) from the boundary |x/a|^n + |y/b|^n = 1, negative inside.

    :param x: mm, and *y*, *half_x* (a), *half_y* (b) likewise; broadcast.
    :param power: n, no unit.
    """
    radius = (np.abs(x / half_x) ** np.float32(power) + np.abs(y / half_y) ** np.float32(power)) ** np.float32(
        1.0 / power
    )
    rho = np.hypot(x, y)
    return np.asarray(rho * (1.0 - 1.0 / np.maximum(radius, 1e-3)), dtype=np.float32)


def orthonormal_axes(direction: ArrayLike) -> NDArray[np.float64]:
    """Three orthogonal unit rows, float64 of shape (3, 3), the first along *direction*.

    :param direction: any unit, (3,), of any length but 0.
    """
    first = np.asarray(direction, dtype=np.float64)
    first = first / np.linalg.norm(first)
    second = np.cross(first, [0.0, 0.0, 1.0] if abs(first[2]) < 0.9 else [1.0, 0.0, 0.0])
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)])
