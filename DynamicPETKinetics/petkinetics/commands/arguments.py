"""The arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

#: of help texts: the files that hold regions
REGIONS = "label map, DICOM SEG or RTSTRUCT, or .seg.nrrd"

Commands = argparse._SubParsersAction  # the type that add_subparsers returns has no public name


def add_series(p: argparse.ArgumentParser) -> None:
    """The series, the first argument of whatever reads one."""
    p.add_argument(
        "series", metavar="SERIES", type=Path, help="DICOM folder, .nii(.gz) with a BIDS-PET .json, or .seq.nrrd"
    )


def add_overrides(p: argparse.ArgumentParser) -> None:
    """What stands in place of a header's values, as ``running.open_series`` reads it."""
    p.add_argument("--injection-time", metavar="T", help="HH:MM:SS or ISO date and time, in place of the header's")
    p.add_argument("--dose", type=float, metavar="MBQ", help="injected activity, in place of the header's")
    p.add_argument("--weight", type=float, metavar="KG", help="patient's weight, in place of the header's")
    p.add_argument("--half-life", type=float, metavar="S", help="in place of the header's (F-18: 6586.2)")
    add_set(p, "a method's or reader's option")


def add_set(p: argparse.ArgumentParser, what: str) -> None:
    """``--set key=value``, repeatable; a list of pairs of strings."""
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", type=_key_value, help=what)


def add_worker_lines(p: argparse.ArgumentParser) -> None:
    """``--json`` of a command that runs a job; the command line tells errors the same way then."""
    p.add_argument("--json", action="store_true", dest="worker_lines", help="progress as the worker's JSON lines")


def _key_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form KEY=VALUE")
    return key.strip(), value.strip()
