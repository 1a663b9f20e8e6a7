"""Everybody in every world: one table with a row a scan and a column a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from petkinetics.studies.markdown import head, line
from petkinetics.studies.names import AORTA, PATLAK, USUAL, called
from petkinetics.studies.ratios import world_costs

Row = Mapping[str, object]
_ABOUT = (
    "RMSE of Ki ×10⁻³ with the aorta region's input function; in brackets the cost: by how much its ratio to weighted "
    "Patlak on the same data rises against the usual world, %. The last column is the judged method's SSIM."
)


def world_table(summary: Sequence[Row], method: str, leave_out: Sequence[str] = ()) -> str:
    """The section, Markdown; empty where there is only the usual world.

    :param summary: rows of a study's summary.
    :param method: the judged one, which comes last.
    :param leave_out: labels without a column, such as settings chosen with hindsight.
    """
    cases = dict.fromkeys((row["dose"], row["until_min"]) for row in summary)
    parts = [_of_case(summary, method, leave_out, dose, until) for dose, until in cases]
    parts = [part for part in parts if part]
    return "\n\n".join(["## Everybody in every world", _ABOUT, *parts]) if parts else ""


def _of_case(summary: Sequence[Row], method: str, leave_out: Sequence[str], dose: object, until: object) -> str:
    rows = [
        row
        for row in summary
        if (row["dose"], row["until_min"], row["input"]) == (dose, until, AORTA) and row["method"] not in leave_out
    ]
    worlds = list(dict.fromkeys(str(row.get("world", USUAL)) for row in rows))
    if worlds == [USUAL]:
        return ""
    named = dict.fromkeys(str(row["method"]) for row in rows)
    methods = [name for name in (PATLAK, *named) if name in named and name != method]
    methods = list(dict.fromkeys([*methods, method]))
    assert isinstance(dose, float | int) and (until is None or isinstance(until, float | int))
    costs = {
        (name, cost["world"]): cost["cost_percent"]
        for name in methods
        if name != PATLAK
        for cost in world_costs(summary, name, dose, until)
    }
    found = {(str(row["method"]), str(row.get("world", USUAL))): row for row in rows}
    end = "whole scan" if until is None else f"until {until:g} min"
    lines = [f"Dose {dose:g}, {end}:", "", *head(["scan", *map(called, methods), "SSIM"])]
    for world in worlds:
        cells = [_cell(found.get((name, world)), costs.get((name, world))) for name in methods]
        ssim = found.get((method, world), {}).get("ki_ssim_mean")
        lines.append(line([f"`{world}`", *cells, f"{ssim:.3f}" if isinstance(ssim, float | int) else "–"]))
    return "\n".join(lines)


def _cell(row: Row | None, cost: object) -> str:
    rmse = None if row is None else row["ki_rmse_mean"]
    if not isinstance(rmse, float | int):
        return "–"
    said = f" ({cost:+.0f})".replace("-", "−") if isinstance(cost, float | int) else ""
    return f"{1e3 * rmse:.3f}{said}"
