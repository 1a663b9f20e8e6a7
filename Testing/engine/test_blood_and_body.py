"""A blood curve that is not above the body's mean in the first minutes is no blood, and every method says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import SHORT, Patient, result, run, save_nifti

from petkinetics.curves import InputFunction
from petkinetics.estimators.blood_and_body import blood_over_body
from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer, VolumeGeometry

PATIENT = Patient(duration=SHORT.copy())


def estimate(folder: Path, region: np.ndarray, frames: np.ndarray, *options: object) -> int:
    series = PATIENT.save(folder / "in", frames=frames.astype(np.float32))
    save_nifti(folder / "in" / "roi.nii", region.astype(np.uint8), PATIENT.affine())
    return run("estimate", series, "--roi", folder / "in" / "roi.nii", "-o", folder / "out", *options)


def box(rows: slice, columns: slice) -> np.ndarray:
    region = np.zeros(PATIENT.shape, dtype=bool)
    region[2:4, rows, columns] = True
    return region


@pytest.mark.parametrize("method", ["patlak", "gaussian"])
@pytest.mark.parametrize("mask", ["body", "none"])
def test_an_aorta_in_air_is_refused(tmp_path, capsys, method, mask):
    air = box(slice(0, 2), slice(0, 2))
    assert not PATIENT.body[air].any()
    # what scatter and reconstruction leave of the blood in air
    frames = PATIENT.frames + 0.02 * PATIENT.design[:, 1, None, None, None]
    assert estimate(tmp_path, air, frames, "--method", method, "--mask", mask) == 2
    said = capsys.readouterr().err
    assert "times the body's mean activity in the first minutes" in said
    assert "in air" in said and "--aorta auto" in said
    assert not (tmp_path / "out").exists()


def test_an_aorta_in_quiet_tissue_is_used_with_a_warning_by_plain_patlak_too(tmp_path):
    region = box(slice(8, 10), slice(8, 10))
    frames = PATIENT.frames.copy()
    frames[:, region] *= 0.5
    assert estimate(tmp_path, region, frames, "--method", "patlak") == 0
    [said] = [w for w in result(tmp_path / "out")["warnings"] if "cannot be blood" in w]
    assert "draw it in the aorta" in said


def test_a_table_in_another_unit_is_used_with_a_warning(tmp_path):
    series = PATIENT.save(tmp_path / "in")
    blood = PATIENT.save_blood(tmp_path / "blood.tsv", values=PATIENT.cp / 10.0)
    arguments = ("--input-function", blood, "--method", "patlak", "-o", tmp_path / "out")
    assert run("estimate", series, *arguments) == 0
    [said] = [w for w in result(tmp_path / "out")["warnings"] if "cannot be blood" in w]
    assert "Check its unit" in said


def test_the_aorta_itself_is_not_doubted(tmp_path):
    assert estimate(tmp_path, PATIENT.aorta, PATIENT.frames, "--method", "patlak") == 0
    assert not any("cannot be blood" in w for w in result(tmp_path / "out")["warnings"])


def series_from(first: int, shift_s: float = 0.0) -> DynamicSeries:
    timing = FrameTiming(PATIENT.start[first:] + shift_s, PATIENT.duration[first:])
    grid = VolumeGeometry(PATIENT.shape, PATIENT.spacing)
    return DynamicSeries(timing, grid, Tracer("FDG", "F-18", 6586.2), ArrayVoxels(PATIENT.frames[first:]))


def test_the_ratio_is_that_of_the_integrals_over_five_minutes():
    curve = InputFunction(PATIENT.nodes, PATIENT.cp, PATIENT.cp)
    found = blood_over_body(series_from(0), curve, None, PATIENT.body)
    inner = PATIENT.body.copy()
    inner[[0, -1]] = False  # the ends of the body are not read
    body = PATIENT.frames[:, inner].mean(axis=1)
    first = int(np.argmax(body >= 0.2 * body[PATIENT.start < 600].max()))
    window = (PATIENT.start >= PATIENT.start[first]) & (PATIENT.start < PATIENT.start[first] + 299.0)
    d = PATIENT.duration[window]
    expected = np.sum(PATIENT.design[window, 1] * d) / np.sum(body[window] * d)
    assert found == pytest.approx(expected, rel=1e-3)
    # nothing after T is read
    assert blood_over_body(series_from(0), curve, 12.0, PATIENT.body) == pytest.approx(found, rel=1e-12)


def test_a_scan_without_its_first_pass_is_not_judged():
    curve = InputFunction(PATIENT.nodes, PATIENT.cp, PATIENT.cp)
    assert blood_over_body(series_from(10), curve, None, PATIENT.body) is None
    assert blood_over_body(series_from(16), curve, None, PATIENT.body) is None
