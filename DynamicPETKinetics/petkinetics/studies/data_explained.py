"""Whether the measured frames are still explained where lesions are: reduced chi-square by lesion.

``residual`` is a method's weighted RMS residual over the noise predicted, so its square is the reduced chi-square of
a voxel's frames, with the degrees of freedom that the method left (:mod:`petkinetics.estimators.regularised`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.maps import ParametricMap
from petkinetics.simulate.patient import DigitalPatient
from petkinetics.studies.known_truth import LEAST_LESION_VOXELS, Row


def chi_square_rows(patient: DigitalPatient, residual: ParametricMap | None) -> list[Row]:
    """Reduced chi-square of the frames in every lesion in view, the middle of rings included.

    Lesions that the first or last slice cuts count too: every voxel has its own frames.

    :param residual: a method's residual map; None gives no rows.
    """
    if residual is None:
        return []
    rows: list[Row] = []
    for lesion in patient.lesion_list:
        where = _filled(patient.lesions == lesion.number) & patient.body_mask
        voxels = int(where.sum())
        if voxels < LEAST_LESION_VOXELS:
            continue
        rows.append(
            {
                "lesion": lesion.number,
                "kind": "malignant" if lesion.malignant else "benign",
                "diameter_mm": lesion.diameter_mm,
                "voxels": voxels,
                "reduced_chi_square": float(np.mean(residual.values[where].astype(np.float64) ** 2)),
            }
        )
    return rows


def mean_chi_square(rows: Sequence[Mapping[str, object]]) -> float:
    """Of all voxels of these lesions together."""
    voxels = [float(row["voxels"]) for row in rows]  # type: ignore[arg-type]
    return float(np.average([float(row["reduced_chi_square"]) for row in rows], weights=voxels))  # type: ignore[arg-type]


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes filled, transverse slice by slice: a ring may leave the volume above or below."""
    from scipy.ndimage import binary_fill_holes

    found = mask.copy()
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        found[k] = binary_fill_holes(mask[k])
    return found
