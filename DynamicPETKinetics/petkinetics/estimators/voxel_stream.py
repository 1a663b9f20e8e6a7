"""Streaming the voxels of the mask through a fit, slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from petkinetics.estimators.estimator import MapSink, Problem, Progress
from petkinetics.estimators.patlak import require_numbers
from petkinetics.estimators.slab_stream import stream_slabs
from petkinetics.maps import Quantity
from petkinetics.series import Float32

#: turns the frames of some voxels, float32 (frames, voxels), into maps, (voxels,) each
VoxelFit = Callable[[Float32], Sequence[Float32]]


def stream_voxels(
    problem: Problem, quantities: Sequence[Quantity], fit: VoxelFit, sink: MapSink, progress: Progress, message: str
) -> None:
    """Read, fit and write; only the mask's voxels are fitted, the others are 0.

    :param quantities: of the maps, in the order in which *fit* returns them.
    :raises InputError: a voxel within the mask is not a number.
    """
    series = problem.series
    _, rows, columns = series.geometry.shape
    frames = problem.frames.tolist()

    def slab(first: int, last: int) -> list[Float32]:
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

    stream_slabs(problem, quantities, slab, sink, progress, message)
