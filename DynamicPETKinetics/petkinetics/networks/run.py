"""Running a network over slices of any size: batches that fit the memory, tiles where a slice is too large.

When the memory of a GPU is full, the batch is halved; when one tile is too much, the processor does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from petkinetics.networks.features import fine_voxel_mm

Float32 = NDArray[np.float32]

#: rows or columns of a tile, and what neighbouring tiles share
TILE, OVERLAP = 384, 96
#: slices at once, before the memory says otherwise
_BATCH = {"cpu": 2, "cuda": 32}


class Runner:
    """A network on a device.

    :param network: (batch, maps, rows, columns), (batch, conditions) -> (batch, out, rows, columns).
    :param device: where to compute; changes to the processor when the GPU's memory does not suffice.
    """

    def __init__(self, network: nn.Module, device: torch.device, tile: int = TILE, overlap: int = OVERLAP) -> None:
        self._network = network.to(device).eval()
        self.device = device
        self._tile, self._overlap = tile, overlap
        self._batch = _BATCH.get(device.type, 2)

    def __call__(self, maps: Tensor, condition: Tensor) -> Tensor:
        """All slices, float32 on the processor.

        :param maps: (slices, maps, rows, columns); *condition*: (conditions,).
        """
        rows, columns = maps.shape[-2:]
        parts = [(r, c) for r in self._parts(rows) for c in self._parts(columns)]
        if len(parts) == 1:
            return self._batches(maps, condition)
        total: Tensor | None = None
        weights = torch.zeros(rows, columns)
        for r, c in parts:
            found = self._batches(maps[..., r, c].contiguous(), condition)
            share = _ramp(r, rows, self._overlap)[:, None] * _ramp(c, columns, self._overlap)[None, :]
            if total is None:
                total = torch.zeros(*found.shape[:2], rows, columns)
            total[..., r, c] += found * share
            weights[r, c] += share
        assert total is not None
        return total / weights

    def _batches(self, maps: Tensor, condition: Tensor) -> Tensor:
        done: list[Tensor] = []
        at = 0
        while at < len(maps):
            part = maps[at : at + self._batch]
            try:
                done.append(self._once(part, condition))
            except torch.cuda.OutOfMemoryError:
                self._relieve()
                continue
            at += len(part)
        return torch.cat(done)

    def _once(self, part: Tensor, condition: Tensor) -> Tensor:
        with torch.inference_mode():
            shared = condition[None].expand(len(part), -1).to(self.device)
            half = self.device.type == "cuda"
            with torch.autocast(self.device.type, dtype=torch.float16, enabled=half):
                found = self._network(part.to(self.device), shared)
            return found.float().cpu()

    def _relieve(self) -> None:
        torch.cuda.empty_cache()
        if self._batch > 1:
            self._batch //= 2
        else:
            self.device = torch.device("cpu")
            self._network = self._network.to(self.device)

    def _parts(self, size: int) -> Iterator[slice]:
        if size <= self._tile:
            yield slice(0, size)
            return
        step = self._tile - self._overlap
        count = -(-(size - self._overlap) // step)
        for n in range(count):
            start = round(n * (size - self._tile) / (count - 1)) // 16 * 16
            yield slice(start, min(start + self._tile, size) if n < count - 1 else size)


def on_fine_voxels(runner: Runner, maps: Tensor, condition: Tensor, size_mm: float) -> Tensor:
    """Run on voxels of about 2 mm in the slice, whatever the image's: the answer is averaged back.

    The network learned most of what it knows on such voxels; on voxels of 4.4 mm it smeared lesions of 10 mm
    over two thirds of their height, interpolated to 2.2 mm it does not.

    :param maps: (slices, maps, rows, columns); *condition*: of the fine voxels, (conditions,).
    :param size_mm: of the image's voxels in the slice.
    """
    rows, columns = maps.shape[-2:]
    fine = fine_voxel_mm(size_mm)
    if fine == size_mm:
        return runner(maps, condition)
    shape = [round(n * size_mm / fine) for n in (rows, columns)]
    found = runner(interpolate(maps, size=shape, mode="bicubic", align_corners=False), condition)
    if all(new % old == 0 for new, old in zip(shape, (rows, columns), strict=True)):
        return interpolate(found, size=(rows, columns), mode="area")
    return interpolate(found, size=(rows, columns), mode="bicubic", align_corners=False, antialias=True)


def _ramp(part: slice, size: int, overlap: int) -> Tensor:
    """1 within a tile, falling towards an edge that another tile continues."""
    ramp = torch.ones(part.stop - part.start)
    slope = (torch.arange(overlap) + 0.5) / overlap
    if part.start > 0:
        ramp[:overlap] = slope
    if part.stop < size:
        ramp[-overlap:] = torch.minimum(ramp[-overlap:], slope.flip(0))
    return ramp
