"""What numpy does by way of its masked arrays, whose import takes a fourteenth of the time of a small estimate.

``numpy.unique`` and ``numpy.median`` import ``numpy.ma`` (18 ms) only to ask whether they were given a masked array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def median(values: NDArray[np.floating[Any]]) -> float:
    """The median, bit for bit that of numpy.

    :param values: any unit, of any shape, not empty, without NaN.
    """
    middle = (values.size - 1) // 2, values.size // 2
    ordered = np.partition(values, middle, axis=None)
    return float(ordered[middle[0] : middle[1] + 1].mean())


def evenly_spread(first: int, last: int, count: int) -> list[int]:
    """Up to *count* different whole numbers from *first* to *last*, evenly spread, ascending; the ends are among them.

    :param count: above 1, or the first alone is taken.
    """
    return sorted({round(n) for n in np.linspace(first, last, count).tolist()})
