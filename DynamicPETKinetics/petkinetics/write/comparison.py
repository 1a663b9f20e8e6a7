"""The result folder of ``petkinetics compare``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from petkinetics.evaluate.bland_altman import COLUMNS
from petkinetics.evaluate.compare import Comparison
from petkinetics.evaluate.figure_agreement import agreement_drawings
from petkinetics.evaluate.figures import draw
from petkinetics.evaluate.report import write_report
from petkinetics.write.tables import write_table


def write_comparison(
    folder: Path,
    comparison: Comparison,
    warn: Callable[[str], None],
    extra: Mapping[str, object] | None = None,
) -> None:
    """Write bland_altman.tsv, figures/*.png, report.html and result.json into an existing folder.

    :param folder: made under a temporary name by the caller, who renames it when all is there.
    :param warn: receives a sentence where figures cannot be made.
    :param extra: joined to the record: options, versions, seconds ...
    """
    rows = comparison.rows()
    write_table(folder / "bland_altman.tsv", rows, COLUMNS)
    warnings = list(comparison.warnings)

    def say(sentence: str) -> None:
        warnings.append(sentence)
        warn(sentence)

    figures = draw(folder / "figures", agreement_drawings(comparison), say)
    record = {**comparison.record(), **(extra or {}), "warnings": warnings}
    write_report(folder / "report.html", record, bland_altman_rows=rows, figures=figures)
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "result.json").write_text(text + "\n", encoding="utf-8", newline="\n")
