"""Patlak on data that was measured: a human grey-matter curve, and a slice with real noise."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import study_tables
from scipy import ndimage, stats
from study_tables import numbers_and_words, shown_table

from petkinetics.cli import main
from petkinetics.kinetics.patlak import fit_curve, patlak_design, weighted_fit

study = study_tables.study("measured_curves")


# Grey matter


def test_grey_matter_has_the_published_order_of_ki() -> None:
    """0.037 mL/min/mL from 20 min on is what others found in this curve; Huang 1980 has .0334 +- .0058."""
    found = study.patlak(study.grey_matter(), 20.0).found
    assert found.ki == pytest.approx(0.037, abs=0.0003)
    assert 0.0002 < found.ki_se < 0.0006
    assert found.v0 == pytest.approx(0.61, abs=0.02)
    assert 0.01 < found.v0_se < 0.04


def test_the_classical_plot_made_by_hand_agrees() -> None:
    """Integral from the frame sums (exact at frame edges), line through the ratio plot by numpy."""
    curves = study.grey_matter()
    timing, blood = curves.blood.timing, curves.blood.mean_kbq_per_ml
    minutes = timing.duration_s / 60.0
    to_middle = np.cumsum(blood * minutes) - 0.5 * blood * minutes
    late = timing.start_s >= 1200.0
    slope, intercept = np.polyfit(
        to_middle[late] / blood[late], curves.tissue.mean_kbq_per_ml[late] / blood[late], deg=1
    )
    found = study.patlak(curves, 20.0).found
    assert found.ki == pytest.approx(slope, rel=5e-3)
    assert found.v0 == pytest.approx(intercept, rel=2e-2)


def test_standard_errors_are_those_of_textbook_regression() -> None:
    """With weights 1/Cp^2 the fit is the ordinary line through the ratio plot."""
    curves = study.grey_matter()
    used = curves.tissue.timing.window(20.0)
    design = patlak_design(study.input_function(curves), curves.tissue.timing.select(used))
    values = curves.tissue.mean_kbq_per_ml[used]
    found = fit_curve(weighted_fit(design, 1.0 / design[:, 1] ** 2), values)
    line = stats.linregress(design[:, 0] / design[:, 1], values / design[:, 1])
    assert found.ki == pytest.approx(line.slope, rel=1e-9)
    assert found.ki_se == pytest.approx(line.stderr, rel=1e-8)
    assert found.v0 == pytest.approx(line.intercept, rel=1e-9)
    assert found.v0_se == pytest.approx(line.intercept_stderr, rel=1e-8)


def test_decay_weighting_within_frames_changes_nothing_that_matters() -> None:
    curves = study.grey_matter()
    plain = study.patlak(curves, 20.0).found.ki
    weighted = study.patlak(curves.with_decay_weight(study.F18_PER_S), 20.0).found.ki
    assert weighted != plain
    assert weighted == pytest.approx(plain, rel=5e-4)


def test_blood_keeps_its_frame_means() -> None:
    curves = study.grey_matter()
    again = study.input_function(curves).plasma_frame_mean(curves.blood.timing)
    assert again == pytest.approx(curves.blood.mean_kbq_per_ml, rel=1e-9)


# The real slice


@pytest.fixture(scope="module")
def estimate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of docs/measured_curves.md."""
    output = tmp_path_factory.mktemp("slice") / "out"
    arguments = [
        *("estimate", str(study.SLICE), "--roi", str(study.REFERENCE_REGION), "--method", "patlak", "-o", str(output)),
        *("--half-life", "6586.2", "--set", "units=kBq/mL", "--set", "decay_corrected_to=injection", "--no-compress"),
    ]
    assert main(arguments) == 0
    return output


def stored() -> np.ndarray:
    """(columns, rows, frames), as nibabel reads them."""
    return nib.load(study.SLICE).get_fdata()[:, :, 0]


def maps_of(output: Path) -> dict[str, np.ndarray]:
    return {n: nib.load(output / f"{n}.nii").get_fdata()[:, :, 0] for n in ("ki", "v0", "ki_sd", "v0_sd", "residual")}


def test_without_statements_the_slice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["estimate", str(study.SLICE), "--roi", str(study.REFERENCE_REGION), "--method", "patlak"]
    output = tmp_path / "out"
    for extra, complaint in (
        ([], "--half-life"),
        (["--half-life", "6586.2"], "decay-corrected"),
        (["--half-life", "6586.2", "--set", "decay_corrected_to=injection"], "counts"),
    ):
        assert main([*common, *extra, "-o", str(output)]) == 2
        assert complaint in capsys.readouterr().err
        assert not list(tmp_path.iterdir())


def test_every_map_is_a_number_in_every_voxel(estimate: Path) -> None:
    for name, values in maps_of(estimate).items():
        assert values.shape == (93, 95)
        assert np.isfinite(values).all(), name
    assert (maps_of(estimate)["ki_sd"] > 0).all()


def test_negative_voxels_take_part_as_they_are(estimate: Path) -> None:
    """Each voxel equals least squares in float64, also where its activity is below zero."""
    record = json.loads((estimate / "result.json").read_text(encoding="utf-8"))
    used = record["frames_used"]
    design = np.array([[f["integral_kbq_min_per_ml"], f["plasma_kbq_per_ml"]] for f in used])
    root = np.sqrt([f["weight"] for f in used])[:, None]
    frames = stored()[..., [f["index"] for f in used]]
    below_zero = frames.mean(axis=-1) < 0
    assert 500 < below_zero.sum() < 3000
    expected = np.linalg.lstsq(design * root, frames.reshape(-1, len(used)).T * root, rcond=None)[0]
    maps = maps_of(estimate)
    for name, reference in zip(("ki", "v0"), expected.reshape(2, *frames.shape[:2]), strict=True):
        difference = np.abs(maps[name] - reference)
        assert difference[below_zero].max() < 1e-4 * np.abs(reference).max()
        assert difference.max() < 1e-4 * np.abs(reference).max()
    assert np.mean(maps["ki"][below_zero] < 0) > 0.2


def test_the_sd_map_predicts_the_spread_in_air(estimate: Path) -> None:
    """In the corners there is nothing but reconstructed noise, so the slope's spread is its error."""
    maps = maps_of(estimate)
    air = study.corners((95, 93)).T
    spread = maps["ki"][air].std(ddof=1)
    assert maps["ki_sd"][air].mean() == pytest.approx(spread, rel=0.3)
    assert abs(maps["ki"][air].mean()) < 0.25 * spread
    assert np.median(maps["residual"]) == pytest.approx(1.0, abs=0.2)


def test_what_was_stated_is_recorded_and_what_was_assumed_is_said(estimate: Path) -> None:
    record = json.loads((estimate / "result.json").read_text(encoding="utf-8"))
    assert record["overrides"] == {"half_life_s": 6586.2, "units": "kBq/mL", "decay_corrected_to": "injection"}
    assert any("InjectionStart" in warning for warning in record["warnings"])


def test_the_reference_region_follows_its_rule() -> None:
    frames = stored()
    reference = np.array(json.loads(Path(str(study.SLICE).replace(".nii.gz", ".json")).read_text())["ReferenceTAC"])
    misfit = np.sqrt(np.mean((frames - reference) ** 2, axis=-1) / np.mean(reference**2))
    parts, _ = ndimage.label(misfit <= 0.4)
    region = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    assert np.array_equal(nib.load(study.REFERENCE_REGION).get_fdata()[:, :, 0] > 0, region)


# The document


def test_the_document_shows_what_the_study_finds(estimate: Path) -> None:
    text = study.DOCUMENT.read_text(encoding="utf-8")
    found = {
        "grey matter": study.grey_matter_table(),
        "grey matter, compartments": study.compartment_table(),
        "real slice": study.slice_table(study.slice_maps(estimate), study.slice_frames()),
    }
    for name, table in found.items():
        (expected, words), (there, their_words) = numbers_and_words(table), numbers_and_words(shown_table(text, name))
        assert their_words == words
        # The last digit shown may differ between processors.
        assert there == pytest.approx(expected, rel=2e-3, abs=1.1e-5)


def test_grey_matter_through_compartment_models_agrees_with_what_others_found() -> None:
    """KMAP, whose example the curve is, finds about 0.041 with the irreversible model."""
    curves = study.grey_matter()
    uniform, counts = (study.compartments(curves, "two-tissue", w).values["ki"] for w in ("uniform", "counts"))
    assert uniform[0] == pytest.approx(0.041, abs=0.001)
    assert counts[0] == pytest.approx(0.041, abs=0.002)
    assert 0.0003 < counts[1] < 0.001
    scores = {model: study.compartments(curves, model).aic for model in ("one-tissue", "two-tissue")}
    assert scores["two-tissue"] < scores["one-tissue"] - 10
