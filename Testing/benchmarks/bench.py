"""Every benchmark, one after the other, with one summary at the end and the findings as files.

    python Testing/benchmarks/bench.py [--kmap CHECKOUT] [--dynamicpet PYTHON] [--petpal PYTHON] [--dicom2nifti PYTHON]
    python Testing/benchmarks/bench.py [--slicer PROGRAM]

--quick takes an eighth of the voxels, --only some of the benchmarks, --out another folder than build/bench for the
findings: NAME.txt, what each printed, NAME.json, what it found, and summary.tsv, every number of every NAME.json on
a line of its own (benchmark, what, value). Peers are raced where they are given (README.md), and the
panel is measured in the Slicer that is given, too. Exit status 1 when a benchmark misses a bound or does not run; the
others run all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from run import machine

HERE = Path(__file__).resolve().parent
#: what each is given as
PEERS = {
    "kmap": "CHECKOUT",
    "dynamicpet": "PYTHON",
    "petpal": "PYTHON",
    "dicom2nifti": "PYTHON",
    "slicer": "PROGRAM",
}
#: name of the script: the peers it knows
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "run": (),
    "race": ("dynamicpet", "petpal", "kmap"),
    "two_tissue": ("kmap",),
    "paths": (),
    "reading": ("dicom2nifti",),
    "networks": (),
    "responsiveness": ("slicer",),
}


def run(name: str, out: Path, quick: bool, peers: dict[str, str]) -> tuple[int, float]:
    """Run one benchmark, its words on the screen and in a file: (exit status, seconds)."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(out / f"{name}.json")]
    command += ["--quick"] if quick else []
    for peer in BENCHMARKS[name]:
        command += [f"--{peer}", peers[peer]] if peer in peers else []
    began = time.perf_counter()
    with (out / f"{name}.txt").open("w", encoding="utf-8") as kept:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        for line in process.stdout:
            kept.write(line)
            # run.py ends with its findings for programs; they are in its file
            if not line.startswith(("{", "```")):
                print(line, end="", flush=True)
    return process.wait(), time.perf_counter() - began


def numbers(found: object, what: tuple[str, ...] = ()) -> Iterator[tuple[str, float]]:
    """Every number of a JSON value with its place; rows of tables are named by their words."""
    if isinstance(found, dict):
        words = tuple(str(v) for v in found.values() if isinstance(v, str)) if what else ()
        for key, value in found.items():
            yield from numbers(value, (*what, *words, str(key)))
    elif isinstance(found, list):
        for i, value in enumerate(found):
            yield from numbers(value, what if isinstance(value, dict) else (*what, str(i)))
    elif isinstance(found, int | float):
        yield " / ".join(what), float(found)


def summary(out: Path, names: Sequence[str]) -> None:
    """Write summary.tsv."""
    lines = ["benchmark\twhat\tvalue"]
    for name in names:
        file = out / f"{name}.json"
        if file.exists():
            found = json.loads(file.read_text(encoding="utf-8"))
            lines += [f"{name}\t{what}\t{value:.6g}" for what, value in numbers(found)]
    (out / "summary.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="an eighth of the voxels; times are not judged")
    names = " ".join(BENCHMARKS)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), metavar="NAME", help=names)
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="for the findings (build/bench)")
    for peer, kind in PEERS.items():
        parser.add_argument(f"--{peer}", metavar=kind)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    peers = {peer: value for peer in PEERS if (value := getattr(given, peer)) is not None}
    rows = []
    for name in given.only:
        print(f"\n== {name}.py", flush=True)
        (given.out / f"{name}.json").unlink(missing_ok=True)
        load = os.getloadavg()[0]
        status, seconds = run(name, given.out, given.quick, peers)
        rows.append((name, status, seconds, load))
    summary(given.out, given.only)
    print(f"\n== Summary; {machine()}\n\n| benchmark | min | load before | |\n|---|---|---|---|")
    for name, status, seconds, load in rows:
        print(f"| {name} | {seconds / 60:.1f} | {load:.1f} | {'ok' if status == 0 else 'FAILED'} |")
    total = sum(seconds for _, _, seconds, _ in rows)
    print(f"\n{total / 60:.1f} min in all; the findings are in {given.out}.")
    return int(any(status for _, status, _, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
