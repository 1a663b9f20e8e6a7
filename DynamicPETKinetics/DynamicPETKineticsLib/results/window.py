"""From which value to which a map is coloured, by its percentiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

import slicer

#: enough voxels for percentiles to the third digit, and few enough for a slider
_MOST_SAMPLES = 400_000
_ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def window_from_percentiles(node: Any, low: float | None = None, high: float = 99.5) -> tuple[float, float]:
    """Where a map's colours should begin and end.

    :param low: percentile at which they begin; None for the value 0, which all our quantities count from.
    :param high: percentile at which they end, rounded up to a number that reads well in a legend.
    :returns: (lowest, highest) value, in the map's unit; percentiles of the voxels that are not 0, since maps are 0
        outside their mask.
    """
    return percentile_window(slicer.util.arrayFromVolume(node), low, high)


def percentile_window(voxels: NDArray[Any], low: float | None = None, high: float = 99.5) -> tuple[float, float]:
    """As :func:`window_from_percentiles`, of an array."""
    flat = voxels.reshape(-1)
    # An odd step does not keep to the same column of every row.
    step = max(1, flat.size // _MOST_SAMPLES) | 1
    values = flat[::step] if flat.size > _MOST_SAMPLES else flat
    values = values[(values != 0) & np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    top = float(np.percentile(values, high))
    bottom = 0.0 if low is None else float(np.percentile(values, low))
    if top <= bottom:
        return (bottom, bottom + 1.0) if top == bottom else (top, bottom)
    return bottom, _rounded_up(top) if bottom == 0.0 else top


def _rounded_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    # The tolerance keeps 0.30000000000000004 at 0.3.
    step = next(step for step in _ROUND if step * power >= value * (1 - 1e-9))
    return float(f"{step * power:.12g}")
