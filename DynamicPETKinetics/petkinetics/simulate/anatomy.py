"""What an anatomy is: tissues at any position of a body, painted onto any voxel grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.plan import ScanPlan

Float32 = NDArray[np.float32]
Labels = NDArray[np.uint8]
Position = tuple[float, float, float]


@dataclass(frozen=True)
class Motion:
    """What blurs the heart and the upper abdomen during a scan without gating.

    :param respiratory_sd_mm: of the head-foot displacement where it is largest.
    :param respiratory_weight: share of the motion that reaches a voxel, 0-1, (slices, rows, columns).
    :param cardiac_sd_mm: of the displacement in every direction in the heart.
    :param cardiac_weight: as *respiratory_weight*.
    """

    respiratory_sd_mm: float
    respiratory_weight: Float32
    cardiac_sd_mm: float
    cardiac_weight: Float32


class Anatomy(Protocol):
    """One body. The same body whatever the grid, so crops and single slices can be simulated.

    Positions are mm, DICOM patient directions (x to the left, y to the back, z to the head). A body is drawn for a seed
    and *weight_kg*.
    """

    #: how this anatomy is scanned
    plan: ClassVar[ScanPlan]
    #: label -> tissue name; 0 is air around the body
    names: dict[int, str]
    #: labels that are blood
    blood: frozenset[int]
    #: corners of the box that holds the body within the longest scan
    low_mm: Position
    high_mm: Position

    def __init__(self, seed: int, weight_kg: float, aneurysm: bool = False) -> None: ...

    def paint(self, x: Float32, y: Float32, z: Float32) -> Labels:
        """Tissue labels on a grid of three axes, uint8 (len(z), len(y), len(x))."""
        ...

    def motion(self, x: Float32, y: Float32, z: Float32) -> Motion:
        """What moves on a grid of three axes (mm), as in :meth:`paint`."""
        ...

    def input_region(self, x: Float32, y: Float32, z: Float32) -> NDArray[np.bool_]:
        """Where on the grid an observer would place the blood region, bool (len(z), len(y), len(x))."""
        ...


def grid_axes(geometry: VolumeGeometry) -> tuple[Float32, Float32, Float32]:
    """The x, y and z positions (mm) of a grid's columns, rows and slices: float32 (columns,), (rows,) and (slices,).

    :raises InputError: the grid is not aligned with the patient; bodies are painted on aligned grids.
    """
    if not np.allclose(geometry.direction, np.eye(3)):
        raise InputError("A simulated patient needs a grid aligned with the patient axes.")
    first, second, third = (
        (origin + step * np.arange(count)).astype(np.float32)
        for origin, step, count in zip(geometry.origin_mm, geometry.spacing_mm, geometry.shape[::-1], strict=True)
    )
    return first, second, third
