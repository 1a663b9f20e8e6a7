"""The blood curve follows the aorta's segment, wherever it was drawn, and says in words what it is worth."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from region_scenes import (
    TIMING,
    add_segment,
    affine,
    arterial_curve,
    ball,
    blood_and_tissue,
    dynamic_sequence,
    grid,
    linear_transform,
    rotation,
    segmentation,
    series,
)

import slicer
from DynamicPETKineticsLib.regions.aorta_segment import (
    add_aorta,
    aorta_centre_ras,
    aorta_segment,
    input_segmentation,
)
from DynamicPETKineticsLib.regions.blood_curve import BloodCurve, blood_from_file, save_curve
from DynamicPETKineticsLib.regions.segment_regions import names
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.input_function.from_file import input_function_from_file
from petkinetics.read.curve_statements import CurveContext
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer

PET = grid((16, 40, 40), (3.0, 3.0, 3.0), rotation(0, 5, 10))
BODY = np.ones(PET.shape, bool)
PLACE = np.array([12.0, -15.0, 3.0])
AORTA = ball(PET, PLACE, 12.0)
BLOOD, TISSUE = blood_and_tissue()


def study(noise: float = 0.0, blood: Any = BLOOD, tissue: Any = TISSUE, timing: FrameTiming = TIMING) -> Any:
    return dynamic_sequence(series(PET, [(BODY, tissue), (AORTA, blood)], timing, noise))


def measured(sequence: Any, mask: Any = AORTA) -> Any:
    node = input_segmentation(sequence)
    return BloodCurve(sequence, node, add_aorta(node, mask, PET)).measure()


def test_a_good_aorta_gives_its_means_and_a_good_verdict() -> None:
    found = measured(study())
    np.testing.assert_allclose(found.frames.mean_kbq_per_ml, BLOOD, rtol=1e-5)
    np.testing.assert_allclose(found.function.plasma_frame_mean(TIMING), BLOOD, rtol=1e-4, atol=1e-6)
    assert found.volume_ml == pytest.approx(AORTA.sum() * 0.027)
    assert 18.0 < found.function.peak[0] < 60.0
    assert found.verdict.level == "good"
    assert found.verdict.sentence.startswith(f"Good: peak {found.peak_kbq_per_ml:.3g} kBq/mL at 0.")
    assert "7.2 mL, falls to " in found.verdict.sentence
    assert found.verdict.sentence.endswith("% by the end.")


@pytest.mark.parametrize("moved", ["segmentation", "both", "PET"])
def test_a_segment_drawn_on_a_turned_ct_measures_the_same_blood(moved: str) -> None:
    sequence = study()
    turn = affine(rotation(5, -8, 20), (30.0, -12.0, 7.0))
    where = linear_transform(turn)
    ct = grid((80, 130, 130), (1.1, 1.1, 1.3), rotation(0, 0, 30))
    node, place = segmentation(), PLACE
    if moved in ("PET", "both"):
        sequence.proxy.SetAndObserveTransformNodeID(where.GetID())
        place = (turn @ np.append(PLACE, 1.0))[:3] if moved == "PET" else PLACE
    if moved in ("segmentation", "both"):
        node.SetAndObserveTransformNodeID(where.GetID())
        place = (np.linalg.inv(turn) @ np.append(PLACE, 1.0))[:3] if moved == "segmentation" else PLACE
    segment = add_segment(node, ball(ct, place, 8.0), ct)
    found = BloodCurve(sequence, node, segment).measure()
    np.testing.assert_allclose(found.frames.mean_kbq_per_ml, BLOOD, rtol=1e-4)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 0.8**3, rel=0.03)


def test_plasma_follows_from_a_ratio_or_the_haematocrit() -> None:
    sequence = study()
    node = input_segmentation(sequence)
    curve = BloodCurve(sequence, node, add_aorta(node, AORTA, PET))
    function = curve.measure(plasma_ratio=1.1).function
    np.testing.assert_allclose(function.plasma_kbq_per_ml, 1.1 * function.whole_blood_kbq_per_ml)
    function = curve.measure(haematocrit=0.4).function
    np.testing.assert_allclose(function.plasma_kbq_per_ml, function.whole_blood_kbq_per_ml / (1 - 0.12))
    assert "Not an input function: A haematocrit of 3" in curve.measure(haematocrit=3.0).verdict.sentence


def test_tissue_is_not_an_input_function() -> None:
    found = measured(study(), ball(PET, (-20, 20, 0), 12.0))
    assert found.verdict.level == "bad"
    assert found.verdict.sentence.startswith("Not an input function: The blood curve peaks late")
    flat = measured(study(blood=np.minimum(BLOOD, 5.0)))
    assert flat.verdict.level == "bad"
    assert "The blood curve is flat" in flat.verdict.sentence


def test_a_scan_without_its_early_frames_gives_none_but_shows_what_was_measured() -> None:
    late = FrameTiming(TIMING.start_s[14:], TIMING.duration_s[14:])
    found = measured(study(blood=BLOOD[14:], tissue=TISSUE[14:], timing=late))
    assert found.verdict.level == "bad"
    assert "does not show the bolus" in found.verdict.sentence
    assert found.function is None
    np.testing.assert_allclose(found.frames.mean_kbq_per_ml, BLOOD[14:], rtol=1e-5)


def test_small_noisy_and_late_bolus_ask_for_a_look() -> None:
    small = np.zeros(PET.shape, bool)
    small[tuple(np.argwhere(AORTA)[AORTA.sum() // 2])] = True
    found = measured(study(), small)
    assert found.verdict.level == "check"
    assert found.verdict.sentence.startswith("Check: The region is small (0.027 mL)")
    found = measured(study(noise=6.0), small)
    assert "The late frames scatter by" in found.verdict.sentence
    late = study()
    late.set_timing(late.timing.shifted(90.0))
    found = measured(late)
    assert found.verdict.level == "check"
    assert "they can be edited in step 1" in found.verdict.sentence
    assert "--" not in found.verdict.sentence


def test_whatever_is_drawn_there_is_a_verdict_and_no_exception() -> None:
    sequence = study()
    node = input_segmentation(sequence)
    segment = aorta_segment(node)
    assert BloodCurve(sequence, node, segment).measure().verdict.sentence == (
        "Not an input function: The segment 'Aorta' is empty."
    )
    assert BloodCurve(sequence, node, "gone").measure().verdict.level == "bad"
    far = grid((4, 4, 4), (3.0, 3.0, 3.0))
    far = type(far)(far.shape, far.spacing_mm, (500.0, 0.0, 0.0))
    outside = add_segment(node, np.ones(far.shape, bool), far, "far")
    assert "outside the PET image" in BloodCurve(sequence, node, outside).measure().verdict.sentence
    sequence.node.GetNthDataNode(3).GetImageData().GetPointData().GetScalars().Fill(np.nan)
    assert "Frame 4 has voxels that are not a number" in measured(sequence).verdict.sentence


def test_a_region_larger_than_any_vessel_is_refused_before_it_is_measured() -> None:
    big = grid((60, 60, 60), (3.0, 3.0, 3.0))
    sequence = study()
    node = input_segmentation(sequence)
    segment = add_segment(node, np.ones(big.shape, bool), big, "everything")
    found = BloodCurve(sequence, node, segment).measure()
    assert found.verdict.sentence == ("Not an input function: The region has 5832 mL, far more than the aorta holds.")
    assert found.frames is None


def test_the_curve_saved_as_tsv_reads_back_the_same(tmp_path: Path) -> None:
    sequence = study()
    found = measured(sequence)
    path = save_curve(found, tmp_path / "blood")
    assert path.name == "blood.tsv"
    assert json.loads(path.with_suffix(".json").read_text())["TimeZero"] == "injection"
    again = blood_from_file(path, sequence)
    assert again.verdict.level == "good"
    assert again.frames is None
    np.testing.assert_allclose(again.function.plasma_kbq_per_ml, found.function.plasma_kbq_per_ml, rtol=1e-7)
    read = input_function_from_file(path, CurveContext(np.log(2) / 6586.2, None))
    np.testing.assert_allclose(read.plasma_kbq_per_ml, found.function.plasma_kbq_per_ml, rtol=1e-7)
    with pytest.raises(InputError, match="no blood curve"):
        save_curve(BloodCurve(sequence, input_segmentation(sequence), "gone").measure(), path)
    with pytest.raises(InputError, match="cannot be written"):
        save_curve(found, tmp_path / "absent" / "blood.tsv")


def test_a_file_that_is_no_curve_gets_a_verdict(tmp_path: Path) -> None:
    sequence = study()
    (tmp_path / "text.tsv").write_text("not a table")
    (tmp_path / "bytes.tsv").write_bytes(bytes(range(128, 256)))
    for name in ("text.tsv", "bytes.tsv", "absent.tsv"):
        found = blood_from_file(tmp_path / name, sequence)
        assert found.verdict.level == "bad"
        assert found.function is None
    short = arterial_curve(2400.0)
    lines = ["time\twhole_blood_radioactivity\tplasma_radioactivity"]
    lines += [f"{t}\t{v}\t{v}" for t, v in zip(short.time_s, short.plasma_kbq_per_ml, strict=True)]
    (tmp_path / "short.tsv").write_text("\n".join(lines))
    (tmp_path / "short.json").write_text(
        json.dumps(
            {
                "time": {"Units": "s"},
                "whole_blood_radioactivity": {"Units": "kBq/mL"},
                "plasma_radioactivity": {"Units": "kBq/mL"},
                "TimeZero": "injection",
                "DecayCorrectedTo": "injection",
            }
        )
    )
    found = blood_from_file(tmp_path / "short.tsv", sequence)
    assert found.verdict.sentence.startswith("Check: The curve ends at 40 min, the scan at 65 min")


# ------------------------------------------------------------------------------------ the segmentation


def test_a_series_has_one_input_segmentation_whatever_it_is_called() -> None:
    first, second = study(), dynamic_sequence(series(PET, [(BODY, TISSUE)]), "another")
    node = input_segmentation(first)
    assert node.GetName() == "Input function"
    node.SetName("renamed")
    assert input_segmentation(first) is node
    other = input_segmentation(second)
    assert other is not node
    slicer.mrmlScene.RemoveNode(node)
    assert input_segmentation(first) not in (node, other)


def test_it_lies_beside_the_series_and_on_its_grid() -> None:
    sequence = study()
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "patient")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(sequence.proxy), folder)
    where = linear_transform(affine(rotation(0, 0, 15), (5, 5, 5)))
    sequence.proxy.SetAndObserveTransformNodeID(where.GetID())
    node = input_segmentation(sequence)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == folder
    assert node.GetParentTransformNode() is where
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is sequence.proxy
    unbrowsed = dynamic_sequence(series(PET, [(BODY, TISSUE)]), "another", browsed=False)
    parameter = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    assert input_segmentation(unbrowsed).GetSegmentation().GetConversionParameter(parameter)


def test_a_second_proposal_replaces_the_first_and_leaves_other_segments() -> None:
    sequence = study()
    node = input_segmentation(sequence)
    segment = add_aorta(node, ball(PET, (-20, 20, 0), 12.0), PET)
    other = add_segment(node, AORTA, PET, "mine")
    node.GetSegmentation().CollapseBinaryLabelmaps(False)
    node.GetSegmentation().GetSegment(segment).SetName("Aorta, checked")
    assert add_aorta(node, AORTA, PET) == segment
    assert node.GetSegmentation().GetNumberOfSegments() == 2
    assert node.GetSegmentation().GetSegment(segment).GetName() == "Aorta, checked"
    for segment_id in (segment, other):
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, sequence.proxy)
        np.testing.assert_array_equal(mask, AORTA)
    np.testing.assert_allclose(aorta_centre_ras(node, segment), PLACE, atol=2.0)
    display = node.GetDisplayNode()
    assert display.GetSegmentVisibility2DOutline(segment)
    red, green, blue = node.GetSegmentation().GetSegment(segment).GetColor()
    assert red > 0.8
    assert max(green, blue) < 0.2


def test_a_proposal_lands_on_the_vessel_when_only_the_pet_was_moved() -> None:
    sequence = study()
    node = input_segmentation(sequence)
    turn = affine(rotation(0, 0, 25), (20.0, 0.0, -5.0))
    sequence.proxy.SetAndObserveTransformNodeID(linear_transform(turn).GetID())
    segment = add_aorta(node, AORTA, PET)
    np.testing.assert_allclose(aorta_centre_ras(node, segment), (turn @ np.append(PLACE, 1.0))[:3], atol=2.0)
    found = BloodCurve(sequence, node, segment).measure()
    np.testing.assert_allclose(found.frames.mean_kbq_per_ml, BLOOD, rtol=1e-4)


def test_the_centre_of_an_arch_lies_in_it() -> None:
    sequence = study()
    node = input_segmentation(sequence)
    arch = ball(PET, PLACE, 14.0) & ~ball(PET, PLACE + np.array([0, 6, 0]), 12.0)
    segment = add_aorta(node, arch, PET)
    centre = np.array(aorta_centre_ras(node, segment))
    assert (ball(PET, centre, 1.6) & arch).any()
    assert aorta_centre_ras(node, "gone") is None
    assert aorta_centre_ras(segmentation(), "gone") is None
    with pytest.raises(InputError, match="empty"):
        add_aorta(node, np.zeros(PET.shape, bool), PET)
    with pytest.raises(InputError, match="voxels"):
        add_aorta(node, np.zeros((2, 2, 2), bool), PET)


def test_a_stroke_on_a_clinical_scan_is_measured_within_a_tenth_of_a_second() -> None:
    clinical = grid((71, 256, 256), (1.95, 1.95, 2.79))
    voxels = np.broadcast_to(np.float32(5.0), (len(TIMING), *clinical.shape))
    given = DynamicSeries(TIMING, clinical, Tracer("FDG", "F-18", 6586.2), ArrayVoxels(voxels), 300.0, 70.0)
    sequence = dynamic_sequence(given)
    aorta = ball(clinical, (0, -20, 0), 16.0)
    for frame, value in enumerate(BLOOD):
        slicer.util.arrayFromVolume(sequence.node.GetNthDataNode(frame))[aorta] = value
    node = input_segmentation(sequence)
    segment = add_aorta(node, aorta, clinical)
    fine = grid((200, 512, 512), (0.98, 0.98, 1.0))
    drawn_on_ct = add_segment(node, ball(fine, (0, -20, 0), 14.0), fine, "CT")
    wide = add_segment(node, np.ones(clinical.shape, bool), clinical, "threshold gone wide")
    for segment_id, level in ((segment, "good"), (drawn_on_ct, "good"), (wide, "bad")):
        curve = BloodCurve(sequence, node, segment_id)
        assert curve.measure().verdict.level == level
        seconds = []
        for _ in range(5):
            began = time.process_time()
            curve.measure()
            seconds.append(time.process_time() - began)
        print(f"blood curve at 256x256x71x28, segment '{names(node)[segment_id]}': {1000 * min(seconds):.0f} ms")
        assert min(seconds) < 0.1
