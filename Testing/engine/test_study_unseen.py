"""What a study shows of patients unlike the trained: none, hot and ring lesions, other doses, and what a run costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_study import GEOMETRY, known

from petkinetics.errors import InputError
from petkinetics.job import SimulateJob
from petkinetics.maps import KI, RESIDUAL, ParametricMap, ParametricResult
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.body import Body
from petkinetics.simulate.patient import grid, simulate_patient
from petkinetics.simulate.unusual_lesions import HOT_KI, RING_SMALLEST_MM
from petkinetics.studies import metric_libraries
from petkinetics.studies.contestants import Contestant
from petkinetics.studies.data_explained import chi_square_rows, mean_chi_square
from petkinetics.studies.gates import GATES, StudyNumbers, gate_rows
from petkinetics.studies.invented import HEIGHT_SD, count_blobs, invented_blobs, ratio_of_counts
from petkinetics.studies.names import USUAL
from petkinetics.studies.patient_problem import middle_slices
from petkinetics.studies.run_cost import Watch
from petkinetics.studies.run_study import run_study
from petkinetics.studies.slice_quality import slice_quality
from petkinetics.studies.study import Study
from petkinetics.studies.worlds import DIFFUSION_GATE_WORLDS, GATE_WORLDS, World, gate_worlds
from petkinetics.write.tables import read_table

CUBE = VolumeGeometry((24, 40, 40), (3.0, 3.0, 3.0))


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(CUBE.shape).astype(np.float32)


def body_with_a_hot_organ() -> tuple[np.ndarray, np.ndarray]:
    body = np.zeros(CUBE.shape, bool)
    body[2:22, 4:36, 4:36] = True
    reference = body.astype(np.float32)
    reference[8:14, 10:20, 10:20] = 50.0
    return body, reference


def test_blobs_are_counted_in_the_error_and_not_in_the_anatomy() -> None:
    body, reference = body_with_a_hot_organ()
    patlak = reference + 2.0 * noise(1)
    honest = reference + 0.2 * noise(2)
    assert invented_blobs(honest, patlak, reference, body, CUBE).count == 0
    inventive = honest.copy()
    for k, j in ((4, 8), (12, 28), (18, 28)):
        inventive[k : k + 2, j : j + 2, 24:26] += 3.0
    # neither a single voxel nor something cold is a hot blob
    inventive[18, 8, 8] += 20.0
    inventive[18:20, 8:10, 14:16] -= 3.0
    found = invented_blobs(inventive, patlak, reference, body, CUBE)
    assert found.count == 3
    assert (found.noise_count, found.row()["ratio_to_noise"]) == (0, float("inf"))
    # the shell around the organ that a Gaussian blurs, which noise may part
    assert 1 <= found.patlak_count <= 2
    assert found.row()["ratio"] == 3 / found.patlak_count
    assert found.row()["blobs_per_litre"] == pytest.approx(3 / (20 * 32 * 32 * 0.027) * 1000)


def test_patlak_is_smoothed_until_it_has_the_noise_of_the_map() -> None:
    body, reference = body_with_a_hot_organ()
    patlak, quiet = reference + 2.0 * noise(1), reference + 0.2 * noise(2)
    found = invented_blobs(quiet, patlak, reference, body, CUBE)
    assert found.noise_sd == pytest.approx(found.error_sd, rel=0.003)
    assert 6.0 < found.patlak_fwhm_mm < 20.0
    same = invented_blobs(patlak, patlak, reference, body, CUBE)
    assert (same.patlak_fwhm_mm, same.noise_sd) == (0.0, same.error_sd)
    assert same.patlak_count == same.noise_count == same.count
    louder = invented_blobs(reference + 4.0 * noise(3), patlak, reference, body, CUBE)
    assert louder.patlak_fwhm_mm == 0.0 and louder.noise_sd < louder.error_sd


def test_a_bias_of_a_whole_region_is_background() -> None:
    body, reference = body_with_a_hot_organ()
    error = np.where(np.arange(40) < 20, 1.0, -1.0).astype(np.float32) + 0.1 * noise(4)
    patlak = reference + 3.0 * noise(5)
    assert invented_blobs(reference + error, patlak, reference, body, CUBE).count == 0


def test_blobs_of_different_size_and_height() -> None:
    values = np.zeros((3, 8, 8), np.float32)
    values[1, 1:3, 1:3], values[1, 5, 5:8] = 5.0, 9.0
    inside = np.ones(values.shape, bool)
    assert count_blobs(values, inside, HEIGHT_SD) == 1
    assert count_blobs(values, inside, HEIGHT_SD, least_voxels=3) == 2
    assert count_blobs(values, inside, 6.0, least_voxels=3) == 1
    assert [ratio_of_counts(*n) for n in ((0, 0), (1, 0), (1, 2))] == [0.0, float("inf"), 0.5]


def test_maps_of_other_shapes_and_no_body_are_refused() -> None:
    body, reference = body_with_a_hot_organ()
    with pytest.raises(InputError, match="the body"):
        invented_blobs(reference, reference, reference, body[1:], CUBE)
    with pytest.raises(InputError, match="empty"):
        invented_blobs(reference, reference, reference, np.zeros_like(body), CUBE)


def test_chi_square_covers_the_middle_of_a_ring_and_lesions_that_are_cut() -> None:
    patient = known()
    patient.lesions[:] = 0
    patient.lesions[4:8, 8:13, 7:12] = 1
    patient.lesions[4:8, 10, 9] = 0
    patient.lesions[10:12, 20:22, 7:9] = 2
    residual = np.ones(GEOMETRY.shape, np.float32)
    residual[4:8, 10, 9] = 5.0
    first, second = chi_square_rows(patient, ParametricMap(residual, RESIDUAL, GEOMETRY))
    assert first["voxels"] == 100
    assert first["reduced_chi_square"] == pytest.approx((96 * 1 + 4 * 25) / 100)
    assert second["reduced_chi_square"] == 1.0
    assert mean_chi_square([first, second]) == pytest.approx((96 + 4 * 25 + 8) / 108)
    assert chi_square_rows(patient, None) == []


def test_the_same_person_without_lesions_with_hot_ones_and_with_rings() -> None:
    usual = Body.random("thorax", 90_003)
    assert usual.with_lesions("none").lesions == []
    hot = usual.with_lesions("hot").lesions
    assert [one.centre_mm for one in hot] == [one.centre_mm for one in usual.lesions]
    assert all(HOT_KI[0] <= one.kinetics.ki <= HOT_KI[1] and one.malignant for one in hot)
    body = usual.with_lesions("ring")
    ring = body.lesions[0]
    assert all(one.diameter_mm >= RING_SMALLEST_MM for one in body.lesions)
    low = [round(c) - 24.0 for c in ring.centre_mm]
    painted = body.paint(VolumeGeometry((24, 24, 24), (2.0, 2.0, 2.0), (low[0], low[1], low[2])))
    assert painted.lesions[12, 12, 12] == 0
    lesion = painted.lesions == ring.number
    # seen from the middle, the ring is on all sides
    middle = lesion[12]
    assert middle[12, :12].any() and middle[12, 13:].any() and middle[:12, 12].any() and middle[13:, 12].any()
    full = 4 / 3 * np.pi * (ring.diameter_mm / 2) ** 3 / 8.0
    assert lesion.sum() == pytest.approx((1 - 0.6**3) * full, rel=0.15)
    with pytest.raises(InputError, match="'green' is not a kind of lesions"):
        usual.with_lesions("green")
    with pytest.raises(InputError, match="'green' is not a kind of lesions"):
        SimulateJob("out", lesions="green")


def test_worlds_change_dose_and_lesions() -> None:
    here = middle_slices("small", 3)
    world = World.parse("dose=0.5+lesions=none")
    patient = world.patient("thorax", "small", 90_000, 0.5, here, lambda *_: None)
    assert (patient.settings["dose"], patient.settings["lesions"]) == (0.25, "none")
    assert not patient.lesions.any()
    usual = simulate_patient(seed=90_000, geometry=here, dose=0.25)
    elsewhere = usual.lesions == 0
    np.testing.assert_array_equal(patient.truth["ki"][elsewhere], usual.truth["ki"][elsewhere])
    for text in ("dose=0", "lesions=green"):
        with pytest.raises(InputError):
            World.parse(text)
    assert gate_worlds("diffusion-prior") == DIFFUSION_GATE_WORLDS
    assert gate_worlds("kinetic-network") == GATE_WORLDS
    # until 65 min a scan of 75 min is the usual one
    longer = "frames=6x10,4x30,4x60,4x120,12x300"
    assert set(GATE_WORLDS) - set(gate_worlds("kinetic-network", (35.0,))) == {longer}
    assert longer in gate_worlds("kinetic-network", (35.0, 70.0))
    assert gate_worlds("diffusion-prior", (35.0,)) == DIFFUSION_GATE_WORLDS
    assert [World.parse(text).name for text in DIFFUSION_GATE_WORLDS] == list(DIFFUSION_GATE_WORLDS)


def test_the_middle_slices_of_another_anatomy_are_its_own() -> None:
    whole, some = grid("small", "total-body"), middle_slices("small", 5, anatomy="total-body")
    assert some.shape == (5, *whole.shape[1:]) and some.spacing_mm == whole.spacing_mm
    assert some.origin_mm[2] == pytest.approx(whole.origin_mm[2] + 60 * 8.0)


def test_samples_of_those_beside_the_method() -> None:
    one = Contestant.parse("gaussian:strength=3,samples=4")
    assert (one.samples, one.options) == (4, {"strength": "3"})
    with pytest.raises(InputError, match="'some' is not a number of samples"):
        Contestant.parse("gaussian:samples=some")


def test_other_worlds_at_one_dose_and_alone() -> None:
    study = Study("hypr", patients=1, doses=(1.0, 0.25), worlds=("dose=0.5",), world_doses=(0.25,), worlds_alone=True)
    assert study.cases == [(90_000, 1.0, USUAL), (90_000, 0.25, USUAL), (90_000, 0.25, "dose=0.5")]
    study = replace(study, beside=("nlm",))
    labels = [one.label for one in study.contestants("dose=0.5", 0.25, None, "aorta ROI")]
    assert labels == ["patlak", "hypr"]
    assert len(study.contestants(USUAL, 0.25, None, "aorta ROI")) == 3
    with pytest.raises(InputError, match="must be among those of the study"):
        Study("hypr", doses=(1.0,), world_doses=(0.25,))


def test_cost_counts_evaluations_and_brings_time_to_a_slice() -> None:
    watch = Watch()
    values = np.random.default_rng(0).standard_normal(200_000)
    for _ in range(20):
        np.sort(values)
    made = ParametricMap(np.zeros((2, 128, 128), np.float32), KI, VolumeGeometry((2, 128, 128), (1.0, 1.0, 1.0)))
    record = {"regularisation": {"steps": 3, "evaluations": {"start": 1, "prior": 15}}}
    row = watch.row(ParametricResult({"ki": made}, record), made.geometry)
    assert (row["steps"], row["evaluations"]) == (3, 16)
    # two slices of a quarter of the voxels
    assert 0 < row["cpu_seconds_a_slice"] <= 2.1 * row["seconds"]
    assert Watch().row(ParametricResult({"ki": made}, {}), made.geometry)["evaluations"] is None
    small = VolumeGeometry((2, 96, 96), (1.0, 1.0, 1.0))
    assert watch.row(ParametricResult({"ki": made}, record), small)["cpu_seconds_a_slice"] is None


def test_without_scikit_image_slices_have_no_nmi_and_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_libraries, "library", lambda _: None)
    image = np.random.default_rng(0).uniform(0.5, 1.0, (2, 20, 20)).astype(np.float32)
    rows = slice_quality(image + np.float32(0.01), image, image > 0)
    assert [row["nmi"] for row in rows] == [None, None]
    assert all(row["psnr_db"] > 30 and row["ssim"] > 0.9 for row in rows)


CASE = {"world": USUAL, "dose": 0.25, "until_min": None, "input": "aorta ROI"}


def test_the_gates_of_the_diffusion_prior_read_the_right_numbers() -> None:
    ours, pure = "diffusion-prior", "diffusion-prior:solver=hqs,samples=4"
    everybody = {
        ours: {"method": ours, "options": {}, "samples": 4},
        "diffusion-prior:samples=0": {"method": ours, "options": {}, "samples": 0},
        "diffusion-prior:solver=start": {"method": ours, "options": {"solver": "start"}, "samples": 0},
        pure: {"method": ours, "options": {"solver": "hqs"}, "samples": 4},
        "diffusion-prior:solver=hqs": {"method": ours, "options": {"solver": "hqs"}, "samples": 0},
    }
    seconds = {ours: 5.0, "diffusion-prior:samples=0": 2.0, "diffusion-prior:solver=start": 0.1, pure: 9.0}
    seconds |= {"diffusion-prior:solver=hqs": 3.0}
    summary = [
        {**CASE, "method": label, "ki_rmse_mean": 1.0, "cpu_seconds_a_slice_mean": s, "evaluations_mean": 16.0}
        for label, s in seconds.items()
    ]
    summary += [{**CASE, "method": "patlak", "ki_rmse_mean": 2.0}]
    for world, value in (("dose=0.5", 1.2), ("voxel=3", 1.4), ("voxel=4", 1.6), ("noise=osem", 1.0)):
        summary += [
            {**CASE, "world": world, "method": ours, "ki_rmse_mean": value},
            {**CASE, "world": world, "method": "patlak", "ki_rmse_mean": 2.0},
        ]
    ratios = [
        {**CASE, "method": pure, "reference": "best tuned classical", "quantity": "ki", "ratio_of_means": 0.91},
        {**CASE, "method": ours, "reference": "best tuned classical", "quantity": "ki", "ratio_of_means": 0.7},
    ]
    blobs = {**CASE, "world": "lesions=none", "method": ours}
    invented = [
        {**blobs, "blobs": 1, "patlak_blobs": 0, "noise_blobs": 0},
        {**blobs, "blobs": 2, "patlak_blobs": 2, "noise_blobs": 0},
        {**blobs, "dose": 1.0, "blobs": 1, "patlak_blobs": 4, "noise_blobs": 4},
        {**blobs, "method": "patlak", "blobs": 90, "patlak_blobs": 1, "noise_blobs": 1},
    ]
    lesion = {**CASE, "world": "lesions=ring", "method": ours, "voxels": 100}
    chi_square = [
        {**lesion, "reduced_chi_square": 1.0},
        {**lesion, "reduced_chi_square": 1.6, "voxels": 300},
        {**lesion, "reduced_chi_square": 1.1, "dose": 1.0},
        {**lesion, "reduced_chi_square": 1.15, "world": "lesions=hot"},
        {**lesion, "reduced_chi_square": 9.0, "method": "patlak"},
    ]
    numbers = StudyNumbers(ours, summary, ratios, [], invented, chi_square, everybody)
    rows = {row["measure"]: row for row in gate_rows(GATES[ours], numbers)}
    found = {
        "dose 0.25: pure prior, mean of four: RMSE of Ki ÷ best tuned classical": (0.91, "pass"),
        "dose 1: pure prior, mean of four: RMSE of Ki ÷ best tuned classical": (None, "not run"),
        "unseen dose: gain over weighted Patlak that remains in the worst, %": (80.0, "pass"),
        "unseen voxels: gain over weighted Patlak that remains in the worst, %": (40.0, "miss"),
        "unseen noise: gain over weighted Patlak that remains in the worst, %": (100.0, "pass"),
        "no lesions: hot blobs ÷ those of Patlak smoothed to the same noise": (1.5, "miss"),
        "ring lesions, never trained on: reduced χ² of the data there": (1.45, "miss"),
        "hot lesions, never trained on: reduced χ² of the data there": (1.15, "pass"),
        "processor seconds a 256×256 slice, without SD": (2.0, "miss"),
        "processor seconds a 256×256 slice, four samples": (5.0, "pass"),
        "processor seconds a 256×256 slice, learned start alone": (0.1, "pass"),
        "pure prior, evaluations a seed": (16.0, "pass"),
    }
    for measure, (value, verdict) in found.items():
        assert rows[measure]["verdict"] == verdict, measure
        assert rows[measure]["found"] == (None if value is None else pytest.approx(value)), measure
    assert rows["no lesions: hot blobs ÷ those of that noise alone"]["found"] == float("inf")
    one_seed = rows["dose 0.25: pure prior, one seed: RMSE of Ki ÷ best tuned classical"]
    assert (one_seed["verdict"], one_seed["stretch_verdict"]) == (None, "not run")


def test_a_study_makes_the_tables_of_unusual_patients(tmp_path: Path) -> None:
    study = Study(
        "gaussian",
        patients=1,
        slices=5,
        beside=("hypr",),
        worlds=("lesions=none", "lesions=hot"),
        worlds_alone=True,
        gates="diffusion-prior",
    )
    out = run_study(study, tmp_path / "out")
    rows = read_table(out / "invented.tsv")
    assert [(row["method"], row["world"]) for row in rows] == [("patlak", "lesions=none"), ("gaussian", "lesions=none")]
    assert rows[0]["patlak_fwhm_mm"] == 0 and rows[1]["patlak_fwhm_mm"] > 0
    assert rows[1]["noise_sd"] == pytest.approx(rows[1]["error_sd"], rel=0.01)
    patients = read_table(out / "patients.tsv")
    assert {row["method"] for row in patients if row["world"] != USUAL} == {"patlak", "gaussian"}
    assert {row["input"] for row in patients if row["world"] != USUAL} == {"aorta ROI"}
    assert all(row["seconds"] > 0 for row in patients)
    hot = [row for row in read_table(out / "chi_square.tsv") if row["world"] == "lesions=hot"]
    by_method = {m: max(r["reduced_chi_square"] for r in hot if r["method"] == m) for m in ("patlak", "gaussian")}
    # what a Gaussian takes from a very hot lesion, the frames do not allow
    assert by_method["gaussian"] > 1.5 * by_method["patlak"]
    gates = {row["measure"]: row for row in read_table(out / "gates.tsv")}
    assert gates["hot lesions, never trained on: reduced χ² of the data there"]["found"] > 0
    assert gates["ring lesions, never trained on: reduced χ² of the data there"]["verdict"] == "not run"
    text = (out / "study.md").read_text()
    assert "## Blobs where there are no lesions" in text and "## Are the frames explained" in text
