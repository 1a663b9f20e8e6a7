"""Do the checks of the scan itself, and of a card's ranges, see what is wrong? The table in docs/experiments.md.

    python Testing/studies/scan_faults.py measure OUT.tsv CASE...
    python Testing/studies/scan_faults.py table OUT.tsv...
    python Testing/studies/scan_faults.py worlds OUT.tsv CASE...
    python Testing/studies/scan_faults.py counts OUT.tsv...
    python Testing/studies/scan_faults.py classical OUT.tsv SEED...
    python Testing/studies/scan_faults.py joint OUT.tsv...

A case is anatomy:seed:world:dose:shift, such as thorax:90031:usual:1:0 (shift: slices above the middle). Every case is
checked as it is, and with each fault; the ranges where there is none. No network runs: what its residuals would see
comes on top. "worlds" checks every case only as it is, for worlds that are faults themselves (drift=8, move=6,
tracer=reversible); "counts" tells how often the check fires in each.
"classical" estimates patients with methods that were not trained, from 35 and 65 min, in usual scans and in scans
with a fault; "joint" counts where the check fires: in good scans, and in those with a fault whose error is at least
1.5 times that of the same patient's usual scan of the same dose and length by the same method (broken), or less
(neither).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from applicability import BROKEN, scan_numbers
from made_faults import CHANGED, curve_of, moved, scaled

from petkinetics.estimators import make_estimator
from petkinetics.estimators.applicability import applicability, described
from petkinetics.estimators.estimator import Problem, estimate_in_memory, no_progress
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.estimators.scan_check import use_of
from petkinetics.networks import weights as shipped
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import DigitalPatient, grid
from petkinetics.studies.names import USUAL
from petkinetics.studies.patient_problem import middle_slices, problem_of
from petkinetics.studies.worlds import World
from petkinetics.write.tables import read_table, write_table

SLICES, UNTIL_MIN = 6, 35.0
FAULTS = ("none", "moved", "moved 6 mm", "roi in tissue", "scaled frames")

#: of "classical": methods, scans by their end and t*, min, and (world, dose)
METHODS, ENDS = ("patlak", "nlm"), ((35.0, 9.0), (65.0, 30.0))
GOOD = ((USUAL, 1.0), (USUAL, 0.25), ("noise-fwhm=7", 1.0), ("clearance=0.5", 1.0))
FAULTY = (
    *(("move=12", 1.0), ("move=6", 1.0), ("drift=8", 1.0), ("tracer=reversible", 1.0)),
    *(("roi in tissue", 1.0), ("scaled frames", 1.0), ("late injection", 1.0)),
    *(("move=6", 0.25), ("drift=8", 0.25), ("tracer=reversible", 0.25)),
)
#: noise, not a fault: counted by itself
FEW_COUNTS = ((USUAL, 0.05),)


def cut(whole: VolumeGeometry, shift: int) -> VolumeGeometry:
    """Some slices, so many above the middle."""
    first = int(np.clip((whole.shape[0] - SLICES) // 2 + shift, 0, whole.shape[0] - SLICES))
    x, y, z = whole.origin_mm
    origin = (x, y, z + first * whole.spacing_mm[2])
    return VolumeGeometry((SLICES, *whole.shape[1:]), whole.spacing_mm, origin, whole.direction)


def with_fault(patient: DigitalPatient, fault: str) -> DigitalPatient:
    """The patient with a fault of the series; that of the curve is made elsewhere."""
    if fault.startswith("moved"):
        return moved(patient, 12.0 if fault == "moved" else 6.0)
    return scaled(patient) if fault == "scaled frames" else patient


def outside_ranges(problem: Problem, card: dict) -> list[str]:  # type: ignore[type-arg]
    """What of a scan is outside the card's ranges."""
    volume = FeatureVolume.of(problem)
    log_sd = volume.features_of(volume.frames_of(0, problem.series.geometry.shape[0]))[:, -1]
    body = np.ones_like(log_sd, bool) if problem.mask is None else problem.mask[:, volume.box[1], volume.box[2]]
    scan = described(volume.condition, 1e-3 * 10.0 ** float(np.median(log_sd[body])))
    found = applicability(scan, card, "network")
    return list(found.record["outside"]) or (["distance"] if found.warnings else [])


def check(case: str, card: dict) -> Iterator[dict[str, object]]:  # type: ignore[type-arg]
    """Rows of one case, with and without faults."""
    anatomy, seed, world, dose, shift = case.split(":")
    where = cut(grid("full", anatomy), int(shift))
    usual = World.parse(world).patient(anatomy, "full", int(seed), float(dose), where, no_progress)
    for fault in FAULTS:
        patient = with_fault(usual, fault)
        curve = curve_of(patient, fault, UNTIL_MIN)
        problem = problem_of(patient, curve, 0.0, UNTIL_MIN)
        outside = outside_ranges(problem, card) if fault == "none" else []
        began = time.perf_counter()
        found = scan_numbers(problem)
        seconds = time.perf_counter() - began
        yield {
            "anatomy": anatomy,
            "seed": seed,
            "world": world,
            "dose": dose,
            "fault": fault,
            "outside": ",".join(outside) or "-",
            **found,
            "seconds": round(seconds, 3),
        }


def check_world(case: str) -> dict[str, object]:
    """Row of one case as it is."""
    anatomy, seed, world, dose, shift = case.split(":")
    where = cut(grid("full", anatomy), int(shift))
    patient = World.parse(world).patient(anatomy, "full", int(seed), float(dose), where, no_progress)
    found = scan_numbers(problem_of(patient, curve_of(patient, world, UNTIL_MIN), 0.0, UNTIL_MIN))
    return {"anatomy": anatomy, "seed": seed, "world": world, "dose": dose, **found}


def counts(paths: list[Path]) -> str:
    """How often the check fires, by anatomy, world and dose; and the numbers that drift and release are told from."""
    rows = [row for path in paths for row in read_table(path)]
    names = ("drift_mm", "drift_errors", "release")
    lines = ["| anatomy | world | dose | scans | fires | " + " | ".join(names) + " |", "|---|" + "---|" * 7]
    for key in sorted({(str(row["anatomy"]), str(row["world"]), float(row["dose"])) for row in rows}):  # type: ignore[arg-type]
        here = [row for row in rows if (row["anatomy"], row["world"], float(row["dose"])) == key]  # type: ignore[arg-type]
        values = [np.array([float(row[name]) for row in here]) for name in names]  # type: ignore[arg-type]
        spans = [f"{each.min():.3g}–{each.max():.3g}" for each in values]
        fires = sum(int(row["by_scan"]) for row in here)  # type: ignore[call-overload]
        cells = [*map(str, key[:2]), f"{key[2]:g}", str(len(here)), str(fires), *spans]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def classical(seed: int, world: str, dose: float) -> Iterator[dict[str, object]]:
    """Rows of one patient: for every length of the scan and method the error of Ki, and what the check finds."""
    made = USUAL if world in (*CHANGED, "roi in tissue") else world
    patient = World.parse(made).patient("thorax", "full", seed, dose, middle_slices("full", SLICES), no_progress)
    patient = CHANGED[world](patient) if world in CHANGED else patient
    later = 1.5 if world == "late injection" else 0.0
    for until, t_star in ENDS:
        curve = curve_of(patient, world, until + later)
        problem = problem_of(patient, curve, t_star, until + later)
        for method in METHODS:
            estimator = make_estimator(method)
            found = scan_numbers(problem, use_of(estimator, problem))
            ki = estimate_in_memory(estimator, problem)["ki"].values
            difference = (ki - patient.truth["ki_patlak_9_65"])[patient.body_mask]
            rmse = float(np.sqrt(np.mean(difference**2)))
            head = {"seed": seed, "world": world, "dose": dose, "until": until, "method": method, "rmse": rmse}
            yield head | found


def joint(paths: list[Path]) -> str:
    """Where the check fires, by method and length: among good, broken and other scans."""
    rows = [row for path in paths for row in read_table(path)]
    of = {tuple(row[k] for k in ("seed", "world", "dose", "until", "method")): row for row in rows}
    lines = ["| world | dose | " + " | ".join(f"{m}, {u:g} min" for m in METHODS for u, _ in ENDS) + " |"]
    lines.append("|---|" + "---|" * (1 + len(METHODS) * len(ENDS)))
    counts: dict[str, list[bool]] = {"good": [], "broken": [], "neither": [], "few counts": []}
    for world, dose in (*GOOD, *FAULTY, *FEW_COUNTS):
        cells = []
        for method, until in [(m, u) for m in METHODS for u, _ in ENDS]:
            here = [row for key, row in of.items() if key[1:] == (world, dose, until, method)]
            usual = [float(of[row["seed"], USUAL, dose, until, method]["rmse"]) for row in here]  # type: ignore[arg-type]
            if not here:
                cells.append("")
                continue
            growth = [float(row["rmse"]) / u for row, u in zip(here, usual, strict=True)]  # type: ignore[arg-type]
            fired = [bool(row["by_scan"]) for row in here]
            broken = [(world, dose) in FAULTY and each >= BROKEN for each in growth]
            other = "good" if (world, dose) in GOOD else "few counts" if (world, dose) in FEW_COUNTS else "neither"
            for each, bad in zip(fired, broken, strict=True):
                counts["broken" if bad else other].append(each)
            cells.append(f"{min(growth):.2f}–{max(growth):.2f}; fires {sum(fired)}/{len(here)}; broken {sum(broken)}")
        lines.append(f"| {world} | {dose:g} | " + " | ".join(cells) + " |")
    said = [f"{kind}: fires in {sum(each)} of {len(each)}" for kind, each in counts.items() if each]
    return "\n".join([*lines, "", "; ".join(said)])


def table(paths: list[Path]) -> str:
    """How often each check fires, by fault; and the largest numbers of good scans."""
    rows = [row for path in paths for row in read_table(path)]
    lines = ["| fault | scans | by ranges | by the scan | either | shift, mm | step | blood |", "|---|" + "---|" * 7]
    for fault in FAULTS:
        here = [row for row in rows if row["fault"] == fault]
        ranges = np.array([row["outside"] != "-" for row in here])
        scan = np.array([int(row["by_scan"]) for row in here], bool)  # type: ignore[arg-type]
        spans = []
        for name in ("shift_mm", "step", "blood"):
            values = np.abs([float(row[name]) for row in here])  # type: ignore[arg-type]
            spans.append(f"{values.min():.2f}–{values.max():.2f}")
        counts = [str(x.sum()) for x in (ranges, scan, ranges | scan)]
        lines.append("| " + " | ".join([fault, str(len(here)), *counts, *spans]) + " |")
    return "\n".join(lines)


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="what")
    for what in ("measure", "worlds"):
        command = commands.add_parser(what)
        command.add_argument("out", type=Path)
        command.add_argument("cases", nargs="+", metavar="CASE", help="anatomy:seed:world:dose:shift")
    command = commands.add_parser("classical")
    command.add_argument("out", type=Path)
    command.add_argument("seeds", nargs="+", type=int)
    read = {"table": table, "counts": counts, "joint": joint}
    for what in read:
        commands.add_parser(what).add_argument("measured", nargs="+", type=Path)
    given = parser.parse_args()
    if given.what in read:
        print(read[given.what](given.measured))
        return
    rows: list[dict[str, object]] = list(read_table(given.out)) if given.out.exists() else []
    if given.what == "classical":
        done = {(row["seed"], row["world"], row["dose"]) for row in rows}
        for seed, (world, dose) in product(given.seeds, (*GOOD, *FAULTY, *FEW_COUNTS)):
            if (seed, world, dose) not in done:
                rows += classical(seed, world, dose)
                write_table(given.out, rows)
                print(seed, world, dose, flush=True)
        return
    card = json.loads((Path(shipped.__path__[0]) / "kinetic-network.json").read_text(encoding="utf-8"))
    for case in given.cases:
        for row in [check_world(case)] if given.what == "worlds" else check(case, card):
            rows.append(row)
            print(*row.values(), flush=True)
        write_table(given.out, rows)


if __name__ == "__main__":
    main()
