"""Bland-Altman plots in the tumour box, after those of Liang et al. 2023."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.bland_altman import Agreement
from petkinetics.evaluate.figures import COLOURS, FigureFile, figure, in_lines, three_digits


def tumour_agreement(
    folder: Path,
    pairs: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    agreements: Mapping[str, Agreement],
    reference: str,
) -> FigureFile:
    """Bland-Altman plots in the tumour box, one panel a method, on one scale.

    :param pairs: method -> its Ki and the reference's in the box's voxels.
    """
    path = folder / "tumour_bland_altman.png"
    differences = np.concatenate([a - b for a, b in pairs.values()])
    means = np.concatenate([0.5 * (a + b) for a, b in pairs.values()])
    low = min(float(np.percentile(differences, 0.2)), *(a.absolute.loa[0] for a in agreements.values()))
    high = max(float(np.percentile(differences, 99.8)), *(a.absolute.loa[1] for a in agreements.values()))
    margin = 0.08 * (high - low)
    with figure(path, 3.0, min(2.4 * len(pairs) + 0.6, 9.6), vector=True) as drawn:
        for number, (method, (a, b)) in enumerate(pairs.items(), start=1):
            axes = drawn.add_subplot(1, len(pairs), number)
            limits = agreements[method].absolute
            axes.plot(0.5 * (a + b), a - b, "o", color="0.25", markersize=2.2, alpha=0.35, markeredgewidth=0)
            axes.axhline(0, color="0.7", linewidth=0.8)
            axes.axhspan(*limits.bias_ci, color=COLOURS[0], alpha=0.2, linewidth=0)
            axes.axhline(limits.bias, color=COLOURS[0])
            for value in limits.loa:
                axes.axhline(value, color=COLOURS[1], linestyle="--")
            # room above the points for the numbers
            axes.set_ylim(low - margin, high + 0.3 * (high - low))
            axes.set_xlim(float(means.min()), float(means.max()))
            axes.set_title(in_lines(method), fontsize=8.5)
            numbers = {"bias": limits.bias, "+1.96 SD": limits.loa[1], "−1.96 SD": limits.loa[0]}
            text = "\n".join(f"{name} {three_digits(value)}" for name, value in numbers.items())
            shade = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
            axes.text(0.98, 0.98, text, transform=axes.transAxes, ha="right", va="top", fontsize=7.5, bbox=shade)
            axes.locator_params(axis="x", nbins=4)
            if number > 1:
                axes.set_yticklabels([])
        drawn.supxlabel("Ki, mean of the two (mL/min/mL)", fontsize=9)
        drawn.supylabel(f"Ki: method − {reference}\n(mL/min/mL)", fontsize=9)
    return FigureFile(
        path,
        "Agreement in the tumour",
        f"Voxels of a box of 10×10×10 around the largest malignant lesion of one patient against {reference}; dashed: "
        "95 % limits of agreement; shading: 95 % confidence interval of the bias, allowing for correlated voxels.",
        "agreement",
    )
