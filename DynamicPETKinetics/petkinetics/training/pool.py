"""A folder of simulated patients for training, filled on the fly and read by every trainer."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import Body, grid
from petkinetics.simulate.seeds import stream
from petkinetics.training.impulse_maps import ImpulseMaps
from petkinetics.training.seed_pool import SeedPool

#: scans drawn before a trainer looks for new patients
_LOOK_EVERY = 64
#: slices of a slab
SLICES = 10
#: voxels (x, y, z; mm) and how often: those of the network paper, then coarser ones
GRIDS: tuple[tuple[tuple[float, float, float], float], ...] = (
    ((1.95, 1.95, 2.79), 0.68),
    ((3.0, 3.0, 3.27), 0.12),
    ((4.07, 4.07, 3.0), 0.08),
    ((4.4, 4.4, 4.5), 0.12),
)
ANATOMIES: tuple[tuple[str, float], ...] = (("thorax", 0.66), ("torso-ct", 0.20), ("total-body", 0.14))


def slab_geometry(seed: int, anatomy: str, spacing_mm: tuple[float, float, float], slices: int) -> VolumeGeometry:
    """A slab at a random height of an anatomy's scan, with voxels of *spacing_mm*."""
    whole = grid("full", anatomy)
    extent = [n * step for n, step in zip(whole.shape[::-1], whole.spacing_mm, strict=True)]
    rows, columns = (round(size / step) for size, step in zip(extent[1::-1], spacing_mm[1::-1], strict=True))
    z = whole.origin_mm[2]
    room = (whole.shape[0] - 1) * whole.spacing_mm[2] - (slices - 1) * spacing_mm[2]
    first = z + float(stream(seed, "slab").uniform(0.0, max(room, 0.0)))
    low = [-0.5 * (n - 1) * step for n, step in zip((columns, rows), spacing_mm[:2], strict=True)]
    return VolumeGeometry((slices, rows, columns), spacing_mm, (low[0], low[1], first))


def make_slab(seed: int, slices: int = SLICES) -> ImpulseMaps:
    """The slab of a training or validation seed: which anatomy, voxels and height follow from the seed."""
    rng = stream(seed, "training slab")
    anatomy = str(rng.choice([name for name, _ in ANATOMIES], p=[share for _, share in ANATOMIES]))
    spacing = GRIDS[int(rng.choice(len(GRIDS), p=[share for _, share in GRIDS]))][0]
    return ImpulseMaps.of_body(Body.random(anatomy, seed), slab_geometry(seed, anatomy, spacing, slices))


class PatientPool(SeedPool):
    """Slabs (:class:`petkinetics.training.impulse_maps.ImpulseMaps`) in a folder, one subfolder a seed."""

    def path(self, seed: int) -> Path:
        """Where a patient's slab is, or will be."""
        return self.folder / f"{seed:06d}"

    def is_complete(self, path: Path) -> bool:
        """Whether the slab is there; its description is written last."""
        return (path / "info.json").exists()

    def make(self, seed: int) -> None:
        """Simulate a slab and save it."""
        make_slab(seed).save(self.path(seed))

    def growing(self) -> Iterator[list[Path]]:
        """What is ready, without end: waits for the first slab, and looks for new ones every 64 times."""
        while True:
            paths = self.ready()
            if not paths:
                time.sleep(1.0)
                continue
            for _ in range(_LOOK_EVERY):
                yield paths

    def fill_in_background(self) -> multiprocessing.process.BaseProcess:
        """Simulate what is missing in a process of its own, which ends with this one."""
        process = multiprocessing.get_context("spawn").Process(
            target=_fill, args=(self.folder, self.seeds), daemon=True
        )
        process.start()
        return process


def _fill(folder: Path, seeds: range) -> None:
    import os

    os.nice(5)
    for _ in PatientPool(folder, seeds).fill():
        pass


def random_slab(paths: list[Path], rng: np.random.Generator) -> ImpulseMaps:
    """One of the slabs."""
    return ImpulseMaps.load(paths[int(rng.integers(len(paths)))])
