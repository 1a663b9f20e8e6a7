"""Maps of several methods in three planes, after the figures of Liang et al. 2023."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.figure_planes import round_top, scale_bar
from petkinetics.evaluate.figures import PAGE_WIDTH, FigureFile, columns_of, figure, in_lines
from petkinetics.evaluate.planes import Planes, Upright, planes_of
from petkinetics.maps import ParametricMap
from petkinetics.studies.names import called

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float32 = NDArray[np.float32]
#: inches: of a page's height, of the strips for names at the left and above, for the bar at the right, between pictures
_TALL, _NAMES, _ABOVE, _BAR, _GAP = 9.5, 1.25, 0.34, 1.1, 0.06
#: inches: the least height of a row with its name, the most width of a picture
_LEAST_ROW, _WIDEST = 0.65, 3.0
_TITLES = {"axial": "transverse", "coronal": "coronal", "sagittal": "sagittal"}
_NAME = {"fontsize": 8, "fontweight": "bold"}
#: of a picture: left and top from the upper left corner of what is shown of an image, mm
_Places = dict[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class View:
    """One picture of a row of views.

    :param label: what it is.
    :param values: (slices, rows, columns).
    """

    label: str
    values: Float32


@dataclass(frozen=True, eq=False)
class _Page:
    """Where the planes of an image lie, at the size they have, and the images on the page.

    :param places: of the planes, mm.
    :param size_mm: (width, height) of what is shown of an image.
    :param columns: images side by side; with more than one plane, one.
    """

    places: _Places
    size_mm: tuple[float, float]
    columns: int

    @classmethod
    def of(cls, planes: Planes, images: int) -> _Page:
        """The page that leaves least white: planes side by side, or two of them above each other."""
        z, y, x = planes.size_mm
        if planes.shown == ("axial",):
            return cls({"axial": (0.0, 0.0)}, (x, y), columns_of(images))
        gap = 0.03 * x
        stacked = (x + gap + max(x, y), max(y, 2 * z + 3 * gap))
        in_a_row = (2 * x + y + 2 * gap, max(y, z))
        if stacked[0] * stacked[1] < in_a_row[0] * in_a_row[1]:
            right = x + gap
            return cls({"axial": (0.0, 0.0), "coronal": (right, 0.0), "sagittal": (right, z + 3 * gap)}, stacked, 1)
        return cls({"axial": (0.0, 0.0), "coronal": (x + gap, 0.0), "sagittal": (2 * (x + gap), 0.0)}, in_a_row, 1)

    @property
    def names_at_left(self) -> bool:
        """Whether an image's name stands beside it, not above."""
        return len(self.places) > 1

    def inches(self, images: int) -> tuple[float, float, float, float]:
        """Inches a mm, from image to image to the right and down, and the page's height."""
        rows = -(-images // self.columns)
        wide = PAGE_WIDTH - _BAR - (_NAMES if self.names_at_left else 0.0)
        above = 0.0 if self.names_at_left else _ABOVE
        scale = (wide / self.columns - _GAP) / self.size_mm[0]
        scale = min(scale, ((_TALL - _ABOVE) / rows - _GAP - above) / self.size_mm[1])
        if not self.names_at_left:
            scale = min(scale, _WIDEST / self.size_mm[0])
        right = scale * self.size_mm[0] + _GAP
        down = max(scale * self.size_mm[1] + _GAP, _LEAST_ROW) + above
        return scale, right, down, down * rows + (_ABOVE if self.names_at_left else 0.05)


def views(
    folder: Path,
    pictures: Sequence[View],
    like: ParametricMap,
    body: NDArray[np.bool_],
    image: str,
    unit: str,
    colour: bool,
) -> FigureFile:
    """Transverse, coronal and sagittal planes of several images, one scale for all, as long and wide as they are.

    Of images thinner than 40 mm only the transverse plane is shown, and the caption says so.

    :param like: a map on the pictures' grid.
    :param body: what the planes are cut to, (slices, rows, columns).
    :param pictures: the reference first; its hottest place is where the planes cross.
    :param colour: in pseudocolour, else in grey (dark is high, as nuclear medicine reads it).
    """
    upright = Upright.of(like.geometry)
    first = ParametricMap(pictures[0].values, like.quantity, like.geometry)
    planes = planes_of(first, upright, body)
    top = round_top(float(np.percentile(pictures[0].values[body], 99.5)))
    page = _Page.of(planes, len(pictures))
    scale, right, down, height = page.inches(len(pictures))
    left = _NAMES if page.names_at_left else 0.05
    width = left + right * page.columns + _BAR
    # "transverse" in letters of 8.5 points is three quarters of an inch long
    letters = min(8.5, 11.0 * scale * min(planes.size_mm[1:]))
    kind = "colour" if colour else "grey"
    path = folder / f"views_{image.lower()}_{kind}.png"
    with figure(path, height, width, vector=True) as drawn:
        # placed by hand: a layout that moves pictures within cells leaves most of a page white
        drawn.set_layout_engine("none")
        shown = None
        for number, picture in enumerate(pictures):
            row, column = divmod(number, page.columns)
            x0, y0 = left + right * column, _ABOVE + down * row
            turned = upright.turn(np.where(body, picture.values, 0.0))
            for plane, (x, y) in page.places.items():
                extent = planes.extent(plane)
                low = y0 + scale * (y + extent[2])
                place = (x0 + scale * x, height - low, scale * extent[1], scale * extent[2])
                axes = drawn.add_axes(_shares(place, width, height))
                shown = axes.imshow(
                    planes.cut(turned, plane),
                    cmap="inferno" if colour else "Greys",
                    vmin=0,
                    vmax=top,
                    extent=extent,
                    interpolation="nearest",
                )
                _bare(axes)
                if number == 0:
                    _sides(axes, plane, colour)
                    if page.names_at_left:
                        axes.set_title(_TITLES[plane], fontsize=letters, loc="center", pad=2)
                    if plane == "axial":
                        scale_bar(axes, extent[1], "white" if colour else "black")
            tall = scale * page.size_mm[1]
            at, aligned = (left - 0.1, y0 + 0.5 * tall), {"ha": "right", "va": "center"}
            if not page.names_at_left:
                at, aligned = (x0 + 0.5 * scale * page.size_mm[0], y0 - 0.04), {"ha": "center", "va": "bottom"}
            drawn.text(at[0] / width, 1 - at[1] / height, in_lines(called(picture.label)), **_NAME, **aligned)  # type: ignore[arg-type]
        assert shown is not None
        long = min(0.7 * height, 2.5)
        place = (width - _BAR + 0.1, 0.5 * (height - long), 0.11, long)
        bar = drawn.colorbar(shown, cax=drawn.add_axes(_shares(place, width, height)), extend="max")
        bar.set_label(f"{image}, {unit}")
        bar.outline.set_linewidth(0.5)
        bar.ax.locator_params(nbins=5)
    return FigureFile(
        path,
        f"{image} in three planes" if page.names_at_left else f"{image} in a transverse plane",
        f"Through the hottest place of {pictures[0].label}; one scale for all. Radiological view: the patient's right "
        f"is at the left.{planes.left_out}",
        "maps",
    )


def _shares(place: tuple[float, float, float, float], width: float, height: float) -> tuple[float, float, float, float]:
    """Left, bottom, width and height in inches as shares of the page."""
    return place[0] / width, place[1] / height, place[2] / width, place[3] / height


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _sides(axes: Axes, plane: str, colour: bool) -> None:
    from matplotlib.patheffects import withStroke

    left, right = {"axial": ("R", "L"), "coronal": ("R", "L"), "sagittal": ("A", "P")}[plane]
    style: dict[str, Any] = {
        "transform": axes.transAxes,
        "fontsize": 8,
        "color": "white" if colour else "black",
        "va": "center",
        "path_effects": [withStroke(linewidth=2.0, foreground="black" if colour else "white")],
    }
    axes.text(0.02, 0.5, left, ha="left", **style)
    axes.text(0.98, 0.5, right, ha="right", **style)
