"""Time and memory of the networks: ours and the paper's side by side on a slice, ours on a whole scan.

Bounds (issue's): ours at most 0.2 s wall a slice of 256 x 256 with two threads; 71 slices, everything included, at
most 30 s and 2 GiB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from processes import run_once

SLICE_S, SCAN_S, SCAN_MIB = 0.2, 30.0, 2048.0

_ON_A_SLICE = """
import sys, time
import torch
from petkinetics.networks.default_network import SLICES, DefaultNetwork, TurnedMean
from petkinetics.networks.features import CONDITIONS, FEATURES
from petkinetics.networks.paper_network import KineticNetwork
from petkinetics.networks.presets import COMPACT, LIANG2023
from petkinetics.networks.run import Runner

torch.set_num_threads(2)
networks = {
    # as it is used: two answers, in half precision where the processor has it
    "default": (
        Runner(TurnedMean(DefaultNetwork()), torch.device("cpu"), mixed=True),
        (torch.randn(1, SLICES * FEATURES, 256, 256), torch.zeros(CONDITIONS)),
    ),
    "compact": (KineticNetwork(COMPACT, 22), (torch.rand(1, 22, 256, 256),)),
    "liang2023": (KineticNetwork(LIANG2023, 22), (torch.rand(1, 22, 256, 256),)),
}
network, given = networks[sys.argv[1]]
if isinstance(network, torch.nn.Module):
    network.eval()
with torch.inference_mode():
    network(*given)
    begin = time.perf_counter()
    network(*given)
print(time.perf_counter() - begin)
"""


def on_a_slice(runs: int) -> dict[str, float]:
    """Median seconds of each network, taken in turn."""
    taken: dict[str, list[float]] = {"default": [], "compact": [], "liang2023": []}
    for _ in range(runs):
        for name, times in taken.items():
            found = subprocess.run(
                [sys.executable, "-c", _ON_A_SLICE, name], capture_output=True, text=True, check=True
            )
            times.append(float(found.stdout))
    return {name: statistics.median(times) for name, times in taken.items()}


def whole_scan(runs: int, slices: int) -> tuple[float, float]:
    """(median seconds, largest MiB) of the whole command on 256 x 256 voxels, the first 35 min."""
    with tempfile.TemporaryDirectory(prefix="network-times-") as name:
        folder = Path(name)
        # in a process of its own: run_once's peak begins with its parent's size
        subprocess.run(
            [sys.executable, "-c", f"from make_series import make_series; from pathlib import Path; "
             f"make_series(Path({str(folder / 'series')!r}), 256, {slices})"],
            check=True, cwd=Path(__file__).parent,
        )  # fmt: skip
        series, aorta = folder / "series" / "pet.nii", folder / "series" / "aorta.nii"
        seconds, peaks = [], []
        for run in range(runs):
            command = [
                *(sys.executable, "-m", "petkinetics", "estimate", series, "--roi", aorta),
                *("--method", "kinetic-network", "--until", "35", "-o", folder / f"out{run}"),
            ]
            taken, peak, _ = run_once(command)
            seconds.append(taken)
            peaks.append(peak)
    return statistics.median(seconds), max(peaks)


def main() -> int:
    """Measure, print, and say whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slices", type=int, default=71)
    parser.add_argument("--quick", action="store_true", help="one run, nine slices; nothing is judged")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there too")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.runs, arguments.slices = 1, 9
    times = on_a_slice(arguments.runs)
    for name, seconds in times.items():
        print(f"{name:10s} {seconds:8.3f} s a slice {seconds / times['default']:8.1f} x default")
    seconds, peak = whole_scan(arguments.runs, arguments.slices)
    print(f"whole scan {seconds:8.1f} s, {peak:.0f} MiB ({arguments.slices} slices)")
    kept = times["default"] <= SLICE_S and seconds <= SCAN_S and peak <= SCAN_MIB
    print(f"bounds {SLICE_S} s, {SCAN_S:g} s, {SCAN_MIB:g} MiB: {'kept' if kept else 'MISSED'}")
    if arguments.json:
        found = {"slice_s": times, "scan_s": seconds, "scan_mib": peak, "slices": arguments.slices}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if kept or arguments.quick else 1


if __name__ == "__main__":
    sys.exit(main())
