"""Studies of learned methods: who stands beside them, the ratios, the worlds and the gates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_study import GEOMETRY, Lesion, known, maps

from petkinetics.cli import main
from petkinetics.errors import InputError
from petkinetics.maps import KI, KI_SD, ParametricMap
from petkinetics.simulate.patient import grid, simulate_patient
from petkinetics.studies.contestants import Contestant, classical
from petkinetics.studies.gates import GATES, Gate, StudyNumbers, gate_rows
from petkinetics.studies.known_truth import coverage_row, lesion_rows
from petkinetics.studies.names import USUAL
from petkinetics.studies.noisy_reference import gain_rows, noisy_reference_row
from petkinetics.studies.patient_problem import aorta_input, middle_slices, problem_of
from petkinetics.studies.ratios import kind_of, ratio_rows, world_costs
from petkinetics.studies.run_study import run_study
from petkinetics.studies.study import Study
from petkinetics.studies.tumour_roi import box_agreement, box_row, tumour_box
from petkinetics.studies.world_table import world_table
from petkinetics.studies.worlds import GATE_WORLDS, World
from petkinetics.write.tables import read_table

CASE = {"world": USUAL, "dose": 1.0, "until_min": 35.0, "input": "aorta ROI"}


def patients(method: str, ki: list[float], **case: object) -> list[dict[str, object]]:
    return [
        {**CASE, **case, "method": method, "seed": 90_000 + i, "ki_rmse": value, "v0_rmse": 2 * value}
        for i, value in enumerate(ki)
    ]


def summary(method: str, ki: float, **case: object) -> dict[str, object]:
    return {**CASE, **case, "method": method, "ki_rmse_mean": ki}


def test_ratios_are_of_means_with_the_patients_own_beside_them() -> None:
    rows = [
        *patients("ours", [1.0, 3.0]),
        *patients("patlak", [2.0, 4.0]),
        *patients("nlm", [2.0, 2.0]),
        *patients("hypr", [3.0, 3.0]),
        *patients("patlak (full scan)", [1.0, 1.0]),
    ]
    means = [summary(m, v) for m, v in (("ours", 2.0), ("patlak", 3.0), ("nlm", 2.0), ("hypr", 3.0))]
    found = {(r["reference"], r["quantity"]): r for r in ratio_rows(rows, means, ["nlm", "hypr"], ["ours"])}
    plain = found["weighted Patlak", "ki"]
    assert plain["ratio_of_means"] == pytest.approx(2 / 3)
    assert plain["mean_of_ratios"] == pytest.approx(0.625)
    assert plain["ratio_of_pooled"] == pytest.approx(np.sqrt(10 / 20))
    assert found["best tuned classical", "v0"]["reference_method"] == "nlm"
    assert found["best tuned classical", "ki"]["ratio_of_means"] == pytest.approx(1.0)
    assert found["noisy full-scan Patlak", "ki"]["ratio_of_means"] == pytest.approx(2.0)


def test_an_unseen_world_costs_only_what_the_method_loses_against_patlak() -> None:
    rows = [summary("patlak", 2.0), summary("ours", 1.0)]
    rows += [summary("patlak", 4.0, world="bolus=60"), summary("ours", 2.0, world="bolus=60")]
    rows += [summary("patlak", 2.0, world="noise-fwhm=9"), summary("ours", 1.25, world="noise-fwhm=9")]
    harder, worse = world_costs(rows, "ours", 1.0, 35.0)
    assert (harder["cost_percent"], harder["growth_percent"], harder["kind"]) == (0.0, 100.0, "input function")
    assert worse["cost_percent"] == pytest.approx(25.0)
    assert worse["gain_kept_percent"] == pytest.approx(75.0)
    assert kind_of("late=600+bolus=60") == "several"


def test_everybody_stands_in_one_table_of_worlds_and_tuned_settings_do_not() -> None:
    rows = [summary("ours", 1.0e-3), summary("patlak", 2.0e-3), summary("nlm", 1.5e-3), summary("nlm (tuned)", 1.4e-3)]
    assert world_table(rows, "ours") == ""
    rows += [summary(name, 3e-3, world="bolus=60") for name in ("patlak", "nlm")]
    rows += [{**summary("ours", 1.0e-3, world="bolus=60"), "ki_ssim_mean": 0.5}]
    lines = world_table(rows, "ours", ["nlm (tuned)"]).splitlines()
    assert "| scan | patlak | nlm | ours | SSIM |" in lines
    assert "| `usual` | 2.000 | 1.500 | 1.000 | – |" in lines
    assert "| `bolus=60` | 3.000 | 3.000 (+33) | 1.000 (−33) | 0.500 |" in lines
    assert "Dose 1, until 35 min:" in lines


@pytest.mark.parametrize(
    ("found", "better", "verdict", "missed_by"),
    [
        (0.4, "low", "pass", None),
        (0.5, "low", "miss", 0.08),
        (0.5, "high", "pass", None),
        (None, "low", "not run", None),
    ],
)
def test_a_gate_says_pass_miss_by_how_much_or_not_run(
    found: float | None, better: str, verdict: str, missed_by: float | None
) -> None:
    row = Gate("measure", lambda _: found, 0.42, better=better).row(StudyNumbers("ours", [], [], []))  # type: ignore[arg-type]
    assert row["verdict"] == verdict
    assert row["missed_by"] == (None if missed_by is None else pytest.approx(missed_by))


def test_the_gates_of_the_network_read_the_right_numbers() -> None:
    box = {**CASE, "reference": "truth", "loa_lower": -1.0, "loa_upper": 1.0, "bias_ci_includes_0": True}
    boxes = [
        {**box, "method": "ours", "loa_upper": 0.5},
        {**box, "method": "ours", "loa_upper": 0.5, "bias_ci_includes_0": False},
        {**box, "method": "patlak"},
        {**box, "method": "direct-network", "loa_upper": 0.0},
        {**box, "method": "patlak", "reference": "noisy full scan", "loa_upper": 100.0},
    ]
    ours = {
        **summary("ours", 1.0),
        "ki_ssim_mean": 0.91,
        "lesion_mean_absolute_bias_percent": 12.0,
        "lesion_mean_bias_percent": -6.0,
        "organ_absolute_bias_percent": 10.0,
        "low_organ_absolute_bias": 1e-4,
    }
    plain = summary("patlak", 2.5)
    quarter = {"dose": 0.25}
    rows = [ours, plain, summary("ours", 1.0, **quarter), summary("patlak", 4.0, **quarter)]
    rows += [summary("ours", 1.5, world="late=600"), summary("patlak", 2.5, world="late=600")]
    people = [*patients("ours", [1.0]), *patients("patlak", [2.5])]
    people += [*patients("ours", [1.0], **quarter), *patients("patlak", [4.0], **quarter)]
    ratios = ratio_rows(people, rows, [], ["ours"])
    found = {
        row["measure"]: row for row in gate_rows(GATES["kinetic-network"], StudyNumbers("ours", rows, ratios, boxes))
    }
    verdicts = {measure: row["verdict"] for measure, row in found.items()}
    assert found["RMSE of Ki ÷ weighted Patlak of the same frames"]["found"] == pytest.approx(0.4)
    assert found["dose 1/4: RMSE of Ki ÷ weighted Patlak"]["found"] == pytest.approx(0.25)
    assert found["unseen framing: cost of the worst, %"]["found"] == pytest.approx(50.0)
    assert found["tumour box: width of the limits ÷ weighted Patlak's"]["found"] == pytest.approx(0.75)
    assert found["tumour box: width of the limits ÷ direct-network's"]["found"] == pytest.approx(1.5)
    assert found["tumour box: patients whose bias interval includes 0, %"]["found"] == 50.0
    assert found["lesions: size of the mean bias, %"]["found"] == 6.0
    assert [m for m, v in verdicts.items() if v == "miss"] == [
        "lesions: mean absolute Ki error, %",
        "unseen framing: cost of the worst, %",
        "tumour box: width of the limits ÷ direct-network's",
    ]
    assert [m for m, v in verdicts.items() if v == "not run"] == [
        "RMSE of Ki ÷ best tuned regularised Patlak",
        "RMSE of Ki ÷ noisy full-scan Patlak",
        "unseen input function: cost of the worst, %",
        "unseen noise: cost of the worst, %",
    ]


def test_gains_are_over_the_short_scan_with_the_noisy_full_scan_as_reference() -> None:
    rows = [
        {**CASE, "method": m, "noisy_rmse_mean": r, "noisy_psnr_db_mean": p, "noisy_ssim_mean": s}
        for m, r, p, s in (
            ("patlak", 2.0, 20.0, 0.5),
            ("ours", 1.5, 22.0, 0.6),
            ("patlak (full scan)", None, None, None),
        )
    ]
    (row,) = gain_rows(rows)
    assert row["noisy_rmse_gain_percent"] == pytest.approx(-25.0)
    assert row["noisy_psnr_db_gain_percent"] == pytest.approx(10.0)
    assert row["noisy_ssim_gain_percent"] == pytest.approx(20.0)
    patient = known()
    ki, _ = maps(patient, ki_added=0.002)
    assert noisy_reference_row(ki, ki.values, patient.body_mask)["noisy_rmse"] == 0.0
    assert noisy_reference_row(ki, None, patient.body_mask)["noisy_rmse"] is None


def test_contrast_is_recovered_as_far_as_the_lesion_stands_out() -> None:
    patient = known()
    patient.lesions[10:12] = 0
    reference = patient.truth["ki_patlak_9_65"]
    half = reference.copy()
    inside = patient.lesions == 1
    # half of the contrast over liver (0.01) of a lesion of 0.04
    half[inside] = 0.025
    (row,) = lesion_rows(patient, ParametricMap(half, KI, GEOMETRY))
    around = float(row["contrast_recovery_percent"])
    assert 45.0 < around < 65.0
    (same,) = lesion_rows(patient, ParametricMap(reference, KI, GEOMETRY))
    assert same["contrast_recovery_percent"] == pytest.approx(100.0)


def test_coverage_counts_how_often_the_truth_is_within_the_sd() -> None:
    patient = known()
    rng = np.random.default_rng(0)
    noise = 0.001 * rng.standard_normal(GEOMETRY.shape).astype(np.float32)
    ki = ParametricMap(patient.truth["ki_patlak_9_65"] + noise, KI, GEOMETRY)
    sd = ParametricMap(np.full(GEOMETRY.shape, 0.001, np.float32), KI_SD, GEOMETRY)
    row = coverage_row(patient, ki, sd)
    assert row["ki_within_1_sd_body_percent"] == pytest.approx(68.3, abs=2.0)
    assert row["ki_within_2_sd_body_percent"] == pytest.approx(95.4, abs=1.0)
    assert coverage_row(patient, ki, None)["ki_within_2_sd_lesion_percent"] is None


def test_the_tumour_box_has_a_thousand_voxels_around_the_malignant_lesion() -> None:
    patient = known()
    box = tumour_box(patient, GEOMETRY)
    assert box is not None
    assert box.lesion == 1 and box.index.size == 1000
    lesion = np.flatnonzero(patient.lesions == 1)
    assert np.isin(lesion, box.index).all()
    ki, _ = maps(patient, ki_added=0.001)
    row = box_row(box, box_agreement(box, ki, patient.truth["ki_patlak_9_65"], patient.body_mask))
    assert row["bias"] == pytest.approx(0.001, rel=1e-3)
    assert row["bias_ci_includes_0"] is False
    noise = np.random.default_rng(1).standard_normal(GEOMETRY.shape).astype(np.float32) * 0.002
    noisy = ParametricMap(patient.truth["ki_patlak_9_65"] + noise, KI, GEOMETRY)
    row = box_row(box, box_agreement(box, noisy, patient.truth["ki_patlak_9_65"], patient.body_mask))
    assert row["loa_upper"] - row["loa_lower"] == pytest.approx(2 * 1.96 * 0.002, rel=0.1)
    assert row["bias_ci_includes_0"] is True
    assert tumour_box(replace_lesions(patient, malignant=False), GEOMETRY) is None
    assert tumour_box(patient, replace(GEOMETRY, shape=(9, 30, 30))) is None


def replace_lesions(patient, malignant: bool):  # type: ignore[no-untyped-def]
    return replace(patient, lesion_list=[Lesion(1, 18.0, malignant), Lesion(2, 9.0, malignant)])


def test_worlds_change_the_scan_as_they_say() -> None:
    here = middle_slices("small", 3)
    usual = simulate_patient(seed=90_000, geometry=here)
    late = World.parse("late=600").patient("thorax", "small", 90_000, 1.0, here, lambda *_: None)
    assert len(late.series.timing) == 18 + 5 and late.series.timing.end_s[-1] == 3900.0
    assert set(late.series.timing.duration_s[-5:]) == {600.0}
    np.testing.assert_array_equal(late.truth["ki_patlak_9_65"], usual.truth["ki_patlak_9_65"])
    slow = World.parse("bolus=60+clearance=0.4").patient("thorax", "small", 90_000, 1.0, here, lambda *_: None)
    assert slow.settings["injection_duration_s"] == 60.0
    assert slow.input_function.peak[1] < 0.95 * usual.input_function.peak[1]
    end = np.array([1800.0, 3900.0])
    fall = [float(np.divide(*p.input_function.plasma_at(end))) for p in (usual, slow)]
    assert np.log(fall[1]) == pytest.approx(0.4 * np.log(fall[0]), rel=0.02)
    coarse = World.parse("voxel=8").patient("thorax", "small", 90_000, 1.0, here, lambda *_: None)
    assert coarse.series.geometry.spacing_mm == (8.0, 8.0, 8.0)
    # the same corner, the same extent to a voxel
    corner = [o - 0.5 * s for o, s in zip(here.origin_mm, here.spacing_mm, strict=True)]
    assert [o - 4.0 for o in coarse.series.geometry.origin_mm] == pytest.approx(corner)
    assert coarse.series.geometry.shape[2] * 8.0 == pytest.approx(96 * here.spacing_mm[0], abs=8.0)


def test_the_noise_of_another_correlation_has_the_same_variance() -> None:
    here = replace(grid("small"), shape=(3, 96, 96), spacing_mm=(2.0, 2.0, 2.0), origin_mm=(-96.0, -96.0, 0.0))
    sds, neighbours = [], []
    for name in ("noise-fwhm=3.5", "usual", "noise-fwhm=9"):
        p = World.parse(name).patient("thorax", "small", 90_001, 1.0, here, lambda *_: None)
        noise = p.series.voxels.values[-1] - p.noise_free[-1]
        inside = p.body_mask
        sds.append(float(noise[inside].std()))
        both = inside[:, :, 1:] & inside[:, :, :-1]
        shifted = (noise[:, :, 1:] * noise[:, :, :-1])[both].mean() / noise[inside].var()
        neighbours.append(float(shifted))
    assert max(sds) < 1.15 * min(sds)
    assert neighbours[0] < neighbours[1] < neighbours[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("late", "'late' in 'late' is not a change"),
        ("colour=red", "is not a change of the simulated scan"),
        ("late=600+frames=60x60", "gives the frames twice"),
        ("bolus=0", "'0' is not a value of 'bolus'"),
        ("frames=60", "not of the form COUNTxSECONDS"),
        ("noise=poisson", "not a kind of noise"),
        ("noise-fwhm=fine", "'fine' is not a value of 'noise-fwhm'"),
    ],
)
def test_a_world_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        World.parse(text)


def test_the_worlds_of_the_gates_can_all_be_made() -> None:
    kinds = [kind_of(World.parse(text).name) for text in GATE_WORLDS]
    assert {"framing", "input function", "noise", "voxels"} == set(kinds)


def test_classical_methods_stand_at_automatic_and_tuned_strength() -> None:
    found = {one.label: dict(one.options) for one in classical(0.3, 35.0, tuned=True)}
    assert found["nlm"] == {} and found["nlm (tuned)"] == {"strength": "2.3"}
    assert found["hypr (tuned)"] == {"strength": "14"}
    assert len(found) == 8 and len(classical(1.0, None, tuned=False)) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beside": ("magic",)}, "no method 'magic'"),
        ({"beside": ("nlm:strength",)}, "not of the form KEY=VALUE"),
        ({"beside": ("nlm:colour=red",)}, "'colour' is not an option of nlm"),
        ({"beside": ("hypr", "hypr")}, "named twice"),
        ({"worlds": ("late=600", "late=600")}, "A world is named twice"),
        ({"worlds": ("usual",)}, "A world is named twice"),
        ({"gates": "magic"}, "no gates of 'magic'"),
    ],
)
def test_a_study_with_impossible_company_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Study(method="gaussian", **change)


def test_nothing_of_the_scan_after_its_end_reaches_a_method() -> None:
    """A method of the whole series at --until 35: frames, samples and blood end there."""
    patient = simulate_patient(seed=90_002, geometry=middle_slices("small", 5))
    curve = aorta_input(patient, 35.0)
    problem = problem_of(patient, curve, 0.0, 35.0)
    assert problem.frames.tolist() == list(range(22))
    assert problem.input_function.end_s == 2100.0


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gates") / "out"
    arguments = ["evaluate", "hypr", "--patients", "1", "--slices", "11", "--until", "35", "--gates", "kinetic-network"]
    arguments += ["--beside", "full-scan", "--beside", "gaussian:strength=6", "--beside", "two-tissue"]
    assert main([*arguments, "--world", "late=600", "-o", str(out)]) == 0
    return out


def test_the_command_judges_the_method_beside_others_and_says_which_gates_it_passes(study: Path) -> None:
    rows = read_table(study / "summary.tsv")
    methods = {row["method"] for row in rows if row["input"] == "aorta ROI" and row["world"] == USUAL}
    assert methods == {"patlak", "hypr", "gaussian:strength=6", "two-tissue", "patlak (full scan)"}
    assert {row["method"] for row in rows if row["input"] == "true curve"} == {"patlak", "hypr"}
    assert {row["world"] for row in rows} == {USUAL, "late=600"}
    gates = {row["measure"]: row for row in read_table(study / "gates.tsv")}
    ratio = gates["RMSE of Ki ÷ weighted Patlak of the same frames"]["found"]
    by_method = {
        row["method"]: row["ki_rmse_mean"] for row in rows if row["input"] == "aorta ROI" and row["world"] == USUAL
    }
    assert ratio == pytest.approx(by_method["hypr"] / by_method["patlak"], rel=1e-5)
    assert gates["RMSE of Ki ÷ noisy full-scan Patlak"]["found"] > 1.0
    assert gates["RMSE of Ki ÷ best tuned regularised Patlak"]["verdict"] == "not run"
    text = (study / "study.md").read_text()
    assert "## Gates of kinetic-network, judged: hypr" in text and "not run here" in text
    assert "## Worlds not trained in" in text
    gains = read_table(study / "gains.tsv")
    assert all(row["noisy_rmse_gain_percent"] < 0 for row in gains if row["method"] == "hypr")


def test_the_tumour_box_of_the_study_has_both_references(study: Path) -> None:
    path = study / "tumour_roi.tsv"
    if not path.exists():
        pytest.fail("patient 90000 has a malignant lesion in its middle slices")
    rows = [row for row in read_table(path) if row["world"] == USUAL and row["input"] == "aorta ROI"]
    assert {row["reference"] for row in rows if row["method"] == "hypr"} == {"truth", "noisy full scan"}
    assert {row["n"] for row in rows} == {1000}


def test_options_reach_the_method_and_its_label_in_the_company(tmp_path: Path) -> None:
    contestant = Contestant.parse("nlm:strength=2")
    assert (contestant.label, contestant.options) == ("nlm:strength=2", {"strength": "2"})
    study = Study("gaussian", patients=1, slices=5, options={"strength": "3"}, beside=("gaussian:strength=9",))
    run_study(study, tmp_path / "out")
    rows = read_table(tmp_path / "out" / "patients.tsv")
    strengths = {(row["method"], row["input"]): row["strength"] for row in rows}
    assert strengths["gaussian", "aorta ROI"] == 3
    assert strengths["gaussian:strength=9", "aorta ROI"] == 9
