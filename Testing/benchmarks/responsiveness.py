"""Whether the GUI keeps answering while an estimate runs: the longest pause of a heartbeat in its thread.

On the stand-in for Slicer, with a real event loop, the real scene and the real worker: a series in the scene, a
click on Run, maps loaded and laid over the images. Prints the longest pause of each phase, and how long after the
end of the background process the overlay was there. Fails above 100 ms or 2 s (the median of the runs), unless
``--no-bounds``. With ``--slicer`` the same is measured in the application too, where the module's panel is open and
the views are drawn; that is printed, not judged, as drawing depends on the graphics.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

TESTING = Path(__file__).resolve().parents[1]
if TYPE_CHECKING:
    from background.heartbeat import Responsiveness

_LONGEST_S = 3600.0


def on_standin(arguments: argparse.Namespace) -> list[Responsiveness]:
    """Run it on the stand-in."""
    from background.heartbeat import measure
    from petkinetics.frames import FrameTiming

    runs = []
    for _ in range(arguments.runs):
        size = (arguments.slices, arguments.matrix, FrameTiming.parse(arguments.frames))
        runs.append(measure(*size, arguments.method))
        print(runs[-1], flush=True)
    return runs


def in_slicer(arguments: argparse.Namespace) -> tuple[Responsiveness, list[Responsiveness]]:
    """Run it in the application: (the first result of a scene, the later ones).

    With the first one the panel arranges the views anew, to show SUV beside the map.

    :raises RuntimeError: it did not come to its end.
    """
    from background.heartbeat import Responsiveness
    from real_slicer.application import run_script

    told = {name: getattr(arguments, name) for name in ("slices", "matrix", "frames", "method", "runs")}
    with tempfile.TemporaryDirectory(prefix="responsiveness-") as name:
        findings, log = Path(name) / "findings.json", Path(name) / "slicer.log"
        told |= {"findings": str(findings), "testing": str(TESTING)}
        script = Path(__file__).with_name("responsiveness_in_slicer.py")
        run_script(arguments.slicer, script, log, {"DYNAMICPET_RESPONSIVENESS": json.dumps(told)}, _LONGEST_S)
        if not findings.is_file():
            raise RuntimeError(f"Slicer ended before it had measured:\n{log.read_text(encoding='utf-8')[-2000:]}")
        found = json.loads(findings.read_text(encoding="utf-8"))
    if "failed" in found:
        raise RuntimeError(found["failed"])
    first, *later = [Responsiveness(**run) for run in found["runs"]]
    print(f"in Slicer {found['slicer']}, its views drawn; first result of the scene:\n{first}\nlater results:")
    for run in later:
        print(run, flush=True)
    return first, later


def summary(runs: Sequence[Responsiveness]) -> dict[str, Any]:
    """Medians, and every run."""
    middle = len(runs) // 2
    return {
        "longest_pause_s": sorted(run.longest_s for run in runs)[middle],
        "overlay_s": sorted(run.overlay_s for run in runs)[middle],
        "pauses_s": [run.longest_s for run in runs],
        "overlays_s": [run.overlay_s for run in runs],
        "clicks_to_overlay_s": [run.whole_s for run in runs],
    }


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=71)
    parser.add_argument("--matrix", type=int, default=256)
    parser.add_argument("--frames", default="liang2023")
    parser.add_argument("--method", default="patlak")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-bounds", action="store_true", help="only print")
    parser.add_argument("--quick", action="store_true", help="an eighth of the voxels, once; only print")
    parser.add_argument("--slicer", type=Path, metavar="PROGRAM", help="a Slicer, to measure in it as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings there too")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.slices, arguments.runs, arguments.no_bounds = arguments.slices // 8, 1, True
    sys.path.insert(0, str(TESTING))
    from standin.panel import start

    start()
    from background.heartbeat import LATEST_OVERLAY_S, LONGEST_PAUSE_S
    from petkinetics.frames import FrameTiming

    frames = len(FrameTiming.parse(arguments.frames))
    print(f"{arguments.matrix}x{arguments.matrix}x{arguments.slices}x{frames}, {arguments.method}; pauses in ms")
    found = summary(on_standin(arguments))
    good = found["longest_pause_s"] <= LONGEST_PAUSE_S and found["overlay_s"] <= LATEST_OVERLAY_S
    print("within the bounds" if good else "TOO SLOW")
    if arguments.slicer is not None:
        first, later = in_slicer(arguments)
        found["in_slicer"] = {"first": summary([first]), "later": summary(later)}
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if good or arguments.no_bounds else 1


if __name__ == "__main__":
    sys.exit(main())
