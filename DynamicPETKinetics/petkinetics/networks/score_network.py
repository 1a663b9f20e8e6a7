"""The denoiser of the diffusion prior, which is also the learned start.

It sees some slices of two images, both with noise of known size and correlation, and answers what the
middle slice of both would be without noise. The images are Patlak's slope and the activity V0 + theta Ki
at the mean Patlak time theta (what a static PET image shows), each divided by its contrast: their noise is
independent, while that of slope and intercept is not. The second image may be absent.

Noise is made of the correlation that the data have (or of none): where the noise of the data and that of
the diffusion have the same correlation, it cancels from the step that brings them together, and what is left
is one voxel's affair (see :mod:`petkinetics.estimators.diffusion_prior`).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from petkinetics.networks.noise_schedule import input_scale, output_scale, skip_scale
from petkinetics.networks.trunk import Trunk

#: slices that the network sees
SLICES = 5
IMAGES = 2
CONDITIONS = 9
#: channels of the levels, and blocks of each
WIDTHS, BLOCKS = (64, 96, 128), (3, 2, 2)
_LEAST_SIGMA, _MOST_SIGMA = 1e-3, 30.0


class ScoreNetwork(nn.Module):
    """Denoise slope and activity together.

    :param widths: channels of the U-Net's levels; *blocks*: residual blocks of each.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, blocks: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        self.trunk = Trunk(IMAGES * (SLICES + 1), IMAGES, widths, blocks, CONDITIONS, normalised=False, step=1.0)

    def forward(self, images: Tensor, sigma: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        """The images without noise.

        :param images: (batch, IMAGES, SLICES, rows, columns), float32; zeros for an absent second image.
        :param sigma: SD of the noise in the middle slice, (batch, IMAGES, rows, columns).
        :param level: its typical value, (batch, IMAGES).
        :param condition: see :func:`condition`, (batch, CONDITIONS).
        :returns: (batch, IMAGES, rows, columns), float32.
        """
        scaled = images * input_scale(level)[:, :, None, None, None]
        relative = torch.log(sigma / level[:, :, None, None])
        y = self.trunk(torch.cat((scaled.flatten(1, 2), relative), dim=1), condition)
        return skip_scale(sigma) * images[:, :, SLICES // 2] + output_scale(sigma) * y


def condition(
    level: tuple[float, float | None],
    correlation: tuple[float, float],
    spacing_mm: tuple[float, float],
    trapped: float,
    measured: bool,
) -> NDArray[np.float32]:
    """What the whole image shares, float32 (CONDITIONS,).

    :param level: typical SD of the noise of either image; None for an absent second one.
    :param correlation: FWHM of the noise's kernel in voxels, in the slice and across slices; 0 for white noise.
    :param spacing_mm: voxel size in the slice and across slices.
    :param trapped: theta contrast(Ki) / contrast(activity), the weight of the first image in the second.
    :param measured: the images are a Patlak fit of any window, and the slope from 9 to 65 min is wanted.
    """
    first, second = level
    logs = [np.log(np.clip(s, _LEAST_SIGMA, _MOST_SIGMA)) / 2.0 for s in (first, second or _MOST_SIGMA)]
    absent = second is None
    return np.array(
        [
            *logs,
            correlation[0] / 3.0,
            correlation[1] / 2.0,
            np.log(spacing_mm[0] / 2.0),
            np.log(spacing_mm[1] / 3.0),
            0.0 if absent else trapped,
            float(measured),
            float(absent),
        ],
        np.float32,
    )
