"""Which points of a grid lie inside polygons, by the even-odd rule.

Own code, because none of the libraries that every installation has fills polygons: SimpleITK does not
wrap ITK's, scikit-image and matplotlib are not required. It counts, along each row of points, how many
edges were crossed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def inside_polygons(polygons: Sequence[Float64], x: Float64, y: Float64) -> NDArray[np.bool_]:
    """Points inside an odd number of the polygons: so a polygon within another is a hole in it.

    :param polygons: corners, in one unit with *x* and *y*, (points, 2); the last is joined to the first.
    :param x: increasing, shape (columns,).
    :param y: increasing, shape (rows,).
    :returns: (rows, columns).
    """
    starts = np.concatenate(list(polygons))
    ends = np.concatenate([np.roll(p, -1, axis=0) for p in polygons])
    low, high = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    # rows that each edge crosses: half-open in y, so that a corner on a row counts once, and level edges never
    first, last = np.searchsorted(y, low), np.searchsorted(y, high)
    edge = np.repeat(np.arange(low.size), last - first)
    inside = np.zeros((y.size, x.size), dtype=bool)
    if not edge.size:
        return inside
    row = np.arange(edge.size) - np.repeat(np.cumsum(last - first) - (last - first), last - first) + first[edge]
    a, b = starts[edge], ends[edge]
    at = a[:, 0] + (y[row] - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    # from the first column at or beyond a crossing on, a point has one crossing more to its left
    column = np.searchsorted(x, at)
    top, left = int(row.min()), int(column.min())
    height, width = int(row.max()) + 1 - top, int(column.max()) + 1 - left
    crossings = np.bincount((row - top) * width + column - left, minlength=height * width).reshape(height, width)
    odd = np.cumsum(crossings, axis=1, dtype=np.uint8) % 2 == 1  # that it wraps at 256 leaves odd odd
    inside[top : top + height, left : left + width] = odd[:, : x.size - left]
    return inside
