"""Metabolic rate of glucose from Ki of FDG: MRglc = Ki * plasma glucose / lumped constant.

Sokoloff et al. 1977, J Neurochem 28:897; Phelps et al. 1979, Ann Neurol 6:371; Huang et al. 1980, Am J
Physiol 238:E69. The lumped constant says how FDG differs from glucose in uptake and phosphorylation.
Published values differ by tissue and author (brain 0.418 in Huang 1980, 0.89 in Graham 2002), so neither
it nor the glucose concentration has a default here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from petkinetics.errors import InputError

#: molar mass of glucose: 1 mmol/L = 18.016 mg/dL
_MG_PER_DL = 18.0156
_PLAUSIBLE_MMOL_PER_L = (1.0, 40.0)
_PLAUSIBLE_LUMPED_CONSTANT = (0.1, 3.0)


@dataclass(frozen=True)
class GlucoseUptake:
    """What turns Ki into MRglc.

    :param glucose_mmol_per_l: concentration in plasma during the scan (mmol/L = umol/mL).
    :param lumped_constant: no unit.
    :raises InputError: a value is out of the range of what is found in people.
    """

    glucose_mmol_per_l: float
    lumped_constant: float

    def __post_init__(self) -> None:
        low, high = _PLAUSIBLE_MMOL_PER_L
        if not low <= self.glucose_mmol_per_l <= high:
            raise InputError(
                f"A plasma glucose of {self.glucose_mmol_per_l:g} mmol/L is not plausible ({low:g}-{high:g} mmol/L).",
                "Where it is in mg/dL, say so: --set glucose=94mg/dL.",
            )
        low, high = _PLAUSIBLE_LUMPED_CONSTANT
        if not low <= self.lumped_constant <= high:
            raise InputError(
                f"A lumped constant of {self.lumped_constant:g} is not plausible ({low:g}-{high:g}).",
                "Give the constant of the tissue and method that you compare with: --set lumped_constant=...",
            )

    @classmethod
    def parse(cls, glucose: str | None, lumped_constant: str | None) -> GlucoseUptake | None:
        """From two options; None where neither is given.

        :param glucose: such as "5.2", "5.2mmol/L" or "94 mg/dL"; without a unit it is mmol/L.
        :raises InputError: only one of them is given, or it is no such number.
        """
        if glucose is None and lumped_constant is None:
            return None
        if glucose is None or lumped_constant is None:
            lacking = "plasma glucose" if glucose is None else "lumped constant"
            option = "glucose=5.2 (mmol/L) or glucose=94mg/dL" if glucose is None else "lumped_constant=..."
            raise InputError(f"MRglc needs the {lacking} as well; it has no default.", f"Give it with --set {option}.")
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(mmol/l|umol/ml|mg/dl|)", glucose.strip().lower().replace("µ", "u"))
        if match is None:
            raise InputError(
                f"'{glucose}' is not a glucose concentration.", "Examples: --set glucose=5.2, --set glucose=94mg/dL."
            )
        value = float(match[1]) / (_MG_PER_DL if match[2] == "mg/dl" else 1.0)
        try:
            return cls(value, float(lumped_constant))
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"'{lumped_constant}' is not a lumped constant; it must be a number.") from error

    @property
    def per_ki(self) -> float:
        """Factor from Ki (mL/min/mL) to MRglc (umol/min/mL of tissue)."""
        return self.glucose_mmol_per_l / self.lumped_constant
