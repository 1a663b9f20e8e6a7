"""The figures of a study, after those of Liang et al. 2023: radar plots, distributions, views, the tumour box.

Every figure is written as PNG, SVG and PDF. Colours are safe for colour-blind readers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.bland_altman import Agreement
from petkinetics.evaluate.figure_planes import Upright, planes_of, round_top, scale_bar
from petkinetics.evaluate.figures import COLOURS, MARKERS, FigureFile, figure, three_digits
from petkinetics.maps import ParametricMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float32 = NDArray[np.float32]
Row = Mapping[str, object]
#: inches; a page's full width
_WIDE = 7.2
#: the worst method's place on a radar's axis, the best one's being 1
_WORST = 0.3
#: inches that the name of a row of views needs, and of a page
_LEAST_ROW, _TALL = 0.65, 10.0
_PLANES = ("axial", "coronal", "sagittal")
_TITLES = {"axial": "transverse", "coronal": "coronal", "sagittal": "sagittal"}


@dataclass(frozen=True, eq=False)
class View:
    """One picture of a row of views.

    :param label: what it is.
    :param values: (slices, rows, columns).
    """

    label: str
    values: Float32


def radar(
    folder: Path, image: str, reference: str, means: Mapping[str, Mapping[str, float]], better: Mapping[str, str]
) -> FigureFile:
    """Image metrics of the methods on a wheel: the larger the footprint, the better.

    Each axis runs from the worst method (30 % of the radius) to the best (the rim), so that metrics that crowd
    below 1 can be told apart; the numbers stand in ``quality.tsv``.

    :param image: "Ki" or "SUV".
    :param means: method -> metric -> mean value.
    :param better: metric -> "high" or "low".
    """
    metrics = [m for m in better if all(m in values for values in means.values())]
    angles = np.linspace(0.0, 2.0 * np.pi, len(metrics), endpoint=False)
    closed = np.append(angles, angles[:1])
    path = folder / f"radar_{image.lower()}.png"
    with figure(path, 5.4, 5.6, vector=True) as drawn:
        axes = drawn.add_subplot(projection="polar")
        axes.set_theta_offset(np.pi / 2)  # type: ignore[attr-defined]
        axes.set_theta_direction(-1)  # type: ignore[attr-defined]
        places = _places(metrics, means, better)
        for number, (method, place) in enumerate(places.items()):
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(
                closed,
                np.append(place, place[:1]),
                color=colour,
                marker=MARKERS[number % len(MARKERS)],
                markersize=3.5,
                label=method,
            )
            axes.fill(closed, np.append(place, place[:1]), color=colour, alpha=0.07)
        axes.set_xticks(angles, [f"{m} {'↑' if better[m] == 'high' else '↓'}" for m in metrics])
        axes.tick_params(axis="x", pad=9)
        shade = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8}
        axes.set_yticks([_WORST, 1.0], ["worst", "best"], fontsize=8, color="0.35", bbox=shade)
        axes.set_ylim(0, 1.05)
        axes.set_rlabel_position(180.0 / max(len(metrics), 1))  # type: ignore[attr-defined]
        axes.grid(color="0.85")
        axes.spines["polar"].set_color("0.8")
        drawn.legend(loc="outside lower center", ncols=2)
        axes.set_title(f"{image} against the {reference}", pad=8, loc="center")
    return FigureFile(
        path,
        f"Image metrics of {image}",
        f"Means over patients; each axis runs from the worst of these methods (inner ring) to the best (rim); ↑ higher "
        f"values are better, ↓ lower. Reference: {reference}.",
        "maps",
    )


def _places(
    metrics: Sequence[str], means: Mapping[str, Mapping[str, float]], better: Mapping[str, str]
) -> dict[str, NDArray[np.float64]]:
    """Where each method stands on each axis, :data:`_WORST` to 1."""
    table = np.array([[values[m] for m in metrics] for values in means.values()])
    sign = np.array([1.0 if better[m] == "high" else -1.0 for m in metrics])
    low, high = (sign * table).min(axis=0), (sign * table).max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    place = np.where(high > low, _WORST + (1.0 - _WORST) * (sign * table - low) / spread, 1.0)
    return dict(zip(means, place, strict=True))


def distributions(folder: Path, image: str, reference: str, rows: Sequence[Row]) -> FigureFile:
    """NMI, PSNR and SSIM over each patient's slices, method beside method.

    :param rows: with patient ("seed"), "method", "nmi", "psnr_db" and "ssim".
    """
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    titles = {"nmi": "NMI", "psnr_db": "PSNR, dB", "ssim": "SSIM"}
    path = folder / f"distributions_{image.lower()}.png"
    with figure(path, 6.0, _WIDE, vector=True) as drawn:
        width = 0.8 / len(methods)
        for number, (column, title) in enumerate(titles.items(), start=1):
            axes = drawn.add_subplot(3, 1, number)
            for m, method in enumerate(methods):
                here = [
                    [float(r[column]) for r in rows if r["method"] == method and r["seed"] == seed]  # type: ignore[arg-type]
                    for seed in seeds
                ]
                at = np.arange(len(seeds)) + (m - (len(methods) - 1) / 2) * width
                colour = COLOURS[m % len(COLOURS)]
                axes.boxplot(
                    here,
                    positions=at,
                    widths=0.82 * width,
                    patch_artist=True,
                    showfliers=False,
                    medianprops={"color": "black", "linewidth": 1.0},
                    whiskerprops={"color": colour, "linewidth": 0.9},
                    capprops={"color": colour, "linewidth": 0.9},
                    boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.75},
                    label=method if number == 1 else None,
                )
            axes.set_ylabel(title)
            axes.set_xticks(np.arange(len(seeds)), [str(seed) for seed in seeds] if number == 3 else [])
            # upright numbers of five digits meet where there are more patients
            axes.tick_params(axis="x", labelrotation=90 if len(seeds) > 12 else 0)
            axes.set_xlim(-0.5, len(seeds) - 0.5)
            for boundary in np.arange(len(seeds) - 1) + 0.5:
                axes.axvline(boundary, color="0.88", linewidth=0.8)
        axes.set_xlabel("patient (seed)")
        drawn.legend(loc="outside upper center", ncols=min(len(methods), 4))
    return FigureFile(
        path,
        f"{image} slice by slice",
        f"Median, quartiles and whiskers (1.5 interquartile ranges) over the transverse slices of each patient. "
        f"Reference: {reference}.",
        "maps",
    )


def views(
    folder: Path,
    pictures: Sequence[View],
    like: ParametricMap,
    body: NDArray[np.bool_],
    image: str,
    unit: str,
    colour: bool,
) -> FigureFile:
    """Transverse, coronal and sagittal planes of several images, a row an image, one scale for all.

    :param like: a map on the pictures' grid.
    :param pictures: the reference first; its hottest place is where the planes cross.
    :param colour: in pseudocolour, else in grey (dark is high, as nuclear medicine reads it).
    """
    upright = Upright.of(like.geometry)
    first = ParametricMap(pictures[0].values, like.quantity, like.geometry)
    planes = planes_of(first, upright, body)
    inside = pictures[0].values[body]
    top = round_top(float(np.percentile(inside, 99.5)))
    colours = "inferno" if colour else "Greys"
    z, y, x = planes.size_mm
    widths = (x, x, y)
    # names at the left and the bar at the right take about two inches
    row_height = max((_WIDE - 1.9) / sum(widths) * max(y, z), _LEAST_ROW)
    kind = "colour" if colour else "grey"
    path = folder / f"views_{image.lower()}_{kind}.png"
    with figure(path, min(row_height * len(pictures) + 0.45, _TALL), _WIDE, vector=True) as drawn:
        # a picture's shape moves it within its cell and its name with it, which the layout does not see
        drawn.get_layout_engine().set(rect=(0.03, 0.0, 0.97, 1.0))  # type: ignore[union-attr, call-arg]
        grid = drawn.add_gridspec(len(pictures), len(_PLANES), width_ratios=widths)
        shown = None
        every: list[Axes] = []
        for row, picture in enumerate(pictures):
            turned = upright.turn(np.where(body, picture.values, 0.0))
            for column, plane in enumerate(_PLANES):
                axes = drawn.add_subplot(grid[row, column])
                every.append(axes)
                shown = axes.imshow(
                    planes.cut(turned, plane),
                    cmap=colours,
                    vmin=0,
                    vmax=top,
                    extent=planes.extent(plane),
                    interpolation="nearest",
                )
                _bare(axes)
                axes.set_anchor("N")
                if column == 0:
                    axes.set_ylabel(
                        in_lines(picture.label), fontsize=8, rotation=0, ha="right", va="center", fontweight="bold"
                    )
                if row == 0:
                    axes.set_title(_TITLES[plane], fontsize=8.5, loc="center")
                    _sides(axes, plane, colour)
                    if column == 0:
                        scale_bar(axes, planes.extent(plane)[1], "white" if colour else "black")
        assert shown is not None
        bar = drawn.colorbar(shown, ax=every, shrink=0.5, aspect=28, pad=0.015, extend="max", panchor=False)
        bar.set_label(f"{image}, {unit}")
        bar.outline.set_linewidth(0.5)
        bar.ax.locator_params(nbins=5)
    return FigureFile(
        path,
        f"{image} in three planes",
        f"Planes through the hottest place of {pictures[0].label}; one scale for all. Radiological view: the "
        "patient's right is at the left.",
        "maps",
    )


def in_lines(label: str, width: int = 16) -> str:
    """A method's label in lines of some letters, broken at blanks and after colons and commas."""
    spaced = label.replace(":", ": ").replace(",", ", ")
    return "\n".join(textwrap.wrap(spaced, width, break_long_words=False, break_on_hyphens=False))


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _sides(axes: Axes, plane: str, colour: bool) -> None:
    left, right = {"axial": ("R", "L"), "coronal": ("R", "L"), "sagittal": ("A", "P")}[plane]
    style: dict[str, Any] = {
        "transform": axes.transAxes,
        "fontsize": 8,
        "color": "white" if colour else "black",
        "va": "center",
    }
    axes.text(0.02, 0.5, left, ha="left", **style)
    axes.text(0.98, 0.5, right, ha="right", **style)


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
