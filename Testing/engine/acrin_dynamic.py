"""The real GE series' headers and geometry, written as a dynamic series with given pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from petkinetics.frames import FrameTiming
from petkinetics.read.dicom import read_dicom
from petkinetics.series import ArrayVoxels, DynamicSeries, Float32, VolumeGeometry
from petkinetics.simulate.dicom_series import write_dicom_series

REAL = Path(__file__).parent.parent / "data" / "pet_ge_acrin_nsclc" / "PT_AC"
FRAMES = "6x10,4x30,4x60,4x120,10x300"


def real_slices() -> list[Dataset]:
    """The real headers in order of position."""
    headers = [dcmread(path, stop_before_pixels=True) for path in REAL.glob("*.dcm")]
    return sorted(headers, key=lambda ds: float(ds.ImagePositionPatient[2]))


def write_acrin_dynamic(
    directory: Path,
    pixels: Callable[[VolumeGeometry, FrameTiming], Float32],
    slices: Sequence[int] | None = None,
    frames: str = FRAMES,
) -> DynamicSeries:
    """Write a 28-frame series with the patient, dose, injection clock and uneven slices of the real one.

    :param pixels: makes kBq/mL at injection, (frames, slices, rows, columns), on the geometry and
        timing it is given.
    :param slices: which of the 135 slices, without gaps; all if not given.
    :returns: the series as it was written.
    """
    headers = real_slices()
    chosen = headers if slices is None else [headers[k] for k in slices]
    real = read_dicom(REAL, require_dynamic=False)
    positions = np.array([[float(v) for v in ds.ImagePositionPatient] for ds in chosen])
    spacing = float(np.linalg.norm(positions[-1] - positions[0])) / (len(chosen) - 1)
    geometry = VolumeGeometry(
        (len(chosen), *real.geometry.shape[1:]), (*real.geometry.spacing_mm[:2], spacing), positions[0]
    )
    timing = FrameTiming.parse(frames)
    series = DynamicSeries(
        timing=timing,
        geometry=geometry,
        tracer=real.tracer,
        voxels=ArrayVoxels(pixels(geometry, timing)),
        injected_activity_mbq=real.injected_activity_mbq,
        weight_kg=real.weight_kg,
        decay_weighted=True,
    )
    write_dicom_series(directory, series, vendor="ge", template=chosen[0], slice_positions_mm=positions)
    return series
