"""Maps of several methods in three planes, after the figures of Liang et al. 2023."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.figure_planes import Upright, planes_of, round_top, scale_bar
from petkinetics.evaluate.figures import PAGE_WIDTH, FigureFile, figure, in_lines
from petkinetics.maps import ParametricMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float32 = NDArray[np.float32]
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
    row_height = max((PAGE_WIDTH - 1.9) / sum(widths) * max(y, z), _LEAST_ROW)
    kind = "colour" if colour else "grey"
    path = folder / f"views_{image.lower()}_{kind}.png"
    with figure(path, min(row_height * len(pictures) + 0.45, _TALL), PAGE_WIDTH, vector=True) as drawn:
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
