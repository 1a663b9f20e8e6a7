"""Patients who are harder to read: an aneurysm of the aorta, an aorta partly out of the scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.anatomy import Anatomy, grid_axes
from petkinetics.simulate.seeds import stream

Float64 = NDArray[np.float64]
Variant = Literal["aneurysm", "partly-out-of-view"]

#: share of the aorta's length in the scan that a short scan keeps
_KEPT_SHARE = (0.35, 0.55)
#: but never a scan shorter than this
_SHORTEST_MM = 45.0
_LATTICE_MM = 4.0


@dataclass(frozen=True)
class Aneurysm:
    """A spindle-shaped widening of the aorta, wholly perfused.

    :param centre_z_mm: where the aorta is widest.
    :param half_length_mm: from there to half the widening.
    :param extra_radius_mm: added to the radius at the widest place.
    """

    centre_z_mm: float
    half_length_mm: float
    extra_radius_mm: float

    @classmethod
    def random(cls, seed: int, lowest_z_mm: float, highest_z_mm: float) -> Aneurysm:
        """Draw one: 28-40 mm wider than the aorta (that is about 50-65 mm), 40-80 mm long.

        :param lowest_z_mm: of its middle; *highest_z_mm*: likewise.
        """
        rng = stream(seed, "aneurysm")
        return cls(
            centre_z_mm=float(rng.uniform(lowest_z_mm, highest_z_mm)),
            half_length_mm=float(rng.uniform(20.0, 40.0)),
            extra_radius_mm=float(rng.uniform(14.0, 20.0)),
        )

    def widening(self, z_mm: ArrayLike) -> Float64:
        """Added radius (mm) at a level.

        :param z_mm: any shape; the answer has its shape.
        """
        return np.asarray(
            self.extra_radius_mm * 0.5 ** (((np.asarray(z_mm) - self.centre_z_mm) / self.half_length_mm) ** 2)
        )

    def shift(self, z_mm: ArrayLike) -> Float64:
        """Displacement (x, y) of the centre line, mm: the spine is behind, so it bulges to the front and left.

        :param z_mm: of shape (...).
        :returns: of shape (..., 2).
        """
        return self.widening(z_mm)[..., None] * np.array([0.35, -0.75])

    def widen(self, points: list[list[float]], radii: list[float]) -> tuple[list[list[float]], list[float]]:
        """A course of centre points and radii with the aneurysm in it.

        Only its descending part, behind y = 10 mm, is widened.
        """
        course = np.column_stack([np.asarray(points, dtype=float), radii])
        length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(course[:, :3], axis=0), axis=1))])
        at = np.unique(np.concatenate([length, np.arange(0.0, length[-1], 5.0)]))
        dense = np.column_stack([np.interp(at, length, column) for column in course.T])
        descending = dense[:, 1] > 10.0
        z = dense[descending, 2]
        dense[descending, :2] += self.shift(z)
        dense[descending, 3] += self.widening(z)
        return dense[:, :3].tolist(), dense[:, 3].tolist()


def partly_out_of_view(anatomy: Anatomy, seed: int, geometry: VolumeGeometry) -> VolumeGeometry:
    """The part of a grid that a scan covers which ends within the aorta: 35-55 % of its length is seen.

    Whether the upper or the lower part is seen is drawn.

    :raises InputError: the anatomy or the grid holds no aorta.
    """
    if anatomy.plan.blood_region != "aorta":
        raise InputError("This anatomy shows no aorta that could lie partly out of view.")
    _, _, z = grid_axes(geometry)
    x, y = (
        np.arange(low, high, _LATTICE_MM, dtype=np.float32)
        for low, high in zip(anatomy.low_mm[:2], anatomy.high_mm[:2], strict=True)
    )
    label = next(label for label, name in anatomy.names.items() if name == "aorta")
    region = (anatomy.paint(x, y, z) == label) & anatomy.input_region(x, y, z)
    slices = np.flatnonzero(region.any(axis=(1, 2)))
    if not slices.size:
        raise InputError("There is no aorta in this grid that could lie partly out of view.")
    rng = stream(seed, "partly out of view")
    kept = max(1, round(float(rng.uniform(*_KEPT_SHARE)) * slices.size))
    shortest = min(geometry.shape[0], int(np.ceil(_SHORTEST_MM / geometry.spacing_mm[2])))
    if rng.random() < 0.5:
        first, stop = 0, max(int(slices[kept - 1]) + 1, shortest)
    else:
        first, stop = min(int(slices[-kept]), geometry.shape[0] - shortest), geometry.shape[0]
    origin = (*geometry.origin_mm[:2], geometry.origin_mm[2] + first * geometry.spacing_mm[2])
    return VolumeGeometry((stop - first, *geometry.shape[1:]), geometry.spacing_mm, origin)
