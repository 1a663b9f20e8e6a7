"""The model card of weights: what they learned from, how good they are, what they are for."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from petkinetics import __version__
from petkinetics.networks.weight_files import write_weights
from petkinetics.training.pool import ANATOMIES, GRIDS, SLICES
from petkinetics.training.processes import is_first
from petkinetics.training.scan_settings import FRAMINGS, ScanRanges
from petkinetics.training.trainer import Plan, Progress, Trainer

INTENDED_USE = (
    "Research on dynamic FDG PET of the trunk. Not a medical device: no diagnosis or treatment may rest on it."
)
#: the first of the known failures, by what a training had
SIMULATED_ONLY = (
    "Trained on simulated patients only; real patients may differ in ways that the simulation does not know."
)
_OWN_SERIES_ONLY = (
    "Trained on the own series alone, judged on simulated patients; other patients, scanners and protocols may differ "
    "in ways that these series do not show."
)
#: those that all trainings share
KNOWN_FAILURES = (
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

    :param seeds: of the simulated patients, where it is these that it learned from.
    :param own_data: names of own series, which it learned from instead.
    """
    simulated = own_data is None
    plan_values = {key: value for key, value in asdict(plan).items() if key != "schedule"}
    data = {
        "anatomies": dict(ANATOMIES),
        "voxels_mm": [list(size) for size, _ in GRIDS],
        "slab_slices": SLICES,
        "framings": [spec for spec, _ in FRAMINGS],
    }
    training = {
        **plan_values,
        "scans_a_step": scans,
        "slices_a_scan": slices,
        "steps_done": progress.step,
        "best_step": progress.best_step,
        "hours": round(progress.seconds / 3600.0, 3),
    }
    return whole_card(
        {"name": name, "network": network, "preset": preset},
        "simulated patients" if simulated else "own dynamic series",
        data_part(seeds if simulated else None, data, own_data),
        {"ranges": asdict(ranges), "training": training},
        progress.metrics,
        (SIMULATED_ONLY if simulated else _OWN_SERIES_ONLY, *KNOWN_FAILURES),
    )


def data_part(seeds: range | None, simulated: Mapping[str, Any], own_data: list[str] | None) -> dict[str, Any]:
    """What a network learned from.

    :param seeds: of the simulated patients among it; None where there were none.
    :param simulated: what is known of these; None is said of each where there were none.
    :param own_data: names of own series among it; None where there were none.
    """
    return {
        "training_seeds": [seeds[0], seeds[-1]] if seeds else None,
        **{key: value if seeds else None for key, value in simulated.items()},
        "series": own_data,
    }


def whole_card(
    heading: Mapping[str, str],
    trained_on: str,
    data: Mapping[str, Any],
    parts: Mapping[str, Any],
    metrics: Mapping[str, float],
    known_failures: Sequence[str],
) -> dict[str, Any]:
    """A card of any network: what all have in common around the parts of its own.

    :param heading: name, network, preset.
    :param parts: ranges and training, and what else there is to say.
    :param metrics: on validation patients.
    """
    return {
        **heading,
        "version": 1,
        "trained_on": trained_on,
        "made": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "data": dict(data),
        **parts,
        "validation": {key: round(value, 5) for key, value in metrics.items()},
        "versions": {"petkinetics": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "intended_use": INTENDED_USE,
        "known_failures": list(known_failures),
    }


def write_trained(trainer: Trainer, out: Path, name: str, card: Mapping[str, Any]) -> None:
    """The first process writes the best weights so far, or the average of now where none was judged yet."""
    if not is_first():
        return
    tensors = trainer.best or dict(trainer.average.module.state_dict())
    write_weights(out, name, tensors, {**card, "parameters": sum(t.numel() for t in tensors.values())})
