"""How long each method computes, for the table in DynamicPETKineticsLib/runs/methods.py.

Prints, for every method, seconds per million voxels x frames: the slope between two sizes of the same phantom, so
that start-up does not count. Beside it the piece of work that other machines are compared by (method_speed.py),
measured in turn with the methods. The numbers are pasted by hand, with the date and the machine in the commit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from make_series import make_series

from DynamicPETKineticsLib.runs.method_speed import best_work
from petkinetics.estimators import METHODS
from petkinetics.job import EstimateJob


def seconds(series: Path, method: str, output: Path) -> float:
    """Of one estimate in this process."""
    job = EstimateJob(
        series=str(series), output=str(output), method=method, roi=str(series.parent / "aorta.nii"), compress=False
    )
    begin = time.perf_counter()
    job.run()
    return time.perf_counter() - begin


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--matrix", type=int, default=256)
    parser.add_argument("--slices", type=int, nargs=2, default=(6, 18), help="the two sizes")
    parser.add_argument("--only", nargs="*", default=list(METHODS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="method-times-") as name:
        folder = Path(name)
        series = [make_series(folder / f"{slices}", arguments.matrix, slices) for slices in arguments.slices]
        more = 28 * arguments.matrix**2 * (arguments.slices[1] - arguments.slices[0]) / 1e6
        speeds = []
        slopes = {}
        print("method                   s per million voxels x frames   small   large (s)")
        for method in arguments.only:
            taken: list[list[float]] = [[], []]
            for run in range(arguments.runs):
                speeds.append(best_work())
                for size in (0, 1):
                    taken[size].append(seconds(series[size], method, folder / f"{method}-{run}-{size}"))
            # The best: what other programs take away on a busy machine is not the method's.
            small, large = (min(times) for times in taken)
            slopes[method] = (large - small) / more
            print(f"{method:24s} {slopes[method]:29.4f} {small:9.2f} {large:9.2f}", flush=True)
        print(f"REFERENCE_S = {min(speeds):.4f}")
    if arguments.json:
        found = {"reference_s": min(speeds), "s_per_million_voxels": slopes}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
