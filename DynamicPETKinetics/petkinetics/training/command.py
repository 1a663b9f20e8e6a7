"""``petkinetics train``: our networks and the paper's, from options to weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from petkinetics.errors import InputError
from petkinetics.training.kinetic_network import PLAN, make_trainer, validation_seeds
from petkinetics.training.model_card import model_card, write_trained
from petkinetics.training.own_series import OwnPaperStream, OwnStream, read_training_table
from petkinetics.training.paper_network import make_paper_trainer
from petkinetics.training.paper_scans import TIMING
from petkinetics.training.pool import PatientPool
from petkinetics.training.processes import is_first
from petkinetics.training.scan_ranges import scan_ranges
from petkinetics.training.scan_settings import ScanRanges
from petkinetics.training.trainer import Plan, require_checkpoint

#: the first is meant where none is named; ``direct-network`` is the same without the kinetic model, for comparison
PRESETS = {
    "kinetic-network": ("default", "compact", "liang2023"),
    "direct-network": ("compact", "liang2023", "default"),
}
_COMPACT = Plan(steps=4000, learning_rate=1e-3, check_every=250)

#: a training of fewer steps is a trial: its card does not say which scans it is for
_TRIAL_STEPS = 1000


def train(
    method: str,
    preset: str,
    out: Path,
    data: Path | None = None,
    resume: bool = False,
    patients: int = 450,
    steps: int | None = None,
    until_min: float = 35.0,
    stage_minutes: float = 55.0,
    device: str = "auto",
    workers: int = 1,
    show: bool = True,
) -> Path:
    """Train until done, or until the stage's time is over; the weights so far are written in either case.

    :param out: folder for weights, card, checkpoint, losses and the simulated patients; kept between stages.
    :param data: table of own dynamic series; simulated patients without it.
    :param patients: how many are simulated, from seed 0 on.
    :param steps: in all; the preset's own number by default.
    :param until_min: end of most scans.
    :param stage_minutes: after which training stops, to be resumed, min.
    :returns: the file of the weights.
    :raises InputError: the options do not go together, or a file cannot be used.
    """
    if preset not in PRESETS[method]:
        raise InputError(f"There is no preset '{preset}' of {method}; there is {', '.join(PRESETS[method])}.")
    require_checkpoint(out, wanted=resume)
    out.mkdir(parents=True, exist_ok=True)
    ours, direct = preset == "default", method == "direct-network"
    plan = replace(PLAN if ours else _COMPACT, stage_minutes=stage_minutes)
    if preset == "liang2023":
        plan = Plan(steps=50_000, stage_minutes=stage_minutes)
    plan = plan.in_steps(steps or plan.steps)
    own = None if data is None else read_training_table(data, until_min)
    pool, validation = (
        PatientPool(out / name, seeds)
        for name, seeds in (("patients", range(patients)), ("validation", validation_seeds()[: max(2, patients)]))
    )
    if is_first():
        validation.fill_watched("validation patients", show)
    filling = pool.fill_in_background() if own is None and is_first() and len(pool.ready()) < patients else None
    ranges = _ranges(ours, own is None, until_min)
    if ours:
        trainer = make_trainer(out, pool, validation, direct, ranges, plan, device, workers)
        scans, slices = 2, 4
    else:
        trainer = make_paper_trainer(out, pool, validation, preset, direct, until_min, ranges, plan, device, workers)
        scans, slices = 1, 1
    if own is not None:
        stream: Any = OwnStream(own, slices, ranges.crop, 0) if ours else OwnPaperStream(own, 0)
        trainer.batches = DataLoader(stream, batch_size=None, num_workers=workers, collate_fn=_as_is)
    if resume:
        trainer.resume()
    progress = trainer.run(show=show)
    if filling is not None:
        filling.terminate()
    name = f"{method}-{preset}" if method == "direct-network" or not ours else method
    names = None if own is None else [series.name for series in own]
    card = model_card(name, method, preset, ranges, pool.seeds, plan, progress, scans, slices, names)
    if not ours:
        card |= {"framing": "liang2023", "early_frames": int(TIMING.until(until_min).size)}
    else:
        card["architecture"] = dict(trainer.network.sizes)
    if ours and own is None and progress.step >= _TRIAL_STEPS:
        card |= scan_ranges(pool, ranges)
    write_trained(trainer, out, name, card)
    return out / f"{name}.safetensors"


def _ranges(ours: bool, simulated: bool, until_min: float) -> ScanRanges:
    """What scans are drawn from; own series and the paper's network know no whole scans."""
    if ours and simulated:
        return ScanRanges(until_min=until_min)
    return ScanRanges(until_min=until_min, own_share=0.75, whole_share=0.0, dose=(0.12, 2.0) if ours else (0.2, 1.5))


def _as_is(batch: Any) -> Any:
    return batch
