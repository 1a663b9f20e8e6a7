"""What stands in the report's sections besides figures and regions: agreement, blood, frames, series."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from petkinetics.evaluate.record_values import Record, Row, mapping_of, number_of, rows_of, sentences_of, text_of
from petkinetics.evaluate.report_cells import digits, facts_table, html_table, minutes, p_value


def agreement_table(rows: Sequence[Row], difference: str) -> str:
    """One row a region of ``bland_altman.tsv``.

    :param difference: what the differences are, such as "A - B".
    """
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
                f"{digits(row.get('bias'))}\n{digits(row.get('bias_ci_lower'))} to {digits(row.get('bias_ci_upper'))}",
                f"{digits(row.get('loa_lower'))}\n{digits(row.get('loa_upper'))}",
                f"{number_of(percent):.1f}".replace("-", "−") if percent is not None else "n/a",
                f"{digits(row.get('slope'))}\n{p_value(row.get('slope_p'))}",
                f"{digits(row.get('n'), 0)}\n{digits(row.get('n_effective'), 0)}",
            ]
        )
    meaning = str(rows[0].get("slope_meaning") or "")
    left_out = sum(int(number_of(row.get("percent_left_out") or 0)) for row in rows)
    notes = [
        f"Differences are {difference.replace(' - ', ' − ')}." if difference else "",
        "Limits: 95 % limits of agreement. Neighbouring voxels are correlated; under their number stands how many "
        "independent pairs they are worth for the bias.",
        f"Slope: {meaning}." if meaning else "",
        f"Percent: pairs below 10 % of the region's mean are left out ({left_out} in all).",
    ]
    return f'{html_table(header, body)}\n<p class="note">{escape(" ".join(n for n in notes if n))}</p>'


def input_function_facts(source: Record) -> str:
    """What the blood curve is and where it comes from."""
    if not source:
        return ""
    names = {
        "kind": "What it is",
        "source": "Source",
        "roi_volume_ml": "Volume of the blood region, mL",
        "peak_s": "Time of the peak, s",
        "peak_kbq_per_ml": "Peak of whole blood, kBq/mL",
        "nodes": "Nodes",
        "end_s": "Known until, s",
    }
    known = [(label, source[key]) for key, label in names.items() if source.get(key) is not None]
    rest = [(k, v) for k, v in source.items() if k not in names and k != "warnings" and v is not None]
    return f"{facts_table([*known, *rest])}\n{_notes(sentences_of(source))}"


def _notes(sentences: Sequence[str]) -> str:
    return "".join(f'<p class="note">{escape(s)}</p>\n' for s in sentences)


def frames_table(record: Record) -> str:
    """Frames used, folded away."""
    used = rows_of(record.get("frames_used"))
    if not used:
        return ""
    total = sum(number_of(f["weight"]) for f in used if f.get("weight") is not None)
    header = [("Frame", ""), ("Start", "min"), ("Duration", "min"), ("Weight", "% of all")]
    body = [
        [
            digits(number_of(f.get("index", i)) + 1, 0),
            minutes(f.get("start_s")),
            minutes(f.get("duration_s")),
            f"{100 * number_of(f['weight']) / total:.1f}" if total > 0 and f.get("weight") is not None else "n/a",
        ]
        for i, f in enumerate(used)
    ]
    return (
        f"<details>\n<summary>{len(used)} frames with their weights</summary>\n{html_table(header, body)}\n</details>"
    )


def series_facts(info: Record, record: Record) -> str:
    """What is known of the series."""
    about = {**mapping_of(record.get("series")), **info}
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
        facts_table([(k, " × ".join(map(text_of, v)) if isinstance(v, list | tuple) else v) for k, v in facts])
        if facts
        else ""
    )
