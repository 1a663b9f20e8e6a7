"""Make the pictures of README and tutorial again: what ``make figures`` runs.

They are the figures of ``--report`` and ``compare``, unchanged, for the patient of ``make demo``: the
one of the README at full size (256x256x71 voxels), those of the tutorial at its size (96x96x44).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from demo import SEED, T_STAR_MIN
from petkinetics.cli import main as petkinetics
from petkinetics.write.tables import read_table
from pictures import keep_small

SCREENSHOTS = Path(__file__).resolve().parents[1] / "Resources" / "screenshots"


def estimate(folder: Path, size: str) -> Path:
    """Simulate the patient at a size and estimate with a report; returns the patient's folder."""
    patient = folder / size
    _run("simulate", patient, "--seed", SEED, "--size", size, "--format", "nifti")
    ratio = json.loads((patient / "simulation.json").read_text(encoding="utf-8"))["plasma_to_whole_blood"]
    options = ("--method", "patlak", "--t-star", T_STAR_MIN, "--plasma-ratio", f"{ratio:.3f}", "--report")
    regions = ("--roi", patient / "aorta.nii.gz", "--rois", patient / "lesions.nii.gz")
    _run("estimate", patient / "pet.nii.gz", *regions, *options, "-o", patient / "result")
    return patient


def main() -> None:
    """Make all pictures, in place of the earlier ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        full = estimate(Path(name), "full")
        _keep(full / "result" / "figures" / "ki_over_anatomy.png")
        small = estimate(Path(name), "small")
        for figure in ("patlak.png", "input_function.png"):
            _keep(small / "result" / "figures" / figure)
        truth = small / "truth" / "ki_patlak_9_65.nii.gz"
        lesions = ("--roi", small / "lesions.nii.gz", "--truth")
        _run("compare", small / "result" / "ki.nii.gz", truth, *lesions, "-o", small / "comparison")
        regions = [str(row["roi"]) for row in read_table(small / "comparison" / "bland_altman.tsv")]
        number = 1 + next(i for i, region in enumerate(regions) if "liver" in region)
        _keep(small / "comparison" / "figures" / f"bland_altman_{number}.png", "bland_altman.png")


def _run(*arguments: object) -> None:
    if status := petkinetics([str(argument) for argument in arguments]):
        sys.exit(status)


def _keep(figure: Path, name: str = "") -> None:
    keep_small(figure, SCREENSHOTS / (name or figure.name))


if __name__ == "__main__":
    main()
