"""The tables and the report of an estimate's result folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import TimeActivityCurve
from petkinetics.estimators.estimator import Estimate, Problem
from petkinetics.evaluate.figures import draw
from petkinetics.evaluate.region_statistics import COLUMNS, RegionFits, fits_of_rows, region_rows
from petkinetics.evaluate.report import write_report
from petkinetics.evaluate.tac import tac_rows
from petkinetics.kinetics.region_fit import CompartmentFit
from petkinetics.maps import QUANTITIES, ParametricMap
from petkinetics.read.info import series_info
from petkinetics.read.maps import read_map
from petkinetics.read.regions import Regions
from petkinetics.series import Float32
from petkinetics.write.report_drawings import anatomy_of, blood_drawing, curve_drawing, map_drawings
from petkinetics.write.tables import read_table, write_table

Warn = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class RegionCurves:
    """Regions and their curves in the frames until T.

    :param regions: as given; None where none lies within the maps.
    :param frames: indices of these frames in the series.
    :param curves: one a region that lies in the PET.
    """

    regions: Regions | None
    frames: NDArray[np.intp]
    curves: Sequence[TimeActivityCurve]

    def in_frames(self, used: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
        """Each region's means in some of the frames, by name, kBq/mL, (frames,).

        :param used: indices in the series, (n,); those without a curve are left out.
        """
        wanted = np.isin(self.frames, used)
        return {curve.name: curve.mean_kbq_per_ml[wanted] for curve in self.curves}


def write_region_tables(
    folder: Path, record: Mapping[str, Any], regions: RegionCurves, found: Estimate, problem: Problem, warn: Warn
) -> list[dict[str, object]]:
    """Write ``roi.tsv`` (its header alone where no region lies in the maps), and ``tacs.tsv`` where there are curves.

    Standard errors come from the fit to each region's mean curve; all that is known of it is in ``region_fits.tsv``.

    :returns: the rows of ``roi.tsv``.
    """
    errors: dict[tuple[str, str], float] = {}
    fit_rows: list[dict[str, object]] = []
    for name, means in regions.in_frames(problem.frames).items():
        values = found.region_fit(means)[0]
        errors |= {(name, quantity): se for quantity, (_, se) in values.items()}
        fit_rows.append(_fit_row(name, values, None if found.model_fit is None else found.model_fit(means)))
    if fit_rows:
        write_table(folder / "region_fits.tsv", fit_rows)
    rows: list[dict[str, object]] = []
    if regions.regions is not None:
        maps = list(_folder_maps(folder, record).values())
        rows = region_rows(maps, regions.regions, errors, problem.mask, warn)
    write_table(folder / "roi.tsv", rows, COLUMNS)
    if regions.curves:
        write_table(folder / "tacs.tsv", tac_rows(regions.curves))
    return rows


def fits_in(folder: Path) -> RegionFits:
    """The fits of the regions' mean curves that a result folder holds; none where no region lay in the maps."""
    path = folder / "region_fits.tsv"
    return fits_of_rows(read_table(path)) if path.is_file() else {}


def _fit_row(name: str, values: Mapping[str, tuple[float, float]], model: CompartmentFit | None) -> dict[str, object]:
    """A row of ``region_fits.tsv``: every quantity and its standard error.

    :param model: of compartment models, which have parameters, residual (kBq/mL) and AIC besides.
    """
    row: dict[str, object] = {"roi": name}
    for quantity, (value, se) in (values if model is None else model.values).items():
        row |= {quantity: value, f"{quantity}_se": se}
    return row if model is None else row | {"residual": model.residual, "aic": model.aic}


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
    body = problem.mask if problem.mask is not None else np.ones(problem.series.geometry.shape, dtype=bool)
    maps = _folder_maps(folder, record)
    drawings = map_drawings(
        maps,
        str(record["ki_label"]),
        body,
        anatomy_of(maps) or (_mean_of_used(problem), "mean PET", "kBq/mL"),
        regions=None if regions is None else regions.regions,
        distrust=None if found.applicability is None else found.applicability.distrust,
    )
    drawings.append(blood_drawing(problem.input_function, measured))
    if regions is not None and regions.curves:
        used = np.isin(regions.frames, problem.frames)
        compartments = found.model_fit is not None
        drawings.append(curve_drawing(regions.curves, used, problem.input_function, found.region_fit, compartments))
    figures = draw(folder / "figures", drawings, warn)
    fits = fits_in(folder)
    complete = {**record, "warnings": list(warnings)}
    info = {**series_info(problem.series), "warnings": []}
    write_report(folder / "report.html", complete, rows, [], figures, info, fits)


def _folder_maps(folder: Path, record: Mapping[str, Any]) -> dict[str, ParametricMap]:
    ending = ".nii.gz" if record["options"]["compress"] else ".nii"
    return {name: read_map(folder / (name + ending)) for name in record["maps"] if name in QUANTITIES}


def _mean_of_used(problem: Problem) -> Float32:
    """Mean of the frames used, weighted by duration: the anatomy under the maps where there is no SUV."""
    duration = problem.series.timing.duration_s[problem.frames]
    total = np.zeros(problem.series.geometry.shape, dtype=np.float32)
    for frame, share in zip(problem.frames, duration / duration.sum(), strict=True):
        total += np.float32(share) * problem.series.read([int(frame)])[0]
    return total
