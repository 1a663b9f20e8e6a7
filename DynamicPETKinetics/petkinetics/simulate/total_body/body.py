"""One random person from the vertex to the thighs, arms at the sides."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Labels
from petkinetics.simulate.head import paint_head
from petkinetics.simulate.plan import ScanPlan
from petkinetics.simulate.thorax import Thorax
from petkinetics.simulate.thorax.template import Template
from petkinetics.simulate.total_body.layers import (
    paint_bones,
    paint_ends,
    paint_far_vessels,
    paint_pelvis,
)
from petkinetics.simulate.total_body.template import HEAD_ORIGIN_MM, TOTAL_TISSUES, TotalTemplate

Float32 = NDArray[np.float32]


class TotalBody(Thorax):
    """One random person (see :class:`petkinetics.simulate.anatomy.Anatomy`): the thorax, continued.

    A metre is scanned in six beds of 198 mm that overlap by a fifth. Each place is counted for a sixth of
    a frame's time, so the liver's voxels vary by 12 % times the root of 6, 29 %, at dose 1.

    :param seed: of the patient.
    :param weight_kg: widens trunk and limbs.
    :param aneurysm: whether the descending aorta has one.
    """

    plan: ClassVar[ScanPlan] = ScanPlan(
        voxels={"full": ((200, 168, 168), (4.07, 4.07, 5.0)), "small": ((125, 108, 108), (6.0, 6.0, 8.0))},
        centre_mm=-97.0,
        beds=6,
        body_part="WHOLEBODY",
    )
    tissues: ClassVar[tuple[str, ...]] = TOTAL_TISSUES
    build: ClassVar[type[Template]] = TotalTemplate

    def paint(self, x: Float32, y: Float32, z: Float32) -> Labels:
        """Tissue labels on a grid of three axes (mm), uint8 (len(z), len(y), len(x))."""
        canvas, body = self.painted(x, y, z), self.template
        assert isinstance(body, TotalTemplate)
        for layer in (paint_ends, paint_bones, paint_pelvis, paint_far_vessels):
            layer(canvas, body)
        paint_head(canvas.moved(HEAD_ORIGIN_MM, -125.0), body.head)
        return canvas.whole.labels
