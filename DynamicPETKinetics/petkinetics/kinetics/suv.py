"""Standardised uptake values: activity per injected dose, scaled by a measure of the patient's size.

SUV = C / (dose / size), with C decay-corrected to the moment at which the dose was measured, here
injection. By body weight and lean body mass the unit is g/mL, by body surface area cm2/mL (the
definitions of DICOM PS3.16, codes 126410, 126414 and 126412).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from petkinetics.errors import InputError

#: by body weight, lean body mass (Janmahasatian) and body surface area (Du Bois)
SUV_TYPES = ("bw", "lbm", "bsa")


@dataclass(frozen=True)
class Recipient:
    """Who was given how much; None or "" where it is not known.

    :param dose_mbq: injected activity at injection.
    :param weight_kg: body weight.
    :param height_m: body height.
    :param sex: "M" or "F"; DICOM's "O" is kept and does not say which lean body mass to use.
    :raises InputError: a value is not plausible for a person.
    """

    dose_mbq: float | None
    weight_kg: float | None
    height_m: float | None = None
    sex: str = ""

    def __post_init__(self) -> None:
        if self.height_m is not None and not 0.2 <= self.height_m <= 2.8:
            raise InputError(
                f"A height of {self.height_m:g} m is not a person's.", "Give it in metres: --set height_m=1.72."
            )

    def require(self, *names: str) -> tuple[float, ...]:
        """Some of the numbers.

        :raises InputError: one of them is not known; says how to give it.
        """
        values = []
        for name in names:
            value = getattr(self, name)
            if value is None:
                what, option = _GIVE[name]
                raise InputError(f"SUV needs the {what}, which the series does not give.", f"Give it with {option}.")
            values.append(float(value))
        return tuple(values)


_GIVE = {
    "dose_mbq": ("injected activity", "--dose (MBq)"),
    "weight_kg": ("patient's weight", "--weight (kg)"),
    "height_m": ("patient's height", "--set height_m=1.72 (metres)"),
}


def lean_body_mass_kg(weight_kg: float, height_m: float, sex: str) -> float:
    """Lean body mass: 9270 W/(6680 + 216 BMI) of men, 9270 W/(8780 + 244 BMI) of women.

    Janmahasatian et al. 2005, Clin Pharmacokinet 44:1051-1065; BMI = weight/height^2 in kg/m2. Unlike
    James's formula it does not fall with weight in the obese.

    :param weight_kg: W; *height_m*: in m.
    :param sex: "M" or "F".
    :raises InputError: another sex, for which there is no formula.
    """
    if sex not in ("M", "F"):
        raise InputError(
            "Lean body mass differs between the sexes, and the series says neither M nor F.",
            "Give it with --set sex=M or --set sex=F, or use SUV by body weight (bw).",
        )
    bmi = weight_kg / height_m**2
    return 9270.0 * weight_kg / (6680.0 + 216.0 * bmi if sex == "M" else 8780.0 + 244.0 * bmi)


def body_surface_area_m2(weight_kg: float, height_m: float) -> float:
    """Body surface area: 0.007184 W^0.425 H^0.725, H in cm (Du Bois & Du Bois 1916, Arch Intern Med 17:863).

    :param weight_kg: W; *height_m*: in m.
    :returns: m^2.
    """
    return float(0.007184 * weight_kg**0.425 * (100.0 * height_m) ** 0.725)


def suv_per_kbq_per_ml(suv_type: str, recipient: Recipient) -> float:
    """Factor from kBq/mL, decay-corrected to injection, to SUV.

    :param suv_type: "bw" and "lbm" give g/mL, "bsa" gives cm2/mL.
    :raises InputError: the type is none of these, or what it needs is not known.
    """
    if suv_type not in SUV_TYPES:
        raise InputError(f"'{suv_type}' is not a type of SUV; it is one of {', '.join(SUV_TYPES)}.")
    dose_kbq = 1e3 * recipient.require("dose_mbq")[0]
    if suv_type == "bw":
        (weight_kg,) = recipient.require("weight_kg")
        size = 1e3 * weight_kg
    else:
        weight_kg, height_m = recipient.require("weight_kg", "height_m")
        if suv_type == "lbm":
            size = 1e3 * lean_body_mass_kg(weight_kg, height_m, recipient.sex)
        else:
            size = 1e4 * body_surface_area_m2(weight_kg, height_m)
    factor = size / dose_kbq
    if not np.isfinite(factor) or factor <= 0:
        raise InputError(f"Dose ({recipient.dose_mbq} MBq) and weight ({weight_kg} kg) give no SUV.")
    return factor
