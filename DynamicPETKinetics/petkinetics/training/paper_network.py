"""The recipe of the network of Liang et al. 2023 and of its twin without kinetic model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss
from torch.utils.data import DataLoader

from petkinetics.kinetics.patlak import patlak_design, plot_weights
from petkinetics.networks.features import KI_UNIT, T_STAR_MIN
from petkinetics.networks.forward_model import TwoTissueModel
from petkinetics.networks.losses import PatlakPlot, paper_loss
from petkinetics.networks.paper_network import DirectNetwork, KineticNetwork
from petkinetics.networks.presets import preset_named
from petkinetics.simulate.patient import FDG
from petkinetics.training.impulse_maps import ImpulseMaps
from petkinetics.training.paper_scans import TIMING, PaperScan, PaperStream, draw_paper_scan
from petkinetics.training.pool import PatientPool
from petkinetics.training.processes import rank, start_processes
from petkinetics.training.scan_settings import ScanRanges
from petkinetics.training.trainer import Plan, Trainer

#: the paper's: Adam 1e-4, a tenth every 10,000 iterations, not below 1e-7
PAPER_RATE, PAPER_STEP, PAPER_LEAST = 1e-4, 10_000, 1e-7
#: of the Patlak term and of Huber's loss, which the paper leaves out
LAMBDA, DELTA = 1.0, 1.0


def paper_schedule(step: int) -> float:
    """The paper's learning rate of an iteration."""
    return max(PAPER_LEAST, PAPER_RATE * 0.1 ** (step // PAPER_STEP))


class Slice:
    """A scan as tensors, with its own model and Patlak plot.

    :param early: number of frames that the network sees.
    """

    def __init__(self, scan: PaperScan, early: int, device: torch.device) -> None:
        decay = FDG.decay_per_s
        self.early = early
        self.timing = scan.timing
        linear = scan.timing.window(T_STAR_MIN)
        self.linear_from = int(linear[0])
        frames = torch.from_numpy(scan.frames).to(device)[None]
        self.frames, self.suv_factor = frames, scan.suv_factor
        self.suv = frames[:, :early] * scan.suv_factor
        self.late_suv = frames[:, early:] * scan.suv_factor
        timing = scan.timing.select(linear)
        weights = plot_weights(timing, patlak_design(scan.curve, timing, decay), decay)
        self.plot = PatlakPlot(scan.curve, timing, torch.from_numpy(weights), decay).to(device)
        self.ki = self.plot.fit(frames[:, self.linear_from :])[0]
        self.curve = scan.curve
        self.truth, self.labels = scan.truth, scan.labels

    def model(self) -> TwoTissueModel:
        """The two-tissue model of all frames."""
        return TwoTissueModel(self.curve, self.timing, FDG.decay_per_s).to(self.frames.device)


def predicted_frames(network: nn.Module, part: Slice) -> Tensor:
    """All frames by the model, kBq/mL (1, frames, rows, columns)."""
    parameters = network(part.suv).float()
    with torch.autocast(parameters.device.type, enabled=False):
        return part.model()(parameters)


def loss(network: nn.Module, scan: PaperScan, early: int) -> Mapping[str, Tensor]:
    """The paper's loss, or late SUV and Ki of the twin without kinetic model.

    :returns: scalars by name, "loss" among them.
    """
    device = next(network.parameters()).device
    part = Slice(scan, early, device)
    inner = network.module if hasattr(network, "module") else network
    if isinstance(inner, DirectNetwork):
        late, ki = (x.float() for x in network(part.suv))
        terms = {
            "late": huber_loss(late, part.late_suv, delta=DELTA),
            "ki": huber_loss(ki, part.ki / KI_UNIT, delta=DELTA),
        }
        return terms | {"loss": terms["late"] + terms["ki"]}
    frames = predicted_frames(network, part)
    linear = torch.cat((part.frames[:, part.linear_from : early], frames[:, early:]), dim=1)
    return {
        "loss": paper_loss(
            frames[:, early:] * part.suv_factor, part.late_suv, linear, part.ki, part.plot, LAMBDA, DELTA
        )
    }


def infer_ki(network: nn.Module, scan: PaperScan, early: int) -> Tensor:
    """Ki of 9-65 min over measured and predicted frames (the twin's own output), (rows, columns), mL/min/mL."""
    part = Slice(scan, early, next(network.parameters()).device)
    if isinstance(network, DirectNetwork):
        return network(part.suv)[1][0] * KI_UNIT
    frames = predicted_frames(network, part)
    linear = torch.cat((part.frames[:, part.linear_from : early], frames[:, early:]), dim=1)
    return part.plot.fit(linear)[0][0]


class PaperValidation:
    """Ki of fixed slices of validation patients against the noise-free truth."""

    def __init__(self, slabs: list[Path], banks: Path, early: int, most: int = 20) -> None:
        self._early = early
        fixed = ScanRanges(dose=(1.0, 1.0), flips=False, noise_mm=5.5, own_blood=True)
        opened = [ImpulseMaps.load(path) for path in slabs]
        chosen = [s for s in opened if s.info.spacing_mm[0] < 2.0 and s.info.anatomy != "total-body"][:most]
        self._scans = [draw_paper_scan(s, fixed, np.random.default_rng(s.info.seed), banks) for s in chosen]

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """RMSE of Ki over that of short-scan Patlak: also the score."""
        squares = np.zeros(2)
        for scan in self._scans:
            found = infer_ki(network, scan, self._early).float().cpu().numpy()
            part = Slice(scan, self._early, torch.device("cpu"))
            timing = TIMING.select(np.arange(part.linear_from, self._early))
            decay = FDG.decay_per_s
            weights = plot_weights(timing, patlak_design(scan.curve, timing, decay), decay)
            plot = PatlakPlot(scan.curve, timing, torch.from_numpy(weights), decay)
            patlak = plot.fit(part.frames[:, part.linear_from : self._early])[0][0].numpy()
            inside = scan.labels > 0
            for n, values in enumerate((found, patlak)):
                squares[n] += float(np.sum((values - scan.truth[0])[inside].astype(np.float64) ** 2))
        ratio = float(np.sqrt(squares[0] / squares[1]))
        return {"score": ratio, "ki_rmse_ratio": ratio}


def make_paper_trainer(
    folder: Path,
    pool: PatientPool,
    validation: PatientPool,
    preset: str,
    direct: bool = False,
    until_min: float = 35.0,
    ranges: ScanRanges | None = None,
    plan: Plan | None = None,
    device: str = "auto",
    workers: int = 1,
) -> Trainer:
    """A trainer of the paper's network (or twin) on slices of the pool's patients.

    :param until_min: end of the scans.
    """
    where = start_processes(device)
    early = int(TIMING.until(until_min).size)
    size = preset_named(preset)
    network: nn.Module = DirectNetwork(size, early, len(TIMING) - early) if direct else KineticNetwork(size, early)
    stream = PaperStream(pool, ranges or ScanRanges(dose=(0.2, 1.5)), seed=rank())
    batches = DataLoader(stream, batch_size=None, num_workers=workers, collate_fn=_as_is)
    checks = PaperValidation(validation.ready(), pool.folder / "noise", early)
    chosen = plan or Plan(steps=50_000, schedule=paper_schedule)
    return Trainer(network, lambda n, scan: loss(n, scan, early), batches, checks, chosen, folder, where)


def _as_is(scan: PaperScan) -> PaperScan:
    return scan
