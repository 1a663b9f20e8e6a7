"""Tune the strengths of the regularised Patlak methods on validation patients.

    python Testing/studies/tune_regularised.py OUT.tsv [SEED ...]

Every seed is simulated on the voxels of Liang et al. 2023 (some slices at differing heights of the
trunk) in three doses; every method runs over its grid on the scan until 35 min and on the full one.
One row a run is appended to OUT.tsv, so the seeds can be run one after another. With
``OUT.tsv --best`` the best setting of every case is printed instead, beside what the automatic
strength reaches, and the law that the automatic strength follows. Validation seeds only.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from petkinetics.estimators.estimator import Problem, no_progress
from petkinetics.estimators.gaussian import GaussianPatlak
from petkinetics.estimators.hypr import HyprPatlak
from petkinetics.estimators.nlm import SEARCH_MM, NonLocalMeansPatlak, non_local_means
from petkinetics.estimators.patlak import prepare_fit
from petkinetics.estimators.regularised import PatlakImages, RegularisedPatlak, read_images
from petkinetics.estimators.total_variation import TotalVariationPatlak
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.simulate.seeds import VALIDATION_SEEDS
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of

SLICES = 12
DOSES = (1.0, 0.25, 0.1)
ENDS_MIN = (35.0, 65.0)
T_STAR_MIN = 9.0
METHODS: tuple[RegularisedPatlak, ...] = (
    GaussianPatlak(),
    HyprPatlak(),
    NonLocalMeansPatlak(),
    TotalVariationPatlak(),
)
GRIDS = {
    "gaussian": (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16),
    "hypr": (3, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 21, 25),
    "nlm": (0.7, 0.9, 1.1, 1.4, 1.7, 2.0, 2.3, 2.6, 3.0, 3.4, 3.9, 4.5),
    "total-variation": (0.05, 0.08, 0.12, 0.17, 0.22, 0.28, 0.36, 0.45, 0.55, 0.7, 0.9, 1.2),
}
COLUMNS = (
    *("seed", "dose", "until_min", "method", "strength", "automatic", "ki_rmse", "lesion_bias"),
    *("ki_sd", "v0_sd", "noise_to_contrast", "correlation_sd_mm"),
)


def judge(patient: DigitalPatient, images: PatlakImages, box: tuple[slice, ...], values: np.ndarray) -> dict:
    """Ki's RMSE in the body and mean absolute relative bias of the lesions' means."""
    truth = patient.truth["ki_patlak_9_65"]
    ki = np.zeros_like(truth)
    ki[box] = images.parameters(values)[0] * images.inside
    body = patient.body_mask
    lesions = [patient.lesions == number for number in np.unique(patient.lesions)[1:]]
    bias = [abs(float(ki[m].mean() / truth[m].mean()) - 1.0) for m in lesions if m.sum() >= 8]
    return {
        "ki_rmse": float(np.sqrt(np.mean((ki - truth)[body].astype(np.float64) ** 2))),
        "lesion_bias": float(np.mean(bias)) if bias else float("nan"),
    }


def rows_of(seed: int):  # type: ignore[no-untyped-def]
    """All runs of one seed."""
    for dose in DOSES:
        shift = (seed % 5 - 2) * 8
        patient = simulate_patient("thorax", "full", seed, dose, geometry=middle_slices("full", SLICES, shift))
        for until in ENDS_MIN:
            problem = problem_of(patient, aorta_input(patient, until), T_STAR_MIN, until)
            images, _, box = read_images(problem, prepare_fit(problem))
            sd = np.sqrt(images.typical_scale * np.diag(images.turn @ images.turn.T))
            case = {
                "seed": seed,
                "dose": dose,
                "until_min": until,
                "ki_sd": float(sd[0]),
                "v0_sd": float(sd[1]),
                "noise_to_contrast": images.noise_to_contrast,
                "correlation_sd_mm": float(np.mean(images.correlation.sd_mm)),
            }
            yield case | {"method": "patlak", "strength": 0.0} | judge(patient, images, box, images.values)
            for method in METHODS:
                automatic = method.automatic_strength(images)
                strengths = [*map(float, GRIDS[method.method]), automatic]
                for strength, values in _regularised(method, images, problem, strengths):
                    yield (
                        case
                        | {"method": method.method, "strength": strength, "automatic": int(strength == automatic)}
                        | judge(patient, images, box, values)
                    )


def _regularised(
    method: RegularisedPatlak, images: PatlakImages, problem: Problem, strengths: list[float]
) -> Iterator[tuple[float, np.ndarray]]:
    """Every strength with its images; non-local means compares the patches once for all."""
    if isinstance(method, NonLocalMeansPatlak):
        yield from zip(strengths, non_local_means(images, strengths, SEARCH_MM, no_progress), strict=True)
        return
    for strength in strengths:
        yield strength, method.regularise(images, strength, problem, no_progress).values


def tune(out: Path, seeds: list[int]) -> None:
    """Append the runs of some seeds."""
    if set(seeds) - set(VALIDATION_SEEDS):
        sys.exit("Tuning touches validation seeds only (90000-90099).")
    for seed in seeds:
        new = not out.exists()
        with out.open("a", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, COLUMNS, delimiter="\t", restval="n/a", lineterminator="\n")
            if new:
                table.writeheader()
            for row in rows_of(seed):
                table.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
                stream.flush()


def best(out: Path) -> None:
    """Print, for every dose, end and method, the best setting of the mean RMSE and what automatic reaches."""
    with out.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    seeds = sorted({row["seed"] for row in rows})
    print(f"Validation seeds {', '.join(seeds)}; Ki RMSE x 1e-3 (mean over them), lesion bias in %.\n")
    names = ("dose", "until, min", "method", "best strength", "RMSE", "lesions", "neighbours in the grid")
    names += ("automatic", "RMSE", "lesions")
    print(f"| {' | '.join(names)} |\n" + "|---" * len(names) + "|")
    for dose in DOSES:
        for until in ENDS_MIN:
            here = [r for r in rows if float(r["dose"]) == dose and float(r["until_min"]) == until]
            for method in ("patlak", *GRIDS):
                runs = [r for r in here if r["method"] == method]
                by_automatic = [r for r in runs if r["automatic"] == "1"]
                grid = GRIDS.get(method, (0.0,))
                score, lesion = (
                    [np.mean([float(r[c]) for r in runs if float(r["strength"]) == s]) for s in grid]
                    for c in ("ki_rmse", "lesion_bias")
                )
                i = int(np.argmin(score))
                inside = f"{grid[i - 1]:g}, {grid[i + 1]:g}" if 0 < i < len(grid) - 1 else "at the edge"
                cells = [f"{dose:g}", f"{until:g}", method, f"{grid[i]:g}", f"{1e3 * score[i]:.3f}"]
                cells += [f"{100 * lesion[i]:.1f}", inside if len(grid) > 1 else "-"]
                if by_automatic:
                    strengths = [float(r["strength"]) for r in by_automatic]
                    rmse, bias = (np.mean([float(r[c]) for r in by_automatic]) for c in ("ki_rmse", "lesion_bias"))
                    cells += [f"{min(strengths):.3g}-{max(strengths):.3g}", f"{1e3 * rmse:.3f}", f"{100 * bias:.1f}"]
                else:
                    cells += ["-"] * 3
                print("| " + " | ".join(cells) + " |")


def laws(out: Path) -> None:
    """Print, for every method, the power law of noise/contrast through the best settings, and how well it does.

    The law strength = a (noise/contrast)^b is fitted to the logarithms of each seed's and case's best
    setting. The loss is the mean over seeds and cases of the RMSE at the setting nearest to the law (or to the best
    constant), over that of the best setting.
    """
    with out.open(encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(stream, delimiter="\t") if float(r["strength"]) in GRIDS.get(r["method"], ())]
    print("\n| method | a | b | loss of the law | best constant | its loss |")
    print("|---|---|---|---|---|---|")
    for method, grid in GRIDS.items():
        curves: dict[tuple[str, str, str], dict[float, float]] = {}
        noise = {}
        for r in rows:
            if r["method"] == method:
                key = (r["seed"], r["dose"], r["until_min"])
                curves.setdefault(key, {})[float(r["strength"])] = float(r["ki_rmse"])
                noise[key] = float(r["noise_to_contrast"])
        curves = {key: curve for key, curve in curves.items() if len(curve) == len(grid)}
        keys = list(curves)
        found = np.array([min(curves[k], key=lambda s, k=k: curves[k][s]) for k in keys])  # type: ignore[misc]
        b, log_a = np.polyfit(np.log([noise[k] for k in keys]), np.log(found), 1)

        def loss(strengths: np.ndarray, keys: list = keys, curves: dict = curves, grid: tuple = grid) -> float:
            ratios = []
            for k, strength in zip(keys, strengths, strict=True):
                rmse = np.interp(np.log(strength), np.log(grid), [curves[k][float(s)] for s in grid])
                ratios.append(rmse / min(curves[k].values()))
            return float(np.mean(ratios)) - 1.0

        law = np.array([np.exp(log_a) * noise[k] ** b for k in keys])
        constants = np.geomspace(grid[0], grid[-1], 200)
        losses = [loss(np.full(len(keys), c)) for c in constants]
        i = int(np.argmin(losses))
        cells = [method, f"{np.exp(log_a):.3g}", f"{b:.2f}", f"{100 * loss(law):.1f} %"]
        print("| " + " | ".join([*cells, f"{constants[i]:.3g}", f"{100 * losses[i]:.1f} %"]) + " |")


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the table: appended to, or with --best read")
    parser.add_argument("seeds", type=int, nargs="*", default=list(VALIDATION_SEEDS)[:5])
    parser.add_argument("--best", action="store_true", help="print the best settings instead")
    given = parser.parse_args()
    if given.best:
        best(given.out)
        laws(given.out)
    else:
        tune(given.out, given.seeds)


if __name__ == "__main__":
    main()
