"""Our U-Net: residual blocks, at half the image's resolution, some slices at a time.

GroupNorm's statistics depend on what else is in the image: a network trained on crops is off by half in whole
slices. Here every voxel is normalised over its own channels only, and only within the blocks' branches, so the
sum that runs through the blocks keeps the size of things. Without any normalisation, training of the kinetic
network broke down; the score network, whose images are scaled by their noise, does without.
Noise and resolution of PET are wider than two voxels, so the image is first folded 2x2 into channels, which
saves three quarters of the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle

_FOLD = 2
#: what comes out is this much smaller than the last convolution's sum over hundreds of channels and voxels, so that
#: one step of the optimiser does not throw it into saturation
_STEP = 0.1


class VoxelNorm(nn.LayerNorm):
    """Every voxel to mean 0 and variance 1 over its channels, then scaled and shifted by channel."""

    def forward(self, x: Tensor) -> Tensor:
        """*x*, no unit, (batch, channels, rows, columns), the same out."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class ResidualBlock(nn.Module):
    """x + convolution(ReLU(convolution(norm(x)))), both 3x3; begins as the identity.

    :param normalised: with that norm; else without.
    """

    def __init__(self, channels: int, normalised: bool = True) -> None:
        super().__init__()
        self.norm: nn.Module = VoxelNorm(channels) if normalised else nn.Identity()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """*x*, no unit, (batch, channels, rows, columns), the same out."""
        return x + self.second(torch.relu(self.first(self.norm(x))))


class Trunk(nn.Module):
    """From maps to maps of the same size.

    :param in_maps: that come in, those of all slices side by side.
    :param out_maps: that go out.
    :param widths: channels of the levels, from half resolution on.
    :param blocks: residual blocks of each level, on either side.
    :param conditions: length of the vector that the whole image shares; 0 for none.
    :param normalised: whether the blocks normalise.
    :param step: what the last convolution's answer is multiplied by.
    """

    def __init__(
        self,
        in_maps: int,
        out_maps: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        conditions: int = 0,
        normalised: bool = True,
        step: float = _STEP,
    ) -> None:
        super().__init__()
        self._step = step
        self.multiple = _FOLD * 2 ** (len(widths) - 1)
        self.first = nn.Conv2d(in_maps * _FOLD**2, widths[0], 3, padding=1)
        self.condition = (
            nn.Sequential(nn.Linear(conditions, 64), nn.SiLU(), nn.Linear(64, widths[0])) if conditions else None
        )
        self.encoder = nn.ModuleList(
            _blocks(width, count, normalised) for width, count in zip(widths, blocks, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairwise(widths))
        self.decoder = nn.ModuleList(
            _blocks(width, count, normalised) for width, count in zip(widths[:-1], blocks[:-1], strict=True)
        )
        self.last = nn.Conv2d(widths[0], out_maps * _FOLD**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Maps of *x* and *condition*, no unit.

        (batch, in_maps, rows, columns), (batch, conditions) -> float32 (batch, out_maps, rows, columns).
        Any size: what is missing to a multiple of 16 or so is filled with the border's values.
        """
        rows, columns = x.shape[-2:]
        missing = (-rows % self.multiple, -columns % self.multiple)
        if any(missing):
            x = pad(x, (0, missing[1], 0, missing[0]), mode="replicate")
        x = self.first(pixel_unshuffle(x, _FOLD).contiguous(memory_format=torch.channels_last))
        if self.condition is not None:
            x = x + self.condition(condition)[:, :, None, None]
        levels = []
        for blocks, down in zip(self.encoder[:-1], self.down, strict=True):
            x = blocks(x)
            levels.append(x)
            x = down(x)
        x = self.encoder[-1](x)
        for blocks, up, level in zip(reversed(self.decoder), reversed(self.up), reversed(levels), strict=True):
            x = blocks(up(x) + level)
        with torch.autocast(x.device.type, enabled=False):
            x = self._step * self.last(x.float())
        return pixel_shuffle(x, _FOLD)[..., :rows, :columns]


def _blocks(channels: int, count: int, normalised: bool) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels, normalised) for _ in range(count)))
