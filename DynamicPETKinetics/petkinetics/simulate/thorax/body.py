"""The thorax and upper abdomen of one random adult, arms raised: aortic arch to kidneys."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Labels, Motion, Position
from petkinetics.simulate.physiology import blood_labels
from petkinetics.simulate.plan import TRUNK_VOXELS, ScanPlan
from petkinetics.simulate.thorax.canvas import TrunkCanvas
from petkinetics.simulate.thorax.heart import paint_heart, paint_vessels
from petkinetics.simulate.thorax.organs import paint_kidneys, paint_liver, paint_spleen, paint_stomach
from petkinetics.simulate.thorax.template import TISSUES, Template
from petkinetics.simulate.thorax.trunk import paint_abdomen, paint_lungs, paint_skeleton, paint_trunk

Float32 = NDArray[np.float32]

#: from the outside to the inside; what comes later lies over what came before
LAYERS: tuple[Callable[[TrunkCanvas, Template], None], ...] = (
    paint_trunk,
    paint_lungs,
    paint_abdomen,
    paint_liver,
    paint_stomach,
    paint_spleen,
    paint_kidneys,
    paint_skeleton,
    paint_heart,
    paint_vessels,
)


class Thorax:
    """One random thorax (see :class:`petkinetics.simulate.anatomy.Anatomy`).

    Organs are analytic shapes whose sizes and places vary from patient to patient, bent together by
    a smooth random deformation.

    :param seed: of the patient.
    :param weight_kg: widens the trunk, mostly by fat.
    :param aneurysm: whether the descending aorta has one.
    """

    plan: ClassVar[ScanPlan] = ScanPlan(TRUNK_VOXELS)
    tissues: ClassVar[tuple[str, ...]] = TISSUES
    build: ClassVar[type[Template]] = Template

    def __init__(self, seed: int, weight_kg: float, aneurysm: bool = False) -> None:
        self.names: dict[int, str] = dict(enumerate(self.tissues))
        self.blood: frozenset[int] = blood_labels(self.names)
        self.template = self.build(seed, weight_kg, aneurysm)
        self.low_mm: Position = self.template.low_mm
        self.high_mm: Position = self.template.high_mm

    def paint(self, x: Float32, y: Float32, z: Float32) -> Labels:
        """Tissue labels on a grid of three axes (mm), uint8 (len(z), len(y), len(x))."""
        return self.painted(x, y, z).whole.labels

    def painted(self, x: Float32, y: Float32, z: Float32) -> TrunkCanvas:
        """The grid with all layers of the trunk on it.

        :param x: positions of the columns, mm, (columns,); *y* of the rows, (rows,); *z* of the slices, (slices,).
        """
        canvas = TrunkCanvas(self.template, x, y, z, {name: label for label, name in self.names.items()})
        for layer in LAYERS:
            layer(canvas, self.template)
        return canvas

    def motion(self, x: Float32, y: Float32, z: Float32) -> Motion:
        """Breathing moves the diaphragm and what lies on it, the spine rests; the heart beats.

        The weights of both motions at *x*, *y*, *z* (mm) are (slices, rows, columns).
        """
        level = np.exp(-0.5 * ((z + 10.0) / 42.0) ** 2)[:, None, None]
        front = 1.0 / (1.0 + np.exp((y - 30.0) / 5.0))[None, :, None]
        inside = np.exp(-0.5 * (np.maximum(np.abs(x) - self.template.cavity_x + 10.0, 0.0) / 8.0) ** 2)[None, None, :]
        respiratory = (level * front * inside).astype(np.float32)
        cx, cy, cz = self.template.heart_centre
        distance = np.sqrt((x[None, None, :] - cx) ** 2 + (y[None, :, None] - cy) ** 2 + (z[:, None, None] - cz) ** 2)
        cardiac = (1.0 / (1.0 + np.exp((distance - 48.0 * self.template.heart_size) / 4.0))).astype(np.float32)
        return Motion(self.template.respiratory_sd_mm, respiratory, self.template.cardiac_sd_mm, cardiac)

    def input_region(self, x: Float32, y: Float32, z: Float32) -> NDArray[np.bool_]:
        """The descending aorta: behind the heart, where breathing and heartbeat hardly reach.

        :param x: patient axes, mm; *y*, *z*: likewise.
        :returns: bool (slices, rows, columns).
        """
        _, dy, _ = self.template.displaced(x, y, z)
        shape = (len(z), len(y), len(x))
        return np.broadcast_to((dy > 16.0) & (z[:, None, None] < self.template.arch_top_mm - 18.0), shape)
