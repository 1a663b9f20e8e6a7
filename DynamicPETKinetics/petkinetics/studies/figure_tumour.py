"""Bland-Altman plots in the tumour box, after those of Liang et al. 2023."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.bland_altman import Agreement
from petkinetics.evaluate.figures import COLOURS, PAGE_WIDTH, FigureFile, columns_of, figure, in_lines, three_digits
from petkinetics.studies.names import called

#: Ki in the unit of the axes: without leading zeros, with which their numbers run into each other
_UNIT = 1e3


def tumour_agreement(
    folder: Path,
    pairs: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    agreements: Mapping[str, Agreement],
    reference: str,
) -> FigureFile:
    """Bland-Altman plots in the tumour box, one panel a method, on one scale.

    :param pairs: method -> its Ki and the reference's in the box's voxels, mL/min/mL, (voxels,) each.
    """
    path = folder / "tumour_bland_altman.png"
    differences = _UNIT * np.concatenate([a - b for a, b in pairs.values()])
    means = _UNIT * np.concatenate([0.5 * (a + b) for a, b in pairs.values()])
    bounds = [_UNIT * value for agreement in agreements.values() for value in agreement.absolute.loa]
    low, high = (
        min(float(np.percentile(differences, 0.2)), *bounds),
        max(float(np.percentile(differences, 99.8)), *bounds),
    )
    # room above the points for the numbers
    bottom, top = low - 0.08 * (high - low), high + 0.4 * (high - low)
    columns = columns_of(len(pairs))
    rows = -(-len(pairs) // columns)
    with figure(path, 2.6 * rows + 0.4, min(2.4 * columns + 0.6, PAGE_WIDTH), vector=True) as drawn:
        for number, (method, (a, b)) in enumerate(pairs.items()):
            axes = drawn.add_subplot(rows, columns, number + 1)
            limits = agreements[method].absolute
            points = (_UNIT * 0.5 * (a + b), _UNIT * (a - b))
            axes.plot(*points, "o", color="0.25", markersize=2.2, alpha=0.35, markeredgewidth=0)
            axes.axhline(0, color="0.7", linewidth=0.8)
            axes.axhspan(*(_UNIT * value for value in limits.bias_ci), color=COLOURS[0], alpha=0.2, linewidth=0)
            axes.axhline(_UNIT * limits.bias, color=COLOURS[0])
            for value in limits.loa:
                axes.axhline(_UNIT * value, color=COLOURS[1], linestyle="--")
            axes.set_ylim(bottom, top)
            axes.set_xlim(float(means.min()), float(means.max()))
            axes.set_title(in_lines(called(method)), fontsize=8.5)
            numbers = {"bias": limits.bias, "+1.96 SD": limits.loa[1], "−1.96 SD": limits.loa[0]}
            text = "\n".join(f"{name} {three_digits(_UNIT * value)}" for name, value in numbers.items())
            shade = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
            axes.text(0.98, 0.98, text, transform=axes.transAxes, ha="right", va="top", fontsize=7.5, bbox=shade)
            axes.locator_params(axis="x", nbins=4)
            if number % columns:
                axes.set_yticklabels([])
        drawn.supxlabel("Ki, mean of the two, 10⁻³ mL/min/mL", fontsize=9)
        drawn.supylabel(f"Ki: method − {reference},\n10⁻³ mL/min/mL", fontsize=9)
    return FigureFile(
        path,
        "Agreement in the tumour",
        f"Voxels of a box of 10×10×10 around the largest malignant lesion of one patient against {reference}; dashed: "
        "95 % limits of agreement; shading: 95 % confidence interval of the bias, allowing for correlated voxels."
        + _outside(pairs, bottom, top),
        "agreement",
    )


def _outside(pairs: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]], bottom: float, top: float) -> str:
    """A sentence about points beyond the axes, which are cut where nearly all points end; "" where there are none."""
    beyond = {
        method: int(np.count_nonzero((_UNIT * (a - b) < bottom) | (_UNIT * (a - b) > top)))
        for method, (a, b) in pairs.items()
    }
    if not any(beyond.values()):
        return ""
    voxels = next(iter(pairs.values()))[0].size
    counted = ", ".join(f"{called(method)} {count}" for method, count in beyond.items() if count)
    return f" Beyond the axes lie, of {voxels} voxels: {counted}; the limits count them."
