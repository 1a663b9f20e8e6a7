"""Positron emitters: their half-lives and their codes in DICOM headers."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Nuclide:
    """A positron emitter.

    :param name: element and mass, such as "F-18".
    :param half_life_s: seconds (ENSDF evaluations, National Nuclear Data Center).
    :param element: in words, as the DICOM code meaning has it.
    :param sct: SNOMED CT code in DICOM context group 4020.
    :param srt: the older SNOMED-RT code, which scanners still write (schemes SRT, SNM3, 99SDM).
    """

    name: str
    half_life_s: float
    element: str
    sct: str
    srt: str

    @property
    def meaning(self) -> str:
        """The code meaning of DICOM context group 4020, such as "^18^Fluorine"."""
        return f"^{self.name.split('-')[1]}^{self.element}"


NUCLIDES = (
    Nuclide("F-18", 6586.2, "Fluorine", "77004003", "C-111A1"),
    Nuclide("C-11", 1221.8, "Carbon", "40565003", "C-105A1"),
    Nuclide("N-13", 597.9, "Nitrogen", "21576001", "C-107A1"),
    Nuclide("O-15", 122.24, "Oxygen", "129504001", "C-B1038"),
    Nuclide("Ga-68", 4062.6, "Gallium", "35337001", "C-131A3"),
    Nuclide("Rb-82", 75.45, "Rubidium", "79197006", "C-159A2"),
    Nuclide("Cu-62", 580.2, "Copper", "422934004", "C-127A5"),
    Nuclide("Cu-64", 45723.6, "Copper", "3932008", "C-127A2"),
    Nuclide("Y-86", 53064.0, "Yttrium", "10738001", "C-162A3"),
    Nuclide("Zr-89", 282276.0, "Zirconium", "63360001", "C-168A4"),
    Nuclide("I-124", 360806.0, "Iodine", "40937006", "C-114A5"),
)


def find_nuclide(code: str = "", text: str = "") -> Nuclide | None:
    """The nuclide that a DICOM code value, or failing that a name in words, stands for.

    :param code: code value, SNOMED CT or SNOMED-RT.
    :param text: such as "18F", "F-18", "^18^Fluorine", "F^18^[^18^Fluorine]" or "Fluorine 18".
    """
    for nuclide in NUCLIDES:
        if code and code in (nuclide.sct, nuclide.srt):
            return nuclide
    words = re.findall(r"[a-z]+|\d+", text.lower())
    for nuclide in NUCLIDES:
        symbol, mass = nuclide.name.lower().split("-")
        if mass in words and (symbol in words or nuclide.element.lower() in words):
            return nuclide
    return None


def nuclide_of_half_life(half_life_s: float) -> Nuclide | None:
    """The nuclide whose half-life lies within 1 % of *half_life_s*, if there is one."""
    for nuclide in NUCLIDES:
        if abs(half_life_s / nuclide.half_life_s - 1.0) <= 0.01:
            return nuclide
    return None


def half_life_doubt(given_s: float | None, usual_s: float | None, whose: str) -> list[str]:
    """A sentence where a half-life given by the user is not the usual one: 109.8 is minutes, not seconds.

    :param given_s: by the user; *usual_s*: of the nuclide. None where there is none.
    """
    if given_s is None or usual_s is None or abs(given_s / usual_s - 1) <= 0.01:
        return []
    return [
        f"The half-life given, {given_s:g} s, is not that of {whose} ({usual_s:g} s); it was used as given. "
        "--half-life takes seconds."
    ]
