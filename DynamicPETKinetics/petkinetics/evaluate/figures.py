"""What all figures share: files with captions, one style, and doing without matplotlib.

Figures are 5 inches wide with 9-point text, so that they fit a journal's column and a half and can
still be read when a phone shrinks them to its width. Colours are safe for colour-blind readers. Beside
each PNG lies the same as PDF: lines and letters as such, for print.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: inches: of most figures, and of those that take a page's full width
WIDTH, PAGE_WIDTH = 5.0, 7.2
DPI = 220
#: Okabe & Ito's colours, darkest first, which colour-blind readers tell apart
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: more curves than this in one plot cannot be told apart
MOST_CURVES = len(COLOURS)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "petkinetics",
    # letters stay letters, which journals ask for and people can search
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}
NO_MATPLOTLIB = "No figures were made, because matplotlib is not installed (pip install matplotlib)."


@dataclass(frozen=True)
class FigureFile:
    """A picture and what it shows.

    :param path: of the PNG; the PDF has the same stem.
    :param title: a few words.
    :param caption: a sentence or two.
    :param section: of the report where it belongs: "maps", "regions", "agreement" or "input function".
    """

    path: Path
    title: str
    caption: str
    section: str = "maps"


#: draws one figure into a folder
Drawing = Callable[[Path], FigureFile]


def draw(folder: Path, drawings: Sequence[Drawing], warn: Callable[[str], None]) -> list[FigureFile]:
    """Make figures; without matplotlib none, and exactly one warning.

    :param folder: made where it is missing.
    :param drawings: such as ``functools.partial(ki_over_anatomy, ki=..., anatomy=...)``.
    """
    if not drawings:
        return []
    try:
        import matplotlib  # noqa: F401 - only whether it is there
    except ImportError:
        warn(NO_MATPLOTLIB)
        return []
    folder.mkdir(parents=True, exist_ok=True)
    return [drawing(folder) for drawing in drawings]


@contextmanager
def figure(path: Path, height: float, width: float = WIDTH, vector: bool = False) -> Iterator[Figure]:
    """A figure in this package's style, saved at the end as PNG and PDF; no pyplot, no windows.

    :param path: of the PNG.
    :param height: inches; *width*: likewise.
    :param vector: as SVG, too.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(drawn)
        yield drawn
        drawn.savefig(path, metadata={"Software": "petkinetics"})
        # without a date the same result makes the same file
        drawn.savefig(path.with_suffix(".pdf"), metadata={"Creator": "petkinetics", "CreationDate": None})
        if vector:
            drawn.savefig(path.with_suffix(".svg"), metadata={"Creator": "petkinetics", "Date": None})


def values_below(drawn: Figure, title: str) -> None:
    """The legend of curves below a figure, a line a curve: their names and values.

    :param title: what the values are, with units.
    """
    drawn.legend(title=title, loc="outside lower left", ncols=1, handletextpad=0.3, alignment="left")


def not_drawn(shown: int, all_of_them: int) -> str:
    """The end of a caption where some regions are left out; nothing where all are drawn."""
    return f" The first {shown} of {all_of_them} regions are drawn." if all_of_them > shown else ""


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def three_digits(value: float) -> str:
    """*value*, of any unit, as people write it: three significant digits, 1.65×10⁻⁵ where zeros would be counted."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "n/a"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    power = int(exponent)
    if power < -4 or power > 5:
        return f"{mantissa}×10{str(power).translate(_SUPERSCRIPT)}".replace("-", "−")
    return f"{float(f'{mantissa}e{power}'):.{max(2 - power, 0)}f}".replace("-", "−")


def with_error(value: float, error: float | None) -> str:
    """``0.00366 ± 0.00012``: the standard error with two significant digits, the value to the same place; any unit."""
    if error is None or not math.isfinite(error) or error <= 0:
        return three_digits(value)
    places = max(1 - math.floor(math.log10(error)), 0)
    if places > 7:
        return f"{three_digits(value)} ± {three_digits(error)}"
    return f"{value:.{places}f} ± {error:.{places}f}".replace("-", "−")


def in_lines(label: str, width: int = 16) -> str:
    """A method's label in lines of some letters, broken at blanks and after colons and commas."""
    spaced = label.replace(":", ": ").replace(",", ", ")
    return "\n".join(textwrap.wrap(spaced, width, break_long_words=False, break_on_hyphens=False))


def columns_of(panels: int, most: int = 4) -> int:
    """How many panels to put side by side: about as many as rows, and few places left empty."""
    least = min(math.ceil(math.sqrt(panels)), most)
    return min(range(least, min(panels, most) + 1), key=lambda columns: -panels % columns)
