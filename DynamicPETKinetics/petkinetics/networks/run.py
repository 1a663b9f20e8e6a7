"""Running a network over slices of any size: batches that fit the memory, tiles where a slice is too large.

When the memory of a GPU is full, the batch is halved; when one tile is too much, the processor does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


#: (network, its device, first and last slice) -> the answer for these slices, on the processor
Once = Callable[[nn.Module, torch.device, int, int], Tensor]


class Batches:
    """A network on a device, given as many slices at once as the memory holds.

    :param network: put on *device* and into evaluation mode.
    :param device: where to compute; changes to the processor when the GPU's memory does not suffice.
    """

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self.device = device
        self._most: int | None = None

    def over(self, count: int, most: int, once: Once, done: Callable[[int], None] = lambda _: None) -> Tensor:
        """All slices, at most so many at once: the answers one after the other, (slices, ...).

        :param count: slices in all.
        :param once: gives the answer to some of them, (slices, ...).
        :param done: called after every batch with its slices; raises to stop.
        """
        found: list[Tensor] = []
        at = 0
        while at < count:
            size = min(most if self._most is None else min(most, self._most), count - at)
            try:
                found.append(once(self._network, self.device, at, at + size))
            except torch.cuda.OutOfMemoryError:
                self._relieve(size)
                continue
            at += size
            done(size)
        return torch.cat(found)

    def _relieve(self, size: int) -> None:
        torch.cuda.empty_cache()
        if size > 1:
            self._most = size // 2
        else:
            self.device, self._most = torch.device("cpu"), None
            self._network = self._network.to(self.device)


class Runner:
    """A network of maps and a condition.

    :param network: (batch, maps, rows, columns), (batch, conditions) -> (batch, out, rows, columns).
    :param mixed: half precision on the processor, too, where that is faster.
    """

    def __init__(
        self, network: nn.Module, device: torch.device, tile: int = TILE, overlap: int = OVERLAP, mixed: bool = False
    ) -> None:
        self._batches = Batches(network, device)
        self._tile, self._overlap = tile, overlap
        self._mixed = mixed

    @property
    def device(self) -> torch.device:
        """Where it computes by now."""
        return self._batches.device

    def __call__(self, maps: Tensor, condition: Tensor) -> Tensor:
        """All slices, float32 on the processor.

        :param maps: no unit, (slices, maps, rows, columns); *condition*: likewise, (conditions,).
        """
        rows, columns = maps.shape[-2:]
        parts = [(r, c) for r in self._parts(rows) for c in self._parts(columns)]
        if len(parts) == 1:
            return self._run(maps, condition)
        total: Tensor | None = None
        weights = torch.zeros(rows, columns)
        for r, c in parts:
            found = self._run(maps[..., r, c].contiguous(), condition)
            share = _ramp(r, rows, self._overlap)[:, None] * _ramp(c, columns, self._overlap)[None, :]
            if total is None:
                total = torch.zeros(*found.shape[:2], rows, columns)
            total[..., r, c] += found * share
            weights[r, c] += share
        assert total is not None
        return total / weights

    def _run(self, maps: Tensor, condition: Tensor) -> Tensor:
        def once(network: nn.Module, device: torch.device, first: int, last: int) -> Tensor:
            shared = condition[None].expand(last - first, -1).to(device)
            on_gpu = device.type == "cuda"
            half = torch.float16 if on_gpu else torch.bfloat16
            enabled = on_gpu or (self._mixed and is_mixed(device))
            with torch.inference_mode(), torch.autocast(device.type, dtype=half, enabled=enabled):
                found = network(maps[first:last].to(device), shared)
            return found.float().cpu()

        return self._batches.over(len(maps), _BATCH.get(self.device.type, 2), once)

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


def half_type(device: torch.device) -> torch.dtype:
    """The half-precision type that suits a device."""
    return torch.float16 if device.type == "cuda" and not torch.cuda.is_bf16_supported() else torch.bfloat16


def is_mixed(device: torch.device) -> bool:
    """Whether half precision is faster: on CUDA, and on processors that multiply bfloat16 in hardware."""
    checks = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return device.type == "cuda" or any(check is not None and check() for check in checks)
