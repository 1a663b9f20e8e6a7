"""The aorta's segment: where the input function of a series is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import slicer
from DynamicPETKineticsLib.regions.labelmap_pieces import Piece, pieces_of
from DynamicPETKineticsLib.regions.node_geometry import (
    has_right_angles,
    ijk_to_ras,
    oriented_image,
    transform_between,
)
from DynamicPETKineticsLib.regions.sequence_segmentation import outline, reference_volume, segmentation_of
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.read.region_map import bounding_box
from petkinetics.series import VolumeGeometry

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence

#: node reference of a sequence to its segmentation
INPUT_ROLE = "DynamicPET.InputSegmentation"
#: says what a segment is; its name belongs to the user
_ROLE_TAG, _AORTA = "DynamicPET.Role", "aorta"
_SEGMENT_ID = "Aorta"
_RED = (0.9, 0.1, 0.1)
_TERMINOLOGY = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^15825003^Aorta~^^"
    "~Anatomic codes - DICOM master list~^^~^^"
)


def input_segmentation(sequence: DynamicSequence) -> Any:
    """The segmentation "Input function" of a series, made beside it where there is none."""
    return segmentation_of(sequence, INPUT_ROLE, _("Input function"))


def aorta_segment(segmentation: Any) -> str:
    """ID of the aorta's segment; an empty one is made where there is none."""
    known = known_aorta(segmentation)
    if known:
        return known
    inside = segmentation.GetSegmentation()
    segment_id = str(inside.AddEmptySegment(inside.GenerateUniqueSegmentID(_SEGMENT_ID), _("Aorta"), _RED))
    segment = inside.GetSegment(segment_id)
    segment.SetTag(_ROLE_TAG, _AORTA)
    segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), _TERMINOLOGY)
    _show_outline(segmentation, segment_id)
    return segment_id


def known_aorta(segmentation: Any) -> str:
    """ID of the aorta's segment; "" where there is none."""
    inside = segmentation.GetSegmentation()
    found = (i for i in inside.GetSegmentIDs() if _role_of(inside.GetSegment(i)) == _AORTA)
    return str(next(found, ""))


def add_aorta(segmentation: Any, mask: NDArray[np.bool_], geometry: VolumeGeometry) -> str:
    """Make the aorta's segment, or replace its voxels; its ID, name and colour stay.

    :param mask: (k, j, i) on the PET's grid.
    :param geometry: that grid, in the PET's own coordinates.
    :returns: the segment's ID.
    :raises InputError: the mask is empty, or does not fit the grid.
    """
    if mask.shape != geometry.shape:
        raise InputError(_("The aorta has {mask} voxels, the PET {pet}.").format(mask=mask.shape, pet=geometry.shape))
    box = bounding_box(mask.astype(np.uint8, copy=False))
    if box is None:
        raise InputError(_("The proposed aorta is empty."), _("Draw it: press Edit."))
    segment_id = aorta_segment(segmentation)
    first = (box[0].start, box[1].start, box[2].start)
    image = oriented_image(mask[box].astype(np.uint8), _to_segmentation(segmentation) @ ijk_to_ras(geometry), first)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetBinaryLabelmapToSegment(image, segmentation, segment_id, logic.MODE_REPLACE)
    return segment_id


def aorta_centre_ras(segmentation: Any, segment_id: str) -> tuple[float, float, float] | None:
    """A voxel of the segment near its centre, in world RAS; None where the segment is empty or gone.

    Not the centre itself, because that of an arch lies outside the vessel.
    """
    if segmentation is None or segmentation.GetSegmentation().GetSegment(segment_id) is None:
        return None
    pieces = pieces_of(segmentation, [segment_id])
    if not pieces:
        return None
    nearest = _voxel_near_centre(pieces[0])
    general, _matrix = transform_between(segmentation, None)
    x, y, z = general.TransformPoint(nearest.tolist())
    return float(x), float(y), float(z)


def _voxel_near_centre(piece: Piece) -> NDArray[np.float64]:
    """RAS of the voxel nearest the centre, of those in the slice nearest to it."""
    inside = piece.labels > 0
    sums = [inside.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    centre = np.array([float(np.arange(n.size) @ n / n.sum()) for n in sums])
    slices = np.flatnonzero(sums[0])
    k = int(slices[np.argmin(np.abs(slices - centre[0]))])
    j, i = np.nonzero(inside[k])
    steps = np.linalg.norm(piece.matrix[:3, :3], axis=0)
    near = int(np.argmin(((j - centre[1]) * steps[1]) ** 2 + ((i - centre[2]) * steps[0]) ** 2))
    place = np.array([i[near], j[near], k]) + np.array(piece.first[::-1])
    return (piece.matrix @ np.append(place, 1.0))[:3]


def _to_segmentation(segmentation: Any) -> NDArray[np.float64]:
    """From the PET's coordinates to the segmentation's, which normally hang under the same transform."""
    pet = reference_volume(segmentation)
    if pet is None:
        return np.eye(4)
    _general, matrix = transform_between(pet, segmentation)
    if matrix is not None and has_right_angles(matrix):
        return matrix
    # What no voxel grid can follow: bring the segmentation to where the PET is.
    segmentation.SetAndObserveTransformNodeID(pet.GetTransformNodeID())
    return np.eye(4)


def _role_of(segment: Any) -> str:
    import vtk

    value = vtk.reference("")
    return str(value) if segment.GetTag(_ROLE_TAG, value) else ""


def _show_outline(segmentation: Any, segment_id: str) -> None:
    outline(segmentation)
    display = segmentation.GetDisplayNode()
    display.SetSegmentVisibility(segment_id, True)
    display.SetSegmentVisibility2DOutline(segment_id, True)
