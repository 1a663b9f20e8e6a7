"""The frames after the end of a short scan, as the two-tissue model of the network expects them.

docs/methods.md, "Kinetic network".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.estimator import PredictedFrames, Problem
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.frames import FrameTiming
from petkinetics.networks.model_rows import REFERENCE_END_MIN

if TYPE_CHECKING:
    from torch import Tensor

Float32 = NDArray[np.float32]

_FRAME_S = 300.0


def wants_frames(problem: Problem) -> bool:
    """Whether the option ``predicted_frames`` asks for them."""
    return problem.choice("predicted_frames", ("no", "yes")) == "yes"


@dataclass(frozen=True, eq=False)
class LateFrames:
    """Filled slab by slab.

    :param frames: SUV where weight and injected activity are known, else kBq/mL; 0 outside the mask.
    """

    frames: PredictedFrames
    _table: Float32
    _blood: Float32
    _box: tuple[slice, slice, slice]

    @classmethod
    def after(cls, volume: FeatureVolume, problem: Problem) -> LateFrames | None:
        """Frames of 300 s from the end of the frames used to 65 min; None where nothing is left to predict."""
        from petkinetics.kinetics.compartments import ResponseTable
        from petkinetics.networks.model_rows import NODES

        series, end_s = problem.series, float(volume.timing.end_s[-1])
        count = int((60.0 * REFERENCE_END_MIN - end_s + 1.0) // _FRAME_S)
        if count < 1:
            return None
        timing = FrameTiming(end_s + _FRAME_S * np.arange(count), np.full(count, _FRAME_S))
        known = series.weight_kg is not None and series.injected_activity_mbq is not None
        scale = series.weight_kg / series.injected_activity_mbq if known else 1.0  # type: ignore[operator]
        table = ResponseTable(volume.curve, timing, series.frame_decay_per_s, nodes=NODES)
        values = np.zeros((count, *series.geometry.shape), np.float32)
        frames = PredictedFrames(values, timing, "g/mL" if known else "kBq/mL")
        return cls(frames, table.response * np.float32(scale), table.blood * np.float32(scale), volume.box)

    def fill(self, response: Tensor, slices: slice, inside: NDArray[np.bool_]) -> None:
        """Predict some slices.

        :param response: a, b, slow, fast, fv of the voxels inside, (1, 5, voxels, 1).
        :param inside: (slices, rows, columns) of the box.
        """
        import torch

        from petkinetics.networks.default_network import linear_response
        from petkinetics.networks.model_rows import KNEE, STEP

        table, blood = torch.from_numpy(self._table)[None], torch.from_numpy(self._blood)[None]
        found = linear_response(response, table, blood, KNEE, STEP)[0, :, :, 0].numpy()
        part = np.zeros((len(found), *inside.shape), np.float32)
        part[:, inside] = found
        self.frames.values[:, slices, self._box[1], self._box[2]] = part
