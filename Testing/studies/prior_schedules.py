"""How `diffusion-prior` came to its schedules: solvers, their steps, and how much of each start is taken.

Validation patients, whole scans, the aorta region's curve. All variants follow the same two starts.
Rows are RMSE of Ki and V0 over weighted Patlak's, and SSIM of Ki, one row a patient, dose and variant:

    python Testing/studies/prior_schedules.py OUT.tsv --seeds 90003 90005 --doses 1 0.25 0.1 [--anatomy total-body]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators import make_estimator
from petkinetics.estimators.boxes import box_around
from petkinetics.estimators.diffusion_prior import DiffusionPriorPatlak
from petkinetics.estimators.diffusion_run import ALONE_FLIPS, PRIOR, START, START_FLIPS, DiffusionRun
from petkinetics.estimators.estimator import Problem, estimate_in_memory, no_progress
from petkinetics.estimators.explained import explained
from petkinetics.estimators.patlak import Patlak
from petkinetics.estimators.posterior import half_quadratic
from petkinetics.estimators.regularised import MARGIN_MM
from petkinetics.evaluate.image_quality import image_quality
from petkinetics.studies.contestants import classical
from petkinetics.studies.names import USUAL
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of
from petkinetics.studies.worlds import World
from petkinetics.write.tables import write_table

Float32 = NDArray[np.float32]
T_STAR_MIN = 9.0
#: shares of the start that sees the whole scan, in Ki and in the activity (of three: start_shares.py)
SHARES = ((0.5, 0.5), (0.8, 0.7), (1.0, 1.0))
#: first and last noise level, steps, weight: after the starts
AFTER = ((0.15, 0.05, 3, 4.0), (0.2, 0.05, 3, 4.0))
#: the prior alone, from the data on, and after one evaluation at noise level 1
WALKS = ((1.0, 0.2, 5, 2.0), (1.0, 0.1, 10, 1.0))
ALONE = ((0.3, 0.1, 3, 2.0), (0.8, 0.1, 9, 1.0), (0.8, 0.1, 9, 2.0), (0.8, 0.1, 19, 1.0))
SEEDS = 4


def variants(run: DiffusionRun) -> dict[str, Float32]:
    """Every variant's normalised images."""
    y, fresh = run.normal.values, run._fresh
    prior = run.denoiser(PRIOR)
    by_scan, by_prior = run.start(), run.denoiser(START, START_FLIPS)(y, 1.0)
    found = {"start of the scan": by_scan, "start of the prior": by_prior}
    for ki, activity in SHARES:
        share = np.array([ki, activity], np.float32)[:, None, None, None]
        start = share * by_scan + (1 - share) * by_prior
        found[f"mixed {ki:g}/{activity:g}"] = start
        for first, last, steps, weight in AFTER:
            taus = np.geomspace(first, last, steps).tolist()
            name = f"mixed {ki:g}/{activity:g}, {steps} steps {first:g}-{last:g}, {weight:g}"
            found[name] = half_quadratic(y, prior, fresh, taus, weight, start)
    prior = run.denoiser("prior alone", ALONE_FLIPS)
    once = prior(y, 1.0)
    found["prior alone, one evaluation at 1"] = once
    for begin, schedules in ((None, WALKS), (once, ALONE)):
        for first, last, steps, weight in schedules:
            taus = np.geomspace(first, last, steps).tolist()
            draws = [half_quadratic(y, prior, fresh, taus, weight, begin) for _ in range(SEEDS)]
            name = f"prior alone, {'' if begin is None else '1 + '}{steps} steps {first:g}-{last:g}, {weight:g}"
            found |= {name: draws[0], f"{name}, mean of {SEEDS}": np.mean(draws, axis=0)}
    return found


def estimate_with(solve: Callable[[DiffusionRun, str, int], Float32], problem: Problem) -> None:
    """Estimate with *solve* in the place of the estimator's own, so that it can look at everything inside."""
    original = DiffusionRun.solve
    DiffusionRun.solve = solve  # type: ignore[method-assign]
    try:
        estimate_in_memory(DiffusionPriorPatlak(), problem)
    finally:
        DiffusionRun.solve = original  # type: ignore[method-assign]


def case(seed: int, dose: float, anatomy: str, slices: int, weights: Path | None) -> list[dict[str, object]]:
    """All variants of one scan."""
    patient = World.parse(USUAL).patient(
        anatomy, "full", seed, dose, middle_slices("full", slices, 0, anatomy), no_progress
    )
    problem = problem_of(patient, aorta_input(patient, None), T_STAR_MIN, None)
    truth = {name: patient.truth[f"{name}_patlak_9_65"] for name in ("ki", "v0")}
    body = patient.body_mask

    def numbers(ki: Float32, v0: Float32) -> tuple[float, float, float]:
        rmse = [float(np.sqrt(np.mean((m - truth[n])[body] ** 2))) for n, m in (("ki", ki), ("v0", v0))]
        return rmse[0], rmse[1], image_quality(ki, truth["ki"], body).ssim

    def maps(result: dict[str, object]) -> tuple[Float32, Float32]:
        return result["ki"].values, result["v0"].values  # type: ignore[attr-defined]

    plain = numbers(*maps(estimate_in_memory(Patlak(), problem)))
    rows: list[dict[str, object]] = []

    def add(name: str, found: tuple[float, float, float]) -> None:
        head = {"anatomy": anatomy, "seed": seed, "dose": dose, "variant": name}
        rows.append(head | {"ki": found[0] / plain[0], "v0": found[1] / plain[1], "ssim": found[2]})

    add("patlak", plain)
    for contestant in classical(dose, None, True):
        if contestant.method == "nlm" and contestant.options:
            own = replace(problem, options=contestant.options)
            add("nlm, tuned", numbers(*maps(estimate_in_memory(make_estimator("nlm"), own))))
    seen: dict[str, Float32] = {}

    def solve(run: DiffusionRun, solver: str, steps: int) -> Float32:
        del solver, steps
        box = {}
        for name, values in variants(run).items():
            kept = explained(run.normal.values, values, run.normal.sigma, run.images.correlation)
            box[name] = run.normal.parameters(kept)
        seen.update(box)
        seen["inside"] = run.images.inside  # type: ignore[assignment]
        return run.normal.values

    estimate_with(solve, replace(problem, weights=weights))
    geometry = problem.series.geometry
    box = box_around(problem.mask, geometry.shape, geometry.spacing_mm[::-1], MARGIN_MM)
    for name, (ki, v0) in ((n, v) for n, v in seen.items() if n != "inside"):
        whole = np.zeros((2, *truth["ki"].shape), np.float32)
        whole[:, box[0], box[1], box[2]] = np.stack([ki, v0]) * seen["inside"]
        add(name, numbers(whole[0], whole[1]))
    return rows


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[90003, 90005])
    parser.add_argument("--doses", type=float, nargs="+", default=[1.0, 0.25, 0.1])
    parser.add_argument("--anatomy", default="thorax")
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    for seed in given.seeds:
        for dose in given.doses:
            rows += case(seed, dose, given.anatomy, given.slices, given.weights)
            write_table(given.out, rows)
            print(seed, dose, flush=True)


if __name__ == "__main__":
    main()
