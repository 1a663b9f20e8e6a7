"""``compare``, ``export`` and ``report``: what is made of results."""

from __future__ import annotations

import argparse
from pathlib import Path

from petkinetics.commands.arguments import REGIONS, Commands, add_worker_lines
from petkinetics.commands.running import run_job, warn


def add_compare(commands: Commands) -> None:
    """The command ``compare``, which writes the agreement of two maps in regions to a folder."""
    p = commands.add_parser("compare", help="Bland-Altman statistics of two maps in regions")
    p.add_argument("map_a", metavar="MAP_A", type=Path)
    p.add_argument("map_b", metavar="MAP_B", type=Path)
    p.add_argument("--roi", required=True, metavar="LABELS", help="label map")
    p.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="folder to make")
    p.add_argument("--truth", action="store_true", help="MAP_B is the truth: the slope is regressed on it")
    p.set_defaults(run=_compare)


def _compare(args: argparse.Namespace) -> None:
    from petkinetics.write.comparison import write_comparison

    write_comparison(args.map_a, args.map_b, args.roi, args.output, args.truth, warn)
    print(f"Done: {args.output}")


def add_export(commands: Commands) -> None:
    """The command ``export``, which runs an :class:`petkinetics.job.ExportJob`."""
    p = commands.add_parser("export", help="maps of a result to DICOM")
    p.add_argument("result", metavar="OUT", type=Path, help="result folder of an estimate")
    p.add_argument("--series", required=True, metavar="DICOM_DIR", help="the series that the maps were estimated from")
    p.add_argument("--to", required=True, metavar="DIR", help="folder for the DICOM files")
    p.add_argument(
        "--as",
        choices=("parametric-map", "pet-image", "both"),
        default="parametric-map",
        dest="formats",
        help="parametric maps (exact floats; the default), PET images (16 bit, for archives without them), or both",
    )
    add_worker_lines(p)
    p.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> None:
    from petkinetics.job import ExportJob

    run_job(ExportJob(str(args.result), args.series, args.to, args.formats), args.worker_lines)


def add_report(commands: Commands) -> None:
    """The command ``report``, which runs a :class:`petkinetics.job.ReportJob`."""
    p = commands.add_parser("report", help="one HTML file about a result, with regions and a comparison")
    p.add_argument("result", metavar="OUT", type=Path, help="result folder of an estimate")
    p.add_argument("-o", "--output", required=True, type=Path, metavar="REPORT.html", help="file to make")
    p.add_argument("--rois", metavar="LABELS", help=f"{REGIONS}; default: the regions of the estimate")
    p.add_argument(
        "--compare", metavar="OTHER", help="a second result folder, or one map of it, compared in the regions"
    )
    add_worker_lines(p)
    p.set_defaults(run=_report)


def _report(args: argparse.Namespace) -> None:
    from petkinetics.job import ReportJob

    run_job(ReportJob(str(args.result), str(args.output), args.rois, args.compare), args.worker_lines)
