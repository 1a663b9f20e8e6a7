"""A volume as people look at it: upright, cut by three planes through a point, in radiological view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.boxes import box_around
from petkinetics.maps import ParametricMap
from petkinetics.series import VolumeGeometry

#: images thinner than this are shown in the transverse plane alone: the others would be slivers
_THIN_MM = 40.0


@dataclass(frozen=True, eq=False)
class Upright:
    """A grid turned so that axes (z, y, x) grow to superior, posterior and left.

    Oblique grids are turned to their nearest patient axes, not resampled.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    spacing_zyx: tuple[float, float, float]

    @classmethod
    def of(cls, geometry: VolumeGeometry) -> Upright:
        """The turn that a geometry needs."""
        cosines = np.array(geometry.direction)
        axes: list[int] = []
        free = [0, 1, 2]
        for patient in (2, 1, 0):
            best = max(free, key=lambda column: abs(cosines[patient, column]))
            free.remove(best)
            axes.append(best)
        flips = [cosines[patient, column] < 0 for patient, column in zip((2, 1, 0), axes, strict=True)]
        spacing = [geometry.spacing_mm[column] for column in axes]
        return cls(
            (2 - axes[0], 2 - axes[1], 2 - axes[2]),
            (bool(flips[0]), bool(flips[1]), bool(flips[2])),
            (spacing[0], spacing[1], spacing[2]),
        )

    def turn(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """*values* of any unit, (slices, rows, columns), in upright order."""
        turned = values.transpose(self.axes)
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]


@dataclass(frozen=True, eq=False)
class Planes:
    """Three planes through a point of an upright volume, cut to the body, radiological view."""

    centre: tuple[int, int, int]
    low: tuple[int, int, int]
    high: tuple[int, int, int]
    spacing_zyx: tuple[float, float, float]

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Extent along z, y, x."""
        z, y, x = ((h - a) * s for h, a, s in zip(self.high, self.low, self.spacing_zyx, strict=True))
        return z, y, x

    @property
    def shown(self) -> tuple[str, ...]:
        """The planes that are worth a picture: of images thinner than 40 mm the transverse one alone."""
        return ("axial",) if self.size_mm[0] < _THIN_MM else ("axial", "coronal", "sagittal")

    @property
    def left_out(self) -> str:
        """A sentence for a caption, that planes are left out and why; "" where all are shown."""
        if len(self.shown) > 1:
            return ""
        return f" Other planes are left out: the images are {self.size_mm[0]:.2g} mm thick."

    def cut(self, volume: NDArray[np.generic], plane: str) -> NDArray[np.generic]:
        """The plane as a picture: row 0 on top, patient's right at the left, anterior at top or left.

        :param volume: upright, (slices, rows, columns).
        :param plane: "axial", "coronal" or "sagittal".
        :returns: (rows, columns) of the picture.
        """
        inside = volume[tuple(slice(a, b) for a, b in zip(self.low, self.high, strict=True))]
        k, j, i = (c - a for c, a in zip(self.centre, self.low, strict=True))
        if plane == "axial":
            return inside[k]
        return inside[::-1, j, :] if plane == "coronal" else inside[::-1, :, i]

    def extent(self, plane: str) -> tuple[float, float, float, float]:
        """Picture extent in mm for imshow (left, right, bottom, top), y downwards."""
        z, y, x = self.size_mm
        width, height = {"axial": (x, y), "coronal": (x, z), "sagittal": (y, z)}[plane]
        return 0.0, width, height, 0.0

    def cross(self, plane: str) -> tuple[float, float]:
        """Where the other two planes cross this picture, mm (x, y)."""
        k, j, i = ((c - a + 0.5) * s for c, a, s in zip(self.centre, self.low, self.spacing_zyx, strict=True))
        z = self.size_mm[0]
        return {"axial": (i, j), "coronal": (i, z - k), "sagittal": (j, z - k)}[plane]


def planes_of(
    parametric: ParametricMap,
    upright: Upright,
    body: NDArray[np.bool_],
    centre: tuple[int, int, int] | None = None,
) -> Planes:
    """Planes through *centre* (slice, row, column), or through the hottest 3x3x3 voxels, cut to the body.

    :param body: (slices, rows, columns) of the map; 5 mm around it are shown.
    """
    inside = np.asarray(upright.turn(body), dtype=bool)
    shape = (inside.shape[0], inside.shape[1], inside.shape[2])
    z, y, x = box_around(inside, shape, upright.spacing_zyx, (5.0, 5.0, 5.0))
    low, high = (z.start, y.start, x.start), (z.stop, y.stop, x.stop)
    if centre is None:
        hottest = mean_of_27(upright.turn(np.where(body, parametric.values, 0))).argmax()
        k, j, i = (int(c) for c in np.unravel_index(hottest, inside.shape))
    else:
        marker = np.zeros(parametric.geometry.shape, dtype=bool)
        marker[centre] = True
        k, j, i = (int(c[0]) for c in np.nonzero(upright.turn(marker)))
    point = tuple(int(np.clip(c, a, b - 1)) for c, a, b in zip((k, j, i), low, high, strict=True))
    return Planes((point[0], point[1], point[2]), low, high, upright.spacing_zyx)


def mean_of_27(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Means over 3x3x3 voxels, so that a single noisy voxel is neither the centre nor the scale.

    :param values: (slices, rows, columns), as the answer; beyond the borders they count as 0, but along an axis of
        one or two voxels, as in a scan of one slice, only these count.
    """
    total = values.astype(np.float64)
    for axis in range(3):
        padded = np.pad(total, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        n = total.shape[axis]
        total = sum((np.take(padded, range(s, s + n), axis=axis) for s in range(3)), np.zeros(())) / min(n, 3)
    return total
