"""Arguments by position, and ``--help``, for scripts that another script runs; the standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def positionals(says: str | None, **kinds: Callable[[str], Any]) -> list[Any]:
    """The values of the command line, in order.

    :param says: the script's docstring, which ``--help`` prints.
    :param kinds: each argument's name, and what makes its text a value.
    """
    parser = argparse.ArgumentParser(description=says, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, kind in kinds.items():
        parser.add_argument(name, type=kind)
    return list(vars(parser.parse_args()).values())


def paths(says: str | None, *names: str) -> list[Path]:
    """The same, where all are files or folders."""
    return positionals(says, **dict.fromkeys(names, Path))
