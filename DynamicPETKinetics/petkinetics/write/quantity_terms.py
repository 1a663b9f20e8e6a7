"""What a map shows, as coded terms: plain text, so that a program may mark maps without DICOM's packages.

A term is (code value, coding scheme, meaning). No standard concept exists for the Patlak slope and
intercept (the nearest, DCM 126312 Ktrans, is another quantity), so they are coded in the private scheme
``99PETKIN``, which docs/dicom.md lists. Maps driven by an uncorrected whole-blood curve are other
quantities than maps driven by plasma and have codes of their own: programs that show nothing but the
coded quantity still tell them apart.
"""

from __future__ import annotations

from typing import NamedTuple

from petkinetics.errors import InputError
from petkinetics.maps import Quantity

#: designator of the private coding scheme (private designators begin with 99)
SCHEME = "99PETKIN"

_WHOLE_BLOOD_SUFFIX = "_WB"


class Term(NamedTuple):
    """A coded concept."""

    value: str
    scheme: str
    meaning: str


#: quantity name -> its term; those of :data:`_RELATIVE_TO_BLOOD` also exist for whole-blood input
_QUANTITIES = {
    "ki": Term("KI", SCHEME, "Net uptake rate constant Ki"),
    "v0": Term("V0", SCHEME, "Initial distribution volume V0"),
    "ki_sd": Term("KI_SD", SCHEME, "Standard deviation of Ki"),
    "v0_sd": Term("V0_SD", SCHEME, "Standard deviation of V0"),
    "residual": Term("RESIDUAL", SCHEME, "RMS residual divided by predicted noise"),
    "k1": Term("K1", SCHEME, "Rate constant K1, plasma to tissue"),
    "k2": Term("K2", SCHEME, "Rate constant k2, tissue to plasma"),
    "k3": Term("K3", SCHEME, "Rate constant k3, trapping"),
    "k4": Term("K4", SCHEME, "Rate constant k4, release"),
    "fv": Term("FV", SCHEME, "Blood volume fraction"),
    "vt": Term("VT", SCHEME, "Total distribution volume VT"),
    "mrglc": Term("MRGLC", SCHEME, "Metabolic rate of glucose"),
    "mrglc_sd": Term("MRGLC_SD", SCHEME, "Standard deviation of MRglc"),
    "suv": Term("126401", "DCM", "SUVbw"),
    "suv_lbm": Term("126405", "DCM", "SUVlbm(Janma)"),
    "suv_bsa": Term("126403", "DCM", "SUVbsa"),
    "activity": Term("ACTIVITY", SCHEME, "Mean activity concentration, decay-corrected to injection"),
}
_RELATIVE_TO_BLOOD = {"ki", "v0", "ki_sd", "v0_sd", "k1", "vt", "mrglc", "mrglc_sd"}
#: units of CID 85, which say which SUV it is
_SUV_UNITS = {
    "suv": Term("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight"),
    "suv_lbm": Term("g/ml{SUVlbm(Janma)}", "UCUM", "Standardized Uptake Value lean body mass (Janma)"),
    "suv_bsa": Term("cm2/ml{SUVbsa}", "UCUM", "Standardized Uptake Value body surface area"),
}
_NO_UNITS = Term("1", "UCUM", "no units")


def quantity_term(quantity: Quantity, blood: str = "") -> Term:
    """The term of what a map shows.

    :param blood: kind of input function ("whole blood", "plasma", "parent plasma"; "" where unknown).
    :raises InputError: the quantity has no code.
    """
    term = _QUANTITIES.get(quantity.name)
    if term is None:
        raise InputError(f"There is no DICOM code for '{quantity.name}'; this map cannot be exported as DICOM.")
    if blood == "whole blood" and quantity.name in _RELATIVE_TO_BLOOD:
        return Term(term.value + _WHOLE_BLOOD_SUFFIX, SCHEME, f"{term.meaning} (whole-blood input)")
    return term


def quantity_label(quantity: Quantity, blood: str = "") -> str:
    """What people read: "Ki (whole-blood input)" where the curve was not corrected to plasma, else "Ki"."""
    if blood == "whole blood" and quantity.name in _RELATIVE_TO_BLOOD:
        return f"{quantity.symbol} (whole-blood input)"
    return quantity.symbol


def unit_term(quantity: Quantity) -> Term:
    """The UCUM term of a map's unit; of SUV, that of CID 85, which says which SUV it is."""
    if quantity.name in _SUV_UNITS:
        return _SUV_UNITS[quantity.name]
    return _NO_UNITS if quantity.ucum == "1" else Term(quantity.ucum, "UCUM", unit_text(quantity))


def unit_text(quantity: Quantity) -> str:
    """The unit in letters that every character set has: the source's may lack the micro sign."""
    return quantity.unit if quantity.unit.isascii() else quantity.ucum
