"""How methods do in worlds not trained in: pictures from the runs on test patients in ``docs/test_log.tsv``.

Of a short scan the cost of each world is drawn, of a whole scan the gain that is kept: what the gates of the
kinetic network and of the diffusion prior bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from petkinetics.evaluate.figures import COLOURS, MARKERS
from petkinetics.studies.gates import GATES
from petkinetics.studies.names import AORTA, DIFFUSION_PRIOR, KINETIC_NETWORK, PATLAK, USUAL
from petkinetics.studies.ratios import kind_of, world_costs
from petkinetics.write.tables import Value
from pictures import page_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Value]
#: seeds, anatomy, size and slices: rows of the same patients
Patients = tuple[Value, ...]
_WORLD = "world:"


@dataclass(frozen=True)
class WorldRuns:
    """The newest run of every method on the same patients, of one dose and end of scan.

    :param rows: method -> world -> row of the log; :data:`USUAL` is the usual scan.
    """

    dose: float
    until_min: float | None
    rows: Mapping[str, Mapping[str, Row]]

    @property
    def worlds(self) -> list[str]:
        """The usual scan first, the others in the order of the log."""
        return list(dict.fromkeys([USUAL, *(world for worlds in self.rows.values() for world in worlds)]))

    @property
    def name(self) -> str:
        """Of the picture."""
        return "unseen_worlds.png" if self.until_min is None else f"unseen_worlds_{self.until_min:g}_min.png"

    @property
    def judged(self) -> tuple[str, str]:
        """Column of :func:`petkinetics.studies.ratios.world_costs`, and the method whose gates bound it."""
        whole = self.until_min is None
        return ("gain_kept_percent", DIFFUSION_PRIOR) if whole else ("cost_percent", KINETIC_NETWORK)

    def costs(self, method: str) -> dict[str, float]:
        """World -> the column that is judged, %, of a method that was run in the usual scan, too."""
        case = {"dose": self.dose, "until_min": self.until_min, "input": AORTA}
        summary = []
        for world, row in self.rows[method].items():
            here = {**case, "world": world}
            summary.append({**here, "method": method, "ki_rmse_mean": row["ki_rmse_mean"]})
            summary.append({**here, "method": PATLAK, "ki_rmse_mean": row["patlak_ki_rmse_mean"]})
        found = world_costs(summary, method, self.dose, self.until_min)
        return {str(row["world"]): float(row[self.judged[0]]) for row in found}  # type: ignore[arg-type]


def world_runs(log: Sequence[Row]) -> list[WorldRuns]:
    """For each end of scan, the dose and patients that were run last in other worlds; of each method its newest rows.

    :param log: rows of the log, oldest first.
    """
    rows = [r for r in log if r["input"] == AORTA and isinstance(r["patlak_ki_rmse_mean"], float)]
    last = {row["until_min"]: _data(row) for row in rows if _named(row)[1] != USUAL}
    runs = []
    for until, data in last.items():
        found: dict[str, dict[str, Row]] = {}
        for row in (row for row in rows if row["until_min"] == until and _data(row) == data):
            method, world = _named(row)
            found.setdefault(method, {})[world] = row
        found = {method: worlds for method, worlds in found.items() if set(worlds) != {USUAL}}
        runs.append(WorldRuns(float(data[0]), None if until is None else float(until), found))  # type: ignore[arg-type]
    return runs


def _data(row: Row) -> Patients:
    """Dose and patients."""
    return tuple(row[name] for name in ("dose", "seeds", "anatomy", "size", "slices"))


def _named(row: Row) -> tuple[str, str]:
    """Method with its options, and the world."""
    options = str(row["options"] or "").split()
    plain = [option for option in options if not option.startswith(_WORLD)]
    world = [option.removeprefix(_WORLD) for option in options if option.startswith(_WORLD)]
    samples = row.get("samples")
    draws = [f"samples={samples}"] if isinstance(samples, int) and samples > 0 else []
    return " ".join([str(row["method"]), *plain, *draws]), world[0] if world else USUAL


def draw_worlds(runs: WorldRuns) -> None:
    """RMSE of each method in each world, and what the gates bound beside their bound."""
    worlds, methods = runs.worlds, list(runs.rows)
    at = {world: -float(n) for n, world in enumerate(worlds)}
    step = min(0.24, 0.7 / max(len(methods), 1))
    with page_picture(runs.name, 0.24 * len(worlds) + 1.3) as drawn:
        left, right = drawn.subplots(1, 2, sharey=True)
        plain = {world: row for rows in runs.rows.values() for world, row in rows.items()}
        values = [1e3 * _number(plain[w]["patlak_ki_rmse_mean"]) if w in plain else float("nan") for w in worlds]
        left.plot(values, list(at.values()), "|", color="0.45", markersize=9, markeredgewidth=1.6, label=PATLAK)
        for number, method in enumerate(methods):
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            beside = step * ((len(methods) - 1) / 2 - number)
            own = runs.rows[method]
            left.errorbar(
                [1e3 * _number(row["ki_rmse_mean"]) for row in own.values()],
                [at[world] + beside for world in own],
                xerr=[1e3 * _number(row["ki_rmse_sd"]) for row in own.values()],
                fmt=marker,
                color=colour,
                markersize=4.5,
                elinewidth=1.0,
                label=method,
            )
            costs = runs.costs(method)
            y = [at[world] + beside for world in costs]
            right.hlines(y, _origin(runs), list(costs.values()), color=colour, linewidth=1.0)
            right.plot(list(costs.values()), y, marker, color=colour, markersize=4.5)
        _bound(right, runs, at)
        _dress(left, right, runs, at)
        drawn.legend(loc="outside upper center", ncols=min(len(methods) + 2, 4))


def _number(value: object) -> float:
    """0 for the SD of a single patient, which has none."""
    return float(value) if isinstance(value, float | int) else 0.0


def _origin(runs: WorldRuns) -> float:
    """What the usual scan has by definition, %."""
    return 100.0 if runs.judged[0].startswith("gain") else 0.0


def _bound(axes: Axes, runs: WorldRuns, at: Mapping[str, float]) -> None:
    """What the gates ask, beside those worlds alone that they ask it of."""
    column, method = runs.judged
    gates = [gate for gate in GATES[method] if gate.measure.startswith("unseen ")]
    label = f"asked of {method}: at {'least' if column.startswith('gain') else 'most'} {gates[0].required:g} %"
    for world, y in at.items():
        bounds = (
            [g.required for g in gates if g.measure.startswith(f"unseen {kind_of(world)}:")] if world != USUAL else []
        )
        if bounds and bounds[0] is not None:
            axes.plot([bounds[0]] * 2, [y - 0.46, y + 0.46], color="black", linewidth=1.6, label=label)
            label = "_"


def _dress(left: Axes, right: Axes, runs: WorldRuns, at: Mapping[str, float]) -> None:
    left.set_yticks(list(at.values()), [in_words(world) for world in at])
    left.set_ylim(min(at.values()) - 0.6, 0.6)
    left.set_xlim(left=0)
    left.set_xlabel("RMSE of Ki, mean ± SD,\n10⁻³ mL/min/mL")
    gain = runs.judged[0].startswith("gain")
    right.set_xlabel("gain over Patlak\nthat remains, %" if gain else "cost: rise of\nRMSE ÷ Patlak's, %")
    right.axvline(_origin(runs), color="0.6", linewidth=0.8)
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="0.9", linewidth=0.7)
        for y in list(at.values())[:-1]:
            axes.axhline(y - 0.5, color="0.93", linewidth=0.6, zorder=0.5)


_WORDS = {
    "usual": "usual scan",
    "frames": "frames of {0}",
    "late": "late frames of {0} s",
    "bolus": "bolus of {0} s",
    "clearance": "clearance × {0}",
    "weight": "{0} kg",
    "noise-fwhm": "noise grain {0} mm",
    "noise": "noise: {0}",
    "voxel": "voxels of {0} mm",
    "move": "moved once, {0} mm",
    "drift": "drift, {0} mm",
    "tracer": "{0} tracer",
    "dose": "dose × {0}",
    "lesions": "lesions: {0}",
}


def in_words(world: str) -> str:
    """What a person calls a world.

    :param world: such as ``noise=osem+voxel=3``.
    """
    parts = []
    for change in world.split("+"):
        name, _, value = change.partition("=")
        value = {"60x60": "60 s", "6x10,4x30,4x60,4x120,12x300": "75 min in all", "osem": "OSEM"}.get(value, value)
        parts.append(_WORDS[name].format(value))
    return ", ".join(parts)
