"""Write the series that the benchmark runs on: a phantom patient with noise, always the same.

A process of its own, so that the memory it needs does not count in the peak of the programs measured.
"""

from __future__ import annotations

import argparse
import json
from math import log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import two_tissue_frames
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.blood import input_function, random_blood
from petkinetics.write.nifti import NiftiWriter, write_volume

SEED = 20
_HALF_LIFE_S = 6586.2
_DOSE_MBQ, _WEIGHT_KG = 300.0, 70.0
#: field of view; the voxels follow from the matrix (256: 1.95 mm)
_FIELD_MM, _SLICE_MM = 500.0, 2.79
#: label: K1, k2, k3, fv. K1 in mL/min/mL, k2 and k3 in 1/min, fv a fraction
_TISSUES = {
    "soft tissue": (0.05, 0.33, 0.020, 0.03),
    "lung": (0.11, 0.70, 0.012, 0.12),
    "liver": (0.70, 0.75, 0.004, 0.05),
    "lesion": (0.25, 0.30, 0.090, 0.10),
    "aorta": (0.0, 1.0, 0.0, 1.0),
}
#: relative noise of a voxel with liver's activity in the last frame
_NOISE = 0.12


def make_series(folder: Path, matrix: int, slices: int) -> Path:
    """Write ``pet.nii``, ``pet.json`` and ``aorta.nii`` into *folder*.

    :param matrix: rows and columns.
    :returns: the image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    timing = FrameTiming.parse("liang2023")
    blood = input_function(random_blood(rng, _DOSE_MBQ, _WEIGHT_KG), float(timing.end_s[-1]))
    k1, k2, k3, fv = np.array(list(_TISSUES.values())).T
    curves = np.vstack([np.zeros(len(timing)), two_tissue_frames(blood, timing, k1, k2, k3, 0.0, fv)])
    size = _FIELD_MM / matrix
    geometry = VolumeGeometry((slices, matrix, matrix), (size, size, _SLICE_MM))
    labels = _anatomy(slices, matrix, size)
    decay = log(2.0) / _HALF_LIFE_S
    counts = timing.duration_s * np.exp(-decay * timing.mid_s)
    liver = curves[1 + list(_TISSUES).index("liver")]
    with NiftiWriter(folder / "pet.nii", geometry, len(timing), description="benchmark phantom") as writer:
        for frame in range(len(timing)):
            # Variance like activity over counts, half of it shared by the whole slice.
            unit = _NOISE**2 * liver[-1] * counts[-1] / counts[frame]
            variance = unit * (0.5 * curves[:, frame].mean() + 0.5 * curves[:, frame])
            deviation = np.sqrt(variance).astype(np.float32)
            deviation[0] *= 0.2
            mean = curves[:, frame].astype(np.float32)
            for k in range(slices):
                noise = rng.standard_normal((matrix, matrix), dtype=np.float32)
                writer.write(mean[labels[k]] + deviation[labels[k]] * noise)
    write_volume(folder / "aorta.nii", labels == 1 + list(_TISSUES).index("aorta"), geometry)
    (folder / "pet.json").write_text(json.dumps(_sidecar(timing), indent=2), encoding="utf-8")
    return folder / "pet.nii"


def _anatomy(slices: int, matrix: int, size_mm: float) -> NDArray[np.uint8]:
    """Labels: 0 is air, then the tissues in order; a trunk with lungs above and liver below."""
    labels = np.zeros((slices, matrix, matrix), dtype=np.uint8)
    centre = (np.arange(matrix) - 0.5 * (matrix - 1)) * size_mm
    y, x = centre[:, None], centre[None, :]
    for k in range(slices):
        share = k / max(slices - 1, 1)
        width, depth = 165.0 + 15.0 * np.sin(3.0 * share), 105.0 + 10.0 * np.cos(4.0 * share)
        here = labels[k]
        here[(x / width) ** 2 + (y / depth) ** 2 < 1] = 1
        if share > 0.4:
            for side in (-1, 1):
                here[((x - side * 75.0) / 50.0) ** 2 + ((y + 5.0) / 70.0) ** 2 < 1] = 2
        else:
            here[((x + 65.0) / 80.0) ** 2 + ((y + 10.0) / 75.0) ** 2 < 1] = 3
        here[(x - 60.0) ** 2 + (y - 20.0) ** 2 < (25.0 * np.sin(np.pi * share)) ** 2] = 4
        here[(x - 12.0) ** 2 + (y - 45.0) ** 2 < 12.0**2] = 5
    return labels


def _sidecar(timing: FrameTiming) -> dict[str, object]:
    return {
        "TracerName": "FDG",
        "TracerRadionuclide": "F18",
        "Units": "kBq/mL",
        "TimeZero": "10:00:00",
        "InjectionStart": 0,
        "FrameTimesStart": timing.start_s.tolist(),
        "FrameDuration": timing.duration_s.tolist(),
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
        "InjectedRadioactivity": _DOSE_MBQ,
        "InjectedRadioactivityUnits": "MBq",
        "BodyWeight": _WEIGHT_KG,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--matrix", type=int, default=256)
    parser.add_argument("--slices", type=int, default=71)
    given = parser.parse_args()
    make_series(given.folder, given.matrix, given.slices)
