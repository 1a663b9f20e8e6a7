"""What leaves the scene in the background: DICOM, reports; and the simulated patient that comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest

import slicer
from background.plain_loop import PlainLoop
from background.run_cases import choices, drawn_aorta, leftovers, scene_sequence, services
from background.worker_cases import Told
from DynamicPETKineticsLib.regions.aorta_segment import add_aorta, input_segmentation
from DynamicPETKineticsLib.results.result_nodes import all_results
from DynamicPETKineticsLib.runs import sample_data, sample_run
from DynamicPETKineticsLib.runs.estimate_choices import SegmentInput
from DynamicPETKineticsLib.runs.estimate_run import EstimateRun
from DynamicPETKineticsLib.runs.export_run import ExportRun
from DynamicPETKineticsLib.runs.report_run import ReportRun
from DynamicPETKineticsLib.runs.sample_run import SampleRun
from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.loop = folder, PlainLoop()
        self.services = services(self.loop, folder)

    def finish(self, run: Any, *args: Any, **named: Any) -> tuple[str, Told]:
        told = Told(run)
        run.start(*args, **named)
        how = told.wait(self.loop, 120.0)
        self.loop.until(lambda: not self.loop.due)
        assert leftovers(self.folder) == []
        return how, told

    def result(self, sequence: DynamicSequence, blood: SegmentInput | None = None) -> Any:
        how, told = self.finish(EstimateRun(self.services), sequence, choices(blood or drawn_aorta(sequence)))
        assert how == "finished", told.failed
        return told.finished[0][0]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated patient is made once for these tests."""
    return tmp_path_factory.mktemp("cache") / "patient"


@pytest.fixture
def sample(bench: Bench, kept: Path, monkeypatch: pytest.MonkeyPatch) -> DynamicSequence:
    monkeypatch.setattr(sample_run, "sample_folder", lambda: kept)
    how, told = bench.finish(SampleRun(bench.services))
    assert how == "finished", told.failed
    return DynamicSequence(told.finished[0][0])


def result_of_sample(bench: Bench, sample: DynamicSequence, kept: Path) -> Any:
    from petkinetics.read.regions import read_regions

    segmentation = input_segmentation(sample)
    mask = read_regions(str(kept / "aorta.nii.gz")).flattened() > 0
    return bench.result(sample, SegmentInput(segmentation, add_aorta(segmentation, mask, sample.geometry)))


def test_the_simulated_patient_is_loaded_and_the_second_time_taken_from_its_place(bench, sample, kept):
    assert sample.missing == ()
    assert sample.wanting == ()
    assert sample.source_series_uids
    assert len(sample.timing) == 28
    before = (kept / "simulation.json").stat().st_mtime_ns
    how, _told = bench.finish(SampleRun(bench.services))
    assert how == "finished"
    assert (kept / "simulation.json").stat().st_mtime_ns == before


def test_the_sample_is_kept_apart_for_each_version():
    import petkinetics

    assert sample_run.sample_folder().name.endswith(petkinetics.__version__)


@pytest.mark.usefixtures("sample")
def test_a_script_gets_the_sample_at_once(kept, monkeypatch):
    monkeypatch.setattr(sample_run, "sample_folder", lambda: kept)
    (node,) = sample_data.load_sample()
    assert DynamicSequence(node).timing is not None


def test_registering_without_the_sample_data_module_does_nothing():
    sample_data.register()


@pytest.mark.parametrize("formats", ["parametric-map", "both"])
def test_maps_are_exported_into_a_folder(bench, sample, kept, tmp_path, formats):
    result = result_of_sample(bench, sample, kept)
    to = tmp_path / "exported"
    to.mkdir()
    (to / "other.dcm").write_bytes(b"")
    how, told = bench.finish(ExportRun(bench.services), result, to=to, formats=formats, series_dir=kept / "dicom")
    assert how == "finished", told.failed
    ((written,),) = told.finished
    assert written.files
    assert to / "other.dcm" not in written.files
    assert str(len(written.files)) in written.sentence
    header = pydicom.dcmread(written.files[0], stop_before_pixels=True)
    source = pydicom.dcmread(next((kept / "dicom").rglob("*.dcm")), stop_before_pixels=True)
    assert header.StudyInstanceUID == source.StudyInstanceUID


def test_maps_go_into_the_database_as_copies(bench, sample, kept):
    from DICOMLib import DICOMUtils

    result = result_of_sample(bench, sample, kept)
    with DICOMUtils.TemporaryDICOMDatabase() as database:
        how, told = bench.finish(
            ExportRun(bench.services), result, to=None, formats="parametric-map", series_dir=kept / "dicom"
        )
        assert how == "finished", told.failed
        assert told.finished[0][0].files == ()
        files = [Path(file) for file in database.allFiles()]
        assert files
        assert all(file.is_file() for file in files)


def test_an_export_without_its_source_says_so(bench, tmp_path):
    result = bench.result(scene_sequence())
    how, told = bench.finish(
        ExportRun(bench.services), result, to=tmp_path / "x", formats="both", series_dir=tmp_path / "gone"
    )
    assert how == "failed"
    assert "--" not in "".join(told.failed[0])
    assert not (tmp_path / "x").exists()


def test_an_export_is_stopped_with_its_result(bench, sample, kept, tmp_path):
    result = result_of_sample(bench, sample, kept)
    run = ExportRun(bench.services)
    told = Told(run)
    run.start(result, to=tmp_path / "x", formats="both", series_dir=kept / "dicom")
    slicer.mrmlScene.RemoveNode(result.record_node)
    assert told.wait(bench.loop) == "failed"
    assert not (tmp_path / "x").exists()


def test_a_report_is_written_and_replaced(bench, tmp_path):
    sequence = scene_sequence()
    result = bench.result(sequence)
    assert all_results() == [result]
    to = tmp_path / "report.html"
    for _ in range(2):
        how, told = bench.finish(ReportRun(bench.services), result, to=to, sequence=sequence)
        assert how == "finished", told.failed
        assert told.finished[0][0].files == (to,)
    assert "Patlak" in to.read_text(encoding="utf-8")
