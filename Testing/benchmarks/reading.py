"""Reading a dynamic DICOM series of 2,000 files: petkinetics beside SimpleITK and dicom2nifti.

    python Testing/benchmarks/reading.py [--quick] [--runs N] [--dicom2nifti PYTHON] [--folder DIR]

Every program ends with all frames in memory as float32. PYTHON is an interpreter that has dicom2nifti; it brings a
decoder along that pydicom would prefer, so it is not among the packages of development. The floor reads the files'
bytes. Exit status 1 when a program does not run, or when its frames' means differ from ours by more than 1e-4.
--quick takes 250 files.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from processes import ProgramFailed, interleaved, ratio, run_once
from run import machine

HERE = Path(__file__).resolve().parent
FRAMES, SLICES, QUICK_SLICES = 25, 80, 10
MOST_APART = 1e-4
OURS = "petkinetics"


def programs(series: Path, out: Path, dicom2nifti: str | None) -> dict[str, list[str | Path]]:
    """The command of each program."""
    reading: list[str | Path] = [HERE / "peer_reading.py"]
    found: dict[str, list[str | Path]] = {"floor": [sys.executable, HERE / "floor_bytes.py", "0", out, series]}
    found |= {name: [sys.executable, *reading, name, series] for name in (OURS, "SimpleITK")}
    if dicom2nifti is not None:
        found["dicom2nifti"] = [dicom2nifti, *reading, "dicom2nifti", series]
    return found


def farthest_apart(commands: dict[str, list[str | Path]]) -> dict[str, float]:
    """Largest relative difference of a frame's mean from ours, by program."""
    means = {name: json.loads(run_once(command)[2]) for name, command in commands.items() if name != "floor"}
    ours = means.pop(OURS)
    return {name: max(abs(a / b - 1.0) for a, b in zip(theirs, ours, strict=True)) for name, theirs in means.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="250 files")
    parser.add_argument("--runs", type=int, default=3, help="runs of each program (default 3)")
    parser.add_argument("--dicom2nifti", metavar="PYTHON", help="an interpreter that has dicom2nifti")
    parser.add_argument("--folder", type=Path, help="where to make the temporary folder")
    given = parser.parse_args(arguments)
    slices = QUICK_SLICES if given.quick else SLICES
    with tempfile.TemporaryDirectory(prefix="petkinetics-reading-", dir=given.folder) as name:
        series, out = Path(name) / "series", Path(name) / "out"
        try:
            run_once([sys.executable, HERE / "make_dicom.py", series, str(FRAMES), str(slices)])
            commands = programs(series, out, given.dicom2nifti)
            apart = farthest_apart(commands)
            found = interleaved(
                {name: lambda c=command: c for name, command in commands.items()},  # type: ignore[misc]
                given.runs,
                lambda: out.unlink(missing_ok=True),
            )
        except ProgramFailed as error:
            print(f"FAILED {error}")
            return 1
    print(f"{FRAMES * slices} files; {machine()}.\n")
    print("| program | s | ÷ floor | ÷ petkinetics | peak MiB |\n|---|---|---|---|---|")
    for name, m in found.items():
        ratios = f"{ratio(m, found['floor']):.1f} | {ratio(m, found[OURS]):.1f}"
        print(f"| {name} | {m.median_s:.2f} | {ratios} | {m.largest_mib:.0f} |")
    wrong = {name: value for name, value in apart.items() if value > MOST_APART}
    for name, value in wrong.items():
        print(f"\nFAILED the frames' means of {name} differ from ours by {value:.1e}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
