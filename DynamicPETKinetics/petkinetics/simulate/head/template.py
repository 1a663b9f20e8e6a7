"""The build of one random head: sizes and the folds of its cortex."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Position
from petkinetics.simulate.fields import SmoothField
from petkinetics.simulate.seeds import stream
from petkinetics.simulate.shapes import Grid

#: tissues of a head, besides skin, fat, muscle, vertebrae, spinal cord, airways
HEAD_TISSUES = (
    "skull",
    "cerebrospinal fluid",
    "grey matter",
    "white matter",
    "basal ganglia",
    "thalamus",
    "cerebellum",
    "brainstem",
    "eye",
    "salivary gland",
    "dural sinuses",
    "jugular veins",
    "carotid arteries",
)
#: box of the head and upper neck in head coordinates
HEAD_LOW_MM: Position = (-95.0, -115.0, -165.0)
HEAD_HIGH_MM: Position = (95.0, 115.0, 95.0)
#: node distances of the fields whose zero surfaces are sulci
_SULCI_MM = (13.0, 9.0)


class HeadTemplate:
    """Sizes of one head. Positions are mm, x to the left, y to the back, z up; the origin is the middle of the brain.

    :param seed: of the patient.
    """

    def __init__(self, seed: int) -> None:
        rng = stream(seed, "head")

        def around(mean: float, sd: float) -> float:
            return float(mean + sd * np.clip(rng.standard_normal(), -2.0, 2.0))

        #: half-axes of the inner skull
        self.cranium_mm = np.array([around(71.0, 2.0), around(87.0, 2.5), around(75.0, 2.0)])
        self.skull_mm = around(6.5, 0.7)
        self.scalp_mm = around(5.5, 0.8)
        self.cortex_mm = around(3.7, 0.2)
        self.sulcus_mm = around(0.7, 0.12)
        self.ventricles = around(1.0, 0.15)
        self.carotid_mm = around(2.7, 0.25)
        self.neck_mm = around(56.0, 2.5)
        self.sulci = [SmoothField.random(rng, spacing, HEAD_LOW_MM, HEAD_HIGH_MM) for spacing in _SULCI_MM]


def base_of_skull(g: Grid) -> NDArray[np.float32]:
    """Height (mm) of the base of the cranial cavity: its front, middle and back pits, deeper each.

    Of the places of *g*, (slices, rows, columns).
    """
    middle, back = (1.0 / (1.0 + np.exp(-(g.y - at) / 3.5)) for at in (-30.0, 22.0))
    return np.asarray(
        -24.0 - 20.0 * middle * np.clip((np.abs(g.x) - 8.0) / 14.0, 0.0, 1.0) - 8.0 * middle - 16.0 * back
    )
