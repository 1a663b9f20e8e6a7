"""What a whole person has beyond the thorax and upper abdomen, head apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.head.layers import carotid_course
from petkinetics.simulate.thorax.canvas import TrunkCanvas, TrunkPart
from petkinetics.simulate.total_body.template import HEAD_ORIGIN_MM, NECK_MM, PELVIC_FLOOR_MM, TotalTemplate

Mask = NDArray[np.bool_]
_SIDES = (-1.0, 1.0)
_FAR = 400.0


def paint_ends(canvas: TrunkCanvas, _body: TotalTemplate) -> None:
    """Closes the trunk: no lung, ribs or sternum in the neck, no bowel and ribs below the pelvic floor."""
    label = canvas.label

    def neck(g: TrunkPart) -> Mask:
        return np.asarray((g.z > NECK_MM) & np.isin(g.labels, [label["lung"], label["mediastinum"]]))

    def neck_shell(g: TrunkPart) -> Mask:
        return np.asarray((g.z > NECK_MM - 16.0) & np.isin(g.labels, [label["ribs"], label["sternum"]]))

    def perineum(g: TrunkPart) -> Mask:
        inner = [label["visceral fat"], label["bowel"]]
        return np.asarray((g.z < PELVIC_FLOOR_MM) & np.isin(g.labels, inner))

    canvas.fill("muscle", (-_FAR, -_FAR, 100.0), (_FAR, _FAR, 2 * _FAR), neck_shell)
    canvas.fill("mediastinum", (-_FAR, -_FAR, 100.0), (_FAR, _FAR, 2 * _FAR), neck)
    canvas.fill("muscle", (-_FAR, -_FAR, -2 * _FAR), (_FAR, _FAR, -300.0), perineum)


def paint_bones(canvas: TrunkCanvas, body: TotalTemplate) -> None:
    """Pelvis, sacrum, femora, shoulder girdle and arm bones."""
    crest = 1.0 / 45.0

    def wing(g: TrunkPart) -> Mask:
        shell = (g.wall > 1.0) & (g.wall < 10.0 + 3.0 * (g.y > 30.0))
        return np.asarray(
            shell
            & (g.z > -285.0)
            & (g.z < -168.0 - 25.0 * ((g.y - 25.0) * crest) ** 2)
            & (np.abs(g.x) > 34.0)
            & (g.y > -35.0)
        )

    def sacrum(g: TrunkPart) -> Mask:
        taper = np.clip((g.z + 330.0) / 110.0, 0.2, 1.0)
        return np.asarray(
            (np.abs(g.x) < 50.0 * taper)
            & (np.abs(g.y - 54.0 - 0.1 * (-225.0 - g.z)) < 15.0 * taper)
            & (g.z < -212.0)
            & (g.z > -315.0)
        )

    canvas.fill("pelvic bones", (-160.0, -60.0, -290.0), (160.0, 130.0, -160.0), wing)
    canvas.fill("pelvic bones", (-55.0, 20.0, -320.0), (55.0, 95.0, -205.0), sacrum)
    shoulder = body.arm_x - 34.0
    for side in _SIDES:

        def tube(tissue: str, points: list[tuple[float, float, float]], radii: list[float], side: float = side) -> None:
            canvas.tube(tissue, [[side * x, y, z] for x, y, z in points], radii)

        tube("pelvic bones", [(86.0, 8.0, -262.0), (86.0, 6.0, -292.0)], [20.0, 27.0])
        tube("pelvic bones", [(78.0, -18.0, -296.0), (42.0, -42.0, -300.0), (6.0, -50.0, -318.0)], [9.0, 8.0, 10.0])
        tube(
            "pelvic bones",
            [(74.0, 32.0, -300.0), (58.0, 36.0, -345.0), (32.0, -20.0, -338.0), (10.0, -46.0, -325.0)],
            [13.0, 13.0, 7.0, 8.0],
        )
        r = body.femur_mm
        tube("limb bones", [(88.0, 6.0, -293.0), (88.0, 6.0, -293.5)], [22.0, 22.0])
        tube("limb bones", [(88.0, 6.0, -293.0), (122.0, 16.0, -318.0)], [15.0, 16.0])
        tube("limb bones", [(122.0, 16.0, -312.0), (116.0, 14.0, -370.0), (86.0, 8.0, -700.0)], [17.0, 1.1 * r, r])
        tube(
            "limb bones",
            [(shoulder, 24.0, 100.0), (body.arm_x, 26.0, 10.0), (body.arm_x + 4.0, 32.0, -125.0)],
            [20.0, 11.0, 11.0],
        )
        for shift in (-9.0, 11.0):
            tube(
                "limb bones", [(body.arm_x + 3.0 + shift, 32.0, -130.0), (body.arm_x + shift, -6.0, -365.0)], [8.0, 6.5]
            )
        tube("limb bones", [(14.0, -62.0, 118.0), (60.0, -40.0, 132.0), (shoulder - 6.0, 10.0, 130.0)], [7.0, 6.5, 6.5])
        tube("limb bones", [(52.0, 92.0, 112.0), (shoulder - 8.0, 44.0, 124.0)], [6.0, 8.0])
        tube("limb bones", [(78.0, 82.0, 110.0), (84.0, 88.0, 10.0)], [7.0, 4.0])


def paint_pelvis(canvas: TrunkCanvas, body: TotalTemplate) -> None:
    """Rectum and bladder."""
    canvas.tube("bowel", [[0.0, 26.0, -230.0], [0.0, 32.0, -290.0], [0.0, 26.0, -340.0]], [15.0, 17.0, 9.0])
    size = np.array([44.0, 31.0, 33.0]) * body.bladder_fill ** (1 / 3)
    centre = (0.0, -26.0, -285.0)
    low, high = (-70.0, -80.0, -340.0), (70.0, 40.0, -230.0)
    canvas.fill("bladder wall", low, high, lambda g: g.ellipsoid(centre, size) < 0.0)
    canvas.fill("urine", low, high, lambda g: g.ellipsoid(centre, size) < -3.5)


def paint_far_vessels(canvas: TrunkCanvas, body: TotalTemplate) -> None:
    """Vessels of the neck, shoulders, pelvis and thighs."""
    hx, hy, hz = HEAD_ORIGIN_MM
    top = body.arch_top_mm
    for side in _SIDES:
        low_neck = carotid_course(side)[0]
        neck = [low_neck[0] + hx, low_neck[1] + hy, low_neck[2] + hz + 46.0]
        root = [-6.0, -10.0, top + 4.0] if side < 0 else [9.0, 4.0, top + 8.0]
        canvas.tube(
            "carotid arteries", [root, [side * 20.0, 6.0, top + 40.0], neck], [6.0 if side < 0 else 4.0, 4.0, 3.7]
        )
        canvas.tube(
            "carotid arteries",
            [[side * 20.0, 8.0, top + 36.0], [side * 70.0, 4.0, 122.0], [side * (body.arm_x - 40.0), 8.0, 92.0]],
            [4.5, 4.5, 4.0],
        )
        vein = [[side * 30.0, hy - 10.0, hz - 154.0], [side * 28.0, -2.0, 125.0], [-24.0, -10.0, 104.0]]
        canvas.tube("jugular veins", vein, [6.5, 7.0, 7.0])
        artery = [
            (4.0, 26.0, -160.0),
            (34.0, 30.0, -208.0),
            (58.0, 8.0, -260.0),
            (72.0, -32.0, -312.0),
            (76.0, -30.0, -420.0),
            (70.0, 4.0, -700.0),
        ]
        canvas.tube(
            "iliac arteries",
            [[side * x if n else x, y, z] for n, (x, y, z) in enumerate(artery)],
            [8.0, 6.0, 5.5, 5.0, 4.5, 4.0],
        )
        vein = [[-17.0, 27.0, -160.0]] + [
            [side * x, y, z]
            for x, y, z in (
                (24.0, 38.0, -214.0),
                (50.0, 18.0, -262.0),
                (60.0, -26.0, -312.0),
                (64.0, -20.0, -420.0),
                (62.0, 12.0, -700.0),
            )
        ]
        canvas.tube("iliac veins", vein, [10.0, 8.0, 7.5, 6.5, 6.0, 5.5])
    canvas.tube("airways", [[0.0, 12.0, 155.0], [0.0, hy - 20.0, hz - 140.0]], [9.0, 8.5])
    canvas.tube("oesophagus", [[6.0, 22.0, 155.0], [2.0, hy - 2.0, hz - 115.0]], [7.0, 6.0])
