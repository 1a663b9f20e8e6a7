"""The trunk: skin, fat, muscle, ribs, lungs, the abdominal cavity, spine and breastbone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.thorax.canvas import TrunkCanvas, TrunkPart
from petkinetics.simulate.thorax.template import LABEL, RIB_PERIOD_MM, VERTEBRA_PERIOD_MM, Template


def paint_trunk(canvas: TrunkCanvas, body: Template) -> None:
    """Skin, fat, muscle and ribs around the chest and abdominal cavity, and the limbs."""
    g, d = canvas.whole, canvas.whole.wall
    limb = canvas.nearest(body.limbs())
    rho = np.hypot(g.x, g.y) + 1.0
    back = np.maximum(g.y / rho, 0.0)
    side = np.abs(g.x) / rho
    upper = np.clip((g.z - 20.0) / 70.0, 0.0, 1.0)
    front = np.maximum(-g.y / rho, 0.0)
    muscle = 7.0 + body.muscle_mm * (1.0 + 0.7 * side**2 + 2.0 * back**2 + upper * (0.8 * side**2 + 0.9 * front**2))
    # Paraspinal muscles stand out on both sides of the spine and leave the furrow between them.
    muscle = muscle + 7.0 * np.exp(-0.5 * ((np.abs(g.x) - 32.0) / 15.0) ** 2) * (g.y > 0)
    fat = muscle + body.fat_mm * (0.75 + 0.35 * front**2 + 0.25 * side**2 + 0.05 * g.rough)
    labels = g.labels
    for tissue, trunk, depth in (
        ("skin", fat + 2.4, 0.0),
        ("subcutaneous fat", fat, 2.4),
        ("muscle", muscle + 1.2 * g.rough, 2.4 + 0.6 * body.fat_mm),
    ):
        labels[d < trunk] = LABEL[tissue]
        if limb is not None:
            labels[limb < -depth] = LABEL[tissue]
    # Ribs run down to the front; one ring a period, in the shell outside the pleura.
    phase = (g.z + 0.42 * g.y - 0.12 * np.abs(g.x) + body.rib_phase_mm) % RIB_PERIOD_MM
    rib = (np.abs(phase - RIB_PERIOD_MM / 2) < 5.0) & (d > 0.0) & (d < 7.5) & (g.height > -70.0)
    rib &= (g.y > -0.72 * body.cavity_y) & (np.abs(g.x) > 16.0)
    labels[rib] = LABEL["ribs"]


def paint_lungs(canvas: TrunkCanvas, _body: Template) -> None:
    """Both lungs, the mediastinum between them and the diaphragm."""
    g, d = canvas.whole, canvas.whole.wall
    inside = d < -1.0
    above = inside & (g.height > 0.0)
    half = 15.0 + 15.0 * np.exp(-0.5 * ((g.y - 5.0) / 32.0) ** 2) + 0.10 * np.maximum(g.z - 50.0, 0.0)
    middle = np.abs(g.x - 3.0) < half + 2.0 * g.rough
    g.labels[above] = LABEL["lung"]
    g.labels[above & middle] = LABEL["mediastinum"]
    # Cupola of the diaphragm: a sheet of muscle between lung and abdomen.
    g.labels[inside & (np.abs(g.height + 1.0) < 1.6)] = LABEL["muscle"]


def paint_abdomen(canvas: TrunkCanvas, body: Template) -> None:
    """Fat and loops of bowel."""
    g = canvas.whole
    below = (g.wall < -1.0) & (g.height < -2.6)
    g.labels[below] = LABEL["visceral fat"]
    loops = body.bowel.on_axes(*canvas.axes)
    region = below & (g.wall < -6.0) & (g.z < -38.0) & (g.y < 26.0)
    g.labels[region & (loops > 0.25 - body.bowel_share)] = LABEL["bowel"]


def paint_skeleton(canvas: TrunkCanvas, body: Template) -> None:
    """Vertebrae with their arches, discs, spinal cord and sternum."""
    spine_y = 0.62 * body.cavity_y

    def bodies(g: TrunkPart) -> NDArray[np.bool_]:
        waist = 1.0 - 0.12 * np.cos(2 * np.pi * (g.z + body.vertebra_phase_mm) / VERTEBRA_PERIOD_MM) ** 2
        return np.asarray(np.hypot(g.x / 18.0, (g.y - spine_y) / 15.0) < waist)

    def arch(g: TrunkPart) -> NDArray[np.bool_]:
        level = (g.z + body.vertebra_phase_mm + 9.0) % VERTEBRA_PERIOD_MM
        ring = np.abs(np.hypot(g.x, g.y - spine_y - 22.0) - 11.5) < 3.2
        spinous = (np.abs(g.x) < 3.4) & (g.y > spine_y + 32.0) & (g.y < spine_y + 50.0)
        transverse = (np.abs(g.y - spine_y - 17.0 - 0.18 * np.abs(g.x)) < 4.5) & (np.abs(g.x) < 33.0)
        bone = ring | spinous | (transverse & (level > 5.0) & (level < 15.0))
        return np.asarray(bone & (level < 19.0) & (g.wall < 34.0) & (g.labels != LABEL["skin"]))

    def discs(g: TrunkPart) -> NDArray[np.bool_]:
        level = (g.z + body.vertebra_phase_mm) % VERTEBRA_PERIOD_MM
        return np.asarray((g.labels == LABEL["vertebrae"]) & (level > VERTEBRA_PERIOD_MM - 5.0))

    def cord(g: TrunkPart) -> NDArray[np.bool_]:
        return np.asarray(np.hypot(g.x / 1.25, g.y - spine_y - 22.0) < 5.5)

    def canal(g: TrunkPart) -> NDArray[np.bool_]:
        return np.asarray(np.hypot(g.x, g.y - spine_y - 22.0) < 8.5)

    def sternum(g: TrunkPart) -> NDArray[np.bool_]:
        d = g.wall
        return np.asarray((np.abs(g.x) < 15.0) & (g.y < -20.0) & (d > 0.5) & (d < 9.5) & (g.z > 2.0))

    low, high = body.spine_mm
    column = ((-22.0, spine_y - 18.0, low), (22.0, spine_y + 17.0, high))
    behind = ((-36.0, spine_y + 5.0, low), (36.0, spine_y + 52.0, high))
    canvas.fill("vertebrae", *column, bodies)
    canvas.fill("intervertebral discs", *column, discs)
    canvas.fill("vertebrae", *behind, arch)
    canvas.fill("visceral fat", *behind, canal)
    canvas.fill("spinal cord", *behind, cord)
    canvas.fill("sternum", (-18.0, -140.0, -5.0), (18.0, -30.0, 400.0), sternum)
