"""A gate: what a study must show, and whether it does.

Ratios are of the mean RMSE over patients (:mod:`petkinetics.studies.ratios`). A *dose* is a share of the usual
counts; *until* is the end of the scan, minutes from injection, None for the whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from petkinetics.studies.names import AORTA, TRUTH, USUAL
from petkinetics.studies.ratios import world_costs

Row = Mapping[str, object]


@dataclass(frozen=True)
class StudyNumbers:
    """What a study measured, with the aorta region's input function.

    :param method: its label in the tables.
    :param summary: rows of ``summary.tsv``.
    :param ratios: rows of ``ratios.tsv``.
    :param tumours: rows of ``tumour_roi.tsv``.
    :param invented: rows of ``invented.tsv``; *chi_square*: of ``chi_square.tsv``.
    :param contestants: of everybody who was run, by label: "method", "options" and "samples".
    """

    method: str
    summary: Sequence[Row]
    ratios: Sequence[Row]
    tumours: Sequence[Row]
    invented: Sequence[Row] = ()
    chi_square: Sequence[Row] = ()
    contestants: Mapping[str, Row] = field(default_factory=dict)

    def of(self, column: str, dose: float, until: float | None, method: str | None = None) -> float | None:
        """A number of the method's (or another's) row in the usual world, in the unit of its column.

        :param dose: a factor, 1 is a usual scan; *until*: end of the scan, min, None for all of it.
        """
        return self._one(self.summary, column, dose, until, method=method or self.method)

    def ratio(
        self, reference: str, dose: float, until: float | None, quantity: str = "ki", method: str | None = None
    ) -> float | None:
        """Ratio of mean RMSEs, the method's (or another's) over the reference's, of "ki" or "v0"; usual world.

        :param dose: a factor, 1 is a usual scan; *until*: end of the scan, min, None for all of it.
        """
        about = {"method": method or self.method, "reference": reference, "quantity": quantity}
        return self._one(self.ratios, "ratio_of_means", dose, until, **about)

    def label(self, samples: int, solver: str | None = None) -> str | None:
        """Who ran the judged method with so many samples: with its own options, or another solver's default ones."""
        own = self.contestants.get(self.method)
        if own is None:
            return None
        options = own["options"] if solver is None else {"solver": solver}
        wanted = {"method": own["method"], "options": options, "samples": samples}
        return next(
            (name for name, one in self.contestants.items() if all(one[k] == v for k, v in wanted.items())), None
        )

    def mean_of(self, column: str, method: str | None) -> float | None:
        """Mean of a column over doses and ends of scan, usual world; None where nobody has it."""
        wanted = {"method": method, "input": AORTA, "world": USUAL}
        values = [row.get(column) for row in self.summary if all(row.get(k) == v for k, v in wanted.items())]
        numbers = [float(v) for v in values if isinstance(v, float | int)]
        return sum(numbers) / len(numbers) if numbers else None

    def box_width(self, method: str, dose: float, until: float | None) -> float | None:
        """Mean width of the limits of agreement with the truth in the tumour boxes, mL/min/mL; usual world.

        :param dose: a factor, 1 is a usual scan; *until*: end of the scan, min, None for all of it.
        """
        rows = self._boxes(method, dose, until)
        widths = [float(r["loa_upper"]) - float(r["loa_lower"]) for r in rows]  # type: ignore[arg-type]
        return sum(widths) / len(widths) if widths else None

    def box_shares(self, dose: float, until: float | None) -> float | None:
        """Share (percent) of tumour boxes whose bias interval includes 0.

        :param dose: a factor, 1 is a usual scan; *until*: end of the scan, min, None for all of it.
        """
        rows = self._boxes(self.method, dose, until)
        return 100.0 * sum(bool(r["bias_ci_includes_0"]) for r in rows) / len(rows) if rows else None

    def _boxes(self, method: str, dose: float, until: float | None) -> list[Row]:
        wanted = {"method": method, "dose": dose, "until_min": until, "input": AORTA, "world": USUAL}
        return [r for r in self.tumours if r["reference"] == TRUTH and all(r[k] == v for k, v in wanted.items())]

    @staticmethod
    def _one(rows: Sequence[Row], column: str, dose: float, until: float | None, **more: object) -> float | None:
        wanted: dict[str, object] = {"dose": dose, "until_min": until, "input": AORTA, "world": USUAL, **more}
        for row in rows:
            if all(row.get(k) == v for k, v in wanted.items()):
                value = row.get(column)
                return float(value) if isinstance(value, float | int) else None
        return None


#: a number of a study; None where the study does not have it
Measure = Callable[[StudyNumbers], float | None]


@dataclass(frozen=True)
class Gate:
    """One demand.

    :param measure: in words.
    :param value: how it is measured; None where the study does not have it.
    :param better: whether low or high values are good.
    :param required: the bound, None where only a *stretch* is asked, the better bound.
    """

    measure: str
    value: Measure
    required: float | None
    stretch: float | None = None
    better: Literal["low", "high"] = "low"

    def row(self, study: StudyNumbers) -> dict[str, object]:
        """A row of ``gates.tsv``; verdicts are "pass", "miss" or "not run"."""
        found = self.value(study)
        missed_by = None
        if found is not None and self.required is not None:
            missed_by = (found - self.required) * (1 if self.better == "low" else -1)
        return {
            "measure": self.measure,
            "found": found,
            "required": self.required,
            "verdict": None if self.required is None else self._verdict(found, self.required),
            "missed_by": missed_by if missed_by is not None and missed_by > 0 else None,
            "stretch": self.stretch,
            "stretch_verdict": None if self.stretch is None else self._verdict(found, self.stretch),
            "better": self.better,
        }

    def _verdict(self, found: float | None, bound: float) -> str:
        if found is None:
            return "not run"
        return "pass" if (found <= bound if self.better == "low" else found >= bound) else "miss"


def gate_rows(gates: Sequence[Gate], study: StudyNumbers) -> list[dict[str, object]]:
    """Every gate with what was found."""
    return [gate.row(study) for gate in gates]


def ratio(reference: str, dose: float, until: float | None, quantity: str = "ki") -> Measure:
    """The ratio of mean RMSEs to a reference of :mod:`petkinetics.studies.ratios`, of "ki" or "v0"; no unit.

    :param dose: a factor, 1 is a usual scan; *until*: end of the scan, min, None for all of it.
    """
    return lambda study: study.ratio(reference, dose, until, quantity)


def number(column: str, dose: float, until: float | None) -> Measure:
    """A column of ``summary.tsv``, in the unit of that column.

    :param dose: a factor, 1 is a usual scan; *until*: end of the scan, min, None for all of it.
    """
    return lambda study: study.of(column, dose, until)


def size(column: str, dose: float, until: float | None) -> Measure:
    """The absolute value of such a number.

    :param dose: a factor, 1 is a usual scan; *until*: end of the scan, min, None for all of it.
    """

    def value(study: StudyNumbers) -> float | None:
        found = study.of(column, dose, until)
        return None if found is None else abs(found)

    return value


def box_against(other: str, until: float) -> Measure:
    """Width of the method's limits in the tumour boxes over another's, at dose 1; no unit.

    :param until: end of the scan, min.
    """

    def value(study: StudyNumbers) -> float | None:
        own, its = study.box_width(study.method, 1.0, until), study.box_width(other, 1.0, until)
        return None if own is None or not its else own / its

    return value


def worst_world(kind: str, column: str, until: float | None, any_dose: bool = False) -> Measure:
    """The worst world of a kind, at dose 1 or at any dose run: highest cost, or lowest gain that remains.

    :param column: of :func:`petkinetics.studies.ratios.world_costs`, percent.
    :param until: end of the scan, min; None for all of it.
    """

    def value(study: StudyNumbers) -> float | None:
        doses = {float(row["dose"]) for row in study.summary} if any_dose else {1.0}  # type: ignore[arg-type]
        costs = [cost for dose in doses for cost in world_costs(study.summary, study.method, dose, until)]
        found = [c[column] for c in costs if c["kind"] == kind]
        numbers = [float(v) for v in found if isinstance(v, float | int)]
        if not numbers:
            return None
        return max(numbers) if column.startswith("cost") else min(numbers)

    return value
