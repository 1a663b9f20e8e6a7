"""The folder that ``petkinetics compare`` makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from petkinetics import __version__
from petkinetics.evaluate.compare import Comparison, compare_maps
from petkinetics.evaluate.figure_agreement import agreement_drawings
from petkinetics.evaluate.figures import draw
from petkinetics.evaluate.how_made import told_apart
from petkinetics.evaluate.report import write_report
from petkinetics.maps import ParametricMap
from petkinetics.read.file_names import file_stem
from petkinetics.read.regions import read_regions
from petkinetics.read.result_folder import read_result_map
from petkinetics.write.result_folder import made_now, write_record
from petkinetics.write.staging import staged_folder
from petkinetics.write.tables import write_table


def write_comparison(
    map_a: Path, map_b: Path, regions: str, out: Path, against_truth: bool, warn: Callable[[str], None]
) -> Comparison:
    """Compare two maps and write ``bland_altman.tsv``, figures, ``report.html`` and ``result.json``.

    :param regions: label map, ``FILE`` or ``FILE:LABEL``.
    :param against_truth: *map_b* is the truth: the slope is regressed on it.
    :raises InputError: the maps or regions cannot be compared, or *out* exists; nothing was written.
    """
    with staged_folder(out) as folder:
        a, b = read_result_map(map_a), read_result_map(map_b)
        comparison = compare_maps(
            a,
            b,
            read_regions(regions),
            *told_apart(a, b, _title(a, map_a), _title(b, map_b)),
            "truth" if against_truth else "estimate",
            warn,
        )
        rows = comparison.rows()
        write_table(folder / "bland_altman.tsv", rows)
        said = list(comparison.warnings)

        def warn_too(sentence: str) -> None:
            said.append(sentence)
            warn(sentence)

        figures = draw(folder / "figures", agreement_drawings(comparison), warn_too)
        record = {**comparison.record(), "warnings": said, "versions": {"petkinetics": __version__}, "made": made_now()}
        write_report(folder / "report.html", record, bland_altman_rows=rows, figures=figures)
        write_record(folder, record)
    return comparison


def _title(shown: ParametricMap, path: Path) -> str:
    """How a map is called: its method where its result says so, else its folder's and its own name."""
    return f"{shown.provenance.get('method') or path.absolute().parent.name} {file_stem(path)}"
