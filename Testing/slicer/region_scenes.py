"""Volumes, segments and transforms at known places, for the tests of regions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import slicer
from DynamicPETKineticsLib.regions.node_geometry import ijk_to_ras, oriented_image
from petkinetics.series import VolumeGeometry

Float64 = NDArray[np.float64]
FLIP = np.array([-1.0, -1.0, 1.0])


def rotation(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> Float64:
    """Rotations about x, then y, then z, 3x3."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad([x_deg, y_deg, z_deg])):
        a, b = [i for i in range(3) if i != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def grid(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], turn: Float64 | None = None
) -> VolumeGeometry:
    """A grid around the origin of the patient."""
    direction = np.eye(3) if turn is None else turn
    centre = (np.array(shape[::-1]) - 1) / 2 * np.array(spacing)
    return VolumeGeometry(shape, spacing, (-direction @ centre).tolist(), direction)


def volume(geometry: VolumeGeometry, values: Any = 0.0, name: str = "PET") -> Any:
    """A volume node on a grid."""
    voxels = np.array(np.broadcast_to(np.asarray(values, np.float32), geometry.shape))
    return slicer.util.addVolumeFromArray(voxels, ijk_to_ras(geometry), name)


def points(geometry: VolumeGeometry) -> Float64:
    """RAS of the voxel centres, (slices, rows, columns, 3)."""
    k, j, i = np.indices(geometry.shape, dtype=np.float64)
    ijk = np.stack([i, j, k, np.ones_like(i)], axis=-1)
    return (ijk @ ijk_to_ras(geometry).T)[..., :3]


def ball(geometry: VolumeGeometry, centre: Any, radius: float) -> NDArray[np.bool_]:
    """Voxels of a grid within a ball (RAS, mm)."""
    return np.sum((points(geometry) - np.asarray(centre)) ** 2, axis=-1) <= radius**2


def segmentation(name: str = "Regions") -> Any:
    """An empty segmentation node."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    return node


def add_segment(node: Any, mask: NDArray[np.bool_], geometry: VolumeGeometry, name: str = "lesion") -> str:
    """A segment with a labelmap of its own."""
    image = oriented_image(mask.astype(np.uint8), ijk_to_ras(geometry))
    return str(node.AddSegmentFromBinaryLabelmapRepresentation(image, name))


def linear_transform(matrix: Float64) -> Any:
    """A transform node; what hangs under it is moved by the matrix (RAS)."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node


def affine(linear: Float64 | None = None, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Float64:
    """A 4x4 matrix."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) if linear is None else linear
    matrix[:3, 3] = shift
    return matrix
