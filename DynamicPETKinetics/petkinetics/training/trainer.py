"""The loop of every training: mixed precision, several devices, resumable stages, early stopping.

One process on one device, or as many as ``torchrun`` starts (gradients are averaged; CUDA: NCCL, CPU: gloo).
A stage ends by its time and is continued with ``resume``; what is kept is the exponential moving average of
the weights at its best validation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from petkinetics.errors import InputError
from petkinetics.networks.run import half_type, is_mixed
from petkinetics.training.processes import is_first, shared

CHECKPOINT = "checkpoint.pt"
LOSSES = "losses.tsv"


@dataclass(frozen=True)
class Plan:
    """How to train.

    :param steps: in all; the learning rate follows a cosine over them after *warm_up* steps.
    :param clip: largest norm of the gradient, in units of its usual one; steps with *outlier* times that are left out.
    :param average: decay of the moving average of the weights.
    :param stage_minutes: after which a stage ends (to be resumed).
    :param check_every: steps between validations; *patience*: validations without a better one, then it ends.
    """

    steps: int
    learning_rate: float = 1e-3
    warm_up: int = 300
    clip: float = 2.0
    outlier: float = 6.0
    average: float = 0.999
    weight_decay: float = 0.0
    stage_minutes: float = 55.0
    checkpoint_minutes: float = 4.0
    check_every: int = 500
    patience: int = 12
    schedule: Callable[[int], float] | None = field(default=None, repr=False)

    def in_steps(self, steps: int) -> Plan:
        """The same training in another number of steps: a short one is judged ten times, too.

        Its warm-up stays as long: at the full rate from early on the networks of Ki learn to answer nothing.

        :param steps: in all, at least 1.
        """
        return replace(self, steps=steps, check_every=max(1, min(self.check_every, steps // 10)))

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        if self.schedule is not None:
            return self.schedule(step)
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        share = min(1.0, (step - self.warm_up) / max(1, self.steps - self.warm_up))
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * share)))


@dataclass
class Progress:
    """Where a training stands."""

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    since_best: int = 0
    seconds: float = 0.0
    finished: bool = False
    gradient: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)


def require_checkpoint(folder: Path, wanted: bool) -> None:
    """What stands before a training: whether its folder holds what is to be resumed, or what would be overwritten.

    :param wanted: whether to resume.
    :raises InputError: there is no checkpoint where one is wanted, or one where none is.
    """
    there = (folder / CHECKPOINT).exists()
    if wanted and not there:
        raise InputError(f"There is no checkpoint to resume in '{folder}'.", "Start without --resume.")
    if there and not wanted:
        raise InputError(
            f"'{folder}' holds a training already.", "Continue it with --resume, or choose another folder."
        )


class Trainer:
    """Train a network.

    :param network: what is trained.
    :param loss: (network, batch) -> terms (no unit), "loss" among them. Runs under autocast.
    :param batches: endless.
    :param validate: averaged network -> metrics, "score" among them (lower is better).
    :param folder: for checkpoint, losses and events.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[nn.Module, Any], Mapping[str, Tensor]],
        batches: Iterable[Any],
        validate: Callable[[nn.Module], dict[str, float]],
        plan: Plan,
        folder: Path,
        device: torch.device,
    ) -> None:
        self.plan, self.folder, self.device = plan, folder, device
        self.loss, self.batches, self.validate = loss, batches, validate
        self.network = network.to(device)
        self.average = _averaged(self.network, plan.average)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=False
        )
        self.half = half_type(device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.half == torch.float16)
        self.mixed = is_mixed(device)
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def resume(self) -> None:
        """Continue from the folder's checkpoint.

        :raises InputError: there is none.
        """
        require_checkpoint(self.folder, wanted=True)
        state = torch.load(self.folder / CHECKPOINT, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.progress = Progress(**state["progress"])
        # more steps than before may be wanted now
        self.progress.finished = self.progress.since_best > self.plan.patience
        self.best = state["best"]

    def run(self, show: bool = True) -> Progress:
        """Train until the plan's steps are done, nothing improves any more, or the stage's time is over."""
        began = saved = time.monotonic()
        before = self.progress.seconds
        wrapped = _parallel(self.network, self.device)
        bar, events = _bar(self.plan.steps, self.progress.step, show), _events(self.folder)
        terms: dict[str, float] = {}
        for batch in self.batches:
            if self.progress.step >= self.plan.steps or self.progress.finished:
                self.progress.finished = True
                break
            found = self._step(wrapped, batch)
            for name, value in found.items():
                terms[name] = 0.98 * terms.get(name, value) + 0.02 * value
            self.progress.step += 1
            bar.update(1)
            bar.set_postfix_str(f"loss {terms['loss']:.4f} best {self.progress.best:.4f}")
            now = time.monotonic()
            self.progress.seconds = before + now - began
            if events is not None and self.progress.step % 20 == 0:
                for name, value in terms.items():
                    events.add_scalar(f"train/{name}", value, self.progress.step)
            if self.progress.step % self.plan.check_every == 0 or self.progress.step == self.plan.steps:
                self._check(terms, events)
            over = now - began > 60.0 * self.plan.stage_minutes
            if shared(over or now - saved > 60.0 * self.plan.checkpoint_minutes, self.device):
                self.save()
                saved = time.monotonic()
            if shared(over, self.device):
                break
        bar.close()
        self.save()
        return self.progress

    def _step(self, wrapped: nn.Module, batch: Any) -> dict[str, float]:
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate(self.progress.step)
        self.optimiser.zero_grad(set_to_none=True)
        parts = batch if isinstance(batch, list) else [batch]
        found: dict[str, float] = {}
        for part in parts:
            with torch.autocast(self.device.type, dtype=self.half, enabled=self.mixed):
                terms = self.loss(wrapped, part)
            self.scaler.scale(terms["loss"] / len(parts)).backward()
            for name, value in terms.items():
                found[name] = found.get(name, 0.0) + float(value.detach()) / len(parts)
        self.scaler.unscale_(self.optimiser)
        usual = self.progress.gradient
        limit = self.plan.clip * usual if usual > 0 else math.inf
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), limit))
        if self.scaler.is_enabled() or not self._is_outlier(norm):
            self.scaler.step(self.optimiser)
            self.scaler.update()
        found["gradient"] = min(norm, 1e3) if norm == norm else 1e3
        self.average.update_parameters(self.network)
        return found

    def _is_outlier(self, norm: float) -> bool:
        """Whether a gradient is not a number or far above the usual: one such step can undo a thousand."""
        usual = self.progress.gradient
        if not math.isfinite(norm):
            return True
        far = usual > 0 and self.progress.step > self.plan.warm_up and norm > self.plan.outlier * usual
        self.progress.gradient = norm if usual == 0 else 0.98 * usual + 0.02 * min(norm, 2.0 * usual)
        return far

    def _check(self, terms: Mapping[str, float], events: Any) -> None:
        if is_first():
            averaged = self.average.module
            averaged.eval()
            with torch.no_grad():
                self.progress.metrics = self.validate(averaged)
            self._log(terms)
            if events is not None:
                for name, value in self.progress.metrics.items():
                    events.add_scalar(f"validation/{name}", value, self.progress.step)
            score = self.progress.metrics["score"]
            if score < self.progress.best:
                self.progress.best, self.progress.best_step, self.progress.since_best = score, self.progress.step, 0
                self.best = {name: value.detach().clone() for name, value in averaged.state_dict().items()}
            else:
                self.progress.since_best += 1
        self.progress.finished = shared(self.progress.since_best > self.plan.patience, self.device)

    def _log(self, terms: Mapping[str, float]) -> None:
        path = self.folder / LOSSES
        row = {"step": self.progress.step, "minutes": self.progress.seconds / 60.0}
        row |= {f"train_{name}": value for name, value in terms.items()} | self.progress.metrics
        if not path.exists():
            path.write_text("\t".join(row) + "\n", encoding="utf-8")
        with path.open("a", encoding="utf-8") as stream:
            stream.write("\t".join(f"{value:.6g}" for value in row.values()) + "\n")

    def save(self) -> None:
        """Write the checkpoint under another name first, so that an interrupted write loses nothing."""
        if not is_first():
            return
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "progress": asdict(self.progress),
            "best": self.best,
        }
        part = self.folder / f"{CHECKPOINT}.part"
        torch.save(state, part)
        part.replace(self.folder / CHECKPOINT)


def _parallel(network: nn.Module, device: torch.device) -> nn.Module:
    if not torch.distributed.is_initialized():
        return network
    return nn.parallel.DistributedDataParallel(network, device_ids=[device.index] if device.type == "cuda" else None)


def _averaged(network: nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """Moving average whose decay grows from 0, so that the first weights are soon forgotten."""

    def update(averaged: Tensor, current: Tensor, count: Tensor) -> Tensor:
        kept = min(decay, (1.0 + float(count)) / (10.0 + float(count)))
        return kept * averaged + (1.0 - kept) * current

    return torch.optim.swa_utils.AveragedModel(network, avg_fn=update)


def _bar(total: int, done: int, show: bool):  # type: ignore[no-untyped-def]
    from tqdm import tqdm

    return tqdm(total=total, initial=done, disable=not show or not is_first(), mininterval=5.0, dynamic_ncols=True)


def _events(folder: Path):  # type: ignore[no-untyped-def]
    """TensorBoard's writer where it is installed."""
    if not is_first():
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "events"))
