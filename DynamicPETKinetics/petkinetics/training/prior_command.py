"""``petkinetics train diffusion-prior``: from options to weights and their card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.networks.weight_files import read_weights
from petkinetics.training.diffusion_prior import BATCH, MEASURED_SHARE, PATCH, PLAN, make_trainer, validation_seeds
from petkinetics.training.model_card import write_trained
from petkinetics.training.prior_card import prior_card
from petkinetics.training.processes import is_first
from petkinetics.training.static_patient import StaticPatient
from petkinetics.training.static_pool import StaticPool, read_static_table
from petkinetics.training.trainer import Trainer, require_checkpoint

NAME = "diffusion-prior"
#: the prior with a start of its own in one network, as the engine uses it; the prior without
PRESETS = tuple(MEASURED_SHARE)
#: own static PET starts from the engine's weights, with smaller steps
_FINE_TUNING_RATE = 3e-4


def train_prior(
    preset: str,
    out: Path,
    data: Path | None = None,
    resume: bool = False,
    patients: int = 450,
    steps: int | None = None,
    stage_minutes: float = 55.0,
    device: str = "auto",
    workers: int = 1,
    show: bool = True,
) -> Path:
    """Train until done, or until the stage's time is over; the weights so far are written in either case.

    :param preset: one of :data:`PRESETS`.
    :param out: folder for weights, card, checkpoint, losses and the simulated patients; kept between stages.
    :param data: table of own static PET, see :func:`petkinetics.training.static_pool.read_static_table`. The
        engine's own weights are trained further on it, beside simulated patients, of which the start needs some.
    :param patients: how many are simulated, from seed 0 on.
    :param steps: in all.
    :param stage_minutes: after which training stops, to be resumed, min.
    :returns: the file of the weights.
    :raises InputError: the options do not go together, or a file cannot be used.
    """
    if preset not in PRESETS:
        raise InputError(f"There is no preset '{preset}' of {NAME}; there is {', '.join(PRESETS)}.")
    require_checkpoint(out, wanted=resume)
    named = {} if data is None else read_static_table(data)
    own = list(named.values())
    out.mkdir(parents=True, exist_ok=True)
    plan = replace(PLAN.in_steps(steps or PLAN.steps), stage_minutes=stage_minutes)
    begin = None
    if own:
        plan = replace(plan, learning_rate=_FINE_TUNING_RATE)
        begin = read_weights(NAME).tensors
    pool = StaticPool(out / "patients", range(patients))
    checks = StaticPool(out / "validation", validation_seeds()[: max(2, patients)])
    if is_first():
        for each in (pool, checks):
            each.fill_watched("patients", show)
    simulated = pool.patients()
    trainer = make_trainer(
        out, simulated + _repeated(own, len(simulated)), checks.patients(), preset, begin, plan, device, workers
    )
    if resume:
        trainer.resume()
    trainer.run(show=show)
    _write(trainer, out, preset, pool, list(named) or None)
    return out / f"{NAME}.safetensors"


def _repeated(own: list[StaticPatient], simulated: int) -> list[StaticPatient]:
    """Own patients as often as simulated ones are drawn."""
    return own * max(1, simulated // len(own)) if own else []


def _write(trainer: Trainer, out: Path, preset: str, pool: StaticPool, own: list[str] | None) -> None:
    progress = trainer.progress
    training = {
        "steps_done": progress.step,
        "best_step": progress.best_step,
        "hours": round(progress.seconds / 3600.0, 3),
        "batch": BATCH,
        "patch": PATCH,
        "measured_share": MEASURED_SHARE[preset],
        "learning_rate": trainer.plan.learning_rate,
        "moving_average": trainer.plan.average,
        "stage_minutes": trainer.plan.stage_minutes,
    }
    card = prior_card(preset, pool.seeds, own, training, progress.metrics)
    write_trained(trainer, out, NAME, card)
