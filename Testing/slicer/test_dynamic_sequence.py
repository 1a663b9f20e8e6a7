"""A sequence in the scene is the engine's series: what it says, what is asked for, and the voxels in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_cases import GRID, TIMING, address, foreign_sequence, small_series, voxels_of

import slicer
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence, dynamic_sequences, is_dynamic_sequence
from DynamicPETKineticsLib.scene.hand_over import hand_over_steps
from DynamicPETKineticsLib.scene.load_sequence import add_sequence, load_steps, show_in_browser
from DynamicPETKineticsLib.scene.volume_geometry import geometry_of
from DynamicPETKineticsLib.scene.voxel_units import units_of
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.series import read_series
from petkinetics.series import DynamicSeries, RowVoxelSource, VolumeGeometry

#: what MultiVolumeImporter writes
MULTIVOLUME = {
    "MultiVolume.FrameLabels": "0,10000,40000,100500",
    "MultiVolume.FrameIdentifyingDICOMTagName": "AcquisitionTime",
    "MultiVolume.FrameIdentifyingDICOMTagUnits": "ms",
}


def assert_same(found: DynamicSeries, expected: DynamicSeries) -> None:
    """Everything that an estimate uses."""
    frames = range(len(expected.timing))
    np.testing.assert_array_equal(found.timing.start_s, expected.timing.start_s)
    np.testing.assert_array_equal(found.timing.duration_s, expected.timing.duration_s)
    np.testing.assert_array_equal(found.read(frames), expected.read(frames))
    assert expected.geometry.difference(found.geometry, 1e-6) is None
    for name in ("tracer", "injected_activity_mbq", "weight_kg", "height_m", "sex", "decay_weighted"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.origin.series_uids == expected.origin.series_uids
    assert found.origin.manufacturer == expected.origin.manufacturer
    assert found.warnings == expected.warnings
    assert found.overrides == expected.overrides


def test_a_series_in_the_scene_is_the_series_that_was_put_there() -> None:
    series = small_series(warnings=("The injection time was taken from the header.",), overrides={"weight_kg": 72.0})
    node = add_sequence(series, "FDG dynamic")
    sequence = DynamicSequence(node)
    assert (node.GetIndexName(), node.GetIndexUnit()) == ("time", "s")
    assert [float(node.GetNthIndexValue(i)) for i in range(4)] == [-5.0, 5.0, 35.0, 95.5]
    assert sequence.missing == () and sequence.wanting == ()
    assert sequence.warnings == series.warnings
    assert sequence.summary() == "FDG · 4 frames · -0.0833–3.592 min · kBq/mL · 72 kg · 301 MBq"
    assert sequence.source_series_uids == ("1.2.3", "1.2.4")
    assert {units_of(node.GetNthDataNode(i)) for i in range(4)} == {"kBq/mL"}
    assert_same(sequence.series(), series)


def test_voxels_are_read_where_the_scene_holds_them() -> None:
    node = add_sequence(small_series(), "FDG")
    voxels = DynamicSequence(node).series().voxels
    assert isinstance(voxels, RowVoxelSource)
    assert [address(a) for a in voxels.frames] == [
        address(slicer.util.arrayFromVolume(node.GetNthDataNode(i))) for i in range(4)
    ]
    slicer.util.arrayFromVolume(node.GetNthDataNode(2))[1, 2, 3] = 77.0
    assert voxels.read([2], 1, 2)[0, 0, 2, 3] == 77.0
    np.testing.assert_array_equal(voxels.read_rows(3, 1, 3, 2, 4), voxels_of()[3, 1:3, 2:4])
    out = np.empty((2, 1, 4, 5), np.float32)
    assert voxels.read([3, 0], 2, 3, out) is out
    np.testing.assert_array_equal(out, voxels_of()[[3, 0], 2:3])


def test_frames_go_from_the_reader_into_the_scene_without_a_copy() -> None:
    class Source:
        """Remembers what it was asked to fill."""

        def __init__(self) -> None:
            self.filled: list[int] = []

        def read(self, frames: Any, first: int, _last: int, out: Any = None) -> Any:
            if first == 0:
                self.filled.append(address(out))
            out[:] = frames[0]
            return out

    source = Source()
    node = add_sequence(small_series(voxels=source), "FDG")
    assert source.filled == [address(slicer.util.arrayFromVolume(node.GetNthDataNode(i))) for i in range(4)]


def test_a_series_given_up_half_way_leaves_nothing_in_the_scene() -> None:
    before = slicer.mrmlScene.GetNumberOfNodes()
    steps = load_steps(small_series(), "FDG")
    next(steps)
    next(steps)
    steps.close()
    assert slicer.mrmlScene.GetNumberOfNodes() == before


@pytest.mark.parametrize("flip", [1.0, -1.0])
def test_oblique_and_left_handed_grids_keep_their_place(flip: float) -> None:
    c, s = np.cos(0.3), np.sin(0.3)
    grid = VolumeGeometry((3, 4, 5), (2.0, 3.0, 4.0), (1.0, 2.0, 3.0), [[c, -s, 0], [s, c, 0], [0, 0, flip]])
    node = add_sequence(small_series(geometry=grid), "FDG")
    assert DynamicSequence(node).geometry.difference(grid, 1e-9) is None
    # By MRML's own mapping: the last voxel's place, in RAS.
    _browser, proxy = show_in_browser(node)
    matrix = slicer.vtkMRMLScalarVolumeNode and slicer.util.arrayFromVTKMatrix(_matrix(proxy))
    lps = grid.affine_lps @ [4, 3, 2, 1]
    np.testing.assert_allclose(matrix @ [4, 3, 2, 1], lps * [-1, -1, 1, 1], atol=1e-9)
    assert geometry_of(proxy).difference(grid, 1e-9) is None


def _matrix(volume: Any) -> Any:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


def test_a_sheared_grid_is_refused_in_words() -> None:
    sheared = np.diag([-4.0, -4, 3, 1])
    sheared[0, 2] = 1.5
    node = foreign_sequence(voxels_of(), ijk_to_ras=sheared)
    with pytest.raises(InputError, match="right angles"):
        _ = DynamicSequence(node).geometry


def test_frames_on_different_grids_are_refused_in_words() -> None:
    node = add_sequence(small_series(), "FDG")
    node.GetNthDataNode(2).SetSpacing(4.0, 4.0, 3.0)
    with pytest.raises(InputError, match="Frame 3 of 'FDG' has another grid"):
        DynamicSequence(node).series()


@pytest.mark.parametrize("kind", ["int16", "uint16", "uint8", "int32", "float64"])
def test_frames_of_any_type_are_brought_to_kbq(kind: str) -> None:
    values = np.round(voxels_of() * 8).astype(kind)
    sequence = DynamicSequence(foreign_sequence(values, attributes=MULTIVOLUME))
    for key, text in {"frames": "1x10,1x30,1x60,1x120", "first_frame": "-5", "units": "Bq/mL"}.items():
        sequence.set_value(key, text)
    sequence.set_value("decay_corrected_to", "600")
    sequence.set_value("half_life_s", "F-18")
    found = sequence.series().read(range(4))
    assert found.dtype == np.float32
    factor = 1e-3 * 2 ** (600 / 6586.2)
    np.testing.assert_allclose(found, values.astype(np.float64) * factor, rtol=1e-6)


def test_what_multivolumeimporter_leaves_out_is_asked_for_and_can_be_typed() -> None:
    node = foreign_sequence(voxels_of(), attributes=MULTIVOLUME)
    sequence = DynamicSequence(node)
    assert sequence.timing is None
    assert [asked.key for asked in sequence.missing] == [
        "units",
        "decay_corrected_to",
        "frames",
        "first_frame",
        "half_life_s",
    ]
    assert [asked.key for asked in sequence.wanting] == ["injected_activity_mbq", "weight_kg"]
    with pytest.raises(InputError, match="How long does each frame last") as refused:
        sequence.series()
    assert "--" not in str(refused.value)
    for asked in (*sequence.missing, *sequence.wanting):
        answer = {"frames": "1x10, 1x30, 1x60, 1x120", "units": "kBq/mL", "first_frame": "-5"}
        sequence.set_value(asked.key, answer.get(asked.key, asked.example))
    assert sequence.missing == () and sequence.wanting == ()
    np.testing.assert_allclose(sequence.timing.start_s, TIMING.start_s)  # type: ignore[union-attr]
    assert len(sequence.warnings) == 1 and "relative to the first frame" in sequence.warnings[0]
    series = sequence.series()
    np.testing.assert_array_equal(series.read(range(4)), voxels_of())
    assert (series.injected_activity_mbq, series.weight_kg, series.tracer.half_life_s) == (300.0, 70.0, 6586.2)
    # The browser now counts seconds, and results will say what was typed.
    assert [float(node.GetNthIndexValue(i)) for i in range(4)] == list(TIMING.start_s)
    assert (node.GetIndexName(), node.GetIndexUnit()) == ("time", "s")
    assert series.overrides["frames"] == "1x10,1x30,1x60,1x120"
    assert series.overrides["weight_kg"] == 70.0


def test_a_sequence_without_any_times_follows_the_frames_typed() -> None:
    sequence = DynamicSequence(foreign_sequence(voxels_of()))
    sequence.set_value("first_frame", "-5")
    assert sequence.timing is None
    sequence.set_value("frames", "1x10,1x30,2x60")
    np.testing.assert_allclose(sequence.timing.start_s, [-5, 5, 35, 95])  # type: ignore[union-attr]
    assert sequence.value("frames") == "1x10,1x30,2x60"
    assert sequence.value("first_frame") == "-5"


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("frames", "3x10", "gives 3 frames, but the series has 4"),
        ("frames", "ten", "COUNTxSECONDS"),
        ("frames", "4x300", "overlap"),
        ("first_frame", "soon", "'soon' is not a number"),
        ("units", "HU", "not an activity concentration"),
        ("decay_corrected_to", "soon", "not a number"),
        ("half_life_s", "0", "not plausible"),
        ("weight_kg", "7200", "not plausible"),
        ("weight_kg", "nan", "not a number"),
        ("injected_activity_mbq", "3e8", "not plausible"),
    ],
)
def test_what_cannot_be_is_not_taken(key: str, text: str, reason: str) -> None:
    sequence = DynamicSequence(add_sequence(small_series(), "FDG"))
    before = {name: sequence.node.GetAttribute(name) for name in sequence.node.GetAttributeNames()}
    with pytest.raises(InputError, match=reason):
        sequence.set_value(key, text)
    assert {name: sequence.node.GetAttribute(name) for name in sequence.node.GetAttributeNames()} == before
    assert_same(sequence.series(), small_series())


def test_edited_times_count_and_are_saved(tmp_path: Path) -> None:
    node = add_sequence(small_series(), "FDG")
    assert slicer.util.saveNode(node, str(tmp_path / "a.seq.nrrd"), {})
    assert not node.GetModifiedSinceRead()
    sequence = DynamicSequence(node)
    edited = FrameTiming([0.0, 12.0, 42.0, 110.0], [11.0, 30.0, 60.0, 90.0])
    sequence.set_timing(edited)
    assert node.GetModifiedSinceRead()
    series = sequence.series()
    np.testing.assert_array_equal(series.timing.start_s, edited.start_s)
    np.testing.assert_array_equal(series.read(range(4)), voxels_of())
    assert series.overrides == {"frame_times": "edited in the scene"}
    assert [float(node.GetNthIndexValue(i)) for i in range(4)] == list(edited.start_s)
    with pytest.raises(InputError, match="3 times were given"):
        sequence.set_timing(FrameTiming([0, 1, 2], [1, 1, 1]))


def test_frames_that_contradict_each_other_can_be_typed_again() -> None:
    node = add_sequence(small_series(), "FDG")
    node.GetNthDataNode(1).SetAttribute("DynamicPET.FrameDuration_s", "90")
    sequence = DynamicSequence(node)
    assert sequence.timing is None and "overlap" in sequence.warnings[0]
    assert [asked.key for asked in sequence.missing] == ["frames", "first_frame"]
    sequence.set_value("frames", "4x10")
    sequence.set_value("first_frame", "0")
    assert sequence.missing == ()
    np.testing.assert_array_equal(sequence.series().timing.start_s, [0, 10, 20, 30])


def test_suv_needs_dose_and_weight_before_anything_else() -> None:
    node = add_sequence(small_series(), "FDG")
    sequence = DynamicSequence(node)
    for name in ("InjectedActivity_MBq", "Weight_kg"):
        node.RemoveAttribute("DynamicPET." + name)
    sequence.set_value("units", "SUV")
    assert [asked.key for asked in sequence.missing] == ["injected_activity_mbq", "weight_kg"]
    sequence.set_value("injected_activity_mbq", "300")
    sequence.set_value("weight_kg", "60,0")
    np.testing.assert_allclose(sequence.series().read(range(4)), voxels_of() * 5.0)


def test_only_sequences_of_scalar_volumes_are_taken() -> None:
    node = add_sequence(small_series(), "FDG")
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "empty")
    single = foreign_sequence(voxels_of()[:1])
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "labels")
    for i in range(2):
        labels.SetDataNodeAtValue(slicer.vtkMRMLLabelMapVolumeNode(), str(i))
    assert [is_dynamic_sequence(n) for n in (node, empty, single, labels, None)] == [True, False, False, False, False]
    assert dynamic_sequences() == [DynamicSequence(node)]


def test_the_browser_is_made_once_and_named_like_the_series() -> None:
    node = add_sequence(small_series(), "FDG dynamic")
    browser, proxy = show_in_browser(node)
    again = show_in_browser(node)
    assert again[0] is browser and again[1] is proxy
    assert proxy.GetName() == "FDG dynamic"
    browser.SetSelectedItemNumber(3)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    assert proxy.GetName() == "FDG dynamic"
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(proxy), voxels_of()[3])
    sequence = DynamicSequence(node)
    assert sequence.browser is browser and sequence.proxy is proxy
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    parents = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(n)) for n in (node, proxy, browser)}
    assert len(parents) == 1


def test_the_hand_over_is_the_same_series_and_can_be_given_up(tmp_path: Path) -> None:
    series = small_series(warnings=('Weight "72" of the header.',), overrides={"weight_kg": 72.0})
    sequence = DynamicSequence(add_sequence(series, "FDG"))
    progress = list(hand_over_steps(sequence.series(), tmp_path / "series.seq.nrrd"))
    assert progress[-1] == 1.0 and progress == sorted(progress)
    found = read_series(tmp_path / "series.seq.nrrd")
    assert_same(found, series)
    steps = hand_over_steps(sequence.series(), tmp_path / "half.seq.nrrd")
    next(steps)
    steps.close()
    assert not (tmp_path / "half.seq.nrrd").exists()


@pytest.mark.parametrize("how", ["mrb", "nrrd", "compressed"])
def test_a_saved_series_comes_back_whole(tmp_path: Path, how: str) -> None:
    series = small_series(warnings=("Zeitversatz \\ 30 s, „geschätzt“",), overrides={"weight_kg": 72.0})
    node = add_sequence(series, "FDG dynamic")
    show_in_browser(node)
    if how == "mrb":
        assert slicer.util.saveScene(str(tmp_path / "scene.mrb"), {})
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(str(tmp_path / "scene.mrb"), {})
        again = slicer.util.getNodesByClass("vtkMRMLSequenceNode")[0]
    else:
        path = tmp_path / "fdg.seq.nrrd"
        assert slicer.util.saveNode(node, str(path), {"useCompression": int(how == "compressed")})
        assert_same(read_series(path), series)
        slicer.mrmlScene.Clear(0)
        again = slicer.util.loadSequence(str(path), {"show": False})
    modified = again.GetModifiedSinceRead()
    sequence = DynamicSequence(again)
    assert_same(sequence.series(), series)
    assert {units_of(again.GetNthDataNode(i)) for i in range(4)} == {"kBq/mL"}
    assert again.GetNthDataNode(0).GetVoxelValueQuantity() is not None
    assert sequence.geometry.difference(GRID, 1e-4) is None
    assert again.GetModifiedSinceRead() == modified
