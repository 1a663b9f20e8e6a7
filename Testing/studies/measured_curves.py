"""Measured curves and a real slice: the tables and pictures of docs/measured_curves.md.

python Testing/studies/measured_curves.py            prints the tables
python Testing/studies/measured_curves.py --write    puts them into the document and draws the pictures
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass, replace
from math import log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.estimators.noise import frame_variances
from petkinetics.evaluate.figures import COLOURS, MARKERS, PAGE_WIDTH, figure
from petkinetics.frames import FrameTiming
from petkinetics.input_function.from_frames import continuous_curve
from petkinetics.job import EstimateJob
from petkinetics.kinetics.patlak import LinearFit, RegionFit, fit_curve, patlak_design, weighted_fit
from petkinetics.kinetics.region_fit import PARAMETERS, CompartmentFit, CompartmentFitter

Float64 = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
DOCUMENT = HERE.parents[1] / "docs" / "measured_curves.md"
PICTURES = DOCUMENT.parent / "images"
F18_PER_S = log(2.0) / 6586.2
SLICE = DATA / "dynamic_slice_choi" / "real_dynamic_slice_93x95x1x34.nii.gz"
REFERENCE_REGION = SLICE.with_name("reference_region.nii.gz")


@dataclass(frozen=True)
class MeasuredCurves:
    """Blood and tissue, one mean a frame.

    :param tissue: of a region, kBq/mL.
    :param blood: frame means, kBq/mL.
    """

    tissue: TimeActivityCurve
    blood: TimeActivityCurve

    def with_decay_weight(self, decay_per_s: float) -> MeasuredCurves:
        """The same numbers, taken as means weighted by e^(-lambda t) within each frame."""
        return MeasuredCurves(*(replace(c, decay_per_s=decay_per_s) for c in (self.tissue, self.blood)))


@dataclass(frozen=True)
class Fitted:
    """A Patlak fit and the frames it used."""

    frames: NDArray[np.intp]
    fit: LinearFit
    found: RegionFit


def grey_matter() -> MeasuredCurves:
    """The human grey-matter curve and the blood curve from the same images."""
    folder = DATA / "brain_tac_kmap"
    duration, blood, tissue = (np.loadtxt(folder / f"demo_2tcm_{name}.txt") for name in ("dt", "Cp", "GM"))
    timing = FrameTiming(np.concatenate([[0.0], np.cumsum(duration)[:-1]]), duration)
    return MeasuredCurves(TimeActivityCurve(timing, tissue / 1000.0), TimeActivityCurve(timing, blood / 1000.0))


def input_function(curves: MeasuredCurves) -> InputFunction:
    """The continuous curve that keeps the blood's frame means."""
    time, value, _ = continuous_curve(curves.blood)
    return InputFunction(time, value, value, kind="plasma")


def patlak(curves: MeasuredCurves, t_star_min: float, until_min: float | None = None) -> Fitted:
    """Patlak of a region curve, weighted by its own count statistics, T e^(-lambda mid) / activity."""
    tissue = curves.tissue
    used = tissue.timing.window(t_star_min, until_min)
    timing, values = tissue.timing.select(used), tissue.mean_kbq_per_ml[used]
    design = patlak_design(input_function(curves), timing, tissue.decay_per_s)
    fit = weighted_fit(design, 1.0 / frame_variances(timing, values, F18_PER_S))
    return Fitted(used, fit, fit_curve(fit, values))


def grey_matter_table() -> str:
    """Ki and V0 with their standard errors for several t*, and what decay weighting would change."""
    plain = grey_matter()
    weighted = plain.with_decay_weight(F18_PER_S)
    lines = [
        "| t* (min) | frames | Ki ± SE (mL/min/mL) | V0 ± SE (mL/mL) | largest misfit | Ki, decay-weighted frames |",
        "|---|---|---|---|---|---|",
    ]
    for t_star in (10.0, 15.0, 20.0, 25.0, 30.0):
        fitted = patlak(plain, t_star)
        found, values = fitted.found, plain.tissue.mean_kbq_per_ml[fitted.frames]
        misfit = float(np.max(np.abs(found.fitted_kbq_per_ml / values - 1.0)))
        other = patlak(weighted, t_star).found
        lines.append(
            f"| {t_star:g} | {fitted.frames.size} | {found.ki:.5f} ± {found.ki_se:.5f} | {found.v0:.3f} ± "
            f"{found.v0_se:.3f} | {100 * misfit:.1f} % | {other.ki:.5f} |"
        )
    return "\n".join(lines)


def compartments(curves: MeasuredCurves, model: str, weighting: str = "counts") -> CompartmentFit:
    """A compartment model in a region curve, all frames.

    :param weighting: "counts" (T e^(-lambda mid) / activity), or "uniform".
    """
    tissue = curves.tissue
    weights = 1.0 / frame_variances(tissue.timing, tissue.mean_kbq_per_ml, F18_PER_S)
    if weighting == "uniform":
        weights = np.ones_like(weights)
    fitter = CompartmentFitter(input_function(curves), tissue.timing, weights, model, tissue.decay_per_s)
    return fitter.fit(tissue.mean_kbq_per_ml)


def compartment_table() -> str:
    """Rate constants, Ki and AIC of each model, for two weightings."""
    curves = grey_matter()
    lines = [
        "| model | weights | K1 (mL/min/mL) | k2 (1/min) | k3 (1/min) | k4 (1/min) | fv | Ki (mL/min/mL) | AIC |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    digits = {"k1": 3, "k2": 3, "k3": 4, "k4": 4, "fv": 3, "ki": 4}
    for weighting in ("counts", "uniform"):
        for model in PARAMETERS:
            found = compartments(curves, model, weighting)
            cells = []
            for name, places in digits.items():
                value, error = found.values.get(name, (np.nan, np.nan))
                cells.append(f"{value:.{places}f} ± {error:.{places}f}" if name in found.values else "–")
            lines.append(f"| {model} | {weighting} | {' | '.join(cells)} | {found.aic:.1f} |")
    return "\n".join(lines)


def slice_job(output: Path) -> EstimateJob:
    """The estimate of the real slice; what its files do not state is stated here."""
    return EstimateJob(
        series=str(SLICE),
        output=str(output),
        method="patlak",
        roi=str(REFERENCE_REGION),
        half_life_s=6586.2,
        compress=False,
        options={"units": "kBq/mL", "decay_corrected_to": "injection"},
    )


def slice_maps(output: Path) -> dict[str, Float64]:
    """The maps of a finished estimate of the slice, each (rows, columns)."""
    import SimpleITK as sitk

    names = ("ki", "v0", "ki_sd", "v0_sd", "residual")
    return {name: sitk.GetArrayFromImage(sitk.ReadImage(str(output / f"{name}.nii")))[0] for name in names}


def slice_frames() -> Float64:
    """The stored values of the slice, (frames, rows, columns), counts."""
    import SimpleITK as sitk

    return sitk.GetArrayFromImage(sitk.ReadImage(str(SLICE)))[:, 0].astype(np.float64)


def corners(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Air: 12 × 12 voxels in each corner of the slice."""
    air = np.zeros(shape, dtype=bool)
    air[:12, :12] = air[-12:, :12] = air[:12, -12:] = air[-12:, -12:] = True
    return air


def slice_table(maps: dict[str, Float64], frames: Float64) -> str:
    """What the maps say in air, in the reference region and where activity is highest."""
    import SimpleITK as sitk

    region = sitk.GetArrayFromImage(sitk.ReadImage(str(REFERENCE_REGION)))[0] > 0
    mean = frames.mean(axis=0)
    places = {
        "air (corners)": corners(region.shape),
        "reference region": region,
        "highest tenth of mean activity": mean >= np.quantile(mean, 0.9),
    }
    lines = [
        "| place | voxels | negative values | slope: mean | slope: SD over voxels | predicted SD | median residual |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, inside in places.items():
        ki = maps["ki"][inside].astype(np.float64)
        negative = 100.0 * float(np.mean(frames[:, inside] < 0))
        mean_slope = round(float(ki.mean()), 5) + 0.0  # no -0.00000
        lines.append(
            f"| {name} | {int(inside.sum())} | {negative:.0f} % | {mean_slope:+.5f} | {ki.std(ddof=1):.5f} | "
            f"{maps['ki_sd'][inside].mean():.5f} | {np.median(maps['residual'][inside]):.2f} |"
        )
    return "\n".join(lines)


def draw_grey_matter(path: Path) -> None:
    """The Patlak plot of the grey matter, t* = 20 min."""
    curves = grey_matter()
    fitted = patlak(curves, 20.0)
    timing = curves.tissue.timing
    integral, plasma = patlak_design(input_function(curves), timing).T
    x, y = integral / plasma, curves.tissue.mean_kbq_per_ml / plasma
    used, found = fitted.frames, fitted.found
    before = np.setdiff1d(np.arange(1, x.size), used)
    with figure(path, 3.3) as drawn:
        axes = drawn.subplots()
        axes.plot(x[before], y[before], "o", color="0.45", markerfacecolor="none", label="before t* (not fitted)")
        axes.plot(x[used], y[used], "o", color=COLOURS[0], label=f"from t* = 20 min, {used.size} frames")
        line = np.array([x[used[0]], x[used[-1]]])
        ki = f"Ki = {found.ki:.4f} ± {found.ki_se:.4f} mL/min/mL"
        axes.plot(line, found.v0 + found.ki * line, color=COLOURS[1], label=ki)
        axes.set(xlabel="∫Cp dt / Cp (min)", ylabel="C tissue / Cp (mL/mL)", xlim=(0, None), ylim=(0, None))
        axes.set_title("Measured human grey matter, FDG")
        axes.legend(loc="upper left")


def draw_compartments(path: Path) -> None:
    """The grey-matter curve with the three models, and what they leave."""
    curves = grey_matter()
    middle, values = curves.tissue.timing.mid_s / 60.0, curves.tissue.mean_kbq_per_ml
    with figure(path, 4.2) as drawn:
        above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(2.0, 1.0))
        above.plot(middle, values, "o", color="0.2", markersize=3.5, label="measured frame means")
        for number, (model, dashes) in enumerate(zip(PARAMETERS, (":", "--", "-"), strict=True)):
            fit = compartments(curves, model)
            style = {"color": COLOURS[number], "linestyle": dashes}
            label = f"{model}, AIC {fit.aic:.0f}".replace("-tissue-", "-tissue ").replace(" -", " −")
            above.plot(middle, fit.fitted_kbq_per_ml, label=label, **style)
            left = values - fit.fitted_kbq_per_ml
            below.plot(middle, left, marker=MARKERS[number], markersize=3, linewidth=0.9, **style)
        below.axhline(0.0, color="0.6", linewidth=0.8)
        above.set(ylabel="Activity (kBq/mL)", ylim=(0, None))
        above.set_title("Measured human grey matter, FDG")
        below.set(xlabel="Time from injection (min)", ylabel="measured − model\n(kBq/mL)", xlim=(0, 60))
        above.legend(loc="lower right")


def draw_slice(path: Path, maps: dict[str, Float64], frames: Float64) -> None:
    """Activity and maps of the real slice; without a scale bar, since its files do not say how large a voxel is."""
    bound = float(np.quantile(np.abs(maps["ki"]), 0.995))
    pictures = [
        ("Activity, 0–10 min", "counts", frames[:18].mean(axis=0), "inferno", (0.0, None)),
        ("Activity, 30–90 min", "counts", frames[22:].mean(axis=0), "inferno", (0.0, None)),
        ("Slope (not Ki of FDG)", "1/min", maps["ki"], "RdBu_r", (-bound, bound)),
        ("Intercept", "reference region = 1", maps["v0"], "viridis", (0.0, None)),
        ("Predicted SD of slope", "1/min", maps["ki_sd"], "viridis", (0.0, None)),
        ("Residual", "1 = explained to the noise", maps["residual"], "cividis", (0.0, 2.0)),
    ]
    with figure(path, 4.4, PAGE_WIDTH) as drawn:
        panels = drawn.subplots(2, 3).flat
        for axes, (title, unit, values, colours, (low, high)) in zip(panels, pictures, strict=True):
            shown = axes.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
            axes.set_title(title, fontsize=8.5)
            axes.set_axis_off()
            signed = bool((values < (low or 0.0)).any())
            beyond = "both" if signed else "max" if high is not None and bool((values > high).any()) else "neither"
            bar = drawn.colorbar(shown, ax=axes, shrink=0.9, pad=0.02, extend=beyond)
            bar.set_label(unit, fontsize=8)
            bar.outline.set_linewidth(0.5)
            bar.ax.locator_params(nbins=5)
            bar.ax.tick_params(labelsize=8)


def put_table(text: str, name: str, table: str) -> str:
    """The document with one of its tables replaced."""
    pattern = rf"(<!-- table {name} -->\n).*?(<!-- end -->)"
    text, count = re.subn(pattern, lambda match: match[1] + table + "\n" + match[2], text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{DOCUMENT.name} has {count} places for the table '{name}', not one.")
    return text


def main() -> None:
    """Print the tables, or write document and pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as folder:
        maps = slice_maps(slice_job(Path(folder) / "slice").run())
    frames = slice_frames()
    tables = {
        "grey matter": grey_matter_table(),
        "grey matter, compartments": compartment_table(),
        "real slice": slice_table(maps, frames),
    }
    if not write:
        print("\n\n".join(tables.values()))
        return
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, table in tables.items():
        text = put_table(text, name, table)
    DOCUMENT.write_text(text, encoding="utf-8", newline="\n")
    draw_pictures(maps, frames)


def draw_pictures(maps: dict[str, Float64], frames: Float64) -> None:
    """Those of the document, in place of the earlier ones."""
    sys.path.insert(0, str(HERE.parent))
    from pictures import keep_small

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_grey_matter(folder / "patlak_grey_matter.png")
        draw_compartments(folder / "compartments_grey_matter.png")
        draw_slice(folder / "dynamic_slice_choi.png", maps, frames)
        for picture in sorted(folder.glob("*.png")):
            keep_small(picture, PICTURES / picture.name)


if __name__ == "__main__":
    main()
