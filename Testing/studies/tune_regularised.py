"""Tune the strengths of the regularised Patlak methods on validation patients.

    python Testing/studies/tune_regularised.py OUT.tsv [SEED ...]

Every seed is simulated on the voxels of Liang et al. 2023 (some slices at differing heights of the
trunk) in three doses; every method runs over its grid on the scan until 35 min and on the full one.
One row a run is appended to OUT.tsv, so the seeds can be run one after another. With
``--best OUT.tsv`` the best setting of every case is printed instead, beside what the automatic
strength reaches. Validation seeds only.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import numpy as np

from petkinetics.estimators.estimator import Problem, no_progress
from petkinetics.estimators.gaussian import GaussianPatlak, noise_to_contrast
from petkinetics.estimators.hypr import HyprPatlak
from petkinetics.estimators.nlm import NonLocalMeansPatlak
from petkinetics.estimators.patlak import prepare_fit
from petkinetics.estimators.regularised import PatlakImages, RegularisedPatlak, read_images
from petkinetics.estimators.total_variation import TotalVariationPatlak
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.simulate.seeds import VALIDATION_SEEDS
from petkinetics.simulate.study import aorta_input, middle_slices, problem_of

SLICES = 14
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
    "nlm": (0.8, 1.1, 1.4, 1.7, 2.0, 2.3, 2.6, 3.0, 3.4, 3.9, 4.5, 5.2),
    "total-variation": (0.08, 0.12, 0.17, 0.22, 0.28, 0.36, 0.45, 0.55, 0.7, 0.9, 1.2, 1.6),
}
COLUMNS = (
    *("seed", "dose", "until_min", "method", "strength", "automatic", "ki_rmse", "lesion_bias", "seconds"),
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
                "noise_to_contrast": noise_to_contrast(images),
                "correlation_sd_mm": float(np.mean(images.correlation.sd_mm)),
            }
            yield case | {"method": "patlak", "strength": 0.0} | judge(patient, images, box, images.values)
            for method in METHODS:
                automatic = method.automatic_strength(images)
                for strength in (*GRIDS[method.method], automatic):
                    began = time.monotonic()
                    plain = Problem(problem.series, problem.input_function, problem.frames, problem.mask)
                    found = method.regularise(images, float(strength), plain, no_progress)
                    yield (
                        case
                        | {"method": method.method, "strength": strength, "automatic": int(strength == automatic)}
                        | {"seconds": time.monotonic() - began}
                        | judge(patient, images, box, found.values)
                    )


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
    print("| dose | until, min | method | best strength | RMSE | lesions | neighbours in the grid | automatic | RMSE |")
    print("|---|---|---|---|---|---|---|---|---|")
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
                    rmse = np.mean([float(r["ki_rmse"]) for r in by_automatic])
                    cells += [f"{min(strengths):.3g}-{max(strengths):.3g}", f"{1e3 * rmse:.3f}"]
                else:
                    cells += ["-", "-"]
                print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if sys.argv[1] == "--best":
        best(Path(sys.argv[2]))
    else:
        tune(Path(sys.argv[1]), [int(text) for text in sys.argv[2:]] or list(VALIDATION_SEEDS)[:5])
