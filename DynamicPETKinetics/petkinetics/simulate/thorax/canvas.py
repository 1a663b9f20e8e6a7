"""A voxel grid on which the organs of a thorax are painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Labels, Position
from petkinetics.simulate.shapes import Grid, superellipse
from petkinetics.simulate.thorax.template import LABEL, REACH_MM, Template

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Where = tuple[slice, slice, slice]


class Part(Grid):
    """A box of the grid with what organs are fitted to.

    :param labels: what has been painted so far.
    :param wall: radial distance (mm) from the inner wall of chest and abdomen, negative inside.
    :param height: mm above the diaphragm.
    :param rough: a unit-variance field that makes surfaces uneven.
    """

    def __init__(
        self, x: Float32, y: Float32, z: Float32, labels: Labels, wall: Float32, height: Float32, rough: Float32
    ) -> None:
        super().__init__(x, y, z)
        self.labels, self.wall, self.height, self.rough = labels, wall, height, rough

    def __getitem__(self, where: Where) -> Part:
        return Part(
            self.x[where],
            self.y[where],
            self.z[where],
            self.labels[where],
            self.wall[where],
            self.height[where],
            self.rough[where],
        )


class Canvas:
    """Paints shapes into boxes of a grid.

    :param x: positions (mm) of the columns; *y* of the rows; *z* of the slices.
    """

    def __init__(self, body: Template, x: Float32, y: Float32, z: Float32) -> None:
        self.axes = (x, y, z)
        grid = Grid(*body.displaced(x, y, z))
        labels: Labels = np.zeros(grid.x.shape, dtype=np.uint8)
        taper = 1.0 - 0.0016 * np.maximum(grid.z - 15.0, 0.0) - 0.0005 * np.maximum(-grid.z - 20.0, 0.0)
        wall = superellipse(grid.x, grid.y + 6.0, body.cavity_x * taper, body.cavity_y * (0.4 + 0.6 * taper), 2.35)
        height = grid.z - body.diaphragm(grid)
        rough = body.roughness.on_axes(x, y, z)
        self.whole = Part(grid.x, grid.y, grid.z, labels, wall, height, rough)

    def fill(self, tissue: str, low: Position, high: Position, inside: Callable[[Part], Mask]) -> None:
        """Label the voxels of a template box for which *inside* holds."""
        cut = []
        for axis, lo, hi in zip(self.axes, low, high, strict=True):
            near = np.flatnonzero((axis >= lo - REACH_MM) & (axis <= hi + REACH_MM))
            if not near.size:
                return
            cut.append(slice(int(near[0]), int(near[-1]) + 1))
        part = self.whole[cut[2], cut[1], cut[0]]
        part.labels[inside(part)] = LABEL[tissue]

    def tube(self, tissue: str, points: Sequence[Sequence[float]], radii: Sequence[float]) -> None:
        """Label a tube along a polyline (template mm), within the inner wall."""
        low, high = np.min(points, axis=0) - max(radii), np.max(points, axis=0) + max(radii)
        box = [(float(corner[0]), float(corner[1]), float(corner[2])) for corner in (low, high)]
        self.fill(tissue, box[0], box[1], lambda part: (part.tube(points, radii) < 0.0) & (part.wall < 0.0))
