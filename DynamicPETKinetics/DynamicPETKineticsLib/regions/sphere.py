"""Spheres as regions: a click gives a lesion a reproducible region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import slicer
from DynamicPETKineticsLib.regions.node_geometry import Float64, oriented_image, transform_between
from DynamicPETKineticsLib.regions.sequence_segmentation import outline, segmentation_of
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence

#: node reference of a sequence to its regions
REGIONS_ROLE = "DynamicPET.Regions"
#: mm, smallest and largest sphere
DIAMETER_MM = (1.0, 300.0)
#: voxels of the sphere's grid along a diameter, at least; 10 give its volume to a per cent or two
_ACROSS = 12
#: Okabe and Ito's colours, for eyes that confuse red and green: but the vermilion of blood, and the sky blue, which
#: looks like where not to trust a map
_COLOURS = ((0.0, 0.62, 0.45), (0.94, 0.89, 0.26), (0.8, 0.47, 0.65), (0.0, 0.45, 0.7))


def regions_segmentation(sequence: DynamicSequence | None) -> Any:
    """The segmentation "Regions" of a series, made beside it where there is none.

    :param sequence: None for results whose series is not in the scene; they share one segmentation.
    """
    if sequence is not None:
        return segmentation_of(sequence, REGIONS_ROLE, _("Regions"))
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node.GetAttribute(REGIONS_ROLE):
            return node
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", _("Regions"))
    outline(node)
    node.SetAttribute(REGIONS_ROLE, "1")
    return node


def crosshair_ras() -> tuple[float, float, float]:
    """Where the crosshair stands, in world RAS; it need not be shown."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    x, y, z = node.GetCrosshairRAS() if node is not None else (0.0, 0.0, 0.0)
    return float(x), float(y), float(z)


def add_sphere(
    segmentation: Any, centre_ras: tuple[float, float, float], diameter_mm: float = 10.0, name: str = ""
) -> str:
    """A sphere as a new segment.

    Its voxels divide those of the segmentation's grid (the PET's) until there are twelve along a diameter, so that a
    10 mm sphere has its volume, and the share of each PET voxel that it covers is known.

    :param centre_ras: in world RAS.
    :param name: "Sphere 1", "Sphere 2" … by default.
    :returns: ID of the segment.
    :raises InputError: the diameter is not plausible.
    """
    low, high = DIAMETER_MM
    if not low <= diameter_mm <= high:
        raise InputError(
            _("A sphere of {diameter:g} mm is not plausible; choose {low:g} to {high:g} mm.").format(
                diameter=diameter_mm, low=low, high=high
            )
        )
    general, _matrix = transform_between(None, segmentation)
    centre = np.array(general.TransformPoint(list(centre_ras)))
    matrix = _divided(_grid_of(segmentation), diameter_mm / _ACROSS)
    place = np.linalg.solve(matrix, np.append(centre, 1.0))[:3]
    reach = 0.5 * diameter_mm / np.linalg.norm(matrix[:3, :3], axis=0)
    first = np.floor(place - reach).astype(int)
    count = np.ceil(place + reach).astype(int) - first + 1
    k, j, i = np.indices(count[::-1], dtype=np.float64)
    offset = np.stack([i, j, k], axis=-1) + (first - place)
    inside = np.sum((offset @ matrix[:3, :3].T) ** 2, axis=-1) <= (0.5 * diameter_mm) ** 2
    image = oriented_image(inside.astype(np.uint8), matrix, (int(first[2]), int(first[1]), int(first[0])))
    number = segmentation.GetSegmentation().GetNumberOfSegments()
    return str(
        segmentation.AddSegmentFromBinaryLabelmapRepresentation(
            image, name or _next_name(segmentation), _COLOURS[number % len(_COLOURS)]
        )
    )


def _next_name(segmentation: Any) -> str:
    inside = segmentation.GetSegmentation()
    taken = {inside.GetSegment(segment_id).GetName() for segment_id in inside.GetSegmentIDs()}
    number = 1
    while (name := _("Sphere {number}").format(number=number)) in taken:
        number += 1
    return name


def _grid_of(segmentation: Any) -> Float64:
    """The matrix (i, j, k, 1) to RAS of the segmentation's reference grid; 1 mm where it has none."""
    converter = slicer.vtkSegmentationConverter
    parameter = converter.GetReferenceImageGeometryParameterName()
    said = segmentation.GetSegmentation().GetConversionParameter(parameter)
    image = slicer.vtkOrientedImageData()
    if not said or not converter.DeserializeImageGeometry(said, image, False):
        return np.eye(4)
    import vtk

    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return np.asarray(slicer.util.arrayFromVTKMatrix(matrix), dtype=np.float64)


def _divided(matrix: Float64, step_mm: float) -> Float64:
    """A grid whose voxels divide those of another evenly, each edge at most *step_mm*."""
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    pieces = np.ceil(spacing / step_mm)
    finer = matrix.copy()
    finer[:3, :3] = matrix[:3, :3] / pieces
    # The corner of the first voxel stays where it is.
    finer[:3, 3] = matrix[:3, 3] + matrix[:3, :3] @ (0.5 / pieces - 0.5)
    return finer
