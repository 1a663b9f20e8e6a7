"""One simulated patient through the methods, maps and errors, for docs/validation.md: a part of ``make figures``.

A validation patient, never a test patient; chosen because two small malignant lesions of the lung lie in the
slices, where every method has it hardest. Nothing is trained or tuned here.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators import make_estimator
from petkinetics.estimators.estimator import estimate_in_memory, uses_whole_series
from petkinetics.estimators.window_image import LATE_MIN
from petkinetics.evaluate.figure_planes import scale_bar
from petkinetics.evaluate.planes import Planes, Upright, planes_of
from petkinetics.maps import KI, ParametricMap
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of
from pictures import bare, page_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Float32 = NDArray[np.float32]
SEED, SLICES = 90006, 12
T_STAR_MIN = 9.0
#: what is shown: heading, dose, end of the scan (min), method
_SCANS = (
    ("First 35 min of a scan of usual dose", 1.0, 35.0, ("patlak", "nlm", "kinetic-network")),
    ("All 65 min at a quarter of the dose", 0.25, None, ("patlak", "nlm", "diffusion-prior")),
)
#: tops of the scales, 10⁻³ mL/min/mL and g/mL; few colours keep the picture small, as noise does not compress
_KI_TOP, _ERROR_TOP, _SUV_TOP = 15.0, 5.0, 5.0
_KI_COLOURS = mpl.colormaps["inferno"].resampled(40)
_ERROR_COLOURS = mpl.colormaps["RdBu_r"].resampled(25)
_SUV_COLOURS = mpl.colormaps["Greys"].resampled(32)


@dataclass(frozen=True, eq=False)
class Scan:
    """What a scan shows and what the methods make of it.

    :param suv: mean of the scan's last part, g/mL (slices, rows, columns).
    :param ki: maps of Ki by method, mL/min/mL, likewise.
    """

    heading: str
    patient: DigitalPatient
    suv: Float32
    ki: dict[str, Float32]


@dataclass(frozen=True)
class Way:
    """A method with what it is given.

    :param label: over its map; the method's name where none is given.
    :param weights: folder of own weights.
    """

    method: str
    label: str = ""
    weights: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def run(heading: str, dose: float, until_min: float | None, ways: Sequence[Way]) -> Scan:
    """Simulate the scan and estimate, with the blood curve of its noisy aorta.

    :param until_min: nothing later is used.
    """
    patient = simulate_patient("thorax", "full", SEED, dose, geometry=middle_slices("full", SLICES))
    curve = aorta_input(patient, until_min)
    maps: dict[str, Float32] = {}
    for way in ways:
        estimator = make_estimator(way.method)
        problem = problem_of(patient, curve, 0.0 if uses_whole_series(estimator) else T_STAR_MIN, until_min)
        problem = replace(problem, seed=0, weights=way.weights, options=dict(way.options))
        maps[way.label or way.method] = estimate_in_memory(estimator, problem)["ki"].values
    series = patient.series
    used = series.timing.until(until_min)
    end_min = float(series.timing.end_s[used[-1]]) / 60.0
    late = series.timing.window(end_min - LATE_MIN, end_min).tolist()
    assert series.injected_activity_mbq is not None and series.weight_kg is not None
    factor = series.weight_kg / series.injected_activity_mbq
    return Scan(heading, patient, (series.read(late).mean(axis=0) * factor).astype(np.float32), maps)


def words(scan: Scan, values: Float32) -> str:
    """Error in the whole body, and of the largest lesion's mean."""
    patient = scan.patient
    truth, body = patient.truth["ki_patlak_9_65"], patient.body_mask
    rmse = 1e3 * float(np.sqrt(np.mean((values - truth)[body] ** 2)))
    inside = patient.lesions == shown_lesion(patient)
    bias = 100.0 * (float(values[inside].mean()) / float(truth[inside].mean()) - 1.0)
    return f"RMSE {rmse:.2f}, lesion {round(bias):+d} %".replace("-", "−").replace("+0 ", "0 ")


def shown_lesion(patient: DigitalPatient) -> int:
    """Number of the malignant lesion of most voxels."""
    found = [lesion.number for lesion in patient.lesion_list if lesion.malignant]
    return max(found, key=lambda number: int((patient.lesions == number).sum()))


class Page:
    """The picture: a row of maps and one of errors for each scan.

    :param drawn: an empty figure, laid out by hand.
    :param scans: of one patient.
    """

    def __init__(self, drawn: Figure, scans: list[Scan]) -> None:
        drawn.set_layout_engine("none")
        patient = scans[0].patient
        self.drawn, self.scans = drawn, scans
        self.upright = Upright.of(patient.series.geometry)
        like = ParametricMap(patient.truth["ki_patlak_9_65"], KI, patient.series.geometry)
        places = np.argwhere(patient.lesions == shown_lesion(patient))
        middle = places[np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))]
        self.planes: Planes = planes_of(
            like, self.upright, patient.body_mask, (int(middle[0]), int(middle[1]), int(middle[2]))
        )
        self.width, self.height = (float(n) for n in drawn.get_size_inches())
        self.wide = (self.width - 0.25) / 4
        self.tall = self.wide * self.planes.size_mm[1] / self.planes.size_mm[2]

    def axes(self, column: int, top: float, tall: float | None = None) -> Axes:
        """A place on the page; *top* in inches from its upper edge."""
        tall = self.tall if tall is None else tall
        left = 0.05 + column * (self.wide + 0.05)
        return self.drawn.add_axes(
            (left / self.width, 1 - (top + tall) / self.height, self.wide / self.width, tall / self.height)
        )

    def image(self, column: int, top: float, values: NDArray[Any], colours: Any, low: float, high: float) -> Any:
        """One image in the transverse plane; what lies outside the body is left white."""
        axes = self.axes(column, top)
        body = self.scans[0].patient.body_mask
        cut = self.planes.cut(self.upright.turn(np.where(body, values, np.nan)), "axial")
        extent = self.planes.extent("axial")
        shown = axes.imshow(cut, cmap=colours, vmin=low, vmax=high, extent=extent, interpolation="nearest")
        bare(axes)
        return shown

    def bar(self, shown: Any, top: float, label: str, extend: str) -> None:
        """A colour bar in the first column."""
        axes = self.axes(0, top, 0.09)
        left, bottom, wide, tall = axes.get_position().bounds
        axes.set_position((left + 0.1 * wide, bottom, 0.8 * wide, tall))
        bar = self.drawn.colorbar(shown, cax=axes, orientation="horizontal", extend=extend)
        bar.set_label(label, fontsize=8, labelpad=1)
        bar.outline.set_linewidth(0.5)
        bar.ax.tick_params(labelsize=8, pad=1.5, length=2.5)
        bar.ax.locator_params(nbins=5)

    def title(self, shown: Any, *lines: str) -> None:
        """Name in bold, numbers below it."""
        shown.axes.set_title(lines[0], fontsize=8.5, pad=12 if len(lines) > 1 else 2, loc="center")
        if len(lines) > 1:
            shown.axes.text(
                0.5, 1.015, lines[1], transform=shown.axes.transAxes, ha="center", va="bottom", fontsize=7.5
            )

    def draw(self) -> None:
        """All of it."""
        truth = self.scans[0].patient.truth["ki_patlak_9_65"]
        block = 2 * self.tall + 0.62
        for number, scan in enumerate(self.scans):
            top = 0.55 + number * block
            self._heading(scan.heading, top - 0.45)
            for column, (method, values) in enumerate(scan.ki.items(), start=1):
                ki = self.image(column, top, 1e3 * values, _KI_COLOURS, 0, _KI_TOP)
                self.title(ki, method, words(scan, values))
                error = self.image(
                    column, top + self.tall + 0.04, 1e3 * (values - truth), _ERROR_COLOURS, -_ERROR_TOP, _ERROR_TOP
                )
            if number == 0:
                true = self.image(0, top, 1e3 * truth, _KI_COLOURS, 0, _KI_TOP)
                self.title(true, "truth", "Patlak without noise")
                self._point(true.axes)
                scale_bar(true.axes, self.planes.size_mm[2], "black")
                self.bar(ki, top + self.tall + 0.12, "Ki, 10⁻³ mL/min/mL", "both")
                self.bar(error, top + self.tall + 0.62, "error of Ki, 10⁻³ mL/min/mL", "both")
            else:
                suv = self.image(0, top, scan.suv, _SUV_COLOURS, 0, _SUV_TOP)
                self.title(suv, "SUV of the last 15 min")
                self.bar(suv, top + self.tall + 0.12, "SUV, g/mL", "max")

    def _heading(self, text: str, top: float) -> None:
        """Over the methods' columns."""
        place = ((0.15 + self.wide) / self.width, 1 - top / self.height)
        self.drawn.text(*place, text, fontsize=9.5, fontweight="bold", va="center")

    def _point(self, axes: Axes) -> None:
        """An arrow at the lesion whose error is told, and the patient's sides."""
        x, y = self.planes.cross("axial")
        axes.annotate(
            "",
            xy=(x + 7, y - 7),
            xytext=(x + 40, y - 40),
            arrowprops={"arrowstyle": "-|>", "color": "white", "lw": 1.4},
        )
        for at, letter in ((0.01, "R"), (0.99, "L")):
            axes.text(
                at,
                0.97,
                letter,
                transform=axes.transAxes,
                fontsize=8,
                va="top",
                ha="left" if letter == "R" else "right",
            )


def main() -> None:
    """Simulate, estimate, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    scans = [run(*scan, [Way(method) for method in methods]) for *scan, methods in _SCANS]
    with page_picture("patient_maps.png", 6.7) as drawn:
        Page(drawn, scans).draw()


if __name__ == "__main__":
    main()
