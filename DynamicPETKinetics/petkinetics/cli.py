"""The command line: one parser of all commands, and what their ends are told as.

Exit status: 0 done, 1 fault, 2 bad input (a message on stderr, nothing written), 3 cancelled.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from petkinetics import __version__
from petkinetics.commands import blood, estimate, evaluate, results, series, simulate, train
from petkinetics.commands.signals import ended_like_ctrl_c
from petkinetics.errors import Cancelled, PetKineticsError

_OPEN = "Kinetic analysis of dynamic PET. For research, not for diagnosis: not a medical device."

#: in the order of the help
_COMMANDS = (
    simulate.add_simulate,
    series.add_info,
    blood.add_aorta,
    blood.add_input_function,
    series.add_tac,
    estimate.add_estimate,
    series.add_suv,
    results.add_compare,
    results.add_export,
    results.add_report,
    train.add_train,
    evaluate.add_evaluate,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status.

    :param arguments: of a call from Python; None when this is the program, whose own they are then.
    """
    if arguments is None:
        # The estimators share their work between threads of their own. BLAS's threads would wait for
        # each other beside them, awake (a third more processor time). Read when numpy is imported.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = _parser()
    args = parser.parse_args(arguments)
    try:
        with ended_like_ctrl_c(process_ends=arguments is None):
            return int(args.run(args) or 0)
    except KeyboardInterrupt:
        # a terminal that was closed takes no message
        with suppress(OSError):
            print("petkinetics: cancelled.", file=sys.stderr, flush=True)
        return Cancelled.exit_status
    except BrokenPipeError:
        # The reader of our output left (such as `head`); there is nobody to tell.
        sys.stderr.close()
        return 1
    except Exception as error:
        return _tell(error, as_lines=getattr(args, "worker_lines", False))
    finally:
        if arguments is None:
            # The process ends now: nothing is gained by looking through all modules for garbage (25 ms).
            gc.freeze()


def _tell(error: Exception, *, as_lines: bool) -> int:
    """Say what went wrong to people, and to programs where they read along; returns the exit status."""
    from petkinetics.worker import Lines, fault_message, tell_error

    if as_lines:
        tell_error(Lines(sys.stdout), error)
    if not isinstance(error, PetKineticsError):
        # Where it happened, for a report to the developers; not the exception's text, which may quote a header.
        import traceback

        print(*traceback.format_tb(error.__traceback__), sep="", end="", file=sys.stderr)
        print(f"petkinetics: {fault_message(error)}", file=sys.stderr)
        return 1
    print(f"petkinetics: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)
    return error.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="petkinetics", description=_OPEN)
    parser.add_argument("--version", action="version", version=f"petkinetics {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in _COMMANDS:
        add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
