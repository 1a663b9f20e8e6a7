"""Training on own dynamic series: the table, the target, and both networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from petkinetics.cli import main
from petkinetics.errors import InputError
from petkinetics.networks.features import FEATURES, KI_UNIT, LINEAR
from petkinetics.simulate.patient import simulate_patient
from petkinetics.simulate.write import write_patient
from petkinetics.studies.patient_problem import middle_slices
from petkinetics.training.own_series import OwnStream, own_paper_scan, read_training_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan on the disk and a table that names it."""
    folder = tmp_path_factory.mktemp("own")
    patient = simulate_patient("thorax", seed=31, geometry=middle_slices("small", 8))
    write_patient(patient, folder / "p1", fmt="nifti")
    (folder / "series.tsv").write_text("series\troi\tplasma_ratio\np1/pet.nii.gz\tp1/aorta.nii.gz\t1.1\n")
    return folder


def test_the_target_is_patlak_of_the_full_scan_and_the_input_ends_at_t(folder: Path) -> None:
    own = read_training_table(folder / "series.tsv", 35.0)
    assert own[0].short.end_s <= 35 * 60 + 1 < own[0].curve.end_s
    assert own[0].curve.kind == "plasma"
    example = next(iter(OwnStream(own, slices=3, crop=40, seed=0)))[0]
    middle = example.features[:, 2 * FEATURES : 3 * FEATURES]
    assert example.truth.shape[1] == LINEAR + 2
    # the short scan's Ki scatters about the full scan's
    inside = example.body & (example.truth[:, LINEAR] > 0.2)
    difference = (middle[:, LINEAR - 2] - example.truth[:, LINEAR])[inside]
    assert abs(float(difference.median())) < 0.15
    assert float(example.truth[:, LINEAR].max()) * KI_UNIT < 0.3


def test_the_paper_s_network_gets_whole_slices_with_the_body(folder: Path) -> None:
    own = read_training_table(folder / "series.tsv", 35.0)
    scan = own_paper_scan(own[0], np.random.default_rng(0))
    assert scan.frames.shape[0] == 28 and all(n % 16 == 0 for n in scan.frames.shape[1:])
    assert scan.truth.shape == (2, *scan.frames.shape[1:])
    assert scan.suv_factor == pytest.approx(own[0].series.weight_kg / own[0].series.injected_activity_mbq)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("series\nx.nii.gz\n", "needs the columns"),
        ("series\troi\nnowhere.nii.gz\taorta.nii.gz\n", "nowhere.nii.gz"),
        ("series\troi\np1/pet.nii.gz\t\n", "names neither"),
        ("series\troi\tplasma_ratio\np1/pet.nii.gz\tp1/aorta.nii.gz\t1,1\n", "Row 2 .* '1,1' for plasma_ratio"),
        ("series\troi\nHöhle\taorta.nii.gz\n", "bad.tsv is not UTF-8 text"),
    ],
)
def test_what_a_table_lacks_is_said(folder: Path, table: str, said: str) -> None:
    (folder / "bad.tsv").write_bytes(table.encode("latin-1"))
    with pytest.raises(InputError, match=said):
        read_training_table(folder / "bad.tsv", 35.0)


def test_a_scan_too_short_to_be_a_target_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="full scan"):
        read_training_table(folder / "series.tsv", 60.0)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["default", "compact"])
def test_the_command_trains_on_own_series(folder: Path, tmp_path: Path, preset: str) -> None:
    arguments = ["train", "kinetic-network", "--preset", preset, "--data", str(folder / "series.tsv")]
    arguments += ["-o", str(tmp_path / "out"), "--patients", "1", "--steps", "2", "--workers", "0", "--device", "cpu"]
    assert main(arguments) == 0
    name = "kinetic-network" + ("-compact" if preset == "compact" else "")
    card = json.loads((tmp_path / "out" / f"{name}.json").read_text())
    assert card["trained_on"] == "own dynamic series" and card["data"]["series"] == ["pet.nii.gz"]
    assert card["data"]["training_seeds"] is None and card["data"]["anatomies"] is None
    assert not any("simulated patients only" in failure for failure in card["known_failures"])
    assert "own series" in card["known_failures"][0] and "Tracers" in card["known_failures"][1]
