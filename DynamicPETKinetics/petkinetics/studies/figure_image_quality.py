"""Image metrics of several methods as radar plots and slice by slice, after the figures of Liang et al. 2023."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.figures import COLOURS, MARKERS, PAGE_WIDTH, FigureFile, figure
from petkinetics.studies.names import called

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float32 = NDArray[np.float32]
Row = Mapping[str, object]
#: the worst method's place on a radar's axis, the best one's being 1
_WORST = 0.3
#: two numbers of one name, of other voxels
_NMI = " NMI is that of the body's voxels; table and radar plot have that of whole slices, with the air around it."


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
                label=called(method),
            )
            axes.fill(closed, np.append(place, place[:1]), color=colour, alpha=0.07)
        axes.set_xticks(angles, [""] * len(metrics))
        axes.set_yticks([_WORST, 1.0], [])
        axes.set_ylim(0, 1.04)
        axes.grid(color="0.85")
        axes.spines["polar"].set_visible(False)
        _name_axes(axes, angles, [f"{m} {'↑' if better[m] == 'high' else '↓'}" for m in metrics])
        drawn.legend(loc="outside lower center", ncols=2)
        drawn.suptitle(f"{image} against the {reference}", fontsize=10, fontweight="bold")
        axes.set_title("rim: best of these methods; inner ring: worst", fontsize=8, fontweight="normal", color="0.35",
                       loc="center", pad=18)  # fmt: skip
    return FigureFile(
        path,
        f"Image metrics of {image}",
        f"Means over patients; each axis runs from the worst of these methods (inner ring) to the best (rim); ↑ higher "
        f"values are better, ↓ lower. Reference: {reference}.",
        "maps",
    )


def _name_axes(axes: Axes, angles: NDArray[np.float64], names: Sequence[str]) -> None:
    """Names beyond the rim that begin or end there, so that long ones do not lie on it."""
    for angle, name in zip(angles, names, strict=True):
        right, up = np.sin(angle), np.cos(angle)
        aligned = "center" if abs(right) < 0.1 else "left" if right > 0 else "right"
        level = "center" if abs(up) < 0.7 else "bottom" if up > 0 else "top"
        axes.text(angle, 1.07, name, fontsize=8.5, ha=aligned, va=level)


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

    :param rows: with patient ("seed"), "method", "nmi", "psnr_db" and "ssim"; a metric that a row lacks is left out.
    """
    methods = list(dict.fromkeys(str(row["method"]) for row in rows))
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    titles = {"nmi": "NMI in the body", "psnr_db": "PSNR, dB", "ssim": "SSIM"}
    titles = {column: title for column, title in titles.items() if all(row[column] is not None for row in rows)}
    path = folder / f"distributions_{image.lower()}.png"
    with figure(path, 1.9 * len(titles) + 0.3, PAGE_WIDTH, vector=True) as drawn:
        width = 0.8 / len(methods)
        for number, (column, title) in enumerate(titles.items(), start=1):
            axes = drawn.add_subplot(len(titles), 1, number)
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
                    label=called(method) if number == 1 else None,
                )
            axes.set_ylabel(title)
            axes.set_xticks(np.arange(len(seeds)), [str(seed) for seed in seeds] if number == len(titles) else [])
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
        f"Median, quartiles and whiskers (1.5 interquartile ranges) over the transverse slices of each patient, in "
        f"the body.{_NMI if 'nmi' in titles else ''} Reference: {reference}.",
        "maps",
    )
