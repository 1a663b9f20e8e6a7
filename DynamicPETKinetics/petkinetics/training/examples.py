"""An endless stream of examples: target slices of random scans, with the slices around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import max_pool2d
from torch.utils.data import IterableDataset

from petkinetics.errors import InputError
from petkinetics.networks.default_network import SLICES, with_neighbours
from petkinetics.simulate.patient import LESION_LABEL
from petkinetics.training.kinetic_loss import FIRST_LESION
from petkinetics.training.pool import PatientPool, random_slab
from petkinetics.training.processes import worker_rng
from petkinetics.training.scan_settings import ScanRanges
from petkinetics.training.scans import Scan, draw_scan

Drawn = TypeVar("Drawn")
_MOST_TRIES = 20
#: examples made of a scan, since drawing one takes as long as learning from it, and how many batches wait to be mixed
_USES, _WAITING = 2, 4


@dataclass(frozen=True)
class Example:
    """Target slices of one scan, as tensors.

    :param features: (slices, SLICES * FEATURES, rows, columns); *condition* (slices, CONDITIONS).
    :param truth: (slices, LINEAR + 2, rows, columns); *body* (slices, rows, columns), bool; *lesions* likewise, those
        and the voxels next to them.
    :param table: (1, nodes, LINEAR + 2); *blood* (1, LINEAR + 2).
    :param impulse: (slices, IMPULSE, rows, columns); without maps where the response is not known.
    :param regions: (slices, rows, columns), int64: organs by label, each lesion from FIRST_LESION on, 0 elsewhere.
    """

    features: Tensor
    condition: Tensor
    truth: Tensor
    body: Tensor
    lesions: Tensor
    table: Tensor
    blood: Tensor
    impulse: Tensor
    regions: Tensor

    def to(self, device: torch.device) -> Example:
        """The same on a device."""
        return Example(*(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__))


def example_of(scan: Scan, slices: list[int]) -> Example:
    """Some slices of a scan."""
    features = torch.from_numpy(scan.features)
    return Example(
        features=with_neighbours(features, slices),
        condition=torch.from_numpy(scan.condition)[None].expand(len(slices), -1).contiguous(),
        truth=torch.from_numpy(scan.truth[slices]),
        body=torch.from_numpy(scan.labels[slices] > 0),
        lesions=_widened(torch.from_numpy(scan.labels[slices] == LESION_LABEL)),
        table=torch.from_numpy(scan.table)[None],
        blood=torch.from_numpy(scan.blood)[None],
        impulse=torch.from_numpy(scan.impulse[slices]),
        regions=torch.from_numpy(regions_of(scan.labels)[slices]),
    )


def chosen_slices(labels: NDArray[np.uint8], count: int, rng: np.random.Generator) -> list[int]:
    """Targets: half of them through lesions where there are any, which few slices are; the others by chance.

    :param labels: (slices, rows, columns).
    :returns: indices of slices, ascending.
    """
    through = np.flatnonzero((labels == LESION_LABEL).any(axis=(1, 2)))
    some = rng.permutation(through)[: count // 2]
    others = rng.permutation(np.setdiff1d(np.arange(len(labels)), some))[: count - len(some)]
    return sorted(np.concatenate([some, others]).tolist())


def regions_of(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Organs by their label, and every lesion by a number of its own.

    :param labels: (slices, rows, columns), as the answer.
    """
    lesions, _ = ndimage.label(labels == LESION_LABEL)
    return np.where(lesions > 0, FIRST_LESION - 1 + lesions, labels).astype(np.int64)


def _widened(mask: Tensor) -> Tensor:
    """A mask and the voxels next to it in its slice."""
    return max_pool2d(mask.float()[:, None], 3, 1, 1)[:, 0] > 0


def drawn(draw: Callable[[], Drawn]) -> Drawn:
    """What *draw* gives; it is asked again when chance made a scan that nobody could use (blood lost in noise).

    :raises InputError: that happens many times in a row, so chance is not the reason.
    """
    for _ in range(_MOST_TRIES - 1):
        try:
            return draw()
        except InputError:
            continue
    return draw()


class ScanStream(IterableDataset):
    """Batches of examples, drawn by workers from the slabs that are ready.

    :param pool: patients; it may still be growing.
    :param slices: targets a scan.
    :param scans: a batch.
    :param seed: another one for each process that trains.
    """

    def __init__(self, pool: PatientPool, ranges: ScanRanges, slices: int, scans: int, seed: int) -> None:
        super().__init__()
        self.pool, self.ranges, self.slices, self.scans, self.seed = pool, ranges, slices, scans, seed

    def __iter__(self) -> Iterator[list[Example]]:
        rng = worker_rng(self.seed)
        waiting: list[Example] = []
        for paths in self.pool.growing():
            while len(waiting) < _WAITING * self.scans:
                waiting += self._examples(rng, paths)
            yield [waiting.pop(int(rng.integers(len(waiting)))) for _ in range(self.scans)]

    def _examples(self, rng: np.random.Generator, paths: list[Path]) -> list[Example]:
        scan = drawn(lambda: draw_scan(random_slab(paths, rng), self.ranges, rng, self.pool.folder / "noise"))
        chosen = rng.permutation(chosen_slices(scan.labels, _USES * self.slices, rng))
        return [example_of(scan, sorted(part.tolist())) for part in np.array_split(chosen, _USES) if part.size]


assert SLICES % 2 == 1
