"""The voxel grid of a volume node, and a volume node on a grid: RAS of MRML, LPS of the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray

from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry

#: and back
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def geometry_of(volume: Any) -> VolumeGeometry:
    """The grid of a scalar volume, without the transforms above it.

    :raises InputError: it has no voxels, or its axes are not at right angles.
    """
    image = volume.GetImageData()
    if image is None or min(image.GetDimensions()) < 1:
        raise InputError(_("The volume '{name}' has no voxels.").format(name=volume.GetName()))
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return geometry_from(RAS_TO_LPS @ _array(matrix), image.GetDimensions()[::-1])


def geometry_from(ijk_to_lps: NDArray[np.float64], shape: tuple[int, ...]) -> VolumeGeometry:
    """A grid from its 4x4 matrix.

    :param shape: (slices, rows, columns).
    :raises InputError: the axes are not at right angles to each other, or one has no length.
    """
    spacing = np.linalg.norm(ijk_to_lps[:3, :3], axis=0)
    if not np.all(np.isfinite(ijk_to_lps)) or spacing.min() <= 0:
        raise InputError(_("The volume has an axis without a length; where its voxels lie is not known."))
    return VolumeGeometry(shape, spacing.tolist(), ijk_to_lps[:3, 3].tolist(), ijk_to_lps[:3, :3] / spacing)


def ijk_to_ras(geometry: VolumeGeometry) -> Any:
    """The grid's matrix as volume nodes want it (vtkMatrix4x4)."""
    matrix = vtk.vtkMatrix4x4()
    values = RAS_TO_LPS @ geometry.affine_lps
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, float(values[row, column]))
    return matrix


def empty_image(geometry: VolumeGeometry) -> tuple[Any, NDArray[np.float32]]:
    """A float image of the grid's size (vtkImageData), and its voxels (slices, rows, columns), not initialised."""
    from vtk.util.numpy_support import vtk_to_numpy

    slices, rows, columns = geometry.shape
    image = vtk.vtkImageData()
    image.SetDimensions(columns, rows, slices)
    image.AllocateScalars(vtk.VTK_FLOAT, 1)
    return image, vtk_to_numpy(image.GetPointData().GetScalars()).reshape(geometry.shape)


def _array(matrix: Any) -> NDArray[np.float64]:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
