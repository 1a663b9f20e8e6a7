"""Correlated noise to take crops from: drawing it anew for every crop would take most of a training's time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.gaussian_width import FWHM_PER_SD
from petkinetics.simulate.kernels import convolve_axes, noise_taps

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]

#: widths of the noise's kernel, mm FWHM, and how often each is drawn: 5.5 mm is the simulated scanner's,
#: 9 mm, under which a network has most to lose, comes more often than a scanner has it
WIDTHS_MM = (3.0, 4.0, 5.0, 5.5, 6.0, 7.0, 9.0)
SHARES = (0.05, 0.07, 0.11, 0.32, 0.11, 0.13, 0.21)
_FIELDS, _EXTENT_MM, _LEAST = 14, 620.0, 128


@dataclass(frozen=True, eq=False)
class NoiseBank:
    """Unit-variance fields of one kernel on one grid.

    :param fields: float16 (fields, slices, rows, columns), larger than any crop.
    :param sd_mm: of the kernel along x, y, z.
    """

    fields: Float16
    sd_mm: tuple[float, float, float]

    @classmethod
    def open(cls, folder: Path, width_mm: float, spacing_mm: tuple[float, float, float], slices: int) -> NoiseBank:
        """Read the bank of a kernel and a grid, made the first time.

        :param width_mm: FWHM of the kernel.
        :param spacing_mm: (x, y, z).
        """
        name = f"noise_{width_mm:g}_" + "_".join(f"{s:.2f}" for s in spacing_mm) + f"_{slices}.npy"
        sd = width_mm / FWHM_PER_SD
        if not (folder / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            rows = max(_LEAST, int(_EXTENT_MM / spacing_mm[0]))
            taps = [noise_taps(sd / step) for step in spacing_mm[::-1]]
            pads = [len(kernel) // 2 for kernel in taps]
            rng = np.random.default_rng([round(100 * width_mm), rows, slices])
            wide = [n + 2 * p for n, p in zip((slices, rows, rows), pads, strict=True)]
            inner = tuple(slice(p, -p) for p in pads)
            fields = np.stack(
                [
                    convolve_axes(rng.standard_normal(wide, dtype=np.float32), taps)[inner].astype(np.float16)
                    for _ in range(_FIELDS)
                ]
            )
            # under another name first: several trainers may want the same bank
            part = folder / f"{name}.{np.random.SeedSequence().entropy}.part.npy"
            np.save(part, fields)
            part.rename(folder / name)
        return cls(np.load(folder / name, mmap_mode="r"), (sd, sd, sd))

    def draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> Float32:
        """A random place, turned and signed at random, float32 of *shape* (slices, rows, columns)."""
        field = self.fields[rng.integers(len(self.fields))]
        start = [int(rng.integers(have - want + 1)) for have, want in zip(field.shape, shape, strict=True)]
        out = field[tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))].astype(np.float32)
        steps = rng.choice((1, -1), size=3)
        out = out[tuple(slice(None, None, step) for step in steps)]
        return out if rng.random() < 0.5 else -out
