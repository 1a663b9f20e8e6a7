"""Segments become regions at the right place in the patient, on any grid and under any transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import vtk
from region_scenes import (
    add_segment,
    affine,
    ball,
    grid,
    linear_transform,
    points,
    rotation,
    segmentation,
    volume,
)

import slicer
from DynamicPETKineticsLib.regions.segment_regions import names, regions_of
from petkinetics.errors import InputError
from petkinetics.read.regions import Regions, fractional_coverage
from petkinetics.series import VolumeGeometry

PET = grid((20, 30, 32), (4.0, 4.0, 5.0))
TURNED_PET = grid((20, 30, 32), (4.0, 4.0, 5.0), rotation(10, -15, 20))
CT = grid((60, 90, 110), (1.2, 1.2, 1.5))
TURNED_CT = grid((60, 90, 110), (1.2, 1.2, 1.5), rotation(-5, 8, 30))
CENTRE, RADIUS = np.array([8.0, -10.0, 6.0]), 12.0
ROTATED = affine(rotation(0, 0, 25), (10.0, -6.0, 4.0))
SHEARED = affine(np.array([[1.0, 0.25, 0.0], [0.0, 1.0, 0.0], [0.1, 0.0, 0.9]]), (5.0, 3.0, -4.0))


def volume_and_centre(regions: Regions, pet: VolumeGeometry, label: int = 1) -> tuple[float, np.ndarray]:
    """mL and RAS (in the PET's own coordinates) of a region by what it covers of the PET's voxels."""
    weights = fractional_coverage(regions, pet, label)
    where = points(pet).reshape(-1, 3)[weights.index]
    return weights.volume_ml, weights.weight @ where / weights.weight.sum()


def moved(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
    return (matrix @ np.append(point, 1.0))[:3]


@pytest.mark.parametrize("pet", [PET, TURNED_PET], ids=["straight PET", "turned PET"])
@pytest.mark.parametrize("drawn_on", [PET, CT, TURNED_CT], ids=["PET grid", "CT grid", "turned CT grid"])
@pytest.mark.parametrize("on_segments", [None, ROTATED], ids=["", "segmentation moved"])
@pytest.mark.parametrize("on_pet", [None, ROTATED], ids=["", "PET moved"])
def test_a_ball_lies_where_it_was_drawn(
    pet: VolumeGeometry, drawn_on: VolumeGeometry, on_segments: Any, on_pet: Any
) -> None:
    node, image = segmentation(), volume(pet)
    mask = ball(drawn_on, CENTRE, RADIUS)
    add_segment(node, mask, drawn_on)
    place = points(drawn_on)[mask].mean(axis=0)
    if on_segments is not None:
        node.SetAndObserveTransformNodeID(linear_transform(on_segments).GetID())
        place = moved(on_segments, place)
    if on_pet is not None:
        image.SetAndObserveTransformNodeID(linear_transform(on_pet).GetID())
        place = moved(np.linalg.inv(on_pet), place)
    regions = regions_of(node, pet, image)
    volume_ml, centre = volume_and_centre(regions, pet)
    assert volume_ml == pytest.approx(mask.sum() * drawn_on.voxel_volume_ml, rel=0.01)
    np.testing.assert_allclose(centre, place, atol=0.35)


@pytest.mark.parametrize("drawn_on", [PET, TURNED_CT], ids=["PET grid", "turned CT grid"])
def test_sheared_segments_are_sampled_finer_than_the_pet(drawn_on: VolumeGeometry) -> None:
    node, image = segmentation(), volume(TURNED_PET)
    mask = ball(drawn_on, CENTRE, RADIUS)
    add_segment(node, mask, drawn_on)
    node.SetAndObserveTransformNodeID(linear_transform(SHEARED).GetID())
    volume_ml, centre = volume_and_centre(regions_of(node, TURNED_PET, image), TURNED_PET)
    stretched = abs(np.linalg.det(SHEARED[:3, :3]))
    assert volume_ml == pytest.approx(mask.sum() * drawn_on.voxel_volume_ml * stretched, rel=0.02)
    np.testing.assert_allclose(centre, moved(SHEARED, points(drawn_on)[mask].mean(axis=0)), atol=0.35)


def test_a_segment_under_a_warp_goes_where_the_warp_takes_it() -> None:
    node, image = segmentation(), volume(PET)
    add_segment(node, ball(CT, CENTRE, RADIUS), CT)
    displacement = vtk.vtkImageData()
    displacement.SetDimensions(9, 9, 9)
    displacement.SetOrigin(-100, -100, -100)
    displacement.SetSpacing(25, 25, 25)
    displacement.AllocateScalars(vtk.VTK_DOUBLE, 3)
    for z, y, x in np.ndindex(9, 9, 9):
        displacement.SetScalarComponentFromDouble(x, y, z, 0, 6.0)
        displacement.SetScalarComponentFromDouble(x, y, z, 1, 0.002 * (25 * x - 100) ** 2)
        displacement.SetScalarComponentFromDouble(x, y, z, 2, -3.0)
    warp = slicer.vtkOrientedGridTransform()
    warp.SetDisplacementGridData(displacement)
    warp.SetInterpolationModeToLinear()
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    transform.SetAndObserveTransformToParent(warp)
    node.SetAndObserveTransformNodeID(transform.GetID())
    inside = points(CT)[ball(CT, CENTRE, RADIUS)]
    expected = np.mean([warp.TransformPoint(point) for point in inside[::7]], axis=0)
    _, centre = volume_and_centre(regions_of(node, PET, image), PET)
    np.testing.assert_allclose(centre, expected, atol=0.4)


def test_segments_that_share_a_labelmap_are_told_apart() -> None:
    node, image = segmentation(), volume(PET)
    node.SetReferenceImageGeometryParameterFromVolumeNode(image)
    first = ball(PET, (-20, 0, 0), 9)
    second = ball(PET, (20, 5, 10), 13)
    for name, mask in (("one", first), ("two", second)):
        add_segment(node, mask, PET, name)
    node.GetSegmentation().CollapseBinaryLabelmaps(False)
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    regions = regions_of(node, PET, image)
    assert [regions.name(label) for label in regions.label_values] == ["one", "two"]
    assert not regions.layers
    for label, mask in ((1, first), (2, second)):
        np.testing.assert_array_equal(fractional_coverage(regions, PET, label).volume() > 0, mask)


def test_overlapping_segments_keep_all_their_voxels_in_layers() -> None:
    node, image = segmentation(), volume(PET)
    masks = [ball(PET, (x, 0, 0), 14) for x in (-8, 0, 8)]
    for number, mask in enumerate(masks):
        add_segment(node, mask, PET, f"region {number}")
    regions = regions_of(node, PET, image)
    assert len(regions.all_layers) == 3
    for label, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(fractional_coverage(regions, PET, label).volume() > 0, mask)


def test_segments_on_different_grids_come_together() -> None:
    node, image = segmentation(), volume(PET)
    add_segment(node, ball(CT, (-20, 0, 0), 10), CT, "fine")
    add_segment(node, ball(TURNED_PET, (20, 0, 0), 14), TURNED_PET, "coarse")
    regions = regions_of(node, PET, image)
    for label, (place, mask, drawn_on) in enumerate(
        (
            ((-20, 0, 0), ball(CT, (-20, 0, 0), 10), CT),
            ((20, 0, 0), ball(TURNED_PET, (20, 0, 0), 14), TURNED_PET),
        ),
        start=1,
    ):
        volume_ml, centre = volume_and_centre(regions, PET, label)
        assert volume_ml == pytest.approx(mask.sum() * drawn_on.voxel_volume_ml, rel=0.02)
        np.testing.assert_allclose(centre, place, atol=0.8)


def test_only_the_box_around_the_segment_is_copied() -> None:
    node, image = segmentation(), volume(PET)
    add_segment(node, ball(CT, CENTRE, RADIUS), CT)
    assert max(regions_of(node, PET, image).geometry.shape) <= 22


def test_some_segments_can_be_chosen() -> None:
    node, image = segmentation(), volume(PET)
    add_segment(node, ball(PET, (-20, 0, 0), 9), PET, "one")
    chosen = add_segment(node, ball(PET, (20, 0, 0), 9), PET, "two")
    assert names(node) == {node.GetSegmentation().GetNthSegmentID(0): "one", chosen: "two"}
    regions = regions_of(node, PET, image, [chosen])
    assert {label: regions.name(label) for label in regions.label_values} == {1: "two"}


def test_empty_segments_are_named_and_left_out() -> None:
    node, image = segmentation(), volume(PET)
    with pytest.raises(InputError, match="has no segment"):
        regions_of(node, PET, image)
    node.GetSegmentation().AddEmptySegment("nothing", "nothing")
    with pytest.raises(InputError, match="The segment 'nothing' is empty"):
        regions_of(node, PET, image)
    add_segment(node, ball(PET, CENTRE, RADIUS), PET)
    said: list[str] = []
    regions = regions_of(node, PET, image, warn=said.append)
    assert regions.label_values == (2,)
    assert said == ["The segment 'nothing' is empty. It was left out."]
    with pytest.raises(InputError, match="no longer has the segment 'gone'"):
        regions_of(node, PET, image, ["gone"])


def test_a_warped_segment_outside_the_pet_is_refused() -> None:
    node, image = segmentation(), volume(PET)
    add_segment(node, ball(CT, CENTRE, RADIUS), CT)
    far = SHEARED.copy()
    far[0, 3] = 500.0
    node.SetAndObserveTransformNodeID(linear_transform(far).GetID())
    with pytest.raises(InputError, match="outside the PET"):
        regions_of(node, PET, image)


def test_a_surface_is_turned_into_voxels() -> None:
    node, image = segmentation(), volume(PET)
    node.SetReferenceImageGeometryParameterFromVolumeNode(image)
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(*CENTRE)
    sphere.SetRadius(RADIUS)
    sphere.SetThetaResolution(30)
    sphere.SetPhiResolution(30)
    sphere.Update()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "surface")
    volume_ml, centre = volume_and_centre(regions_of(node, PET, image), PET)
    assert volume_ml == pytest.approx(4 / 3 * np.pi * 1.2**3, rel=0.1)
    np.testing.assert_allclose(centre, CENTRE, atol=0.8)
