"""Hold speed, memory and accuracy of petkinetics to their bounds, beside the programs people use.

    python Testing/benchmarks/run.py [--quick] [--runs N] [--only GROUP ...] [--folder DIR] [--json FILE]

Everything is made in a temporary folder and removed afterwards (3 GB at full size). Exit status 1
when a bound is missed or a program does not run; a peer that is not installed is such a program.
--quick takes an eighth of the voxels and judges memory, accuracy and imports, while times, which
start-up dominates at that size, are printed but not judged.

This process stays small (no numpy) because a child's peak memory begins with its parent's.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from processes import Measured, ProgramFailed, interleaved, ratio, run_once

HERE = Path(__file__).resolve().parent
FRAMES = 28
#: frames from 30 to 65 min, those of the default t*
USED = 7

MOST_OF_FLOOR = 3.5
LEAST_OF_PEER = 5.0
MOST_MIB = 400.0
#: with twice the voxels: times the time and times the memory (fixed costs make time less than double)
MOST_TIME_OF_DOUBLE = 2.2
MOST_MEMORY_OF_DOUBLE = 1.1
MOST_INFO_S = 3.0
MOST_IMPORT_S = 0.2
MOST_RMS = 1e-5
MOST_BIAS = 1e-4


@dataclass(frozen=True)
class Check:
    """One bound and what was found.

    :param judged: False for what is only shown.
    """

    name: str
    found: float
    bound: float
    unit: str
    at_least: bool = False
    judged: bool = True

    @property
    def passed(self) -> bool:
        """Whether the bound holds."""
        return self.found >= self.bound if self.at_least else self.found <= self.bound

    @property
    def verdict(self) -> str:
        """In a word."""
        return ("ok" if self.passed else "MISSED") if self.judged else "not judged"


class Bench:
    """One run of the benchmark: what it measured, and the bounds.

    :param quick: an eighth of the voxels; times are not judged.
    """

    def __init__(self, folder: Path, quick: bool, runs: int) -> None:
        self.folder, self.quick, self.runs = folder, quick, runs
        self.matrix, self.slices = (128, 36) if quick else (256, 71)
        self.checks: list[Check] = []
        self.programs: dict[str, Measured] = {}
        self.accuracy: dict[str, dict[str, float]] = {}
        self.failures: list[str] = []

    def series(self, name: str, slices: int) -> Path:
        """Make a series; returns its image."""
        target = self.folder / name
        _python("make_series.py", target, "--matrix", self.matrix, "--slices", slices)
        return target / "pet.nii"

    def estimate(self, pet: Path, out: Path, *, suv: str = "none") -> list[str | Path]:
        """Our command for Ki, V0, both SDs and the residual; with suv="bw" as most people run it, SUV beside them."""
        command = ["-m", "petkinetics", "estimate", pet, "--roi", pet.with_name("aorta.nii"), "--method", "patlak"]
        return [sys.executable, *command, "--no-compress", "--set", f"suv={suv}", "-o", out]

    def patlak(self) -> None:
        """Floor, petkinetics and nifti_dynamic side by side; then their Ki against float64."""
        pet = self.series("single", self.slices)
        out, table = self.folder / "out", self.folder / "input_function.csv"
        run_once(self.estimate(pet, self.folder / "ours"))
        for_nifti_dynamic(self.folder / "ours" / "input_function_frames.tsv", table)
        floor, peer = HERE / "floor.py", HERE / "peer_nifti_dynamic.py"
        self.programs |= interleaved(
            {
                "floor": lambda: [sys.executable, floor, pet, FRAMES, self.slices, self.matrix, USED, out],
                "petkinetics": lambda: self.estimate(pet, out),
                "petkinetics, with SUV": lambda: self.estimate(pet, out, suv="bw"),
                "nifti_dynamic": lambda: [sys.executable, peer, pet, table, USED, out],
            },
            self.runs,
            lambda: shutil.rmtree(out, ignore_errors=True),
        )
        ours = self.programs["petkinetics"]
        of_floor, of_peer = ratio(ours, self.programs["floor"]), ratio(self.programs["nifti_dynamic"], ours)
        self.bound("Patlak: time / floor", of_floor, MOST_OF_FLOOR, "x", timed=True)
        self.bound("Patlak: times faster than nifti_dynamic", of_peer, LEAST_OF_PEER, "x", at_least=True, timed=True)
        self.bound("Patlak: peak memory", ours.largest_mib, MOST_MIB, "MiB")
        shutil.rmtree(out, ignore_errors=True)
        run_once([sys.executable, peer, pet, table, USED, self.folder / "peer"])
        self.accuracy = json.loads(_python("accuracy.py", pet, self.folder / "ours", self.folder / "peer"))
        for what in ("petkinetics Ki", "petkinetics V0"):
            self.bound(f"{what}: RMS difference to float64", self.accuracy[what]["rms"], MOST_RMS, "")
            self.bound(f"{what}: bias to float64", abs(self.accuracy[what]["bias"]), MOST_BIAS, "")

    def scaling(self) -> None:
        """Twice the voxels: twice the time, the same memory."""
        single, double = self.folder / "single" / "pet.nii", self.series("double", 2 * self.slices)
        if not single.exists():
            single = self.series("single", self.slices)
        out = self.folder / "out"
        found = interleaved(
            {
                "petkinetics, the same again": lambda: self.estimate(single, out),
                "petkinetics, twice the voxels": lambda: self.estimate(double, out),
            },
            self.runs,
            lambda: shutil.rmtree(out, ignore_errors=True),
        )
        self.programs |= found
        once, twice = found.values()
        memory = twice.largest_mib / once.largest_mib
        self.bound("Twice the voxels: time", ratio(twice, once), MOST_TIME_OF_DOUBLE, "x", timed=True)
        self.bound("Twice the voxels: memory", memory, MOST_MEMORY_OF_DOUBLE, "x")
        self.bound("Twice the voxels: peak memory", twice.largest_mib, MOST_MIB, "MiB")

    def info(self) -> None:
        """`petkinetics info` on 2,000 DICOM files (250 with --quick)."""
        frames, slices = (25, 10) if self.quick else (25, 80)
        dicom = self.folder / "dicom"
        _python("make_dicom.py", dicom, frames, slices)
        command: list[str | Path] = [sys.executable, "-m", "petkinetics", "info", dicom, "--json"]
        shape = json.loads(run_once(command)[2])["shape"]
        if shape[:2] != [frames, slices]:
            raise ProgramFailed(f"info reads {shape[0]} frames of {shape[1]} slices, not {frames} of {slices}")
        found = interleaved({f"info, {frames * slices} files": lambda: command}, self.runs, lambda: None)
        self.programs |= found
        self.bound(
            f"info on {frames * slices} DICOM files", next(iter(found.values())).median_s, MOST_INFO_S, "s", timed=True
        )

    def imports(self) -> None:
        """`import petkinetics` is quick and asks for no torch."""
        said = [json.loads(_python("import_time.py")) for _ in range(max(5, self.runs))]
        for name, key in (("import petkinetics", "package_s"), ("import what an estimate needs", "estimate_s")):
            self.bound(name, statistics.median(s[key] for s in said), MOST_IMPORT_S, "s", timed=key == "estimate_s")
        self.bound("import petkinetics: asks for torch", float(any(s["asks_for_torch"] for s in said)), 0.0, "")

    def bound(
        self, name: str, found: float, bound: float, unit: str, *, at_least: bool = False, timed: bool = False
    ) -> None:
        """Note a finding; times are not judged with --quick."""
        self.checks.append(Check(name, found, bound, unit, at_least, not (timed and self.quick)))

    def attempt(self, what: str, group: Callable[[], None]) -> None:
        """Run a group; a program that does not run is a failure, and the others go on."""
        print(f"{what} ...", file=sys.stderr, flush=True)
        try:
            group()
        except ProgramFailed as error:
            self.failures.append(f"{what}: {error}")

    @property
    def passed(self) -> bool:
        """Everything ran, and every bound that was judged holds."""
        return not self.failures and bool(self.checks) and all(c.passed for c in self.checks if c.judged)

    def markdown(self) -> str:
        """What was found, as tables."""
        size = f"{self.matrix}×{self.matrix}×{self.slices}×{FRAMES} float32"
        lines = [f"Series: {size}, Patlak on {USED} frames; {machine()}; medians of {self.runs} runs.", ""]
        lines += ["| program | median s | range s | peak MiB |", "|---|---|---|---|"]
        for name, m in self.programs.items():
            span = f"{min(m.seconds):.2f}–{max(m.seconds):.2f}"
            lines.append(f"| {name} | {m.median_s:.2f} | {span} | {m.largest_mib:.0f} |")
        if self.accuracy:
            lines += ["", "| against float64 | bias of the mean | RMS difference / RMS |", "|---|---|---|"]
            lines += [f"| {name} | {100 * a['bias']:+.5f} % | {a['rms']:.1e} |" for name, a in self.accuracy.items()]
        lines += ["", "| bound | found | at most / at least | |", "|---|---|---|---|"]
        for c in self.checks:
            sign = "≥" if c.at_least else "≤"
            lines.append(f"| {c.name} | {c.found:.3g} {c.unit} | {sign} {c.bound:g} {c.unit} | {c.verdict} |")
        return "\n".join([*lines, *(f"\nFAILED {failure}" for failure in self.failures)])

    def record(self) -> dict[str, object]:
        """What was found, for programs."""
        return {
            "machine": machine(),
            "load": list(os.getloadavg()),
            "quick": self.quick,
            "runs": self.runs,
            "shape": [FRAMES, self.slices, self.matrix, self.matrix],
            "programs": {name: asdict(m) for name, m in self.programs.items()},
            "accuracy": self.accuracy,
            "checks": [asdict(c) | {"verdict": c.verdict} for c in self.checks],
            "failures": self.failures,
            "passed": self.passed,
        }


def _python(script: str, *arguments: object) -> str:
    """Run a script that lies beside this one; returns what it prints."""
    return run_once([sys.executable, HERE / script, *map(str, arguments)])[2]


def for_nifti_dynamic(frames: Path, table: Path) -> None:
    """The aorta's frame means in the columns that nifti_dynamic reads."""
    with frames.open(newline="", encoding="utf-8") as source, table.open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(["time_start [s]", "time_end [s]", "mean"])
        for row in csv.DictReader(source, delimiter="\t"):
            start, duration = float(row["frame_start"]), float(row["frame_duration"])
            rows.writerow([start, start + duration, row["mean"]])


def machine() -> str:
    """Cores, system and Python."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


GROUPS = ("imports", "info", "patlak", "scaling")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="an eighth of the voxels; times are not judged")
    parser.add_argument("--runs", type=int, default=5, help="runs of each program (default 5)")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS, metavar="GROUP", help=" ".join(GROUPS))
    parser.add_argument("--folder", type=Path, help="where to make the temporary folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there too")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="petkinetics-bench-", dir=given.folder) as folder:
        bench = Bench(Path(folder), given.quick, given.runs)
        for name in given.only:
            bench.attempt(name, getattr(bench, name))
    print(bench.markdown())
    text = json.dumps(bench.record(), ensure_ascii=False)
    print(f"\n```json\n{text}\n```")
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    return 0 if bench.passed else 1


if __name__ == "__main__":
    sys.exit(main())
