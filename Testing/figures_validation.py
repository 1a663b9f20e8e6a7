"""Pictures of docs/validation.md that are drawn from numbers: a part of ``make figures``.

* error over dose: the page's own table of the diffusion prior;
* worlds not trained in: :mod:`figures_worlds`;
* ``--study DIR``: image metrics, from the tables of a study ``evaluate kinetic-network --full``.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from figures_worlds import draw_worlds, world_runs
from petkinetics.evaluate.figures import COLOURS, MARKERS
from petkinetics.studies.figure_image_quality import distributions, radar
from petkinetics.studies.names import PATLAK
from petkinetics.studies.perceptual import METRICS
from petkinetics.write.tables import read_table
from pictures import IMAGES, ROOT, keep_small, page_picture

PAGE = ROOT / "docs" / "validation.md"
LOG = ROOT / "docs" / "test_log.tsv"
#: of the lines over dose: plain Patlak, the method that is judged, methods without learning, parts of ours
_GREY, _BLACK, _DASHES = "0.45", "black", (0, (4, 1.5))
_CLASSICAL = ("gaussian", "total-variation", "hypr", "nlm")
#: a seventh colour that colour-blind readers tell from the others (Paul Tol)
_WINE = "#882255"


@dataclass(frozen=True)
class OverDose:
    """A method of the page's table: dose -> RMSE of Ki (10⁻³ mL/min/mL), and SSIM."""

    name: str
    rmse: dict[float, float]
    ssim: dict[float, float]


def over_dose(page: str) -> list[OverDose]:
    """The rows of the page's table of all methods over dose.

    :param page: text of the page.
    :raises ValueError: there is no such table.
    """
    found = re.search(r"^\| method \| dose 1 \| 1/2 .*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    if found is None:
        raise ValueError(f"{PAGE.name} has no table of all methods over dose.")
    heads = [cell.strip().removeprefix("dose ") for cell in found[0].splitlines()[0].strip("|").split("|")]
    methods = []
    for line in found[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        pairs = {
            _dose(head): (float(pair[1]), float(pair[2]))
            for head, cell in zip(heads[1:], cells[1:], strict=True)
            if (pair := re.fullmatch(r"([\d.]+) \(([\d.]+)\)", cell)) and re.fullmatch(r"[\d/]+", head)
        }
        name = re.sub(r"[*`]", "", cells[0])
        methods.append(OverDose(name, {d: p[0] for d, p in pairs.items()}, {d: p[1] for d, p in pairs.items()}))
    return methods


def _dose(text: str) -> float:
    over, _, under = text.partition("/")
    return float(over) / float(under or 1)


def draw_over_dose(methods: Sequence[OverDose]) -> None:
    """RMSE and SSIM of Ki over dose, a line a method; methods without learning are dashed."""
    from matplotlib.ticker import NullLocator

    doses = sorted({dose for method in methods for dose in method.rmse})
    # the mean of four draws lies on the single one
    shown = [method for method in methods if method.name != "start-hqs"]
    styles = _styles([method.name for method in shown])
    with page_picture("dose_error.png", 3.9) as drawn:
        rmse, ssim = drawn.subplots(1, 2)
        for axes, title in ((rmse, "RMSE of Ki, 10⁻³ mL/min/mL"), (ssim, "SSIM of Ki")):
            for method, style in zip(shown, styles, strict=True):
                points = method.rmse if axes is rmse else method.ssim
                label = method.name if axes is rmse else None
                axes.plot(list(points), list(points.values()), label=label, **style)  # type: ignore[arg-type]
            axes.set_title(title, fontsize=9)
            axes.set_xscale("log")
            axes.set_xticks(doses, ["1" if d == 1 else f"1/{1 / d:.0f}" for d in doses])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.grid(axis="y", color="0.9", linewidth=0.7)
        rmse.set_yscale("log")
        rmse.set_yticks([0.25, 0.5, 1.0, 2.0], ["0.25", "0.5", "1", "2"])
        rmse.yaxis.set_minor_locator(NullLocator())
        drawn.supxlabel("dose (share of a usual scan's counts)", fontsize=9)
        drawn.legend(loc="outside upper center", ncols=3)


def _styles(names: Sequence[str]) -> list[dict[str, object]]:
    """Line, colour and marker of each method."""
    colours, markers = iter((*COLOURS[:6], _WINE)), iter(MARKERS)
    styles: list[dict[str, object]] = []
    for name in names:
        if name == PATLAK:
            styles.append({"color": _GREY, "linestyle": ":", "marker": ".", "markersize": 5})
        elif name.startswith("start-hqs"):
            styles.append({"color": _BLACK, "marker": "*", "markersize": 8, "linewidth": 2.0})
        else:
            line = _DASHES if name in _CLASSICAL else "-"
            styles.append({"color": next(colours), "linestyle": line, "marker": next(markers), "markersize": 4})
            styles[-1]["linewidth"] = 1.2
    return styles


# ----------------------------------------------------------------------------------- the network's study


def draw_image_metrics(study: Path) -> None:
    """Radar plot and slices of Ki against the noisy full scan, as the study draws them.

    :param study: folder with ``quality.tsv`` and ``slices.tsv``.
    """
    better = {"RMSE": "low", "PSNR": "high", "SSIM": "high", **{metric.name: metric.better for metric in METRICS}}
    reference = "noisy full scan"
    quality, slices = (
        [r for r in read_table(study / f"{name}.tsv") if (r["image"], r["reference"]) == ("Ki", reference)]
        for name in ("quality", "slices")
    )
    means: dict[str, dict[str, float]] = {}
    for method in dict.fromkeys(str(row["method"]) for row in quality):
        own = [row for row in quality if row["method"] == method]
        kept = [metric for metric in better if all(isinstance(row[metric], float | int) for row in own)]
        means[method] = {metric: float(np.mean([row[metric] for row in own])) for metric in kept}  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        drawn = {
            "radar": radar(Path(folder), "Ki", reference, means, better),
            "distributions": distributions(Path(folder), "Ki", reference, slices),
        }
        for name, file in drawn.items():
            keep_small(file.path, IMAGES / f"network_study_{name}.png")


# ------------------------------------------------------------------------------------------------- all


def main() -> None:
    """Draw what there are numbers for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, metavar="DIR", help="draw this study's image metrics, too")
    study = parser.parse_args().study
    draw_over_dose(over_dose(PAGE.read_text(encoding="utf-8")))
    for runs in world_runs(read_table(LOG)):
        draw_worlds(runs)
    if study is not None:
        draw_image_metrics(study)


if __name__ == "__main__":
    main()
