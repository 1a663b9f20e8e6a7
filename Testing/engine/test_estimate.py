"""The whole command on small patients: what it writes, what it uses, what it refuses, what it leaves behind."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from synthetic import (
    HALF_LIFE_S,
    LAMBDA,
    LIANG,
    Patient,
    load_map,
    reference_patlak,
    result,
    run,
    save_nifti,
    starts_of,
)

MAPS = ("ki", "v0", "ki_sd", "v0_sd", "residual")
#: beside a method's maps, where dose and weight are known
WITH_SUV = (*MAPS, "suv")


@pytest.fixture
def patient() -> Patient:
    return Patient()


@pytest.fixture
def scan(tmp_path, patient) -> Path:
    return patient.save(tmp_path / "in")


def estimate(series, out, *options, roi=True) -> int:  # type: ignore[no-untyped-def]
    source = ("--roi", Path(series).parent / "aorta.nii") if roi else ()
    return run("estimate", series, *source, "--method", "patlak", "-o", out, *options)


def maps(folder: Path) -> dict[str, np.ndarray]:
    return {name: load_map(folder / f"{name}.nii.gz") for name in MAPS}


def assert_same_maps(a: Path, b: Path) -> None:
    for name in MAPS:
        np.testing.assert_array_equal(load_map(a / f"{name}.nii.gz"), load_map(b / f"{name}.nii.gz"), err_msg=name)


def left_in(folder: Path) -> set[str]:
    """All names below a folder, hidden ones too."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


# ------------------------------------------------------------------------------------ the result folder


@pytest.mark.parametrize(("options", "suffix"), [((), ".nii.gz"), (("--no-compress",), ".nii")])
def test_result_folder_of_an_roi_estimate(tmp_path, scan, options, suffix):
    out = tmp_path / "out"
    assert estimate(scan, out, *options) == 0
    assert left_in(out) == {
        *(name + suffix for name in WITH_SUV),
        "input_function.tsv",
        "input_function.json",
        "input_function_frames.tsv",
        "result.json",
    }


@pytest.mark.parametrize("unknown", ["BodyWeight", "InjectedRadioactivity"])
def test_without_dose_or_weight_there_is_no_suv_but_everything_else(tmp_path, patient, unknown):
    series = patient.save(tmp_path / "in", **{unknown: None})
    assert estimate(series, tmp_path / "out") == 0
    assert {n for n in left_in(tmp_path / "out") if n.endswith(".nii.gz")} == {f"{name}.nii.gz" for name in MAPS}


def test_result_folder_of_a_table_estimate_has_no_region_frames(tmp_path, scan, patient):
    blood = patient.save_blood(tmp_path / "blood.tsv")
    assert estimate(scan, tmp_path / "out", "--input-function", blood, roi=False) == 0
    assert "input_function_frames.tsv" not in left_in(tmp_path / "out")
    assert (tmp_path / "out" / "input_function.tsv").is_file()


def test_compressed_and_plain_maps_hold_the_same_voxels(tmp_path, scan):
    assert estimate(scan, tmp_path / "a") == estimate(scan, tmp_path / "b", "--no-compress") == 0
    for name in MAPS:
        a, b = nib.load(str(tmp_path / "a" / f"{name}.nii.gz")), nib.load(str(tmp_path / "b" / f"{name}.nii"))
        np.testing.assert_array_equal(np.asarray(a.dataobj), np.asarray(b.dataobj))
        assert a.get_data_dtype() == b.get_data_dtype() == np.float32
    assert (tmp_path / "a" / "ki.nii.gz").read_bytes()[:2] == b"\x1f\x8b"


def test_result_json_tells_what_was_done_with_what(tmp_path, scan, patient):
    out = tmp_path / "out"
    assert estimate(scan, out, "--t-star", "20", "--until", "60", "--dose", "250", "--plasma-ratio", "1.1") == 0
    record = result(out)
    for key in (
        "job",
        "method",
        "options",
        "overrides",
        "versions",
        "weights_hash",
        "input_uids",
        "device",
        "seconds",
        "warnings",
    ):
        assert key in record, f"result.json holds {key}"
    assert (record["job"], record["method"]) == ("estimate", "patlak")
    assert record["overrides"] == {"dose_mbq": 250.0, "plasma_ratio": 1.1}
    assert record["options"]["plasma_ratio"] == 1.1
    assert record["options"]["until"] == record["until_min"] == 60.0
    assert record["t_star_min"] == 20.0
    assert [f["index"] for f in record["frames_used"]] == list(range(19, 27))
    assert set(record["maps"]) == set(WITH_SUV)
    assert record["maps"]["ki"]["unit"] == "mL/min/mL"
    assert record["maps"]["v0"]["unit"] == "mL/mL"
    assert record["series"]["shape"] == [28, *patient.shape]
    assert record["series"]["half_life_s"] == HALF_LIFE_S
    assert 0 < record["seconds"] < 60
    assert "petkinetics" in record["versions"]


def test_a_result_says_when_it_was_made_and_from_which_file(tmp_path, patient):
    before = datetime.now(timezone.utc).replace(microsecond=0)
    series = patient.save(tmp_path / "in")
    assert estimate(series, tmp_path / "out", "--report") == 0
    record = result(tmp_path / "out")
    made = datetime.fromisoformat(record["made"])
    assert made.utcoffset() == timedelta(0) and before <= made <= datetime.now(timezone.utc)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Made (UTC)" in page and record["made"] in page
    # a packed copy of another name in another folder is the same; another sidecar or grid is not
    others = {
        "the same": patient.save(tmp_path / "Doe", name="copy.nii.gz"),
        "another patient": patient.save(tmp_path / "b", BodyWeight=71.0),
        "another grid": Patient(spacing=(8.0, 8.0, 6.5)).save(tmp_path / "c"),
    }
    found = {}
    for name, other in others.items():
        assert estimate(other, tmp_path / name) == 0
        found[name] = result(tmp_path / name)["input_fingerprint"]
    assert found["the same"] == record["input_fingerprint"]
    assert len({record["input_fingerprint"], *found.values()}) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in found.values())


def test_a_value_that_is_not_a_number_is_null_and_does_not_end_a_run_in_its_last_step(tmp_path, scan, monkeypatch):
    import petkinetics.estimate

    made = petkinetics.estimate.record_of

    def with_unknown(*given):  # type: ignore[no-untyped-def]
        values = {"nan": float("nan"), "deep": [{"inf": np.float32(-np.inf)}, (np.nan, 1.5)], "count": np.int64(3)}
        return {**made(*given), "unknown": values}

    monkeypatch.setattr(petkinetics.estimate, "record_of", with_unknown)
    assert estimate(scan, tmp_path / "out", "--report") == 0

    def refused(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    text = (tmp_path / "out" / "result.json").read_text(encoding="utf-8")
    unknown = json.loads(text, parse_constant=refused)["unknown"]
    assert unknown == {"nan": None, "deep": [{"inf": None}, [None, 1.5]], "count": 3}


@pytest.mark.parametrize(
    ("options", "why", "names"),
    [
        (("--samples", "4", "--seed", "2"), "patlak draws nothing at random", "--samples, --seed"),
        (("--weights", "mine"), "patlak is not a learned method", "--weights"),
        (("--set", "input_units=Bq/mL"), "the input function is not from a table", "--set input_units"),
        (("--set", "suv=none", "--set", "sex=F"), "no SUV image is made", "--set sex"),
        (("--set", "first_frame=3"), "a NIfTI series has that in its sidecar", "--set first_frame"),
    ],
)
def test_an_option_that_is_not_used_is_said_to_be(tmp_path, scan, capsys, options, why, names):
    assert estimate(scan, tmp_path / "out", *options) == 0
    sentence = f"Not used, because {why}: {names}."
    assert sentence in capsys.readouterr().err
    assert sentence in result(tmp_path / "out")["warnings"]


def test_no_folder_name_is_recorded(tmp_path, patient):
    series = patient.save(tmp_path / "Doe_John_1950")
    out = tmp_path / "out"
    assert estimate(series, out, "--mask", tmp_path / "Doe_John_1950" / "aorta.nii") == 0
    for file in out.iterdir():
        if file.suffix in (".json", ".tsv"):
            assert "Doe" not in file.read_text(encoding="utf-8"), file.name


def test_maps_lie_on_the_series_own_grid(tmp_path, patient):
    affine = patient.affine()
    turn = np.eye(4)
    c, s = np.cos(0.3), np.sin(0.3)
    turn[:2, :2] = [[c, -s], [s, c]]
    save_nifti(tmp_path / "pet.nii", patient.frames, turn @ affine)
    (tmp_path / "pet.json").write_text(json.dumps(patient.sidecar()))
    save_nifti(tmp_path / "aorta.nii", patient.aorta, turn @ affine)
    assert estimate(tmp_path / "pet.nii", tmp_path / "out") == 0
    for name in MAPS:
        image = nib.load(str(tmp_path / "out" / f"{name}.nii.gz"))
        np.testing.assert_allclose(image.affine, turn @ affine, atol=1e-3)
        np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-2)


def test_maps_are_zero_outside_the_mask_and_finite_within(tmp_path, scan, patient):
    assert estimate(scan, tmp_path / "out") == 0
    found = maps(tmp_path / "out")
    air = np.ones(patient.shape, bool)
    air[:, 1:-1, 1:-1] = False
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    for name, values in found.items():
        assert np.isfinite(values).all(), name
        for j, i in corners:
            assert (values[:, j, i] == 0).all(), name
    assert (found["ki"][patient.tissue] != 0).all()


def test_hashes_are_those_of_the_files(tmp_path, scan, patient):
    out = tmp_path / "out"
    blood = patient.save_blood(tmp_path / "blood.tsv")
    aorta = scan.parent / "aorta.nii"
    options = ("--input-function", blood, "--mask", aorta, "--rois", f"{aorta}:1", "--hash")
    assert estimate(scan, out, *options, roi=False) == 0
    stated = result(out)["sha256"]
    for name, value in stated["outputs"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == value
    assert set(stated["outputs"]) == left_in(out) - {"result.json"}
    files = {"series": scan, "input_function": blood, "mask": aorta, "rois": aorta}
    assert stated["inputs"] == {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


def test_without_hash_none_is_written(tmp_path, scan):
    assert estimate(scan, tmp_path / "out") == 0
    assert "sha256" not in result(tmp_path / "out")


def test_the_same_command_gives_the_same_bits(tmp_path, scan):
    assert estimate(scan, tmp_path / "a") == estimate(scan, tmp_path / "b") == 0
    assert_same_maps(tmp_path / "a", tmp_path / "b")


# ------------------------------------------------------------------------------------ regions


def test_roi_table_has_the_columns_of_the_contract_to_the_letter(tmp_path, scan, patient):
    labels = patient.aorta.copy()
    labels[2:4, 5:8, 6:10] = 2
    save_nifti(tmp_path / "regions.nii", labels, patient.affine())
    out = tmp_path / "out"
    assert estimate(scan, out, "--rois", tmp_path / "regions.nii") == 0
    lines = (out / "roi.tsv").read_text().splitlines()
    assert lines[0] == "roi\tmap\tunit\tvoxels\tvolume_ml\tmean\tsd\tse\tmedian\tmin\tmax\tp05\tp95\tpeak"
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    assert [(r["roi"], r["map"]) for r in rows] == [(f"label {n}", m) for n in (1, 2) for m in WITH_SUV]
    region = labels == 2
    ki = load_map(out / "ki.nii.gz")
    row = next(r for r in rows if (r["roi"], r["map"]) == ("label 2", "ki"))
    assert row["unit"] == "mL/min/mL"
    assert int(row["voxels"]) == region.sum()
    assert float(row["volume_ml"]) == pytest.approx(region.sum() * np.prod(patient.spacing) / 1000.0)
    assert float(row["mean"]) == pytest.approx(ki[region].mean(), rel=1e-5)
    assert float(row["sd"]) == pytest.approx(ki[region].std(ddof=1), rel=1e-5)
    assert float(row["median"]) == pytest.approx(np.median(ki[region]), rel=1e-5)
    assert float(row["max"]) == pytest.approx(ki[region].max(), rel=1e-5)
    assert float(row["p05"]) == pytest.approx(np.percentile(ki[region], 5), rel=1e-4)


def test_se_of_a_region_is_that_of_the_fit_to_its_mean_curve(tmp_path, patient):
    frames = patient.frames * (1 + 0.03 * np.random.default_rng(1).standard_normal(28)[:, None, None, None])
    series = patient.save(tmp_path / "in", frames=frames.astype(np.float32))
    labels = np.zeros(patient.shape, np.uint8)
    labels[2:4, 5:8, 6:10] = 3
    save_nifti(tmp_path / "regions.nii", labels, patient.affine())
    blood, out = patient.save_blood(tmp_path / "blood.tsv"), tmp_path / "out"
    assert estimate(series, out, "--input-function", blood, "--rois", tmp_path / "regions.nii", roi=False) == 0
    header, *lines = [line.split("\t") for line in (out / "roi.tsv").read_text().splitlines()]
    row = dict(zip(header, lines[0], strict=True))
    used = result(out)["frames_used"]
    index, weights = [f["index"] for f in used], np.array([f["weight"] for f in used])
    design = patient.design[index]
    tac = frames[index][:, labels == 3].mean(axis=1)
    ki, v0 = reference_patlak(tac[:, None], design, weights)
    misfit = tac - design @ [ki[0], v0[0]]
    w = np.diag(weights)
    covariance = np.linalg.inv(design.T @ w @ design) * (misfit @ w @ misfit) / (len(index) - 2)
    assert float(row["se"]) == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-4)


def nowhere(patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(patient.shape, np.uint8), patient.affine()


def in_the_air(patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros(patient.shape, np.uint8)
    labels[2, 0, 0:2] = 4
    return labels, patient.affine()


def in_another_examination(patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    away = patient.affine()
    away[:3, 3] += 900.0
    return patient.aorta, away


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (nowhere, ("is empty", "No region is reported")),
        (in_the_air, ("'label 4' lies outside the body mask", "none is reported")),
        (in_another_examination, ("lies outside the PET image", "another examination", "No region is reported")),
    ],
)
@pytest.mark.parametrize("options", [(), ("--report", "--t-star", "auto"), ("--method", "two-tissue")])
def test_without_a_region_in_the_patient_the_maps_are_written_and_it_is_said_before_they_are_made(
    tmp_path, scan, patient, capsys, place, words, options
):
    save_nifti(tmp_path / "regions.nii", *place(patient))
    out = tmp_path / "out"
    assert estimate(scan, out, "--rois", tmp_path / "regions.nii", "--json", *options) == 0
    assert (out / "roi.tsv").read_text() == (
        "roi\tmap\tunit\tvoxels\tvolume_ml\tmean\tsd\tse\tmedian\tmin\tmax\tp05\tp95\tpeak\n"
    )
    assert (out / "ki.nii.gz").is_file()
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    estimating = next(i for i, e in enumerate(events) if e.get("fraction", 0.0) > 0.08)
    said = " ".join(e["message"] for e in events[:estimating] if e["event"] == "warning")
    for word in words:
        assert word in said
    recorded = [w for w in result(out)["warnings"] if "region" in w]
    assert len(recorded) == len(set(recorded)) <= 2


def test_regions_that_lie_elsewhere_are_left_out_and_the_others_reported(tmp_path, scan, patient):
    """With --t-star auto, too, which looks at the regions' curves."""
    grid = np.zeros((4 * patient.shape[0], *patient.shape[1:]), np.uint8)
    grid[: patient.shape[0]] = patient.aorta
    grid[2, 0, 0:2] = 4
    grid[-2, 5:8, 6:10] = 5
    save_nifti(tmp_path / "regions.nii", grid, patient.affine())
    out = tmp_path / "out"
    assert estimate(scan, out, "--rois", tmp_path / "regions.nii", "--t-star", "auto") == 0
    rows = [line.split("\t") for line in (out / "roi.tsv").read_text().splitlines()[1:]]
    assert {row[0] for row in rows} == {"label 1"}
    warnings = " ".join(result(out)["warnings"])
    assert "'label 4' lies outside the body mask" in warnings
    assert "'label 5' of regions.nii lies outside the PET image. It was left out." in warnings


# ------------------------------------------------------------------------------------ frames used


@pytest.mark.parametrize(
    ("options", "t_star", "warned"),
    [
        ((), 30.0, False),
        (("--until", "35"), 9.0, True),
        (("--t-star", "15"), 15.0, False),
        (("--until", "60"), 30.0, False),
    ],
)
def test_t_star_default_and_given(tmp_path, scan, capsys, options, t_star, warned):
    out = tmp_path / "out"
    assert estimate(scan, out, *options) == 0
    record = result(out)
    assert record["t_star_min"] == t_star
    assert f"{t_star:g}" in record["t_star_choice"]
    assert any("t*" in w for w in record["warnings"]) is warned
    assert ("t*" in capsys.readouterr().err) is warned


def test_t_star_auto_is_reported_and_linear(tmp_path, patient):
    early = patient.start < 20 * 60 - 1
    patient.frames[early] *= (1.0 - 0.4 * (1.0 - patient.start[early] / 1200.0))[:, None, None, None].astype(np.float32)
    patient.frames[:, patient.aorta > 0] = patient.design[:, 1, None]
    series, out = patient.save(tmp_path / "in"), tmp_path / "out"
    assert estimate(series, out, "--t-star", "auto") == 0
    assert 10.0 <= result(out)["t_star_min"] <= 20.0
    assert "auto" in result(out)["t_star_choice"] or "line" in result(out)["t_star_choice"]


@pytest.mark.parametrize(
    "options", [("--t-star", "60"), ("--until", "12"), ("--t-star", "30", "--until", "35"), ("--until", "0.05")]
)
def test_fewer_than_three_frames_are_refused(tmp_path, scan, capsys, options):
    assert estimate(scan, tmp_path / "out", *options) == 2
    assert "frame" in capsys.readouterr().err
    assert left_in(tmp_path) == {"in", *(f"in/{n}" for n in ("pet.nii", "pet.json", "aorta.nii"))}


@pytest.mark.parametrize("mask", ["body", "none"])
@pytest.mark.parametrize("t_star", ["9", "auto"])
@pytest.mark.parametrize("until", ["35", "34"])
def test_nothing_after_until_changes_a_voxel(tmp_path, patient, mask, t_star, until):
    frames = patient.frames + np.random.default_rng(0).normal(0, 0.3, patient.frames.shape).astype(np.float32)
    a = patient.save(tmp_path / "a", frames=frames)
    frames = frames.copy()
    frames[patient.end > 60 * float(until) + 1] = np.nan
    b = patient.save(tmp_path / "b", frames=frames)
    for series in (a, b):
        options = ("--until", until, "--mask", mask, "--t-star", t_star, "--rois", series.parent / "aorta.nii")
        assert estimate(series, series.parent / "out", *options) == 0
    assert_same_maps(tmp_path / "a/out", tmp_path / "b/out")
    for name in ("input_function.tsv", "input_function_frames.tsv", "roi.tsv"):
        assert (tmp_path / "a/out" / name).read_text() == (tmp_path / "b/out" / name).read_text()


@pytest.mark.parametrize("mask", ["body", "none"])
def test_a_scan_that_ends_at_t_gives_the_same_maps(tmp_path, patient, mask):
    frames = patient.frames + np.random.default_rng(0).normal(0, 0.3, patient.frames.shape).astype(np.float32)
    whole = patient.save(tmp_path / "whole", frames=frames)
    short = Patient(duration=LIANG[:22])
    part = short.save(tmp_path / "part", frames=frames[:22])
    assert estimate(whole, tmp_path / "a", "--until", "35", "--mask", mask) == 0
    assert estimate(part, tmp_path / "b", "--mask", mask) == 0
    assert_same_maps(tmp_path / "a", tmp_path / "b")
    assert result(tmp_path / "a")["t_star_min"] == result(tmp_path / "b")["t_star_min"] == 9.0


@pytest.mark.parametrize("step", [60.0, 70.0], ids=["a sample at T", "no sample at T"])
def test_samples_after_until_change_no_voxel(tmp_path, scan, patient, step):
    time = np.concatenate([np.arange(0.0, 300.0, 5.0), np.arange(300.0, 4300.0, step)])
    cp = np.interp(time, patient.nodes, patient.cp)
    spoiled = np.where(time > 35 * 60 + 1, np.nan, cp)
    wild = np.where(time > 35 * 60 + 1, 500.0, cp)
    outs = []
    for name, values in (("good", cp), ("spoiled", spoiled), ("wild", wild)):
        blood = patient.save_blood(tmp_path / f"{name}.tsv", time=time, values=values)
        outs.append(tmp_path / name)
        assert estimate(scan, outs[-1], "--input-function", blood, "--until", "35", roi=False) == 0
    for other in outs[1:]:
        assert_same_maps(outs[0], other)
        assert (other / "input_function.tsv").read_text() == (outs[0] / "input_function.tsv").read_text()


@pytest.mark.parametrize("step", [60.0, 70.0], ids=["a sample at T", "no sample at T"])
def test_a_scan_that_ends_at_t_gives_the_same_maps_with_the_same_table(tmp_path, scan, patient, step):
    time = np.concatenate([np.arange(0.0, 300.0, 5.0), np.arange(300.0, 4300.0, step)])
    blood = patient.save_blood(tmp_path / "blood.tsv", time=time, values=np.interp(time, patient.nodes, patient.cp))
    part = Patient(duration=LIANG[:22]).save(tmp_path / "part", frames=patient.frames[:22])
    assert estimate(scan, tmp_path / "a", "--input-function", blood, "--until", "35", roi=False) == 0
    assert estimate(part, tmp_path / "b", "--input-function", blood, roi=False) == 0
    assert_same_maps(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("options", [(), ("--until", "35"), ("--t-star", "12"), ("--plasma-ratio", "1.1")])
def test_estimating_again_from_input_function_tsv_reproduces_ki(tmp_path, patient, options):
    frames = patient.frames + np.random.default_rng(0).normal(0, 0.3, patient.frames.shape).astype(np.float32)
    series = patient.save(tmp_path / "in", frames=frames)
    assert estimate(series, tmp_path / "a", *options) == 0
    again = [o for o in options if o not in ("--plasma-ratio", "1.1")]
    assert (
        estimate(series, tmp_path / "b", "--input-function", tmp_path / "a/input_function.tsv", *again, roi=False) == 0
    )
    a, b = maps(tmp_path / "a"), maps(tmp_path / "b")
    assert np.abs(a["ki"] - b["ki"]).max() <= 1e-6 * np.sqrt(np.mean(a["ki"] ** 2))
    np.testing.assert_allclose(b["v0"], a["v0"], rtol=1e-6, atol=1e-6)
    assert result(tmp_path / "b")["input_function"]["kind"] == result(tmp_path / "a")["input_function"]["kind"]


def test_frames_before_injection_and_a_gap_still_give_ki(tmp_path):
    duration = np.concatenate([[30.0, 30.0], LIANG])
    start = starts_of(duration, -60.0)
    keep = np.ones(len(duration), bool)
    keep[20] = False
    patient = Patient(duration=duration[keep], start=start[keep])
    series, out = patient.save(tmp_path / "in"), tmp_path / "out"
    assert estimate(series, out) == 0
    assert any("cover" in w or "gap" in w for w in result(out)["warnings"])
    assert len(result(out)["series"]["gaps_s"]) == 1
    ki = load_map(out / "ki.nii.gz")[patient.tissue]
    assert np.abs(ki / patient.ki[patient.tissue] - 1.0).max() < 4e-3


# ------------------------------------------------------------------------------------ mask


def test_body_mask_keeps_a_lesion_at_the_skin_and_leaves_out_the_air(tmp_path):
    patient = Patient(shape=(8, 64, 64), spacing=(4.0, 4.0, 4.0))
    lesion = np.zeros(patient.shape, bool)
    edge = int(np.flatnonzero(patient.body[4, :, 32])[0])
    lesion[3:6, edge - 2 : edge + 1, 31:34] = True  # bulges two voxels out of the skin
    patient.ki[lesion], patient.v0[lesion] = 0.05, 0.6
    patient.frames[:, lesion] = (patient.design @ [0.05, 0.6])[:, None]
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.4, patient.frames.shape) * np.sqrt(300.0 / patient.duration)[:, None, None, None]
    series, out = patient.save(tmp_path / "in", frames=(patient.frames + noise).astype(np.float32)), tmp_path / "out"
    assert estimate(series, out) == 0
    inside = load_map(out / "ki.nii.gz") != 0
    assert inside[lesion].all()
    assert inside[patient.body].all()
    assert not inside[:, :8, :8].any()
    assert inside.sum() < 1.8 * patient.body.sum()


def test_body_mask_keeps_cold_lungs_and_arms(tmp_path):
    patient = Patient(shape=(8, 72, 72), spacing=(6.0, 6.0, 6.0))
    _z, y, x = np.mgrid[:8, :72, :72]
    torso = ((y - 36) / 16) ** 2 + ((x - 36) / 20) ** 2 < 1
    lung = (((y - 34) / 7) ** 2 + ((x - 28) / 5) ** 2 < 1) | (((y - 34) / 7) ** 2 + ((x - 45) / 5) ** 2 < 1)
    arm = ((y - 38) / 5) ** 2 + ((x - 7) / 5) ** 2 < 1
    patient.frames[:] = 0.0
    tac = (patient.design @ [0.01, 0.5]).astype(np.float32)
    patient.frames[:, torso & ~lung] = tac[:, None]
    patient.frames[:, lung] = 0.05 * tac[:, None]
    patient.frames[:, arm] = 0.5 * tac[:, None]
    patient.frames[:, patient.aorta > 0] = patient.design[:, 1, None].astype(np.float32)
    series, out = patient.save(tmp_path / "in"), tmp_path / "out"
    assert estimate(series, out) == 0
    inside = load_map(out / "ki_sd.nii.gz") > 0
    assert inside[torso].all(), "holes are filled"
    assert inside[arm].all()
    assert not inside[:, 0].any()


def test_mask_none_estimates_everywhere_and_a_file_only_there(tmp_path, scan, patient):
    assert estimate(scan, tmp_path / "none", "--mask", "none") == 0
    everywhere = load_map(tmp_path / "none/ki_sd.nii.gz")
    assert (everywhere > 0).all()
    chosen = np.zeros(patient.shape, np.uint8)
    chosen[2:5, 6:15, 7:12] = 4
    mask = save_nifti(tmp_path / "mask.nii.gz", chosen, patient.affine())
    assert estimate(scan, tmp_path / "file", "--mask", mask) == 0
    np.testing.assert_array_equal(load_map(tmp_path / "file/ki_sd.nii.gz") > 0, chosen > 0)
    ki = load_map(tmp_path / "file/ki.nii.gz")
    np.testing.assert_allclose(ki[chosen > 0], load_map(tmp_path / "none/ki.nii.gz")[chosen > 0], rtol=1e-3, atol=1e-6)
    assert result(tmp_path / "file")["options"]["mask"] == "mask.nii.gz"


def test_a_mask_on_another_grid_is_brought_to_the_pet(tmp_path, scan, patient):
    fine = np.zeros((6, 48, 48), np.uint8)
    fine[2:5, 12:30, 14:24] = 1
    affine = patient.affine()
    affine[:3, :2] /= 2
    affine[:3, 3] -= 0.5 * (affine[:3, 0] + affine[:3, 1])
    mask = save_nifti(tmp_path / "mask.nii", fine, affine)
    assert estimate(scan, tmp_path / "out", "--mask", mask) == 0
    expected = np.zeros(patient.shape, bool)
    expected[2:5, 6:15, 7:12] = True
    np.testing.assert_array_equal(load_map(tmp_path / "out/ki_sd.nii.gz") > 0, expected)


# ------------------------------------------------------------------------------------ plasma and overrides


def test_plasma_ratio_divides_ki_and_v0_and_changes_the_label(tmp_path, patient):
    frames = patient.frames + np.random.default_rng(0).normal(0, 0.2, patient.frames.shape).astype(np.float32)
    series = patient.save(tmp_path / "in", frames=frames)
    assert estimate(series, tmp_path / "a") == 0
    assert estimate(series, tmp_path / "b", "--plasma-ratio", "1.25") == 0
    assert estimate(series, tmp_path / "c", "--hct", "0.45") == 0
    a, b, c = (maps(tmp_path / n) for n in "abc")
    for name in ("ki", "v0", "ki_sd", "v0_sd"):
        np.testing.assert_allclose(b[name], a[name] / 1.25, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(c[name], a[name] * (1 - 0.3 * 0.45), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(b["residual"], a["residual"], rtol=1e-4)
    records = [result(tmp_path / n) for n in "abc"]
    assert [r["ki_label"] for r in records] == ["Ki (whole-blood input)", "Ki", "Ki"]
    assert [r["input_function"]["kind"] for r in records] == ["whole blood", "plasma", "plasma"]
    assert "1.25" in records[1]["input_function"]["source"]
    assert "0.45" in records[2]["input_function"]["source"]
    table = np.loadtxt(tmp_path / "b/input_function.tsv", skiprows=1)
    np.testing.assert_allclose(table[:, 2], 1.25 * table[:, 1], rtol=1e-6)


@pytest.mark.parametrize(
    "options", [("--plasma-ratio", "9"), ("--hct", "2"), ("--hct", "-0.4"), ("--plasma-ratio", "nan")]
)
def test_impossible_plasma_corrections_are_refused(tmp_path, scan, options):
    assert estimate(scan, tmp_path / "out", *options) == 2
    assert not (tmp_path / "out").exists()


def test_plasma_ratio_and_haematocrit_exclude_each_other(tmp_path, scan):
    assert estimate(scan, tmp_path / "out", "--plasma-ratio", "1.1", "--hct", "0.4") == 2


@pytest.mark.parametrize(("option", "name", "value"), [("--plasma-ratio", "plasma_ratio", 1.1), ("--hct", "hct", 0.42)])
def test_a_plasma_correction_is_recorded_as_an_override(tmp_path, scan, option, name, value):
    assert estimate(scan, tmp_path / "out", option, value) == 0
    assert result(tmp_path / "out")["overrides"] == {name: value}


def test_overrides_are_recorded_and_used(tmp_path, scan):
    out = tmp_path / "out"
    options = ("--injection-time", "10:00:05", "--dose", "280", "--weight", "81", "--half-life", "6588")
    assert estimate(scan, out, *options) == 0
    assert result(out)["overrides"] == {
        "injection_time": "10:00:05",
        "dose_mbq": 280.0,
        "weight_kg": 81.0,
        "half_life_s": 6588.0,
    }
    assert result(out)["frames_used"][0]["start_s"] == pytest.approx(2095.0)  # 1795 s is more than 1 s before t*


def test_a_late_injection_clock_warns_with_its_seconds(tmp_path, scan, capsys):
    assert estimate(scan, tmp_path / "out", "--injection-time", "09:58:00") == 0
    said = " ".join(result(tmp_path / "out")["warnings"])
    assert "injection" in said
    assert any(
        n in said for n in ("140", "141", "142", "143", "144", "145", "125", "126", "127", "128", "129", "130")
    ), said
    assert "warning" in capsys.readouterr().err


# ------------------------------------------------------------------------------------ units do not matter


@pytest.mark.parametrize(("units", "factor"), [("Bq/mL", 1e3), ("MBq/mL", 1e-3), ("g/mL", 70.0 / 300.0)])
def test_the_unit_of_the_file_does_not_change_ki(tmp_path, patient, scan, units, factor):
    other = patient.save(tmp_path / "other", frames=(patient.frames * factor).astype(np.float32), Units=units)
    assert estimate(scan, tmp_path / "a") == estimate(other, tmp_path / "b") == 0
    for name in ("ki", "v0"):
        np.testing.assert_allclose(
            load_map(tmp_path / f"b/{name}.nii.gz"), load_map(tmp_path / f"a/{name}.nii.gz"), rtol=1e-4, atol=1e-6
        )


def test_uncorrected_frames_give_the_same_ki(tmp_path):
    patient = Patient(lam=LAMBDA)
    x = LAMBDA * patient.duration
    factor = np.exp(LAMBDA * patient.start) * x / (1.0 - np.exp(-x))
    frames = (patient.frames / factor[:, None, None, None]).astype(np.float32)
    series = patient.save(tmp_path / "in", frames=frames, ImageDecayCorrected=False, ImageDecayCorrectionTime=None)
    blood, out = patient.save_blood(tmp_path / "blood.tsv"), tmp_path / "out"
    assert estimate(series, out, "--input-function", blood, roi=False) == 0
    np.testing.assert_allclose(load_map(out / "ki.nii.gz")[patient.tissue], patient.ki[patient.tissue], rtol=2e-5)


def test_int16_with_slope_gives_the_same_ki_to_its_rounding(tmp_path, patient, scan):
    (tmp_path / "other").mkdir()
    image = nib.Nifti1Image(np.ascontiguousarray(patient.frames.T), patient.affine())
    image.set_data_dtype(np.int16)
    nib.save(image, str(tmp_path / "other/pet.nii.gz"))
    (tmp_path / "other/pet.json").write_text(json.dumps(patient.sidecar()))
    save_nifti(tmp_path / "other/aorta.nii", patient.aorta, patient.affine())
    assert estimate(scan, tmp_path / "a") == estimate(tmp_path / "other/pet.nii.gz", tmp_path / "b") == 0
    assert np.abs(load_map(tmp_path / "b/ki.nii.gz") - load_map(tmp_path / "a/ki.nii.gz")).max() < 2e-5


def test_a_scan_of_other_length_and_framing_works(tmp_path):
    patient = Patient(duration=np.repeat([15.0, 60.0, 420.0], [8, 5, 9]))
    series, out = patient.save(tmp_path / "in"), tmp_path / "out"
    assert estimate(series, out) == 0
    assert np.abs(load_map(out / "ki.nii.gz")[patient.tissue] / patient.ki[patient.tissue] - 1).max() < 4e-3


# ------------------------------------------------------------------------------------ refused


def test_an_existing_output_is_refused_and_left_alone(tmp_path, scan, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert estimate(scan, out) == 2
    assert "out" in capsys.readouterr().err
    assert left_in(out) == {"mine.txt"}


def test_an_output_that_appears_meanwhile_is_not_overwritten(tmp_path, scan, monkeypatch):
    out = tmp_path / "out"
    from petkinetics.estimators.patlak import Patlak

    honest = Patlak.estimate

    def slow(self, *arguments, **named):  # type: ignore[no-untyped-def]
        out.mkdir()
        (out / "mine.txt").write_text("mine")
        return honest(self, *arguments, **named)

    monkeypatch.setattr(Patlak, "estimate", slow)
    assert estimate(scan, out) != 0
    assert left_in(out) == {"mine.txt"}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_folder_without_permission_is_refused(tmp_path, scan, monkeypatch, capsys):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.geteuid() == 0:
        # Root may write anywhere, so the refusal is the system's words without the system.
        def refuse(**where):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(where["dir"]))

        monkeypatch.setattr("petkinetics.write.claims.tempfile.mkstemp", refuse)
    assert estimate(scan, locked / "out") == 2
    assert "cannot be written (Permission denied)" in capsys.readouterr().err


def test_an_output_below_a_file_is_refused(tmp_path, scan, capsys):
    (tmp_path / "file").write_text("x")
    assert estimate(scan, tmp_path / "file" / "out") == 2
    assert capsys.readouterr().err.startswith("petkinetics: ")


def test_output_folders_above_are_made(tmp_path, scan):
    assert estimate(scan, tmp_path / "some" / "where" / "out") in (0, 2)
    if not (tmp_path / "some/where/out/result.json").exists():
        assert not (tmp_path / "some").exists(), "refused, then nothing is left"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["tissue", "aorta"])
def test_voxels_that_are_not_numbers_are_refused_with_their_frame(tmp_path, patient, capsys, value, place):
    where = (3, 8, 6) if place == "tissue" else tuple(np.argwhere(patient.aorta)[0])
    patient.frames[(24, *where)] = value
    series = patient.save(tmp_path / "in")
    before = left_in(tmp_path)
    assert estimate(series, tmp_path / "out") == 2
    assert "25" in capsys.readouterr().err
    assert left_in(tmp_path) == before


def test_not_a_number_far_from_the_body_is_refused_or_left_out_of_the_maps(tmp_path, patient):
    patient.frames[24, :, 0, 0] = np.nan
    series = patient.save(tmp_path / "in")
    status = estimate(series, tmp_path / "out")
    assert status in (0, 2)
    if status == 0:
        for name, values in maps(tmp_path / "out").items():
            assert np.isfinite(values).all(), name


def lost_blood(patient: Patient) -> np.ndarray:
    """Noisy frames in which the aorta's mean is below zero from 35 to 40 min."""
    frames = patient.frames + np.random.default_rng(0).normal(0, 0.02, patient.frames.shape) * patient.body
    frames[22][patient.aorta > 0] = -0.1
    return frames.astype(np.float32)


def test_patlak_tells_of_a_frame_without_blood_and_its_maps_are_numbers(tmp_path, patient, capsys):
    out = tmp_path / "out"
    assert estimate(patient.save(tmp_path / "in", frames=lost_blood(patient)), out) == 0
    assert "after its peak, in frame 23" in capsys.readouterr().err
    assert any("after its peak, in frame 23" in said for said in result(out)["warnings"])
    assert all(np.isfinite(values).all() for values in maps(out).values())


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_the_diffusion_prior_starts_elsewhere_when_a_frame_has_no_blood_and_says_so(tmp_path, patient):
    series, out = patient.save(tmp_path / "in", frames=lost_blood(patient)), tmp_path / "out"
    assert run("estimate", series, "--roi", series.parent / "aorta.nii", "-o", out, "--method", "diffusion-prior") == 0
    assert any("next to nothing from 35.0 to 40.0 min" in said for said in result(out)["warnings"])
    assert all(np.isfinite(load_map(out / f"{name}.nii.gz")).all() for name in ("ki", "v0"))


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    "method",
    [
        ("patlak", "--set", "weights=ratio"),
        pytest.param(("kinetic-network",), marks=pytest.mark.slow),
    ],
    ids=lambda method: method[0],
)
def test_what_divides_by_blood_refuses_a_frame_without_it(tmp_path, patient, capsys, method):
    series = patient.save(tmp_path / "in", frames=lost_blood(patient))
    roi = ("--roi", series.parent / "aorta.nii")
    assert run("estimate", series, *roi, "-o", tmp_path / "out", "--method", *method) == 2
    assert "next to nothing from 35.0 to 40.0 min" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_fault_inside_leaves_nothing(tmp_path, scan, monkeypatch):
    from petkinetics.write.result_folder import NiftiSink

    def broken(*_):  # type: ignore[no-untyped-def]
        raise OSError(28, "No space left on device")

    before = left_in(tmp_path)
    monkeypatch.setattr(NiftiSink, "write", broken)
    assert estimate(scan, tmp_path / "out") == 1
    assert left_in(tmp_path) == before


def test_an_interrupt_leaves_nothing_and_says_cancelled(tmp_path, scan, monkeypatch, capsys):
    from petkinetics.write.result_folder import NiftiSink

    def interrupted(*_):  # type: ignore[no-untyped-def]
        raise KeyboardInterrupt

    before = left_in(tmp_path)
    monkeypatch.setattr(NiftiSink, "write", interrupted)
    assert estimate(scan, tmp_path / "out") == 3
    assert "cancelled" in capsys.readouterr().err
    assert left_in(tmp_path) == before


def test_inputs_are_not_touched(tmp_path, scan):
    before = {p.name: (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest()) for p in scan.parent.iterdir()}
    assert estimate(scan, tmp_path / "out") == 0
    assert before == {
        p.name: (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest()) for p in scan.parent.iterdir()
    }


# ------------------------------------------------------------------------------------ size


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_memory_does_not_grow_with_the_series(tmp_path):
    blood, peaks = tmp_path / "blood.tsv", []
    framing = np.array([30.0, 30.0, 60.0, *[600.0] * 6])
    for slices in (128, 256):  # 76 and 151 MB of frames, 8 and 17 MB a map
        patient = Patient(duration=framing, shape=(1, 128, 128), spacing=(4.0, 4.0, 3.0))
        patient.frames = np.broadcast_to(patient.frames, (len(framing), slices, 128, 128))
        series = patient.save(tmp_path / f"s{slices}")
        patient.save_blood(blood)
        command = ["estimate", str(series), "--input-function", str(blood), "--method", "patlak", "--t-star", "12"]
        command += ["--no-compress", "-o"]
        # VmHWM, not ru_maxrss: that one also counts the process that started this one
        code = (
            f"import sys\nfrom petkinetics.cli import main\nstatus = main({command!r} + sys.argv[1:])\n"
            "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"
            "sys.exit(status)"
        )
        # How two threads' slabs happen to overlap moves the peak by some megabytes: the smallest of three runs.
        runs = [
            subprocess.run(
                [sys.executable, "-c", code, str(series.parent / f"out{k}")], capture_output=True, text=True, check=True
            )
            for k in range(3)
        ]
        peaks.append(min(int(done.stdout.split()[-1]) // 1024 for done in runs))
    # the mask takes a byte a voxel; frames and maps stream
    assert peaks[1] - peaks[0] < 30, peaks
    assert peaks[1] < 400
