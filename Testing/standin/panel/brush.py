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
    extent = image.GetExtent()
    i, j, k = np.meshgrid(*(np.arange(extent[2 * a], extent[2 * a + 1] + 1) for a in range(3)), indexing="ij")
    places = np.stack([i, j, k], axis=-1) @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3]
    inside = np.linalg.norm(places - centre, axis=-1) <= radius_mm
    voxels = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    voxels[:] = inside.transpose(2, 1, 0).ravel()
    image.GetPointData().GetScalars().Modified()
    image.Modified()
