"""The gates of the learned methods: what a study must show, and whether it does.

Ratios are of the mean RMSE over patients (:mod:`petkinetics.evaluate.study_ratios`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from petkinetics.evaluate.study_ratios import (
    BEST_CLASSICAL,
    FULL_SCAN_NOISY,
    WEIGHTED_PATLAK,
    world_costs,
)

Row = Mapping[str, object]
AORTA = "aorta ROI"
USUAL = "usual"


@dataclass(frozen=True)
class Figures:
    """What a study measured, with the aorta region's input function.

    :param method: its label in the tables.
    :param summary: rows of ``summary.tsv``.
    :param ratios: rows of ``ratios.tsv``.
    :param tumours: rows of ``tumour_roi.tsv``.
    """

    method: str
    summary: Sequence[Row]
    ratios: Sequence[Row]
    tumours: Sequence[Row]

    def of(self, column: str, dose: float, until: float | None, method: str | None = None) -> float | None:
        """A number of the method's (or another's) row in the usual world."""
        return self._one(self.summary, column, dose, until, method=method or self.method)

    def ratio(self, reference: str, dose: float, until: float | None, quantity: str = "ki") -> float | None:
        """Ratio of mean RMSEs."""
        column = "ratio_of_means"
        return self._one(self.ratios, column, dose, until, method=self.method, reference=reference, quantity=quantity)

    def box_width(self, method: str, dose: float, until: float | None) -> float | None:
        """Mean width of the limits of agreement in the tumour boxes."""
        rows = self._boxes(method, dose, until)
        widths = [float(r["loa_upper"]) - float(r["loa_lower"]) for r in rows]  # type: ignore[arg-type]
        return sum(widths) / len(widths) if widths else None

    def box_shares(self, dose: float, until: float | None) -> float | None:
        """Share (percent) of tumour boxes whose bias interval includes 0."""
        rows = self._boxes(self.method, dose, until)
        return 100.0 * sum(bool(r["bias_ci_includes_0"]) for r in rows) / len(rows) if rows else None

    def _boxes(self, method: str, dose: float, until: float | None) -> list[Row]:
        wanted = {"method": method, "dose": dose, "until_min": until, "input": AORTA, "world": USUAL}
        return [r for r in self.tumours if r["reference"] == "truth" and all(r[k] == v for k, v in wanted.items())]

    @staticmethod
    def _one(rows: Sequence[Row], column: str, dose: float, until: float | None, **more: object) -> float | None:
        wanted: dict[str, object] = {"dose": dose, "until_min": until, "input": AORTA, "world": USUAL, **more}
        for row in rows:
            if all(row.get(k) == v for k, v in wanted.items()):
                value = row.get(column)
                return float(value) if isinstance(value, float | int) else None
        return None


@dataclass(frozen=True)
class Gate:
    """One demand.

    :param measure: in words.
    :param value: how it is measured; None where the study does not have it.
    :param better: whether low or high values are good.
    :param required: the bound, None where only a *stretch* is asked, the better bound.
    """

    measure: str
    value: Callable[[Figures], float | None]
    required: float | None
    stretch: float | None = None
    better: Literal["low", "high"] = "low"

    def row(self, figures: Figures) -> dict[str, object]:
        """A row of ``gates.tsv``; verdicts are "pass", "miss" or "not run"."""
        found = self.value(figures)
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


def gate_rows(gates: Sequence[Gate], figures: Figures) -> list[dict[str, object]]:
    """Every gate with what was found."""
    return [gate.row(figures) for gate in gates]


def _ratio(reference: str, dose: float, until: float | None, quantity: str = "ki") -> Callable[[Figures], float | None]:
    return lambda figures: figures.ratio(reference, dose, until, quantity)


def _number(column: str, dose: float, until: float | None) -> Callable[[Figures], float | None]:
    return lambda figures: figures.of(column, dose, until)


def _size(column: str, dose: float, until: float | None) -> Callable[[Figures], float | None]:
    def value(figures: Figures) -> float | None:
        found = figures.of(column, dose, until)
        return None if found is None else abs(found)

    return value


def _box_against(other: str, until: float) -> Callable[[Figures], float | None]:
    """Width of the method's limits over another's."""

    def value(figures: Figures) -> float | None:
        own, its = figures.box_width(figures.method, 1.0, until), figures.box_width(other, 1.0, until)
        return None if own is None or not its else own / its

    return value


def _worst_world(kind: str, column: str, until: float | None) -> Callable[[Figures], float | None]:
    """The worst world of a kind: highest cost, or lowest gain that remains."""

    def value(figures: Figures) -> float | None:
        costs = world_costs(figures.summary, figures.method, 1.0, until)
        found = [c[column] for c in costs if c["kind"] == kind]
        numbers = [float(v) for v in found if isinstance(v, float | int)]
        if not numbers:
            return None
        return max(numbers) if column.startswith("cost") else min(numbers)

    return value


_UNTIL = 35.0
#: issue 5, dose 1 and 35 min unless said otherwise
_NETWORK = (
    Gate("RMSE of Ki ÷ weighted Patlak of the same frames", _ratio(WEIGHTED_PATLAK, 1.0, _UNTIL), 0.42, 0.34),
    Gate("RMSE of Ki ÷ best tuned regularised Patlak", _ratio(BEST_CLASSICAL, 1.0, _UNTIL), 0.80, 0.65),
    Gate("RMSE of Ki ÷ noisy full-scan Patlak", _ratio(FULL_SCAN_NOISY, 1.0, _UNTIL), 1.1, 0.85),
    Gate("SSIM", _number("ki_ssim_mean", 1.0, _UNTIL), 0.90, 0.94, "high"),
    Gate("lesions: mean absolute Ki error, %", _number("lesion_mean_absolute_bias_percent", 1.0, _UNTIL), 11.0, 8.0),
    Gate("lesions: size of the mean bias, %", _size("lesion_mean_bias_percent", 1.0, _UNTIL), 7.0, 4.0),
    Gate("organs: mean absolute bias, %", _number("organ_absolute_bias_percent", 1.0, _UNTIL), 13.0, 8.0),
    Gate("organs with Ki < .003: mean absolute bias, mL/min/mL", _number("low_organ_absolute_bias", 1.0, _UNTIL), 2e-4),
    Gate("V0 RMSE ÷ weighted Patlak's", _ratio(WEIGHTED_PATLAK, 1.0, _UNTIL, "v0"), 0.5, 0.35),
    Gate("dose 1/4: RMSE of Ki ÷ weighted Patlak", _ratio(WEIGHTED_PATLAK, 0.25, _UNTIL), 0.30, 0.26),
    *(
        Gate(f"unseen {kind}: cost of the worst, %", _worst_world(kind, "cost_percent", _UNTIL), 25.0, 12.0)
        for kind in ("framing", "input function", "noise")
    ),
    Gate("tumour box: width of the limits ÷ weighted Patlak's", _box_against("patlak", _UNTIL), 1.0),
    Gate("tumour box: width of the limits ÷ direct-network's", _box_against("direct-network", _UNTIL), 1.0),
    Gate(
        "tumour box: patients whose bias interval includes 0, %",
        lambda figures: figures.box_shares(1.0, _UNTIL),
        None,
        95.0,
        "high",
    ),
)


def _diffusion() -> tuple[Gate, ...]:
    """Issue 6: the full scan."""
    gates: list[Gate] = []
    bounds = (
        # dose, ÷ Patlak, stretch, ÷ classical, SSIM, stretch
        (1.0, 0.53, 0.45, 0.85, 0.93, 0.96),
        (0.25, 0.41, 0.35, 0.80, 0.89, 0.92),
        (0.1, 0.37, 0.30, 0.80, 0.82, 0.87),
    )
    for dose, plain, plain_stretch, tuned, ssim, ssim_stretch in bounds:
        at = f"dose {dose:g}: "
        gates += [
            Gate(at + "RMSE of Ki ÷ weighted Patlak", _ratio(WEIGHTED_PATLAK, dose, None), plain, plain_stretch),
            Gate(at + "RMSE of Ki ÷ best tuned classical", _ratio(BEST_CLASSICAL, dose, None), tuned, 0.70),
            Gate(at + "SSIM", _number("ki_ssim_mean", dose, None), ssim, ssim_stretch, "high"),
            Gate(at + "V0 RMSE ÷ weighted Patlak's", _ratio(WEIGHTED_PATLAK, dose, None, "v0"), 0.55, 0.45),
            Gate(at + "organs: mean absolute bias, %", _number("organ_absolute_bias_percent", dose, None), 8.0, 4.0),
            Gate(
                at + "organs with Ki < .003: mean absolute bias, mL/min/mL",
                _number("low_organ_absolute_bias", dose, None),
                2e-4,
            ),
        ]
        for place, one, two in (("body", 58.0, 88.0), ("lesion", 45.0, 75.0)):
            gates += [
                Gate(
                    f"{at}truth within 1 SD, {place}, %",
                    _number(f"ki_within_1_sd_{place}_percent_mean", dose, None),
                    one,
                    64.0 if place == "body" else 58.0,
                    "high",
                ),
                Gate(
                    f"{at}truth within 2 SD, {place}, %",
                    _number(f"ki_within_2_sd_{place}_percent_mean", dose, None),
                    two,
                    93.0 if place == "body" else 88.0,
                    "high",
                ),
            ]
        gates += [
            Gate(
                f"{at}truth within 1 SD, body, %: not above",
                _number("ki_within_1_sd_body_percent_mean", dose, None),
                78.0,
                72.0,
            )
        ]
    gates += [
        Gate("dose 1/4: lesions: size of the mean bias, %", _size("lesion_mean_bias_percent", 0.25, None), 6.0, 3.0),
        Gate(
            "dose 1/4: contrast recovery of lesions ≥ 12 mm, %",
            _number("lesion_contrast_recovery_percent_12mm", 0.25, None),
            90.0,
            95.0,
            "high",
        ),
        *(
            Gate(
                f"unseen {kind}: gain over weighted Patlak that remains in the worst, %",
                _worst_world(kind, "gain_kept_percent", None),
                75.0,
                better="high",
            )
            for kind in ("noise", "voxels")
        ),
    ]
    return tuple(gates)


#: by the method that they were made for
GATES: Mapping[str, tuple[Gate, ...]] = {
    "kinetic-network": _NETWORK,
    "direct-network": _NETWORK,
    "diffusion-prior": _diffusion(),
    "prior-alone": tuple(
        Gate(
            f"dose {dose:g}: RMSE of Ki ÷ best tuned classical, pure prior",
            _ratio(BEST_CLASSICAL, dose, None),
            0.93,
            0.85,
        )
        for dose in (1.0, 0.25, 0.1)
    ),
}
