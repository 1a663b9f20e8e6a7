"""Small series in the scene, shared by the tests of the Lib's rooms."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray

import slicer
from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, SeriesOrigin, Tracer, VolumeGeometry

FDG = Tracer("Fluorodeoxyglucose F18", "F-18", 6586.2)
TIMING = FrameTiming([-5.0, 5.0, 35.0, 95.5], [10.0, 30.0, 60.0, 120.0])
GRID = VolumeGeometry((3, 4, 5), (4.0, 5.0, 3.27), (-20.0, -24.0, -60.0))


def voxels_of(timing: FrameTiming = TIMING, shape: tuple[int, int, int] = (3, 4, 5)) -> NDArray[np.float32]:
    """Every voxel of every frame has a value of its own."""
    return np.arange(len(timing) * np.prod(shape), dtype=np.float32).reshape(len(timing), *shape) / 8


def small_series(timing: FrameTiming = TIMING, geometry: VolumeGeometry = GRID, **more: Any) -> DynamicSeries:
    """A series in memory, with all that a series can say."""
    said: dict[str, Any] = {
        "injected_activity_mbq": 301.0,
        "weight_kg": 72.0,
        "height_m": 1.8,
        "sex": "F",
        "decay_weighted": True,
        "origin": SeriesOrigin(series_uids=("1.2.3", "1.2.4"), manufacturer="Example"),
    }
    voxels = said.pop("voxels", None) if (said := said | more) else None
    voxels = ArrayVoxels(voxels_of(timing, geometry.shape)) if voxels is None else voxels
    return DynamicSeries(timing, geometry, FDG, voxels, **said)


def foreign_sequence(
    values: NDArray[Any],
    index: list[str] | None = None,
    attributes: dict[str, str] | None = None,
    ijk_to_ras: NDArray[np.float64] | None = None,
) -> Any:
    """A sequence as other programs make it: no attributes of ours, frames in the array's own type."""
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Foreign")
    sequence.SetIndexName("")
    sequence.SetIndexUnit("")
    for name, text in (attributes or {}).items():
        sequence.SetAttribute(name, text)
    matrix = vtk.vtkMatrix4x4()
    for (row, column), value in np.ndenumerate(np.diag([-4.0, -4, 3, 1]) if ijk_to_ras is None else ijk_to_ras):
        matrix.SetElement(row, column, float(value))
    for i, frame in enumerate(values):
        volume = slicer.vtkMRMLScalarVolumeNode()
        volume.SetIJKToRASMatrix(matrix)
        slicer.util.updateVolumeFromArray(volume, frame)
        sequence.SetDataNodeAtValue(volume, index[i] if index else str(i))
    return sequence


def address(array: NDArray[Any]) -> int:
    """Where an array's first value lies in memory."""
    return int(array.__array_interface__["data"][0])
