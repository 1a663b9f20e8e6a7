"""The recipe of our kinetic network, and of its twin that answers Ki without a kinetic model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from petkinetics.networks.default_network import DefaultNetwork, DirectDefaultNetwork, linear_response
from petkinetics.networks.features import FEATURES, LINEAR
from petkinetics.networks.model_rows import KNEE, STEP
from petkinetics.simulate.seeds import VALIDATION_SEEDS
from petkinetics.training.examples import Example, ScanStream
from petkinetics.training.impulse_loss import impulse_loss
from petkinetics.training.kinetic_loss import kinetic_loss, region_loss, structure_loss
from petkinetics.training.pool import PatientPool
from petkinetics.training.processes import rank, start_processes
from petkinetics.training.scan_settings import ScanRanges
from petkinetics.training.trainer import Plan, Trainer
from petkinetics.training.validation import ScanValidation

PLAN = Plan(steps=8000)
_VALIDATION_PATIENTS = 44


def predict(network: nn.Module, example: Example) -> Tensor:
    """(slices, LINEAR + 2, rows, columns) by the two-tissue model; (slices, 2, ...) without it."""
    return _answer(network, example)[0]


def _answer(network: nn.Module, example: Example) -> tuple[Tensor, Tensor | None]:
    """What it predicts, and the head's maps behind it."""
    inner = network.module if hasattr(network, "module") else network
    found = network(example.features, example.condition).float()
    if isinstance(inner, DirectDefaultNetwork):
        middle = FEATURES * (example.features.shape[1] // FEATURES // 2)
        return found + example.features[:, middle + LINEAR - 2 : middle + LINEAR], None
    with torch.autocast(found.device.type, enabled=False):
        count = len(found)
        table, blood = (t.expand(count, *t.shape[1:]).contiguous() for t in (example.table, example.blood))
        return linear_response(found, table, blood, KNEE, STEP), found


def loss(network: nn.Module, example: Example) -> Mapping[str, Tensor]:
    """Terms of Ki, V0, windows, whole regions, structure, and the response to an impulse; "loss" is their sum.

    All are scalars.
    """
    found, head = _answer(network, example)
    terms = kinetic_loss(found, example.truth, example.body, example.lesions)
    total = terms.pop("loss")
    terms["regions"] = region_loss(found[:, -2], example.truth[:, LINEAR], example.regions)
    with torch.autocast(found.device.type, enabled=False):
        terms["structure"] = structure_loss(found[:, -2].float(), example.truth[:, LINEAR], example.body)
    if head is not None and example.impulse.shape[1]:
        terms["impulse"] = impulse_loss(head, example.impulse, example.body)
    added = [terms[name] for name in ("regions", "structure", "impulse") if name in terms]
    return terms | {"loss": total + torch.stack(added).sum()}


def make_trainer(
    folder: Path,
    pool: PatientPool,
    validation: PatientPool,
    direct: bool = False,
    ranges: ScanRanges | None = None,
    plan: Plan = PLAN,
    device: str = "auto",
    workers: int = 1,
    scans: int = 4,
    slices: int = 4,
) -> Trainer:
    """A trainer of the network on the pool's patients."""
    ranges = ranges or ScanRanges()
    where = start_processes(device)
    network = DirectDefaultNetwork() if direct else DefaultNetwork()
    stream = ScanStream(pool, ranges, slices, scans, seed=rank())
    batches = DataLoader(stream, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    ends = [ranges.until_min] + [ranges.until_range_min[1]] * (ranges.whole_share > 0)
    checks = [_check(validation, pool.folder / "noise", end, where) for end in dict.fromkeys(ends)]
    return Trainer(network, loss, batches, lambda n: _both([check(n) for check in checks]), plan, folder, where)


def _check(validation: PatientPool, banks: Path, until_min: float, where: torch.device) -> ScanValidation:
    """Scans of dose 1 that end at *until_min*."""
    fixed = ScanRanges(
        until_min=until_min, own_share=1.0, dose=(1.0, 1.0), crop=4096, flips=False,
        framing="liang2023", noise_mm=5.5, own_blood=True,
    )  # fmt: skip
    return ScanValidation(validation.ready(), fixed, banks, lambda n, e: predict(n, e)[:, -2:], where)


def _both(found: list[dict[str, float]]) -> dict[str, float]:
    """Numbers of the short scan and, named so, of the whole one; their score is the geometric mean."""
    short, *whole = found
    numbers = short | {f"whole_scan_{name}": value for other in whole for name, value in other.items()}
    return numbers | {"score": float(math.prod(one["score"] for one in found) ** (1.0 / len(found)))}


def validation_seeds() -> range:
    """Patients that decide when to stop."""
    return VALIDATION_SEEDS[:_VALIDATION_PATIENTS]
