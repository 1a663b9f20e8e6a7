"""What commands do the same way: open a series, run a job, tell a person how it goes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from petkinetics.errors import InputError

if TYPE_CHECKING:
    from petkinetics.job import AnyJob
    from petkinetics.series import DynamicSeries


def open_series(
    args: argparse.Namespace, *, require_dynamic: bool = True, more_options: Sequence[str] = ()
) -> DynamicSeries:
    """The series of a command, its warnings told.

    :param args: with what ``arguments.add_series`` and ``add_overrides`` add.
    :param require_dynamic: False where one frame will do; the caller tells the warnings then.
    :param more_options: names that ``--set`` may carry beside the reader's own.
    :raises InputError: for an unknown option of ``--set``, or a series that can't be read.
    """
    from petkinetics.read.overrides import Overrides
    from petkinetics.read.series import STATEMENTS, read_series

    known = (*STATEMENTS, *more_options)
    unknown = sorted({key for key, _ in args.set} - set(known))
    if unknown:
        raise InputError(f"'{unknown[0]}' is not an option of this command.", f"Options for --set: {', '.join(known)}.")
    overrides = Overrides(args.injection_time, args.dose, args.weight, args.half_life)
    series = read_series(args.series, overrides, dict(args.set), require_dynamic=require_dynamic)
    if require_dynamic:
        for sentence in series.warnings:
            warn(sentence)
    return series


def run_job(job: AnyJob, as_json: bool) -> None:
    """Run a job in this process, telling a person or a program how it goes."""
    if as_json:
        from petkinetics.worker import Lines, ProgressLines, tell_started

        lines = Lines(sys.stdout)
        tell_started(lines)
        result = job.run(ProgressLines(lines), lambda sentence: lines.send("warning", message=sentence))
        lines.send("done", result=str(result))
        return
    print(f"Done: {job.run(shown_progress, warn)}")


def shown_progress(fraction: float, message: str) -> None:
    """A Progress for whoever watches a terminal: *fraction* done, from 0 to 1."""
    if sys.stderr.isatty():
        print(f"\r{100 * fraction:3.0f} %  {message:<40}", end="\n" if fraction >= 1 else "", file=sys.stderr)


def warn(sentence: str) -> None:
    """A Warn for a person."""
    print(f"warning: {sentence}", file=sys.stderr)
