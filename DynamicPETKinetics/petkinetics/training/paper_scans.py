"""Scans as the network of Liang et al. 2023 learns from them: all frames of one slice, the full scan as target.

GroupNorm's statistics depend on what is in the image, so slices are whole ones, cut to the body as they are
when the network is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import require_blood
from petkinetics.networks.features import T_STAR_MIN
from petkinetics.simulate.blood import input_function
from petkinetics.simulate.body import FDG
from petkinetics.training.examples import drawn
from petkinetics.training.impulse_maps import ImpulseMaps, reference_patlak, responses
from petkinetics.training.noise_bank import SHARES, WIDTHS_MM, NoiseBank
from petkinetics.training.pool import PatientPool, random_slab
from petkinetics.training.processes import worker_rng
from petkinetics.training.scan_settings import ScanRanges
from petkinetics.training.scans import (
    coarse_part,
    draw_blood,
    enlarged,
    measured_blood,
    variance_scale,
)

Float32 = NDArray[np.float32]

#: the framing of the paper
TIMING = FrameTiming.parse("liang2023")


@dataclass(frozen=True, eq=False)
class PaperScan:
    """One slice.

    :param frames: noisy, kBq/mL, (frames, rows, columns); *noise_free* likewise.
    :param curve: the measured input function of the whole scan.
    :param suv_factor: SUV per kBq/mL.
    :param truth: Patlak's slope (mL/min/mL) and V0 from 9 min to the end, without noise where that is known: (2, rows,
        columns).
    :param labels: tissues, above 0 in the body.
    :param timing: of the frames.
    """

    frames: Float32
    noise_free: Float32
    curve: InputFunction
    suv_factor: float
    truth: Float32
    labels: NDArray[np.uint8]
    timing: FrameTiming = TIMING


def draw_paper_scan(slab: ImpulseMaps, ranges: ScanRanges, rng: np.random.Generator, banks: Path) -> PaperScan:
    """Scan a slice of a slab with the paper's framing.

    :raises InputError: noise took all of the measured blood in a late frame.
    """
    true_blood = slab.info.blood_parameters if ranges.own_blood else draw_blood(slab, rng)
    curve = input_function(true_blood, 66.0 * 60.0)
    dose = float(np.exp(rng.uniform(*np.log(ranges.dose))))
    rows, columns = (n // 8 * 8 for n in slab.labels.shape[1:])
    depth = int(rng.integers(2, len(slab.labels) - 2))
    part = (slice(depth, depth + 1), slice(0, rows), slice(0, columns))
    maps = np.asarray(slab.maps[:, part[0], part[1], part[2]], dtype=np.float32)
    lines = np.asarray(slab.lines[:, part[0], coarse_part(part[1]), coarse_part(part[2])], dtype=np.float32)
    response = responses(curve, TIMING)
    variance = variance_scale(slab, curve, TIMING, dose)
    measured = measured_blood(curve, true_blood, TIMING, variance, lines, response, rng)
    late = TIMING.select(TIMING.window(T_STAR_MIN))
    require_blood(late, measured.plasma_frame_mean(late, FDG.decay_per_s))
    noise_free = np.tensordot(response.astype(np.float32), maps, 1)
    on_lines = np.tensordot(response.astype(np.float32), lines, 1)
    spread = noise_free + np.stack([enlarged(frame, noise_free.shape[1:]) for frame in on_lines])
    spread = np.sqrt(np.maximum(spread, 0.0) * variance[:, None, None, None].astype(np.float32))
    width = ranges.noise_mm or float(rng.choice(WIDTHS_MM, p=SHARES))
    bank = NoiseBank.open(banks, width, slab.info.spacing_mm, len(slab.labels))
    field = np.stack([bank.draw(rng, (1, rows, columns)) for _ in range(len(TIMING))])
    frames = noise_free + spread * field
    truth = np.tensordot(reference_patlak(curve).astype(np.float32), maps, 1)[:, 0]
    flip = slice(None, None, int(rng.choice((1, -1))) if ranges.flips else 1)
    return PaperScan(
        frames=np.ascontiguousarray(frames[:, 0, :, flip]),
        noise_free=np.ascontiguousarray(noise_free[:, 0, :, flip]),
        curve=measured,
        suv_factor=slab.info.weight_kg / slab.info.injected_activity_mbq,
        truth=np.ascontiguousarray(truth[:, :, flip]),
        labels=np.ascontiguousarray(slab.labels[depth, :rows, :columns][:, flip]),
    )


class PaperStream(IterableDataset):
    """One slice a batch, endless."""

    def __init__(self, pool: PatientPool, ranges: ScanRanges, seed: int) -> None:
        super().__init__()
        self.pool, self.ranges, self.seed = pool, ranges, seed

    def __iter__(self) -> Iterator[PaperScan]:
        rng = worker_rng(self.seed)
        for paths in self.pool.growing():
            yield self._scan(paths, rng)

    def _scan(self, paths: list[Path], rng: np.random.Generator) -> PaperScan:
        return drawn(lambda: draw_paper_scan(random_slab(paths, rng), self.ranges, rng, self.pool.folder / "noise"))
