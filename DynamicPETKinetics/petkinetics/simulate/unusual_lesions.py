"""Lesions that no method was trained on: none at all, very hot ones, and rings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from petkinetics.errors import InputError
from petkinetics.simulate.anatomy import Anatomy
from petkinetics.simulate.lesions import MALIGNANT_KI, Lesion, lesion_kinetics, place_lesions
from petkinetics.simulate.seeds import stream

#: about twice the highest Ki of usual lesions, mL/min/mL
HOT_KI = (0.14, 0.16)
#: a ring must be wider than the scanner's resolution to be seen as one
RING_SMALLEST_MM = 22.0
#: share of a ring's radius that is not lesion
RING_HOLLOW = 0.6
USUAL_LESIONS = "usual"


def _none(*_: object) -> list[Lesion]:
    return []


def _hot(seed: int, lesions: list[Lesion], _anatomy: Anatomy, _extent_mm: tuple[float, float]) -> list[Lesion]:
    """The person's own lesions, all malignant with a Ki of about 0.15."""
    rng = stream(seed, "hot lesions")
    return [replace(one, malignant=True, kinetics=lesion_kinetics(rng, HOT_KI, True)) for one in lesions]


def _ring(seed: int, _lesions: list[Lesion], anatomy: Anatomy, extent_mm: tuple[float, float]) -> list[Lesion]:
    """Large lesions in other places, all malignant, of which the middle is the tissue that was there."""
    rng = stream(seed, "ring kinetics")
    placed = place_lesions(seed, anatomy, *extent_mm, smallest_mm=RING_SMALLEST_MM, purpose="ring lesions")
    return [
        replace(one, malignant=True, hollow=RING_HOLLOW, kinetics=lesion_kinetics(rng, MALIGNANT_KI, True))
        for one in placed
    ]


_KINDS: dict[str, Callable[[int, list[Lesion], Anatomy, tuple[float, float]], list[Lesion]]] = {
    "none": _none,
    "hot": _hot,
    "ring": _ring,
}
#: which lesions a person may have
LESION_KINDS = (USUAL_LESIONS, *_KINDS)


def require_lesions(kind: str) -> None:
    """Refuse a kind of lesions that cannot be simulated.

    :raises InputError: no such kind.
    """
    if kind not in LESION_KINDS:
        raise InputError(f"'{kind}' is not a kind of lesions; choose {', '.join(LESION_KINDS)}.")


def lesions_of(
    kind: str, seed: int, lesions: list[Lesion], anatomy: Anatomy, extent_mm: tuple[float, float]
) -> list[Lesion]:
    """The lesions of a person who has unusual ones.

    :param kind: one of :data:`LESION_KINDS`.
    :param lesions: those that the person has otherwise.
    :param extent_mm: lowest and highest z of the scan.
    :raises InputError: no such kind.
    """
    require_lesions(kind)
    return lesions if kind == USUAL_LESIONS else _KINDS[kind](seed, lesions, anatomy, extent_mm)
