"""Maps as pictures: Ki over the anatomy in three planes, all maps side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.figure_outline import legend_line, outline_mask, outline_sentence
from petkinetics.evaluate.figures import WIDTH, FigureFile, figure, three_digits
from petkinetics.evaluate.planes import Planes, Upright, mean_of_27, planes_of
from petkinetics.maps import ParametricMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

Volume = NDArray[np.float32]

#: Ki below this share of the colour scale is transparent, above the second fully coloured
_FADE = (0.06, 0.22)
#: colours of a map by its quantity; those of its SD are the same
_COLOURS = {"ki": "inferno", "v0": "viridis", "residual": "cividis"}
#: from the crossing point to where the thin lines begin, as a share of a picture's shorter side
_GAP_SHARE = 0.09
#: width of the colour bars beside a plane that stands alone, as a share of the plane's
_BARS_SHARE = 0.7
_BAR_LENGTHS_MM = (10, 20, 50, 100, 200)
#: letters at a picture's left, right, top and bottom
_EDGES = {"axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "S", "I"), "sagittal": ("A", "P", "S", "I")}


def ki_over_anatomy(
    folder: Path,
    ki: ParametricMap,
    anatomy: Volume,
    label: str,
    anatomy_label: str = "late PET",
    anatomy_unit: str = "",
    body: NDArray[np.bool_] | None = None,
    centre: tuple[int, int, int] | None = None,
    name: str = "ki_over_anatomy.png",
    distrust: NDArray[np.bool_] | None = None,
) -> FigureFile:
    """Ki in colour over the anatomy in inverted grey, three planes through one point.

    Of images thinner than 40 mm only the transverse plane is shown, and the caption says so.

    :param anatomy: on the map's grid (slices, rows, columns), in any unit, such as the mean of the late frames.
    :param label: what the map is, such as "Ki (whole-blood input)".
    :param anatomy_unit: of the anatomy's values; without one they get no bar.
    :param body: mask to cut to and to scale by; from the anatomy where it is not given.
    :param centre: (slice, row, column) of the crossing point; the hottest 3x3x3 voxels of Ki otherwise.
    :param distrust: where not to trust the map, on its grid: outlined.
    """
    upright = Upright.of(ki.geometry)
    inside = body if body is not None else _body(anatomy)
    planes = planes_of(ki, upright, inside, centre)
    top = _scale(ki, inside)
    # what fills a good part of the body, such as the liver, comes out mid-grey
    grey_top = 1.6 * float(np.percentile(anatomy[inside], 98.0)) or 1.0
    ki_up, anatomy_up = upright.turn(ki.values), upright.turn(anatomy)
    path = folder / name
    import matplotlib as mpl

    with figure(path, _height(planes)) as drawn:
        places, bars = _places(drawn, planes)
        colours = _ki_colours()
        outlined = False
        for plane, place in places.items():
            axes = drawn.add_subplot(place)
            grey = planes.cut(anatomy_up, plane)
            values = planes.cut(ki_up, plane)
            extent = planes.extent(plane)
            axes.imshow(grey, cmap="gray_r", vmin=0, vmax=grey_top, extent=extent, interpolation="bilinear")
            axes.imshow(_overlay(values, top, colours), extent=extent, interpolation="bilinear")
            outlined |= _outline(axes, distrust, upright, planes, plane)
            _dress(axes, planes, plane, cross=len(places) > 1)
        scale_bar(axes, planes.size_mm[2])
        corner = drawn.add_subplot(bars)
        corner.axis("off")
        _colour_bar(corner, 0.72, colours, top, f"{label}, {ki.quantity.unit}")
        if anatomy_unit:
            _colour_bar(corner, 0.3, mpl.colormaps["gray_r"], grey_top, f"{anatomy_label}, {anatomy_unit}")
        if outlined:
            corner.legend(handles=[legend_line()], loc="upper left", borderaxespad=0.1)
    shown = "the planes cross at the thin lines" if len(planes.shown) > 1 else "a transverse plane"
    return FigureFile(
        path,
        f"{label} over the anatomy",
        f"{label}, {ki.quantity.unit}, in colour over {anatomy_label} in inverted grey; {shown}. "
        f"Values below {three_digits(_FADE[0] * top)} are transparent. Radiological view: the patient's right is at "
        f"the left.{planes.left_out}{outline_sentence(distrust, outlined)}",
    )


def _height(planes: Planes) -> float:
    """Inches of the figure of planes."""
    z, y, x = planes.size_mm
    if len(planes.shown) == 1:
        return min((WIDTH - 0.3) * y / (x + _BARS_SHARE * x) + 0.2, 8.0)
    # white between the planes takes about this much
    return min((WIDTH - 0.5) * (z + y) / (x + y) + 0.6, 8.0)


def _places(drawn: Figure, planes: Planes) -> tuple[dict[str, SubplotSpec], SubplotSpec]:
    """Where each plane goes, the transverse one last, and where the colour bars go."""
    z, y, x = planes.size_mm
    if len(planes.shown) == 1:
        row = drawn.add_gridspec(1, 2, width_ratios=(1.0, _BARS_SHARE))
        return {"axial": row[0, 0]}, row[0, 1]
    grid = drawn.add_gridspec(2, 2, width_ratios=(x, y), height_ratios=(z, y))
    return {"coronal": grid[0, 0], "sagittal": grid[0, 1], "axial": grid[1, 0]}, grid[1, 1]


def map_overview(
    folder: Path,
    maps: Sequence[ParametricMap],
    labels: Sequence[str],
    body: NDArray[np.bool_],
    centre: tuple[int, int, int] | None = None,
    name: str = "maps.png",
    distrust: NDArray[np.bool_] | None = None,
) -> FigureFile:
    """One plane of every map, each with its own colour bar.

    :param labels: what each map is called in the picture.
    :param body: mask to cut to and to scale by, (slices, rows, columns).
    :param centre: as in :func:`ki_over_anatomy`; the plane is the axial one through it, or the coronal
        one where the scan is longer than 60 cm.
    :param distrust: as in :func:`ki_over_anatomy`.
    """
    upright = Upright.of(maps[0].geometry)
    planes = planes_of(maps[0], upright, body, centre)
    plane = "coronal" if planes.size_mm[0] > 600 else "axial"
    _, width, tall, _ = planes.extent(plane)
    columns = 2
    rows = -(-len(maps) // columns)
    height = rows * ((WIDTH / columns - 0.65) * tall / width + 0.42) + 0.1
    path = folder / name
    outlined = False
    with figure(path, min(height, 10.0)) as drawn:
        for number, (parametric, label) in enumerate(zip(maps, labels, strict=True)):
            axes = drawn.add_subplot(rows, columns, number + 1)
            top = _scale(parametric, body)
            key = parametric.quantity.name
            shown_values = np.where(body, parametric.values, np.nan)
            picture = axes.imshow(
                planes.cut(upright.turn(shown_values), plane),
                cmap=_COLOURS.get(key.removesuffix("_sd"), "inferno"),
                vmin=0,
                vmax=top,
                extent=planes.extent(plane),
                interpolation="nearest",
            )
            outlined |= _outline(axes, distrust, upright, planes, plane)
            axes.set_title(label, fontsize=9)
            _dress(axes, planes, plane, cross=False)
            if number == 0:
                scale_bar(axes, width)
            signed = bool((parametric.values[body] < 0).any())
            bar = drawn.colorbar(picture, ax=axes, shrink=0.9, aspect=18, pad=0.02, extend="both" if signed else "max")
            bar.outline.set_linewidth(0.5)
            unit = "÷ predicted noise" if key == "residual" else parametric.quantity.unit
            if unit != "1":
                bar.set_label(unit, fontsize=8)
            bar.ax.locator_params(nbins=4)
            bar.ax.tick_params(labelsize=8)
        if outlined:
            drawn.legend(handles=[legend_line()], loc="outside lower center")
    shown = "; ".join(f"{label}: {m.quantity.meaning}" for m, label in zip(maps, labels, strict=True))
    said = outline_sentence(distrust, outlined)
    return FigureFile(path, "Maps side by side", f"The same {plane} plane of every map. {shown}.{said}")


def _outline(axes: Axes, mask: NDArray[np.bool_] | None, upright: Upright, planes: Planes, plane: str) -> bool:
    """Outline a mask in a plane; whether some of it lies there."""
    if mask is None:
        return False
    return outline_mask(axes, planes.cut(upright.turn(mask), plane).astype(bool), planes.extent(plane))


def _body(anatomy: Volume) -> NDArray[np.bool_]:
    bright = anatomy > 0.05 * np.percentile(anatomy, 99.0)
    return bright if bright.any() else np.ones(anatomy.shape, dtype=bool)


def round_top(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten, from *value* (any unit) on."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10.001) if step * power >= value * 0.999) * power)


def _scale(parametric: ParametricMap, inside: NDArray[np.bool_]) -> float:
    """Top of a map's colour scale: the hottest 27 voxels for Ki and V0, nearly all voxels for SDs."""
    if parametric.quantity.name == "residual":
        return 2.0
    if parametric.quantity.name.endswith("_sd"):
        return round_top(float(np.percentile(parametric.values[inside], 99.5)))
    return round_top(float(mean_of_27(np.where(inside, parametric.values, 0.0)).max()))


def _ki_colours() -> Colormap:
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    # inferno without its black, which over grey would look like anatomy
    return ListedColormap(mpl.colormaps["inferno"](np.linspace(0.25, 0.97, 256)), name="ki")


def _overlay(values: NDArray[np.generic], top: float, colours: Colormap) -> NDArray[np.float64]:
    share = np.clip(np.asarray(values, dtype=np.float64) / top, 0, 1)
    picture = np.array(colours(share))
    picture[..., 3] = 0.92 * np.clip((share - _FADE[0]) / (_FADE[1] - _FADE[0]), 0, 1)
    return picture


def _dress(axes: Axes, planes: Planes, plane: str, cross: bool = True) -> None:
    """Orientation letters at the edges, thin lines where the other planes cross."""
    from matplotlib.patheffects import withStroke

    left, right, top, bottom = _EDGES[plane]
    style: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 8.5, "fontweight": "bold"}
    style["path_effects"] = [withStroke(linewidth=2.0, foreground="white")]
    axes.text(0.012, 0.5, left, ha="left", va="center", **style)
    axes.text(0.988, 0.5, right, ha="right", va="center", **style)
    axes.text(0.5, 0.985, top, ha="center", va="top", **style)
    axes.text(0.5, 0.015, bottom, ha="center", va="bottom", **style)
    if cross:
        _cross(axes, planes, plane)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _cross(axes: Axes, planes: Planes, plane: str) -> None:
    """Thin lines where the other planes lie, open around the point where they meet: that is what people look at."""
    x, y = planes.cross(plane)
    left, right, bottom, top = planes.extent(plane)
    gap = _GAP_SHARE * min(right - left, bottom - top)
    line: dict[str, Any] = {"color": "#0072B2", "linewidth": 0.6, "alpha": 0.8}
    axes.hlines([y, y], [left, min(x + gap, right)], [max(x - gap, left), right], **line)
    axes.vlines([x, x], [top, min(y + gap, bottom)], [max(y - gap, top), bottom], **line)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def scale_bar(axes: Axes, width_mm: float, colour: str = "black") -> None:
    """A bar of a round length in the lower left of a picture in mm, *width_mm* wide."""
    from matplotlib.patheffects import withStroke

    length = max((n for n in _BAR_LENGTHS_MM if n <= 0.3 * width_mm), default=_BAR_LENGTHS_MM[0])
    text = f"{length // 10} cm" if length >= 10 else f"{length} mm"
    low, left = axes.get_ylim()[0] * 0.955, 0.04 * width_mm
    halo = [withStroke(linewidth=4.0, foreground="white" if colour == "black" else "black")]
    bar: dict[str, Any] = {"color": colour, "linewidth": 2.2, "solid_capstyle": "butt", "path_effects": halo}
    axes.plot([left, left + length], [low, low], **bar)
    middle = left + length / 2
    axes.text(
        middle, low - 0.015 * width_mm, text, ha="center", va="bottom", fontsize=8.5, color=colour, path_effects=halo
    )


def _colour_bar(axes: Axes, at: float, colours: Colormap, top: float, label: str) -> None:
    """A bar with its label, *at* a share of the height."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    inset = axes.inset_axes((0.08, at, 0.84, 0.07))
    bar = axes.figure.colorbar(
        ScalarMappable(Normalize(0, top), colours), cax=inset, orientation="horizontal", extend="max"
    )
    bar.set_label(label, fontsize=9)
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(labelsize=8.5)
    # numbers such as 0.0025 run into each other where there are more
    bar.ax.locator_params(nbins=3)
