"""report.html: one file that opens anywhere, offline, on a phone and on paper.

Figures are embedded, styles are inside, nothing is fetched. It holds no patient identity: it is made
from the record, which holds none.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from petkinetics.evaluate.figures import FigureFile
from petkinetics.evaluate.record_values import Record, Row, mapping_of, number_of, rows_of, sentences_of, text_of
from petkinetics.evaluate.region_statistics import RegionFits
from petkinetics.evaluate.report_provenance import provenance_facts
from petkinetics.evaluate.report_regions import REGION_MAPS, regions_table
from petkinetics.evaluate.report_style import STYLE
from petkinetics.evaluate.report_tables import (
    agreement_table,
    frames_table,
    input_function_facts,
    series_facts,
)

DISCLAIMER = "Not a medical device. For research, not for diagnosis."
_METHODS = {
    "patlak": "Patlak graphical analysis",
    "gaussian": "Patlak, Gaussian filter",
    "hypr": "Patlak, HYPR-LR",
    "nlm": "Patlak, non-local means",
    "total-variation": "Patlak, total variation",
    "two-tissue": "Irreversible two-tissue model",
    "two-tissue-reversible": "Reversible two-tissue model",
    "one-tissue": "One-tissue model",
    "kinetic-network": "Kinetic network (two-tissue model)",
    "direct-network": "Network without kinetic model",
    "diffusion-prior": "Patlak, diffusion prior",
}

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
$style
</style>
</head>
<body>
<header>
<p class="notice">$disclaimer</p>
<h1>$title</h1>
$lead
</header>
<main>
$sections
</main>
<footer>
<p>$disclaimer Made by petkinetics$version.</p>
</footer>
</body>
</html>
""")


def write_report(
    path: Path,
    record: Record,
    region_rows: Sequence[Row] = (),
    bland_altman_rows: Sequence[Row] = (),
    figures: Sequence[FigureFile] = (),
    info: Record | None = None,
    region_fits: RegionFits | None = None,
) -> None:
    """Write the report of a result folder.

    :param path: of the HTML file.
    :param record: what ``result.json`` says; keys that are missing are left out of the report.
    :param region_rows: rows of ``roi.tsv``.
    :param bland_altman_rows: rows of ``bland_altman.tsv``.
    :param figures: embedded, each in its section.
    :param info: what ``petkinetics info --json`` says about the series; its warnings are shown too.
    :param region_fits: of the regions' mean curves; shown where the maps' means are other estimates.
    """
    about = info or {}
    compared = record.get("job") == "compare"
    sections = [
        _warnings([*sentences_of(record), *sentences_of(about)]),
        _section("Maps", _figures(figures, "maps")),
        _section("Regions", regions_table(region_rows, record, region_fits or {}), _figures(figures, "regions")),
        _section(
            "Agreement (Bland–Altman)",
            agreement_table(bland_altman_rows, str(record.get("difference", ""))),
            _figures(figures, "agreement"),
        ),
        _section(
            "Input function",
            _figures(figures, "input function"),
            input_function_facts(mapping_of(record.get("input_function"))),
        ),
        _section("Frames used", frames_table(record)),
        _section("Series", series_facts(about, record)),
        _section("How it was made", provenance_facts(record)),
    ]
    version = mapping_of(record.get("versions")).get("petkinetics", "")
    page = _PAGE.substitute(
        title="Comparison of two maps" if compared else escape(_title(record)),
        style=STYLE,
        disclaimer=DISCLAIMER,
        lead=_lead(record, about),
        sections="\n".join(part for part in sections if part),
        version=f" {escape(str(version))}" if version else "",
    )
    path.write_text(page, encoding="utf-8", newline="\n")


def _title(record: Record) -> str:
    names = [name for name in REGION_MAPS if name in mapping_of(record.get("maps", {"ki": {}, "v0": {}}))][:2]
    symbols = [str(record.get("ki_label", "Ki")) if name == "ki" else REGION_MAPS[name] for name in names]
    return f"{' and '.join(symbols) or 'Maps'} from dynamic PET"


def _lead(record: Record, info: Record) -> str:
    """What was done, in a sentence and some cards."""
    if record.get("job") == "compare":
        text = (
            f"{record.get('map_a', 'A')} and {record.get('map_b', 'B')} compared region by region; differences are "
            f"{str(record.get('difference', 'A - B')).replace(' - ', ' − ')}."
        )
        return f'<p class="lead">{escape(text)}</p>'
    method = str(record.get("method", ""))
    used = rows_of(record.get("frames_used"))
    source = mapping_of(record.get("input_function"))
    cards: list[tuple[str, str]] = []
    if method:
        cards.append(("Method", _METHODS.get(method, method)))
    if record.get("trained_on"):
        cards.append(("Trained on", str(record["trained_on"])))
    if used:
        start = number_of(used[0].get("start_s")) / 60.0
        end = (number_of(used[-1].get("start_s")) + number_of(used[-1].get("duration_s"))) / 60.0
        window = f", from {start:.4g} to {end:.4g} min" if math.isfinite(start) and math.isfinite(end) else ""
        cards.append(("Frames used", f"{len(used)}{window}"))
    if record.get("t_star_min") is not None:
        cards.append(("t*", f"{number_of(record['t_star_min']):g} min"))
    if source.get("kind"):
        cards.append(("Input function", str(source["kind"])))
    tracer = record.get("tracer", info.get("tracer"))
    if tracer:
        cards.append(
            ("Tracer", text_of(mapping_of(tracer).get("name", tracer) if isinstance(tracer, Mapping) else tracer))
        )
    if record.get("seconds") is not None:
        cards.append(("Computed in", f"{number_of(record['seconds']):.3g} s"))
    inside = "\n".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in cards)
    choice = str(record.get("t_star_choice") or "")
    if choice and record.get("t_star_min") is not None:
        choice = f"t*: {choice}"
    note = f'\n<p class="note">{escape(choice)}.</p>' if choice else ""
    return f'<dl class="cards">\n{inside}\n</dl>{note}' if cards else ""


def _warnings(sentences: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(sentences))
    if not distinct:
        return ""
    items = "\n".join(f"<li>{escape(s)}</li>" for s in distinct)
    heading = "1 warning" if len(distinct) == 1 else f"{len(distinct)} warnings"
    return f'<section class="warnings">\n<h2>{heading}</h2>\n<ul>\n{items}\n</ul>\n</section>'


def _section(heading: str, *parts: str) -> str:
    inside = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(heading)}</h2>\n{inside}\n</section>" if inside else ""


def _figures(figures: Sequence[FigureFile], section: str) -> str:
    parts = []
    for figure in figures:
        if figure.section != section:
            continue
        png = figure.path.read_bytes()
        data = base64.b64encode(png).decode("ascii")
        parts.append(
            f'<figure>\n<img src="data:image/png;base64,{data}" alt="{escape(figure.title)}"{_png_size(png)}>\n'
            f"<figcaption><b>{escape(figure.title)}.</b> {escape(figure.caption)}</figcaption>\n</figure>"
        )
    return "\n".join(parts)


def _png_size(head: bytes) -> str:
    """Width and height attributes, so that a page does not jump while it loads."""
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        return ""
    return f' width="{int.from_bytes(head[16:20], "big")}" height="{int.from_bytes(head[20:24], "big")}"'
