"""The box of a volume that a mask needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: slices, rows, columns
Box = tuple[slice, slice, slice]
Millimetres = tuple[float, float, float]


def box_around(
    mask: NDArray[np.bool_] | None,
    shape: tuple[int, int, int],
    spacing_mm: Millimetres = (1.0, 1.0, 1.0),
    margin_mm: Millimetres = (0.0, 0.0, 0.0),
) -> Box:
    """The box of the mask and a margin around it, within the volume; all of it without a mask.

    :param mask: (slices, rows, columns), not empty; all else is in this order.
    :param shape: of the volume, voxels.
    :param spacing_mm: voxel size.
    :param margin_mm: on either side, rounded up to whole voxels.
    """
    parts = []
    for axis in range(3):
        first, last = 0, shape[axis]
        if mask is not None:
            some = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
            margin = int(np.ceil(margin_mm[axis] / spacing_mm[axis]))
            first, last = max(0, int(some[0]) - margin), min(last, int(some[-1]) + 1 + margin)
        parts.append(slice(first, last))
    return parts[0], parts[1], parts[2]
