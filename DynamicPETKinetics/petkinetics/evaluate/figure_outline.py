"""Where not to trust a map, outlined in its pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

#: what legends and captions call the outlined places
DISTRUST_LABEL = "where not to trust it"
#: bright over dark colours; its dark rim shows over white
_COLOUR, _RIM, _WIDTH = "#00D5FF", "#003844", 0.9


def outline_mask(axes: Axes, mask: NDArray[np.bool_], extent: tuple[float, float, float, float]) -> bool:
    """Draw lines along the edges of a mask's pixels.

    :param mask: (rows, columns), row 0 on top.
    :param extent: of the picture, as of ``imshow`` (left, right, bottom, top).
    :returns: whether there is anything in the mask.
    """
    if not mask.any():
        return False
    from matplotlib.collections import LineCollection
    from matplotlib.patheffects import withStroke

    left, right, bottom, top = extent
    x = np.linspace(left, right, mask.shape[1] + 1)
    y = np.linspace(top, bottom, mask.shape[0] + 1)
    padded = np.pad(mask, 1)
    # line number, pixel along it
    i, j = np.nonzero((padded[1:] != padded[:-1])[:, 1:-1])
    lying = np.stack([np.stack([x[j], y[i]], axis=1), np.stack([x[j + 1], y[i]], axis=1)], axis=1)
    i, j = np.nonzero((padded[:, 1:] != padded[:, :-1])[1:-1])
    upright = np.stack([np.stack([x[j], y[i]], axis=1), np.stack([x[j], y[i + 1]], axis=1)], axis=1)
    rim = [withStroke(linewidth=2.5 * _WIDTH, foreground=_RIM)]
    lines = np.concatenate([lying, upright])
    axes.add_collection(LineCollection(list(lines), colors=_COLOUR, linewidths=_WIDTH, path_effects=rim))
    return True


def legend_line() -> Line2D:
    """The outline in a legend, with its words."""
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    rim = [withStroke(linewidth=2.5 * _WIDTH, foreground=_RIM)]
    return Line2D([], [], color=_COLOUR, linewidth=_WIDTH, path_effects=rim, label=DISTRUST_LABEL)


def outline_sentence(distrust: NDArray[np.bool_] | None, outlined: bool) -> str:
    """What a caption says of it; "" where there is nothing against the map.

    :param distrust: the places, (slices, rows, columns); None for nowhere.
    :param outlined: whether some of it lies in the picture.
    """
    if distrust is None or not distrust.any():
        return ""
    if outlined:
        return f" Outlined: {DISTRUST_LABEL}; the patient moved, or the method does not explain the frames there."
    return " Places where not to trust it were found; none lies in this picture."
