"""Bland-Altman plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from petkinetics.evaluate.bland_altman import Agreement
from petkinetics.evaluate.compare import Comparison
from petkinetics.evaluate.figures import COLOURS, Drawing, FigureFile, figure, three_digits
from petkinetics.evaluate.limits_of_agreement import Limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: more points than this only hide each other; all are used in the numbers
MOST_POINTS = 5000
#: one figure a region, up to this many
MOST_REGIONS = 6


#: bars of the intervals of bias, upper and lower limit, as shares of the plot's width
_BARS_AT = (0.975, 0.99, 0.96)
#: of a label of two lines, as a share of the plot's height
_LABEL_HEIGHT = 0.13


def agreement_drawings(comparison: Comparison) -> list[Drawing]:
    """Bland-Altman plots of the first six regions and of the regions' means."""
    within = [a for a in comparison.agreements if a.roi != "across regions"][:MOST_REGIONS]
    across = [a for a in comparison.agreements if a.roi == "across regions"]

    def drawing(number: int, agreement: Agreement) -> Drawing:
        return lambda folder: bland_altman_plot(folder, comparison, agreement, f"bland_altman_{number}.png")

    return [drawing(number, agreement) for number, agreement in enumerate([*within, *across], start=1)]


def bland_altman_plot(
    folder: Path, comparison: Comparison, agreement: Agreement, name: str = "bland_altman.png"
) -> FigureFile:
    """Difference against pair mean (or truth), with bias, limits and their 95 % intervals."""
    pairs = comparison.pairs[agreement.roi]
    difference = pairs.a - pairs.b
    reference = pairs.b if agreement.against == "truth" else 0.5 * (pairs.a + pairs.b)
    limits = agreement.absolute
    drawn_points = np.arange(difference.size)
    if difference.size > MOST_POINTS:
        drawn_points = np.random.default_rng(0).choice(difference.size, MOST_POINTS, replace=False)
    path = folder / name
    with figure(path, 3.4) as drawn:
        axes = drawn.add_subplot()
        few = drawn_points.size <= 60
        axes.plot(
            reference[drawn_points],
            difference[drawn_points],
            "o",
            color="0.25",
            markersize=5 if few else 2.5,
            alpha=0.9 if few else 0.3,
            markeredgewidth=0,
            rasterized=True,
        )
        axes.axhline(0, color="0.7", linewidth=0.8)
        lines = (
            (limits.bias, limits.bias_ci, "-", COLOURS[0], "bias"),
            (limits.loa[1], limits.loa_upper_ci, "--", COLOURS[1], "+1.96 SD"),
            (limits.loa[0], limits.loa_lower_ci, "--", COLOURS[1], "−1.96 SD"),
        )
        for value, _, dash, colour, _ in lines:
            axes.axhline(value, color=colour, linestyle=dash)
        overlap = _intervals_overlap(limits)
        for (_, interval, _, colour, _), x in zip(lines, _BARS_AT, strict=True):
            if overlap:
                bar: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "color": colour, "linewidth": 2.0}
                axes.plot([x, x], interval, marker="_", markersize=7, markeredgewidth=2.0, **bar)
            else:
                axes.axhspan(*interval, color=colour, alpha=0.18, linewidth=0)
        _limit_y(axes, difference, limits.loa_lower_ci[0], limits.loa_upper_ci[1])
        # Lines that lie close keep their order, their labels a line's height apart.
        low, high = axes.get_ylim()
        apart = max(_LABEL_HEIGHT * (high - low), limits.loa[1] - limits.bias)
        for (value, _, _, colour, label), at in zip(lines, (0.0, apart, -apart), strict=True):
            axes.text(
                1.01,
                limits.bias + at,
                f"{label}\n{three_digits(value)}",
                transform=axes.get_yaxis_transform(),
                va="center",
                color=colour,
                fontsize=8.5,
            )
        unit = f" ({agreement.unit})" if agreement.unit else ""
        symbol = comparison.symbol
        axes.set_title(agreement.roi if agreement.roi != "across regions" else "Means of the regions")
        axes.set_ylabel(f"{symbol}: {comparison.name_a} − {comparison.name_b}\n{unit.strip()}".strip())
        middle = comparison.name_b if agreement.against == "truth" else "mean of the two"
        axes.set_xlabel(f"{symbol}, {middle}{unit}")
        axes.locator_params(axis="x", nbins=5)
    caption = _caption(comparison, agreement, drawn_points.size)
    return FigureFile(path, f"Agreement: {agreement.roi}", caption, "agreement")


def _intervals_overlap(limits: Limits) -> bool:
    """Whether the intervals of bias and limits share values: shades that lie on each other cannot be read."""
    low, high = limits.bias_ci
    return limits.loa_lower_ci[1] > low or limits.loa_upper_ci[0] < high


def _limit_y(axes: Axes, difference: np.ndarray, lower: float, upper: float) -> None:
    """Show the limits' intervals and all but the rarest points."""
    low, high = np.percentile(difference, (0.1, 99.9))
    low, high = min(float(low), lower, 0.0), max(float(high), upper, 0.0)
    margin = 0.06 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)


def _caption(comparison: Comparison, agreement: Agreement, points: int) -> str:
    a = agreement.absolute
    what = "regions" if agreement.roi == "across regions" else "voxels"
    worth = f", worth {a.n_effective:.0f} independent ones for the bias" if a.n_effective < a.n else ""
    unit = f" {agreement.unit}" if agreement.unit else ""
    drawn = f" {points} of them are drawn." if points < a.n else ""
    intervals = "Bars at the right" if _intervals_overlap(a) else "Shading"
    return (
        f"{comparison.name_a} minus {comparison.name_b}: bias {three_digits(a.bias)}{unit} (95 % confidence "
        f"{three_digits(a.bias_ci[0])} to {three_digits(a.bias_ci[1])}), 95 % limits of agreement "
        f"{three_digits(a.loa[0])} to {three_digits(a.loa[1])}; {a.n} {what}{worth}.{drawn} "
        f"{intervals}: 95 % confidence intervals."
    )
