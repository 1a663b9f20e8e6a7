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

from petkinetics.evaluate.figures import FigureFile, three_digits, with_error

Row = Mapping[str, object]
Record = Mapping[str, object]

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
}
#: maps that have columns of their own in the region table (the first two that there are), and their symbols
_REGION_MAPS = {"ki": "Ki", "v0": "V0", "k1": "K1", "vt": "VT"}

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

_STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --line: #d5dae1; --paper: #ffffff; --tint: #f3f6f9; --warn: #fff4d6;
  --warn-line: #c98a00; --accent: #0b5c8e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #a7b1bf; --line: #3a4452; --paper: #14181e; --tint: #1e242d; --warn: #3a3017;
    --warn-line: #e0a82e; --accent: #7cc0ec; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1rem 1rem 3rem; max-width: 54rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .4rem 0 .6rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
p { margin: .5rem 0; }
.notice { display: inline-block; margin: 0; padding: .15rem .6rem; border: 1px solid var(--warn-line);
  border-radius: .3rem; font-size: .875rem; font-weight: 600; }
.lead { font-size: 1.05rem; }
.warnings { background: var(--warn); border-left: 4px solid var(--warn-line); padding: .6rem .9rem; margin: 1rem 0; }
.warnings h2 { border: 0; margin: 0 0 .3rem; font-size: 1rem; }
.warnings ul { margin: 0; padding-left: 1.2rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.25rem, 1fr)); gap: .6rem; padding: 0;
  margin: 1rem 0; }
.cards div { background: var(--tint); border-radius: .4rem; padding: .5rem .75rem; }
.cards dt { color: var(--soft); font-size: .8125rem; }
.cards dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
figure { margin: 1.2rem 0 1.8rem; }
figure img { display: block; width: 100%; max-width: 42rem; height: auto; background: #fff; border-radius: .3rem; }
figcaption { color: var(--soft); font-size: .875rem; margin-top: .4rem; max-width: 42rem; }
figcaption b { color: var(--ink); }
.scroll { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .9375rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; position: sticky; left: 0;
  background: var(--paper); white-space: normal; min-width: 7rem; max-width: 12rem; overflow-wrap: anywhere; }
thead th { vertical-align: bottom; color: var(--soft); font-weight: 600; font-size: .8125rem; }
th small, td small { display: block; font-weight: 400; }
td small { color: var(--soft); font-size: .8125rem; }
table.facts { width: 100%; }
table.facts th, table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; vertical-align: top; }
table.facts th { width: 14rem; max-width: none; font-weight: 400; color: var(--soft); position: static; }
table.facts td { padding-right: 0; }
.note { color: var(--soft); font-size: .875rem; }
summary { cursor: pointer; color: var(--accent); padding: .3rem 0; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
@media (max-width: 30rem) { body { padding: .75rem .75rem 2rem; } table.facts th { width: 8.5rem; }
  th, td { padding: .3rem .45rem; } table { font-size: .875rem; }
  figure img { width: calc(100% + 1.1rem); max-width: none; margin: 0 -.55rem; } }
@media print {
  :root { --ink: #000; --soft: #333; --line: #bbb; --paper: #fff; --tint: #f3f3f3; --warn: #fff; }
  body { max-width: none; font-size: 10pt; } figure, tr, .warnings { break-inside: avoid; }
  h2 { break-after: avoid; } .scroll { overflow: visible; } table { font-size: 8pt; } th, td { padding: .15rem .4rem; }
}
""".strip()


def write_report(
    path: Path,
    record: Record,
    region_rows: Sequence[Row] = (),
    bland_altman_rows: Sequence[Row] = (),
    figures: Sequence[FigureFile] = (),
    info: Record | None = None,
) -> None:
    """Write the report of a result folder.

    :param path: of the HTML file.
    :param record: what ``result.json`` says; keys that are missing are left out of the report.
    :param region_rows: rows of ``roi.tsv``.
    :param bland_altman_rows: rows of ``bland_altman.tsv``.
    :param figures: embedded, each in its section.
    :param info: what ``petkinetics info --json`` says about the series; its warnings are shown too.
    """
    about = info or {}
    compared = record.get("job") == "compare"
    sections = [
        _warnings([*_sentences(record), *_sentences(about)]),
        _section("Maps", _figures(figures, "maps")),
        _section("Regions", _regions(region_rows), _figures(figures, "regions")),
        _section(
            "Agreement (Bland–Altman)",
            _agreement(bland_altman_rows, str(record.get("difference", ""))),
            _figures(figures, "agreement"),
        ),
        _section(
            "Input function",
            _figures(figures, "input function"),
            _input_function(_mapping(record.get("input_function"))),
        ),
        _section("Frames used", _frames(record)),
        _section("Series", _series(about, record)),
        _section("How it was made", _provenance(record)),
    ]
    version = _mapping(record.get("versions")).get("petkinetics", "")
    page = _PAGE.substitute(
        title="Comparison of two maps" if compared else escape(_title(record)),
        style=_STYLE,
        disclaimer=DISCLAIMER,
        lead=_lead(record, about),
        sections="\n".join(part for part in sections if part),
        version=f" {escape(str(version))}" if version else "",
    )
    path.write_text(page, encoding="utf-8", newline="\n")


def _title(record: Record) -> str:
    names = [name for name in _REGION_MAPS if name in _mapping(record.get("maps", {"ki": {}, "v0": {}}))][:2]
    symbols = [str(record.get("ki_label", "Ki")) if name == "ki" else _REGION_MAPS[name] for name in names]
    return f"{' and '.join(symbols) or 'Maps'} from dynamic PET"


def _lead(record: Record, info: Record) -> str:
    """What was done, in a sentence and some cards."""
    if record.get("job") == "compare":
        text = (
            f"{record.get('map_a', 'A')} and {record.get('map_b', 'B')} compared region by region; differences are "
            f"{record.get('difference', 'A - B').__str__().replace(' - ', ' − ')}."
        )
        return f'<p class="lead">{escape(text)}</p>'
    method = str(record.get("method", ""))
    used = _rows(record.get("frames_used"))
    source = _mapping(record.get("input_function"))
    cards: list[tuple[str, str]] = []
    if method:
        cards.append(("Method", _METHODS.get(method, method)))
    if used:
        start = _number(used[0].get("start_s")) / 60.0
        end = (_number(used[-1].get("start_s")) + _number(used[-1].get("duration_s"))) / 60.0
        window = f", from {start:.4g} to {end:.4g} min" if math.isfinite(start) and math.isfinite(end) else ""
        cards.append(("Frames used", f"{len(used)}{window}"))
    if record.get("t_star_min") is not None:
        cards.append(("t*", f"{_number(record['t_star_min']):g} min"))
    if source.get("kind"):
        cards.append(("Input function", str(source["kind"])))
    tracer = record.get("tracer", info.get("tracer"))
    if tracer:
        cards.append(("Tracer", _text(_mapping(tracer).get("name", tracer) if isinstance(tracer, Mapping) else tracer)))
    if record.get("seconds") is not None:
        cards.append(("Computed in", f"{_number(record['seconds']):.3g} s"))
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
        data = base64.b64encode(figure.path.read_bytes()).decode("ascii")
        parts.append(
            f'<figure>\n<img src="data:image/png;base64,{data}" alt="{escape(figure.title)}"{_png_size(figure.path)}>\n'
            f"<figcaption><b>{escape(figure.title)}.</b> {escape(figure.caption)}</figcaption>\n</figure>"
        )
    return "\n".join(parts)


def _png_size(path: Path) -> str:
    """Width and height attributes, so that a page does not jump while it loads."""
    head = path.open("rb").read(24)
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        return ""
    return f' width="{int.from_bytes(head[16:20], "big")}" height="{int.from_bytes(head[20:24], "big")}"'


def _regions(rows: Sequence[Row]) -> str:
    """One row a region with Ki and V0 beside each other; every number is in roi.tsv."""
    if not rows:
        return ""
    maps = [m for m in _REGION_MAPS if any(row.get("map") == m for row in rows)][:2]
    names = list(dict.fromkeys(str(row["roi"]) for row in rows))
    by_key = {(str(row["roi"]), str(row["map"])): row for row in rows}
    header = [("Region", ""), ("Volume", "mL")]
    for m in maps:
        unit = next(str(row.get("unit", "")) for row in rows if row.get("map") == m)
        symbol = _REGION_MAPS[m]
        header += [(f"{symbol} ± SE", unit), (f"{symbol} SD", "spatial"), (f"{symbol} peak", "1 mL")]
    body = []
    for name in names:
        first = next(row for row in rows if str(row["roi"]) == name)
        cells = [name, _digits(first.get("volume_ml"))]
        for m in maps:
            row = by_key.get((name, m), {})
            cells += [_with_se(row), _digits(row.get("sd")), _digits(row.get("peak"))]
        body.append(cells)
    note = (
        "Means over the region's voxels. SE: standard error of the fit to the region's mean curve. SD: spread over "
        "the voxels. Peak: mean of the hottest sphere of 1 mL centred in the region."
    )
    full = _table([(c, "") for c in rows[0]], [[_cell(row.get(c)) for c in rows[0]] for row in rows])
    return (
        f'{_table(header, body)}\n<p class="note">{note}</p>\n'
        f"<details>\n<summary>All maps and statistics (roi.tsv)</summary>\n{full}\n</details>"
    )


def _agreement(rows: Sequence[Row], difference: str) -> str:
    if not rows:
        return ""
    unit = str(rows[0].get("unit") or "")
    header = [
        ("Region", ""),
        ("Bias", f"95 % CI{', ' if unit else ''}{unit}"),
        ("Limits", f"95 %{', ' if unit else ''}{unit}"),
        ("Bias", "% of pair mean"),
        ("Slope", "p"),
        ("Pairs", "independent"),
    ]
    body = []
    for row in rows:
        percent = row.get("percent_bias")
        body.append(
            [
                str(row["roi"]),
                f"{_digits(row.get('bias'))}\n"
                f"{_digits(row.get('bias_ci_lower'))} to {_digits(row.get('bias_ci_upper'))}",
                f"{_digits(row.get('loa_lower'))}\n{_digits(row.get('loa_upper'))}",
                f"{_number(percent):.1f}".replace("-", "−") if percent is not None else "n/a",
                f"{_digits(row.get('slope'))}\n{_p_value(row.get('slope_p'))}",
                f"{_digits(row.get('n'), 0)}\n{_digits(row.get('n_effective'), 0)}",
            ]
        )
    meaning = str(rows[0].get("slope_meaning") or "")
    left_out = sum(int(_number(row.get("percent_left_out") or 0)) for row in rows)
    notes = [
        f"Differences are {difference.replace(' - ', ' − ')}." if difference else "",
        "Limits: 95 % limits of agreement. Neighbouring voxels are correlated; under their number stands how many "
        "independent pairs they are worth for the bias.",
        f"Slope: {meaning}." if meaning else "",
        f"Percent: pairs below 10 % of the region's mean are left out ({left_out} in all).",
    ]
    return f'{_table(header, body)}\n<p class="note">{escape(" ".join(n for n in notes if n))}</p>'


def _input_function(source: Record) -> str:
    if not source:
        return ""
    names = {
        "kind": "What it is",
        "source": "Source",
        "roi_volume_ml": "Volume of the blood region, mL",
        "peak_s": "Time of the peak, s",
        "peak_kbq_per_ml": "Peak, kBq/mL",
        "nodes": "Nodes",
        "end_s": "Known until, s",
    }
    known = [(label, source[key]) for key, label in names.items() if source.get(key) is not None]
    rest = [(k, v) for k, v in source.items() if k not in names and k != "warnings" and v is not None]
    return f"{_facts([*known, *rest])}\n{_notes(_sentences(source))}"


def _notes(sentences: Sequence[str]) -> str:
    return "".join(f'<p class="note">{escape(s)}</p>\n' for s in sentences)


def _frames(record: Record) -> str:
    used = _rows(record.get("frames_used"))
    if not used:
        return ""
    total = sum(_number(f["weight"]) for f in used if f.get("weight") is not None)
    header = [("Frame", ""), ("Start", "min"), ("Duration", "min"), ("Weight", "% of all")]
    body = [
        [
            _digits(_number(f.get("index", i)) + 1, 0),
            _minutes(f.get("start_s")),
            _minutes(f.get("duration_s")),
            f"{100 * _number(f['weight']) / total:.1f}" if total > 0 and f.get("weight") is not None else "n/a",
        ]
        for i, f in enumerate(used)
    ]
    return f"<details>\n<summary>{len(used)} frames with their weights</summary>\n{_table(header, body)}\n</details>"


def _series(info: Record, record: Record) -> str:
    about = {**_mapping(record.get("series")), **info}
    names = {
        "shape": "Frames, slices, rows, columns",
        "spacing_mm": "Voxel size (x, y, z), mm",
        "tracer": "Tracer",
        "half_life_s": "Half-life, s",
        "injected_activity_mbq": "Injected activity, MBq",
        "weight_kg": "Body weight, kg",
        "units": "Units as stored",
        "decay_corrected_to": "Decay-corrected to, as stored",
        "suv_factor": "SUV per stored unit",
        "manufacturer": "Scanner's manufacturer",
    }
    facts = [(label, about[key]) for key, label in names.items() if about.get(key) not in (None, "")]
    return (
        _facts([(k, " × ".join(map(_text, v)) if isinstance(v, list | tuple) else v) for k, v in facts])
        if facts
        else ""
    )


def _provenance(record: Record) -> str:
    """How it was made: options, overrides, versions, hashes."""
    facts: list[tuple[str, object]] = []
    for key, label in (
        ("options", "Option"),
        ("overrides", "Override"),
        ("noise", "Noise"),
        ("versions", "Version of"),
    ):
        given = {name: value for name, value in _mapping(record.get(key)).items() if value not in (None, "", {}, [])}
        facts += [(f"{label} {name}", value) for name, value in given.items()]
    for key, label in (
        ("device", "Device"),
        ("weights_hash", "Hash of the weights"),
        ("input_uids", "Series Instance UIDs"),
        ("input_hash", "Hash of the input"),
        ("seed", "Seed"),
    ):
        if record.get(key) not in (None, "", [], {}):
            facts.append((label, record[key]))
    return _facts(facts) if facts else ""


def _table(header: Sequence[tuple[str, str]], body: Sequence[Sequence[str]]) -> str:
    heads = "".join(
        f'<th scope="col">{escape(name)}{f"<small>{escape(unit)}</small>" if unit else ""}</th>'
        for name, unit in header
    )
    lines = "\n".join("<tr>" + "".join(f"<td>{_two_lines(c)}</td>" for c in cells) + "</tr>" for cells in body)
    return (
        f'<div class="scroll">\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>\n</div>'
    )


def _two_lines(cell: str) -> str:
    """A cell whose second line, if it has one, is smaller."""
    first, _, second = cell.partition("\n")
    return escape(first) + (f"<small>{escape(second)}</small>" if second else "")


def _facts(facts: Sequence[tuple[str, object]]) -> str:
    lines = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(_text(value))}</td></tr>' for name, value in facts
    )
    return f'<table class="facts">\n<tbody>\n{lines}\n</tbody>\n</table>'


def _with_se(row: Row) -> str:
    mean, error = row.get("mean"), row.get("se")
    if mean is None:
        return "n/a"
    return with_error(_number(mean), None if error is None else _number(error)).replace(" ±", "\n±")


def _digits(value: object, places: int | None = None) -> str:
    if value is None or value == "n/a":
        return "n/a"
    number = _number(value)
    return f"{number:.{places}f}" if places is not None and number == number else three_digits(number)


def _minutes(seconds: object) -> str:
    value = _number(seconds) / 60.0
    return f"{value:.4g}" if math.isfinite(value) else "n/a"


def _p_value(value: object) -> str:
    if value is None or _number(value) != _number(value):
        return "n/a"
    p = _number(value)
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _cell(value: object) -> str:
    if value is None:
        return "n/a"
    return str(value) if isinstance(value, str | int) else three_digits(_number(value))


def _text(value: object) -> str:
    """Any plain value of the record, for people."""
    if value is None or value == "":
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_text(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value) or "none"
    return str(value)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _mapping(value: object) -> Record:
    return value if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[Row]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list | tuple) else []


def _sentences(record: Record) -> list[str]:
    found = record.get("warnings")
    return [str(s) for s in found] if isinstance(found, list | tuple) else []
