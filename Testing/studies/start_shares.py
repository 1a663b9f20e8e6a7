"""How the start of `diffusion-prior` came to its shares, its level, how much of the steps is kept, and its SD.

Validation patients, whole scans, slices around the largest lesion, the aorta region's curve. One row a patient, dose
and variant: RMSE of Ki, of the activity at the mean Patlak time and of V0 over weighted Patlak's, the lesions' mean
absolute bias; of SDs, the share of body and lesions within one and two of them.

    python Testing/studies/start_shares.py OUT.tsv --seeds 90003 90004 90010 90013 --doses 1 0.25 0.1
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prior_schedules import estimate_with

from petkinetics.estimators.boxes import box_around
from petkinetics.estimators.curve_error import brought_to_level, curve_error
from petkinetics.estimators.diffusion_run import (
    DRAWS,
    PRIOR,
    SAMPLE_STEPS,
    SCHEDULES,
    START,
    START_FLIPS,
    DiffusionRun,
)
from petkinetics.estimators.estimator import no_progress
from petkinetics.estimators.explained import explained
from petkinetics.estimators.nlm import SEARCH_MM, non_local_means
from petkinetics.estimators.posterior import half_quadratic, posterior_sample
from petkinetics.estimators.regularised import MARGIN_MM, smoothed
from petkinetics.simulate.patient import Body, DigitalPatient, grid
from petkinetics.studies.names import USUAL
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of
from petkinetics.studies.worlds import World
from petkinetics.write.tables import write_table

Float32 = NDArray[np.float32]
#: shares of the network of the whole scan, of the prior's network and of non-local means
KI = ((1, 0, 0), (0.5, 0.2, 0.3), (0.55, 0.15, 0.3), (0.7, 0.1, 0.2), (0, 1, 0), (0, 0, 1))
#: how far the last two are brought to the level of the first
BELIEVED = (0.0, 0.3, 0.6, 1.0)
ACTIVITY = ((1, 0, 0), (0.5, 0.5, 0), (0.4, 0, 0.6), (0.3, 0.1, 0.6))
STEPS = (0.3, 1.0)
THRESHOLDS = (2.0, 3.0, 4.0)
FACTORS, RELATIVE = (1.1, 1.3, 1.5, 1.75), (0.0, 0.05, 0.09, 0.12)
SAMPLES, SD_SMOOTHING_MM, STRENGTHS = 4, 8.0, (2.0, 1.4)


def scan(seed: int, dose: float, slices: int, anatomy: str) -> DigitalPatient:
    """A patient, in slices around the largest lesion."""
    whole = grid("full", anatomy)
    largest = max(Body.random(anatomy, seed).lesions, key=lambda lesion: lesion.diameter_mm, default=None)
    shift = 0
    if largest is not None:
        at = (largest.centre_mm[2] - whole.origin_mm[2]) / whole.spacing_mm[2]
        shift = round(at - (whole.shape[0] - 1) / 2)
    return World.parse(USUAL).patient(
        anatomy, "full", seed, dose, middle_slices("full", slices, shift, anatomy), no_progress
    )


class Judge:
    """Numbers of normalised images.

    :param truth: normalised, (2, slices, rows, columns).
    """

    def __init__(self, run: DiffusionRun, truth: Float32, body: NDArray[np.bool_], lesions: NDArray[np.uint8]) -> None:
        self.run, self.truth, self.body, self.lesions = run, truth, body, lesions
        self.plain = self._rmse(run.normal.values)

    def _rmse(self, values: Float32) -> list[float]:
        error = values - self.truth
        all_three = (*error, self.run.normal.parameters(values)[1] - self.run.normal.parameters(self.truth)[1])
        return [float(np.sqrt(np.mean(one[self.body] ** 2))) for one in all_three]

    def numbers(self, values: Float32) -> dict[str, object]:
        """Ratios to weighted Patlak's RMSE, and the lesions' mean absolute bias of Ki, %."""
        ki, activity, v0 = (a / b for a, b in zip(self._rmse(values), self.plain, strict=True))
        parts = [self.lesions == number for number in np.unique(self.lesions[self.lesions > 0])]
        biases = [abs(values[0][p].mean() / self.truth[0][p].mean() - 1.0) for p in parts if p.sum() > 30]
        found = {"ki": ki, "activity": activity, "v0": v0}
        return found | {"lesions_percent": 100.0 * float(np.mean(biases)) if biases else float("nan")}

    def coverage(self, ki: Float32, sd: Float32) -> dict[str, object]:
        """Per cent of body and of lesions whose true Ki (mL/min/mL) is within one and two SD."""
        off = np.abs(ki - self.run.normal.parameters(self.truth)[0]) / sd
        found: dict[str, object] = {}
        for place, where in (("body", self.body), ("lesions", self.lesions > 0)):
            for reach in (1, 2):
                found[f"{place}_{reach}_sd"] = 100.0 * float(np.mean(off[where] < reach)) if where.any() else None
        return found


def variants(run: DiffusionRun, judge: Judge, starts_alone: bool) -> dict[str, dict[str, object]]:
    """Every variant's numbers."""
    y, prior, schedule = run.normal.values, run.denoiser(PRIOR), SCHEDULES["start-hqs"]
    means = non_local_means(run.images, STRENGTHS, SEARCH_MM, no_progress)
    like = np.stack([m[n] for n, m in enumerate(means)]) * run.normal.unit[:, None, None, None]
    starts = np.stack([run.start(), run.denoiser(START, START_FLIPS)(y, 1.0), like])
    found: dict[str, dict[str, object]] = {}

    def walked(start: Float32) -> Float32:
        return half_quadratic(y, prior, run._fresh, schedule.levels(schedule.steps), schedule.weight, start) - start

    quiet = np.stack([0.5 * (starts[1, 0] + starts[2, 0]), starts[2, 1]])
    for believed in BELIEVED:
        level = curve_error(starts[0, 0], quiet, run.images.inside, run.images.spacing_mm, believed)
        levelled = np.stack([starts[0], *(brought_to_level(one, level) for one in starts[1:])])
        for ki in KI:
            for activity in ACTIVITY if believed == 0 else ACTIVITY[-1:]:
                shares = np.array((ki, activity), np.float32)
                mixed = np.einsum("im,mizyx->izyx", shares, levelled)
                found[f"Ki {ki}, activity {activity}, level {believed:g}"] = judge.numbers(mixed)
    plain = run._mean_start(starts[0])
    found["as the engine mixes"] = judge.numbers(plain)
    if starts_alone:
        return found
    y = run.normal.values
    for share in STEPS:
        kept = plain + np.array([share, 0.0], np.float32)[:, None, None, None] * walked(plain)
        found[f"as the engine mixes, {share:g} of the steps"] = judge.numbers(kept)
    kept = plain + np.array([0.3, 0.0], np.float32)[:, None, None, None] * walked(plain)
    for threshold in THRESHOLDS:
        back = explained(y, kept, run.normal.sigma, run.images.correlation, threshold)
        found[f"as the engine mixes, given back from {threshold:g} SD"] = judge.numbers(back)
    levels = np.geomspace(1.0, 0.1, SAMPLE_STEPS).tolist()
    draws = [
        run.normal.parameters(posterior_sample(y, run.denoiser(DRAWS), run._fresh, levels))[0] for _ in range(SAMPLES)
    ]
    variance = smoothed(np.var(draws, axis=0, ddof=1), run.images.spacing_mm, SD_SMOOTHING_MM)
    value = run.normal.parameters(kept)[0]
    for factor in FACTORS:
        for relative in RELATIVE:
            sd = np.sqrt(factor**2 * np.maximum(variance, 0.0) + (relative * value) ** 2)
            found[f"SD: factor {factor:g}, relative {relative:g}"] = judge.coverage(value, sd)
    return found


def case(
    seed: int, dose: float, anatomy: str, slices: int, weights: Path | None, starts_alone: bool
) -> list[dict[str, object]]:
    """All variants of one scan; with the true curve where no aorta is in view."""
    patient = scan(seed, dose, slices, anatomy)
    curve = aorta_input(patient, None) if np.any(patient.aorta) else patient.input_function
    problem = problem_of(patient, curve, 9.0, None)
    rows: list[dict[str, object]] = []

    def solve(run: DiffusionRun, solver: str, steps: int) -> Float32:
        del solver, steps
        box = box_around(problem.mask, problem.series.geometry.shape, run.images.spacing_mm, MARGIN_MM)
        true = np.stack([patient.truth[f"{name}_patlak_9_65"][box] for name in ("ki", "v0")]).astype(np.float32)
        judge = Judge(run, run.normal.normalised(true), patient.body_mask[box], patient.lesions[box])
        head = {"anatomy": anatomy, "seed": seed, "dose": dose, "noise_to_contrast": run.images.noise_to_contrast}
        columns = ("ki", "activity", "v0", "lesions_percent", "body_1_sd", "body_2_sd", "lesions_1_sd", "lesions_2_sd")
        for name, numbers in variants(run, judge, starts_alone).items():
            rows.append(head | {"variant": name} | {column: numbers.get(column) for column in columns})
        return run.normal.values

    estimate_with(solve, replace(problem, weights=weights))
    return rows


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[90003, 90004, 90010, 90013])
    parser.add_argument("--doses", type=float, nargs="+", default=[1.0, 0.25, 0.1])
    parser.add_argument("--anatomy", default="thorax")
    parser.add_argument("--slices", type=int, default=12)
    parser.add_argument("--starts-alone", action="store_true", help="neither steps nor SD")
    parser.add_argument("--weights", type=Path)
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    for seed in given.seeds:
        for dose in given.doses:
            rows += case(seed, dose, given.anatomy, given.slices, given.weights, given.starts_alone)
            write_table(given.out, rows)
            print(seed, dose, flush=True)


if __name__ == "__main__":
    main()
