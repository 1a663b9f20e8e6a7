"""Every path that moves many bytes, beside its floor: the same bytes read and written by numpy alone.

The floor of learned methods has the arithmetic of their networks, too (floor_operations.py).

    python Testing/benchmarks/paths.py [--quick] [--runs N] [--only TEXT] [--profile FOLDER] [--json FILE]

A path above 3 times its floor has to be explained in README.md's table; one that is above and has no row there
makes the exit status 1, as does a program that does not run. --profile writes cProfile's table of every path
into FOLDER. --quick takes an eighth of the voxels, where start-up dominates, and judges nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import ProgramFailed, interleaved, ratio, run_once
from run import USED, machine

HERE = Path(__file__).resolve().parent
MATRIX = 256
MOST_OF_FLOOR = 3.0
#: of the simulated DICOM scan
DICOM_FRAMES, DICOM_SLICES = 25, 80
Command = list[str | Path]


@dataclass(frozen=True)
class Way:
    """One path through the engine.

    :param arguments: of ``petkinetics``; the output's name follows them.
    :param reads: files and folders that it has to read.
    :param last: bytes at the end of each that it has to read; 0: all.
    :param compressed: the floor compresses the maps that *reads* holds.
    :param out: the output's name; empty for a path that leaves nothing but words.
    :param counted: arguments of ``floor_operations.py`` for a learned method; its floor is that of the bytes and, after
        that, the arithmetic of its networks.
    """

    name: str
    arguments: Command
    reads: tuple[Path, ...]
    last: int = 0
    compressed: bool = False
    out: str = "out"
    counted: tuple[str | Path, ...] = ()

    def floor(self, done: Path, out: Path) -> Command:
        """The floor's command, when *done* holds what ours left."""
        if self.compressed:
            return [sys.executable, HERE / "floor_gzip.py", out, *sorted(self.reads[0].glob("*.nii"))]
        written = sum(f.stat().st_size for f in (done, *done.rglob("*")) if f.is_file())
        return [sys.executable, HERE / "floor_bytes.py", str(written), out, *self.reads, "--last", str(self.last)]


def ways(folder: Path, quick: bool) -> list[Way]:
    """Make the data in *folder*; returns the paths to measure."""
    slices, dicom_slices = (9, 10) if quick else (71, DICOM_SLICES)
    scan, dicom = folder / "scan", folder / "dicom"
    pet, maps, smooth, result = scan / "pet.nii", folder / "maps", folder / "smooth", folder / "result"
    run_once([sys.executable, HERE / "make_series.py", scan, "--matrix", str(MATRIX), "--slices", str(slices)])
    run_once([sys.executable, HERE / "make_dicom.py", dicom, str(DICOM_FRAMES), str(dicom_slices)])
    estimate: Command = ["estimate", pet, "--roi", scan / "aorta.nii", "--set", "suv=none"]
    plain: Command = [*estimate, "--no-compress", "--method"]
    petkinetics: Command = [sys.executable, "-m", "petkinetics"]
    run_once([*petkinetics, *plain, "patlak", "-o", maps])
    run_once([*petkinetics, *plain, "gaussian", "-o", smooth])
    blood = maps / "input_function.tsv"
    run_once([*petkinetics, "estimate", dicom, "--input-function", blood, "--method", "patlak", "-o", result])
    used = 4 * USED * slices * MATRIX**2
    export: Command = ["export", result, "--series", dicom]
    window: Command = ["suv", dicom, "--type", "activity", "--window", "0-50", "-o"]
    fits = [Way(f"estimate: {m}", [*plain, m, "-o"], (pet,), used) for m in ("patlak", *_REGULARISED)]
    aorta, two_ki = scan / "aorta.nii", (maps / "ki.nii", smooth / "ki.nii")
    roi: Command = [pet, "--roi", aorta, "-o"]
    return [
        *fits,
        Way("estimate: two-tissue", [*plain, "two-tissue", "-o"], (pet,)),
        Way(
            "estimate: kinetic-network, 35 min",
            [*plain, "kinetic-network", "--until", "35", "-o"],
            (pet,),
            counted=("kinetic-network", pet, aorta, "35"),
        ),
        Way(
            "estimate: diffusion-prior",
            [*plain, "diffusion-prior", "-o"],
            (pet,),
            counted=("diffusion-prior", pet, aorta, "0"),
        ),
        Way("patlak, compressed maps", [*estimate, "--method", "patlak", "-o"], (maps,), compressed=True),
        Way("aorta", ["aorta", pet, "-o"], (pet,), out="aorta.nii.gz"),
        Way("input-function", ["input-function", *roi], (pet, aorta), out="blood.tsv"),
        Way("tac", ["tac", *roi], (pet, aorta), out="tacs.tsv"),
        Way("compare", ["compare", *two_ki, "--roi", aorta, "-o"], (*two_ki, aorta)),
        Way("SUV image", ["suv", pet, "--type", "activity", "--window", "30-65", "-o"], (pet,), used, out="suv.nii"),
        Way("info, DICOM", ["info", dicom, "--json"], (dicom,), _HEADER, out=""),
        Way("DICOM, all frames to one image", window, (dicom,), out="mean.nii"),
        Way("export: parametric maps", [*export, "--to"], (result,)),
        Way("export: PET images", [*export, "--as", "pet-image", "--to"], (result,)),
    ]


#: bytes of a file that its header takes
_HEADER = 4096
_REGULARISED = ("gaussian", "hypr", "total-variation", "nlm")


def clear(path: Path) -> None:
    """Remove an output: a folder, or a file and what describes it beside it."""
    for found in path.parent.glob(f"{path.name.partition('.')[0]}*"):
        shutil.rmtree(found) if found.is_dir() else found.unlink()


def measure(way: Way, folder: Path, runs: int, profile: Path | None) -> dict[str, object]:
    """Ours and the floor in turn; a row of the table."""
    bytes_ = folder / "floor-out"
    # a path that leaves nothing has no name for it
    places = [folder / way.out, folder / f"done-{way.out}"] if way.out else []
    ours: Command = ["-m", "petkinetics", *way.arguments, *places[:1]]
    run_once([sys.executable, "-m", "petkinetics", *way.arguments, *places[1:]])
    floor = way.floor(places[-1] if places else folder / "nothing", bytes_)
    for place in places:
        clear(place)

    def before_each() -> None:
        for place in (*places, bytes_):
            clear(place)

    programs: dict[str, Command] = {"floor": floor, "ours": [sys.executable, *ours]}
    found = interleaved({n: lambda c=c: c for n, c in programs.items()}, runs, before_each)  # type: ignore[misc]
    before_each()
    if profile is not None:
        profile.mkdir(parents=True, exist_ok=True)
        table = profile / (way.name.replace(": ", "-").replace(" ", "-").replace(",", "") + ".prof")
        run_once([sys.executable, "-m", "cProfile", "-o", table, *ours])
        before_each()
    seconds, bytes_s = found["ours"].median_s, found["floor"].median_s
    row = {"path": way.name, "floor_s": bytes_s, "seconds": seconds, "of_floor": ratio(found["ours"], found["floor"])}
    if way.counted:
        arithmetic = json.loads(run_once([sys.executable, HERE / "floor_operations.py", *way.counted, places[0]])[2])
        before_each()
        whole = bytes_s + arithmetic.pop("seconds")
        row |= {"floor_s": whole, "of_floor": seconds / whole, "bytes_s": bytes_s, **arithmetic}
    return row | {"mib": found["ours"].largest_mib}


def reasons() -> dict[str, str]:
    """Why a path takes what it takes, from README.md's table."""
    rows = (line.split("|") for line in (HERE / "README.md").read_text(encoding="utf-8").splitlines())
    return {cells[1].strip(): cells[5].strip() for cells in rows if len(cells) == 7 and cells[5].strip()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="an eighth of the voxels; nothing is judged")
    parser.add_argument("--runs", type=int, default=1, help="runs that count, after one that does not (default 1)")
    parser.add_argument("--only", default="", metavar="TEXT", help="paths whose name holds this")
    parser.add_argument("--folder", type=Path, help="where to make the temporary folder")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="write cProfile's tables there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there too")
    given = parser.parse_args(arguments)
    explained = reasons()
    rows: list[dict[str, object]] = []
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="petkinetics-paths-", dir=given.folder) as folder:
        for way in (w for w in ways(Path(folder), given.quick) if given.only in w.name):
            print(f"{way.name} ...", file=sys.stderr, flush=True)
            try:
                rows.append(measure(way, Path(folder), given.runs, given.profile))
            except ProgramFailed as error:
                failures.append(f"{way.name}: {error}")
    print(f"Each path beside its floor; {machine()}.\n")
    print("| path | floor s | petkinetics s | ÷ floor | why |\n|---|---|---|---|---|")
    for row in rows:
        name, of_floor = str(row["path"]), float(row["of_floor"])  # type: ignore[arg-type]
        if of_floor > MOST_OF_FLOOR and name not in explained and not given.quick:
            failures.append(f"{name}: above {MOST_OF_FLOOR:g} times its floor, and README.md has no reason")
        times = f"{row['floor_s']:.2f} | {row['seconds']:.2f} | {of_floor:.1f}"
        print(f"| {name} | {times} | {explained.get(name, '')} |")
    print()
    for row in (r for r in rows if "operations" in r):
        print(
            f"{row['path']}: {row['operations'] / 1e12:.2f} Tflop at {row['operations_per_s'] / 1e9:.0f} Gflop/s "  # type: ignore[operator]
            f"({row['numbers']}), {row['bytes_s']:.2f} s for the bytes"
        )
    for failure in failures:
        print(f"\nFAILED {failure}")
    if given.json:
        given.json.write_text(json.dumps({"rows": rows, "failures": failures}, indent=2) + "\n", encoding="utf-8")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
