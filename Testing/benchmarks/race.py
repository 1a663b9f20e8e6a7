"""Patlak and the two-tissue fit at 1/8, 1 and 4 times the voxels: petkinetics, the floor and the programs people use.

    python Testing/benchmarks/race.py [--quick] [--dynamicpet PYTHON] [--petpal PYTHON] [--kmap CHECKOUT] [--json FILE]

Both models on the same files. Programs that take minutes and more are timed on fewer voxels, which their loops take
the time of: dynamicpet's and PETPAL's Patlak at 1/8, KMAP's two-tissue fit and PETPAL's on voxels spread over the body;
the rest is that time multiplied, and marked so. PYTHON is an interpreter that has the program, CHECKOUT one of
KMAP-C. What is not given stands beside ours with what was measured of it earlier, marked so. --quick keeps 1/8.
Each size is removed before the next is made (2.1 GB at 4 times). Exit status 1 when a program does not run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from processes import Measured, ProgramFailed, interleaved, ratio, run_once
from run import FRAMES, USED, for_nifti_dynamic, machine

HERE = Path(__file__).resolve().parent
MATRIX = 256
#: name: slices, runs that count
SIZES = {"1/8": (9, 3), "1": (71, 3), "4": (284, 1)}
SMALLEST, WHOLE = "1/8", 71
T_STAR_MIN = 30
MODELS = ("patlak", "two-tissue")
NOT_RUN = "measured earlier on 2 cores, not run here"
#: Patlak's seconds at size 1, each the lowest of the range measured, when the floor took 0.24 s; dynamicpet's was
#: extrapolated from fewer voxels, PETPAL was 0.7.1. KMAP's Patlak is MATLAB code: its loop was re-created
EARLIER = {"dynamicpet": 145.0, "KMAP (loop re-created)": 4.5, "PETPAL": 40.0}
#: Patlak programs that loop over voxels and need an interpreter of their own
SLOW = {"dynamicpet": "peer_dynamicpet.py", "PETPAL": "peer_petpal.py"}
KMAP, PETPAL_REGION = "KMAP", "PETPAL (a region's fit, voxel by voxel)"
#: of two-tissue fits: seconds a voxel of one core, the lowest measured earlier, and voxels to time them on here
EARLIER_VOXEL = {KMAP: 1.9e-3, PETPAL_REGION: 9e-3}
VOXELS = {KMAP: 4000, PETPAL_REGION: 60}
Command = list[str | Path]


@dataclass(frozen=True)
class Row:
    """One program at one size.

    :param of_floor, of_ours: its seconds over those of the floor and of petkinetics.
    :param mib: peak memory; None where the program did not do the whole.
    :param origin: where the figure is from.
    """

    model: str
    size: str
    program: str
    seconds: float
    of_floor: float
    of_ours: float
    mib: float | None
    origin: str


@dataclass(frozen=True)
class Part:
    """What a program would take, from a part of the voxels."""

    seconds: float
    origin: str


class Race:
    """All programs on a series of one size, made in *folder*.

    :param given: interpreters and checkout of the peers, by their option's name; None where there is none.
    """

    def __init__(self, folder: Path, size: str, given: dict[str, str | None], quick: bool) -> None:
        self.size, self.given, self.quick = size, given, quick
        self.slices, self.runs = SIZES[size]
        run_once(
            [sys.executable, HERE / "make_series.py", folder, "--matrix", str(MATRIX), "--slices", str(self.slices)]
        )
        self.pet, self.aorta, self.out, self.table = (folder / n for n in ("pet.nii", "aorta.nii", "out", "blood.csv"))
        self.kept = folder / "kept"
        run_once(self.ours("patlak", self.kept))
        for_nifti_dynamic(self.kept / "input_function_frames.tsv", self.table)

    def ours(self, model: str, out: Path) -> Command:
        """petkinetics' command."""
        command: Command = [sys.executable, "-m", "petkinetics", "estimate", self.pet, "--roi", self.aorta]
        return [*command, "--method", model, "--set", "suv=none", "--no-compress", "-o", out]

    def floor(self, used: int) -> Command:
        """Reads so many frames, multiplies a 2 x frames matrix, writes two maps."""
        return [sys.executable, HERE / "floor.py", self.pet, *map(str, (FRAMES, self.slices, MATRIX, used)), self.out]

    def clear(self) -> None:
        """Remove what a run left."""
        shutil.rmtree(self.out, ignore_errors=True)

    def measured(self, programs: dict[str, Command]) -> dict[str, Measured]:
        """Seconds and memory of whole runs, in turn."""
        return interleaved({n: lambda c=c: c for n, c in programs.items()}, self.runs, self.clear)  # type: ignore[misc]

    def patlak(self) -> tuple[dict[str, Measured], dict[str, Part]]:
        """Whole runs; and of the slow programs one run each at the smallest size."""
        peer: Command = [sys.executable, HERE / "peer_nifti_dynamic.py", self.pet, self.table, str(USED), self.out]
        found = self.measured(
            {"floor": self.floor(USED), "petkinetics": self.ours("patlak", self.out), "nifti_dynamic": peer}
        )
        for name, script in SLOW.items():
            python = self.given[name.lower()]
            if python is not None and self.size == SMALLEST:
                self.clear()
                seconds, peak, _ = run_once([python, HERE / script, self.pet, self.table, str(T_STAR_MIN), self.out])
                found[name] = Measured([seconds], [peak])
        scale = self.slices / WHOLE
        said = NOT_RUN if self.slices == WHOLE else f"{NOT_RUN}; scaled by voxels"
        return found, {name: Part(scale * s, said) for name, s in EARLIER.items() if name not in found}

    def two_tissue(self) -> tuple[dict[str, Measured], dict[str, Part]]:
        """Whole runs of ours; of the others the time of some voxels."""
        found = self.measured({"floor": self.floor(FRAMES), "petkinetics": self.ours("two-tissue", self.out)})
        shutil.rmtree(self.kept)
        run_once(self.ours("two-tissue", self.kept))
        body = int(json.loads((self.kept / "result.json").read_text(encoding="utf-8"))["body_voxels"])
        parts = {name: Part(body * s, f"{NOT_RUN}; one core, scaled by voxels") for name, s in EARLIER_VOXEL.items()}
        commands: dict[str, tuple[str | None, str, str | Path | None]] = {
            KMAP: (sys.executable, "peer_kmap_maps.py", self.given["kmap"]),
            PETPAL_REGION: (self.given["petpal"], "peer_petpal_two_tissue.py", self.table),
        }
        for name, (python, script, last) in commands.items():
            if python is None or last is None:
                continue
            count = VOXELS[name] // (8 if self.quick else 1)
            said = json.loads(run_once([python, HERE / script, self.pet, self.kept, str(count), last])[2])
            parts[name] = Part(said["seconds"], f"run here in {said['fitted']:,} of {said['body']:,} voxels; scaled")
        return found, parts

    def rows(self, model: str) -> list[Row]:
        """What was found, the floor first."""
        whole, parts = self.patlak() if model == "patlak" else self.two_tissue()
        floor, ours = whole["floor"], whole["petkinetics"]
        table = []
        for name, m in whole.items():
            alone = len(m.seconds) != len(floor.seconds)
            of_floor, of_ours = (m.median_s / o.median_s if alone else ratio(m, o) for o in (floor, ours))
            table.append(Row(model, self.size, name, m.median_s, of_floor, of_ours, m.largest_mib, "run here"))
        for name, part in parts.items():
            ratios = part.seconds / floor.median_s, part.seconds / ours.median_s
            table.append(Row(model, self.size, name, part.seconds, *ratios, None, part.origin))
        return table


def with_scaled(table: list[Row]) -> list[Row]:
    """Where a slow program ran at the smallest size, its figures at the others are that time multiplied."""
    ran = {row.program: row for row in table if row.program in SLOW and row.size == SMALLEST and row.mib is not None}
    found = []
    for row in table:
        if row.model == "patlak" and row.program in ran and row.mib is None:
            seconds = ran[row.program].seconds * SIZES[row.size][0] / SIZES[SMALLEST][0]
            ratios = (seconds / row.seconds * r for r in (row.of_floor, row.of_ours))
            origin = f"run here at {SMALLEST}; scaled by voxels"
            row = Row(row.model, row.size, row.program, seconds, *ratios, None, origin)
        found.append(row)
    return found


def markdown(table: list[Row]) -> str:
    """One table a model."""
    lines = [f"{MATRIX}×{MATRIX}×{WHOLE}×{FRAMES} float32 is 1; {machine()}."]
    for model in MODELS:
        lines += [
            "",
            f"| {model}, voxels | program | s | ÷ floor | ÷ petkinetics | peak MiB | |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in (r for r in table if r.model == model):
            memory = "" if row.mib is None else f"{row.mib:.0f}"
            times = f"{row.seconds:.2f} | {row.of_floor:.1f} | {row.of_ours:.1f}"
            lines.append(f"| {row.size} | {row.program} | {times} | {memory} | {row.origin} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the race; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1/8 of the voxels only")
    for name in SLOW:
        parser.add_argument(f"--{name.lower()}", metavar="PYTHON", help=f"an interpreter that has {name}")
    parser.add_argument("--kmap", metavar="CHECKOUT", help="checkout of KMAP-C to build and race")
    parser.add_argument("--folder", type=Path, help="where to make the temporary folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there too")
    given = parser.parse_args(arguments)
    peers = {name: getattr(given, name) for name in ("dynamicpet", "petpal", "kmap")}
    table: list[Row] = []
    failures = []
    for size in [SMALLEST] if given.quick else SIZES:
        print(f"{size} × the voxels ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="petkinetics-race-", dir=given.folder) as folder:
            try:
                race = Race(Path(folder), size, peers, given.quick)
                for model in MODELS:
                    table += race.rows(model)
            except ProgramFailed as error:
                failures.append(f"{size} × the voxels: {error}")
    table = with_scaled(table)
    print(markdown(table))
    for failure in failures:
        print(f"\nFAILED {failure}")
    if given.json:
        content = {"rows": [asdict(row) for row in table], "failures": failures}
        given.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
