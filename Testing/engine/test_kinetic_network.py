"""The networks as methods: honest input, what they refuse, what their results say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from petkinetics.cli import main
from petkinetics.errors import InputError
from petkinetics.estimators import make_estimator
from petkinetics.estimators.applicability import learned_ranges
from petkinetics.estimators.estimator import MemorySink, Problem, estimate_in_memory
from petkinetics.frames import FrameTiming
from petkinetics.input_function.idif import image_derived_input
from petkinetics.maps import ParametricResult
from petkinetics.networks.default_network import DefaultNetwork, DirectDefaultNetwork
from petkinetics.networks.features import CONDITIONS
from petkinetics.networks.paper_network import DirectNetwork, KineticNetwork
from petkinetics.networks.presets import COMPACT
from petkinetics.networks.weight_files import write_weights
from petkinetics.read.regions import RegionWeights
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer
from petkinetics.simulate.patient import DigitalPatient, simulate_patient
from petkinetics.studies.patient_problem import middle_slices
from petkinetics.write.map_provenance import MapProvenance

SEED = 23
SMALL = {"widths": [16, 16], "blocks": [1, 2]}
COUNTS = {"framing": "liang2023", "early_frames": 22}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights: what is tested here does not depend on how good they are."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name, network, card in (
        ("kinetic-network", DefaultNetwork(), {}),
        ("kinetic-network-compact", KineticNetwork(COMPACT, 22), COUNTS),
        ("direct-network-default", DirectDefaultNetwork((16, 16), (1, 2)), {"architecture": SMALL}),
        ("direct-network-compact", DirectNetwork(COMPACT, 22, 6), COUNTS),
    ):
        for parameter in network.parameters():
            if not bool(parameter.any()):
                torch.nn.init.normal_(parameter, std=0.02)
        write_weights(folder, name, network.state_dict(), {"name": name, "trained_on": "simulated patients", **card})
    return folder


@pytest.fixture(scope="module")
def patient() -> DigitalPatient:
    return simulate_patient("thorax", seed=SEED, geometry=middle_slices("small", 6))


def problem(
    patient: DigitalPatient, weights: Path, series: DynamicSeries | None = None, until: float = 35.0, **options: str
) -> Problem:
    series = series or patient.series
    frames = series.timing.until(until)
    index = np.flatnonzero(patient.aorta)
    region = RegionWeights("aorta", 1, series.geometry, index, np.ones(index.size, np.float32))
    curve = image_derived_input(series, region, frames.tolist()).function
    return Problem(series, curve, frames, patient.body_mask, options, "cpu", weights)


def maps(method: str, given: Problem) -> ParametricResult:
    return estimate_in_memory(make_estimator(method), given)


CASES = [
    ("kinetic-network", {}),
    ("kinetic-network", {"preset": "compact"}),
    ("direct-network", {}),
    ("direct-network", {"preset": "default"}),
]
NAMES = ["default", "compact", "direct", "direct-default"]


@pytest.mark.parametrize(("method", "options"), CASES, ids=NAMES)
def test_nothing_after_t_is_used(method: str, options: dict[str, str], patient: DigitalPatient, weights: Path) -> None:
    """NaN in all later frames, and a scan that simply ends at T, change no voxel."""
    usual = maps(method, problem(patient, weights, **options))
    frames = patient.series.timing.until(35.0)
    values = patient.series.read(list(range(len(patient.series.timing))), 0, 6)
    values[frames.size :] = np.nan
    poisoned = replace(patient.series, voxels=ArrayVoxels(values))
    ended = replace(
        patient.series, timing=patient.series.timing.select(frames), voxels=ArrayVoxels(values[: frames.size])
    )
    for series in (poisoned, ended):
        found = maps(method, problem(patient, weights, series, **options))
        for name in usual.maps:
            assert np.array_equal(found[name].values, usual[name].values), name


@pytest.mark.parametrize(("method", "options"), CASES, ids=NAMES)
def test_every_map_is_a_number_and_nothing_outside_the_body(
    method: str, options: dict[str, str], patient: DigitalPatient, weights: Path
) -> None:
    found = maps(method, problem(patient, weights, **options))
    for name, one in found.maps.items():
        assert np.isfinite(one.values).all(), name
        assert not one.values[~patient.body_mask].any(), name
        assert one.values[patient.body_mask].any() or name == "k4", name


def test_the_record_names_weights_device_and_what_they_were_trained_on(patient: DigitalPatient, weights: Path) -> None:
    record = maps("kinetic-network", problem(patient, weights)).record
    assert record["weights_hash"] == json.loads((weights / "kinetic-network.json").read_text())["sha256"]
    assert record["device"] == "cpu" and record["trained_on"] == "simulated patients"
    assert record["blood_curve"]["measured_until_s"] == 2100 and record["blood_curve"]["used_until_s"] >= 3900
    assert len(record["frames_used"]) == 22


@pytest.mark.parametrize("spec", ["60x60", "10x30,5x60,10x120,8x300", "6x600"])
def test_the_default_network_takes_any_framing(spec: str, weights: Path) -> None:
    timing = FrameTiming.parse(spec)
    patient = simulate_patient("thorax", seed=SEED, geometry=middle_slices("small", 5), timing=timing)
    found = maps("kinetic-network", problem(patient, weights, until=60.0))
    assert np.isfinite(found["ki"].values).all() and found["ki"].values.any()


def test_the_paper_s_network_says_which_frames_it_was_made_for(weights: Path, patient: DigitalPatient) -> None:
    with pytest.raises(InputError, match="22 frames") as caught:
        maps("direct-network", problem(patient, weights, until=45.0))
    assert "preset=default" in (caught.value.hint or "")


@pytest.mark.parametrize("method", ["kinetic-network", "direct-network"])
def test_another_tracer_is_refused(method: str, patient: DigitalPatient, weights: Path) -> None:
    water = replace(patient.series, tracer=Tracer("Water", "O-15", 122.24))
    with pytest.raises(InputError, match="Water"):
        maps(method, replace(problem(patient, weights), series=water))


def test_suv_without_a_weight_is_refused_by_the_paper_s_network_only(patient: DigitalPatient, weights: Path) -> None:
    nameless = replace(patient.series, weight_kg=None, suv_factor=None)
    assert maps("kinetic-network", problem(patient, weights, nameless))["ki"].values.any()
    with pytest.raises(InputError, match="--weight"):
        maps("direct-network", problem(patient, weights, nameless))


def test_without_pytorch_it_says_what_to_install(
    patient: DigitalPatient, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    given = problem(patient, weights)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(InputError, match="needs PyTorch") as caught:
        maps("kinetic-network", given)
    assert "petkinetics[learned]" in (caught.value.hint or "")


def test_patlak_over_predicted_frames_alone_ignores_the_measured_late_ones(
    patient: DigitalPatient, weights: Path
) -> None:
    both = maps("kinetic-network", problem(patient, weights, preset="compact"))
    alone = maps("kinetic-network", problem(patient, weights, preset="compact", patlak="predicted"))
    inside = patient.body_mask
    assert both["ki"].values[inside].std() > 0
    assert not np.allclose(both["ki"].values[inside], alone["ki"].values[inside])
    assert np.array_equal(both["k1"].values, alone["k1"].values)


@pytest.mark.parametrize(
    ("method", "preset", "option", "value"),
    [
        ("kinetic-network", "default", "patlak", "predicted"),
        ("kinetic-network", "compact", "predicted_frames", "yes"),
        ("direct-network", "default", "patlak", "frames"),
    ],
)
def test_an_option_of_another_preset_is_refused_not_ignored(
    method: str, preset: str, option: str, value: str, patient: DigitalPatient, weights: Path
) -> None:
    with pytest.raises(InputError, match=f"'{option}' means nothing with preset={preset}"):
        maps(method, problem(patient, weights, preset=preset, **{option: value}))


@pytest.mark.slow
def test_the_command_makes_the_whole_result(tmp_path: Path, weights: Path) -> None:
    assert main(["simulate", str(tmp_path / "p"), "--format", "nifti", "--seed", "4"]) == 0
    series, roi = tmp_path / "p" / "pet.nii.gz", tmp_path / "p" / "aorta.nii.gz"
    arguments = ["estimate", str(series), "--roi", str(roi), "--method", "kinetic-network", "--until", "35"]
    arguments += [
        "--set",
        "predicted_frames=yes",
        "--weights",
        str(weights),
        "--rois",
        str(tmp_path / "p" / "lesions.nii.gz"),
        "--report",
    ]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"ki.nii.gz", "v0.nii.gz", "k1.nii.gz", "k4.nii.gz", "fv.nii.gz", "residual.nii.gz", "roi.tsv"} <= names
    frames, sidecar = tmp_path / "out" / "predicted_frames.nii.gz", tmp_path / "out" / "predicted_frames.json"
    said = json.loads(sidecar.read_text())
    assert said["FrameTimesStart"] == [2100, 2400, 2700, 3000, 3300, 3600] and said["Units"] == "g/mL"
    values = np.asarray(nibabel.load(frames).dataobj)
    assert values.shape[3] == 6 and np.isfinite(values).all() and values.max() > 0
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<dt>Trained on</dt><dd>simulated patients</dd>" in report
    provenance = MapProvenance.of(json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8")), "ki")
    assert "trained on simulated patients" in provenance.parameters, "said in exported objects"
    assert main([*arguments[:-1], "--weights", str(tmp_path / "none"), "-o", str(tmp_path / "out2")]) == 2
    assert not (tmp_path / "out2").exists()


# ------------------------------------------------------------------------------- the weights that come along


def test_the_engine_s_weights_halve_the_error_of_short_scan_patlak() -> None:
    """On validation patients; the gates proper are ``petkinetics evaluate kinetic-network``'s."""
    squares = np.zeros(2)
    for seed in (90_001, 90_006):
        patient = simulate_patient("thorax", seed=seed, geometry=middle_slices("full", 5))
        given = replace(problem(patient, Path()), weights=None)
        late = replace(given, frames=patient.series.timing.window(9.0, 35.0))
        reference = patient.truth["ki_patlak_9_65"][patient.body_mask]
        for n, (method, one) in enumerate((("kinetic-network", given), ("patlak", late))):
            found = maps(method, one)["ki"].values[patient.body_mask]
            squares[n] += np.sum((found - reference) ** 2, dtype=np.float64)
    assert np.sqrt(squares[0] / squares[1]) < 0.5


def test_every_network_that_comes_along_has_a_complete_card() -> None:
    from petkinetics.networks.weight_files import SHIPPED, read_weights

    files = sorted(SHIPPED.glob("*.safetensors"))
    assert SHIPPED / "kinetic-network.safetensors" in files
    for file in files:
        card = read_weights(file.stem).card
        wanted = {"trained_on", "made", "data", "validation", "versions", "intended_use", "known_failures", "sha256"}
        assert wanted <= set(card), file.name
        assert file.stat().st_size <= 8e6
    assert sum(file.stat().st_size for file in files) <= 20e6


@pytest.mark.cuda
@pytest.mark.parametrize(("method", "options"), CASES, ids=NAMES)
def test_on_a_gpu_the_maps_are_those_of_the_processor(
    method: str, options: dict[str, str], patient: DigitalPatient, weights: Path
) -> None:
    on_cpu = maps(method, problem(patient, weights, **options))
    on_gpu = maps(method, replace(problem(patient, weights, **options), device="cuda"))
    assert on_gpu.record["device"] == "cuda"
    reference = on_cpu["ki"].values
    assert np.abs(on_gpu["ki"].values - reference).max() < 0.02 * np.abs(reference).max()


@pytest.mark.parametrize(("method", "options"), CASES, ids=NAMES)
def test_a_network_whose_card_has_no_ranges_says_once_that_nothing_was_checked(
    method: str, options: dict[str, str], patient: DigitalPatient, weights: Path
) -> None:
    found = make_estimator(method).estimate(problem(patient, weights, **options), MemorySink()).applicability
    assert found is not None and found.record == {"checked": False}
    [said] = found.warnings
    assert "has no ranges to check a scan against" in said


def test_a_scan_unlike_those_of_the_card_gets_a_warning_and_a_map_of_distrust(
    tmp_path: Path, patient: DigitalPatient, weights: Path
) -> None:
    known = learned_ranges(list(np.random.default_rng(0).normal(50.0, 1.0, (400, CONDITIONS + 1))))
    for name in ("kinetic-network.safetensors", "kinetic-network.json"):
        (tmp_path / name).write_bytes((weights / name).read_bytes())
    card = json.loads((tmp_path / "kinetic-network.json").read_text())
    card["applicability"] = {**known, "residual": {"median": 0.01, "local": 0.01}}
    (tmp_path / "kinetic-network.json").write_text(json.dumps(card))
    for folder, checked in ((weights, False), (tmp_path, True)):
        asked = problem(patient, folder)
        found = make_estimator("kinetic-network").estimate(asked, MemorySink()).applicability
        assert found is not None and found.record["checked"] is checked
        assert ("has no ranges" in found.warnings[0]) is not checked
    assert "was not trained on scans like this" in found.warnings[0]
    assert "the median residual is" in found.warnings[1]
    assert found.distrust is not None and asked.mask is not None
    np.testing.assert_array_equal(found.distrust, asked.mask)
