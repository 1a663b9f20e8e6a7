"""The model card of weights: what they learned from, how good they are, what they are for."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import torch

from petkinetics import __version__
from petkinetics.training.pool import ANATOMIES, GRIDS, SLICES
from petkinetics.training.scans import FRAMINGS, ScanRanges
from petkinetics.training.trainer import Plan, Progress

INTENDED_USE = (
    "Research on dynamic FDG PET of the trunk. Not a medical device: no diagnosis or treatment may rest on it."
)
KNOWN_FAILURES = (
    "Trained on simulated patients only; real patients may differ in ways that the simulation does not know.",
    "Tracers other than FDG are refused.",
    "Small lesions of low contrast are drawn towards their surroundings; see docs/validation.md for how far.",
    "Movement between frames is not corrected and looks like kinetics.",
)


def model_card(
    name: str,
    network: str,
    preset: str,
    ranges: ScanRanges,
    seeds: range | None,
    plan: Plan,
    progress: Progress,
    scans: int,
    slices: int,
    own_data: list[str] | None = None,
) -> dict[str, Any]:
    """What is known of a training.

    :param seeds: of the simulated patients; *own_data*: names of own series instead.
    """
    simulated = own_data is None
    plan_values = {key: value for key, value in asdict(plan).items() if key != "schedule"}
    return {
        "name": name,
        "network": network,
        "preset": preset,
        "version": 1,
        "trained_on": "simulated patients" if simulated else "own dynamic series",
        "made": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "data": {
            "training_seeds": [seeds[0], seeds[-1]] if seeds else None,
            "anatomies": dict(ANATOMIES) if simulated else None,
            "voxels_mm": [list(size) for size, _ in GRIDS] if simulated else None,
            "slab_slices": SLICES if simulated else None,
            "framings": [spec for spec, _ in FRAMINGS] if simulated else None,
            "series": own_data,
        },
        "ranges": asdict(ranges),
        "training": {
            **plan_values,
            "scans_a_step": scans,
            "slices_a_scan": slices,
            "steps_done": progress.step,
            "best_step": progress.best_step,
            "hours": round(progress.seconds / 3600.0, 3),
        },
        "validation": {key: round(value, 5) for key, value in progress.metrics.items()},
        "versions": {"petkinetics": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "intended_use": INTENDED_USE,
        "known_failures": list(KNOWN_FAILURES),
    }
