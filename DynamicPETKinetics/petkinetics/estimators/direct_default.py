"""Our network without the kinetic model: Ki and V0 from the same features, as a change of Patlak's fit."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from petkinetics.estimators.compartment import compartment_noise
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.estimators.learned import learned_record, region_model_record, region_models, write_slabs
from petkinetics.maps import KI, V0
from petkinetics.networks.default_network import SLICES, DirectDefaultNetwork, TurnedMean, with_neighbours
from petkinetics.networks.features import KI_UNIT, LINEAR
from petkinetics.networks.run import Runner, on_fine_voxels
from petkinetics.networks.weight_files import Weights, device_named, load_into, read_weights

Float32 = NDArray[np.float32]

WEIGHTS = "direct-network-default"


class DirectMaps:
    """The network's answer, some slices at a time.

    :param volume: where in the series, and the features' design.
    """

    def __init__(self, weights: Weights, volume: FeatureVolume, device: torch.device) -> None:
        network = TurnedMean(load_into(DirectDefaultNetwork.of_card(weights.card), weights))
        self.runner = Runner(network, device, mixed=True)
        self._volume, self._condition = volume, torch.from_numpy(volume.condition)
        self._in_slice_mm = float(np.sqrt(np.prod(volume.problem.series.geometry.spacing_mm[:2])))

    def of(self, first: int, last: int) -> Float32:
        """Ki (mL/min/mL) and V0 of some slices within the volume's box, (2, slices, rows, columns)."""
        reach = SLICES // 2
        here = slice(reach, reach + last - first)
        features = self._volume.features_of(self._volume.frames_of(first - reach, last + reach))
        maps = with_neighbours(torch.from_numpy(features), range(here.start, here.stop))
        change = on_fine_voxels(self.runner, maps, self._condition, self._in_slice_mm)
        found = change.numpy() + features[here, LINEAR - 2 : LINEAR]
        return np.stack([KI_UNIT * found[:, 0], found[:, 1]]).astype(np.float32)


def estimate_directly(problem: Problem, sink: MapSink, progress: Progress) -> Estimate:
    """Ki (mL/min/mL) and V0 (mL/mL) of 9-65 min, without any model between features and answer.

    :raises InputError: the weights are not there, or frames or input function cannot be used.
    """
    progress(0.0, "Loading the network")
    weights = read_weights(WEIGHTS, problem.weights)
    volume = FeatureVolume.of(problem)
    network = DirectMaps(weights, volume, device_named(problem.device))

    def maps_of(first: int, last: int) -> list[Float32]:
        found = network.of(first, last)
        if problem.mask is not None:
            found = found * problem.mask[first:last, volume.box[1], volume.box[2]]
        return list(found)

    write_slabs((KI, V0), problem, volume.box, maps_of, sink, progress)
    noise = compartment_noise(problem)
    record = {
        **learned_record(weights.record, network.runner.device.type),
        **region_model_record(problem, volume.timing, noise),
        "blood_curve": {"measured_until_s": float(volume.timing.end_s[-1]), "used_until_s": volume.curve.end_s},
    }
    return Estimate(record, *region_models(problem, volume.timing, noise))
