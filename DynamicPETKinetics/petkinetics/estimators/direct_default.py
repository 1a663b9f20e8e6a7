"""Our network without the kinetic model: Ki and V0 from the same features, as a change of Patlak's fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.compartment import compartment_noise
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.estimators.learned import learned_record, region_model_record, write_slabs
from petkinetics.kinetics.region_fit import CompartmentFitter
from petkinetics.maps import KI, V0

Float32 = NDArray[np.float32]

WEIGHTS = "direct-network-default"


def estimate_directly(problem: Problem, sink: MapSink, progress: Progress) -> Estimate:
    """Ki (mL/min/mL) and V0 (mL/mL) of 9-65 min, without any model between features and answer.

    :raises InputError: the weights are not there, or frames or input function cannot be used.
    """
    import torch

    from petkinetics.networks.default_network import SLICES, DirectDefaultNetwork, TurnedMean, with_neighbours
    from petkinetics.networks.features import KI_UNIT, LINEAR
    from petkinetics.networks.run import Runner, on_fine_voxels
    from petkinetics.networks.weight_files import device_named, load_into, read_weights

    progress(0.0, "Loading the network")
    weights = read_weights(WEIGHTS, problem.weights)
    network = TurnedMean(load_into(DirectDefaultNetwork.of_card(weights.card), weights))
    runner = Runner(network, device_named(problem.device))
    volume = FeatureVolume.of(problem)
    condition = torch.from_numpy(volume.condition)
    reach = SLICES // 2
    in_slice_mm = float(np.sqrt(np.prod(problem.series.geometry.spacing_mm[:2])))

    def maps_of(first: int, last: int) -> list[Float32]:
        features = torch.from_numpy(volume.features_of(volume.frames_of(first - reach, last + reach)))
        maps = with_neighbours(features, range(reach, reach + last - first))
        change = on_fine_voxels(runner, maps, condition, in_slice_mm)
        found = change.numpy() + features[reach : reach + last - first, LINEAR - 2 : LINEAR].numpy()
        if problem.mask is not None:
            found = found * problem.mask[first:last][:, None, volume.box[1], volume.box[2]]
        return [KI_UNIT * found[:, 0], found[:, 1]]

    write_slabs((KI, V0), problem, volume.box, maps_of, sink, progress)
    noise = compartment_noise(problem)
    fitter = CompartmentFitter(
        problem.input_function, volume.timing, noise.weights, "two-tissue", problem.series.frame_decay_per_s,
        noise.blood_to_plasma,
    )  # fmt: skip

    def region_fit(values: NDArray[np.float64]) -> tuple[dict[str, tuple[float, float]], NDArray[np.float64]]:
        found = fitter.fit(values)
        return found.values, found.fitted_kbq_per_ml

    record = {
        **learned_record(weights.record, runner.device.type),
        **region_model_record(problem, volume.timing, noise),
        "blood_curve": {"measured_until_s": float(volume.timing.end_s[-1]), "used_until_s": volume.curve.end_s},
    }
    return Estimate(record, region_fit, fitter.fit)
