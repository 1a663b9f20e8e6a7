"""Voxels and places between the scene (RAS, vtkOrientedImageData) and the engine, under any parent transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

import slicer
from DynamicPETKineticsLib.scene.volume_geometry import RAS_TO_LPS
from petkinetics.series import VolumeGeometry

Float64 = NDArray[np.float64]

#: axes count as at right angles below this cosine
_RIGHT_ANGLE = 1e-4


def ijk_to_ras(geometry: VolumeGeometry) -> Float64:
    """The 4x4 matrix from (i, j, k, 1) to RAS."""
    return np.asarray(RAS_TO_LPS @ geometry.affine_lps, dtype=np.float64)


def has_right_angles(matrix: Float64) -> bool:
    """Whether the axes of a grid are at right angles to each other."""
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    axes = matrix[:3, :3] / lengths
    return bool(np.all(np.abs(axes.T @ axes - np.eye(3)) < _RIGHT_ANGLE))


def vtk_matrix(values: Float64) -> Any:
    """The vtkMatrix4x4 of an array."""
    return slicer.util.vtkMatrixFromArray(np.asarray(values, dtype=np.float64))


def transform_between(source: Any, target: Any) -> tuple[Any, Float64 | None]:
    """What carries the coordinates of one transformable node into those of another.

    :param source: node, or None for the world; so is *target*.
    :returns: the vtkGeneralTransform, and its 4x4 matrix (RAS) where it is linear, else None.
    """
    general = vtk.vtkGeneralTransform()
    parents = [None if node is None else node.GetParentTransformNode() for node in (source, target)]
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(*parents, general)
    linear = vtk.vtkTransform()
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(general, linear):
        return general, None
    return general, np.asarray(slicer.util.arrayFromVTKMatrix(linear.GetMatrix()), dtype=np.float64)


def array_of_image(image: Any) -> NDArray[Any]:
    """The voxels of a vtkImageData in place, (k, j, i) from the first corner of its extent."""
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def oriented_image(values: NDArray[Any], matrix: Float64, first: tuple[int, int, int] = (0, 0, 0)) -> Any:
    """A vtkOrientedImageData with a copy of some voxels.

    :param values: (k, j, i).
    :param matrix: from (i, j, k, 1) to RAS.
    :param first: index (k, j, i) of the first voxel.
    """
    image = slicer.vtkOrientedImageData()
    extent = [edge for n, start in zip(values.shape[::-1], first[::-1], strict=True) for edge in (start, start + n - 1)]
    image.SetExtent(*extent)
    scalars = numpy_to_vtk(np.ascontiguousarray(values).reshape(-1), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    image.SetImageToWorldMatrix(vtk_matrix(matrix))
    return image
