"""Coded concepts of the exported maps, as DICOM's packages hold them: quantities, units, methods, regions.

The quantities and their units are those of :mod:`petkinetics.write.quantity_terms`.
"""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from petkinetics.maps import Quantity
from petkinetics.write.quantity_terms import SCHEME, Term, quantity_term, unit_term

SCHEME_VERSION = "1"

_METHODS = {
    "patlak": Code("PATLAK", SCHEME, "Patlak graphical analysis"),
    "gaussian": Code("PATLAK_GAUSSIAN", SCHEME, "Patlak graphical analysis, Gaussian filter"),
    "hypr": Code("PATLAK_HYPR", SCHEME, "Patlak graphical analysis, HYPR-LR"),
    "nlm": Code("PATLAK_NLM", SCHEME, "Patlak graphical analysis, non-local means"),
    "total-variation": Code("PATLAK_TV", SCHEME, "Patlak graphical analysis, total variation"),
    "two-tissue": Code("TWO_TISSUE", SCHEME, "Irreversible two-tissue compartment model"),
    "two-tissue-reversible": Code("TWO_TISSUE_REV", SCHEME, "Reversible two-tissue compartment model"),
    "one-tissue": Code("ONE_TISSUE", SCHEME, "One-tissue compartment model"),
}
_BLOOD = {
    "whole blood": Code("WHOLE_BLOOD", SCHEME, "Whole blood, not corrected to plasma"),
    "plasma": Code("PLASMA", SCHEME, "Plasma"),
    "parent plasma": Code("PARENT_PLASMA", SCHEME, "Plasma, corrected for metabolites"),
}
#: concept name under which the kind of input function is stated
INPUT_FUNCTION = Code("INPUT_FUNCTION", SCHEME, "Input function")
#: how a map's frames derive from the source images; no code of CID 7203 says it
DERIVATION = Code("KINETICS", SCHEME, "Kinetic analysis of a dynamic series, voxel by voxel")

#: UCUM unit -> Units (0054,1001) of a PET image and the factor to it (PS3.3 C.8.9.1.1.3)
_PET_UNITS = {
    "mL/min/mL": ("MLMINML", 1.0),
    "mL/mL": ("MLML", 1.0),
    "umol/min/mL": ("UMOLMINML", 1.0),
    "g/mL": ("GML", 1.0),
    "cm2/mL": ("CM2ML", 1.0),
    "kBq/mL": ("BQML", 1000.0),
    "1": ("NONE", 1.0),
}
_SUV_TYPES = {"suv": "BW", "suv_lbm": "LBMJANMA", "suv_bsa": "BSA"}

#: Body Part Examined (PS3.16 annex L) -> region of CID 4031
_REGIONS = {
    "ABDOMEN": codes.SCT.Abdomen,
    "ABDOMENPELVIS": codes.SCT.AbdomenAndPelvis,
    "BRAIN": codes.SCT.Brain,
    "CHEST": codes.SCT.Chest,
    "CHESTABDOMEN": codes.SCT.ChestAndAbdomen,
    "CHESTABDPELVIS": codes.SCT.ChestAbdomenAndPelvis,
    "EXTREMITY": codes.SCT.Extremity,
    "HEAD": codes.SCT.Head,
    "HEADNECK": codes.SCT.HeadAndNeck,
    "HEART": codes.SCT.Heart,
    "LIVER": codes.SCT.Liver,
    "NECK": codes.SCT.Neck,
    "NECKCHEST": codes.SCT.NeckAndChest,
    "NECKCHESTABDOMEN": codes.SCT.NeckChestAndAbdomen,
    "NECKCHESTABDPELV": codes.SCT.NeckChestAbdomenAndPelvis,
    "PELVIS": codes.SCT.Pelvis,
    "WHOLEBODY": codes.SCT.EntireBody,
}
_UNKNOWN_REGION = Code("85756007", "SCT", "Tissue")


def quantity_code(quantity: Quantity, blood: str = "") -> Code:
    """The code of what a map shows; see :func:`petkinetics.write.quantity_terms.quantity_term`."""
    return _code(quantity_term(quantity, blood))


def unit_code(quantity: Quantity) -> Code:
    """The UCUM code of a map's unit; see :func:`petkinetics.write.quantity_terms.unit_term`."""
    return _code(unit_term(quantity))


def _code(term: Term) -> Code:
    return Code(term.value, term.scheme, term.meaning)


def pet_units(quantity: Quantity) -> tuple[str, float] | None:
    """Units (0054,1001) of a quantity as a PET image, and the factor to it; None where DICOM has no term."""
    return _PET_UNITS.get(quantity.ucum)


def suv_type(quantity: Quantity) -> str | None:
    """SUV Type (0054,1006); None of what is no SUV."""
    return _SUV_TYPES.get(quantity.name)


def is_standard_deviation(quantity: Quantity) -> bool:
    """Whether the map is the standard deviation of another."""
    return quantity.name.endswith("_sd")


def method_code(method: str) -> Code | None:
    """The code of an estimation method; None for one that has none (its name is stated as text)."""
    return _METHODS.get(method)


def blood_code(blood: str) -> Code | None:
    """The code of a kind of input function; None where it is not known."""
    return _BLOOD.get(blood)


def code_item(code: Code) -> Dataset:
    """A code as an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def anatomic_regions(header: Dataset) -> list[Dataset]:
    """The region scanned: as the source codes it, else from its Body Part Examined, else "Tissue"."""
    if header.get("AnatomicRegionSequence"):
        return list(header.AnatomicRegionSequence)
    body_part = str(header.get("BodyPartExamined") or "").upper()
    return [code_item(_REGIONS.get(body_part, _UNKNOWN_REGION))]


def scheme_identification() -> CodingSchemeIdentificationItem:
    """Who is responsible for the private scheme, for the exported objects."""
    return CodingSchemeIdentificationItem(
        SCHEME,
        name="petkinetics: kinetic analysis of dynamic PET",
        version=SCHEME_VERSION,
        responsible_organization="DynamicPETKinetics developers",
    )
