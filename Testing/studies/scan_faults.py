"""Do the checks of the scan itself, and of a card's ranges, see what is wrong? The table in docs/experiments.md.

    python Testing/studies/scan_faults.py measure OUT.tsv CASE...
    python Testing/studies/scan_faults.py table OUT.tsv...
    python Testing/studies/scan_faults.py worlds OUT.tsv CASE...
    python Testing/studies/scan_faults.py counts OUT.tsv...

A case is anatomy:seed:world:dose:shift, such as thorax:90031:usual:1:0 (shift: slices above the middle). Every case is
checked as it is, and with each fault; the ranges where there is none. No network runs: what its residuals would see
comes on top. "worlds" checks every case only as it is, for worlds that are faults themselves (drift=8, move=6,
tracer=reversible); "counts" tells how often the check fires in each.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from applicability import curve_of, moved, scaled, scan_numbers

from petkinetics.estimators.applicability import applicability, described
from petkinetics.estimators.estimator import Problem, no_progress
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.networks import weights as shipped
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import DigitalPatient, grid
from petkinetics.studies.patient_problem import problem_of
from petkinetics.studies.worlds import World
from petkinetics.write.tables import read_table, write_table

SLICES, UNTIL_MIN = 6, 35.0
FAULTS = ("none", "moved", "moved 6 mm", "roi in tissue", "scaled frames")


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
    for what in ("table", "counts"):
        commands.add_parser(what).add_argument("measured", nargs="+", type=Path)
    given = parser.parse_args()
    if given.what in ("table", "counts"):
        print((table if given.what == "table" else counts)(given.measured))
        return
    out, cases = given.out, given.cases
    card = json.loads((Path(shipped.__path__[0]) / "kinetic-network.json").read_text(encoding="utf-8"))
    rows: list[dict[str, object]] = list(read_table(out)) if out.exists() else []
    for case in cases:
        for row in [check_world(case)] if given.what == "worlds" else check(case, card):
            rows.append(row)
            print(*row.values(), flush=True)
        write_table(out, rows)


if __name__ == "__main__":
    main()
