"""What a volume's voxels mean, as Slicer keeps it: a coded quantity and a coded unit (UCUM)."""

from __future__ import annotations

from typing import Any

import slicer

#: units of a sequence's frames, as people write them in small letters -> (UCUM code, in words)
UCUM = {
    "kbq/ml": ("kBq/mL", "kilobecquerel per millilitre"),
    "bq/ml": ("Bq/mL", "becquerel per millilitre"),
    "mbq/ml": ("MBq/mL", "megabecquerel per millilitre"),
    "kbq/cc": ("kBq/mL", "kilobecquerel per millilitre"),
    "bq/cc": ("Bq/mL", "becquerel per millilitre"),
    "mbq/cc": ("MBq/mL", "megabecquerel per millilitre"),
    "nci/ml": ("nCi/mL", "nanocurie per millilitre"),
    "nci/cc": ("nCi/mL", "nanocurie per millilitre"),
    "uci/ml": ("uCi/mL", "microcurie per millilitre"),
    "uci/cc": ("uCi/mL", "microcurie per millilitre"),
    "g/ml": ("g/mL", "gram per millilitre"),
    "suv": ("g/mL", "gram per millilitre"),
    "suvbw": ("g/mL", "gram per millilitre"),
}
#: DICOM's codes of what PET voxels show
_CONCENTRATION = ("110853", "DCM", "Attenuation Corrected Activity Concentration")
_SUV_BW = ("126401", "DCM", "SUVbw")


def coded(value: str, scheme: str, meaning: str) -> Any:
    """A vtkCodedEntry."""
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(value, scheme, meaning)
    return entry


def set_units(volume: Any, unit: str) -> None:
    """Give a volume the unit of a sequence's frames, and the quantity; units unknown to us are left out."""
    known = UCUM.get(unit.strip().lower())
    if known is None:
        return
    value, meaning = known
    volume.SetVoxelValueUnits(coded(value, "UCUM", meaning))
    volume.SetVoxelValueQuantity(coded(*(_SUV_BW if value == "g/mL" else _CONCENTRATION)))


def units_of(volume: Any) -> str:
    """The UCUM code of a volume's unit, "" where it has none."""
    entry = volume.GetVoxelValueUnits()
    return str(entry.GetCodeValue() or "") if entry is not None else ""
