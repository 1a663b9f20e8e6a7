"""The CT that lies in the same patient space as a series."""

from __future__ import annotations

from typing import Any

import numpy as np

import slicer
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.volume_geometry import geometry_of
from petkinetics.errors import InputError
from petkinetics.read.sequence_statements import PREFIX

_FRAME_OF_REFERENCE = "0020,0052"
_MODALITY = "0008,0060"
#: a CT without DICOM is known by its air
_AIR_HU = -500.0
#: and has to cover so much of the PET's length
_OVERLAP = 0.5


def ct_of_same_patient_space(sequence: DynamicSequence) -> Any:
    """The CT volume that shares the series' DICOM frame of reference; None where there is none.

    Of several the one with the most slices. Where the DICOM database knows nothing of a volume or of the
    series, the only volume that looks like a CT (air below -500) and lies over the PET is proposed.

    :returns: vtkMRMLScalarVolumeNode or None.
    """
    ours = frame_of_reference(sequence)
    same, unknown = [], []
    for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if volume.GetClassName() != "vtkMRMLScalarVolumeNode" or volume.GetImageData() is None:
            continue
        modality, theirs = _from_hierarchy(volume)
        if not theirs:
            modality, theirs = _from_database(volume.GetAttribute("DICOM.instanceUIDs"))
        if ours and theirs:
            if theirs == ours and modality == "CT":
                same.append(volume)
        elif modality in ("", "CT") and _looks_like_ct(volume) and _lies_over(volume, sequence):
            unknown.append(volume)
    if same:
        return max(same, key=lambda volume: volume.GetImageData().GetDimensions()[2])
    return unknown[0] if len(unknown) == 1 else None


def frame_of_reference(sequence: DynamicSequence) -> str:
    """The series' frame of reference UID, as far as attributes or the DICOM database know it; "" where unknown."""
    own = sequence.node.GetAttribute(PREFIX + "FrameOfReferenceUID") or _from_hierarchy(sequence.node)[1]
    if own:
        return str(own)
    database = open_database()
    for uid in sequence.source_series_uids if database is not None else ():
        files = database.filesForSeries(uid, 1)
        if files:
            return str(database.fileValue(files[0], _FRAME_OF_REFERENCE) or "")
    return ""


def in_same_patient_space(first: DynamicSequence, second: DynamicSequence) -> bool:
    """Whether two series are known to share their frame of reference."""
    known = frame_of_reference(first)
    return bool(known) and known == frame_of_reference(second)


def open_database() -> Any:
    """Slicer's DICOM database; None where there is none or it is not open."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None


def _from_hierarchy(node: Any) -> tuple[str, str]:
    """Modality and frame of reference that Slicer noted when it loaded the node from DICOM; "" where it did not."""
    hierarchy, names = slicer.mrmlScene.GetSubjectHierarchyNode(), slicer.vtkMRMLSubjectHierarchyConstants
    item = hierarchy.GetItemByDataNode(node)
    if not item:
        return "", ""
    modality = hierarchy.GetItemAttribute(item, names.GetDICOMSeriesModalityAttributeName())
    reference = hierarchy.GetItemAttribute(item, names.GetDICOMFrameOfReferenceUIDAttributeName())
    return str(modality or ""), str(reference or "")


def _from_database(instance_uids: str | None) -> tuple[str, str]:
    """Modality and frame of reference of a volume that was loaded from DICOM; "" where unknown."""
    database = open_database()
    if not instance_uids or database is None:
        return "", ""
    file = database.fileForInstance(instance_uids.split()[0])
    if not file:
        return "", ""
    return str(database.fileValue(file, _MODALITY) or ""), str(database.fileValue(file, _FRAME_OF_REFERENCE) or "")


def _looks_like_ct(volume: Any) -> bool:
    voxels = slicer.util.arrayFromVolume(volume)
    return voxels.ndim == 3 and float(voxels[::4, ::8, ::8].min()) <= _AIR_HU


def _lies_over(volume: Any, sequence: DynamicSequence) -> bool:
    """Whether a volume covers most of the PET's length, and some of its middle."""
    try:
        pet, other = (_extent(geometry) for geometry in (sequence.geometry, geometry_of(volume)))
    except InputError:
        return False
    shared = np.minimum(pet[1], other[1]) - np.maximum(pet[0], other[0])
    return bool(np.all(shared > 0) and shared[2] >= _OVERLAP * (pet[1] - pet[0])[2])


def _extent(geometry: Any) -> tuple[Any, Any]:
    """Smallest and largest coordinates (mm, LPS) of a grid's corners."""
    last = np.array(geometry.shape[::-1]) - 1
    corners = np.array([geometry.affine_lps @ [*(last * c), 1.0] for c in np.ndindex(2, 2, 2)])[:, :3]
    return corners.min(axis=0), corners.max(axis=0)
