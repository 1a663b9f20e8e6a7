"""Reporting a result: regions, agreement with a second result, curves and pictures in one HTML file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Progress
from petkinetics.job import ReportJob
from petkinetics.maps import QUANTITIES, ParametricMap
from petkinetics.read.result_folder import read_record, read_result_map, result_maps

if TYPE_CHECKING:
    from petkinetics.evaluate.compare import Comparison
    from petkinetics.read.regions import Regions

Warn = Callable[[str], None]
#: what is compared where whole results are, the first that both have
_COMPARED = ("ki", "k1", "vt", "suv")


def run_report(job: ReportJob, progress: Progress, tell: Warn | None = None) -> Path:
    """Write a report; see :class:`petkinetics.job.ReportJob`.

    :returns: the HTML file.
    :raises InputError: the result folder is not one, the regions or the second map cannot be used, or the file is
        there already; nothing was written.
    """
    from petkinetics.read.regions import read_regions
    from petkinetics.write.saved_report import SavedResult, write_saved_report
    from petkinetics.write.staging import staged_files

    output, folder = Path(job.output), Path(job.result)
    progress(0.0, "Reading the result")
    record = read_record(folder)
    maps = result_maps(folder, record)
    result = SavedResult.read(folder, record, maps)
    regions = read_regions(job.rois) if job.rois else None
    comparison = None
    if job.compare:
        progress(0.2, "Comparing the maps")
        comparison = _comparison(job, maps, regions, tell)
    progress(0.4, "Drawing the report")
    with staged_files(output.absolute().parent, [output.name]) as staging:
        write_saved_report(staging / output.name, staging / "figures", result, regions, comparison, tell)
    progress(1.0, "Done")
    return output


def _comparison(job: ReportJob, maps: list[ParametricMap], regions: Regions | None, tell: Warn | None) -> Comparison:
    from petkinetics.evaluate.compare import compare_maps
    from petkinetics.evaluate.how_made import told_apart

    if regions is None:
        raise InputError("Two maps are compared in regions, and there are none.", "Give a label map with --rois.")
    assert job.compare is not None
    if job.compare_from:
        own = read_result_map(Path(job.compare_from))
        other = read_result_map(Path(job.compare))
    elif Path(job.compare).is_dir():
        own, other = _partners(maps, Path(job.compare))
    else:
        other = read_result_map(Path(job.compare))
        own = next((m for m in maps if m.quantity.name == other.quantity.name), None) or _no_partner(other)
    name_a, name_b = job.names.get("a") or _title(own), job.names.get("b") or _title(other)
    return compare_maps(own, other, regions, *told_apart(own, other, name_a, name_b), warn=tell)


def _partners(maps: list[ParametricMap], folder: Path) -> tuple[ParametricMap, ParametricMap]:
    record = read_record(folder)
    own, others = ({m.quantity.name: m for m in each} for each in (maps, result_maps(folder, record)))
    both = next((name for name in _COMPARED if name in own and name in others), None)
    if both is None:
        raise InputError(f"The two results have none of {', '.join(_COMPARED)} in common to compare.")
    return own[both], others[both]


def _no_partner(other: ParametricMap) -> ParametricMap:
    symbol = QUANTITIES[other.quantity.name].symbol if other.quantity.name in QUANTITIES else other.quantity.name
    raise InputError(f"The result has no map of {symbol} to compare with.", "Give a map of Ki, such as ki.nii.gz.")


def _title(shown: ParametricMap) -> str:
    """How a map is called: by its method where that is known."""
    method = str(shown.provenance.get("method") or "")
    return f"{method} {shown.quantity.name}".strip()
