"""Training: slabs that stand for the simulator, scans drawn from them, a loop that stops, resumes and shares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from petkinetics.cli import main
from petkinetics.errors import InputError
from petkinetics.networks.features import CONDITIONS, FEATURES, KI_UNIT, LINEAR
from petkinetics.networks.weight_files import read_weights
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import Body, simulate_patient
from petkinetics.training.examples import drawn, example_of
from petkinetics.training.impulse_maps import ImpulseMaps, reference_patlak, responses
from petkinetics.training.kinetic_loss import kinetic_loss
from petkinetics.training.noise_bank import NoiseBank
from petkinetics.training.paper_network import paper_schedule
from petkinetics.training.scan_settings import ScanRanges, draw_frames
from petkinetics.training.scans import draw_scan
from petkinetics.training.trainer import CHECKPOINT, LOSSES, Plan, Trainer

SEED = 17
#: a slab through the chest on coarse voxels
GRID = VolumeGeometry((7, 48, 64), (7.0, 7.0, 5.0), (-220.0, -165.0, 0.0))


@pytest.fixture(scope="module")
def slab() -> ImpulseMaps:
    return ImpulseMaps.of_body(Body.random("thorax", SEED), GRID)


def test_a_slab_gives_the_simulator_s_frames_and_patlak_maps(slab: ImpulseMaps) -> None:
    patient = simulate_patient("thorax", seed=SEED, geometry=GRID, noise=False)
    curve = patient.input_function
    frames = np.tensordot(responses(curve, patient.series.timing).astype(np.float32), slab.maps.astype(np.float32), 1)
    rows, columns = frames.shape[2:]
    label = np.argwhere(patient.labels > 0)
    low = np.maximum(label.min(0)[1:] - 6, 0)
    there = (slice(None), slice(None), slice(low[0], low[0] + rows), slice(low[1], low[1] + columns))
    exact = patient.noise_free[there]
    inside = slab.labels > 0
    for m in (3, 10, 18, 27):
        assert np.abs(frames[m] - exact[m])[inside].mean() < 0.006 * exact[m][inside].mean()
    ki = np.tensordot(reference_patlak(curve)[0].astype(np.float32), slab.maps.astype(np.float32), 1)
    assert np.abs(ki - patient.truth["ki_patlak_9_65"][there[1:]])[inside].max() < 4e-4


def test_a_slab_comes_back_from_the_disk(slab: ImpulseMaps, tmp_path: Path) -> None:
    slab.save(tmp_path / "slab")
    found = ImpulseMaps.load(tmp_path / "slab")
    assert np.array_equal(found.maps, slab.maps) and found.info.blood_parameters == slab.info.blood_parameters


def test_noise_of_the_bank_has_unit_variance_and_the_kernel_s_correlation(tmp_path: Path) -> None:
    spacing = (4.0, 4.0, 4.0)
    bank = NoiseBank.open(tmp_path, 9.0, spacing, 6)
    field = np.concatenate([bank.draw(np.random.default_rng(n), (6, 100, 100)) for n in range(4)])
    assert field.std() == pytest.approx(1.0, abs=0.03)
    near = np.mean(field[:, 1:] * field[:, :-1]) / field.var()
    assert near == pytest.approx(np.exp(-(4.0**2) / (4 * (9.0 / 2.354820045) ** 2)), abs=0.02)
    assert NoiseBank.open(tmp_path, 9.0, spacing, 6).fields.shape == bank.fields.shape


@pytest.mark.parametrize("framing", ["liang2023", "65x60", "10x30,5x60,10x120,7x300"])
def test_a_scan_s_noise_is_what_the_dose_says_and_its_sd_map_tells_it(
    slab: ImpulseMaps, tmp_path: Path, framing: str
) -> None:
    ranges = ScanRanges(own_share=1.0, dose=(0.5, 0.5), flips=False, framing=framing, noise_mm=5.5, own_blood=True)
    errors, sds = [], []
    for n in range(12):
        scan = draw_scan(slab, ranges, np.random.default_rng(n), tmp_path)
        inside = scan.labels > 0
        noise = (scan.features[:, LINEAR - 2] - scan.truth[:, LINEAR - 2])[inside]
        errors.append(KI_UNIT * noise)
        sds.append(1e-3 * 10 ** scan.features[:, FEATURES - 1][inside])
    z = np.concatenate(errors) / np.concatenate(sds)
    # the SD map is off by some per cent on purpose, as an estimator's is
    assert z.std() == pytest.approx(1.0, abs=0.12)
    assert scan.features.shape[1] == FEATURES and scan.truth.shape[1] == LINEAR + 2
    assert scan.condition.shape == (CONDITIONS,)


def test_a_wrong_plasma_ratio_is_not_the_network_s_to_mend(slab: ImpulseMaps, tmp_path: Path) -> None:
    """Ki over the given plasma stays the target, whatever factor the plasma is off by."""
    ranges = ScanRanges(own_share=1.0, dose=(1e4, 1e4), flips=False, framing="liang2023", own_blood=True)
    ratios = []
    for n in range(8):
        scan = draw_scan(slab, ranges, np.random.default_rng(n), tmp_path)
        inside = (scan.labels > 0) & (scan.truth[:, LINEAR] > 0.2)
        ratios.append(float(np.median(scan.features[:, LINEAR - 2][inside] / scan.truth[:, LINEAR][inside])))
    assert np.ptp(ratios) < 0.08


def test_the_loss_is_zero_at_the_truth_and_counts_a_whole_organ_s_error_more_than_noise() -> None:
    truth = torch.full((1, LINEAR + 2, 64, 64), 0.5)
    body, none = torch.ones(1, 64, 64, dtype=torch.bool), torch.zeros(1, 64, 64, dtype=torch.bool)
    assert float(kinetic_loss(truth, truth, body, none)["loss"]) == 0.0
    shifted, noisy = truth.clone(), truth.clone()
    shifted[:, LINEAR] += 0.05
    noisy[:, LINEAR] += 0.05 * torch.randn(64, 64, generator=torch.Generator().manual_seed(0)).sign()
    losses = [float(kinetic_loss(x, truth, body, none)["ki"]) for x in (shifted, noisy)]
    assert losses[0] > 5 * losses[1]


def test_the_paper_s_learning_rate() -> None:
    assert [paper_schedule(s) for s in (0, 9_999, 10_000, 40_000)] == pytest.approx([1e-4, 1e-4, 1e-5, 1e-7])


def test_a_scan_that_chance_made_useless_is_drawn_again() -> None:
    tries = iter([InputError("no blood"), InputError("no blood"), "a scan"])

    def draw() -> str:
        found = next(tries)
        if isinstance(found, InputError):
            raise found
        return found

    assert drawn(draw) == "a scan"

    def never() -> str:
        raise InputError("no blood at all")

    with pytest.raises(InputError, match="at all"):
        drawn(never)


# ------------------------------------------------------------------------------------------- the loop


def line(network: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    return {"loss": (network(batch) - 2.0 * batch).square().mean()}


def numbers() -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(0)
    while True:
        yield torch.randn(16, 1, generator=generator)


def trainer(folder: Path, validate=None, **plan) -> Trainer:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    network = nn.Linear(1, 1)
    check = validate or (lambda n: {"score": float((n.weight - 2.0).abs().sum())})
    plan = {"steps": 200, "learning_rate": 0.1, "warm_up": 5, "check_every": 20, "average": 0.9} | plan
    folder.mkdir(exist_ok=True)
    return Trainer(network, line, numbers(), check, Plan(**plan), folder, torch.device("cpu"))


def test_it_learns_and_keeps_the_best(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    progress = made.run(show=False)
    assert progress.step == 200 and progress.best < 0.02
    assert float(made.best["weight"]) == pytest.approx(2.0, abs=0.02)
    assert len((tmp_path / LOSSES).read_text().splitlines()) == 11


def test_a_short_training_is_judged_ten_times_and_a_long_one_as_planned() -> None:
    plan = Plan(steps=8000)
    assert (plan.in_steps(120).check_every, plan.in_steps(2).check_every) == (12, 1)
    assert plan.in_steps(120).warm_up == plan.warm_up
    assert plan.in_steps(8000) == plan


def test_a_stage_is_resumed_where_it_ended(tmp_path: Path) -> None:
    first = trainer(tmp_path, stage_minutes=0.0).run(show=False)
    assert first.step == 1
    again = trainer(tmp_path)
    again.resume()
    assert again.progress.step == 1
    assert again.run(show=False).step == 200
    with pytest.raises(InputError, match="no checkpoint"):
        trainer(tmp_path / "empty").resume()


def test_it_stops_when_nothing_improves(tmp_path: Path) -> None:
    scores = iter([1.0] + [2.0] * 50)
    progress = trainer(tmp_path, lambda _n: {"score": next(scores)}, patience=3).run(show=False)
    assert progress.finished and progress.step == 100 and progress.best_step == 20


def test_one_absurd_batch_does_not_undo_the_training(tmp_path: Path) -> None:
    def batches() -> Iterator[Tensor]:
        for n, batch in enumerate(numbers()):
            yield batch * (1e12 if n == 150 else 1.0)

    made = trainer(tmp_path)
    made.batches = batches()
    assert made.run(show=False).best < 0.02
    assert float((made.network.weight.detach() - 2.0).abs()) < 0.1


# --------------------------------------------------------------------------------------- the command


@pytest.mark.slow
def test_the_command_trains_resumes_and_writes_weights_with_their_card(tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = ["train", "kinetic-network", "-o", str(out), "--patients", "2", "--workers", "0", "--device", "cpu"]
    assert main([*common, "--steps", "2"]) == 0
    card = json.loads((out / "kinetic-network.json").read_text())
    assert card["trained_on"] == "simulated patients" and card["data"]["training_seeds"] == [0, 1]
    assert {"ranges", "validation", "versions", "intended_use", "known_failures"} <= set(card)
    assert read_weights("kinetic-network", out).sha256 == card["sha256"]
    assert main([*common, "--steps", "2"]) == 2, "a training there is not overwritten"
    assert main([*common, "--steps", "3", "--resume"]) == 0
    assert json.loads((out / "kinetic-network.json").read_text())["training"]["steps_done"] == 3


def test_scans_end_where_the_shares_say() -> None:
    """Half an hour, the whole scan, or anywhere between, by the shares that the card tells."""
    ranges = ScanRanges(until_min=35.0, until_range_min=(24.0, 65.0), own_share=0.5, whole_share=0.3, framing="65x60")
    rng = np.random.default_rng(1)
    ends = np.array([draw_frames(ranges, rng).end_s[-1] / 60.0 for _ in range(600)])
    assert np.mean(ends == 35.0) == pytest.approx(0.5, abs=0.06)
    assert np.mean(ends == 65.0) == pytest.approx(0.3, abs=0.06)
    assert ends.min() < 30.0 and ends.max() <= 65.0


@pytest.mark.parametrize("method", ["kinetic-network", "direct-network", "diffusion-prior"])
def test_resuming_what_never_began_is_refused_before_a_patient_is_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    assert main(["train", method, "-o", str(tmp_path / "out"), "--resume", "--patients", "2"]) == 2
    said = capsys.readouterr().err
    assert "no checkpoint to resume" in said and "Simulating" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_preset_that_does_not_exist_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for method in ("kinetic-network", "diffusion-prior"):
        assert main(["train", method, "--preset", "none", "-o", str(tmp_path / "out")]) == 2
        assert "There is no preset 'none'" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    """torchrun on the processor: gradients are shared, so both end with the same weights."""
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, torch\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import test_training as t\n"
        "from petkinetics.training.processes import start_processes\n"
        "start_processes('cpu')\n"
        "rank = torch.distributed.get_rank()\n"
        "made = t.trainer(Path(sys.argv[2]), steps=40)\n"
        "torch.manual_seed(rank)\n"
        "made.batches = (torch.randn(16, 1) for _ in range(10**6))\n"
        "made.run(show=False)\n"
        "print('weight', rank, float(made.network.weight))\n"
        "torch.distributed.destroy_process_group()\n"
    )
    found = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone",
         str(script), str(Path(__file__).parent), str(tmp_path / "run")],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert found.returncode == 0, found.stderr[-2000:]
    weights = [float(text.split()[2]) for text in found.stdout.splitlines() if text.startswith("weight")]
    assert len(weights) == 2 and weights[0] == weights[1]
    assert (tmp_path / "run" / CHECKPOINT).exists()


def test_an_example_holds_its_slices(slab: ImpulseMaps, tmp_path: Path) -> None:
    scan = draw_scan(slab, ScanRanges(crop=32), np.random.default_rng(0), tmp_path)
    example = example_of(scan, [1, 4])
    middle = example.features[:, 2 * FEATURES : 3 * FEATURES]
    assert torch.equal(middle, torch.from_numpy(scan.features[[1, 4]]))
    assert example.truth.shape[0] == example.body.shape[0] == 2


@pytest.mark.cuda
def test_on_a_gpu_it_trains_in_mixed_precision_and_resumes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plan = Plan(steps=100, learning_rate=0.1, warm_up=5, check_every=20, average=0.9, outlier=1e9)
    batches = (torch.randn(16, 1, device="cuda") for _ in range(10**6))
    made = Trainer(
        nn.Linear(1, 1), line, batches, lambda n: {"score": float((n.weight - 2.0).abs().sum())}, plan, tmp_path,
        torch.device("cuda"),
    )  # fmt: skip
    assert made.mixed and made.run(show=False).best < 0.1
    made.resume()
    assert made.progress.step == 100
