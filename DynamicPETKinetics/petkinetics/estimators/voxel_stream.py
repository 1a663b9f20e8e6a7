"""Streaming the voxels of the mask through a fit, slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from petkinetics.estimators.estimator import MapSink, Problem, Progress
from petkinetics.estimators.patlak import require_numbers
from petkinetics.maps import Quantity
from petkinetics.series import Float32

#: turns the frames of some voxels, float32 (frames, voxels), into maps, (voxels,) each
VoxelFit = Callable[[Float32], Sequence[Float32]]

_SLAB_VALUES = 1 << 21
_THREADS = 2


def stream_voxels(
    problem: Problem, quantities: Sequence[Quantity], fit: VoxelFit, sink: MapSink, progress: Progress, message: str
) -> None:
    """Read, fit and write; only the mask's voxels are fitted, the others are 0.

    Two threads read and fit while this one writes in order.

    :param quantities: of the maps, in the order in which *fit* returns them.
    :raises InputError: a voxel within the mask is not a number.
    """
    series = problem.series
    slices, rows, columns = series.geometry.shape
    frames = problem.frames.tolist()
    depth = max(1, min(slices, _SLAB_VALUES // (rows * columns * len(frames))))
    starts = range(0, slices, depth)

    def slab(first: int) -> list[Float32]:
        last = min(first + depth, slices)
        inside = None if problem.mask is None else problem.mask[first:last].reshape(-1)
        size = (last - first) * rows * columns
        maps = [np.zeros(size, dtype=np.float32) for _ in quantities]
        if inside is None or inside.any():
            values = series.read(frames, first, last).reshape(len(frames), -1)
            if inside is not None:
                values = np.ascontiguousarray(values[:, inside])
            if not np.isfinite(values.sum(dtype=np.float64)):
                require_numbers(values, problem)
            for out, found in zip(maps, fit(values), strict=True):
                out[slice(None) if inside is None else inside] = found
        return [m.reshape(-1, rows, columns) for m in maps]

    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: list[Future[list[Float32]]] = []
        try:
            for done, first in enumerate([*starts, *[None] * _THREADS]):
                if first is not None:
                    waiting.append(pool.submit(slab, first))
                if waiting and (len(waiting) > _THREADS or first is None):
                    for quantity, values in zip(quantities, waiting.pop(0).result(), strict=True):
                        sink.write(quantity.name, values)
                progress(min(1.0, done / len(starts)), message)
        finally:
            for future in waiting:
                future.cancel()
