"""Parametric maps: an array that cannot exist without its quantity, unit and grid."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry


@dataclass(frozen=True)
class Quantity:
    """What a map shows.

    :param name: file stem and key, such as "ki".
    :param symbol: as people write it, such as "Ki".
    :param meaning: in words.
    :param unit: as people write it ("mL/min/mL").
    :param ucum: UCUM code of the unit, for DICOM.
    """

    name: str
    symbol: str
    meaning: str
    unit: str
    ucum: str


KI = Quantity("ki", "Ki", "Net uptake rate constant", "mL/min/mL", "mL/min/mL")
V0 = Quantity("v0", "V0", "Initial distribution volume", "mL/mL", "mL/mL")
KI_SD = Quantity("ki_sd", "SD of Ki", "Standard deviation of the net uptake rate constant", "mL/min/mL", "mL/min/mL")
V0_SD = Quantity("v0_sd", "SD of V0", "Standard deviation of the initial distribution volume", "mL/mL", "mL/mL")
K1 = Quantity("k1", "K1", "Rate constant of uptake from plasma into tissue", "mL/min/mL", "mL/min/mL")
K2 = Quantity("k2", "k2", "Rate constant of return from tissue to plasma", "1/min", "/min")
K3 = Quantity("k3", "k3", "Rate constant of trapping (FDG: phosphorylation)", "1/min", "/min")
K4 = Quantity("k4", "k4", "Rate constant of release (FDG: dephosphorylation)", "1/min", "/min")
FV = Quantity("fv", "fv", "Fraction of the voxel filled with blood", "1", "1")
VT = Quantity("vt", "VT", "Total distribution volume K1/k2 of the tissue", "mL/mL", "mL/mL")
RESIDUAL = Quantity("residual", "Residual", "Weighted RMS residual divided by the predicted noise", "1", "1")
MRGLC = Quantity("mrglc", "MRglc", "Metabolic rate of glucose", "µmol/min/mL", "umol/min/mL")
MRGLC_SD = Quantity(
    "mrglc_sd", "SD of MRglc", "Standard deviation of the metabolic rate of glucose", "µmol/min/mL", "umol/min/mL"
)
SUV = Quantity("suv", "SUVbw", "Standardised uptake value by body weight", "g/mL", "g/mL")
SUV_LBM = Quantity("suv_lbm", "SUVlbm", "Standardised uptake value by lean body mass", "g/mL", "g/mL")
SUV_BSA = Quantity("suv_bsa", "SUVbsa", "Standardised uptake value by body surface area", "cm2/mL", "cm2/mL")
ACTIVITY = Quantity("activity", "Activity", "Mean activity, decay-corrected to injection", "kBq/mL", "kBq/mL")
#: every quantity by name
QUANTITIES = {
    q.name: q
    for q in (
        KI,
        V0,
        KI_SD,
        V0_SD,
        K1,
        K2,
        K3,
        K4,
        FV,
        VT,
        RESIDUAL,
        MRGLC,
        MRGLC_SD,
        SUV,
        SUV_LBM,
        SUV_BSA,
        ACTIVITY,
    )
}


@dataclass(frozen=True)
class ParametricMap:
    """One map on the PET grid.

    :param values: float32 (slices, rows, columns), 0 outside the mask.
    :param quantity: what it shows, with its unit.
    :param geometry: its voxel grid.
    :param provenance: how it was made (method, input function kind, versions ...).
    :raises InputError: the array does not fit the grid.
    """

    values: NDArray[np.float32]
    quantity: Quantity
    geometry: VolumeGeometry
    provenance: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.shape != self.geometry.shape:
            raise InputError(
                f"The {self.quantity.symbol} map has {self.values.shape} voxels, its grid {self.geometry.shape}."
            )


@dataclass(frozen=True)
class ParametricResult:
    """The maps of one estimate and the record of how they were made.

    :param maps: by quantity name ("ki", "v0" ...).
    :param record: what ``result.json`` says: method, options, frames used, warnings, versions ...
    """

    maps: dict[str, ParametricMap]
    record: dict[str, object] = field(default_factory=dict)

    def __getitem__(self, name: str) -> ParametricMap:
        return self.maps[name]
