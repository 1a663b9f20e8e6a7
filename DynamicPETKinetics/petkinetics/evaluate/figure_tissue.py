"""Curves of regions with the compartment model that was fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.figures import (
    COLOURS,
    MARKERS,
    MOST_CURVES,
    FigureFile,
    figure,
    not_drawn,
    values_below,
    with_error,
)
from petkinetics.frames import FrameTiming
from petkinetics.maps import K1, KI, VT

Float64 = NDArray[np.float64]

#: the first of these that a model has is named in the legend
_HEADLINE = {"ki": KI, "vt": VT, "k1": K1}


@dataclass(frozen=True, eq=False)
class TissueCurve:
    """A region's curve and its fit.

    :param name: of the region.
    :param measured: frame means, kBq/mL, (frames,).
    :param fitted: of the model, kBq/mL, (frames,).
    :param values: of the fit, with standard errors, by quantity.
    """

    name: str
    measured: Float64
    fitted: Float64
    values: dict[str, tuple[float, float]]


def tissue_plot(folder: Path, curves: Sequence[TissueCurve], timing: FrameTiming, name: str = "fits.png") -> FigureFile:
    """Measured frame means, the model's, and what is left between them.

    :param curves: at most seven are drawn; the caption says when there are more.
    :param timing: frames of the curves.
    """
    path = folder / name
    shown = list(curves)[:MOST_CURVES]
    middle = timing.mid_s / 60.0
    with figure(path, 5.2) as drawn:
        above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(3.0, 1.0))
        for curve, colour, marker in zip(shown, COLOURS, MARKERS, strict=False):
            key = next(key for key in _HEADLINE if key in curve.values)
            quantity = _HEADLINE[key]
            label = f"{curve.name}: {quantity.symbol} {with_error(*curve.values[key])}"
            above.plot(middle, curve.measured, marker, color=colour, markersize=4, label=label)
            above.plot(middle, curve.fitted, color=colour, linewidth=1.0)
            below.plot(middle, curve.measured - curve.fitted, marker, color=colour, markersize=3)
        highest = max(float(max(c.measured.max(), c.fitted.max())) for c in shown)
        lowest = min(0.0, *(float(c.measured.min()) for c in shown))
        margin = 0.05 * (highest - lowest)
        above.set_ylim(lowest - margin, highest + margin)
        above.set_ylabel("Activity (kBq/mL)")
        below.axhline(0.0, color="0.6", linewidth=0.8)
        below.set_ylabel("Measured −\nmodel (kBq/mL)")
        below.set_xlabel("Time from injection (min)")
        below.set_xlim(min(0.0, float(middle[0])), float(timing.end_s[-1]) / 60.0)
        values_below(drawn, f"{quantity.symbol} ({quantity.unit}) ± SE")
    return FigureFile(
        path,
        "Compartment model in regions",
        "Points: frame means of the regions; lines: the fitted model's frame means; below, what is left between "
        "them. All parameters with standard errors are in region_fits.tsv." + not_drawn(len(shown), len(curves)),
        "regions",
    )
