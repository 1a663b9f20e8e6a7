"""``estimate``: parametric maps of a series."""

from __future__ import annotations

import argparse
from pathlib import Path

from petkinetics.commands.arguments import Commands, add_overrides, add_series, add_worker_lines
from petkinetics.commands.running import run_job


def add_estimate(commands: Commands) -> None:
    """The command ``estimate``, which runs an :class:`petkinetics.job.EstimateJob`."""
    p = commands.add_parser("estimate", help="parametric maps of a dynamic series: Ki, V0, rate constants")
    add_series(p)
    source = p.add_mutually_exclusive_group(required=True)
    source.add_argument("--roi", metavar="ROI[:LABEL]", help="label map of the aorta")
    source.add_argument("--input-function", metavar="TSV", help="table of a blood curve")
    source.add_argument("--aorta", choices=("auto",), help="find the aorta in the early frames; check the proposal")
    p.add_argument(
        "--method",
        required=True,
        metavar="NAME",
        help="patlak; gaussian, nlm, hypr, total-variation (regularised Patlak); two-tissue, two-tissue-reversible, "
        "one-tissue (compartment models); kinetic-network, direct-network, diffusion-prior (learned on simulated "
        "patients)",
    )
    p.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="result folder to make")
    p.add_argument("--t-star", type=_t_star, metavar="MIN|auto", help="start of the Patlak fit, min from injection")
    p.add_argument("--until", type=float, metavar="MIN", help="use nothing after this, min from injection")
    p.add_argument("--mask", default="body", metavar="body|none|FILE", help="where to estimate (default: body)")
    p.add_argument("--rois", metavar="LABELS", help="label map of the regions to report")
    p.add_argument("--report", action="store_true", help="report.html and figures")
    p.add_argument(
        "--check-scan",
        action="store_true",
        help="plain patlak without --report: look for movement and the like, too",
    )
    plasma = p.add_mutually_exclusive_group()
    plasma.add_argument("--plasma-ratio", type=float, metavar="R", help="plasma/whole-blood ratio")
    plasma.add_argument("--hct", type=float, metavar="H", help="haematocrit, which estimates that ratio for FDG")
    add_overrides(p)
    p.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    p.add_argument("--weights", metavar="DIR", help="own weights of a learned method (default: those of the engine)")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of methods that draw at random")
    p.add_argument("--samples", type=int, default=0, metavar="N", help="draws for SD maps, where a method can")
    p.add_argument("--no-compress", action="store_true", help="write .nii, not .nii.gz")
    p.add_argument("--hash", action="store_true", help="record SHA-256 of inputs and outputs")
    add_worker_lines(p)
    p.set_defaults(run=_estimate)


def _estimate(args: argparse.Namespace) -> None:
    from petkinetics.job import EstimateJob

    job = EstimateJob(
        series=str(args.series),
        output=str(args.output),
        method=args.method,
        roi=args.roi,
        input_function=args.input_function,
        t_star=args.t_star,
        until_min=args.until,
        mask=args.mask,
        rois=args.rois,
        plasma_ratio=args.plasma_ratio,
        haematocrit=args.hct,
        injection_time=args.injection_time,
        dose_mbq=args.dose,
        weight_kg=args.weight,
        half_life_s=args.half_life,
        device=args.device,
        weights=args.weights,
        seed=args.seed,
        samples=args.samples,
        report=args.report,
        check_scan=args.check_scan,
        compress=not args.no_compress,
        hashes=args.hash,
        options=dict(args.set),
        aorta=args.aorta,
    )
    run_job(job, args.worker_lines)


def _t_star(text: str) -> float | str:
    return text if text == "auto" else float(text)
