"""Bland-Altman statistics in a box of 10x10x10 voxels around a tumour, as Liang et al. 2023 have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.bland_altman import Agreement, Differences, agreement_in_region
from petkinetics.maps import ParametricMap
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.lesions import Lesion
from petkinetics.simulate.patient import DigitalPatient

Float32 = NDArray[np.float32]

BOX_VOXELS = 10


@dataclass(frozen=True, eq=False)
class TumourBox:
    """The box around one patient's tumour.

    :param lesion: its number in the lesion map; *diameter_mm* of the tumour.
    :param index: flat voxel indices of the box.
    """

    lesion: int
    diameter_mm: float
    index: NDArray[np.intp]


def why_no_box(patient: DigitalPatient, geometry: VolumeGeometry) -> str:
    """Why :func:`tumour_box` has none, in words; "" where it has one."""
    if min(geometry.shape) < BOX_VOXELS:
        return f"a box of {BOX_VOXELS} voxels a side does not fit into {min(geometry.shape)} slices"
    return "" if _malignant(patient) else "no malignant lesion lies in the slices judged"


def tumour_box(patient: DigitalPatient, geometry: VolumeGeometry) -> TumourBox | None:
    """The box around the malignant lesion with most voxels in view; None without one, or in fewer than 10 slices.

    Its middle is the lesion's; at the border of the volume it is moved inside.
    """
    if why_no_box(patient, geometry):
        return None
    chosen = max(_malignant(patient), key=lambda lesion: int((patient.lesions == lesion.number).sum()))
    middle = np.argwhere(patient.lesions == chosen.number).mean(axis=0)
    box = np.zeros(geometry.shape, dtype=bool)
    first = [
        int(np.clip(round(m - (BOX_VOXELS - 1) / 2), 0, n - BOX_VOXELS))
        for m, n in zip(middle, geometry.shape, strict=True)
    ]
    box[tuple(slice(f, f + BOX_VOXELS) for f in first)] = True
    return TumourBox(chosen.number, chosen.diameter_mm, np.flatnonzero(box))


def _malignant(patient: DigitalPatient) -> list[Lesion]:
    """Malignant lesions with voxels in view."""
    counts = np.bincount(patient.lesions.reshape(-1), minlength=256)
    return [lesion for lesion in patient.lesion_list if lesion.malignant and counts[lesion.number] > 0]


def box_agreement(
    box: TumourBox, ki: ParametricMap, reference: Float32, body: NDArray[np.bool_], roi: str = "tumour"
) -> Agreement:
    """Map less reference over the box's voxels; the differences' correlation comes from the body around it.

    :param reference: Ki on the map's grid, mL/min/mL, (slices, rows, columns), as *body*.
    """
    difference = (ki.values - reference).astype(np.float64)
    everywhere = Differences(difference - difference[body].mean(), body)
    return agreement_in_region(
        ki.values.reshape(-1)[box.index],
        reference.reshape(-1)[box.index],
        box.index,
        ki.geometry,
        roi,
        "mL/min/mL",
        "truth",
        everywhere,
    )


def box_row(box: TumourBox, agreement: Agreement) -> dict[str, object]:
    """One row of ``tumour_roi.tsv``."""
    a = agreement.absolute
    return {
        "lesion": box.lesion,
        "diameter_mm": box.diameter_mm,
        "n": a.n,
        "n_effective": a.n_effective,
        "bias": a.bias,
        "sd": a.sd,
        "loa_lower": a.loa[0],
        "loa_upper": a.loa[1],
        "bias_ci_lower": a.bias_ci[0],
        "bias_ci_upper": a.bias_ci[1],
        "bias_ci_includes_0": bool(a.bias_ci[0] <= 0.0 <= a.bias_ci[1]),
    }
