"""A touch of the segment editor's brush, in place of the mouse."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk

import slicer
from standin.panel.segment_editor import qMRMLSegmentEditorWidget


def paint_sphere(editor: qMRMLSegmentEditorWidget, centre_ras: Any) -> None:
    """One touch of the brush: paint or erase a sphere of the brush's size, with undo and masking as in Slicer.

    Raises:
        RuntimeError: neither Paint nor Erase is in hand, or the brush is not a sphere of so many millimetres.
    """
    effect, logic = editor.activeEffect(), editor._logic
    if effect is None or effect.name not in ("Paint", "Erase"):
        raise RuntimeError("neither Paint nor Erase is in hand")
    if effect.integerParameter("BrushDiameterIsRelative") or not effect.integerParameter("BrushSphere"):
        raise RuntimeError("the brush is flat, or its size follows the zoom")
    for missing, what in ((editor.sourceVolumeNode(), "source volume"), (editor.currentSegmentID(), "segment")):
        if not missing:
            raise RuntimeError(f"no {what} is chosen")
    logic.SaveStateForUndo()
    logic.UpdateReferenceGeometryImage()
    logic.ResetModifierLabelmapToDefault()
    modifier = logic.GetModifierLabelmap()
    _fill_sphere(modifier, editor.segmentationNode(), centre_ras, effect.doubleParameter("BrushAbsoluteDiameter") / 2)
    logic.UpdateSelectedSegmentLabelmap()
    logic.UpdateMaskLabelmap()
    mode = logic.ModificationModeAdd if effect.name == "Paint" else logic.ModificationModeRemove
    logic.ModifySegmentByLabelmap(
        editor.segmentationNode(), editor.currentSegmentID(), modifier, mode, modifier.GetExtent(), True, False
    )


def _fill_sphere(image: Any, segmentation: Any, centre_ras: Any, radius_mm: float) -> None:
    """Set voxels to 1 whose centres lie in the sphere."""
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, segmentation.GetParentTransformNode(), to_world)
    centre = np.array(to_world.TransformPoint([float(value) for value in centre_ras]))
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    ijk_to_ras = slicer.util.arrayFromVTKMatrix(matrix)
    extent = np.reshape(image.GetExtent(), (3, 2))
    middle = np.linalg.inv(ijk_to_ras)[:3] @ np.append(centre, 1.0)
    reach = radius_mm * np.linalg.norm(np.linalg.inv(ijk_to_ras)[:3, :3], axis=1)
    first = np.maximum(np.floor(middle - reach).astype(int), extent[:, 0])
    last = np.minimum(np.ceil(middle + reach).astype(int), extent[:, 1])
    if np.any(first > last):
        return
    i, j, k = np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(first, last, strict=True)), indexing="ij")
    places = np.stack([i, j, k], axis=-1) @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3]
    inside = np.linalg.norm(places - centre, axis=-1) <= radius_mm
    scalars = image.GetPointData().GetScalars()
    size = extent[:, 1] - extent[:, 0] + 1
    voxels = vtk.util.numpy_support.vtk_to_numpy(scalars).reshape(size[::-1])
    a, b = first - extent[:, 0], last - extent[:, 0] + 1
    voxels[a[2] : b[2], a[1] : b[1], a[0] : b[0]] = inside.transpose(2, 1, 0)
    scalars.Modified()
    image.Modified()
