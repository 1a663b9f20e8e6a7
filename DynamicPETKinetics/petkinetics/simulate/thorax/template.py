"""The build of one random thorax: sizes and places of its organs, drawn once."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.anatomy import Position
from petkinetics.simulate.fields import Deformation, SmoothField
from petkinetics.simulate.seeds import stream
from petkinetics.simulate.shapes import Grid, superellipse
from petkinetics.simulate.variants import Aneurysm

Float32 = NDArray[np.float32]
#: centre line and radii, mm
Tube: TypeAlias = tuple[list[list[float]], list[float]]

#: tissue names by label
TISSUES = (
    "air",
    "skin",
    "subcutaneous fat",
    "muscle",
    "ribs",
    "lung",
    "mediastinum",
    "visceral fat",
    "bowel",
    "liver",
    "spleen",
    "stomach wall",
    "stomach content",
    "kidney",
    "renal pelvis",
    "vertebrae",
    "intervertebral discs",
    "spinal cord",
    "sternum",
    "oesophagus",
    "airways",
    "myocardium",
    "right ventricular wall",
    "left ventricle",
    "left atrium",
    "right heart",
    "pulmonary artery",
    "superior vena cava",
    "inferior vena cava",
    "aorta",
)
#: label of each tissue
LABEL = {name: index for index, name in enumerate(TISSUES)}
#: displacement of organs from the template, one standard deviation
_DEFORMATION_MM = 4.0
_DEFORMATION_SPACING_MM = 62.0
#: organs may be displaced by no more than this; boxes are widened by it
REACH_MM = 16.0
VERTEBRA_PERIOD_MM = 25.0
RIB_PERIOD_MM = 26.0
#: corners of the box that holds the trunk
LOW_MM: Position = (-225.0, -185.0, -140.0)
HIGH_MM: Position = (225.0, 190.0, 150.0)


class Template:
    """Sizes and places of the organs of one patient, and the deformation that bends them together.

    Positions are mm, x to the left, y to the back, z to the head; z = 0 is about the level of the
    diaphragm, x = 0 the spine. Standard deviations are those of healthy adults of similar weight,
    rounded; draws further than two of them do not occur.

    :param seed: of the patient.
    :param weight_kg: widens the trunk, mostly by fat.
    :param aneurysm: whether the descending aorta has one.
    """

    #: corners of the box that holds the body
    low_mm: ClassVar[Position] = LOW_MM
    high_mm: ClassVar[Position] = HIGH_MM
    #: lowest and highest place of vertebrae
    spine_mm: ClassVar[tuple[float, float]] = (-400.0, 400.0)

    def __init__(self, seed: int, weight_kg: float, aneurysm: bool = False) -> None:
        rng = stream(seed, "thorax")
        relative = weight_kg / 63.0

        def around(mean: float, sd: float) -> float:
            return float(mean + sd * np.clip(rng.standard_normal(), -2.0, 2.0))

        self.build = relative**0.12 * around(1.0, 0.03)
        self.cavity_x = 123.0 * self.build * around(1.0, 0.03)
        self.cavity_y = 78.0 * self.build * around(1.0, 0.04)
        self.fat_mm = float(np.clip(11.0 + 0.36 * (weight_kg - 63.0) + around(0.0, 2.5), 4.0, 34.0))
        self.muscle_mm = 8.0 * relative**0.3 * around(1.0, 0.12)
        self.dome_right_mm = around(14.0, 6.0)
        self.dome_left_mm = self.dome_right_mm - around(13.0, 4.0)
        self.liver_shift_mm = np.array([around(0.0, 8.0), around(0.0, 5.0), around(0.0, 9.0)])
        self.liver_tilt = around(0.0, 0.08)
        self.spleen_size = around(1.0, 0.12)
        self.kidney_size = around(1.0, 0.08)
        self.kidney_top_mm = (around(-50.0, 6.0), around(-40.0, 6.0))
        self.stomach_size = around(1.0, 0.15)
        self.heart_centre = np.array([around(33.0, 4.0), around(-22.0, 4.0), around(27.0, 4.0)])
        self.heart_size = around(1.0, 0.06)
        self.heart_axis = np.array([0.66, -0.52, -0.54]) + np.array([around(0, 0.07) for _ in range(3)])
        self.wall_mm = around(10.5, 1.0)
        self.aorta_mm = around(12.6, 0.7)
        self.arch_top_mm = around(86.0, 4.0)
        self.descending_x = around(17.0, 3.0)
        self.vertebra_phase_mm = float(rng.uniform(0.0, VERTEBRA_PERIOD_MM))
        self.rib_phase_mm = float(rng.uniform(0.0, RIB_PERIOD_MM))
        self.bowel_share = around(0.1, 0.25)
        self.respiratory_sd_mm = float(np.clip(around(3.4, 1.2), 1.2, 6.0))
        self.cardiac_sd_mm = float(np.clip(around(2.6, 0.5), 1.5, 3.8))
        self.deformation = Deformation.random(
            rng, _DEFORMATION_SPACING_MM, self.low_mm, self.high_mm, _DEFORMATION_MM, REACH_MM - 1.0
        )
        self.bowel = SmoothField.random(rng, 21.0, self.low_mm, self.high_mm)
        self.roughness = SmoothField.random(rng, 26.0, self.low_mm, self.high_mm)
        self.aneurysm = Aneurysm.random(seed, -70.0, 40.0) if aneurysm else None

    def displaced(self, x: Float32, y: Float32, z: Float32) -> tuple[Float32, Float32, Float32]:
        """Template positions of the voxels of a grid, (len(z), len(y), len(x)) each."""
        return self.deformation.displaced(x, y, z)

    def limbs(self) -> list[Tube]:
        """What the body has beside the trunk; none here, the arms are raised."""
        return []

    def wall(self, g: Grid) -> Float32:
        """Radial distance (mm) from the inner wall of chest and abdomen, negative inside, (slices, rows, columns)."""
        taper = 1.0 - 0.0016 * np.maximum(g.z - 15.0, 0.0) - 0.0005 * np.maximum(-g.z - 20.0, 0.0)
        return superellipse(g.x, g.y + 6.0, self.cavity_x * taper, self.cavity_y * (0.4 + 0.6 * taper), 2.35)

    def diaphragm(self, g: Grid) -> Float32:
        """Height (mm) of the diaphragm above each voxel's place, (slices, rows, columns)."""
        right = self.dome_right_mm - 0.0080 * ((g.x + 60.0) ** 2 + 0.9 * (g.y + 8.0) ** 2)
        left = self.dome_left_mm - 0.0085 * ((g.x - 66.0) ** 2 + 0.9 * (g.y + 6.0) ** 2)
        middle = -9.0 - 0.004 * (g.x**2 + (g.y + 10.0) ** 2)
        return np.maximum(np.maximum(np.maximum(right, left), middle), -78.0)

    def aorta_course(self) -> Tube:
        """Centre line and radius from the aortic valve to below the kidneys' upper poles."""
        top, r, dx = self.arch_top_mm, self.aorta_mm, self.descending_x
        points = [
            [4.0, -10.0, 44.0],
            [-9.0, -20.0, 60.0],
            [-9.0, -18.0, top - 14.0],
            [-3.0, -10.0, top - 4.0],
            [6.0, 4.0, top],
            [14.0, 18.0, top - 2.0],
            [dx + 2.0, 27.0, top - 12.0],
            [dx + 2.0, 30.0, top - 30.0],
            [dx, 31.0, 20.0],
            [0.6 * dx, 29.0, -30.0],
            [4.0, 27.0, -70.0],
            [3.0, 26.0, -160.0],
        ]
        scale = [1.2, 1.28, 1.25, 1.2, 1.12, 1.06, 1.02, 1.0, 0.98, 0.95, 0.9, 0.82]
        radii = [r * s for s in scale]
        return (points, radii) if self.aneurysm is None else self.aneurysm.widen(points, radii)
