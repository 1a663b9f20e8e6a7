"""What training scans are drawn from: framings, ends, doses, sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from petkinetics.frames import FrameTiming
from petkinetics.networks.features import T_STAR_MIN

#: framings and how often each is drawn; the network paper's is the one most used
FRAMINGS = (
    ("liang2023", 0.5),
    ("6x10,8x15,6x30,5x60,5x120,10x300", 0.1),
    ("12x10,6x20,6x60,4x150,11x300", 0.1),
    ("10x30,5x60,10x120,7x300", 0.08),
    ("65x60", 0.05),
    ("4x15,4x30,3x60,2x120,2x180,2x270,5x600", 0.05),
    ("20x6,6x20,4x60,4x120,10x300", 0.06),
    ("8x15,8x30,5x120,16x180", 0.06),
)


@dataclass(frozen=True)
class ScanRanges:
    """What scans are drawn from; the model card lists it.

    :param until_min: T that most scans end at, *own_share* of them; *whole_share* reach the end of *until_range_min*,
        as whole scans do, and the others end anywhere in it.
    :param dose: least and most, log-uniform.
    :param crop: rows and columns of a crop.
    :param framing: the one that all scans have; *noise_mm*: the noise's kernel (FWHM); None: drawn. *own_blood*: no
        patient has another's input function.
    """

    until_min: float = 35.0
    until_range_min: tuple[float, float] = (24.0, 65.0)
    own_share: float = 0.45
    whole_share: float = 0.37
    dose: tuple[float, float] = (0.06, 2.0)
    crop: int = 112
    flips: bool = True
    framing: str | None = None
    noise_mm: float | None = None
    own_blood: bool = False


def draw_frames(ranges: ScanRanges, rng: np.random.Generator) -> FrameTiming:
    """Frames until T."""
    spec = ranges.framing or str(rng.choice([name for name, _ in FRAMINGS], p=[share for _, share in FRAMINGS]))
    until, kind = float(rng.uniform(*ranges.until_range_min)), rng.random() - ranges.own_share
    if kind < ranges.whole_share:
        until = ranges.until_min if kind < 0 else ranges.until_range_min[1]
    whole = FrameTiming.parse(spec)
    used = whole.select(whole.until(until))
    while used.window(T_STAR_MIN).size < 3:
        until += 5.0
        used = whole.select(whole.until(until))
    return used
