"""Ki of the full scan from its first half hour, by a network with the two-tissue model inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.applicability import SHORT_SCAN, SlabWatch
from petkinetics.estimators.compartment_noise import CompartmentNoise, compartment_noise
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress, no_progress
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.estimators.late_frames import LateFrames, wants_frames
from petkinetics.estimators.learned import (
    learned_record,
    region_model_record,
    region_models,
    require_fdg,
    torch_or_refuse,
    unchecked,
    write_slabs,
)
from petkinetics.maps import FV, K1, K2, K3, K4, KI, RESIDUAL, V0, Quantity

if TYPE_CHECKING:
    from petkinetics.networks.run import Runner

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

PRESETS = ("default", "compact", "liang2023")


class KineticNetwork:
    """The two-tissue network.

    Ki and V0 are slope and intercept of Patlak's plot of the model's frames from 9 to 65 min (k4 = 0: those that
    docs/methods.md defines, but for what the plot's late start leaves). Options: ``preset`` = ``default``, or
    ``compact`` or ``liang2023``, the paper's network (see petkinetics.estimators.paper_network);
    ``predicted_frames`` = ``yes`` adds what the frames from T to 65 min would show (``default`` only);
    ``patlak`` = ``frames`` or ``predicted`` is of the paper's network only.
    """

    method = "kinetic-network"
    quantities: tuple[Quantity, ...] = (KI, V0, K1, K2, K3, K4, FV, RESIDUAL)
    option_names: tuple[str, ...] = ("preset", "patlak", "predicted_frames")
    #: all frames until T are used
    whole_series = True
    learned = True

    def estimate(self, problem: Problem, sink: MapSink, progress: Progress = no_progress) -> Estimate:
        """See :class:`petkinetics.estimators.estimator.Estimator`.

        :raises InputError: PyTorch or the weights are not there, or the tracer is not FDG, or an option is
            not of the preset.
        """
        require_fdg(problem, self.method)
        torch_or_refuse(self.method)
        preset = problem.choice("preset", PRESETS)
        if preset != "default":
            from petkinetics.estimators.paper_network import estimate_by_paper_network

            if wants_frames(problem):
                problem.refuse_option("predicted_frames", f"preset={preset}")
            return estimate_by_paper_network(preset, self.quantities, problem, sink, progress)
        problem.refuse_option("patlak", "preset=default")
        return _estimate(problem, sink, progress)


def _estimate(problem: Problem, sink: MapSink, progress: Progress) -> Estimate:
    import torch

    from petkinetics.estimators.slab_network import SlabNetwork
    from petkinetics.networks.default_network import DefaultNetwork, linear_response, rate_constants
    from petkinetics.networks.features import KI_UNIT
    from petkinetics.networks.model_rows import KNEE, STEP
    from petkinetics.networks.weight_files import device_named, read_weights

    progress(0.0, "Loading the network")
    weights = read_weights("kinetic-network", problem.weights)
    volume = FeatureVolume.of(problem)
    network = SlabNetwork(DefaultNetwork, weights, volume, device_named(problem.device))
    series, timing = problem.series, volume.timing
    noise = compartment_noise(problem)
    rows = network.model(np.eye(len(timing)))
    table, blood = torch.from_numpy(rows.table)[None], torch.from_numpy(rows.blood)[None]
    late = LateFrames.after(volume, problem) if wants_frames(problem) else None
    watch = SlabWatch(series.geometry.shape, volume.box)

    def maps_of(first: int, last: int) -> list[Float32]:
        response, frames, features = network.of(first, last)
        inside = torch.from_numpy(_inside(problem, volume, first, last))
        # the model's frames only where there is a patient
        found = response.movedim(1, -1)[inside].T[None, :, :, None]
        model = linear_response(found, table, blood, KNEE, STEP)[0, :, :, 0].numpy()
        measured = frames[:, inside.numpy()]
        ki, v0 = KI_UNIT * model[-2], model[-1]
        rates = rate_constants(found[0, :, :, 0]).numpy()
        residual = noise.residual(measured - model[:-2], measured, len(timing))
        if late is not None:
            late.fill(found, slice(first, last), inside.numpy())
        out = [_filled(values, inside.numpy()) for values in (ki, v0, *rates, residual)]
        watch.see(first, last, features[:, -1], out[-1], inside.numpy())
        return out

    write_slabs(KineticNetwork.quantities, problem, volume.box, maps_of, sink, progress)
    predicted = None if late is None else late.frames
    judged = unchecked(KineticNetwork.method)
    if SHORT_SCAN in weights.card:
        judged = watch.judge(volume.condition, weights.card, KineticNetwork.method, series.geometry.spacing_mm[::-1])
    record = _record(problem, volume, noise, weights.record, network.runner)
    return Estimate(record, *region_models(problem, timing, noise), predicted, judged)


def _inside(problem: Problem, volume: FeatureVolume, first: int, last: int) -> NDArray[np.bool_]:
    box = (slice(first, last), *volume.box[1:])
    if problem.mask is None:
        return np.ones(tuple(part.stop - part.start for part in box), bool)
    return np.ascontiguousarray(problem.mask[box])


def _filled(values: Float32, inside: NDArray[np.bool_]) -> Float32:
    out = np.zeros(inside.shape, np.float32)
    out[inside] = values
    return out


def _record(
    problem: Problem, volume: FeatureVolume, noise: CompartmentNoise, weights: dict[str, Any], runner: Runner
) -> dict[str, Any]:
    timing, prepared = volume.timing, volume.late
    sd = np.sqrt(prepared.noise.scale(np.array([prepared.noise.body_mean], np.float32))[0])
    return {
        **learned_record(weights, runner.device.type),
        **region_model_record(problem, timing, noise),
        "noise": {
            "common": prepared.noise.common,
            "local": prepared.noise.local,
            "body_mean_kbq_per_ml": prepared.noise.body_mean,
            "patlak_ki_sd": float(sd * np.sqrt(prepared.fit.covariance[0, 0])),
            "correlation_sd_mm": [round(s, 4) for s in volume.correlation.sd_mm[::-1]],
        },
        "blood_curve": {"measured_until_s": float(timing.end_s[-1]), "used_until_s": volume.curve.end_s},
    }
