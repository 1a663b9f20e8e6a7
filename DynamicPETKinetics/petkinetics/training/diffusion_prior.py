"""The recipe of the diffusion prior: one network that learns the prior, and with it a start of its own.

The tasks are those of :mod:`petkinetics.training.static_patches`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from petkinetics.networks.noise_schedule import output_scale
from petkinetics.networks.score_network import ScoreNetwork
from petkinetics.simulate.seeds import VALIDATION_SEEDS
from petkinetics.training.processes import rank, start_processes
from petkinetics.training.static_patches import Patches, PatchSampler
from petkinetics.training.static_patient import StaticPatient
from petkinetics.training.trainer import Plan, Trainer

PLAN = Plan(steps=6000, learning_rate=1.5e-3, average=0.9995, check_every=250)
#: share of the measured task, which makes the start, in each preset
MEASURED_SHARE = {"default": 0.6, "prior-alone": 0.0}
BATCH, PATCH = 24, 64
_CHECK_BATCHES, _VALIDATION_PATIENTS = 12, 24


class PatchStream(IterableDataset):
    """Endless batches of patches, drawn by workers.

    :param patients: to draw from.
    :param measured_share: share of patches that are of the measured task.
    :param seed: another one for each process that trains.
    """

    def __init__(self, patients: Sequence[StaticPatient], measured_share: float, seed: int) -> None:
        super().__init__()
        self._patients, self._share, self._seed = patients, measured_share, seed

    def __iter__(self) -> Iterator[Patches]:
        worker = get_worker_info()
        torch.set_num_threads(1)
        seed = self._seed * 1000 + (worker.id if worker else 0)
        sampler = PatchSampler(self._patients, seed, PATCH, self._share)
        while True:
            yield sampler.batch(BATCH)


def patch_errors(network: nn.Module, patches: Patches) -> Tensor:
    """Squared error of each image of each patch in units of what the network can correct, (batch, 2); 0 if absent."""
    found = network(patches.noisy, patches.sigma, patches.level, patches.condition)
    error = (found - patches.clean) / output_scale(patches.level)[:, :, None, None]
    return (error**2).mean(dim=(2, 3)) * patches.weight


class PatchLoss:
    """Mean squared error of the velocity."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, network: nn.Module, patches: Patches) -> Mapping[str, Tensor]:
        """Terms, "loss" among them: a scalar."""
        patches = patches.to(self._device)
        return {"loss": patch_errors(network, patches).sum() / patches.weight.sum()}


class PatchValidation:
    """The same patches of validation patients at every check; the score is Ki's error.

    :param measured_share: share of patches that are of the measured task.
    """

    def __init__(self, patients: Sequence[StaticPatient], measured_share: float, device: torch.device) -> None:
        sampler = PatchSampler(patients, VALIDATION_SEEDS[0], PATCH, measured_share)
        self._batches = [sampler.batch(BATCH) for _ in range(_CHECK_BATCHES)]
        self._device = device

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Errors of Ki and of the activity as :func:`patch_errors` counts them."""
        total, count = np.zeros(2), np.zeros(2)
        for batch in self._batches:
            there = batch.to(self._device)
            total += patch_errors(network, there).sum(dim=0).cpu().numpy()
            count += there.weight.sum(dim=0).cpu().numpy()
        ki, activity = total / np.maximum(count, 1.0)
        return {"score": float(ki), "ki": float(ki), "activity": float(activity)}


def validation_seeds() -> range:
    """Patients that decide when to stop."""
    return VALIDATION_SEEDS[-_VALIDATION_PATIENTS:]


def make_trainer(
    folder: Path,
    patients: Sequence[StaticPatient],
    validation: Sequence[StaticPatient],
    preset: str = "default",
    begin: Mapping[str, Tensor] | None = None,
    plan: Plan = PLAN,
    device: str = "auto",
    workers: int = 1,
) -> Trainer:
    """A trainer of the score network.

    :param preset: one of :data:`MEASURED_SHARE`.
    :param begin: weights to begin with (no unit), by name, each of the same shape as in the network.
    """
    where = start_processes(device)
    network = ScoreNetwork()
    if begin is not None:
        network.load_state_dict(dict(begin))
    share = MEASURED_SHARE[preset]
    batches = DataLoader(
        PatchStream(patients, share, rank() + 1),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    checks = PatchValidation(validation, share, where)
    return Trainer(network, PatchLoss(where), batches, checks, plan, folder, where)
