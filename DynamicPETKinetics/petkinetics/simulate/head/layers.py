"""The head from the outside to the inside; what comes later lies over what came before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.canvas import Canvas, Part
from petkinetics.simulate.head.brain_layers import paint_brain
from petkinetics.simulate.head.template import HEAD_LOW_MM, HeadTemplate, base_of_skull

Mask = NDArray[np.bool_]
_SIDES = (-1.0, 1.0)


def paint_head(canvas: Canvas[Part], head: HeadTemplate) -> None:
    """A head in head coordinates on what has been painted so far."""
    paint_outline(canvas, head)
    paint_face_and_neck(canvas)
    paint_brain(canvas, head)
    paint_head_vessels(canvas, head)


def paint_outline(canvas: Canvas[Part], head: HeadTemplate) -> None:
    """Skin, fat and muscle of head and neck, and the vault of the skull."""
    outer = head.cranium_mm + head.skull_mm + head.scalp_mm

    def surface(g: Part) -> NDArray[np.float32]:
        vault = g.ellipsoid((0.0, 0.0, 0.0), outer)
        face = np.minimum(
            g.ellipsoid((0.0, -42.0, -58.0), (58.0, 52.0, 56.0)), g.ellipsoid((0.0, -90.0, -52.0), (13.0, 17.0, 20.0))
        )
        neck = g.tube(
            [[0.0, 22.0, -40.0], [0.0, 12.0, -100.0], [0.0, 10.0, -190.0]], [60.0, head.neck_mm, 1.06 * head.neck_mm]
        )
        return np.minimum(np.minimum(vault, face), neck)

    box = (HEAD_LOW_MM, (95.0, 115.0, 105.0))
    canvas.fill("skin", *box, lambda g: surface(g) < 0.0)
    canvas.fill("subcutaneous fat", *box, lambda g: surface(g) < -2.2)
    canvas.fill("muscle", *box, lambda g: (surface(g) < -5.5 + 0.8 * g.rough) & ((g.z < 5.0) | (np.abs(g.x) > 58.0)))
    canvas.fill(
        "skull", *box, lambda g: g.ellipsoid((0.0, 0.0, 0.0), head.cranium_mm + head.skull_mm) < _below_base(g, 9.0)
    )


def _below_base(g: Part, thickness_mm: float) -> NDArray[np.float32]:
    """0 above the base of the skull (its thickness below it included), far below zero under it."""
    return np.where(g.z > base_of_skull(g) - thickness_mm, 0.0, -1e3).astype(np.float32)


def paint_face_and_neck(canvas: Canvas[Part]) -> None:
    """Airways, eyes, jaws, glands, cervical spine."""
    c = canvas
    c.tube(
        "airways",
        [[0.0, -80.0, -48.0], [0.0, -45.0, -46.0], [0.0, -22.0, -62.0], [0.0, -20.0, -100.0]],
        [8.0, 10.0, 8.0, 7.0],
    )
    c.tube("airways", [[0.0, -20.0, -100.0], [0.0, -24.0, -130.0], [0.0, -16.0, -190.0]], [7.0, 7.0, 8.5])
    c.tube(
        "skull",
        [
            [-48.0, -2.0, -58.0],
            [-44.0, -18.0, -92.0],
            [-24.0, -66.0, -104.0],
            [0.0, -80.0, -104.0],
            [24.0, -66.0, -104.0],
            [44.0, -18.0, -92.0],
            [48.0, -2.0, -58.0],
        ],
        [5.0, 7.0, 7.5, 8.0, 7.5, 7.0, 5.0],
    )
    c.tube(
        "skull",
        [[-34.0, -45.0, -66.0], [-18.0, -72.0, -70.0], [18.0, -72.0, -70.0], [34.0, -45.0, -66.0]],
        [7.0, 7.0, 7.0, 7.0],
    )
    for side in _SIDES:
        x = side * 33.0
        c.tube("skull", [[side * 58.0, -58.0, -38.0], [side * 30.0, -72.0, -44.0]], [5.0, 5.0])
        c.ellipsoid("subcutaneous fat", (x, -56.0, -22.0), (17.0, 27.0, 16.0))
        c.ellipsoid("eye", (x, -72.0, -22.0), (12.0, 12.0, 12.0))
        c.tube("salivary gland", [[side * 53.0, 2.0, -56.0], [side * 50.0, 2.0, -80.0]], [9.0, 8.0])
        c.tube("salivary gland", [[side * 27.0, -38.0, -102.0], [side * 30.0, -26.0, -104.0]], [8.0, 8.0])
    c.tube("vertebrae", [[0.0, 24.0, -74.0], [0.0, 28.0, -200.0]], [13.0, 13.0])

    def disc(g: Part) -> Mask:
        between = np.abs((-g.z - 88.0) % 18.0 - 9.0) > 6.7
        return np.asarray((g.labels == c.label["vertebrae"]) & between & (g.z < -84.0))

    c.fill("intervertebral discs", (-16.0, 5.0, -200.0), (16.0, 45.0, -84.0), disc)
    c.tube("vertebrae", [[0.0, 48.0, -72.0], [0.0, 50.0, -200.0]], [12.0, 12.0])
    c.tube("cerebrospinal fluid", [[0.0, 42.0, -62.0], [0.0, 48.0, -80.0], [0.0, 50.0, -200.0]], [11.0, 8.0, 8.0])


def paint_head_vessels(canvas: Canvas[Part], head: HeadTemplate) -> None:
    """Dural sinuses, jugular veins and carotid arteries, over everything else."""
    _, b, c = head.cranium_mm
    angle = np.radians(np.arange(-55.0, 101.0, 7.5))
    arc = [[0.0, float((b - 1.5) * np.sin(t)), float((c - 1.5) * np.cos(t))] for t in angle]
    canvas.tube("dural sinuses", arc, list(np.linspace(2.4, 4.8, len(arc))))
    end = arc[-1]
    straight = [[0.0, 34.0, 10.0], [0.0, end[1] - 4.0, end[2] + 2.0]]
    canvas.tube("dural sinuses", straight, [2.2, 3.0])
    r = head.carotid_mm
    for side in _SIDES:
        sinus = [
            end,
            [side * 34.0, 66.0, -20.0],
            [side * 52.0, 38.0, -24.0],
            [side * 46.0, 26.0, -44.0],
            [side * 33.0, 18.0, -58.0],
        ]
        canvas.tube("dural sinuses", sinus, [4.8, 4.2, 4.4, 4.6, 4.6])
        jugular = [
            [side * 33.0, 18.0, -58.0],
            [side * 34.0, 4.0, -85.0],
            [side * 32.0, -6.0, -130.0],
            [side * 30.0, -10.0, -200.0],
        ]
        canvas.tube("jugular veins", jugular, [4.6, 5.0, 6.0, 6.5])
        canvas.tube(
            "carotid arteries", carotid_course(side), [1.35 * r, 1.3 * r, 1.5 * r, 1.05 * r, r, r, r, 0.95 * r, 0.8 * r]
        )


def carotid_course(side: float) -> list[list[float]]:
    """Common carotid, bulb, internal carotid, petrous bend, siphon.

    :param side: -1 right, 1 left; no unit.
    """
    course = [
        (22.0, -10.0, -200.0),
        (25.0, -8.0, -112.0),
        (26.0, -7.0, -100.0),
        (27.0, 0.0, -84.0),
        (25.0, 3.0, -60.0),
        (22.0, -2.0, -48.0),
        (12.0, -8.0, -42.0),
        (9.0, -16.0, -30.0),
        (9.0, -12.0, -20.0),
    ]
    return [[side * x, y, z] for x, y, z in course]
