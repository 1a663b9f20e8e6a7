"""The learned start of the diffusion prior: Ki and V0 from the whole scan, by our kinetic network.

More than a third of the scans that it is trained on are whole ones, also of few counts. It sees more than the Patlak
maps: the windows before 9 min, how the late ones follow each other, and the noise; always Patlak's fit from 9 min to
T, whatever t* the frames of the estimate have.

docs/methods.md, "Diffusion prior".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.applicability import WHOLE_SCAN, Applicability, applicability, described
from petkinetics.estimators.boxes import Box
from petkinetics.estimators.diffusion_run import START_WEIGHTS
from petkinetics.estimators.estimator import Problem
from petkinetics.estimators.feature_volume import FeatureVolume
from petkinetics.estimators.slab_network import KiAndV0, SlabNetwork
from petkinetics.networks.default_network import DefaultNetwork
from petkinetics.networks.weight_files import device_named, read_weights

Float32 = NDArray[np.float32]

#: slices at a time
_SLAB = 8


class LearnedStart:
    """The start of one estimate.

    :param box: of the maps wanted, (slices, rows, columns).
    :param strength: a factor: the network is told this many times the SD measured.
    :param turned: two evaluations, see :class:`SlabNetwork`.
    :raises InputError: the weights are not there or know no whole scans, or frames or input function cannot be used.
    """

    def __init__(self, problem: Problem, box: Box, strength: float, turned: bool) -> None:
        self._weights = read_weights(START_WEIGHTS, problem.weights)
        if not self._weights.card.get("ranges", {}).get("whole_share"):
            raise InputError(f"The weights '{START_WEIGHTS}' were not trained on whole scans.")
        self._volume = replace(FeatureVolume.of(_whole_scan(problem)), box=box)
        self._network = SlabNetwork(
            DefaultNetwork, self._weights, self._volume, device_named(problem.device), strength, turned
        )
        self._maps = KiAndV0(self._network)
        self.evaluations = 2 if turned else 1
        self._log_sd: list[Float32] = []

    def maps(self, inside: NDArray[np.bool_], watch: Callable[[float], None]) -> Float32:
        """Ki (mL/min/mL) and V0 in the box, (2, slices, rows, columns).

        :param inside: voxels to estimate, (slices, rows, columns).
        :param watch: called after every slab with the slices done; raises to stop.
        """
        out = np.empty((2, *inside.shape), np.float32)
        offset = self._volume.box[0].start
        for first in range(0, len(inside), _SLAB):
            here = slice(first, min(first + _SLAB, len(inside)))
            out[:, here], log_sd = self._maps.of(offset + here.start, offset + here.stop)
            self._log_sd.append(log_sd[inside[here]][::7])
            watch(here.stop - here.start)
        return out

    @property
    def device(self) -> str:
        """Where it was computed."""
        return self._network.runner.device.type

    @property
    def weights(self) -> dict[str, Any]:
        """What a result says of the weights."""
        return self._weights.record

    def judged(self, method: str) -> Applicability | None:
        """Whether the network was made for this scan, after :meth:`maps`; None where its card does not tell."""
        log_sd = np.concatenate(self._log_sd)
        if WHOLE_SCAN not in self._weights.card or not log_sd.size:
            return None
        scan = described(self._volume.condition, 1e-3 * 10.0 ** float(np.median(log_sd)))
        return applicability(scan, self._weights.card, method, part=WHOLE_SCAN)


def _whole_scan(problem: Problem) -> Problem:
    """The problem with all frames until T.

    :raises InputError: the frames begin after the blood peak.
    """
    timing = problem.series.timing
    frames = timing.until(float(timing.end_s[problem.frames[-1]]) / 60.0)
    late_s = float(timing.start_s[frames[0]]) - problem.input_function.peak[0]
    if late_s > 0:
        raise InputError(f"The frames begin {late_s:.0f} s after the blood peak, so the learned start is not possible.")
    return replace(problem, frames=frames)
