"""The network of Liang et al. 2023: early frames -> features -> rate constants of every voxel.

A U-Net with shared weights looks at each early frame on its own and makes some maps of it; the maps of
all frames, side by side, are what a point-wise network (1x1 convolutions) turns into fv, K1, k2, k3, k4
by sigmoids. The number of frames is fixed by the framing that the network is trained for.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from petkinetics.networks.presets import UPPER_BOUNDS, Preset
from petkinetics.networks.unet import UNet


class FeatureExtractor(nn.Module):
    """One U-Net for all frames, and a point-wise network over what it makes of them.

    :param frames: number of early frames.
    :param outputs: maps that go out of the last layer, before any sigmoid.
    """

    def __init__(self, preset: Preset, frames: int, outputs: int) -> None:
        super().__init__()
        self.frames = frames
        self.unet = UNet(1, preset.channels, preset.maps_a_frame)
        widths = (frames * preset.maps_a_frame, *preset.pointwise)
        layers: list[nn.Module] = []
        for width, following in pairwise(widths):
            layers += [nn.Conv2d(width, following, 1), nn.ReLU()]
        layers.append(nn.Conv2d(widths[-1], outputs, 1))
        self.pointwise = nn.Sequential(*layers)

    def forward(self, suv: Tensor) -> Tensor:
        """*suv* of the early frames, g/mL, (batch, frames, rows, columns) -> (batch, outputs, rows, columns).

        :raises ValueError: another number of frames than the network has.
        """
        batch, frames, rows, columns = suv.shape
        if frames != self.frames:
            raise ValueError(f"the network was made for {self.frames} frames, not {frames}")
        maps = self.unet(suv.reshape(batch * frames, 1, rows, columns))
        return self.pointwise(maps.reshape(batch, -1, rows, columns))


class KineticNetwork(nn.Module):
    """Rate constants of every voxel, within bounds.

    :param frames: number of early frames.
    :param upper: bounds of fv, K1, k2, k3, k4: sigmoids times these.
    """

    def __init__(self, preset: Preset, frames: int, upper: tuple[float, ...] = UPPER_BOUNDS) -> None:
        super().__init__()
        self.features = FeatureExtractor(preset, frames, len(upper))
        self.register_buffer("upper", torch.tensor(upper).reshape(1, -1, 1, 1))

    def forward(self, suv: Tensor) -> Tensor:
        """*suv* of the early frames, g/mL, (batch, frames, rows, columns) -> fv, K1, k2, k3, k4, (batch, 5, rows,
        columns).
        """
        return torch.sigmoid(self.features(suv)) * self.upper


class DirectNetwork(nn.Module):
    """The twin without a kinetic model: late SUV frames, and Ki by a head of its own.

    :param frames: number of early frames.
    :param late_frames: number of frames to predict.
    """

    def __init__(self, preset: Preset, frames: int, late_frames: int) -> None:
        super().__init__()
        self.features = FeatureExtractor(preset, frames, late_frames + 1)

    def forward(self, suv: Tensor) -> tuple[Tensor, Tensor]:
        """SUV of the early frames -> SUV of the late frames and Ki.

        Shapes (batch, late, rows, columns) and (batch, rows, columns). Ki in units of 0.01 mL/min/mL, so that
        both outputs are of size one.
        """
        found = self.features(suv)
        return found[:, :-1], found[:, -1]
