"""``simulate``: a digital patient with known truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from petkinetics.commands.arguments import Commands
from petkinetics.commands.running import shown_progress


def add_simulate(commands: Commands) -> None:
    """The command ``simulate``, which runs a :class:`petkinetics.job.SimulateJob`."""
    p = commands.add_parser("simulate", help="make a digital patient with known truth")
    p.add_argument("out", metavar="OUT", type=Path, help="folder to make")
    anatomies = ("thorax", "torso-ct", "total-body", "brain")
    p.add_argument("--anatomy", choices=anatomies, default="thorax", help="torso-ct: from a real CT (default: thorax)")
    p.add_argument("--size", choices=("small", "full"), default="small")
    p.add_argument("--seed", type=int, default=0, help="training 0-89999, validation 90000-, test 91000-")
    p.add_argument("--dose", type=float, default=1.0, help="1: voxel CoV 12 %% in the liver in the last 300-s frame")
    p.add_argument("--frames", default="liang2023", metavar="SPEC", help="liang2023, or such as 6x10,4x30,10x300 (s)")
    p.add_argument("--vendor", choices=("ge", "siemens", "philips"), default="ge")
    p.add_argument("--format", choices=("dicom", "nifti"), default="dicom", dest="fmt")
    p.add_argument(
        "--noise",
        choices=("gaussian", "osem"),
        default="gaussian",
        help="gaussian (default), or counted sinograms reconstructed by OSEM: seconds a slice, needs petkinetics[osem]",
    )
    p.add_argument(
        "--lesions",
        choices=("usual", "none", "hot", "ring"),
        default="usual",
        help="hot: Ki about 0.15 (default: usual)",
    )
    p.add_argument("--noise-free", action="store_true", help="without noise")
    p.set_defaults(run=_simulate)


def _simulate(args: argparse.Namespace) -> None:
    from petkinetics.job import SimulateJob

    job = SimulateJob(
        str(args.out),
        args.anatomy,
        args.size,
        args.seed,
        args.dose,
        args.frames,
        args.vendor,
        args.fmt,
        "none" if args.noise_free else args.noise,
        args.lesions,
    )
    job.run(shown_progress)
    print(f"Simulated patient {args.seed} ({args.anatomy}, {args.size}) in {args.out}")
