"""``info``, ``tac`` and ``suv``: what a series holds, read without a kinetic model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from petkinetics.commands.arguments import REGIONS, Commands, add_overrides, add_series
from petkinetics.commands.running import open_series, warn


def add_info(commands: Commands) -> None:
    """The command ``info``, which prints what a series holds, as text or JSON."""
    p = commands.add_parser("info", help="what a series holds: frames, units, tracer, SUV factor")
    add_series(p)
    add_overrides(p)
    p.add_argument("--json", action="store_true", help="one JSON object")
    p.set_defaults(run=_info)


def _info(args: argparse.Namespace) -> None:
    from petkinetics.read.info import info_text, series_info

    series = open_series(args, require_dynamic=False)
    print(json.dumps(series_info(series), ensure_ascii=False) if args.json else info_text(series))


def add_tac(commands: Commands) -> None:
    """The command ``tac``, which writes the mean curves of regions as a table."""
    p = commands.add_parser("tac", help="mean curve of every region over all frames")
    add_series(p)
    p.add_argument("--roi", required=True, metavar="LABELS", help=REGIONS)
    p.add_argument(
        "-o", "--output", type=Path, default=Path("tacs.tsv"), metavar="FILE", help="TSV; PMOD .tac or .crv; .dft"
    )
    add_overrides(p)
    p.set_defaults(run=_tac)


def _tac(args: argparse.Namespace) -> None:
    from petkinetics.evaluate.tac import region_curves
    from petkinetics.read.regions import read_regions
    from petkinetics.write.curve_formats import activity_files, write_activity_curves
    from petkinetics.write.staging import staged_files

    series = open_series(args)
    curves = region_curves(series, read_regions(args.roi), warn=warn)
    output: Path = args.output
    with staged_files(output.absolute().parent, activity_files(output)) as folder:
        write_activity_curves(folder / output.name, curves)
    print(f"Curves of {len(curves)} regions over {len(series.timing)} frames in {output}")


def add_suv(commands: Commands) -> None:
    """The command ``suv``, which writes an SUV or activity image of a window of time."""
    p = commands.add_parser("suv", help="SUV or mean activity image of a window of time")
    add_series(p)
    p.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help=".nii.gz or .nii to make")
    p.add_argument(
        "--type",
        choices=("bw", "lbm", "bsa", "activity"),
        default="bw",
        help="by body weight (default), lean body mass or body surface area; activity: kBq/mL at injection",
    )
    p.add_argument("--window", metavar="FROM-TO", help="minutes from injection (default: the last 15 min of the scan)")
    add_overrides(p)
    p.set_defaults(run=_suv)


def _suv(args: argparse.Namespace) -> None:
    from petkinetics.estimators.window_image import OPTION_NAMES, window_image
    from petkinetics.write.window_image import write_window_image

    series = open_series(args, require_dynamic=False, more_options=OPTION_NAMES)
    image = window_image(series, args.type, args.window, options=dict(args.set))
    for sentence in (*series.warnings, *image.warnings):
        warn(sentence)
    write_window_image(series, image, args.output)
    window = f"{image.record['from_s'] / 60:.4g}-{image.record['to_s'] / 60:.4g} min"
    print(f"{image.quantity.symbol} ({image.quantity.unit}), mean of {window} from injection, in {args.output}")
