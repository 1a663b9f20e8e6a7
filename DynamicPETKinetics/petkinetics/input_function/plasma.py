"""From whole blood to plasma."""

from __future__ import annotations

from dataclasses import replace

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError


def ratio_from_haematocrit(haematocrit: float) -> float:
    """Plasma/whole-blood ratio of FDG at equilibrium, 1 / (1 - 0.3 H).

    FDG enters red cells as glucose does; whole blood holds (1 - 0.3 H) of plasma's concentration
    (Dillon 1965, Diabetes 14:672). It neglects the first minutes, before equilibrium.

    :param haematocrit: fraction, or per cent above 1.
    :raises InputError: outside 15-75 %.
    """
    fraction = haematocrit / 100.0 if haematocrit > 1.0 else haematocrit
    if not 0.15 <= fraction <= 0.75:
        raise InputError(
            f"A haematocrit of {haematocrit:g} is not plausible; expected 0.15 to 0.75 (or 15 to 75 %).",
            "Check the value given with --hct.",
        )
    return 1.0 / (1.0 - 0.3 * fraction)


def with_plasma(curve: InputFunction, ratio: float, how: str) -> InputFunction:
    """The same whole blood with plasma = ratio * whole blood.

    :param ratio: plasma/whole-blood ratio of activity, 0.5 to 2.5.
    :param how: for the record, such as "ratio 1.10".
    :raises InputError: the ratio is not plausible, or the curve already is plasma.
    """
    if curve.kind != "whole blood":
        raise InputError(
            f"The input function is {curve.kind} already; a plasma ratio or haematocrit does not apply to it.",
            "Leave out --plasma-ratio and --hct.",
        )
    if not 0.5 <= ratio <= 2.5:
        raise InputError(
            f"A plasma/whole-blood ratio of {ratio:g} is not plausible; expected 0.5 to 2.5.",
            "Check the value given with --plasma-ratio (FDG: about 1.1).",
        )
    return replace(
        curve,
        plasma_kbq_per_ml=ratio * curve.whole_blood_kbq_per_ml,
        kind="plasma",
        source=f"{curve.source}; plasma by {how}",
    )
