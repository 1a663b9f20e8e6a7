"""Units of voxels and curves, as sidecars, tables and sequences write them."""

from __future__ import annotations

from petkinetics.errors import InputError

#: kBq/mL in each unit; names in lower case
_ACTIVITY_UNITS = {
    f"{prefix}/{volume}": factor
    for prefix, factor in {"bq": 1e-3, "kbq": 1.0, "mbq": 1e3, "nci": 0.037, "uci": 37.0}.items()
    for volume in ("ml", "cc", "cm3")
}
_SUV_UNITS = ("g/ml", "suv", "suvbw")


def activity_unit(unit: str) -> float | None:
    """kBq/mL in a unit of activity concentration, in any case of its letters; None for any other unit."""
    return _ACTIVITY_UNITS.get(unit.strip().lower().replace("\u00b5", "u").replace("\u03bc", "u"))


def is_suv_unit(unit: str) -> bool:
    """Whether it is the unit of SUV by body weight, g/mL."""
    return unit.strip().lower() in _SUV_UNITS


def voxel_unit(name: str, unit: str, dose_mbq: float | None, weight_kg: float | None) -> float:
    """kBq/mL in the unit of a series' voxels; SUV in g/mL takes 1 mL for 1 g: SUV * dose / weight.

    :param name: of the series, for messages.
    :param dose_mbq: injected activity; *weight_kg*: of the body. None where not known.
    :raises InputError: another unit, or SUV without dose and weight.
    """
    found = activity_unit(unit)
    if found is not None:
        return found
    if not is_suv_unit(unit):
        raise InputError(
            f"{name} gives voxels in '{unit}', which is not an activity concentration.",
            "If it is one, say so with --set units=kBq/mL (or Bq/mL, g/mL).",
        )
    if not (dose_mbq and weight_kg):
        raise InputError(
            f"{name} gives SUV (g/mL), and converting it needs the injected activity and the weight.",
            "Give them with --dose (MBq) and --weight (kg).",
        )
    return dose_mbq / weight_kg
