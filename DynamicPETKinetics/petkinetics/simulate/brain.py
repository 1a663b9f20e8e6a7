"""The head and upper neck of one random person."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.simulate.anatomy import Labels, Motion, Position
from petkinetics.simulate.canvas import Canvas, Part
from petkinetics.simulate.fields import Deformation, SmoothField
from petkinetics.simulate.head import HEAD_TISSUES, HeadTemplate, paint_head
from petkinetics.simulate.physiology import blood_labels
from petkinetics.simulate.plan import ScanPlan
from petkinetics.simulate.seeds import stream

Float32 = NDArray[np.float32]

_TISSUES = (
    "air",
    "skin",
    "subcutaneous fat",
    "muscle",
    "airways",
    "vertebrae",
    "intervertebral discs",
    "spinal cord",
    *HEAD_TISSUES,
)
#: how far the deformation displaces, at most
_REACH_MM = 8.0


class Brain:
    """One random head (see :class:`petkinetics.simulate.anatomy.Anatomy`).

    198 mm from the vertex to the neck, in voxels as brain scans are zoomed: ``full`` 256x256x71 of
    1.17x1.17x2.79 mm. There is no liver; white matter takes its place in the noise's calibration. The
    carotid arteries are the blood region, too thin to be seen without their surroundings.

    :param seed: of the patient.
    :param weight_kg: without influence on the head.
    :raises InputError: an aneurysm of the aorta is asked for.
    """

    plan: ClassVar[ScanPlan] = ScanPlan(
        voxels={"full": ((71, 256, 256), (1.17, 1.17, 2.79)), "small": ((48, 84, 84), (3.2, 3.2, 4.125))},
        centre_mm=-6.0,
        calibration="white matter",
        blood_region="carotid arteries",
        body_part="BRAIN",
    )

    def __init__(self, seed: int, weight_kg: float, aneurysm: bool = False) -> None:  # noqa: ARG002
        if aneurysm:
            raise InputError("The anatomy 'brain' shows no aorta that could have an aneurysm.")
        self.names: dict[int, str] = dict(enumerate(_TISSUES))
        self.blood: frozenset[int] = blood_labels(self.names)
        self.low_mm: Position = (-110.0, -125.0, -120.0)
        self.high_mm: Position = (110.0, 125.0, 105.0)
        self._head = HeadTemplate(seed)
        rng = stream(seed, "deformation of the head")
        self._deformation = Deformation.random(rng, 55.0, self.low_mm, self.high_mm, 2.0, _REACH_MM - 1.0)
        self._roughness = SmoothField.random(rng, 14.0, self.low_mm, self.high_mm)

    def paint(self, x: Float32, y: Float32, z: Float32) -> Labels:
        """Tissue labels on a grid of three axes (mm), uint8 (len(z), len(y), len(x))."""
        labels: Labels = np.zeros((len(z), len(y), len(x)), dtype=np.uint8)
        part = Part(*self._deformation.displaced(x, y, z), labels, self._roughness.on_axes(x, y, z))
        paint_head(Canvas((x, y, z), part, {name: label for label, name in self.names.items()}, _REACH_MM), self._head)
        return labels

    def motion(self, x: Float32, y: Float32, z: Float32) -> Motion:
        """The head is held still: weights of 0 at *x*, *y*, *z* (mm), (slices, rows, columns)."""
        still = np.zeros((len(z), len(y), len(x)), dtype=np.float32)
        return Motion(0.0, still, 0.0, still)

    def input_region(self, x: Float32, y: Float32, z: Float32) -> NDArray[np.bool_]:
        """Both carotid arteries all along: true at all *x*, *y*, *z* (mm), (slices, rows, columns)."""
        return np.ones((len(z), len(y), len(x)), dtype=bool)
