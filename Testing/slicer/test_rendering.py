"""Slice views drawn as Slicer draws them: what should be seen is seen, where it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vtk

import slicer
from standin import rendering
from standin.rendering import Picture, pixel_of, save_png, slice_picture, slice_pictures

# Voxels of 4 mm, patient's left and back along rows and columns, the middle voxel (25, 25, 25) at RAS 0.
IJK_TO_RAS = np.array([[-4.0, 0, 0, 100], [0, -4, 0, 100], [0, 0, 4, -100], [0, 0, 0, 1]])
LESION = (slice(20, 31), slice(10, 21), slice(30, 41))
LESION_RAS = (-40.0, 40.0, 0.0)
OUTSIDE_RAS = (40.0, -40.0, 0.0)


def _volume(voxels: Any, name: str, window: tuple[float, float]) -> Any:
    volume = slicer.util.addVolumeFromArray(voxels.astype(np.float32), IJK_TO_RAS, name)
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevelMinMax(*window)
    return volume


@pytest.fixture
def ct() -> Any:
    return _volume(np.full((50, 50, 50), 500.0), "CT", (0, 1000))


@pytest.fixture
def ki() -> Any:
    voxels = np.zeros((50, 50, 50))
    voxels[LESION] = 0.02
    volume = _volume(voxels, "Ki", (0, 0.02))
    inferno = slicer.modules.colors.logic().GetFileColorNodeID("Inferno.txt")
    volume.GetDisplayNode().SetAndObserveColorNodeID(inferno)
    return volume


def _at(picture: Picture, ras: tuple[float, float, float], orientation: str = "Axial") -> list[int]:
    return [int(value) for value in picture[pixel_of(ras, orientation)]]


def _show(background: Any, foreground: Any = None, opacity: float = 0.5) -> None:
    slicer.util.setSliceViewerLayers(background, foreground, foregroundOpacity=opacity, fit=True)


def _segmentation(volume: Any) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Regions")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = node.GetSegmentation().AddEmptySegment("lesion", "lesion", (0.0, 1.0, 0.0))
    mask = np.zeros((50, 50, 50), np.uint8)
    mask[LESION] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment, volume)
    return node


def _green(picture: Picture) -> Any:
    """Where the picture is green, beyond what grey and Inferno are."""
    red, green, blue = (picture[..., channel].astype(int) for channel in range(3))
    return (green - np.maximum(red, blue)) > 40


def _of_colour(picture: Picture, colour: tuple[int, int, int]) -> int:
    """How many pixels have about this colour."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 12).sum())


def test_views_opened_late_show_what_is_there_already(ct: Any, ki: Any) -> None:
    """Before every other test of this file, so that none has opened the views."""
    _show(ct, ki)
    slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(ki)
    _segmentation(ct)
    picture = slice_picture()
    assert _green(picture).any()
    assert _of_colour(picture, (249, 142, 9)) > 10  # Inferno alone, beside the half of it over the CT


def test_probe_tells_what_is_missing_instead_of_crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_PROBE", "import os; os.abort()")
    with pytest.raises(rendering.NoGraphics, match=r"system_libraries\.sh"):
        rendering.probe.__wrapped__()


def test_the_map_lies_over_the_ct_where_its_voxels_are(ct: Any, ki: Any) -> None:
    _show(ct, ki)
    for orientation in ("Axial", "Sagittal", "Coronal"):
        picture = slice_picture(orientation, ras=LESION_RAS)
        red, green, blue = _at(picture, LESION_RAS, orientation)  # half CT grey, half the top of Inferno
        assert abs(red - 190) < 4
        assert abs(green - 191) < 4
        assert abs(blue - 146) < 4
    axial = slice_picture("Axial")
    assert max(_at(axial, OUTSIDE_RAS)) < 70  # half CT grey, half black
    # Patient's left is on the right of the picture, front is up.
    row, column = pixel_of(LESION_RAS)
    assert row < 256 < column


def test_opacity_and_layers_count(ct: Any, ki: Any) -> None:
    _show(ct)
    assert set(_at(slice_picture(), LESION_RAS)) <= {127, 128}
    _show(ct, ki, 1.0)
    np.testing.assert_allclose(_at(slice_picture(), LESION_RAS), [252, 255, 164], atol=4)  # the top of Inferno
    assert slice_picture("Axial", ras=(0, 0, 90)).max() < 10  # above the lesion the map is all zero


def test_a_segment_is_drawn_as_outline_and_filled(ct: Any) -> None:
    _show(ct)
    assert not _green(slice_picture()).any()
    display = _segmentation(ct).GetDisplayNode()
    display.SetVisibility2DFill(False)
    outline = slice_picture()
    rows, columns = np.nonzero(_green(outline))
    centre = pixel_of(LESION_RAS)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(centre[0], abs=2)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(centre[1], abs=2)
    edge = rows.max() - rows.min()
    assert edge == pytest.approx(11 * 4 * 512 / 200, abs=4)  # 11 voxels of 4 mm in a view of 200 mm
    assert 3 * edge < len(rows) < 4 * edge * 6  # a line around it
    assert not _green(outline)[centre]
    display.SetVisibility2DFill(True)
    assert _green(slice_picture())[centre]
    display.SetVisibility(False)
    assert not _green(slice_picture()).any()


def test_the_legend_stands_at_the_right_of_the_view(ct: Any, ki: Any) -> None:
    _show(ct, ki)
    before = slice_picture()
    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(ki)
    legend.SetTitleText("Ki (mL/min/mL)")
    after = slice_picture()
    rows, columns = np.nonzero((before != after).any(axis=2))
    assert len(rows) > 1000
    assert columns.min() > 200
    assert columns.max() > 450
    # The colour bar runs through Inferno: black at the bottom, yellow at the top.
    for colour in ((188, 55, 84), (249, 142, 9), (87, 16, 110)):
        assert _of_colour(after, colour) > _of_colour(before, colour) + 10
    legend.SetVisibility(False)
    np.testing.assert_array_equal(slice_picture(), before)


def test_a_markup_is_drawn_in_its_slice_only(ct: Any) -> None:
    _show(ct)
    before = slice_picture(ras=(0, 0, 0))
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "peak")
    points.CreateDefaultDisplayNodes()
    points.AddControlPoint(vtk.vtkVector3d(*LESION_RAS))
    changed = (slice_picture() != before).any(axis=2)
    rows, columns = np.nonzero(changed)
    row, column = pixel_of(LESION_RAS)
    assert np.hypot(rows - row, columns - column).min() < 5
    assert not (slice_picture(ras=(0, 0, 40)) != before).any()


def test_ruler_and_crosshair_appear_on_request(ct: Any) -> None:
    _show(ct)
    before = slice_picture(ras=(0, 0, 0))
    node = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    node.SetRulerType(node.RulerTypeThin)
    rows, _ = np.nonzero((slice_picture() != before).any(axis=2))
    assert len(rows) > 100
    assert rows.min() > 384  # at the bottom
    node.SetRulerType(node.RulerTypeNone)
    np.testing.assert_array_equal(slice_picture(), before)
    crosshair = slicer.mrmlScene.GetNodeByID("vtkMRMLCrosshairNodedefault")
    crosshair.SetCrosshairMode(crosshair.ShowBasic)
    crosshair.SetCrosshairRAS(*LESION_RAS)
    rows, columns = np.nonzero((slice_picture() != before).any(axis=2))
    row, column = pixel_of(LESION_RAS)
    assert abs(np.argmax(np.bincount(rows)) - row) <= 1  # the horizontal line
    assert abs(np.argmax(np.bincount(columns)) - column) <= 1
    crosshair.SetCrosshairMode(crosshair.NoCrosshair)


def test_views_keep_square_pixels_whatever_their_shape(ct: Any) -> None:
    _show(ct)
    picture = slice_picture(size=(400, 200))
    assert picture.shape == (200, 400, 3)
    a, b = pixel_of((0, 0, 0)), pixel_of((40, 0, 0))
    c = pixel_of((0, 40, 0))
    assert abs(abs(a[1] - b[1]) - abs(a[0] - c[0])) <= 1


def test_an_empty_view_is_black() -> None:
    slicer.util.setSliceViewerLayers(None, None)
    assert slice_picture().max() == 0


def test_views_are_composed_and_saved(ct: Any, ki: Any, tmp_path: Path) -> None:
    _show(ct, ki)
    plot = np.full((120, 160, 3), 255, np.uint8)
    whole = slice_pictures((160, 120), LESION_RAS, plot)
    assert whole.shape == (244, 324, 3)
    assert (whole[:120, 164:] == 255).all()
    assert slice_pictures((160, 120)).shape == (120, 488, 3)
    save_png(whole, tmp_path / "views.png")
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(tmp_path / "views.png"))
    reader.Update()
    assert reader.GetOutput().GetDimensions()[:2] == (324, 244)
