"""Values of a record as people read them; what is missing or of another kind does no harm."""

from __future__ import annotations

from collections.abc import Mapping

Row = Mapping[str, object]
Record = Mapping[str, object]


def text_of(value: object) -> str:
    """Any plain value of the record, for people."""
    if value is None or value == "":
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {text_of(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text_of(v) for v in value) or "none"
    return str(value)


def number_of(value: object) -> float:
    """A number of the record; not a number where it holds none."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def mapping_of(value: object) -> Record:
    """A part of the record that holds names and values; empty where there is none."""
    return value if isinstance(value, Mapping) else {}


def rows_of(value: object) -> list[Row]:
    """A part of the record that is a list of rows; empty where there is none."""
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list | tuple) else []


def sentences_of(record: Record) -> list[str]:
    """The warnings of a part of the record."""
    found = record.get("warnings")
    return [str(s) for s in found] if isinstance(found, list | tuple) else []
