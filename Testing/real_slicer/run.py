"""Run the module's workflow in a real Slicer: what ``make test-slicer SLICER=…`` does.

    python Testing/real_slicer/run.py path/to/Slicer [FOLDER]

Starts the application with this source tree's modules, clicks through the whole workflow, and leaves a
picture of the main window after each step in FOLDER (``slicer-test`` by default). Needs nothing but the
application; on a machine without a screen, xvfb-run in front of it. Exit status 0 when all passed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from application import run_script

LONGEST_S = 1800


def main() -> int:
    """Start Slicer, wait, tell how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slicer", type=Path, help="the Slicer executable")
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("slicer-test"), help="for the pictures and the log"
    )
    args = parser.parse_args()
    if not args.slicer.is_file():
        print(f"There is no program {args.slicer}.", file=sys.stderr)
        return 2
    folder = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # Removed first: the verdict of an earlier run must not count for this one.
    verdict = folder / "verdict.txt"
    verdict.unlink(missing_ok=True)
    environment = {"DYNAMICPET_TEST_FOLDER": str(folder)}
    log = folder / "slicer.log"
    try:
        status = run_script(args.slicer, Path(__file__).with_name("workflow.py"), log, environment, LONGEST_S)
    except subprocess.TimeoutExpired:
        print(f"Slicer did not end within {LONGEST_S // 60} min; see {log}", file=sys.stderr)
        return 1
    said = verdict.read_text(encoding="utf-8") if verdict.is_file() else f"Slicer ended with {status} before a verdict"
    print(said.strip())
    print(f"Pictures and log: {folder}")
    return 0 if said.startswith("passed") else 1


if __name__ == "__main__":
    sys.exit(main())
