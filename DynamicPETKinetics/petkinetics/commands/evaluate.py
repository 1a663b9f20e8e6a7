"""``evaluate``: a method held against the truth of simulated patients."""

from __future__ import annotations

import argparse
from pathlib import Path

from petkinetics.commands.arguments import Commands, add_set
from petkinetics.commands.running import shown_progress


def add_evaluate(commands: Commands) -> None:
    """The command ``evaluate``, which runs a study of a method on simulated patients and prints its ``study.md``."""
    p = commands.add_parser("evaluate", help="how close a method comes to the truth of simulated patients")
    p.add_argument("method", metavar="NAME", help="as of estimate, judged beside plain patlak; or automatic-aorta")
    p.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder to make")
    p.add_argument("--split", choices=("validation", "test"), default="validation", help="test runs are logged")
    p.add_argument("--patients", type=int, metavar="N", help="the first N of the split (default: all)")
    p.add_argument("--dose", type=float, action="append", metavar="D", help="share of the usual counts; repeatable")
    p.add_argument("--until", type=float, action="append", metavar="MIN", help="end of the scan; repeatable")
    p.add_argument("--t-star", type=float, default=9.0, metavar="MIN", help="start of the fit (default: 9)")
    p.add_argument("--anatomy", default="thorax", help="as of simulate")
    p.add_argument("--size", choices=("small", "full", "mixed"), default="small", help="mixed: aorta only")
    p.add_argument("--slices", type=int, metavar="N", help="only the N middle slices")
    add_set(p, "a method's option")
    p.add_argument(
        "--beside",
        action="append",
        metavar="WHO",
        help="who else is judged: classical, full-scan, none, or METHOD[:key=value,...], samples=N among them; "
        "repeatable "
        "(default for learned methods: classical and full-scan)",
    )
    p.add_argument(
        "--world",
        action="append",
        default=[],
        metavar="CHANGES",
        help="another scan besides the usual one, such as late=600, weight=130 or bolus=60+move=6; gates for all of "
        "the gates'; repeatable",
    )
    p.add_argument(
        "--world-dose",
        type=float,
        action="append",
        default=[],
        metavar="D",
        help="other worlds only at this dose; repeatable",
    )
    p.add_argument("--worlds-alone", action="store_true", help="other worlds: only plain Patlak and the method")
    p.add_argument("--weights", type=Path, metavar="DIR", help="own weights of learned methods")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of what a learned method draws (default: 0)")
    p.add_argument("--samples", type=int, metavar="N", help="draws of a method that samples (default: 0)")
    p.add_argument("--gates", metavar="NAME", help="whose gates to check (default: the method's own)")
    p.add_argument(
        "--full",
        action="store_true",
        help="a paper's study: image metrics and figures, and, of "
        "kinetic-network and diffusion-prior, the doses, ends and company of their papers where none are given",
    )
    p.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> None:
    from petkinetics.studies import aorta_study

    if args.method == aorta_study.METHOD:
        aorta_study.run_aorta_study(args.output, args.split, args.patients, args.size, shown_progress)
    else:
        _evaluate_estimator(args)
    print((args.output / "study.md").read_text(encoding="utf-8"), end="")
    print(f"Done: {args.output}")


def _evaluate_estimator(args: argparse.Namespace) -> None:
    from petkinetics.studies.paper_plan import plan_of
    from petkinetics.studies.run_study import run_study
    from petkinetics.studies.study import Study
    from petkinetics.studies.worlds import gate_worlds

    plan = plan_of(args.method, args.full)
    until = tuple(args.until or plan.until_min)
    beside = plan.beside if args.beside is None else tuple(who for who in args.beside if who != "none")
    study = Study(
        method=args.method,
        split=args.split,
        patients=args.patients,
        doses=tuple(args.dose or plan.doses),
        until_min=until,
        t_star_min=args.t_star,
        anatomy=args.anatomy,
        size=args.size,
        slices=args.slices,
        options=dict(args.set),
        beside=beside,
        worlds=tuple(
            world
            for given in args.world
            for world in (gate_worlds(args.gates or args.method, until) if given == "gates" else (given,))
        ),
        world_doses=tuple(args.world_dose),
        worlds_alone=args.worlds_alone,
        gates=args.gates,
        full=args.full,
        weights=args.weights,
        seed=args.seed,
        samples=plan.samples if args.samples is None else args.samples,
    )
    run_study(study, args.output, shown_progress)
