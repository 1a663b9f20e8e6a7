"""What results are called: by method and time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def result_name(title: str, when: datetime, taken: Iterable[str]) -> str:
    """ "Patlak 14:32"; "Patlak 14:32 (2)" where that is taken.

    :param title: of the method.
    :param taken: names of the results in the scene.
    """
    name, others = f"{title} {when:%H:%M}", set(taken)
    count = 2
    unique = name
    while unique in others:
        unique, count = f"{name} ({count})", count + 1
    return unique
