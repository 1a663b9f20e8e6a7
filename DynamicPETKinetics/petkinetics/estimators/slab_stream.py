"""Reading, fitting and writing a series slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from petkinetics.estimators.estimator import MapSink, Problem, Progress
from petkinetics.maps import Quantity
from petkinetics.series import Float32

#: the maps of the slices from first to last (exclusive), float32 (slices, rows, columns) each
SlabMaps = Callable[[int, int], Sequence[Float32]]

#: a slab holds about this many float32 values: it stays in the processor's cache
_SLAB_VALUES = 1 << 21
_THREADS = 2


def stream_slabs(
    problem: Problem, quantities: Sequence[Quantity], maps_of: SlabMaps, sink: MapSink, progress: Progress, message: str
) -> None:
    """Read and fit in two threads, while this one writes in the order of the slices.

    :param quantities: of the maps, in the order in which *maps_of* returns them.
    :param message: what *progress* says meanwhile.
    """
    slices, rows, columns = problem.series.geometry.shape
    depth = max(1, min(slices, _SLAB_VALUES // (rows * columns * len(problem.frames))))
    starts = range(0, slices, depth)
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: list[Future[Sequence[Float32]]] = []
        try:
            for done, first in enumerate([*starts, *[None] * _THREADS]):
                if first is not None:
                    waiting.append(pool.submit(maps_of, first, min(first + depth, slices)))
                if waiting and (len(waiting) > _THREADS or first is None):
                    for quantity, values in zip(quantities, waiting.pop(0).result(), strict=True):
                        sink.write(quantity.name, values)
                progress(min(1.0, done / len(starts)), message)
        finally:
            for future in waiting:
                future.cancel()
