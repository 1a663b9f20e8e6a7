"""Tables out of Slicer, as CSV that spreadsheets open."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DynamicPETKineticsLib.results.result_nodes import ResultNodes
from DynamicPETKineticsLib.results.table_nodes import rows_of
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.write.tables import MISSING, format_cell

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
    from petkinetics.evaluate.compare import Comparison

Row = Mapping[str, object]


def write_csv_tables(
    folder: Path,
    result: ResultNodes,
    rows: Sequence[Row] = (),
    comparison: Comparison | None = None,
    sequence: DynamicSequence | None = None,
    segmentation: Any = None,
) -> list[Path]:
    """Write what there is: region table, Bland-Altman statistics, curves of the regions, blood region.

    :param rows: of the region table; by default those that came with the result.
    :param sequence: with *segmentation*, for the curves of the regions over all frames.
    :returns: the files, named after the result.
    :raises InputError: there is nothing to write, or one of the files is there already; nothing was written then.
    """
    own = {file: rows_of(node) for file, node in result.tables.items()}
    tables: dict[str, Sequence[Row]] = {"regions": rows or own.get("roi.tsv", [])}
    if comparison is not None:
        difference = f"{comparison.name_a} - {comparison.name_b}"
        tables["bland_altman"] = [{**row, "difference": difference} for row in comparison.rows()]
    tables["region_curves"] = _curves(sequence, segmentation) or own.get("tacs.tsv", [])
    tables["blood_region"] = own.get("input_function_frames.tsv", [])
    suffix = _file_part(result.name)
    files = {folder / f"{title}_{suffix}.csv": table for title, table in tables.items() if table}
    if not files:
        raise InputError(_("There are no tables yet."), _("Add a region in step 4."))
    present = [path.name for path in files if path.exists()]
    if present:
        raise InputError(
            _("{folder} already holds {files}.").format(folder=folder, files=", ".join(present)),
            _("Choose another folder, or move the earlier files away."),
        )
    for path, table in files.items():
        write_csv(path, table)
    return list(files)


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows with the columns of the first; an empty cell where there is no value.

    The file begins with a byte-order mark: without it spreadsheets take µ for two letters.
    """
    columns = list(rows[0])
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(columns)
        for row in rows:
            cells = (format_cell(row.get(column)) for column in columns)
            table.writerow(["" if cell == MISSING else cell for cell in cells])


def curve_rows(sequence: DynamicSequence, segmentation: Any) -> list[dict[str, object]]:
    """Rows of ``tacs.tsv``: frame_start, frame_duration (s), a column a region (kBq/mL).

    :raises InputError: there is no region, or the series lacks something.
    """
    from DynamicPETKineticsLib.regions.region_curves import region_tacs

    tacs = region_tacs(sequence, segmentation)
    timing = tacs[0].timing
    return [
        {
            "frame_start": float(timing.start_s[frame]),
            "frame_duration": float(timing.duration_s[frame]),
            **{tac.name: float(tac.mean[frame]) for tac in tacs},
        }
        for frame in range(len(timing))
    ]


def _curves(sequence: DynamicSequence | None, segmentation: Any) -> Sequence[Row]:
    if sequence is None or segmentation is None or segmentation.GetSegmentation().GetNumberOfSegments() == 0:
        return []
    try:
        return curve_rows(sequence, segmentation)
    except InputError:
        # The tables that there are do not depend on the series.
        return []


def _file_part(name: str) -> str:
    """A name as part of a file name on every system."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.").lower() or "result"
