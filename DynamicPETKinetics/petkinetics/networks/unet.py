"""The U-Net of Liang et al. 2023: encoder, decoder, skips between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from petkinetics.networks.blocks import DoubleConv, Down, Up


class UNet(nn.Module):
    """As many levels of pooling as there are channels beyond the first.

    :param in_channels: maps that come in.
    :param channels: of the levels from fine to coarse, such as (64, 128, 256, 512, 1024).
    :param out_maps: maps that go out, by a last 1x1 convolution.
    """

    def __init__(self, in_channels: int, channels: Sequence[int], out_maps: int) -> None:
        super().__init__()
        self.start = DoubleConv(in_channels, channels[0])
        pairs = list(pairwise(channels))
        self.down = nn.ModuleList(Down(fine, coarse) for fine, coarse in pairs)
        self.up = nn.ModuleList(Up(coarse, fine) for fine, coarse in reversed(pairs))
        self.out = nn.Conv2d(channels[0], out_maps, 1)

    def forward(self, x: Tensor) -> Tensor:
        """*x*, any unit, (batch, in_channels, rows, columns) -> (batch, out_maps, rows, columns)."""
        levels = [self.start(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up in self.up:
            x = up(x, levels.pop())
        return self.out(x)
