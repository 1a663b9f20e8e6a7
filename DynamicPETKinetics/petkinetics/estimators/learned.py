"""What the learned methods share: what they refuse, the box of the body, and the way maps are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.applicability import Applicability
from petkinetics.estimators.boxes import Box, box_around
from petkinetics.estimators.compartment_noise import CompartmentNoise
from petkinetics.estimators.estimator import MapSink, Problem, Progress
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.region_fit import CompartmentFit, CompartmentFitter
from petkinetics.maps import Quantity

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
RegionModels = tuple[
    Callable[[Float64], tuple[dict[str, tuple[float, float]], Float64]], Callable[[Float64], CompartmentFit]
]

#: values of the frames in memory at once, and slices
_SLAB_VALUES, _MOST_SLICES = 1 << 24, 8


def require_fdg(problem: Problem, method: str) -> None:
    """Refuse tracers that a learned method was not trained for.

    :raises InputError: the series names another tracer.
    """
    tracer = problem.series.tracer
    if tracer.is_fdg is False:
        raise InputError(
            f"The method '{method}' was trained on FDG, and the series' tracer is {tracer.name}.",
            "Use patlak or a compartment model.",
        )


def torch_or_refuse(method: str) -> None:
    """Refuse where there is no PyTorch.

    :raises InputError: PyTorch or safetensors is not installed.
    """
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"The method '{method}' needs PyTorch, which is not installed ({error.name}).",
            "Install it: pip install 'petkinetics[learned]' (in Slicer the panel offers it).",
        ) from error


def learned_record(weights: Mapping[str, Any], device: str, *also: Mapping[str, Any]) -> dict[str, Any]:
    """What ``result.json`` says of a learned method; "details" stand in exported objects, too.

    :param weights: of the weights' record, see :class:`petkinetics.networks.weight_files.Weights`.
    :param also: of further networks that took part.
    """
    trained_on = str(weights.get("trained_on") or "unknown data")
    hashes = ", ".join(str(one["sha256"])[:12] for one in (weights, *also))
    return {
        "network": dict(weights),
        "weights_hash": weights["sha256"],
        "device": device,
        "trained_on": trained_on,
        "details": f"trained on {trained_on}, weights {hashes}",
    }


def unchecked(name: str) -> Applicability:
    """Of a network whose model card has no ranges: nobody may take silence for a check that was passed.

    :param name: of the weights.
    """
    return Applicability(
        (
            f"The model card of {name} has no ranges to check a scan against, so whether the network was made for a "
            "scan like this is not known. Compare its map with Patlak's before relying on it.",
        ),
        {"checked": False},
    )


def region_model_record(problem: Problem, timing: FrameTiming, noise: CompartmentNoise) -> dict[str, Any]:
    """Frames with their weights, and the two-tissue model that regions are fitted by beside a network's maps."""
    return {
        "frames_used": [
            {"index": int(i), "start_s": float(start), "duration_s": float(duration), "weight": float(weight)}
            for i, start, duration, weight in zip(
                problem.frames, timing.start_s, timing.duration_s, noise.weights, strict=True
            )
        ],
        "model": {"of_regions": "two-tissue", "blood_to_plasma": noise.blood_to_plasma},
    }


def region_models(problem: Problem, timing: FrameTiming, noise: CompartmentNoise) -> RegionModels:
    """The two-tissue fit of a region's curve that stands beside a network's maps.

    :returns: the ``region_fit`` and ``model_fit`` of :class:`petkinetics.estimators.estimator.Estimate`.
    """
    fitter = CompartmentFitter(
        problem.input_function, timing, noise.weights, "two-tissue", problem.series.frame_decay_per_s,
        noise.blood_to_plasma,
    )  # fmt: skip
    return fitter.region_fit, fitter.fit


def body_box(problem: Problem, margin_mm: float) -> Box:
    """Slices of the mask; its rows and columns and a margin. All of the volume where there is no mask.

    :param margin_mm: beside rows and columns.
    :raises InputError: the mask is empty.
    """
    if problem.mask is not None and not problem.mask.any():
        raise InputError("The mask is empty: there is no voxel to estimate.", "Check the file given with --mask.")
    geometry = problem.series.geometry
    return box_around(problem.mask, geometry.shape, geometry.spacing_mm[::-1], (0.0, margin_mm, margin_mm))


def write_slabs(
    quantities: tuple[Quantity, ...],
    problem: Problem,
    box: Box,
    maps_of: Callable[[int, int], list[Float32]],
    sink: MapSink,
    progress: Progress,
) -> None:
    """Estimate some slices at a time and hand them over; what lies outside the box is 0.

    :param maps_of: (first, last slice) -> maps in the order of *quantities*, each in its unit, (slices, rows,
        columns) of the box.
    """
    slices, rows, columns = problem.series.geometry.shape
    in_slice = (box[1].stop - box[1].start) * (box[2].stop - box[2].start)
    depth = int(np.clip(_SLAB_VALUES // (in_slice * len(problem.frames)), 1, _MOST_SLICES))
    at = 0
    while at < slices:
        if not box[0].start <= at < box[0].stop:
            for quantity in quantities:
                sink.write(quantity.name, np.zeros((1, rows, columns), np.float32))
            at += 1
            continue
        last = min(at + depth, box[0].stop)
        for quantity, values in zip(quantities, maps_of(at, last), strict=True):
            out = np.zeros((last - at, rows, columns), np.float32)
            out[:, box[1], box[2]] = values
            sink.write(quantity.name, out)
        at = last
        progress(at / slices, "Estimating Ki by the network")
