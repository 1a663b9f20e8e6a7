"""The heart with its chambers, the great vessels, the airways and the oesophagus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.shapes import orthonormal_axes
from petkinetics.simulate.thorax.canvas import TrunkCanvas, TrunkPart
from petkinetics.simulate.thorax.template import Template


def paint_heart(canvas: TrunkCanvas, body: Template) -> None:
    """Ventricles, atria and myocardium within pericardial fat."""
    c, s = body.heart_centre, body.heart_size
    long_axis = body.heart_axis / np.linalg.norm(body.heart_axis)
    axes = orthonormal_axes(long_axis)
    left = s * np.array([46.0, 30.0, 30.0])
    wall = body.wall_mm
    low = tuple(float(v) for v in c - 85.0)
    high = tuple(float(v) for v in c + 85.0)
    box = ((low[0], low[1], low[2]), (high[0], high[1], high[2]))

    def along(g: TrunkPart) -> NDArray[np.float32]:
        return np.asarray((g.x - c[0]) * long_axis[0] + (g.y - c[1]) * long_axis[1] + (g.z - c[2]) * long_axis[2])

    def inner_chest(g: TrunkPart) -> NDArray[np.bool_]:
        return np.asarray((g.wall < -3.0) & (g.height > 0.5))

    right_centre = c + s * np.array([-31.0, -13.0, -1.0])
    right_axes = orthonormal_axes(long_axis + np.array([0.1, -0.05, -0.1]))
    right_size = s * np.array([42.0, 24.0, 32.0])
    atrium_centre = c + s * np.array([-30.0, 36.0, 22.0])
    right_atrium = c + s * np.array([-64.0, 18.0, 4.0])

    def pericardium(g: TrunkPart) -> NDArray[np.bool_]:
        d = np.minimum(g.ellipsoid(c, left, axes), g.ellipsoid(right_centre, right_size, right_axes))
        d = np.minimum(d, g.ellipsoid(right_atrium, s * np.array([21.0, 24.0, 30.0])))
        d = np.minimum(d, g.ellipsoid(atrium_centre, s * np.array([30.0, 18.0, 21.0])))
        return np.asarray((d < 5.0) & inner_chest(g))

    def right_heart(g: TrunkPart) -> NDArray[np.bool_]:
        ventricle = g.ellipsoid(right_centre, right_size, right_axes) + 4.0
        atrium = g.ellipsoid(right_atrium, s * np.array([21.0, 24.0, 30.0])) + 2.0
        return np.asarray((np.minimum(ventricle, atrium) < 0.0) & inner_chest(g))

    def right_wall(g: TrunkPart) -> NDArray[np.bool_]:
        d = g.ellipsoid(right_centre, right_size, right_axes)
        return np.asarray((d < 0.0) & (d >= -4.0) & (along(g) > -22.0 * s) & inner_chest(g))

    def left_atrium(g: TrunkPart) -> NDArray[np.bool_]:
        return np.asarray(g.ellipsoid(atrium_centre, s * np.array([30.0, 18.0, 21.0])) < 0.0)

    def ventricle_wall(g: TrunkPart) -> NDArray[np.bool_]:
        return np.asarray((g.ellipsoid(c, left, axes) < 0.0) & (along(g) > -30.0 * s) & inner_chest(g))

    def cavity(g: TrunkPart) -> NDArray[np.bool_]:
        d = g.ellipsoid(c - 3.0 * long_axis, left - np.array([wall, wall, wall]), axes)
        return np.asarray((d < 0.0) & (along(g) > -32.0 * s) & inner_chest(g))

    canvas.fill("mediastinum", *box, pericardium)
    canvas.fill("right ventricular wall", *box, right_wall)
    canvas.fill("right heart", *box, right_heart)
    canvas.fill("left atrium", *box, left_atrium)
    canvas.fill("myocardium", *box, ventricle_wall)
    canvas.fill("left ventricle", *box, cavity)


def paint_vessels(canvas: TrunkCanvas, body: Template) -> None:
    """Vessels and tubes, over everything else."""
    carina = 62.0
    c, s = body.heart_centre, body.heart_size
    canvas.tube_within("oesophagus", [[6.0, 22.0, 160.0], [5.0, 21.0, 20.0], [16.0, 10.0, -14.0]], [7.0, 7.0, 7.0])
    canvas.tube_within("airways", [[0.0, 12.0, 160.0], [0.0, 10.0, carina]], [9.0, 8.5])
    canvas.tube_within("airways", [[0.0, 10.0, carina], [-26.0, 10.0, carina - 20.0]], [7.0, 5.5])
    canvas.tube_within("airways", [[0.0, 10.0, carina], [34.0, 12.0, carina - 22.0]], [6.5, 5.0])
    outflow = [float(v) for v in c + s * np.array([-18.0, -18.0, 24.0])]
    canvas.tube_within("pulmonary artery", [outflow, [16.0, -22.0, 58.0], [20.0, -4.0, 62.0]], [13.0, 13.0, 12.0])
    canvas.tube_within(
        "pulmonary artery", [[18.0, -6.0, 62.0], [-6.0, -2.0, 54.0], [-42.0, 6.0, 48.0]], [10.0, 9.5, 8.0]
    )
    canvas.tube_within(
        "pulmonary artery", [[20.0, -4.0, 62.0], [42.0, 10.0, 58.0], [52.0, 22.0, 46.0]], [10.0, 9.0, 7.0]
    )
    right_atrium = c + s * np.array([-64.0, 18.0, 4.0])
    x, y, z = (float(v) for v in right_atrium)
    canvas.tube_within("superior vena cava", [[-24.0, -8.0, 160.0], [x + 6.0, y - 4.0, z + 18.0]], [8.0, 9.5])
    canvas.tube_within("inferior vena cava", [[x + 4.0, y + 4.0, z - 14.0], [-22.0, 18.0, -30.0], [-21.0, 23.0, -70.0],
                                      [-19.0, 25.0, -160.0]], [11.0, 11.5, 11.0, 10.0])  # fmt: skip
    canvas.tube_within("aorta", *body.aorta_course())
