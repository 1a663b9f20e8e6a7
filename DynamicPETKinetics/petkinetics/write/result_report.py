"""The tables and the report of an estimate's result folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.estimators.estimator import Estimate, Problem
from petkinetics.evaluate.curves import tac_rows
from petkinetics.evaluate.figure_curves import PatlakCurve, blood_curve, patlak_plot
from petkinetics.evaluate.figure_planes import ki_over_anatomy, map_overview
from petkinetics.evaluate.figure_tissue import TissueCurve, tissue_plot
from petkinetics.evaluate.figures import Drawing, draw
from petkinetics.evaluate.region_statistics import region_rows
from petkinetics.evaluate.report import write_report
from petkinetics.kinetics.patlak import patlak_design
from petkinetics.kinetics.region_fit import CompartmentFit
from petkinetics.maps import QUANTITIES, ParametricMap
from petkinetics.read.info import series_info
from petkinetics.read.maps import read_map
from petkinetics.read.regions import Regions, voxels_on_grid
from petkinetics.series import Float32
from petkinetics.write.tables import write_table

Warn = Callable[[str], None]
#: the maps that the report shows, where a method has them
_PICTURED = ("ki", "suv", "mrglc", "v0", "k1", "vt", "fv", "ki_sd", "residual")
#: frames with less blood than this share of the peak are not drawn in the Patlak plot
_LEAST_BLOOD = 0.02


@dataclass(frozen=True, eq=False)
class RegionCurves:
    """Regions and their curves in the frames until T.

    :param regions: as given.
    :param frames: indices of these frames in the series.
    :param curves: one a region that lies in the PET.
    """

    regions: Regions
    frames: NDArray[np.intp]
    curves: Sequence[TimeActivityCurve]

    def in_frames(self, used: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
        """Each region's means in some of the frames, by name."""
        wanted = np.isin(self.frames, used)
        return {curve.name: curve.mean_kbq_per_ml[wanted] for curve in self.curves}


def write_region_tables(
    folder: Path, record: Mapping[str, Any], regions: RegionCurves, found: Estimate, problem: Problem, warn: Warn
) -> list[dict[str, object]]:
    """Write ``roi.tsv`` and ``tacs.tsv``; standard errors come from the fit to each region's mean curve.

    Compartment methods also write ``region_fits.tsv``: all that is known of each of these fits.

    :returns: the rows of ``roi.tsv``.
    """
    errors = {}
    means_by_name = regions.in_frames(problem.frames)
    if found.model_fit is not None:
        fits = [(name, found.model_fit(means)) for name, means in means_by_name.items()]
        write_table(folder / "region_fits.tsv", [_fit_row(name, fit) for name, fit in fits])
    for name, means in means_by_name.items():
        for quantity, (_, se) in found.region_fit(means)[0].items():
            errors[(name, quantity)] = se
    maps = list(_folder_maps(folder, record).values())
    rows = region_rows(maps, regions.regions, errors, problem.mask, warn)
    write_table(folder / "roi.tsv", rows)
    write_table(folder / "tacs.tsv", tac_rows(regions.curves))
    return rows


def _fit_row(name: str, fit: CompartmentFit) -> dict[str, object]:
    """A row of ``region_fits.tsv``: every parameter and its standard error, residual (kBq/mL) and AIC."""
    row: dict[str, object] = {"roi": name}
    for quantity, (value, se) in fit.values.items():
        row |= {quantity: value, f"{quantity}_se": se}
    return row | {"residual": fit.residual, "aic": fit.aic}


def write_result_report(
    folder: Path,
    record: Mapping[str, Any],
    problem: Problem,
    measured: TimeActivityCurve | None,
    rows: Sequence[Mapping[str, object]],
    regions: RegionCurves | None,
    found: Estimate,
    warnings: Sequence[str],
    warn: Warn,
) -> None:
    """Draw the figures and write ``report.html``.

    :param measured: frame means of the blood region; None where the curve came from a file.
    :param rows: of ``roi.tsv``.
    :param warnings: all that was said so far; *warn* may add to them.
    """
    maps = _folder_maps(folder, record)
    body = problem.mask if problem.mask is not None else np.ones(problem.series.geometry.shape, dtype=bool)
    label = str(record["ki_label"])
    main = next(maps[name] for name in ("ki", "k1") if name in maps)
    centre = None if regions is None else _centre_of_hottest(regions.regions, main)
    shown = [maps[name] for name in _PICTURED if name in maps]
    over = f"{main.quantity.name}_over_anatomy.png"
    drawings: list[Drawing] = [
        partial(
            ki_over_anatomy,
            ki=main,
            anatomy=_late_mean(problem),
            label=_map_label(main, label),
            body=body,
            centre=centre,
            name=over,
        ),
        partial(map_overview, maps=shown, labels=[_map_label(m, label) for m in shown], body=body, centre=centre),
        partial(_draw_blood, curve=problem.input_function, measured=measured),
    ]
    if regions is not None:
        draw_fits = _draw_patlak if found.model_fit is None else _draw_compartments
        drawings.append(partial(draw_fits, problem=problem, regions=regions, found=found))
    figures = draw(folder / "figures", drawings, warn)
    complete = {**record, "warnings": list(warnings)}
    info = {**series_info(problem.series), "warnings": []}
    write_report(folder / "report.html", complete, rows, [], figures, info)


def _folder_maps(folder: Path, record: Mapping[str, Any]) -> dict[str, ParametricMap]:
    ending = ".nii.gz" if record["options"]["compress"] else ".nii"
    return {name: read_map(folder / (name + ending)) for name in record["maps"] if name in QUANTITIES}


def _map_label(shown: ParametricMap, ki_label: str) -> str:
    return ki_label if shown.quantity.name == "ki" else shown.quantity.symbol


def _centre_of_hottest(regions: Regions, ki: ParametricMap) -> tuple[int, int, int] | None:
    """The voxel nearest the centre of the region with the highest mean Ki: where the pictures cross."""
    found = voxels_on_grid(regions, ki.geometry)
    wanted = [found[label] for label in regions.label_values if label in found]
    if not wanted:
        return None
    hottest = max(wanted, key=lambda voxels: float(ki.values.reshape(-1)[voxels].mean()))
    places = np.array(np.unravel_index(hottest, ki.geometry.shape))
    nearest = places[:, np.argmin(((places - places.mean(axis=1, keepdims=True)) ** 2).sum(axis=0))]
    return int(nearest[0]), int(nearest[1]), int(nearest[2])


def _late_mean(problem: Problem) -> Float32:
    """Mean of the frames used, weighted by duration: the anatomy under the maps."""
    duration = problem.series.timing.duration_s[problem.frames]
    total = np.zeros(problem.series.geometry.shape, dtype=np.float32)
    for frame, share in zip(problem.frames, duration / duration.sum(), strict=True):
        total += np.float32(share) * problem.series.read([int(frame)])[0]
    return total


def _draw_blood(folder: Path, curve: InputFunction, measured: TimeActivityCurve | None) -> Any:
    if measured is None:
        return blood_curve(folder, curve)
    return blood_curve(folder, curve, measured.timing, measured.mean_kbq_per_ml, measured.sd_kbq_per_ml)


def _draw_patlak(folder: Path, problem: Problem, regions: RegionCurves, found: Estimate) -> Any:
    series = problem.series
    design = patlak_design(problem.input_function, series.timing.select(regions.frames), series.frame_decay_per_s)
    # Before the bolus the ratios are noise over nothing.
    blood = np.where(design[:, 1] > _LEAST_BLOOD * design[:, 1].max(), design[:, 1], np.nan)
    used = np.isin(regions.frames, problem.frames)
    lines = []
    for curve in regions.curves:
        fitted = found.region_fit(curve.mean_kbq_per_ml[used])[0]
        (ki, ki_se), (v0, _) = fitted["ki"], fitted["v0"]
        lines.append(PatlakCurve(curve.name, design[:, 0] / blood, curve.mean_kbq_per_ml / blood, used, ki, v0, ki_se))
    return patlak_plot(folder, lines, float(series.timing.start_s[problem.frames[0]]) / 60.0)


def _draw_compartments(folder: Path, problem: Problem, regions: RegionCurves, found: Estimate) -> Any:
    curves = []
    for name, means in regions.in_frames(problem.frames).items():
        values, fitted = found.region_fit(means)
        curves.append(TissueCurve(name, means, fitted, values))
    return tissue_plot(folder, curves, problem.series.timing.select(problem.frames))
