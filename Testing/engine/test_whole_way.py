"""The whole command on DICOM: real GE headers made dynamic, and a simulated patient without noise."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from acrin_dynamic import real_slices, write_acrin_dynamic
from pydicom import Dataset

from petkinetics.cli import main
from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import two_tissue_frames
from petkinetics.kinetics.patlak import fit_curve, patlak_design, weighted_fit
from petkinetics.series import Float32, VolumeGeometry
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.simulate.write import write_patient
from petkinetics.write.nifti import write_volume

#: K1, k2, k3, k4, fv of the tissues drawn into the real geometry
SOFT, LESION = (0.1, 0.3, 0.01, 0.0, 0.03), (0.3, 0.5, 0.1, 0.0, 0.1)


def blood() -> InputFunction:
    """A bolus that reaches the aorta 12 s after injection, 3 % of its peak after an hour."""
    time = np.concatenate([[0.0, 12.0], np.geomspace(14.0, 3900.0, 300)])
    t = np.maximum(time - 12.0, 0.0) / 60.0
    value = 400.0 * t * np.exp(-4.0 * t) + 12.0 * (1 - np.exp(-4.0 * t)) * (
        0.6 * np.exp(-0.1 * t) + 0.4 * np.exp(-0.01 * t)
    )
    return InputFunction(time, value, value, "whole blood")


def regions(geometry: VolumeGeometry) -> dict[str, np.ndarray]:
    """Body, lesion and aorta as masks of the grid; no voxel is mixed."""
    _, rows, columns = geometry.shape
    y, x = np.ogrid[:rows, :columns]
    flat = {
        "body": ((x - columns / 2) / (0.36 * columns)) ** 2 + ((y - rows / 2) / (0.26 * rows)) ** 2 < 1,
        "lesion": (x - 0.35 * columns) ** 2 + (y - 0.45 * rows) ** 2 < 16,
        "aorta": (x - 0.5 * columns) ** 2 + (y - 0.6 * rows) ** 2 < 16,
    }
    return {name: np.broadcast_to(mask, geometry.shape) for name, mask in flat.items()}


def pixels(geometry: VolumeGeometry, timing: FrameTiming) -> Float32:
    decay = np.log(2.0) / 6586.2
    drawn = np.zeros((len(timing), *geometry.shape), dtype=np.float32)
    masks = regions(geometry)
    for name, rates in (("body", SOFT), ("lesion", LESION), ("aorta", (0.0, 1.0, 0.0, 0.0, 1.0))):
        drawn[:, masks[name]] = two_tissue_frames(blood(), timing, *rates, decay_per_s=decay)[:, None]
    return drawn


def identities_in(folder: Path, header: Dataset) -> list[str]:
    """Files of a folder, packed or not, that hold the patient's name, number, birth date or accession number."""
    private = [
        str(header.get(key) or "") for key in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber")
    ]
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            found += [path.name for word in private if len(word) > 3 and word.encode() in content]
    return found


def test_the_real_ge_series_made_dynamic_gives_its_true_ki_through_the_whole_command(tmp_path: Path) -> None:
    series = write_acrin_dynamic(tmp_path / "dicom", pixels, slices=range(60, 68))
    masks = regions(series.geometry)
    write_volume(tmp_path / "aorta.nii.gz", masks["aorta"], series.geometry)
    labels = masks["lesion"].astype(np.uint8) + 2 * (masks["body"] & ~masks["lesion"] & ~masks["aorta"])
    write_volume(tmp_path / "regions.nii.gz", labels.astype(np.uint8), series.geometry)
    (tmp_path / "regions.tsv").write_text("index\tname\n1\tlesion\n2\tsoft tissue\n")
    # fmt: off
    status = main([
        "estimate", str(tmp_path / "dicom"), "--roi", str(tmp_path / "aorta.nii.gz"), "--method", "patlak",
        "-o", str(tmp_path / "out"), "--rois", str(tmp_path / "regions.nii.gz"), "--report",
    ])
    # fmt: on
    assert status == 0
    with (tmp_path / "out" / "roi.tsv").open() as stream:
        rows = {(row["roi"], row["map"]): row for row in csv.DictReader(stream, delimiter="\t")}
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    used = series.timing.select([frame["index"] for frame in record["frames_used"]])
    decay = series.frame_decay_per_s
    fit = weighted_fit(
        patlak_design(blood(), used, decay), np.array([frame["weight"] for frame in record["frames_used"]])
    )
    for name, rates in (("lesion", LESION), ("soft tissue", SOFT)):
        exact = fit_curve(fit, two_tissue_frames(blood(), used, *rates, decay_per_s=decay))
        assert float(rows[name, "ki"]["mean"]) == pytest.approx(exact.ki, rel=2e-3)
        assert float(rows[name, "v0"]["mean"]) == pytest.approx(exact.v0, rel=2e-3)
    assert record["series"]["frame_mean"] == "decay-weighted"
    assert record["series"]["manufacturer"] == "GE MEDICAL SYSTEMS"
    # The steps of 3.27 and 3.29 mm are told, and nothing else is wrong with this series.
    assert all("unevenly spaced" in warning or "does not list" in warning for warning in record["warnings"])
    assert (
        main(["export", str(tmp_path / "out"), "--series", str(tmp_path / "dicom"), "--to", str(tmp_path / "to")]) == 0
    )
    assert identities_in(tmp_path / "out", real_slices()[0]) == []
    assert {path.name for path in (tmp_path / "to").iterdir()} == {
        f"{name}.dcm" for name in ("ki", "v0", "ki_sd", "v0_sd", "residual", "suv")
    }


@pytest.fixture(scope="module")
def noise_free(tmp_path_factory: pytest.TempPathFactory) -> tuple[DigitalPatient, Path]:
    """The patient of the demonstration without noise, as a GE series."""
    patient = simulate_patient("thorax", "small", seed=7, noise=False)
    folder = tmp_path_factory.mktemp("patient") / "seed7"
    write_patient(patient, folder, fmt="dicom", vendor="ge")
    return patient, folder


def reference(patient: DigitalPatient, record: dict) -> np.ndarray:
    """Float64 Patlak of the exact frames with the true curve and the weights of the record: (2, voxels)."""
    used = [frame["index"] for frame in record["frames_used"]]
    weights = np.diag([frame["weight"] for frame in record["frames_used"]])
    series = patient.series
    design = patlak_design(patient.input_function, series.timing.select(used), series.frame_decay_per_s)
    frames = series.read(used).astype(np.float64).reshape(len(used), -1)
    return np.linalg.solve(design.T @ weights @ design, design.T @ weights @ frames)


def estimate(folder: Path, out: Path, *source: str) -> tuple[dict, np.ndarray]:
    """Run the command; the record, and Ki and V0 as (2, voxels)."""
    assert main(["estimate", str(folder / "dicom"), *source, "--method", "patlak", "-o", str(out)]) == 0
    maps = [sitk.GetArrayFromImage(sitk.ReadImage(str(out / f"{name}.nii.gz"))).ravel() for name in ("ki", "v0")]
    return json.loads((out / "result.json").read_text()), np.stack(maps).astype(np.float64)


def test_noise_free_dicom_with_the_true_curve_gives_the_reference_within_a_thousandth(
    noise_free: tuple[DigitalPatient, Path], tmp_path: Path
) -> None:
    patient, folder = noise_free
    record, maps = estimate(folder, tmp_path / "out", "--input-function", str(folder / "truth" / "input_function.tsv"))
    expected = reference(patient, record)
    inside = maps[0] != 0
    for got, wanted in zip(maps, expected, strict=True):
        difference = (got - wanted)[inside]
        assert np.sqrt(np.mean(difference**2)) <= 1e-3 * np.sqrt(np.mean(wanted[inside] ** 2))
        assert abs(difference.mean()) <= 1e-3 * abs(wanted[inside].mean())
        clear = inside & (np.abs(wanted) > 0.05 * np.percentile(np.abs(wanted[inside]), 99))
        assert np.percentile(np.abs(got[clear] / wanted[clear] - 1), 99) <= 1e-3


def test_the_aorta_roi_costs_less_than_four_thousandths_in_ki(
    noise_free: tuple[DigitalPatient, Path], tmp_path: Path
) -> None:
    patient, folder = noise_free
    true = patient.input_function
    at_peak = int(np.argmax(true.plasma_kbq_per_ml))
    ratio = float(true.plasma_kbq_per_ml[at_peak] / true.whole_blood_kbq_per_ml[at_peak])
    source = ["--roi", str(folder / "aorta.nii.gz"), "--plasma-ratio", f"{ratio:.6f}"]
    record, maps = estimate(folder, tmp_path / "out", *source)
    expected = reference(patient, record)
    inside = (maps[0] != 0) & (expected[0] > 0.05 * np.percentile(expected[0], 99.9))
    error = maps[0][inside] / expected[0][inside] - 1
    assert abs(np.median(error)) <= 0.004
