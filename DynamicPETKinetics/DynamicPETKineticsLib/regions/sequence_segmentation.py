"""The segmentations that belong to a dynamic series: found by reference, placed where the PET lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from DynamicPETKineticsLib.scene.subject_hierarchy import place_beside
from DynamicPETKineticsLib.scene.volume_geometry import ijk_to_ras

if TYPE_CHECKING:
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
    from petkinetics.series import VolumeGeometry

_FILL = 0.15


def segmentation_of(sequence: DynamicSequence, role: str, name: str) -> Any:
    """The segmentation that a sequence refers to under a role; made beside the sequence where there is none.

    A new one has the PET's grid and hangs under the PET's parent transform.
    """
    node = sequence.node.GetNodeReference(role)
    if node is not None and node.IsA("vtkMRMLSegmentationNode"):
        return node
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(name))
    outline(node)
    proxy = sequence.proxy
    if proxy is not None:
        node.SetAndObserveTransformNodeID(proxy.GetTransformNodeID())
        node.SetReferenceImageGeometryParameterFromVolumeNode(proxy)
    else:
        _set_grid(node, sequence.geometry)
    sequence.node.SetNodeReferenceID(role, node.GetID())
    place_beside(proxy if proxy is not None else sequence.node, node)
    return node


def outline(segmentation: Any) -> None:
    """Show a segmentation as outlines with a faint fill: what lies under it must stay visible."""
    segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    display.SetVisibility2DOutline(True)
    display.SetVisibility2DFill(True)
    display.SetOpacity2DOutline(1.0)
    display.SetOpacity2DFill(_FILL)
    display.SetSliceIntersectionThickness(2)


def reference_volume(segmentation: Any) -> Any:
    """The volume whose grid a segmentation has; None where there is none (any more)."""
    return segmentation.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


def _set_grid(segmentation: Any, geometry: VolumeGeometry) -> None:
    slices, rows, columns = geometry.shape
    image = slicer.vtkOrientedImageData()
    image.SetExtent(0, columns - 1, 0, rows - 1, 0, slices - 1)
    image.SetImageToWorldMatrix(ijk_to_ras(geometry))
    converter = slicer.vtkSegmentationConverter
    segmentation.GetSegmentation().SetConversionParameter(
        converter.GetReferenceImageGeometryParameterName(), converter.SerializeImageGeometry(image)
    )
