"""Methods side by side on the same patients: ratios of their errors, and what an unseen world costs.

Three ratios are given. The gates use the ratio of the mean RMSE over patients, since it weighs patients as their
errors do and no single quiet patient can decide it; beside it stand the mean of the patients' own ratios
and the ratio of the RMSE pooled over all voxels (root of the mean of the squares).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from petkinetics.studies.names import AORTA, CASE, PATLAK, PATLAK_OF_FULL_SCAN, USUAL

Row = Mapping[str, object]

WEIGHTED_PATLAK = "weighted Patlak"
BEST_CLASSICAL = "best tuned classical"
FULL_SCAN_NOISY = "noisy full-scan Patlak"
#: kinds of change by the word that a world's name begins with
_KINDS = {
    "frames": "framing",
    "late": "framing",
    "bolus": "input function",
    "clearance": "input function",
    "noise-fwhm": "noise",
    "noise": "noise",
    "voxel": "voxels",
    "dose": "dose",
    "lesions": "lesions",
    "weight": "body",
    "move": "movement",
    "drift": "movement",
    "tracer": "tracer",
}


def case_of(row: Row) -> tuple[object, ...]:
    """World, dose, end of scan and input function."""
    return tuple(row.get(name, USUAL) if name == "world" else row[name] for name in CASE)


def best_classical(summary: Sequence[Row], classical: Sequence[str]) -> dict[tuple[object, ...], str]:
    """Of every case, the classical method of least mean RMSE of Ki."""
    best: dict[tuple[object, ...], tuple[float, str]] = {}
    for row in summary:
        value = row["ki_rmse_mean"]
        if row["method"] not in classical or not isinstance(value, float | int):
            continue
        found = (float(value), str(row["method"]))
        best[case_of(row)] = min(best.get(case_of(row), found), found)
    return {case: method for case, (_, method) in best.items()}


def ratio_rows(
    patients: Sequence[Row], summary: Sequence[Row], classical: Sequence[str], judged: Sequence[str]
) -> list[dict[str, object]]:
    """Rows of ``ratios.tsv``: RMSE of Ki and V0 of each judged method over that of each reference.

    :param patients: rows of ``patients.tsv``.
    :param classical: labels of which the best of each case is a reference.
    :param judged: labels of the methods to judge.
    """
    best = best_classical(summary, classical)
    by_key: dict[tuple[object, ...], dict[object, Row]] = {}
    for row in patients:
        by_key.setdefault((row["method"], *case_of(row)), {})[row["seed"]] = row
    rows: list[dict[str, object]] = []
    for case in dict.fromkeys(case_of(row) for row in patients):
        references = {
            WEIGHTED_PATLAK: PATLAK,
            BEST_CLASSICAL: best.get(case),
            FULL_SCAN_NOISY: PATLAK_OF_FULL_SCAN,
        }
        for method in judged:
            own = by_key.get((method, *case), {})
            for name, label in references.items():
                its = by_key.get((label, *case), {})
                shared = [seed for seed in own if seed in its]
                if method == label or not shared:
                    continue
                for quantity in ("ki", "v0"):
                    numbers = _ratios([own[s] for s in shared], [its[s] for s in shared], f"{quantity}_rmse")
                    if numbers is not None:
                        head = dict(zip(CASE, case, strict=True))
                        about = {"reference": name, "reference_method": label, "quantity": quantity}
                        rows.append({"method": method, **about, **head, "patients": len(shared), **numbers})
    return rows


def _ratios(own: Sequence[Row], its: Sequence[Row], column: str) -> dict[str, object] | None:
    a, b = ([row[column] for row in rows] for rows in (own, its))
    if not all(isinstance(v, float | int) and v > 0 for v in (*a, *b)):
        return None
    x, y = np.array(a, dtype=float), np.array(b, dtype=float)
    each = x / y
    return {
        "ratio_of_means": float(x.mean() / y.mean()),
        "mean_of_ratios": float(each.mean()),
        "sd_of_ratios": float(each.std(ddof=1)) if each.size > 1 else None,
        "ratio_of_pooled": float(np.sqrt(np.mean(x**2) / np.mean(y**2))),
    }


def world_costs(summary: Sequence[Row], method: str, dose: float, until: float | None) -> list[dict[str, object]]:
    """What each unseen world costs a method, with the aorta region's input function.

    ``cost_percent``: how much its RMSE over that of weighted Patlak on the same data is above the same in the
    usual world (a scan that is harder for everybody costs nothing); ``growth_percent``: how much the
    RMSE itself is; ``gain_kept_percent``: what share of the gain over weighted Patlak remains.

    :param dose: a factor, 1 is a usual scan; *until*: end of the scan, min, None for all of it.
    """
    wanted = {"dose": dose, "until_min": until, "input": AORTA}
    found: dict[tuple[object, object], float] = {}
    for row in summary:
        value = row["ki_rmse_mean"]
        if all(row[k] == v for k, v in wanted.items()) and isinstance(value, float | int):
            found[row["method"], row.get("world", USUAL)] = float(value)
    rows: list[dict[str, object]] = []
    usual, usual_plain = found.get((method, USUAL)), found.get((PATLAK, USUAL))
    if usual is None or usual_plain is None:
        return rows
    at_home = usual / usual_plain
    for (name, world), value in found.items():
        plain = found.get((PATLAK, world))
        if name != method or world == USUAL or plain is None:
            continue
        here = value / plain
        rows.append(
            {
                "world": world,
                "kind": kind_of(str(world)),
                "ki_rmse_mean": value,
                "ratio_to_patlak": here,
                "cost_percent": 100.0 * (here / at_home - 1.0),
                "growth_percent": 100.0 * (value / usual - 1.0),
                "gain_kept_percent": 100.0 * (1.0 - here) / (1.0 - at_home) if at_home < 1.0 else None,
            }
        )
    return rows


def kind_of(world: str) -> str:
    """What a world changes: framing, input function, noise, voxels, movement ..., or several."""
    kinds = {_KINDS[part.partition("=")[0]] for part in world.split("+")}
    return kinds.pop() if len(kinds) == 1 else "several"
