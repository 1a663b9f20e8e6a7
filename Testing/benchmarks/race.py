"""Patlak at 1/8, 1 and 4 times the voxels: petkinetics, its floor and the programs people use.

    python Testing/benchmarks/race.py [--quick] [--dynamicpet PYTHON] [--petpal PYTHON] [--folder DIR] [--json FILE]

--quick keeps 1/8. dynamicpet and PETPAL run once, at 1/8, where PYTHON is an interpreter that has them; they take the
time of their voxels, so the other sizes are that time multiplied, and marked so. Programs that are not run stand
beside ours with what was measured of them earlier, marked so. Each size is removed before the next is
made (2.1 GB at 4 times). Exit status 1 when a program does not run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from processes import Measured, ProgramFailed, interleaved, ratio, run_once
from run import FRAMES, USED, for_nifti_dynamic, machine

HERE = Path(__file__).resolve().parent
MATRIX = 256
#: name: slices, runs that count
SIZES = {"1/8": (9, 3), "1": (71, 3), "4": (284, 1)}
WHOLE = 71
T_STAR_MIN = 30
#: seconds at size 1, each the lowest of the range measured, when the floor took 0.24 s; dynamicpet's was extrapolated
#: from fewer voxels, PETPAL was 0.7.1. KMAP's Patlak is MATLAB code: its loop was re-created
NOT_RUN = "measured earlier on 2 cores, not run here"
EARLIER = {"dynamicpet": 145.0, "KMAP (loop re-created)": 4.5, "PETPAL": 40.0}
#: programs that loop over voxels and need an interpreter of their own
SLOW = {"dynamicpet": "peer_dynamicpet.py", "PETPAL": "peer_petpal.py"}


def race(folder: Path, size: str, slow: dict[str, str]) -> dict[str, Measured]:
    """Run all programs on a series of one size; the series is made in *folder*.

    :param slow: the interpreters of those of :data:`SLOW` that can run.
    """
    slices, runs = SIZES[size]
    run_once([sys.executable, HERE / "make_series.py", folder, "--matrix", str(MATRIX), "--slices", str(slices)])
    pet, out, table = folder / "pet.nii", folder / "out", folder / "input_function.csv"
    ours: list[str | Path] = [sys.executable, "-m", "petkinetics", "estimate", pet, "--roi", folder / "aorta.nii"]
    ours += ["--method", "patlak", "--set", "suv=none", "-o", out]
    run_once([*ours, "--no-compress"])
    for_nifti_dynamic(out / "input_function_frames.tsv", table)
    floor: list[str | Path] = [sys.executable, HERE / "floor.py", pet, *map(str, (FRAMES, slices, MATRIX, USED)), out]
    peer: list[str | Path] = [sys.executable, HERE / "peer_nifti_dynamic.py", pet, table, str(USED), out]
    programs: dict[str, list[str | Path]] = {
        "floor": floor,
        "petkinetics": [*ours, "--no-compress"],
        "nifti_dynamic": peer,
    }

    def clear() -> None:
        shutil.rmtree(out, ignore_errors=True)

    found = interleaved({name: lambda c=command: c for name, command in programs.items()}, runs, clear)  # type: ignore[misc]
    for name, python in slow.items() if size == "1/8" else ():
        clear()
        seconds, peak, _ = run_once([python, HERE / SLOW[name], pet, table, str(T_STAR_MIN), out])
        found[name] = Measured([seconds], [peak])
    return found


def rows(found: dict[str, dict[str, Measured]]) -> list[dict[str, object]]:
    """A row for every size and program: seconds, over the floor, over ours, MiB, and where the figure is from."""
    table: list[dict[str, object]] = []
    smallest = found.get("1/8", {})
    per_slice = {name: smallest[name].median_s / SIZES["1/8"][0] for name in SLOW if name in smallest}
    for size, programs in found.items():
        floor, ours = programs["floor"], programs["petkinetics"]
        for name, m in programs.items():
            alone = len(m.seconds) != len(floor.seconds)
            of_floor = m.median_s / floor.median_s if alone else ratio(m, floor)
            of_ours = m.median_s / ours.median_s if alone else ratio(m, ours)
            row = {"size": size, "program": name, "seconds": m.median_s, "of_floor": of_floor, "of_ours": of_ours}
            table.append(row | {"mib": m.largest_mib, "origin": "run here"})
        for name, whole in EARLIER.items():
            if name in programs:
                continue
            seconds = whole * SIZES[size][0] / WHOLE
            said = NOT_RUN if size == "1" else f"{NOT_RUN}; scaled by voxels"
            if name in per_slice:
                seconds, said = per_slice[name] * SIZES[size][0], "run here at 1/8; scaled by voxels"
            row = {"size": size, "program": name, "seconds": seconds, "of_floor": seconds / floor.median_s}
            table.append(row | {"of_ours": seconds / ours.median_s, "mib": None, "origin": said})
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the race; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1/8 of the voxels only")
    for name in SLOW:
        parser.add_argument(f"--{name.lower()}", metavar="PYTHON", help=f"an interpreter that has {name}")
    parser.add_argument("--folder", type=Path, help="where to make the temporary folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there too")
    given = parser.parse_args(arguments)
    slow = {name: python for name in SLOW if (python := getattr(given, name.lower())) is not None}
    found: dict[str, dict[str, Measured]] = {}
    failures = []
    for size in ["1/8"] if given.quick else SIZES:
        print(f"{size} × the voxels ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="petkinetics-race-", dir=given.folder) as folder:
            try:
                found[size] = race(Path(folder), size, slow)
            except ProgramFailed as error:
                failures.append(f"{size} × the voxels: {error}")
    table = rows(found)
    print(f"Patlak, {MATRIX}×{MATRIX}×{WHOLE}×{FRAMES} float32 is 1; {machine()}.\n")
    print("| voxels | program | s | ÷ floor | ÷ petkinetics | peak MiB | |\n|---|---|---|---|---|---|---|")
    for row in table:
        memory = "" if row["mib"] is None else f"{row['mib']:.0f}"
        times = f"{row['seconds']:.2f} | {row['of_floor']:.1f} | {row['of_ours']:.1f}"
        print(f"| {row['size']} | {row['program']} | {times} | {memory} | {row['origin']} |")
    for failure in failures:
        print(f"\nFAILED {failure}")
    if given.json:
        given.json.write_text(json.dumps({"rows": table, "failures": failures}, indent=2) + "\n", encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
