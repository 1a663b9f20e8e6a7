"""The aorta and the regions are seen in the slice views, outlined where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from region_scenes import (
    HOT_AT,
    SMALL,
    VESSEL_AT,
    affine,
    ball,
    dynamic_sequence,
    linear_transform,
    rotation,
    small_patient,
)

import slicer
from DynamicPETKineticsLib.regions.aorta_segment import add_aorta, aorta_centre_ras, input_segmentation
from DynamicPETKineticsLib.regions.sphere import add_sphere, regions_segmentation
from standin.rendering import Picture, pixel_of, slice_picture


def show(sequence: Any, ras: Any) -> Picture:
    display = sequence.proxy.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(-20.0, 60.0)
    slicer.util.setSliceViewerLayers(sequence.proxy, fit=True)
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *ras)
    return slice_picture("Axial")


def red(picture: Picture) -> Any:
    colours = picture.astype(int)
    return (colours[..., 0] - np.maximum(colours[..., 1], colours[..., 2])) > 120


def test_the_aorta_has_a_red_outline_that_leaves_the_image_visible() -> None:
    sequence = dynamic_sequence(small_patient())
    turn = affine(rotation(0, 0, 20), (15.0, 5.0, 0.0))
    sequence.proxy.SetAndObserveTransformNodeID(linear_transform(turn).GetID())
    node = input_segmentation(sequence)
    segment = add_aorta(node, ball(SMALL, VESSEL_AT, 12.0), SMALL)
    centre = aorta_centre_ras(node, segment)
    picture = show(sequence, centre)
    outline = np.argwhere(red(picture))
    assert len(outline) > 50
    row, column = pixel_of(centre, "Axial")
    np.testing.assert_allclose(outline.mean(axis=0), (row, column), atol=12)
    assert not red(picture)[row - 3 : row + 4, column - 3 : column + 4].any()


def test_a_sphere_is_seen_where_the_crosshair_was() -> None:
    sequence = dynamic_sequence(small_patient())
    before = show(sequence, HOT_AT).astype(int)
    add_sphere(regions_segmentation(sequence), HOT_AT, 20.0)
    changed = np.argwhere(np.abs(show(sequence, HOT_AT).astype(int) - before).max(axis=-1) > 25)
    assert len(changed) > 100
    np.testing.assert_allclose(changed.mean(axis=0), pixel_of(HOT_AT, "Axial"), atol=6)
