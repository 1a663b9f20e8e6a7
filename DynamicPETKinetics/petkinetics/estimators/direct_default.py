"""Our network without the kinetic model: Ki and V0 from the same features, as a change of Patlak's fit.

docs/methods.md, "Kinetic network".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.compartment_noise import compartment_noise
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.estimators.learned import learned_record, region_model_record, region_models, unchecked, write_slabs
from petkinetics.estimators.slab_network import SlabNetwork
from petkinetics.maps import KI, V0
from petkinetics.networks.default_network import DirectDefaultNetwork
from petkinetics.networks.features import KI_UNIT, LINEAR
from petkinetics.networks.weight_files import device_named, read_weights

Float32 = NDArray[np.float32]

WEIGHTS = "direct-network-default"


def estimate_directly(problem: Problem, sink: MapSink, progress: Progress) -> Estimate:
    """Ki (mL/min/mL) and V0 (mL/mL) of 9-65 min, without any model between features and answer.

    :raises InputError: the weights are not there, or frames or input function cannot be used.
    """
    progress(0.0, "Loading the network")
    weights = read_weights(WEIGHTS, problem.weights)
    volume = FeatureVolume.of(problem)
    network = SlabNetwork(DirectDefaultNetwork, weights, volume, device_named(problem.device))

    def maps_of(first: int, last: int) -> list[Float32]:
        change, _, features = network.of(first, last)
        ki, v0 = (change.numpy() + features[:, LINEAR - 2 : LINEAR]).swapaxes(0, 1)
        found = np.stack([np.float32(KI_UNIT) * ki, v0])
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
    return Estimate(record, *region_models(problem, volume.timing, noise), applicability=unchecked(WEIGHTS))
