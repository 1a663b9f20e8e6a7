"""Averages, anatomy, layers of the slice views, and joining: what step 1 of the panel does."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scene_cases import FDG, GRID, TIMING, address, foreign_sequence, small_series, voxels_of

import slicer
from DynamicPETKineticsLib.scene.anatomy import ct_of_same_patient_space
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.join_sequences import join, joinable_with
from DynamicPETKineticsLib.scene.load_sequence import add_sequence
from DynamicPETKineticsLib.scene.series_display import pet_colours, show_average, show_series
from DynamicPETKineticsLib.scene.volume_geometry import geometry_of
from DynamicPETKineticsLib.scene.voxel_units import units_of
from DynamicPETKineticsLib.scene.window_average import average, early_window, late_window
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.series import Tracer, VolumeGeometry

LIANG = FrameTiming.parse("liang2023")


def loaded(timing: FrameTiming = TIMING, **more: Any) -> DynamicSequence:
    return DynamicSequence(add_sequence(small_series(timing, **more), "FDG"))


def composite() -> Any:
    return slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()


# ----------------------------------------------------------------------------------------- averages


def test_windows_are_at_borders_of_frames() -> None:
    assert early_window(LIANG) == (10 / 60, 2.0)
    assert late_window(LIANG) == (50.0, 65.0)
    assert early_window(FrameTiming.parse("13x300")) == (0.0, 5.0)
    assert late_window(FrameTiming.parse("2x1200")) == (20.0, 40.0)
    assert early_window(LIANG.shifted(1800)) == (30.0, 32.0)
    assert early_window(LIANG.shifted(-60)) == (0.5, 2.0)
    assert early_window(FrameTiming([-30.0], [300.0])) == (-0.5, 4.5)


def test_an_average_is_weighted_by_duration_and_says_its_unit() -> None:
    sequence = loaded()
    volume = average(sequence, 5 / 60, 215.5 / 60)
    weights = np.array([30.0, 60.0, 120.0]) / 210.0
    expected = np.tensordot(weights, voxels_of()[1:], 1)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(volume), expected, rtol=1e-6)
    assert geometry_of(volume).difference(GRID, 1e-9) is None
    assert units_of(volume) == "kBq/mL"
    assert volume.GetVoxelValueQuantity().GetCodeValue() == "110853"
    display = volume.GetDisplayNode()
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeInvertedGrey"
    assert display.GetWindowLevelMin() == 0.0 and 0 < display.GetWindowLevelMax() <= expected.max()


def test_the_name_of_an_average_has_its_minutes_in_full() -> None:
    timing = FrameTiming([0.0, 10.0, 4500.0, 6300.0, 6900.0], [10.0, 30.0, 1800.0, 600.0, 300.0])
    sequence = loaded(timing)
    assert average(sequence, 0, 0.17).GetName().endswith(" mean 0–0.17 min")
    assert average(sequence, 75, 105).GetName().endswith(" mean 75–105 min")
    assert average(sequence, 105, 115).GetName().endswith(" mean 105–115 min")
    assert average(sequence, 115, 120).GetName().endswith(" mean 115–120 min")


def test_the_same_window_is_the_same_node_with_new_values_and_old_colours() -> None:
    sequence = loaded()
    volume = average(sequence, 0, 4)
    volume.GetDisplayNode().SetWindowLevelMinMax(1.0, 2.0)
    slicer.util.arrayFromVolume(sequence.node.GetNthDataNode(1))[:] = 0.0
    again = average(sequence, 0, 4)
    assert again is volume
    assert slicer.util.arrayFromVolume(volume).min() < np.tensordot([1 / 7, 2 / 7, 4 / 7], voxels_of()[1:], 1).min()
    assert volume.GetDisplayNode().GetWindowLevelMax() == 2.0
    assert average(sequence, 0, 4, "suv") is not volume


def test_suv_is_activity_by_dose_and_weight() -> None:
    sequence = loaded()
    activity, suv = average(sequence, 0, 4), average(sequence, 0, 4, "suv")
    expected = slicer.util.arrayFromVolume(activity) * 72.0 / 301.0
    np.testing.assert_allclose(slicer.util.arrayFromVolume(suv), expected, rtol=1e-5)
    assert units_of(suv) == "g/mL"
    sequence.node.RemoveAttribute("DynamicPET.Weight_kg")
    with pytest.raises(InputError, match="weight") as refused:
        average(sequence, 0, 4, "suv")
    assert "--" not in str(refused.value)


def test_an_average_of_stored_units_is_kbq() -> None:
    sequence = loaded()
    sequence.set_value("units", "Bq/mL")
    volume = average(sequence, 0, 4)
    expected = np.tensordot(np.array([1, 2, 4]) / 7, voxels_of()[1:], 1) * 1e-3
    np.testing.assert_allclose(slicer.util.arrayFromVolume(volume), expected, rtol=1e-5)
    assert units_of(volume) == "kBq/mL"


def test_a_window_without_a_frame_is_refused() -> None:
    with pytest.raises(InputError, match="No frame lies within 30-40 min"):
        average(loaded(), 30.0, 40.0)


# ------------------------------------------------------------------------------------------- anatomy


def _ct(name: str = "CT", reference: str = "", low: float = -1000.0, shape: Any = (20, 40, 40)) -> Any:
    voxels = np.full(shape, low, np.int16)
    volume = slicer.util.addVolumeFromArray(voxels, np.diag([-2.0, -2.0, 2.0, 1.0]), name)
    volume.SetOrigin(30.0, 40.0, -70.0)
    if reference:
        hierarchy, names = slicer.mrmlScene.GetSubjectHierarchyNode(), slicer.vtkMRMLSubjectHierarchyConstants
        item = hierarchy.GetItemByDataNode(volume)
        hierarchy.SetItemAttribute(item, names.GetDICOMSeriesModalityAttributeName(), "CT")
        hierarchy.SetItemAttribute(item, names.GetDICOMFrameOfReferenceUIDAttributeName(), reference)
    return volume


def test_the_ct_of_the_same_frame_of_reference_is_found() -> None:
    sequence = loaded()
    sequence.node.SetAttribute("DynamicPET.FrameOfReferenceUID", "1.2.840.1")
    _ct("another patient", "1.2.840.2")
    assert ct_of_same_patient_space(sequence) is None
    thin = _ct("three slices", "1.2.840.1", shape=(3, 40, 40))
    assert ct_of_same_patient_space(sequence) is thin
    whole = _ct("CT", "1.2.840.1")
    assert ct_of_same_patient_space(sequence) is whole


def test_without_dicom_the_only_volume_like_a_ct_is_proposed() -> None:
    sequence = loaded()
    show_series(sequence)
    assert ct_of_same_patient_space(sequence) is None
    _ct("MR", low=0.0)
    far = _ct("far away")
    far.SetOrigin(30.0, 40.0, 900.0)
    assert ct_of_same_patient_space(sequence) is None
    found = _ct()
    assert ct_of_same_patient_space(sequence) is found
    _ct("a second one")
    assert ct_of_same_patient_space(sequence) is None


# -------------------------------------------------------------------------------------------- layers


def test_pet_lies_over_ct_in_one_window_for_all_frames() -> None:
    sequence, ct = loaded(), _ct()
    show_series(sequence, ct)
    proxy, browser = sequence.proxy, sequence.browser
    assert composite().GetBackgroundVolumeID() == ct.GetID()
    assert composite().GetForegroundVolumeID() == proxy.GetID()
    assert composite().GetForegroundOpacity() == 0.5
    assert browser.GetSelectedItemNumber() == 3
    windows = set()
    for frame in range(4):
        browser.SetSelectedItemNumber(frame)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(proxy), voxels_of()[frame])
        display = proxy.GetDisplayNode()
        assert display.GetColorNodeID() == pet_colours()
        assert not display.GetAutoWindowLevel()
        windows.add((display.GetWindowLevelMin(), display.GetWindowLevelMax()))
    assert len(windows) == 1
    assert windows.pop()[1] > 10.0


def test_without_ct_the_late_average_lies_there_in_inverted_grey() -> None:
    sequence = loaded(LIANG)
    show_series(sequence)
    volume = average(sequence, 50, 65)
    assert composite().GetBackgroundVolumeID() == volume.GetID()
    assert volume.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeInvertedGrey"
    assert composite().GetForegroundVolumeID() == sequence.proxy.GetID()
    assert composite().GetForegroundOpacity() == 0.0


def test_a_series_that_lacks_its_times_is_shown_all_the_same() -> None:
    sequence = DynamicSequence(foreign_sequence(voxels_of()))
    show_series(sequence)
    assert composite().GetBackgroundVolumeID() == sequence.proxy.GetID()
    assert slicer.util.arrayFromVolume(sequence.proxy).max() == voxels_of().max()


def test_an_average_over_ct_is_coloured_and_alone_grey() -> None:
    sequence, ct = loaded(), _ct()
    volume = average(sequence, 0, 4)
    show_average(volume, ct)
    assert composite().GetForegroundVolumeID() == volume.GetID()
    assert volume.GetDisplayNode().GetColorNodeID() == pet_colours()
    show_average(volume)
    assert composite().GetBackgroundVolumeID() == volume.GetID()
    assert composite().GetForegroundVolumeID() is None
    assert volume.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeInvertedGrey"


def test_what_is_made_of_a_series_stands_beside_it() -> None:
    sequence = loaded()
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(sequence.node), study)
    show_series(sequence)
    for node in (sequence.proxy, sequence.browser, average(sequence, 0, 4)):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study, node.GetName()


# --------------------------------------------------------------------------------------------- joining


def parts() -> tuple[Any, Any]:
    early = small_series(FrameTiming([-5, 5], [10, 30]), warnings=("first",), overrides={"weight_kg": 72.0})
    late = small_series(FrameTiming([100, 200], [100, 300]), warnings=("second",))
    late = replace(late, origin=replace(late.origin, series_uids=("1.2.4", "1.2.5")))
    return add_sequence(late, "late"), add_sequence(early, "early")


def test_parts_of_one_scan_are_joined_in_order_of_time_without_a_copy() -> None:
    late, early = parts()
    assert joinable_with(late) == [early]
    sequence = DynamicSequence(join([late, early]))
    series = sequence.series()
    np.testing.assert_array_equal(series.timing.start_s, [-5, 5, 100, 200])
    np.testing.assert_array_equal(series.timing.duration_s, [10, 30, 100, 300])
    assert sequence.source_series_uids == ("1.2.3", "1.2.4", "1.2.5")
    assert series.warnings == ("first", "second")
    assert series.overrides == {"weight_kg": 72.0}
    sources = [early.GetNthDataNode(0), early.GetNthDataNode(1), late.GetNthDataNode(0), late.GetNthDataNode(1)]
    for i, source in enumerate(sources):
        shared = slicer.util.arrayFromVolume(sequence.node.GetNthDataNode(i))
        assert address(shared) == address(slicer.util.arrayFromVolume(source))
        assert units_of(sequence.node.GetNthDataNode(i)) == "kBq/mL"
    # Nothing of it fits any more.
    assert joinable_with(sequence.node) == []


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"timing": FrameTiming([30], [10])}, "differ|overlap|order"),
        ({"geometry": VolumeGeometry((3, 4, 5), (4.0, 5.0, 3.0))}, "another grid"),
        ({"weight_kg": 80.0}, "differ in patient's weight"),
        ({"injected_activity_mbq": 200.0}, "differ in injected activity"),
        ({"tracer": Tracer("FLT", "F-18", 6586.2)}, "differ in tracer"),
        ({"decay_weighted": False}, "averaging within frames"),
    ],
)
def test_what_is_no_part_of_the_scan_is_refused_with_the_reason(other: dict[str, Any], reason: str) -> None:
    _, early = parts()
    timing = FrameTiming([20, 200], [100, 300]) if "timing" in other else FrameTiming([100, 200], [100, 300])
    given = {key: value for key, value in other.items() if key not in ("timing", "geometry", "tracer")}
    series = small_series(timing, other.get("geometry", GRID), **given)
    node = add_sequence(replace(series, tracer=other.get("tracer", FDG)), "other")
    with pytest.raises(InputError, match=reason):
        join([early, node])
    assert node not in joinable_with(early)


def test_another_patient_space_is_refused() -> None:
    late, early = parts()
    early.SetAttribute("DynamicPET.FrameOfReferenceUID", "1.2.3")
    late.SetAttribute("DynamicPET.FrameOfReferenceUID", "1.2.9")
    with pytest.raises(InputError, match="patient space"):
        join([early, late])


# ----------------------------------------------------------------------------------------------- speed


def test_a_clinical_series_is_described_at_once_and_averaged_quickly() -> None:
    grid = VolumeGeometry((71, 256, 256), (1.95, 1.95, 2.79))
    frame = np.random.default_rng(1).random((71, 256, 256), np.float32)

    class Same:
        """Every frame is the same one."""

        def read(self, _frames: Any, first: int, last: int, out: Any = None) -> Any:
            out[:] = frame[first:last]
            return out

    sequence = loaded(LIANG, geometry=grid, voxels=Same())
    start = time.process_time()
    sequence.series()
    assert (sequence.missing, sequence.warnings) == ((), ())
    described = time.process_time() - start
    start = time.process_time()
    average(sequence, 50, 65)
    averaged = time.process_time() - start
    assert described < 0.05 * 4 and averaged < 0.1 * 4, (described, averaged)  # four times: a busy machine
