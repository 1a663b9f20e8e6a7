"""Reading a dynamic DICOM series of 2,000 files: petkinetics beside SimpleITK and dicom2nifti.

    python Testing/benchmarks/reading.py [--quick] [--runs N] [--dicom2nifti PYTHON] [--json FILE]

Every program ends with all frames in memory as float32. PYTHON is an interpreter that has dicom2nifti; it brings a
decoder along that pydicom would prefer, so it is not among the packages of development. The floor reads the files'
bytes. Exit status 1 when a program does not run, or when a voxel of it differs from ours by more than 1e-6 of the
largest value (each axis in either direction).
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
MOST_APART = 1e-6
OURS = "petkinetics"


def programs(series: Path, out: Path, dicom2nifti: str | None) -> dict[str, list[str | Path]]:
    """The command of each program."""
    reading: list[str | Path] = [HERE / "peer_reading.py"]
    found: dict[str, list[str | Path]] = {"floor": [sys.executable, HERE / "floor_bytes.py", "0", out, series]}
    found |= {name: [sys.executable, *reading, name, series] for name in (OURS, "SimpleITK")}
    if dicom2nifti is not None:
        found["dicom2nifti"] = [dicom2nifti, *reading, "dicom2nifti", series]
    return found


def farthest_apart(commands: dict[str, list[str | Path]], folder: Path) -> dict[str, float]:
    """Largest difference of a voxel from ours over the largest value, by program."""
    found: dict[str, float] = {}
    read = {name: folder / f"{name}.npy" for name in commands if name != "floor"}
    for name, file in read.items():
        run_once([*commands[name], file])
        if name != OURS:
            found[name] = float(run_once([sys.executable, HERE / "same_voxels.py", read[OURS], file])[2])
            file.unlink()
    read[OURS].unlink()
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="250 files")
    parser.add_argument("--runs", type=int, default=3, help="runs of each program (default 3)")
    parser.add_argument("--dicom2nifti", metavar="PYTHON", help="an interpreter that has dicom2nifti")
    parser.add_argument("--folder", type=Path, help="where to make the temporary folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there too")
    given = parser.parse_args(arguments)
    slices = QUICK_SLICES if given.quick else SLICES
    with tempfile.TemporaryDirectory(prefix="petkinetics-reading-", dir=given.folder) as name:
        series, out = Path(name) / "series", Path(name) / "out"
        try:
            run_once([sys.executable, HERE / "make_dicom.py", series, str(FRAMES), str(slices)])
            commands = programs(series, out, given.dicom2nifti)
            apart = farthest_apart(commands, Path(name))
            found = interleaved(
                {name: lambda c=command: c for name, command in commands.items()},  # type: ignore[misc]
                given.runs,
                lambda: out.unlink(missing_ok=True),
            )
        except ProgramFailed as error:
            print(f"FAILED {error}")
            return 1
    rows = []
    for program, m in found.items():
        ratios = {"of_floor": ratio(m, found["floor"]), "of_ours": ratio(m, found[OURS])}
        rows.append({"program": program, "seconds": m.median_s, **ratios, "mib": m.largest_mib})
    print(f"{FRAMES * slices} files; {machine()}.\n")
    print("| program | s | ÷ floor | ÷ petkinetics | peak MiB | farthest voxel from ours |\n|---|---|---|---|---|---|")
    for row in rows:
        times = f"{row['seconds']:.2f} | {row['of_floor']:.1f} | {row['of_ours']:.1f} | {row['mib']:.0f}"
        farthest = f"{apart[name]:.0e}" if (name := str(row["program"])) in apart else ""
        print(f"| {name} | {times} | {farthest} |")
    wrong = {program: value for program, value in apart.items() if not value <= MOST_APART}
    for program, value in wrong.items():
        print(f"\nFAILED a voxel of {program} differs from ours by {value:.1e} of the largest value")
    if given.json:
        content = {"rows": rows, "apart": apart, "failures": sorted(wrong)}
        given.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
