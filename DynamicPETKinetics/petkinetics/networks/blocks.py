"""Building blocks of the U-Net of Liang et al. 2023 (EJNMMI Phys 10:67, Fig. 2 and its text)."""

from __future__ import annotations

from torch import Tensor, nn

#: channels a group of GroupNorm
CHANNELS_A_GROUP = 16


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with 16 channels a group, and one group for fewer."""
    return nn.GroupNorm(max(1, channels // CHANNELS_A_GROUP), channels)


class DoubleConv(nn.Module):
    """Two 3x3 convolutions, each followed by GroupNorm and ReLU, with a residual skip around both.

    The skip is a 1x1 convolution where the number of channels changes. Shapes (batch, channels, rows,
    columns) -> (batch, *out_channels*, rows, columns).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.first_norm = group_norm(out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.second_norm = group_norm(out_channels)
        same = in_channels == out_channels
        self.skip: nn.Module = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to maps *x*, no unit."""
        y = self.relu(self.first_norm(self.first(x)))
        return self.relu(self.second_norm(self.second(y)) + self.skip(x))


class Down(nn.Module):
    """Half the size by 2x2 max-pooling, then a DoubleConv."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """*x*, no unit, (batch, in, rows, columns) -> (batch, out, rows // 2, columns // 2)."""
        return self.conv(self.pool(x))


class Up(nn.Module):
    """Twice the size by transposed convolution, joined with the encoder's maps, then a DoubleConv."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv = DoubleConv(2 * out_channels, out_channels)

    def forward(self, x: Tensor, encoded: Tensor) -> Tensor:
        """
        :param x: no unit, as all maps within a network, (batch, in, rows // 2, columns // 2).
        :param encoded: the encoder's maps of this level, (batch, out, rows, columns); sizes that were odd
            before pooling are completed by repeating the border.
        """
        from torch import cat
        from torch.nn.functional import pad

        x = self.up(x)
        missing_rows, missing_columns = encoded.shape[-2] - x.shape[-2], encoded.shape[-1] - x.shape[-1]
        if missing_rows or missing_columns:
            x = pad(x, (0, missing_columns, 0, missing_rows), mode="replicate")
        return self.conv(cat((encoded, x), dim=1))
