"""Curves as pictures: the input function with its bolus, and the Patlak plot of regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.evaluate.figures import (
    COLOURS,
    MARKERS,
    MOST_CURVES,
    FigureFile,
    figure,
    not_drawn,
    three_digits,
    values_below,
    with_error,
)
from petkinetics.frames import FrameTiming

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float64 = NDArray[np.float64]


def blood_curve(
    folder: Path,
    curve: InputFunction,
    timing: FrameTiming | None = None,
    frame_mean: Float64 | None = None,
    frame_sd: Float64 | None = None,
    name: str = "input_function.png",
) -> FigureFile:
    """The input function over the whole scan, and its bolus enlarged.

    :param timing: frames of the image-derived means, with *frame_mean* and *frame_sd* (kBq/mL), (frames,).
    """
    path = folder / name
    highest = int(np.argmax(curve.plasma_kbq_per_ml))
    peak_s, peak = float(curve.time_s[highest]), float(curve.plasma_kbq_per_ml[highest])
    bolus_s = (min(0.0, float(curve.time_s[0])), max(2.5 * peak_s, peak_s + 90.0))
    with figure(path, 4.9) as drawn:
        whole, bolus = drawn.subplots(2, 1)
        at_peak = f"Bolus: {curve.kind} peaks at {three_digits(peak)} kBq/mL, {peak_s:.0f} s"
        for axes, unit, title in ((whole, 60.0, "Whole scan"), (bolus, 1.0, at_peak)):
            if timing is not None and frame_mean is not None:
                _frame_bars(axes, timing, frame_mean, frame_sd, unit)
            same = np.array_equal(curve.plasma_kbq_per_ml, curve.whole_blood_kbq_per_ml)
            if not same:
                axes.plot(
                    curve.time_s / unit, curve.whole_blood_kbq_per_ml, color=COLOURS[1], ls="--", label="whole blood"
                )
            axes.plot(
                curve.time_s / unit,
                curve.plasma_kbq_per_ml,
                color=COLOURS[0],
                marker="." if unit == 1.0 else "",
                markersize=4,
                label=f"input function ({curve.kind})",
            )
            axes.set_title(title)
            axes.set_ylabel("Activity (kBq/mL)")
            axes.set_ylim(bottom=min(0.0, float(curve.plasma_kbq_per_ml.min())))
        whole.set_xlabel("Time from injection (min)")
        whole.set_xlim(min(0.0, float(curve.time_s[0]) / 60.0), curve.end_s / 60.0)
        bolus.set_xlabel("Time from injection (s)")
        bolus.set_xlim(*bolus_s)
        handles, labels = whole.get_legend_handles_labels()
        # frame means first, then the shading that belongs to them
        order = sorted(range(len(labels)), key=lambda i: labels[i] != "frame means")
        whole.legend([handles[i] for i in order], [labels[i] for i in order], loc="upper right")
    bars = " Bars: mean of each frame, as wide as the frame" if frame_mean is not None else ""
    shade = "; shading: SD within the blood region" if frame_sd is not None else ""
    return FigureFile(
        path,
        "Input function",
        f"The input function ({curve.kind}{', ' + curve.source if curve.source else ''}), decay-corrected to "
        f"injection, over the whole scan and around its peak.{bars}{shade}{'.' if bars else ''}",
        "input function",
    )


def _frame_bars(axes: Axes, timing: FrameTiming, mean: Float64, sd: Float64 | None, unit: float) -> None:
    start, end = timing.start_s / unit, timing.end_s / unit
    if sd is not None:
        for number, (a, b, m, s) in enumerate(zip(start, end, mean, sd, strict=True)):
            label = "their SD in the region" if number == 0 else None
            axes.fill_between([a, b], m - s, m + s, color="0.88", linewidth=0, label=label)
    axes.hlines(mean, start, end, color="0.35", linewidth=2.2, label="frame means", zorder=1.5)


@dataclass(frozen=True, eq=False)
class PatlakCurve:
    """A region in Patlak's plot.

    :param name: of the region.
    :param x: frame mean of the integral of Cp / frame mean of Cp, min, shape (frames,).
    :param y: frame mean of tissue / frame mean of Cp, mL/mL.
    :param used: which frames were fitted, bool (frames,).
    :param ki: slope, mL/min/mL.
    :param v0: intercept, mL/mL.
    :param ki_se: its standard error; None where unknown.
    """

    name: str
    x: Float64
    y: Float64
    used: NDArray[np.bool_]
    ki: float
    v0: float
    ki_se: float | None = None


def patlak_plot(folder: Path, curves: Sequence[PatlakCurve], t_star_min: float, name: str = "patlak.png") -> FigureFile:
    """The classical ratio plot of regions with their fitted lines.

    :param curves: at most seven are drawn; the caption says when there are more.
    :param t_star_min: start of the fitted frames, minutes.
    """
    path = folder / name
    shown = list(curves)[:MOST_CURVES]
    with figure(path, 3.9) as drawn:
        axes = drawn.add_subplot()
        for curve, colour, marker in zip(shown, COLOURS, MARKERS, strict=False):
            # early frames, where Cp is still rising from zero, have no meaningful ratio
            drawable = np.isfinite(curve.x) & np.isfinite(curve.y) & (curve.x > 0)
            rest = drawable & ~curve.used
            axes.plot(curve.x[rest], curve.y[rest], marker, mfc="none", color=colour, markersize=4, alpha=0.7)
            axes.plot(
                curve.x[curve.used],
                curve.y[curve.used],
                marker,
                color=colour,
                markersize=4.5,
                label=f"{curve.name}: Ki {with_error(curve.ki, curve.ki_se)}, V0 {three_digits(curve.v0)}",
            )
            line = np.array([0.0, float(curve.x[curve.used].max())])
            axes.plot(line, curve.v0 + curve.ki * line, color=colour, linewidth=1.0)
        first = min(float(c.x[c.used].min()) for c in shown)
        axes.axvline(first, color="0.6", linewidth=0.8, linestyle=":")
        axes.text(
            first,
            1.0,
            f" t* = {t_star_min:g} min",
            transform=axes.get_xaxis_transform(),
            va="top",
            fontsize=8.5,
            color="0.35",
        )
        end = max(float(c.x[c.used].max()) for c in shown)
        highest = max(float(np.max(c.y[c.used], initial=c.v0 + c.ki * c.x[c.used].max())) for c in shown)
        lowest = min(0.0, *(float(c.y[c.used].min()) for c in shown), *(c.v0 for c in shown))
        axes.set_xlim(0, end * 1.04)
        axes.set_ylim(lowest * 1.1, highest * 1.08)
        axes.set_xlabel("∫Cp dt / Cp (min)")
        axes.set_ylabel("C tissue / Cp (mL/mL)")
        values_below(drawn, "Ki (mL/min/mL) ± SE, V0 (mL/mL)")
    return FigureFile(
        path,
        "Patlak plot",
        f"Filled points are the frames fitted (t* = {t_star_min:g} min), open ones the frames before; the slope of a "
        f"line is Ki (mL/min/mL, ± standard error where known), its intercept V0 (mL/mL)."
        + not_drawn(len(shown), len(curves)),
        "regions",
    )
