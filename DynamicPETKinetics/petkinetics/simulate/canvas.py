"""A voxel grid on which organs are painted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Labels, Position
from petkinetics.simulate.shapes import Grid

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Where = tuple[slice, slice, slice]


class Part(Grid):
    """A box of the grid with what organs are fitted to.

    :param x: as of :class:`petkinetics.simulate.shapes.Grid`, with *y* and *z*.
    :param labels: what has been painted so far, uint8 (slices, rows, columns).
    :param rough: a unit-variance field that makes surfaces uneven, likewise.
    """

    def __init__(self, x: Float32, y: Float32, z: Float32, labels: Labels, rough: Float32) -> None:
        super().__init__(x, y, z)
        self.labels, self.rough = labels, rough

    def __getitem__(self, where: Where) -> Part:
        return Part(self.x[where], self.y[where], self.z[where], self.labels[where], self.rough[where])


P = TypeVar("P", bound=Part)


class Canvas(Generic[P]):
    """Paints shapes into boxes of a grid.

    :param axes: positions (mm) of the columns, rows and slices, (columns,), (rows,) and (slices,).
    :param whole: the grid with its displaced positions.
    :param label: tissue -> label.
    :param reach_mm: how far a voxel may be displaced; boxes are widened by it.
    """

    def __init__(
        self, axes: tuple[Float32, Float32, Float32], whole: P, label: Mapping[str, int], reach_mm: float
    ) -> None:
        self.axes, self.whole, self.label, self.reach_mm = axes, whole, label, reach_mm

    def box(self, low: Position, high: Position) -> Where | None:
        """The voxels that a box of template positions may reach; None where there are none."""
        cut = []
        for axis, lo, hi in zip(self.axes, low, high, strict=True):
            near = np.flatnonzero((axis >= lo - self.reach_mm) & (axis <= hi + self.reach_mm))
            if not near.size:
                return None
            cut.append(slice(int(near[0]), int(near[-1]) + 1))
        return cut[2], cut[1], cut[0]

    def fill(self, tissue: str, low: Position, high: Position, inside: Callable[[P], Mask]) -> None:
        """Label the voxels of a template box for which *inside* holds."""
        where = self.box(low, high)
        if where is not None:
            part = self.whole[where]
            part.labels[inside(part)] = self.label[tissue]  # type: ignore[arg-type]  # a part of P is a P

    def tube(self, tissue: str, points: Sequence[Sequence[float]], radii: Sequence[float]) -> None:
        """Label a tube along a polyline (template mm)."""
        self.fill(tissue, *tube_box(points, radii), lambda part: part.tube(points, radii) < 0.0)

    def ellipsoid(self, tissue: str, centre: Position, semi_axes: Position, uneven_mm: float = 0.0) -> None:
        """Label an ellipsoid along the patient's axes (template mm), its surface made uneven by about *uneven_mm*."""
        (cx, cy, cz), (a, b, c) = centre, semi_axes
        low, high = (cx - a, cy - b, cz - c), (cx + a, cy + b, cz + c)
        self.fill(tissue, low, high, lambda part: part.ellipsoid(centre, semi_axes) + uneven_mm * part.rough < 0.0)

    def nearest(self, tubes: Sequence[tuple[Sequence[Sequence[float]], Sequence[float]]]) -> Float32 | None:
        """Signed distance (mm) of every voxel to the nearest of some tubes, negative inside; None without tubes."""
        if not tubes:
            return None
        distance = np.full(self.whole.labels.shape, np.inf, dtype=np.float32)
        for points, radii in tubes:
            where = self.box(*tube_box(points, radii))
            if where is not None:
                distance[where] = np.minimum(distance[where], self.whole[where].tube(points, radii))
        return distance

    def moved(self, origin_mm: Position, lowest_mm: float) -> Canvas[Part]:
        """The same voxels in coordinates whose origin is elsewhere; voxels below *lowest_mm* there are left out."""
        (x, y, z), g = self.axes, self.whole
        above = slice(int(np.searchsorted(z, origin_mm[2] + lowest_mm)), len(z))
        a, b, c = (np.float32(value) for value in origin_mm)
        part = Part(g.x[above] - a, g.y[above] - b, g.z[above] - c, g.labels[above], g.rough[above])
        return Canvas((x - a, y - b, z[above] - c), part, self.label, self.reach_mm)


def tube_box(points: Sequence[Sequence[float]], radii: Sequence[float]) -> tuple[Position, Position]:
    """The box around a tube."""
    low, high = np.min(points, axis=0) - max(radii), np.max(points, axis=0) + max(radii)
    return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))
