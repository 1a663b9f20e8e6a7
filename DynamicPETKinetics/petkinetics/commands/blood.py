"""``aorta`` and ``input-function``: the blood curve of a series."""

from __future__ import annotations

import argparse
from pathlib import Path

from petkinetics.commands.arguments import Commands, add_overrides, add_series, add_set, add_worker_lines
from petkinetics.commands.running import open_series, run_job, warn


def add_aorta(commands: Commands) -> None:
    """The command ``aorta``, which runs an :class:`petkinetics.job.AortaJob`."""
    p = commands.add_parser("aorta", help="propose the region of the aorta, to be checked")
    add_series(p)
    p.add_argument("-o", "--output", required=True, type=Path, metavar="ROI.nii.gz", help="label map to make")
    p.add_argument("--until", type=float, metavar="MIN", help="use nothing after this, min from injection")
    p.add_argument("--injection-time", metavar="T", help="HH:MM:SS or ISO date and time, in place of the header's")
    p.add_argument("--half-life", type=float, metavar="S", help="in place of the header's (F-18: 6586.2)")
    add_set(p, "a reader's option")
    add_worker_lines(p)
    p.set_defaults(run=_aorta)


def _aorta(args: argparse.Namespace) -> None:
    from petkinetics.job import AortaJob

    job = AortaJob(
        str(args.series), str(args.output), args.until, args.injection_time, args.half_life, options=dict(args.set)
    )
    run_job(job, args.worker_lines)


def add_input_function(commands: Commands) -> None:
    """The command ``input-function``, which writes the blood curve of an aorta region as a table."""
    p = commands.add_parser("input-function", help="blood curve of an aorta region")
    add_series(p)
    p.add_argument("--roi", required=True, metavar="ROI[:LABEL]", help="label map of the aorta")
    p.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("input_function.tsv"),
        metavar="FILE",
        help="TSV; PMOD .bld or .crv; .dft",
    )
    add_overrides(p)
    p.set_defaults(run=_input_function)


def _input_function(args: argparse.Namespace) -> None:
    from petkinetics.input_function.checks import doubts
    from petkinetics.input_function.idif import image_derived_input
    from petkinetics.read.regions import one_region
    from petkinetics.write.curve_formats import blood_files, write_blood_curve
    from petkinetics.write.input_function import write_frames
    from petkinetics.write.staging import staged_files

    output: Path = args.output
    series = open_series(args)
    found = image_derived_input(series, one_region(args.roi, series.geometry))
    frames = f"{output.stem}_frames.tsv"
    with staged_files(output.absolute().parent, [*blood_files(output), frames]) as folder:
        write_blood_curve(folder / output.name, found.function)
        write_frames(folder / frames, found.frames)
    for sentence in (*found.function.warnings, *doubts(found.function)):
        warn(sentence)
    peak_s, peak = found.function.peak
    print(f"Whole blood from {found.roi_volume_ml:.1f} mL: peak {peak:.3g} kBq/mL at {peak_s:.0f} s; in {output}")
