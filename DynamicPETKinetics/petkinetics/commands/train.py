"""``train``: weights of the learned methods, from simulated patients or own series."""

from __future__ import annotations

import argparse
from pathlib import Path

from petkinetics.commands.arguments import Commands


def add_train(commands: Commands) -> None:
    """The command ``train``, which writes the weights of a learned method to a folder."""
    p = commands.add_parser("train", help="train a learned method; several devices: torchrun -m petkinetics train ...")
    p.add_argument("method", choices=("kinetic-network", "direct-network", "diffusion-prior"), help="what to train")
    p.add_argument(
        "--preset",
        metavar="NAME",
        help="default, compact, liang2023; diffusion-prior: default, prior-alone",
    )
    p.add_argument(
        "--data",
        type=Path,
        metavar="TABLE",
        help="own dynamic series (.tsv), in place of simulated patients; diffusion-prior: own static PET, beside them",
    )
    p.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder for weights and checkpoints")
    p.add_argument("--resume", action="store_true", help="continue the training of this folder")
    p.add_argument("--patients", type=int, default=450, metavar="N", help="simulated ones, seeds from 0 (default: 450)")
    p.add_argument("--steps", type=int, metavar="N", help="in all (default: the preset's)")
    p.add_argument("--until", type=float, default=35.0, metavar="MIN", help="end of most short scans (default: 35)")
    p.add_argument(
        "--stage", type=float, default=55.0, metavar="MIN", help="after this, stop to be resumed (default: 55)"
    )
    p.add_argument("--workers", type=int, default=1, metavar="N", help="processes that make examples (default: 1)")
    p.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    p.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> None:
    from petkinetics.estimators.learned import torch_or_refuse

    torch_or_refuse(args.method)
    method, preset = args.method, args.preset
    if method == "diffusion-prior":
        from petkinetics.training.prior_command import PRESETS as PRIORS
        from petkinetics.training.prior_command import train_prior

        weights = train_prior(
            preset or PRIORS[0],
            args.output,
            args.data,
            args.resume,
            args.patients,
            args.steps,
            args.stage,
            args.device,
            args.workers,
        )
        print(f"Done: {weights}")
        return
    from petkinetics.training.command import PRESETS, train

    weights = train(
        method,
        preset or PRESETS[method][0],
        args.output,
        args.data,
        args.resume,
        args.patients,
        args.steps,
        args.until,
        args.stage,
        args.device,
        args.workers,
    )
    print(f"Done: {weights}")
