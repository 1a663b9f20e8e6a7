"""The automatic aorta: the right vessel and its curve, or a plain answer why not."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from petkinetics.cli import main
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.input_function.aorta import AortaNotFound, find_aorta
from petkinetics.job import AortaJob, EstimateJob
from petkinetics.job_file import job_from_json, job_to_json
from petkinetics.series import ArrayVoxels, DynamicSeries, Float32, Tracer, VolumeGeometry
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.simulate.variants import Variant
from petkinetics.simulate.write import write_patient
from petkinetics.studies import aorta_study
from petkinetics.studies.aorta_study import from_minute

FDG = Tracer("FDG", "F-18", 6586.2)
TIMING = FrameTiming.parse("liang2023")


@pytest.fixture(scope="module")
def thorax() -> DigitalPatient:
    return simulate_patient("thorax", "small", seed=90_005, dose=0.25)


@pytest.fixture(scope="module")
def thorax_folder(thorax: DigitalPatient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patient") / "thorax"
    write_patient(thorax, folder, fmt="nifti")
    return folder


def share_in(patient: DigitalPatient, mask: NDArray[np.bool_], tissue: str = "aorta") -> float:
    label = next(label for label, name in patient.label_names.items() if name == tissue)
    return float(np.mean(patient.labels[mask] == label))


def area_error(patient: DigitalPatient, mask: NDArray[np.bool_]) -> float:
    """Relative error of the area under the region's curve against the true whole blood."""
    timing = patient.series.timing
    means = patient.series.read(range(len(timing)))[:, mask].mean(axis=1, dtype=np.float64)
    true = patient.input_function.whole_blood_frame_mean(timing)
    return float(np.sum(means * timing.duration_s) / np.sum(true * timing.duration_s) - 1.0)


def test_it_is_the_aorta_and_its_curve_is_that_of_blood(thorax: DigitalPatient) -> None:
    found = find_aorta(thorax.series)
    assert share_in(thorax, found.mask) > 0.98
    assert abs(area_error(thorax, found.mask)) < 0.05
    assert 5.0 < found.volume_ml < 30.0
    assert found.confidence > 0.5


@pytest.mark.parametrize("variant", [None, "aneurysm", "partly-out-of-view"])
def test_in_the_abdomen_it_is_not_the_vein_beside_it(variant: Variant | None) -> None:
    patient = simulate_patient("torso-ct", "small", seed=90_011, variant=variant)
    found = find_aorta(patient.series)
    assert share_in(patient, found.mask) > 0.95
    assert share_in(patient, found.mask, "inferior vena cava") < 0.02
    assert abs(area_error(patient, found.mask)) < 0.08


def test_the_same_scan_gives_the_same_voxels(thorax: DigitalPatient) -> None:
    assert np.array_equal(find_aorta(thorax.series).mask, find_aorta(thorax.series).mask)


def test_nothing_after_t_is_looked_at(thorax: DigitalPatient) -> None:
    values = thorax.series.read(range(len(TIMING))).copy()
    values[TIMING.end_s > 20 * 60] = np.nan
    blind = replace(thorax.series, voxels=ArrayVoxels(values))
    kept = TIMING.until(20.0)
    short = replace(thorax.series, timing=TIMING.select(kept), voxels=ArrayVoxels(values[kept]))
    expected = find_aorta(thorax.series, 20.0).mask
    assert np.array_equal(find_aorta(blind, 20.0).mask, expected)
    assert np.array_equal(find_aorta(short).mask, expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_image_axis_changes_nothing(thorax: DigitalPatient, axis: int) -> None:
    whole = thorax.series
    g = whole.geometry
    values = np.ascontiguousarray(np.flip(whole.read(range(len(TIMING))), axis + 1))
    column = 2 - axis
    direction = np.eye(3)
    direction[column, column] = -1.0
    origin = list(g.origin_mm)
    origin[column] += (g.shape[axis] - 1) * g.spacing_mm[column]
    flipped = replace(
        whole, geometry=VolumeGeometry(g.shape, g.spacing_mm, origin, direction), voxels=ArrayVoxels(values)
    )
    mask = np.flip(find_aorta(flipped).mask, axis)
    expected = find_aorta(whole).mask
    assert np.sum(mask & expected) > 0.8 * expected.sum()
    assert share_in(thorax, mask) > 0.98


def test_sagittal_slices_are_understood(thorax: DigitalPatient) -> None:
    g = thorax.series.geometry
    values = np.ascontiguousarray(thorax.series.read(range(len(TIMING))).transpose(0, 3, 1, 2))
    # slices run to the left, rows to the head, columns to the back
    direction = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    slices, rows, columns = g.shape
    x, y, z = g.spacing_mm
    turned = VolumeGeometry((columns, slices, rows), (y, z, x), g.origin_mm, direction)
    mask = find_aorta(replace(thorax.series, geometry=turned, voxels=ArrayVoxels(values))).mask
    assert np.array_equal(mask.transpose(1, 2, 0), find_aorta(thorax.series).mask)


@pytest.mark.parametrize("start_min", [1.5, 10.0, 30.0])
def test_without_the_early_frames_it_is_not_possible(thorax: DigitalPatient, start_min: float) -> None:
    with pytest.raises(AortaNotFound, match="not possible") as answer:
        find_aorta(from_minute(thorax.series, start_min))
    assert answer.value.verdict == "not possible"
    assert "--input-function" in answer.value.hint


# --- a body made of cylinders -------------------------------------------------------------------


def phantom(*tubes: tuple[float, float, float], frames: str = "6x10,4x30,4x60,4x120,4x300") -> DynamicSeries:
    """A trunk of muscle with tubes of blood.

    :param tubes: (x to the left, y to the back, radius) in mm.
    """
    timing = FrameTiming.parse(frames)
    t = timing.mid_s / 60.0
    blood = np.where(t > 0.3, 60.0 * np.exp(-(t - 0.3) / 0.7) + 8.0 * np.exp(-t / 60.0), 0.0)
    muscle = np.cumsum(blood * timing.duration_s) * 4e-4
    shape, step = (40, 80, 96), 4.0
    y, x = ((np.arange(n) - 0.5 * (n - 1)) * step for n in shape[1:])
    body = ((x / 160.0) ** 2 + (y[:, None] / 105.0) ** 2) < 1.0
    plane = np.where(body, muscle[:, None, None], 0.0)
    for tx, ty, radius in tubes:
        share = np.clip((radius - np.hypot(x - tx, y[:, None] - ty)) / step + 0.5, 0.0, 1.0)
        plane = plane * (1 - share) + blood[:, None, None] * share
    noise = np.random.default_rng(3).normal(0.0, 0.15, (len(timing), *shape))
    values = (np.repeat(plane[:, None], shape[0], axis=1) + noise).astype(np.float32)
    return DynamicSeries(timing, VolumeGeometry(shape, (step, step, 4.0)), FDG, ArrayVoxels(values))


def test_a_body_without_a_vessel_gives_no_aorta() -> None:
    with pytest.raises(AortaNotFound):
        find_aorta(phantom())


def test_of_two_vessels_the_left_one_is_the_aorta() -> None:
    mask = find_aorta(phantom((10.0, 20.0, 11.0), (-18.0, 20.0, 11.0))).mask
    _, _, columns = np.nonzero(mask)
    assert 0.0 < np.mean((columns - 47.5) * 4.0) < 20.0


@pytest.mark.parametrize(
    "tubes",
    [((-60.0, 20.0, 12.0),), ((0.0, 20.0, 3.0),), ((10.0, -85.0, 12.0),)],
    ids=["far on the right", "as thin as a carotid", "under the breastbone"],
)
def test_a_vessel_that_is_not_the_aorta_leaves_it_unsure(tubes: Sequence[tuple[float, float, float]]) -> None:
    with pytest.raises(AortaNotFound) as answer:
        find_aorta(phantom(*tubes))
    assert answer.value.verdict == "not sure"
    assert "--roi" in answer.value.hint


def test_a_first_frame_of_minutes_shows_no_first_pass() -> None:
    with pytest.raises(AortaNotFound, match="first frame lasts 300 s"):
        find_aorta(phantom((10.0, 20.0, 11.0), frames="6x300"))


class _SameAgain:
    """Voxels of a clinical scan, without its half gigabyte."""

    def __init__(self, coarse: Float32) -> None:
        self.fine = [np.repeat(np.repeat(volume, 2, axis=1), 2, axis=2) for volume in coarse]

    def read(self, frames: Sequence[int], first: int, last: int, out: Float32 | None = None) -> Float32:
        picked = np.stack([self.fine[frame][first:last] for frame in frames])
        if out is not None:
            out[...] = picked
        return picked


def test_a_clinical_scan_takes_less_than_three_seconds() -> None:
    small = phantom((10.0, 20.0, 11.0))
    voxels = _SameAgain(small.read(range(len(small.timing)))[:, np.r_[0:40, 0:31]])
    padded = [np.pad(v, ((0, 0), (48, 48), (32, 32))) for v in voxels.fine]
    voxels.fine = padded
    series = replace(small, geometry=VolumeGeometry((71, 256, 256), (2.0, 2.0, 2.79)), voxels=voxels)
    find_aorta(small)  # imports
    began = time.process_time()
    find_aorta(series)
    assert time.process_time() - began < 3.0


# --- files and the command line -----------------------------------------------------------------


def test_the_command_writes_a_label_map_with_its_name(thorax_folder: Path, tmp_path: Path, thorax: DigitalPatient,
                                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    import SimpleITK as sitk

    output = tmp_path / "roi.nii.gz"
    assert main(["aorta", str(thorax_folder / "pet.nii.gz"), "-o", str(output)]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["roi.nii.gz", "roi.tsv"]
    assert (tmp_path / "roi.tsv").read_text() == "index\tname\n1\taorta\n"
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(output)))
    assert set(np.unique(labels)) == {0, 1}
    assert share_in(thorax, labels > 0) > 0.98
    assert "check the proposed aorta" in capsys.readouterr().err
    assert main(["aorta", str(thorax_folder / "pet.nii.gz"), "-o", str(output)]) == 2, "nothing is overwritten"


def test_an_estimate_with_the_automatic_aorta_says_so(thorax_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    series = str(thorax_folder / "pet.nii.gz")
    arguments = ["estimate", series, "--aorta", "auto", "--method", "patlak", "--t-star", "9", "-o", str(out)]
    assert main(arguments) == 0
    record = json.loads((out / "result.json").read_text(encoding="utf-8"))
    source = record["input_function"]
    assert source["source"] == "automatic aorta"
    assert source["roi_volume_ml"] > 3.0
    assert 0.0 < source["confidence"] <= 1.0
    assert any("check the proposed aorta" in sentence for sentence in record["warnings"])
    again = tmp_path / "again"
    assert main([*arguments[:2], "--roi", str(out / "aorta.nii.gz"), *arguments[4:-1], str(again)]) == 0
    for name in ("ki.nii.gz", "aorta.nii.gz"):
        assert (out / name).is_file()
    assert (out / "ki.nii.gz").read_bytes() == (again / "ki.nii.gz").read_bytes(), "the written region is the one used"


def test_no_answer_is_bad_input_and_leaves_nothing(thorax: DigitalPatient, tmp_path: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    folder = tmp_path / "late"
    write_patient(replace(thorax, series=from_minute(thorax.series, 10.0)), folder, fmt="nifti")
    series = str(folder / "pet.nii.gz")
    assert main(["aorta", series, "-o", str(tmp_path / "to" / "roi.nii.gz")]) == 2
    assert main(["estimate", series, "--aorta", "auto", "--method", "patlak", "-o", str(tmp_path / "to" / "out")]) == 2
    assert capsys.readouterr().err.count("not possible in this scan") == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["late"]


def test_the_job_travels_as_json() -> None:
    job = AortaJob("series", "roi.nii.gz", until_min=20.0)
    assert job_from_json(job_to_json(job)) == job


@pytest.mark.parametrize("sources", [{}, {"roi": "a.nii.gz", "aorta": "auto"}, {"aorta": "manual"}])
def test_an_estimate_has_one_source_of_blood(sources: dict[str, str]) -> None:
    with pytest.raises(InputError):
        EstimateJob("series", "out", **sources)


# --- the study ----------------------------------------------------------------------------------


def test_the_study_has_every_kind_of_patient_and_tests_on_its_own_seeds() -> None:
    chosen = aorta_study.cases(list(aorta_study.SPLITS["test"]), "mixed")
    assert [chosen[0].seed, chosen[-1].seed] == [92_000, 92_099]
    assert {case.anatomy for case in chosen} == {"thorax", "torso-ct", "total-body"}
    assert {case.dose for case in chosen} == {1.0, 0.25, 0.1}
    assert {case.variant for case in chosen} == {None, "aneurysm", "partly-out-of-view"}
    assert {case.late_start_min for case in chosen} == {None, 3.0, 10.0, 30.0}


def test_the_study_counts_mistakes_and_keeps_late_scans_apart() -> None:
    row = {"first_frame_min": 0.0, "seconds": 1.0}
    rows: list[aorta_study.Row] = [
        {**row, "verdict": "right", "structure": "aorta", "area_error": -0.04},
        {**row, "verdict": "right", "structure": "aorta", "area_error": 0.06},
        {**row, "verdict": "wrong", "structure": "left ventricle", "area_error": 0.0},
        {**row, "verdict": "not sure"},
        {"first_frame_min": 10.0, "seconds": 0.1, "verdict": "not possible"},
    ]
    summary = aorta_study.summarise(rows)
    assert (summary["patients"], summary["right"], summary["not_sure"]) == (4, 2, 1)
    assert summary["right_percent"] == 50.0
    assert summary["area_within_5_percent"] == 50.0
    assert summary["mistakes"] == "left ventricle 1"
    assert (summary["without_early_frames"], summary["without_early_frames_not_possible"]) == (1, 1)
