"""The report of a result, with the regions and the comparison of the scene: what the background process is given."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DynamicPETKineticsLib.results.export_tables import curve_rows
from DynamicPETKineticsLib.results.restore_folder import restore_steps, write_map
from DynamicPETKineticsLib.results.result_nodes import ResultNodes, all_results
from DynamicPETKineticsLib.scene.map_attribute import MAP
from DynamicPETKineticsLib.scene.volume_geometry import geometry_of
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.job import ReportJob
from petkinetics.read.regions import Regions
from petkinetics.write.regions import write_regions
from petkinetics.write.tables import write_table

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
    from petkinetics.evaluate.compare import Comparison

Row = Mapping[str, object]


def report_steps(
    result: ResultNodes,
    work: Path,
    segmentation: Any = None,
    sequence: DynamicSequence | None = None,
    rows: Sequence[Row] = (),
    comparison: Comparison | None = None,
) -> Generator[float, None, ReportJob]:
    """Write what a report needs into a private folder, a piece a step, and say what to do with it.

    :param work: private folder; remove it when the report was taken out with :func:`deliver`.
    :param segmentation: regions to report; by default those of the estimate.
    :param sequence: the series, for the curves of the regions with the model's fit.
    :param rows: region table as the panel shows it: its standard errors are kept.
    :param comparison: of two maps of the scene, by the names of their nodes.
    :returns: (of the generator) the job; it writes ``report.html`` into *work*.
    :raises InputError: the result was changed, or the regions cannot be used.
    """
    folder = yield from restore_steps(result, work / "result")
    regions = _regions(result, segmentation)
    rois: Path | None = None
    if regions is not None:
        # The regions of the scene take the place of those that came with the estimate.
        for name in ("roi.tsv", "tacs.tsv", "region_fits.tsv"):
            (folder / name).unlink(missing_ok=True)
        if rows:
            write_table(folder / "roi.tsv", rows)
        rois = _write_regions(regions, work)
        yield 1.0
        if sequence is not None:
            curves = _curves(sequence, segmentation)
            if curves:
                write_table(folder / "tacs.tsv", curves)
            yield 1.0
    job = ReportJob(str(folder), str(work / "report.html"), rois=None if rois is None else str(rois))
    if comparison is None or rois is None:
        return job
    paths = []
    for side, name in (("a", comparison.name_a), ("b", comparison.name_b)):
        node = _map_named(name)
        paths.append(work / side / f"{node.GetAttribute(MAP)}.nii")
        paths[-1].parent.mkdir()
        write_map(paths[-1], node)
        yield 1.0
    return ReportJob(
        job.result,
        job.output,
        rois=job.rois,
        compare=str(paths[1]),
        compare_from=str(paths[0]),
        names={"a": comparison.name_a, "b": comparison.name_b},
    )


def deliver(report: Path, to: Path) -> Path:
    """Move a finished report to where the user wants it, in place of an earlier one.

    :raises InputError: it cannot be written there.
    """
    partial = to.with_name(f".{to.name}.part")
    try:
        shutil.move(report, partial)
        partial.replace(to)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise InputError(
            _("The report cannot be written to {path} ({reason}).").format(path=to, reason=error.strerror or error),
            _("Choose another folder."),
        ) from error
    return to


def _regions(result: ResultNodes, segmentation: Any) -> Regions | None:
    if segmentation is None or segmentation.GetSegmentation().GetNumberOfSegments() == 0 or not result.maps:
        return None
    from DynamicPETKineticsLib.regions.segment_regions import regions_of

    node = next(iter(result.maps.values()))
    return regions_of(segmentation, geometry_of(node), node)


def _write_regions(regions: Regions, work: Path) -> Path:
    """A label map, or a segmentation where regions overlap, for which a label map has no room."""
    path = work / ("regions.seg.nrrd" if regions.layers else "regions.nii")
    write_regions(regions, path)
    return path


def _curves(sequence: DynamicSequence, segmentation: Any) -> list[dict[str, object]]:
    try:
        return curve_rows(sequence, segmentation)
    except InputError:
        # Without its curves the report says that there is no standard error.
        return []


def _map_named(name: str) -> Any:
    nodes = (node for result in all_results() for node in result.maps.values() if node.GetName() == name)
    node = next(nodes, None)
    if node is None:
        raise InputError(_("The map {name} was renamed or deleted since it was compared.").format(name=name))
    return node
