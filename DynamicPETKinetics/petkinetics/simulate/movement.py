"""A patient who moves while the frames are taken: shifted as a whole, once or little by little.

The person is painted again in every position, so that a shift across the slices brings in what lay beyond them, and
resolution and noise are those of the scanner in the new place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.seeds import stream

Float64 = NDArray[np.float64]

#: when a step may happen, minutes from injection: within the late frames, with some before it
_STEP_MIN = (12.0, 25.0)
#: a drift goes on until here, in positions this far apart
_DRIFT_UNTIL_MIN, _DRIFT_STEP_MM = 65.0, 1.0
MOST_MM = 50.0


@dataclass(frozen=True)
class Movement:
    """How far a patient moves, in a direction that the seed draws.

    :param mm: of the whole movement.
    :param drift: even, from injection to 65 min; otherwise one step, between 12 and 25 min (drawn).
    :raises InputError: not above zero, or further than 50 mm.
    """

    mm: float
    drift: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.mm <= MOST_MM:
            raise InputError(f"The movement is {self.mm:g} mm; it must be above zero, and at most {MOST_MM:g}.")

    def offsets(self, seed: int, timing: FrameTiming) -> Float64:
        """Where the patient lies in every frame relative to the start, mm, (frames, 3) along x, y and z.

        A frame is taken in one position: that of its middle.
        """
        rng = stream(seed, "movement")
        direction = rng.standard_normal(3)
        direction /= np.linalg.norm(direction)
        minutes = timing.mid_s / 60.0
        if self.drift:
            so_far = self.mm * np.clip(minutes / _DRIFT_UNTIL_MIN, 0.0, 1.0)
            so_far = np.minimum(_DRIFT_STEP_MM * np.round(so_far / _DRIFT_STEP_MM), self.mm)
        else:
            so_far = np.where(minutes >= rng.uniform(*_STEP_MIN), self.mm, 0.0)
        return np.asarray(so_far[:, None] * direction)


def moved_grids(offsets: Float64, where: VolumeGeometry) -> Iterator[tuple[NDArray[np.intp], VolumeGeometry]]:
    """The frames of every position but the first, and where the scanner's grid lies in the patient then.

    :param offsets: of :meth:`Movement.offsets`, mm, (frames, 3).
    :param where: the grid in the first position.
    :returns: frame indices, (n,), and a grid for each of the other positions.
    """
    for at in np.unique(offsets, axis=0):
        if not at.any():
            continue
        x, y, z = (float(o - d) for o, d in zip(where.origin_mm, at, strict=True))
        moved = VolumeGeometry(where.shape, where.spacing_mm, (x, y, z), where.direction)
        yield np.flatnonzero((offsets == at).all(axis=1)), moved
