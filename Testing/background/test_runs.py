"""Runs from the scene through the real worker and back, and what stops them."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slicer
from background.plain_loop import PlainLoop
from background.run_cases import Launched, choices, drawn_aorta, leftovers, scene_sequence, services
from background.worker_cases import Told, alive, gone_within, save_blood
from DynamicPETKineticsLib.results.result_nodes import all_results
from DynamicPETKineticsLib.runs.aorta_run import AortaRun
from DynamicPETKineticsLib.runs.estimate_choices import CurveInput, SegmentInput
from DynamicPETKineticsLib.runs.estimate_run import EstimateRun
from DynamicPETKineticsLib.runs.methods import METHODS, expected_minutes
from DynamicPETKineticsLib.runs.panel_words import in_panel_words
from DynamicPETKineticsLib.runs.result_names import result_name
from petkinetics.estimators import METHODS as ENGINE_METHODS

LONG = (64, 128, 128)


class Bench:
    """Services, and one run after another."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.loop = folder, PlainLoop()
        self.launcher = Launched(self.loop, folder)
        self.services = services(self.loop, folder, self.launcher)
        self.told: Any = None
        self.run: Any = None

    def estimate(self, sequence: Any, **more: Any) -> None:
        blood = more.pop("blood", None) or drawn_aorta(sequence)
        self.run = EstimateRun(self.services)
        self.told = Told(self.run)
        self.run.start(sequence, choices(blood, **more))

    def end(self) -> str:
        how = self.told.wait(self.loop)
        assert not self.run.running
        self.loop.until(lambda: not self.loop.due)
        assert leftovers(self.folder) == []
        return how

    def until(self, phase: str) -> None:
        """Wait until the run is well into its phase."""
        low, high = {"handing over": (0.01, 0.1), "computing": (0.15, 0.85), "loading": (0.9, 0.999)}[phase]
        self.loop.until(lambda: any(low <= fraction <= high for fraction, *_ in self.told.progressed))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def maps_in_scene() -> list[Any]:
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in volumes if node.GetAttribute("DynamicPET.Map")]


# ------------------------------------------------------------------------------------------ estimates


def test_an_estimate_brings_its_maps_into_the_scene(bench):
    sequence = scene_sequence()
    bench.estimate(sequence)
    assert bench.run.running
    assert bench.end() == "finished", bench.told.failed
    ((result,),) = bench.told.finished
    assert "ki" in result.maps
    ki = slicer.util.arrayFromVolume(result.maps["ki"])
    assert ki.shape == sequence.geometry.shape
    assert np.median(ki[ki != 0]) == pytest.approx(0.02, rel=0.1), "0.1 kBq/mL/min over 8 e^(-0.48) kBq/mL"
    assert result.name.startswith("Patlak ")
    fractions = [fraction for fraction, *_ in bench.told.progressed]
    assert fractions == sorted(fractions)
    assert {message for _f, message, _r in bench.told.progressed} >= {"Handing over the series", "Loading the maps"}
    assert result.record["options"]["roi"] == "input.nii:1"


def test_results_stay_side_by_side_under_names_of_their_own(bench):
    sequence = scene_sequence()
    for _ in range(2):
        bench.estimate(sequence)
        assert bench.end() == "finished"
    names = [result.name for result in all_results()]
    assert len(set(names)) == 2


def test_a_curve_from_file_serves_as_well(bench, tmp_path):
    save_blood(tmp_path / "blood.tsv")
    bench.estimate(scene_sequence(), blood=CurveInput(tmp_path / "blood.tsv"))
    assert bench.end() == "finished", bench.told.failed


def test_regions_are_reported_by_the_engine_too(bench):
    from DynamicPETKineticsLib.regions.sphere import add_sphere, regions_segmentation

    sequence = scene_sequence()
    segmentation = regions_segmentation(sequence)
    for name, centre in (("one", (16.0, 16.0, -8.0)), ("other", (18.0, 16.0, -8.0))):
        add_sphere(segmentation, centre, 12.0, name)
    bench.estimate(sequence, rois=segmentation)
    assert bench.end() == "finished", bench.told.failed
    table = bench.told.finished[0][0].tables["roi.tsv"]
    assert table.GetNumberOfRows() > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "magic"}, "magic"),
        ({"blood": SegmentInput(None, "gone")}, "no segment"),
        ({"blood": CurveInput(Path("nowhere.tsv"))}, "nowhere.tsv"),
        ({"until_min": -3.0}, "not a time"),
        ({"plasma_ratio": 1.1, "haematocrit": 0.4}, "not both"),
    ],
)
def test_what_is_wrong_is_said_before_anything_begins(bench, changes, words):
    bench.estimate(scene_sequence(), **changes)
    assert bench.told.ends == ["failed"]
    message, hint = bench.told.failed[0]
    assert words in message
    assert "--" not in message + hint
    assert not bench.run.running
    assert bench.launcher.last is None
    assert leftovers(bench.folder) == []


def test_what_the_engine_refuses_is_said_in_the_panels_words(bench):
    bench.estimate(scene_sequence(), until_min=0.01)
    assert bench.end() == "failed"
    message, hint = bench.told.failed[0]
    assert message
    assert "--" not in message + hint


def test_an_empty_segment_is_said(bench):
    sequence = scene_sequence()
    blood = drawn_aorta(sequence)
    empty = blood.segmentation.GetSegmentation().AddEmptySegment("empty", "Empty")
    bench.estimate(sequence, blood=SegmentInput(blood.segmentation, empty))
    assert bench.end() == "failed"
    assert "empty" in bench.told.failed[0][0]
    assert bench.launcher.last is None


def test_neither_log_nor_temporary_folder_names_the_patient(bench, caplog):
    sequence = scene_sequence(LONG)
    sequence.node.SetName("Doe^John dynamic")
    with caplog.at_level(logging.DEBUG):
        bench.estimate(sequence)
        bench.until("computing")
        paths = [str(path) for path in (bench.folder / "temporary").rglob("*")]
        job = next((bench.folder / "temporary").rglob("job.json")).read_text(encoding="utf-8")
        assert bench.end() == "finished"
    assert paths
    assert "Doe" not in "".join(paths) + job + caplog.text + str(bench.told.logged)


# ------------------------------------------------------------------------------------------- stopping


@pytest.mark.parametrize("phase", ["handing over", "computing", "loading"])
def test_cancel_leaves_nothing_and_the_next_run_works(bench, phase):
    sequence = scene_sequence(LONG)
    bench.estimate(sequence, method="gaussian")
    bench.until(phase)
    bench.run.cancel()
    bench.run.cancel()
    assert bench.end() == "cancelled"
    assert maps_in_scene() == []
    assert all_results() == []
    if phase == "computing":
        assert gone_within(bench.launcher.pid, 0.1)
    bench.estimate(sequence)
    assert bench.end() == "finished"


def close_scene() -> None:
    slicer.mrmlScene.Clear(0)


def remove_sequence() -> None:
    slicer.mrmlScene.RemoveNode(slicer.util.getNodesByClass("vtkMRMLSequenceNode")[0])


@pytest.mark.parametrize("phase", ["handing over", "computing", "loading"])
@pytest.mark.parametrize(("happening", "words"), [(close_scene, "closed"), (remove_sequence, "removed")])
def test_a_scene_that_goes_away_stops_the_run_which_says_why(
    bench: Bench, phase: str, happening: Callable[[], None], words: str
) -> None:
    bench.estimate(scene_sequence(LONG), method="gaussian")
    bench.until(phase)
    happening()
    assert bench.end() == "failed"
    assert words in bench.told.failed[0][0]
    assert maps_in_scene() == []
    assert all_results() == []
    bench.estimate(scene_sequence())
    assert bench.end() == "finished"


def test_other_nodes_may_go(bench):
    bench.estimate(scene_sequence(LONG), method="gaussian")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    bench.until("computing")
    slicer.mrmlScene.RemoveNode(other)
    assert bench.end() == "finished"


def test_a_worker_that_is_killed_is_told_and_cleaned_up(bench):
    sequence = scene_sequence(LONG)
    bench.estimate(sequence, method="gaussian")
    bench.until("computing")
    os.kill(bench.launcher.pid, signal.SIGKILL)
    assert bench.end() == "failed"
    bench.estimate(sequence)
    assert bench.end() == "finished"


def test_quitting_stops_everything_and_removes_the_folders(bench):
    bench.estimate(scene_sequence(LONG), method="gaussian")
    bench.until("computing")
    pid = bench.launcher.pid
    bench.services.shutdown()
    assert not alive(pid)
    assert leftovers(bench.folder) == []
    assert bench.told.ends == []
    bench.services.shutdown()


def test_results_survive_the_temporary_folder(bench):
    bench.estimate(scene_sequence())
    assert bench.end() == "finished"
    ((result,),) = bench.told.finished
    assert all(node.GetStorageNode() is None for node in result.maps.values())


# -------------------------------------------------------------------------------------------- the aorta


def test_an_aorta_that_is_not_found_is_told_with_what_to_do(bench):
    run = bench.run = AortaRun(bench.services)
    bench.told = Told(run)
    run.start(scene_sequence())
    assert bench.end() == "failed"
    message, hint = bench.told.failed[0]
    assert message
    assert hint
    assert "--" not in message + hint


def test_the_aorta_of_a_simulated_patient_is_found(bench):
    from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
    from DynamicPETKineticsLib.scene.load_sequence import add_sequence
    from petkinetics.frames import FrameTiming
    from petkinetics.simulate.patient import simulate_patient

    patient = simulate_patient("thorax", "small", 92_000, 1.0, FrameTiming.parse("liang2023"))
    sequence = DynamicSequence(add_sequence(patient.series, "FDG"))
    run = bench.run = AortaRun(bench.services)
    bench.told = Told(run)
    run.start(sequence)
    assert bench.end() == "finished", bench.told.failed
    mask, geometry, sentence = bench.told.finished[0]
    assert mask.shape == geometry.shape == sequence.geometry.shape
    assert mask.any()
    assert "aorta" in sentence.lower()


# ------------------------------------------------------------------------------------- names and methods


def test_a_name_is_method_and_time_and_taken_once():
    when = datetime(2026, 5, 4, 14, 32)
    assert result_name("Patlak", when, []) == "Patlak 14:32"
    assert result_name("Patlak", when, ["Patlak 14:32", "Patlak 14:32 (2)"]) == "Patlak 14:32 (3)"


def test_every_method_of_the_engine_is_offered_and_no_other():
    assert {method.name for method in METHODS} == set(ENGINE_METHODS)
    for method in METHODS:
        assert method.title
        assert method.sentence.endswith(".")
        assert len(method.sentence) < 120
        assert method.seconds_per_million_voxels > 0


def test_the_expected_time_grows_with_the_series():
    times = [expected_minutes("patlak", (28, slices, 256, 256)) for slices in (10, 71, 300)]
    assert times == sorted(times)
    assert 0.0 < times[0] < 1.0


@pytest.mark.parametrize(
    "text", ["Leave out --plasma-ratio and --hct.", "choose a later --until.", "--injection-time overrides the header."]
)
def test_no_option_of_the_command_line_reaches_the_panel(text):
    assert "--" not in in_panel_words(text)
