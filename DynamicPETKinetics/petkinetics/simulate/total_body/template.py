"""The build of one random person: the thorax's, continued to head, arms, pelvis and thighs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Position
from petkinetics.simulate.head import HEAD_TISSUES, HeadTemplate
from petkinetics.simulate.seeds import stream
from petkinetics.simulate.shapes import Grid, superellipse
from petkinetics.simulate.thorax.template import TISSUES, Template, Tube

Float32 = NDArray[np.float32]

#: tissue names by label; the thorax's keep their labels
TOTAL_TISSUES = (
    *TISSUES,
    "pelvic bones",
    "limb bones",
    "bladder wall",
    "urine",
    "iliac arteries",
    "iliac veins",
    *HEAD_TISSUES,
)
#: origin of head coordinates in the body's
HEAD_ORIGIN_MM: Position = (0.0, 20.0, 296.0)
#: where the lungs end and the neck begins
NECK_MM = 148.0
#: the pelvic floor
PELVIC_FLOOR_MM = -335.0


class TotalTemplate(Template):
    """As the thorax's template; positions continue in its coordinates (z = 0 at the diaphragm).

    :param weight_kg: of the body.
    """

    low_mm: ClassVar[Position] = (-310.0, -185.0, -625.0)
    high_mm: ClassVar[Position] = (310.0, 190.0, 410.0)
    spine_mm: ClassVar[tuple[float, float]] = (-225.0, 240.0)

    def __init__(self, seed: int, weight_kg: float, aneurysm: bool = False) -> None:
        super().__init__(seed, weight_kg, aneurysm)
        rng = stream(seed, "total body")

        def around(mean: float, sd: float) -> float:
            return float(mean + sd * np.clip(rng.standard_normal(), -2.0, 2.0))

        self.head = HeadTemplate(seed)
        #: thickness of limbs relative to a person of 63 kg
        self.girth = float((weight_kg / 63.0) ** 0.35 * around(1.0, 0.04))
        self.bladder_fill = around(1.0, 0.2)
        self.femur_mm = around(12.5, 0.8)

    def wall(self, g: Grid) -> Float32:
        """The inner wall of chest, abdomen and pelvis; a narrow tube of viscera in the neck.

        About the radial distance from it, mm, negative inside, (slices, rows, columns).
        """
        upper = np.clip((g.z - 95.0) / 60.0, 0.0, 1.0)
        lower = np.clip((-190.0 - g.z) / 145.0, 0.0, 1.0)
        taper = 1.0 - 0.0016 * np.clip(g.z - 15.0, 0.0, 80.0) - 0.0005 * np.clip(-g.z - 20.0, 0.0, 170.0)
        dome = np.sqrt(np.maximum(1.0 - upper**2, 0.0))
        basin = np.sqrt(np.maximum(1.0 - 0.75 * lower**2, 0.0)) * (1.0 - 0.25 * lower)
        half_x = np.maximum(self.cavity_x * taper * dome * basin, 24.0 * (g.z > 0) + 3.0)
        half_y = np.maximum(self.cavity_y * (0.4 + 0.6 * taper) * dome * basin, 18.0 * (g.z > 0) + 3.0)
        middle = 6.0 - 20.0 * np.clip((g.z - 95.0) / 55.0, 0.0, 1.0)
        # in the head and between the thighs the trunk ends: everything there is far outside of its wall
        beyond = 3.0 * (np.maximum(PELVIC_FLOOR_MM - 10.0 - g.z, 0.0) + np.maximum(g.z - HEAD_ORIGIN_MM[2] + 60.0, 0.0))
        return superellipse(g.x, g.y + middle, half_x, half_y, 2.35) + beyond.astype(np.float32)

    def limbs(self) -> list[Tube]:
        """Shoulders, arms at the sides, hips and thighs."""
        tubes: list[Tube] = []
        f, arm_x = self.girth, self.arm_x
        for side in (-1.0, 1.0):

            def at(x: float, y: float, z: float, side: float = side) -> list[float]:
                return [side * x, y, z]

            tubes += [
                (
                    [at(25.0, 34.0, 178.0), at(95.0, 28.0, 128.0), at(arm_x - 34.0, 22.0, 104.0)],
                    [34.0 * f, 42.0 * f, 48.0 * f],
                ),
                (
                    [at(arm_x - 34.0, 22.0, 100.0), at(arm_x, 26.0, 10.0), at(arm_x + 4.0, 30.0, -125.0)],
                    [48.0 * f, 42.0 * f, 37.0 * f],
                ),
                (
                    [at(arm_x + 4.0, 30.0, -125.0), at(arm_x + 3.0, 12.0, -200.0), at(arm_x, -8.0, -365.0)],
                    [37.0 * f, 37.0 * f, 25.0 * f],
                ),
                (
                    [at(arm_x, -8.0, -365.0), at(arm_x - 4.0, -16.0, -420.0), at(arm_x - 8.0, -26.0, -500.0)],
                    [24.0, 31.0, 14.0],
                ),
                (
                    [at(88.0, 22.0, -185.0), at(94.0, 24.0, -270.0), at(91.0, 20.0, -345.0), at(80.0, 14.0, -700.0)],
                    [60.0 * f, 80.0 * f, 82.0 * f, 60.0 * f],
                ),
                ([at(58.0, 58.0, -235.0), at(62.0, 60.0, -310.0)], [52.0 * f, 58.0 * f]),
            ]
        return tubes

    @property
    def arm_x(self) -> float:
        """Distance (mm) of the middle of an upper arm from the middle of the body."""
        return float(self.cavity_x + 14.0 + self.muscle_mm + self.fat_mm + 44.0 * self.girth)
