"""The box of a volume that a mask needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.read.region_map import bounding_box

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
    if mask is None:
        return slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2])
    box = bounding_box(mask)
    assert box is not None
    margins = (int(np.ceil(margin / spacing)) for margin, spacing in zip(margin_mm, spacing_mm, strict=True))
    z, y, x = (slice(max(0, b.start - m), min(n, b.stop + m)) for b, m, n in zip(box, margins, shape, strict=True))
    return z, y, x


def box_in_slices(mask: NDArray[np.bool_], margin: int) -> Box:
    """All slices; rows and columns of the mask and a margin around them.

    :param mask: (slices, rows, columns), not empty.
    :param margin: voxels.
    """
    _, y, x = box_around(mask, mask.shape, margin_mm=(0.0, margin, margin))
    return slice(0, mask.shape[0]), y, x
