"""Does a learned method say when it was not made for a scan? The table in docs/experiments.md.

    python Testing/studies/applicability.py measure OUT.tsv [--method NAME] [--weights DIR] [--cases N] [--first I]
    python Testing/studies/applicability.py ranges POOL OUT.json [--scans N]
    python Testing/studies/applicability.py card OUT.tsv OUT.json CARD.json
    python Testing/studies/applicability.py joint OUT.tsv [--method NAME] [--card CARD.json]

"measure" runs the method on validation patients as training knows them and in worlds that go beyond it, and notes what
the check sees beside the error. "ranges" describes scans as training draws them. "card" writes ranges and bounds (from
all good cases) into a model card. "joint" counts what an estimate would say with a card as it is: ranges, residual and
faults of the scan together. The kinetic network is asked from 35 min, the diffusion prior from the whole scan, usually
of a quarter of the counts. Patients that set a card's bounds should not be among those that are counted (--first).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from made_faults import CHANGED, curve_of

from petkinetics.estimators import make_estimator
from petkinetics.estimators.applicability import (
    NAMES,
    SHORT_SCAN,
    WHOLE_SCAN,
    applicability,
    described,
    learned_residuals,
    residual_numbers,
)
from petkinetics.estimators.estimator import Problem, estimate_in_memory, no_progress
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.estimators.patlak import Patlak
from petkinetics.estimators.scan_check import use_of
from petkinetics.estimators.scan_faults import scan_faults
from petkinetics.estimators.scan_findings import Use
from petkinetics.maps import RESIDUAL
from petkinetics.networks import weights as shipped
from petkinetics.simulate.seeds import VALIDATION_SEEDS
from petkinetics.studies.names import USUAL
from petkinetics.studies.patient_problem import middle_slices, problem_of
from petkinetics.studies.worlds import World
from petkinetics.training.scan_ranges import SCANS, scan_ranges
from petkinetics.write.tables import read_table, write_table

KINETIC, DIFFUSION, SLICES = "kinetic-network", "diffusion-prior", 6


@dataclass(frozen=True)
class Asked:
    """What a method is asked: frames from *t_star* to *until* min (a world cuts them at *short*), in worlds.

    :param part: of the kinetic network's card, which both methods begin with.
    :param dose: of the usual scan, and of every world that does not name one.
    :param known: (world, dose) as training draws them.
    :param few: a dose beyond training.
    """

    t_star: float
    until: float
    short: float
    part: str
    dose: float
    known: tuple[tuple[str, float], ...]
    few: float

    @property
    def unknown(self) -> tuple[tuple[str, float], ...]:
        """Worlds beyond training."""
        few = ((USUAL, self.few),)
        return (*((world, self.dose) for world in BEFORE_FEW), *few, *((world, self.dose) for world in AFTER_FEW))


BEFORE_FEW = ("clearance=0.2", "bolus=180")
AFTER_FEW = (
    *("noise-fwhm=14", "voxel=6", "move=12", "move=6", "drift=8", "tracer=reversible", "weight=45", "weight=130"),
    *("roi in tissue", "late injection", "short", "scaled frames"),
)
_FRAMES = "frames=12x10,6x20,6x60,4x150,11x300"
ASKED = {
    KINETIC: Asked(
        *(0.0, 35.0, 16.0, SHORT_SCAN, 1.0),
        (
            *((USUAL, 1.0), (USUAL, 0.25), (USUAL, 1.7), (USUAL, 0.15), ("frames=65x60", 0.5)),
            *(("noise-fwhm=7", 1.0), (_FRAMES, 1.0), ("clearance=0.5", 1.0), ("bolus=30", 1.0)),
        ),
        0.02,
    ),
    DIFFUSION: Asked(
        *(9.0, 65.0, 24.0, WHOLE_SCAN, 0.25),
        (
            *((USUAL, 0.25), (USUAL, 1.0), (USUAL, 0.1), ("frames=65x60", 0.25)),
            *(("noise-fwhm=7", 0.25), (_FRAMES, 0.25), ("clearance=0.5", 0.25), ("bolus=30", 0.25)),
        ),
        0.01,
    ),
}
#: error relative to the same person's usual scan: from here on the map is broken
BROKEN = 1.5
_FIRST_SEED = 30


def scan_numbers(problem: Problem, use: Use | None = None) -> dict[str, object]:
    """What the check of the scan itself finds; "by_scan" is 1 where it warns, numbers are -1 where it cannot tell."""
    found = scan_faults(problem, use)
    shift, step = found.record["shift_mm"] or {}, found.record["scale_step"] or {}
    drift, release = found.record["drift_mm"] or {}, found.record["release"] or {}
    return {
        "by_scan": int(bool(found.warnings)),
        "shift_mm": shift.get("length", -1.0),
        "explained": shift.get("explained", -1.0),
        "step": step.get("log", 0.0),
        "blood": found.record["blood_share"] or -1.0,
        "drift_mm": drift.get("length", -1.0),
        "drift_errors": drift.get("errors", -1.0),
        "release": release.get("per_min", -1.0),
        "release_error": release.get("error_per_min", -1.0),
    }


def case(method: str, seed: int, world: str, dose: float, weights: Path | None) -> dict[str, object]:
    """One scan: what the check sees, and the errors of the method and of Patlak."""
    asked = ASKED[method]
    plain = world in CHANGED or world in ("roi in tissue", "short")
    where = middle_slices("full", SLICES)
    patient = World.parse(USUAL if plain else world).patient("thorax", "full", seed, dose, where, no_progress)
    patient = CHANGED[world](patient) if world in CHANGED else patient
    until = asked.short if world == "short" else asked.until + (1.5 if world == "late injection" else 0.0)
    curve = curve_of(patient, world, until)
    problem = replace(problem_of(patient, curve, asked.t_star, until), weights=weights)
    volume = FeatureVolume.of(problem_of(patient, curve, 0.0, until))
    frames = volume.frames_of(0, patient.labels.shape[0])
    body = problem.mask if problem.mask is not None else patient.body_mask
    noise = volume.features_of(frames)[:, -1][body[:, volume.box[1], volume.box[2]]]
    scan = described(volume.condition, 1e-3 * 10.0 ** float(np.median(noise)))
    estimator = make_estimator(method)
    result = estimate_in_memory(estimator, problem)
    against = estimate_in_memory(Patlak(), problem_of(patient, curve, 9.0, until))
    truth, inside = patient.truth["ki_patlak_9_65"], patient.body_mask
    spacing = patient.series.geometry.spacing_mm[::-1]
    median, local = residual_numbers(result[RESIDUAL.name].values, body, spacing) if method == KINETIC else (0.0, 0.0)

    def rmse(values: np.ndarray) -> float:
        return float(np.sqrt(np.mean((values - truth)[inside] ** 2)))

    head: dict[str, object] = {"seed": seed, "world": world, "dose": dose}
    head |= {"rmse": rmse(result["ki"].values), "patlak_rmse": rmse(against["ki"].values)}
    head |= {"residual_median": median, "residual_local": local} | scan_numbers(problem, use_of(estimator, problem))
    return head | dict(zip(NAMES, scan.tolist(), strict=True))


def measure(out: Path, method: str, weights: Path | None, cases: int, first: int = _FIRST_SEED) -> None:
    """Run patients one after another; each in all worlds that training knows, and in all beyond."""
    rows: list[dict[str, object]] = list(read_table(out)) if out.exists() else []
    done = {(row["seed"], row["world"], row["dose"]) for row in rows}
    for seed in list(VALIDATION_SEEDS)[first : first + cases]:
        for world, dose in (*ASKED[method].known, *ASKED[method].unknown):
            if (seed, world, dose) in done:
                continue
            rows.append(case(method, seed, world, dose, weights))
            # an end in the middle of writing leaves the table of before
            write_table(out.with_suffix(".part"), rows)
            out.with_suffix(".part").replace(out)
            print(seed, world, dose, flush=True)


def ranges(pool: Path, out: Path, scans: int) -> None:
    """Describe scans as training draws them; 3,000 for each use take about six minutes."""
    from petkinetics.simulate.seeds import TRAINING_SEEDS
    from petkinetics.training.pool import PatientPool
    from petkinetics.training.scan_settings import ScanRanges

    found = scan_ranges(PatientPool(pool, TRAINING_SEEDS), ScanRanges(), scans)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def joint(measured: Path, method: str, card_file: Path) -> str:
    """What an estimate would warn of: ranges, residual and the scan itself, counted together over every patient.

    Good is a scan as training draws them; broken one of the others whose error is 1.5 times that of the same
    patient's usual scan, or more. The others are neither.
    """
    rows = read_table(measured)
    card = json.loads(card_file.read_text(encoding="utf-8"))
    asked = ASKED[method]
    bounds = card[asked.part].get("residual", {})
    usual = {row["seed"]: float(row["rmse"]) for row in rows if (row["world"], row["dose"]) == (USUAL, asked.dose)}  # type: ignore[arg-type]
    lines = [
        "| world | dose | scans | error ÷ usual | ÷ Patlak | by ranges | by residual | by the scan | any | broken |",
        "|---|" + "---|" * 9,
    ]
    counts: dict[str, list[bool]] = {"good": [], "broken": [], "neither": []}
    for world, dose in (*asked.known, *asked.unknown):
        here = [row for row in rows if (row["world"], row["dose"]) == (world, dose) and row["seed"] in usual]
        if not here:
            continue
        fired, growth = np.zeros((len(here), 3), bool), np.zeros((len(here), 2))
        for i, row in enumerate(here):
            number = {name: np.nan if value is None else float(value) for name, value in row.items() if name != "world"}  # type: ignore[arg-type]
            scan = np.array([number[name] for name in NAMES])
            over = (number[f"residual_{kind}"] > bound for kind, bound in bounds.items())
            by_ranges = applicability(scan, card, method, part=asked.part).warnings
            fired[i] = bool(by_ranges), any(over), bool(number["by_scan"])
            growth[i] = number["rmse"] / usual[row["seed"]], number["rmse"] / number["patlak_rmse"]
        some = fired.any(axis=1)
        # no number: a map that could not be computed
        is_broken = ~(growth[:, 0] < BROKEN)
        for one, broken in zip(some, is_broken, strict=True):
            kind = "good" if (world, dose) in asked.known else "broken" if broken else "neither"
            counts[kind].append(bool(one))
        means = (f"{x:.2f}" for x in growth.mean(axis=0))
        said = (str(int(x.sum())) for x in (*fired.T, some))
        label = "good" if (world, dose) in asked.known else str(int(is_broken.sum()))
        lines.append("| " + " | ".join([world, f"{dose:g}", str(len(here)), *means, *said, label]) + " |")
    said_of = [
        f"{kind}: fires in {sum(each)} of {len(each)} ({100 * np.mean(each):.0f} %)"
        for kind, each in counts.items()
        if each
    ]
    return "\n".join([*lines, "", "; ".join(said_of)])


def into_card(measured: Path, ranges_file: Path, card_file: Path) -> None:
    """Write the parts "applicability" of a model card."""
    rows = [row for row in read_table(measured) if (row["world"], row["dose"]) in ASKED[KINETIC].known]
    residuals = [(float(row["residual_median"]), float(row["residual_local"])) for row in rows]  # type: ignore[arg-type]
    card = json.loads(card_file.read_text(encoding="utf-8"))
    known = json.loads(ranges_file.read_text(encoding="utf-8"))
    card |= {**known, SHORT_SCAN: {**known[SHORT_SCAN], "residual": learned_residuals(residuals)}}
    card_file.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="what")
    one = commands.add_parser("measure")
    one.add_argument("out", type=Path)
    one.add_argument("--method", choices=ASKED, default=KINETIC)
    one.add_argument("--weights", type=Path)
    one.add_argument("--cases", type=int, default=6)
    one.add_argument("--first", type=int, default=_FIRST_SEED, help="of the validation seeds; 40 is 90040")
    two = commands.add_parser("ranges")
    two.add_argument("pool", type=Path)
    two.add_argument("out", type=Path)
    two.add_argument("--scans", type=int, default=SCANS)
    three = commands.add_parser("card")
    three.add_argument("measured", type=Path)
    three.add_argument("ranges", type=Path)
    three.add_argument("card", type=Path)
    four = commands.add_parser("joint")
    four.add_argument("measured", type=Path)
    four.add_argument("--method", choices=ASKED, default=KINETIC)
    four.add_argument("--card", type=Path, default=Path(shipped.__path__[0]) / f"{KINETIC}.json")
    arguments = parser.parse_args()
    if arguments.what == "measure":
        measure(arguments.out, arguments.method, arguments.weights, arguments.cases, arguments.first)
    elif arguments.what == "joint":
        print(joint(arguments.measured, arguments.method, arguments.card))
    elif arguments.what == "ranges":
        ranges(arguments.pool, arguments.out, arguments.scans)
    else:
        into_card(arguments.measured, arguments.ranges, arguments.card)


if __name__ == "__main__":
    main()
