"""The trained denoiser applied to a volume: slices in batches, large slices in tiles, on any device.

docs/methods.md, "Diffusion prior".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from petkinetics.estimators.gaussian_width import FWHM_PER_SD
from petkinetics.estimators.regularised import PatlakImages
from petkinetics.networks.run import Batches, half_type, is_mixed
from petkinetics.networks.score_network import IMAGES, SLICES, condition

Float32 = NDArray[np.float32]

#: rows and columns of a tile, and what neighbouring tiles share
TILE, OVERLAP = 256, 48
#: voxels that go through the network at a time
_BATCH_VOXELS = 1 << 18
#: axes along which a slice is mirrored
_MIRRORS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


@dataclass(frozen=True)
class Normalisation:
    """What the images are divided by before the network sees them.

    :param contrast: of Ki (mL/min/mL), and of the activity V0 + theta Ki (mL/mL).
    :param theta_min: minutes.
    """

    contrast: tuple[float, float]
    theta_min: float

    @property
    def trapped(self) -> float:
        """Weight of the normalised Ki in the normalised activity."""
        return self.theta_min * self.contrast[0] / self.contrast[1]


class LearnedDenoiser:
    """A network with the noise of some images.

    :param network: the score network on its device.
    :param images: whose noise counts.
    :param sigma: SD of the noise of the normalised images, (2, slices, rows, columns).
    :param measured: the network may also take away what a Patlak fit of another window than 9-65 min adds.
    :param flips: average over this many mirror images (1, 2 or 4); of fewer than four, each call has others, so that
        a walk of several steps meets all of them.
    :param watch: called after every batch with the slices done (a tile counts in part); raises to stop.
    """

    def __init__(
        self,
        network: Batches,
        images: PatlakImages,
        sigma: Float32,
        normalisation: Normalisation,
        measured: bool = False,
        flips: int = 1,
        watch: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._network, self._watch = network, watch
        self._sigma, self._measured, self._flips = sigma, measured, flips
        self._level = np.array([float(np.median(s[images.inside])) for s in sigma])
        sd, step = images.correlation.sd_mm, images.spacing_mm
        fwhm = [FWHM_PER_SD * a / b for a, b in zip(sd, step, strict=True)]
        self._correlation = (0.5 * (fwhm[1] + fwhm[2]), fwhm[0])
        self._spacing = (float(np.sqrt(step[1] * step[2])), step[0])
        self._trapped = normalisation.trapped
        self._first_mirror = 0
        self.evaluations = 0

    def __call__(self, values: Float32, tau: float) -> Float32:
        """The images without noise, see :data:`petkinetics.estimators.posterior.Denoise`.

        :param values: as the prior sees them (no unit), (images, slices, rows, columns), as the answer.
        :param tau: how strong their noise is, in units of the data's noise.
        """
        self._first_mirror = self.evaluations % len(_MIRRORS)
        self.evaluations += self._flips
        rows, columns = values.shape[2:]
        out = np.zeros_like(values)
        places = [(r, c) for r in _tiles(rows) for c in _tiles(columns)]
        weights = np.zeros((rows, columns), np.float32)
        for r, c in places:
            weights[r, c] += _ramp(r, rows)[:, None] * _ramp(c, columns)[None, :]
            self._tile(values, out, r, c, tau)
        if len(places) > 1:
            out /= weights
        return out

    def _tile(self, values: Float32, out: Float32, r: slice, c: slice, tau: float) -> None:
        slices, rows, columns = values.shape[1:]
        here = np.ascontiguousarray(values[:, :, r, c])
        count = max(1, _BATCH_VOXELS // (here.shape[2] * here.shape[3] * self._flips))
        ramp = _ramp(r, rows)[:, None] * _ramp(c, columns)[None, :]
        level = self._level * tau
        shared = condition(
            (float(level[0]), float(level[1])), self._correlation, self._spacing, self._trapped, self._measured
        )
        part = here.shape[2] * here.shape[3] / (rows * columns)
        mirrors = [_MIRRORS[(self._first_mirror + n) % len(_MIRRORS)] for n in range(self._flips)]

        def once(network: nn.Module, device: torch.device, first: int, last: int) -> torch.Tensor:
            # Beyond the first and the last slice they are mirrored.
            near = np.abs(np.arange(first, last)[:, None] + np.arange(SLICES) - SLICES // 2)
            near = (slices - 1) - np.abs((slices - 1) - near)
            stack = torch.from_numpy(here[:, near.clip(0)]).movedim(0, 1).to(device)
            sigma = torch.from_numpy(np.ascontiguousarray(self._sigma[:, first:last, r, c])).movedim(0, 1) * tau
            levels = torch.from_numpy(level).float().expand(last - first, IMAGES).to(device)
            conditions = torch.from_numpy(shared).expand(last - first, -1).to(device)
            return _mirrored(network, stack, sigma.to(device), levels, conditions, mirrors)

        found = self._network.over(slices, count, once, lambda done: self._watch(done * part))
        out[..., r, c] += found.movedim(1, 0).numpy() * ramp


def _mirrored(
    network: nn.Module,
    stack: torch.Tensor,
    sigma: torch.Tensor,
    level: torch.Tensor,
    shared: torch.Tensor,
    mirrors: list[tuple[int, ...]],
) -> torch.Tensor:
    """Mean over mirror images."""
    device = stack.device
    total = torch.zeros_like(sigma)
    with torch.inference_mode(), torch.autocast(device.type, half_type(device), enabled=is_mixed(device)):
        for axes in mirrors:
            found = network(torch.flip(stack, axes), torch.flip(sigma, axes), level, shared)
            total += torch.flip(found, axes)
    return (total / len(mirrors)).float().cpu()


def _tiles(size: int) -> list[slice]:
    """Overlapping parts of an axis."""
    if size <= TILE:
        return [slice(0, size)]
    count = int(np.ceil((size - OVERLAP) / (TILE - OVERLAP)))
    return [slice(s, s + TILE) for s in np.linspace(0, size - TILE, count).round().astype(int).tolist()]


def _ramp(part: slice, size: int) -> Float32:
    """Weights of a tile along an axis: they fall to its inner ends."""
    length = part.stop - part.start
    at = np.arange(length, dtype=np.float32) + 1
    ramp = np.ones(length, np.float32)
    if part.start > 0:
        ramp = np.minimum(ramp, at / OVERLAP)
    if part.stop < size:
        ramp = np.minimum(ramp, at[::-1] / OVERLAP)
    return ramp
