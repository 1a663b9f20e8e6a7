"""Liver, stomach, spleen and kidneys."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.shapes import orthonormal_axes
from petkinetics.simulate.thorax.canvas import TrunkCanvas, TrunkPart
from petkinetics.simulate.thorax.template import LABEL, Template


def paint_liver(canvas: TrunkCanvas, body: Template) -> None:
    """The liver fills the right dome and tapers across the midline."""
    normal = np.array([0.68, 0.45 + body.liver_tilt, -0.60])
    normal /= np.linalg.norm(normal)
    point = np.array([1.0, 4.0, -46.0]) + body.liver_shift_mm

    def inside(g: TrunkPart) -> NDArray[np.bool_]:
        visceral = normal[0] * (g.x - point[0]) + normal[1] * (g.y - point[1]) + normal[2] * (g.z - point[2])
        # The visceral surface is hollow.
        visceral = visceral + 0.0128 * np.hypot(g.x + 10.0, g.z + 60.0)
        rough = 2.5 * g.rough
        kidney_bed = g.ellipsoid([-55.0, 42.0, -100.0], [31.0, 29.0, 62.0])
        keep = (visceral + rough < 0.0) & (g.wall < -2.0) & (g.height < -2.6)
        return np.asarray(keep & (kidney_bed > 0.0) & (g.y < 62.0) & (g.x < 85.0))

    canvas.fill("liver", (-150.0, -110.0, -200.0), (95.0, 80.0, 45.0), inside)


def paint_stomach(canvas: TrunkCanvas, body: Template) -> None:
    """Wall and content, under the left dome."""
    size = np.array([32.0, 35.0, 42.0]) * body.stomach_size
    axes = orthonormal_axes([0.8, 0.3, 0.5])

    def deeper_than(depth_mm: float, g: TrunkPart) -> NDArray[np.bool_]:
        d = g.ellipsoid([58.0, -14.0, -46.0], size, axes) + 3.0 * g.rough
        free = (g.wall < -3.0) & (g.height < -3.0) & (g.labels != LABEL["liver"])
        return np.asarray((d < -depth_mm) & free)

    low, high = (0.0, -85.0, -110.0), (120.0, 60.0, 20.0)
    canvas.fill("stomach wall", low, high, partial(deeper_than, 0.0))
    canvas.fill("stomach content", low, high, partial(deeper_than, 6.5))


def paint_spleen(canvas: TrunkCanvas, body: Template) -> None:
    """Left, behind the stomach."""
    size = np.array([24.0, 36.0, 50.0]) * body.spleen_size
    axes = orthonormal_axes([0.80, 0.55, 0.2])

    def inside(g: TrunkPart) -> NDArray[np.bool_]:
        d = g.ellipsoid([92.0, 34.0, -38.0], size, axes) + 2.0 * g.rough
        return np.asarray((d < 0.0) & (g.wall < -2.0) & (g.height < -2.6))

    canvas.fill("spleen", (45.0, -25.0, -100.0), (140.0, 90.0, 25.0), inside)


def paint_kidneys(canvas: TrunkCanvas, body: Template) -> None:
    """Cortex and pelvis on both sides of the spine."""
    for side, top in zip((-1.0, 1.0), body.kidney_top_mm, strict=True):
        _paint_kidney(canvas, side, top, np.array([25.0, 22.0, 54.0]) * body.kidney_size)


def _paint_kidney(canvas: TrunkCanvas, side: float, top_mm: float, semi_axes: NDArray[np.float64]) -> None:
    """One kidney, its upper pole nearer to the spine. :param side: -1 right, 1 left."""
    x, y, z = side * 53.0, 40.0, top_mm - semi_axes[2]
    axes = np.array([[0.97, side * 0.2, side * 0.14], [-side * 0.2, 0.98, 0.0], [-side * 0.14, 0.0, 0.99]])
    hilum = (x - side * 9.0, y - 4.0, z)
    low, high = (x - 40.0, 0.0, float(z - 65.0)), (x + 40.0, 80.0, float(z + 65.0))

    def cortex(g: TrunkPart) -> NDArray[np.bool_]:
        return np.asarray((g.ellipsoid((x, y, z), semi_axes, axes) + g.rough < 0.0) & (g.wall < 4.0))

    def pelvis(g: TrunkPart) -> NDArray[np.bool_]:
        return np.asarray(g.ellipsoid(hilum, semi_axes * np.array([0.45, 0.38, 0.55]), axes) < 0.0)

    canvas.fill("kidney", low, high, cortex)
    canvas.fill("renal pelvis", low, high, pelvis)
