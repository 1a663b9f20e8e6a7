"""Coded concepts of the exported maps: standard codes where they exist, a private scheme where none does.

No standard concept exists for the Patlak slope and intercept (the nearest, DCM 126312 Ktrans, is
another quantity), so they are coded in the private scheme ``99PETKIN``, which docs/dicom.md lists.
Maps driven by an uncorrected whole-blood curve are other quantities than maps driven by plasma and
have codes of their own: programs that show nothing but the coded quantity still tell them apart.
"""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from petkinetics.errors import InputError
from petkinetics.maps import Quantity

#: designator of the private coding scheme (private designators begin with 99)
SCHEME = "99PETKIN"
SCHEME_VERSION = "1"

_WHOLE_BLOOD_SUFFIX = "_WB"
#: quantity name -> its code; those of :data:`_RELATIVE_TO_BLOOD` also exist for whole-blood input
_QUANTITIES = {
    "ki": Code("KI", SCHEME, "Net uptake rate constant Ki"),
    "v0": Code("V0", SCHEME, "Initial distribution volume V0"),
    "ki_sd": Code("KI_SD", SCHEME, "Standard deviation of Ki"),
    "v0_sd": Code("V0_SD", SCHEME, "Standard deviation of V0"),
    "residual": Code("RESIDUAL", SCHEME, "RMS residual divided by predicted noise"),
    "k1": Code("K1", SCHEME, "Rate constant K1, plasma to tissue"),
    "k2": Code("K2", SCHEME, "Rate constant k2, tissue to plasma"),
    "k3": Code("K3", SCHEME, "Rate constant k3, trapping"),
    "k4": Code("K4", SCHEME, "Rate constant k4, release"),
    "fv": Code("FV", SCHEME, "Blood volume fraction"),
    "vt": Code("VT", SCHEME, "Total distribution volume VT"),
    "mrglc": Code("MRGLC", SCHEME, "Metabolic rate of glucose"),
    "mrglc_sd": Code("MRGLC_SD", SCHEME, "Standard deviation of MRglc"),
    "suv": codes.DCM.Suvbw,
    "suv_lbm": codes.DCM.SuvlbmJanma,
    "suv_bsa": codes.DCM.Suvbsa,
    "activity": Code("ACTIVITY", SCHEME, "Mean activity concentration, decay-corrected to injection"),
}
_RELATIVE_TO_BLOOD = {"ki", "v0", "ki_sd", "v0_sd", "k1", "vt", "mrglc", "mrglc_sd"}
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
_SUV_UNITS = {
    "suv": codes.UCUM.StandardizedUptakeValueBodyWeight,
    "suv_lbm": codes.UCUM.StandardizedUptakeValueLeanBodyMassJanma,
    "suv_bsa": codes.UCUM.StandardizedUptakeValueBodySurfaceArea,
}

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
    """The code of what a map shows.

    :param blood: kind of input function ("whole blood", "plasma", "parent plasma"; "" where unknown).
    :raises InputError: the quantity has no code.
    """
    code = _QUANTITIES.get(quantity.name)
    if code is None:
        raise InputError(f"There is no DICOM code for '{quantity.name}'; this map cannot be exported as DICOM.")
    if blood == "whole blood" and quantity.name in _RELATIVE_TO_BLOOD:
        return Code(code.value + _WHOLE_BLOOD_SUFFIX, SCHEME, f"{code.meaning} (whole-blood input)")
    return code


def quantity_label(quantity: Quantity, blood: str = "") -> str:
    """What people read: "Ki (whole-blood input)" where the curve was not corrected to plasma, else "Ki"."""
    if blood == "whole blood" and quantity.name in _RELATIVE_TO_BLOOD:
        return f"{quantity.symbol} (whole-blood input)"
    return quantity.symbol


def unit_code(quantity: Quantity) -> Code:
    """The UCUM code of a map's unit; of SUV, that of CID 85, which says which SUV it is."""
    if quantity.name in _SUV_UNITS:
        return _SUV_UNITS[quantity.name]
    return codes.UCUM.NoUnits if quantity.ucum == "1" else Code(quantity.ucum, "UCUM", unit_text(quantity))


def unit_text(quantity: Quantity) -> str:
    """The unit in letters that every character set has: the source's may lack the micro sign."""
    return quantity.unit if quantity.unit.isascii() else quantity.ucum


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
