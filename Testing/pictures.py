"""Pictures of the documentation: drawn in the style of the engine's figures, kept small.

A picture is drawn at twice the pixels of a page's column and stored with 256 colours of its own; the
repository keeps every version of every picture, so each is at most 150 kB.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from petkinetics.evaluate.figures import PAGE_WIDTH, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150_000
#: of 255 levels, that a pixel may change by in 256 colours
_MOST_CHANGE = 32.0


@contextmanager
def page_picture(name: str, height: float) -> Iterator[Figure]:
    """A figure as wide as a page, kept as ``docs/images/NAME`` at the end.

    :param height: inches.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        with figure(path, height, PAGE_WIDTH) as drawn:
            yield drawn
        keep_small(path, IMAGES / name)


def keep_small(source: Path, target: Path) -> None:
    """Store a picture with 256 colours of its own.

    :raises ValueError: its colours would change visibly, or it is too large all the same.
    """
    from PIL import Image

    whole = Image.open(source).convert("RGB")
    # colours far apart first: those that most pixels share would leave one grey for a thin line's colour
    small = whole.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    change = np.abs(np.asarray(small.convert("RGB"), float) - np.asarray(whole, float))
    if (found := float(change.max())) > _MOST_CHANGE:
        raise ValueError(f"256 colours change {target.name} by {found:.0f} of 255 levels.")
    target.parent.mkdir(parents=True, exist_ok=True)
    small.save(target, optimize=True)
    if (size := target.stat().st_size) > MOST_BYTES:
        raise ValueError(f"{target.name} has {size} bytes; {MOST_BYTES} is the most.")
    print(f"{target.relative_to(ROOT)}, {size // 1000} kB")


def bare(axes: Axes) -> None:
    """No frame and no ticks, as an image has none."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
