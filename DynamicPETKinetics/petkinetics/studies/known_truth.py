"""How close estimated maps come to the known truth of a simulated patient, in the rows of a study.

The reference is the noise-free Patlak slope from 9 to 65 min, as the scanner would show it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.image_quality import image_quality
from petkinetics.evaluate.region_statistics import peak
from petkinetics.maps import ParametricMap
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import DigitalPatient

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Row = dict[str, object]

#: below this a relative bias says little, so the absolute one is given (mL/min/mL)
LEAST_KI = 0.003
#: smaller parts of organs or lesions in view do not count
_LEAST_VOXELS, LEAST_LESION_VOXELS = 100, 4
#: edges of the size classes of lesions, mm
SIZE_CLASSES_MM = (0.0, 10.0, 20.0, 40.0)
#: a lesion's surroundings: body this far from its surface, beyond what resolution spills; of at least so many voxels
_AROUND_MM, _LEAST_AROUND = (6.0, 14.0), 30
#: a lesion that differs from its surroundings by less than this share of its own Ki has no contrast to recover
_LEAST_CONTRAST = 0.2


def whole_map_row(patient: DigitalPatient, ki: ParametricMap, v0: ParametricMap | None) -> Row:
    """RMSE, PSNR and SSIM of Ki in the body, the mean and 95 % limits of its differences, and V0's errors and SSIM."""
    body, reference = patient.body_mask, patient.truth["ki_patlak_9_65"]
    quality = image_quality(ki.values, reference, body)
    difference = (ki.values - reference)[body].astype(np.float64)
    row: Row = {"ki_rmse": quality.rmse, "ki_psnr_db": quality.psnr_db, "ki_ssim": quality.ssim}
    bias, sd = float(difference.mean()), float(difference.std())
    row |= {"ki_bias": bias, "ki_loa_lower": bias - 1.96 * sd, "ki_loa_upper": bias + 1.96 * sd}
    v0_difference = None if v0 is None else (v0.values - patient.truth["v0_patlak_9_65"])[body].astype(np.float64)
    row["v0_rmse"] = None if v0_difference is None else float(np.sqrt(np.mean(v0_difference**2)))
    row["v0_bias"] = None if v0_difference is None else float(v0_difference.mean())
    row["v0_ssim"] = None if v0 is None else image_quality(v0.values, patient.truth["v0_patlak_9_65"], body).ssim
    return row


def coverage_row(patient: DigitalPatient, ki: ParametricMap, sd: ParametricMap | None) -> Row:
    """How often Ki's truth lies within 1 and 2 of a method's SDs, in the body and inside lesions, percent."""
    row: Row = {}
    places = {"body": patient.body_mask, "lesion": patient.lesions > 0}
    for place, where in places.items():
        for times in (1, 2):
            name = f"ki_within_{times}_sd_{place}_percent"
            if sd is None or not where.any():
                row[name] = None
                continue
            off = np.abs(ki.values - patient.truth["ki_patlak_9_65"])[where]
            row[name] = 100.0 * float(np.mean(off <= times * sd.values[where]))
    return row


def lesion_rows(patient: DigitalPatient, ki: ParametricMap) -> list[Row]:
    """Relative bias of the mean and of the peak (1 mL sphere) of every lesion in view, and its contrast.

    Contrast is the lesion's mean less that of the body 6-14 mm around it; recovered is what the map shows of
    the reference's contrast.
    """
    reference = patient.truth["ki_patlak_9_65"]
    rows: list[Row] = []
    for lesion in patient.lesion_list:
        voxels = np.flatnonzero(patient.lesions == lesion.number)
        if voxels.size < LEAST_LESION_VOXELS or _is_cut(voxels, ki.geometry):
            continue
        true_mean = float(reference.reshape(-1)[voxels].mean())
        true_peak = peak(reference, voxels, ki.geometry)
        rows.append(
            {
                "lesion": lesion.number,
                "kind": "malignant" if lesion.malignant else "benign",
                "diameter_mm": lesion.diameter_mm,
                "size_class": size_class(lesion.diameter_mm),
                "ki_true_mean": true_mean,
                "mean_bias_percent": 100.0 * (float(ki.values.reshape(-1)[voxels].mean()) / true_mean - 1.0),
                "peak_bias_percent": 100.0 * (peak(ki.values, voxels, ki.geometry) / true_peak - 1.0),
                "contrast_recovery_percent": _contrast_recovery(patient, lesion.number, ki, reference),
            }
        )
    return rows


def organ_rows(patient: DigitalPatient, ki: ParametricMap) -> list[Row]:
    """Bias of every organ's mean: relative, or absolute where the true Ki is below .003."""
    reference = patient.truth["ki_patlak_9_65"]
    rows: list[Row] = []
    lesions = patient.lesions > 0
    for label, name in sorted(patient.label_names.items()):
        inside = (patient.labels == label) & ~lesions
        if label == 0 or name in ("air", "lesion") or int(inside.sum()) < _LEAST_VOXELS:
            continue
        true, found = float(reference[inside].mean()), float(ki.values[inside].mean())
        relative = true >= LEAST_KI
        rows.append(
            {
                "organ": name,
                "ki_true_mean": true,
                "bias_percent": 100.0 * (found / true - 1.0) if relative else None,
                "bias_absolute": None if relative else found - true,
            }
        )
    return rows


def _contrast_recovery(patient: DigitalPatient, number: int, ki: ParametricMap, reference: Float32) -> float | None:
    from scipy.ndimage import distance_transform_edt, find_objects

    lesion = patient.lesions == number
    spacing = ki.geometry.spacing_mm[::-1]
    margin = [int(np.ceil(_AROUND_MM[1] / step)) + 1 for step in spacing]
    box = tuple(
        slice(max(s.start - m, 0), s.stop + m) for s, m in zip(find_objects(lesion.astype(int))[0], margin, strict=True)
    )
    inside = lesion[box]
    away = distance_transform_edt(~inside, sampling=spacing)
    around = patient.body_mask[box] & (patient.lesions[box] == 0) & (away >= _AROUND_MM[0]) & (away <= _AROUND_MM[1])
    if int(around.sum()) < _LEAST_AROUND:
        return None

    def contrast(values: Float32) -> float:
        return float(values[box][inside].mean() - values[box][around].mean())

    true = contrast(reference)
    if abs(true) < _LEAST_CONTRAST * float(reference[box][inside].mean()):
        return None
    return 100.0 * contrast(ki.values) / true


def size_class(diameter_mm: float) -> str:
    """The class of *diameter_mm*, such as "10-20 mm"."""
    edges = SIZE_CLASSES_MM
    upper = int(np.clip(np.searchsorted(edges, diameter_mm, side="right"), 1, len(edges) - 1))
    return f"{edges[upper - 1]:g}-{edges[upper]:g} mm"


def _is_cut(voxels: NDArray[np.intp], geometry: VolumeGeometry) -> bool:
    """Whether a lesion reaches the first or last slice, so that a part may be missing."""
    in_slice = geometry.shape[1] * geometry.shape[2]
    slices = voxels // in_slice
    return bool(slices.min() == 0 or slices.max() == geometry.shape[0] - 1)
