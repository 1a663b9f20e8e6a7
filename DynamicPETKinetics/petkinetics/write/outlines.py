"""Outlines of a mask along the edges of its pixels.

Filling them (even-odd) gives the mask back exactly. Own code: contour finders of the libraries at hand
run through the pixels' centres, which shrinks every region by half a pixel, and come with scikit-image
or matplotlib, which are not required.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

#: (row, column) of a corner
_Corner = tuple[int, int]


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Closed polygons around the mask and around each hole in it.

    :param mask: (rows, columns).
    :returns: corners (points, 2) as (column, row) in pixels, pixel centres being whole numbers; the
        last corner is joined to the first.
    """
    padded = np.pad(mask, 1)
    steps: dict[_Corner, list[_Corner]] = defaultdict(list)
    # inside lies to the right of every step, so each polygon is walked in one sense
    for row, column in zip(*np.nonzero(padded[1:] & ~padded[:-1]), strict=True):
        steps[row, column - 1].append((row, column))
    for row, column in zip(*np.nonzero(padded[:-1] & ~padded[1:]), strict=True):
        steps[row, column].append((row, column - 1))
    for row, column in zip(*np.nonzero(padded[:, 1:] & ~padded[:, :-1]), strict=True):
        steps[row, column].append((row - 1, column))
    for row, column in zip(*np.nonzero(padded[:, :-1] & ~padded[:, 1:]), strict=True):
        steps[row - 1, column].append((row, column))
    found = []
    while steps:
        start = next(iter(steps))
        walk = [start]
        while True:
            ends = steps[walk[-1]]
            following = ends.pop()
            if not ends:
                del steps[walk[-1]]
            if following == start:
                break
            walk.append(following)
        found.append(_corners(np.array(walk, dtype=np.float64)))
    return found


def _corners(walk: NDArray[np.float64]) -> NDArray[np.float64]:
    """Only the points where the walk turns, as (column, row) in pixels of the mask."""
    before, after = walk - np.roll(walk, 1, axis=0), np.roll(walk, -1, axis=0) - walk
    turns = walk[np.any(before != after, axis=1)]
    # the corner (i, j) of the padded mask lies half a pixel before pixel (i, j) of the mask
    return turns[:, ::-1] - 0.5
