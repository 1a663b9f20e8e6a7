"""A study at several doses: errors of slope and intercept over dose, and the bias of lesions by size.

Every figure is written as PNG, SVG and PDF. Colours and markers are safe for colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from petkinetics.evaluate.figures import COLOURS, MARKERS, PAGE_WIDTH, FigureFile, figure
from petkinetics.studies.names import BIAS_BY_SIZE, called

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, object]
#: column of the summary -> title, factor
_ERRORS = {
    "ki_rmse_mean": ("RMSE of Ki, 10⁻³ mL/min/mL", 1e3),
    "v0_rmse_mean": ("RMSE of V0, mL/mL", 1.0),
    "ki_ssim_mean": ("SSIM of Ki", 1.0),
    "v0_ssim_mean": ("SSIM of V0", 1.0),
}


def errors_by_dose(folder: Path, summary: Sequence[Row], methods: Sequence[str]) -> FigureFile:
    """RMSE and SSIM of slope and intercept over dose, a line a method.

    :param summary: rows of ``summary.tsv``, of one world, input function and end of scan.
    :param methods: those to show, in the order of their colours.
    """
    path = folder / "errors_by_dose.png"
    with figure(path, 5.6, PAGE_WIDTH, vector=True) as drawn:
        for number, (column, (title, factor)) in enumerate(_ERRORS.items(), start=1):
            axes = drawn.add_subplot(2, 2, number)
            _lines(axes, summary, methods, column, factor, named=number == 1)
            axes.set_title(title, fontsize=9)
            if column.endswith("rmse_mean"):
                axes.set_ylim(bottom=0)
        drawn.supxlabel("dose (share of a usual scan's counts)", fontsize=9)
        drawn.legend(loc="outside upper center", ncols=3)
    return FigureFile(
        path,
        "Slope and intercept over dose",
        "Means over patients, in the body, against the noise-free maps; blood curve of the noisy images' aorta.",
        "maps",
    )


def lesion_sizes(summary: Sequence[Row]) -> list[str]:
    """The columns of the summary that hold a bias of lesions of some size, small ones first; none without lesions."""
    return sorted(
        {name for row in summary for name, value in row.items() if name.startswith(BIAS_BY_SIZE) and value is not None},
        key=lambda name: float(name.removeprefix(BIAS_BY_SIZE).split("-")[0]),
    )


def lesions_by_dose(folder: Path, summary: Sequence[Row], methods: Sequence[str]) -> FigureFile:
    """Mean bias of Ki in lesions over dose, a panel a size.

    :param summary: see :func:`errors_by_dose`; with a lesion, see :func:`lesion_sizes`.
    :param methods: see :func:`errors_by_dose`.
    """
    columns = lesion_sizes(summary)
    path = folder / "lesions_by_dose.png"
    with figure(path, 3.6, PAGE_WIDTH, vector=True) as drawn:
        first: Axes | None = None
        for number, column in enumerate(columns, start=1):
            axes = drawn.add_subplot(1, len(columns), number, sharey=first)
            first = first or axes
            axes.axhline(0.0, color="0.7", linewidth=0.8)
            _lines(axes, summary, methods, column, 1.0, named=number == 1)
            axes.set_title(column.removeprefix(BIAS_BY_SIZE).replace("_", " ").replace("-", "–"), fontsize=9)
            axes.tick_params(labelleft=number == 1)
        drawn.supylabel("Ki of lesions: mean bias, %", fontsize=9)
        drawn.supxlabel("dose (share of a usual scan's counts)", fontsize=9)
        drawn.legend(loc="outside upper center", ncols=3)
    return FigureFile(
        path,
        "Lesions by size over dose",
        "Mean over the lesions wholly in view of the relative error of their mean Ki; their number stands in "
        "summary.tsv.",
        "maps",
    )


def _lines(axes: Axes, summary: Sequence[Row], methods: Sequence[str], column: str, factor: float, named: bool) -> None:
    doses = sorted({float(row["dose"]) for row in summary})  # type: ignore[arg-type]
    for number, method in enumerate(methods):
        found = {
            float(row["dose"]): factor * float(value)  # type: ignore[arg-type]
            for row in summary
            if row["method"] == method and isinstance(value := row.get(column), float | int)
        }
        axes.plot(
            list(found),
            list(found.values()),
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            label=called(method) if named else None,
        )
    axes.set_xscale("log")
    axes.set_xticks(doses, [_share(dose) for dose in doses])
    axes.minorticks_off()
    axes.set_xlim(0.85 * doses[0], doses[-1] / 0.85)


def _share(dose: float) -> str:
    """1, 1/4, 1/20; as a number where it is no such share."""
    inverse = 1.0 / dose
    whole = int(np.rint(inverse))
    if dose >= 1.0 or abs(inverse - whole) > 0.01 * inverse:
        return f"{dose:g}"
    return f"1/{whole}"
