"""The compartment methods through the whole command: result folder, T, refusals, report."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from synthetic import SHORT, Patient, load_map, result, run, save_nifti, starts_of

from petkinetics.curves import InputFunction
from petkinetics.estimators import METHODS
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import net_influx, two_tissue_frames

MAPS = {
    "two-tissue": {"ki", "v0", "ki_sd", "k1", "k2", "k3", "fv", "residual"},
    "two-tissue-reversible": {"ki", "ki_sd", "k1", "k2", "k3", "k4", "fv", "residual"},
    "one-tissue": {"k1", "k2", "fv", "vt", "residual"},
}
LESION = (0.25, 0.30, 0.09, 0.10)
MUSCLE = (0.05, 0.25, 0.02, 0.05)


def compartments(patient: Patient, noise: float = 0.0) -> Patient:
    """The patient with two-tissue kinetics: muscle, and a lesion of 4 x 4 x 2 voxels."""
    timing = FrameTiming(patient.start, patient.duration)
    blood = InputFunction(patient.nodes, patient.cp, patient.cp)
    k1, k2, k3, fv = np.array([MUSCLE, LESION]).T
    curves = two_tissue_frames(blood, timing, k1, k2, k3, 0.0, fv)
    vessel = blood.whole_blood_frame_mean(timing)
    frames = np.zeros_like(patient.frames)
    frames[:, patient.tissue] = curves[0][:, None]
    frames[:, 2:4, 5:9, 5:9] = curves[1][:, None, None, None]
    frames[:, patient.aorta > 0] = vessel[:, None]
    rng = np.random.default_rng(4)
    patient.frames = frames + np.float32(noise) * rng.standard_normal(frames.shape).astype(np.float32) * patient.body
    return patient


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Patient]:
    """Series, blood and regions of a noisy patient."""
    folder = tmp_path_factory.mktemp("compartments")
    patient = compartments(Patient(), noise=0.15)
    patient.save(folder)
    patient.save_blood(folder / "blood.tsv")
    labels = np.zeros(patient.shape, np.uint8)
    labels[patient.tissue] = 1
    labels[2:4, 5:9, 5:9] = 2
    save_nifti(folder / "regions.nii", labels, patient.affine())
    return folder, patient


def estimate(folder: Path, out: Path, method: str, *more: object, series: str = "pet.nii") -> int:
    return run(
        "estimate", folder / series, "--input-function", folder / "blood.tsv", "--method", method, "-o", out,
        "--no-compress", "--set", "suv=none", *more,
    )  # fmt: skip


@pytest.mark.parametrize("method", MAPS)
def test_each_method_writes_its_maps_regions_and_report(
    method: str, case: tuple[Path, Patient], tmp_path: Path
) -> None:
    folder, patient = case
    out = tmp_path / "out"
    assert estimate(folder, out, method, "--rois", folder / "regions.nii", "--report") == 0
    assert {p.stem for p in out.glob("*.nii")} == MAPS[method]
    record = result(out)
    assert record["method"] == method
    assert record["t_star_min"] is None
    assert "no t*" in record["t_star_choice"]
    assert len(record["frames_used"]) == len(patient.duration)
    for name in MAPS[method]:
        values = load_map(out / f"{name}.nii")
        assert np.isfinite(values).all()
        assert not values[0, 0, 0]
    with (out / "region_fits.tsv").open() as stream:
        rows = {row["roi"]: row for row in csv.DictReader(stream, delimiter="\t")}
    assert len(rows) == 2
    lesion = rows[list(rows)[1]]
    wanted = dict(zip(("k1", "k2", "k3", "fv"), LESION, strict=True))
    if method == "two-tissue":
        wanted["ki"] = float(net_influx(*LESION))
        for name, value in wanted.items():
            assert abs(float(lesion[name]) - value) < 5 * float(lesion[f"{name}_se"]) + 1e-3 * value, name
        inside = load_map(out / "ki.nii")[2:4, 5:9, 5:9]
        assert np.median(inside) == pytest.approx(wanted["ki"], rel=0.03)
        with (out / "roi.tsv").open() as stream:
            ki = [r for r in csv.DictReader(stream, delimiter="\t") if r["map"] == "ki"][1]
        assert float(ki["se"]) == pytest.approx(float(lesion["ki_se"]), rel=1e-4)
    assert float(lesion["aic"]) < 200
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Compartment model in regions" in page
    assert (out / "figures" / "fits.png").stat().st_size > 10_000


@pytest.mark.parametrize("method", ("two-tissue", "one-tissue"))
def test_nothing_after_t_is_used(method: str, case: tuple[Path, Patient], tmp_path: Path) -> None:
    folder, patient = case
    late = patient.end > 35 * 60 + 1
    spoiled = patient.frames.copy()
    spoiled[late] = np.nan
    patient.save(tmp_path / "spoiled", frames=spoiled)
    cp = patient.cp.copy()
    cp[patient.nodes > 35 * 60] = 0.0
    patient.save_blood(tmp_path / "spoiled" / "blood.tsv", values=cp)
    assert estimate(folder, tmp_path / "whole", method, "--until", 35) == 0
    assert estimate(tmp_path / "spoiled", tmp_path / "cut", method, "--until", 35) == 0
    for name in MAPS[method]:
        whole, cut = (load_map(tmp_path / part / f"{name}.nii") for part in ("whole", "cut"))
        np.testing.assert_array_equal(whole, cut)


def test_a_scan_without_its_first_minutes_warns_or_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for first, status in ((120.0, 0), (1500.0, 2)):
        folder = tmp_path / f"from{first:.0f}"
        duration = np.repeat([60.0, 300.0], [3, 8])
        patient = Patient(duration=duration, start=starts_of(duration, first))
        compartments(patient, noise=0.1).save(folder)
        patient.save_blood(folder / "blood.tsv")
        assert estimate(folder, folder / "out", "two-tissue") == status
        said = capsys.readouterr().err
        assert ("after the blood peak: K1, k2 and fv" if status == 0 else "need the early frames") in said
        assert (folder / "out").exists() == (status == 0)


def test_t_star_has_no_effect_and_that_is_said(
    case: tuple[Path, Patient], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = case
    assert estimate(folder, tmp_path / "out", "one-tissue", "--t-star", 20) == 0
    assert "--t-star has no effect" in capsys.readouterr().err


def test_too_few_frames_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patient = compartments(Patient(duration=SHORT[:4]))
    patient.save(tmp_path)
    patient.save_blood(tmp_path / "blood.tsv")
    assert estimate(tmp_path, tmp_path / "out", "two-tissue", "--mask", "none") == 2
    assert "the two-tissue fit needs at least 5" in capsys.readouterr().err


def test_help_names_every_method(capsys: pytest.CaptureFixture[str]) -> None:
    run("estimate", "--help")
    said = " ".join(capsys.readouterr().out.split()).replace("- ", "-")
    for method in METHODS:
        assert method in said
