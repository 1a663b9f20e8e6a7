"""Our networks at work: slabs of a series -> the network's maps in every voxel; Ki and V0 of the two-tissue one.

docs/methods.md, "Kinetic network".
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.networks.default_network import (
    SLICES,
    DefaultNetwork,
    DirectDefaultNetwork,
    TurnedMean,
    linear_response,
    with_neighbours,
)
from petkinetics.networks.features import KI_UNIT
from petkinetics.networks.model_rows import KNEE, STEP, ModelRows, model_rows
from petkinetics.networks.run import Runner, on_fine_voxels
from petkinetics.networks.weight_files import Weights, load_into

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class SlabNetwork:
    """A network's answer, some slices at a time.

    :param kind: of the network that the weights are for.
    :param volume: where in the series, and the features' design.
    :param strength: a factor: the network is told this many times the SD measured.
    :param turned: it answers a second time, for the slices turned by half a circle, and the mean is taken.
    """

    def __init__(
        self,
        kind: type[DefaultNetwork] | type[DirectDefaultNetwork],
        weights: Weights,
        volume: FeatureVolume,
        device: torch.device,
        strength: float = 1.0,
        turned: bool = True,
    ) -> None:
        network = load_into(kind.of_card(weights.card), weights)
        network = TurnedMean(network) if turned else network
        self.runner = Runner(network, device, mixed=True)
        self.volume, self._condition = volume, torch.from_numpy(volume.condition)
        self._in_slice_mm = float(np.sqrt(np.prod(volume.problem.series.geometry.spacing_mm[:2])))
        self._told = np.float32(np.log10(strength))

    def of(self, first: int, last: int) -> tuple[Tensor, Float32, Float32]:
        """The network's maps of some slices within the volume's box, (slices, maps, rows, columns).

        Those of the two-tissue network are the response a, b (mL/min/mL), slow, fast (1/min), fv.

        :returns: beside them the slices' frames, (frames, slices, rows, columns), kBq/mL, and features as measured,
            (slices, FEATURES, rows, columns).
        """
        reach = SLICES // 2
        here = slice(reach, reach + last - first)
        frames = self.volume.frames_of(first - reach, last + reach)
        features = self.volume.features_of(frames)
        measured = features[here].copy()
        features[:, -1] += self._told
        maps = with_neighbours(torch.from_numpy(features), range(here.start, here.stop))
        return on_fine_voxels(self.runner, maps, self._condition, self._in_slice_mm), frames[:, here], measured

    def model(self, rows: Float64) -> ModelRows:
        """What the model shows: some rows (maps, frames) of the frames, then Ki (0.01 mL/min/mL) and V0 of 9-65 min."""
        series = self.volume.problem.series
        decay = series.frame_decay_per_s, series.tracer.decay_per_s
        return model_rows(self.volume.curve, self.volume.timing, rows, *decay)


class KiAndV0:
    """Slope and intercept of 9-65 min in every voxel of a slab.

    :param network: a two-tissue one.
    """

    def __init__(self, network: SlabNetwork) -> None:
        self._network = network
        model = network.model(np.zeros((0, len(network.volume.timing))))
        self._table, self._blood = torch.from_numpy(model.table)[None], torch.from_numpy(model.blood)[None]

    def of(self, first: int, last: int) -> tuple[Float32, Float32]:
        """Ki (mL/min/mL) and V0 of some slices within the volume's box, (2, slices, rows, columns).

        :returns: beside them log10 of Patlak's SD of Ki over 0.001 mL/min/mL, (slices, rows, columns).
        """
        response, _, features = self._network.of(first, last)
        count = len(response)
        table, blood = (t.expand(count, *t.shape[1:]) for t in (self._table, self._blood))
        found = linear_response(response, table.contiguous(), blood.contiguous(), KNEE, STEP).numpy()
        return np.stack([np.float32(KI_UNIT) * found[:, 0], found[:, 1]]), features[:, -1]
