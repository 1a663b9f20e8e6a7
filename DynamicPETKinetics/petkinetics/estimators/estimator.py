"""What every estimation method is given, and what it must do with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.maps import ParametricMap, ParametricResult, Quantity
from petkinetics.series import DynamicSeries, Float32

if TYPE_CHECKING:
    from petkinetics.estimators.applicability import Applicability
    from petkinetics.kinetics.region_fit import CompartmentFit

#: called with the share of work done (0-1) and what is being done; raises Cancelled to stop
Progress = Callable[[float, str], None]


def no_progress(fraction: float, message: str) -> None:
    """A Progress that nobody watches: *fraction* done, from 0 to 1."""


@dataclass(frozen=True)
class Problem:
    """One estimate to make.

    :param series: the dynamic series.
    :param input_function: covers the frames used.
    :param frames: indices of the frames used, in order of time.
    :param mask: bool (slices, rows, columns), where to estimate; None for everywhere.
    :param options: of the method, by name (``--set key=value``).
    :param device: of learned methods: auto, cpu or cuda.
    :param weights: folder of own weights of learned methods; None for those that come with the engine.
    :param seed: of methods that draw at random; *samples*: how many draws make an SD map, 0 for none.
    """

    series: DynamicSeries
    input_function: InputFunction
    frames: NDArray[np.intp]
    mask: NDArray[np.bool_] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    device: str = "auto"
    weights: Path | None = None
    seed: int = 0
    samples: int = 0

    def refuse_option(self, option: str, of: str) -> None:
        """Refuse an option that the method knows, but not in the form that was chosen.

        :param of: what does not have it, such as "preset=default".
        :raises InputError: it was given.
        """
        if option in self.options:
            raise InputError(f"The option '{option}' means nothing with {of}.", f"Leave out --set {option}=...")

    def choice(self, option: str, allowed: tuple[str, ...]) -> str:
        """The value of an option that has a list of values; the first is the default.

        :raises InputError: another value was given.
        """
        value = self.options.get(option, allowed[0])
        if value not in allowed:
            raise InputError(f"'{value}' is not a value of the option '{option}'; it is one of {', '.join(allowed)}.")
        return value


class MapSink(Protocol):
    """Where maps go, slab by slab, in order of slices."""

    def write(self, name: str, slab: Float32) -> None:
        """Take the next slices of the map called *name*, in its unit, float32 (slices, rows, columns): *slab*."""
        ...


@dataclass(frozen=True, eq=False)
class PredictedFrames:
    """Frames that were not measured, as a method expects them.

    :param values: float32 (frames, slices, rows, columns), SUV or kBq/mL.
    :param unit: "g/mL" (SUV) or "kBq/mL".
    """

    values: Float32
    timing: FrameTiming
    unit: str


@dataclass(frozen=True)
class Estimate:
    """What a method reports besides its maps.

    :param record: for result.json (weights, noise, frames ...), plain JSON values.
    :param region_fit: standard errors and fitted frames of a region's curve: called with the
        curve's frame means in the frames used, (frames,), returns quantity -> (value, SE) and the
        fitted frame means.
    :param model_fit: of compartment methods: everything about such a fit, for ``region_fits.tsv``.
    :param predicted: late frames, of methods that predict them when asked to.
    :param applicability: of learned methods: whether they were made for this scan. A run adds the scan's own faults.
    """

    record: dict[str, Any]
    region_fit: Callable[[NDArray[np.float64]], tuple[dict[str, tuple[float, float]], NDArray[np.float64]]]
    model_fit: Callable[[NDArray[np.float64]], CompartmentFit] | None = None
    predicted: PredictedFrames | None = None
    applicability: Applicability | None = None


class Estimator(Protocol):
    """One method."""

    method: str
    quantities: tuple[Quantity, ...]
    option_names: tuple[str, ...]

    def estimate(self, problem: Problem, sink: MapSink, progress: Progress = no_progress) -> Estimate:
        """Estimate every voxel of the mask.

        :raises InputError: the data cannot be used with this method.
        :raises Cancelled: through *progress*.
        """
        ...


def uses_whole_series(estimator: Estimator) -> bool:
    """Whether a method uses all frames until T (compartment models), not those after t* (graphical ones)."""
    return bool(getattr(estimator, "whole_series", False))


def is_learned(estimator: Estimator) -> bool:
    """Whether a method has trained weights, and so minds ``Problem.weights`` and ``Problem.device``."""
    return bool(getattr(estimator, "learned", False))


def draws_samples(estimator: Estimator) -> bool:
    """Whether a method draws at random, and so minds ``Problem.seed`` and ``Problem.samples``."""
    return hasattr(estimator, "sampled_quantities")


def quantities_of(estimator: Estimator, samples: int) -> tuple[Quantity, ...]:
    """The maps that a method makes: some make SD maps where samples are drawn."""
    if samples > 0:
        sampled: tuple[Quantity, ...] = getattr(estimator, "sampled_quantities", estimator.quantities)
        return sampled
    return estimator.quantities


class MemorySink:
    """Keeps the maps in memory."""

    def __init__(self) -> None:
        self._slabs: dict[str, list[Float32]] = {}

    def write(self, name: str, slab: Float32) -> None:
        """See :class:`MapSink`."""
        self._slabs.setdefault(name, []).append(slab.copy())

    def volume(self, name: str) -> Float32:
        """The whole map, float32 (slices, rows, columns)."""
        return np.concatenate(self._slabs[name])


def estimate_in_memory(estimator: Estimator, problem: Problem) -> ParametricResult:
    """Run a method and keep its maps in memory, for scripts and tests."""
    sink = MemorySink()
    estimate = estimator.estimate(problem, sink)
    maps = {
        quantity.name: ParametricMap(sink.volume(quantity.name), quantity, problem.series.geometry)
        for quantity in quantities_of(estimator, problem.samples)
    }
    return ParametricResult(maps, estimate.record)
