"""A voxel grid on which the organs of a trunk are painted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Labels
from petkinetics.simulate.canvas import Canvas, Part, Where, tube_box
from petkinetics.simulate.shapes import Grid
from petkinetics.simulate.thorax.template import REACH_MM, Template

Float32 = NDArray[np.float32]


class TrunkPart(Part):
    """A box of the grid with what organs of the trunk are fitted to.

    :param x: patient axes, mm; *y*, *z*: likewise; *labels* and *rough*: as those of :class:`Part`.
    :param wall: radial distance (mm) from the inner wall of chest and abdomen, negative inside;
        (slices, rows, columns).
    :param height: mm above the diaphragm, likewise.
    """

    def __init__(
        self, x: Float32, y: Float32, z: Float32, labels: Labels, rough: Float32, wall: Float32, height: Float32
    ) -> None:
        super().__init__(x, y, z, labels, rough)
        self.wall, self.height = wall, height

    def __getitem__(self, where: Where) -> TrunkPart:
        return TrunkPart(
            self.x[where],
            self.y[where],
            self.z[where],
            self.labels[where],
            self.rough[where],
            self.wall[where],
            self.height[where],
        )


class TrunkCanvas(Canvas[TrunkPart]):
    """Paints shapes into boxes of a grid.

    :param x: positions (mm) of the columns, (columns,); *y* of the rows, (rows,); *z* of the slices, (slices,).
    :param label: tissue -> label.
    """

    def __init__(self, body: Template, x: Float32, y: Float32, z: Float32, label: Mapping[str, int]) -> None:
        grid = Grid(*body.displaced(x, y, z))
        labels: Labels = np.zeros(grid.x.shape, dtype=np.uint8)
        rough = body.roughness.on_axes(x, y, z)
        height = grid.z - body.diaphragm(grid)
        whole = TrunkPart(grid.x, grid.y, grid.z, labels, rough, body.wall(grid), height)
        super().__init__((x, y, z), whole, label, REACH_MM)

    def tube_within(self, tissue: str, points: Sequence[Sequence[float]], radii: Sequence[float]) -> None:
        """Label a tube along a polyline (template mm), within the inner wall."""
        self.fill(tissue, *tube_box(points, radii), lambda part: (part.tube(points, radii) < 0.0) & (part.wall < 0.0))
