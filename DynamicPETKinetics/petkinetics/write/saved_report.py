"""The report of a result that was made before: from its folder, with regions and a second map where given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.errors import InputError
from petkinetics.estimators.region_refit import RecordedFit, recorded_fit
from petkinetics.evaluate.compare import Comparison
from petkinetics.evaluate.figure_agreement import agreement_drawings
from petkinetics.evaluate.figures import Drawing, draw
from petkinetics.evaluate.region_statistics import RegionFits, region_rows
from petkinetics.evaluate.report import write_report
from petkinetics.frames import TOLERANCE_S, FrameTiming
from petkinetics.maps import ParametricMap
from petkinetics.read.curve_statements import CurveContext
from petkinetics.read.curves import read_input_function
from petkinetics.read.regions import Regions
from petkinetics.read.result_folder import read_distrust
from petkinetics.write.report_drawings import anatomy_of, blood_drawing, curve_drawing, main_map, map_drawings
from petkinetics.write.result_report import fits_in
from petkinetics.write.tables import read_table

Warn = Callable[[str], None]
Row = Mapping[str, object]


@dataclass(frozen=True, eq=False)
class SavedResult:
    """What a result folder holds, as far as a report needs it.

    :param record: what ``result.json`` says.
    :param maps: by quantity name, in the order of the record.
    :param input_function: that drove the estimate.
    :param measured: frame means of the blood region; None where the curve came from a file.
    :param rows: of ``roi.tsv``, where it is there.
    :param fits: of the regions' mean curves, of ``region_fits.tsv``, where it is there.
    :param tacs: the regions' curves of ``tacs.tsv``, where it is there.
    :param distrust: where not to trust the maps; None where nothing was found against them.
    """

    record: Mapping[str, Any]
    maps: Mapping[str, ParametricMap]
    input_function: InputFunction
    measured: TimeActivityCurve | None = None
    rows: Sequence[Row] = ()
    fits: RegionFits = field(default_factory=dict)
    tacs: Sequence[TimeActivityCurve] = field(default=())
    distrust: NDArray[np.bool_] | None = None

    @classmethod
    def read(cls, folder: Path, record: Mapping[str, Any], maps: Sequence[ParametricMap]) -> SavedResult:
        """Read the curves and tables of a result folder.

        :raises InputError: there is no map, or a table is damaged.
        """
        if not maps:
            raise InputError(f"'{folder.name}' holds no maps, so there is nothing to report.")
        half_life = float(record["series"]["half_life_s"])
        decay = np.log(2.0) / half_life if record["series"].get("frame_mean") == "decay-weighted" else 0.0
        blood = read_input_function(folder / "input_function.tsv", CurveContext(np.log(2.0) / half_life))
        measured = _curves(folder / "input_function_frames.tsv", decay, spread="sd")
        source = record.get("input_function", {}).get("source")
        return cls(
            record=record,
            maps={m.quantity.name: m for m in maps},
            input_function=InputFunction(
                blood.time_s, blood.plasma_kbq_per_ml, blood.whole_blood_kbq_per_ml, blood.kind, source or blood.source
            ),
            measured=measured[0] if measured else None,
            rows=read_table(folder / "roi.tsv") if (folder / "roi.tsv").is_file() else (),
            fits=fits_in(folder),
            tacs=_curves(folder / "tacs.tsv", decay),
            distrust=read_distrust(folder),
        )


def write_saved_report(
    path: Path,
    figures: Path,
    result: SavedResult,
    regions: Regions | None = None,
    comparison: Comparison | None = None,
    warn: Warn | None = None,
) -> None:
    """Write ``report.html`` of a result.

    :param path: of the HTML file.
    :param figures: folder for the pictures, which the page holds itself: it may be removed afterwards.
    :param regions: to measure; by default the report shows the rows of ``roi.tsv``. Standard errors are those of
        ``roi.tsv``, or follow from the region's curve in ``tacs.tsv``.
    :param comparison: agreement of one of the maps with another result's.
    :param warn: receives sentences for the user.
    """
    said: list[str] = []

    def tell(sentence: str) -> None:
        if sentence not in said:
            said.append(sentence)
            if warn is not None:
                warn(sentence)

    fit = _fit(result, tell)
    rows: Sequence[Row] = result.rows
    fits = {**result.fits, **_fits(result, fit)}
    if regions is not None:
        masked = (result.record.get("options") or {}).get("mask") != "none"
        mask = _inside(result.maps) if masked else None
        rows = region_rows(list(result.maps.values()), regions, _errors(result, fits), mask, tell)
    drawings = [*_drawings(result, fit, regions), *(agreement_drawings(comparison) if comparison else ())]
    drawn = draw(figures, drawings, tell)
    record = dict(result.record)
    if comparison is not None:
        said += [sentence for sentence in comparison.warnings if sentence not in said]
        record["difference"] = comparison.record()["difference"]
    record["warnings"] = [*record.get("warnings", []), *said]
    write_report(path, record, rows, comparison.rows() if comparison else (), drawn, region_fits=fits)


def _drawings(result: SavedResult, fit: RecordedFit | None, regions: Regions | None) -> list[Drawing]:
    maps = result.maps
    body = _inside(maps)
    if not body.any():
        body = np.ones(body.shape, dtype=bool)
    label = str(result.record.get("ki_label", "Ki"))
    drawings = map_drawings(maps, label, body, anatomy_of(maps), regions, result.distrust)
    drawings.append(blood_drawing(result.input_function, result.measured))
    if fit is not None and result.tacs:
        used = _used(fit, result.tacs[0].timing)
        compartments = result.record.get("model") is not None
        drawings.append(curve_drawing(result.tacs, used, result.input_function, fit.fit, compartments))
    return drawings


def _inside(maps: Mapping[str, ParametricMap]) -> NDArray[np.bool_]:
    """Where something was estimated: maps are 0 outside the mask, and the residual is above 0 in all of it."""
    inside: NDArray[np.bool_] = maps["residual"].values > 0 if "residual" in maps else main_map(maps).values != 0
    return inside


def _fit(result: SavedResult, tell: Warn) -> RecordedFit | None:
    """The model's fit to the curves of ``tacs.tsv``; None where there are none or it cannot be repeated."""
    if not result.tacs:
        return None
    try:
        fit = recorded_fit(result.record, result.input_function)
        timing = result.tacs[0].timing
        if not np.array_equal(timing.start_s[_used(fit, timing)].round(), fit.timing.start_s.round()):
            raise InputError("The frames of tacs.tsv are not those of the estimate.")
    except InputError as error:
        tell(f"The regions' curves are shown without the model's fit. {error.message}")
        return None
    return fit


def _used(fit: RecordedFit, timing: FrameTiming) -> NDArray[np.bool_]:
    """Which frames of a table of curves were fitted, by their times."""
    apart = np.abs(timing.start_s[:, None] - fit.timing.start_s[None, :])
    used: NDArray[np.bool_] = np.asarray((apart <= TOLERANCE_S).any(axis=1))
    return used


def _fits(result: SavedResult, fit: RecordedFit | None) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """The model's fit to the curves of ``tacs.tsv``: (region, quantity) -> value and standard error."""
    if fit is None:
        return {}
    used = _used(fit, result.tacs[0].timing)
    return {
        (curve.name, quantity): found
        for curve in result.tacs
        for quantity, found in fit.fit(curve.mean_kbq_per_ml[used])[0].items()
    }


def _errors(result: SavedResult, fits: RegionFits) -> dict[tuple[str, str], float]:
    """(region, map) -> standard error."""
    errors = {key: se for key, (_, se) in fits.items() if se is not None}
    for row in result.rows:
        if isinstance(row.get("se"), int | float):
            errors[(str(row["roi"]), str(row["map"]))] = float(row["se"])  # type: ignore[arg-type]
    return errors


def _curves(path: Path, decay_per_s: float, spread: str = "") -> list[TimeActivityCurve]:
    """The curves of a table with frame_start and frame_duration; none where there is no such table.

    :param spread: column of the SD, which belongs to the curve before it.
    """
    rows = read_table(path) if path.is_file() else []
    if not rows:
        return []

    def column(name: str) -> NDArray[np.float64]:
        try:
            return np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)
        except (KeyError, ValueError) as error:
            raise InputError(f"The column {name} of {path.name} is missing or holds no numbers.") from error

    timing = FrameTiming(column("frame_start"), column("frame_duration"))
    names = [name for name in rows[0] if name not in ("frame_start", "frame_duration", spread)]
    sd = column(spread) if spread else None
    return [TimeActivityCurve(timing, column(name), sd, decay_per_s, name) for name in names]
