"""Which points of a grid lie inside polygons, by the even-odd rule.

Own code, because none of the libraries that every installation has fills polygons: SimpleITK does not
wrap ITK's, scikit-image and matplotlib are not required. A row of points against all edges is one
sort, so a contour of a few hundred points costs less than a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def inside_polygons(polygons: Sequence[Float64], x: Float64, y: Float64) -> NDArray[np.bool_]:
    """Points inside an odd number of the polygons: so a polygon within another is a hole in it.

    :param polygons: corners, (points, 2) as (x, y); the last is joined to the first.
    :param x: increasing, shape (columns,).
    :param y: shape (rows,).
    :returns: (rows, columns).
    """
    starts = np.concatenate(list(polygons))
    ends = np.concatenate([np.roll(p, -1, axis=0) for p in polygons])
    inside = np.zeros((y.size, x.size), dtype=bool)
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    for row in np.flatnonzero((y >= low.min()) & (y < high.max())):
        # half-open in y, so that a corner on the line is met once, and level edges never
        crossed = (low <= y[row]) & (y[row] < high)
        a, b = starts[crossed], ends[crossed]
        at = np.sort(a[:, 0] + (y[row] - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0]))
        inside[row] = np.searchsorted(at, x, side="right") % 2 == 1
    return inside
