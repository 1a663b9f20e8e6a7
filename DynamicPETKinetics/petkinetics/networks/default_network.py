"""Our network: features of some slices -> one U-Net -> two-tissue parameters of the middle slice.

The parameters are those of Liang et al. 2023 (fv, K1, k2, k3, k4 through bounded functions), the model that
turns them into frames is exact, and Patlak's slope and intercept are read from the model's frames from
9 to 65 min. So Ki, V0, the measured windows and the late frames are all linear in the model's response, and
each is one look-up in a table over alpha.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from petkinetics.networks.features import CONDITIONS, FEATURES, LINEAR
from petkinetics.networks.forward_model import exponents
from petkinetics.networks.trunk import Trunk

#: slices that the network sees; it answers for the middle one
SLICES = 5
#: bounds of K1 (mL/min/mL), k2, k3, k4 (1/min): exponentials of sigmoids between them; fv is a plain sigmoid
LOW = (2e-4, 0.03, 3e-4, 1e-6)
HIGH = (3.0, 4.0, 0.6, 0.05)
#: where training starts: fv, K1, k2, k3, k4 of a soft tissue
START = (0.05, 0.05, 0.25, 0.012, 3e-5)
#: channels of the levels, and blocks
WIDTHS, BLOCKS = (64, 96, 128, 160), (1, 1, 1, 1)
#: what a network without kinetic model answers: Ki (in 0.01 mL/min/mL) and V0
DIRECT_MAPS = 2


def linear_maps() -> int:
    """Number of maps that the kinetic head gives: the linear features, then Ki (0.01 mL/min/mL) and V0 of 9-65 min."""
    return LINEAR + 2


def with_neighbours(features: Tensor, slices: Sequence[int]) -> Tensor:
    """Some slices with those around them as further maps; the first and last slice are repeated beyond the end.

    (all slices, maps, rows, columns) -> (slices, SLICES * maps, rows, columns).
    """
    reach = SLICES // 2
    around = torch.tensor([[k + step for step in range(-reach, reach + 1)] for k in slices])
    found = features[around.clamp(0, features.shape[0] - 1)]
    return found.reshape(len(found), -1, *features.shape[-2:])


class TwoTissueHead(nn.Module):
    """Raw maps -> fv, K1, k2, k3, k4 within bounds."""

    low: Tensor
    span: Tensor
    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        low, high = np.log(LOW), np.log(HIGH)
        share = (np.log(START[1:]) - low) / (high - low)
        offset = np.concatenate([[np.log(START[0] / (1 - START[0]))], np.log(share / (1 - share))])
        shape = (1, -1, 1, 1)
        self.register_buffer("low", torch.tensor(low).float().reshape(shape), persistent=False)
        self.register_buffer("span", torch.tensor(high - low).float().reshape(shape), persistent=False)
        self.register_buffer("offset", torch.tensor(offset).float().reshape(shape), persistent=False)

    def forward(self, raw: Tensor) -> Tensor:
        """(batch, 5, rows, columns) -> fv, K1, k2, k3, k4 likewise."""
        share = torch.sigmoid(raw + self.offset)
        return torch.cat((share[:, :1], torch.exp(self.low + self.span * share[:, 1:])), dim=1)


class DefaultNetwork(nn.Module):
    """The network with the two-tissue head.

    :param widths: channels of the U-Net's levels; *blocks*: residual blocks of each.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, blocks: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        self.trunk = Trunk(SLICES * FEATURES, 5, widths, blocks, CONDITIONS)
        self.head = TwoTissueHead()

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """(batch, SLICES * FEATURES, rows, columns), (batch, CONDITIONS) -> fv, K1, k2, k3, k4."""
        return self.head(self.trunk(features, condition))


class DirectDefaultNetwork(nn.Module):
    """The same U-Net that answers Ki and V0 without a kinetic model, as a change of the Patlak fit it is given."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, blocks: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        self.trunk = Trunk(SLICES * FEATURES, DIRECT_MAPS, widths, blocks, CONDITIONS)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """(batch, SLICES * FEATURES, rows, columns), (batch, CONDITIONS) -> Ki (0.01 mL/min/mL) and V0."""
        return self.trunk(features, condition)


def response_table(alpha_response: NDArray[np.floating], rows: NDArray[np.float64]) -> NDArray[np.float32]:
    """Linear functionals of the response to every alpha: (nodes, frames), (maps, frames) -> (nodes, maps)."""
    return np.ascontiguousarray(alpha_response @ rows.T, dtype=np.float32)


def linear_response(parameters: Tensor, table: Tensor, blood: Tensor, knee: float, step: float) -> Tensor:
    """Linear functionals of the model's frames.

    :param parameters: fv, K1, k2, k3, k4, (batch, 5, rows, columns).
    :param table: (batch, nodes, maps), functionals of Cp (x) e^(-alpha t), alpha = knee (e^(step n) - 1).
    :param blood: (batch, maps), of whole blood.
    :returns: (batch, maps, rows, columns).
    """
    fv, k1, k2, k3, k4 = parameters.unbind(1)
    alpha1, alpha2, root = exponents(k2, k3, k4)
    slow = k1 * (k3 + k4 - alpha1) / root
    first, second = (_looked_up(alpha, table, knee, step) for alpha in (alpha1, alpha2))
    tissue = slow[..., None] * first + (k1 - slow)[..., None] * second
    fraction = fv[..., None]
    return ((1.0 - fraction) * tissue + fraction * blood[:, None, None, :]).movedim(-1, 1)


def _looked_up(alpha: Tensor, table: Tensor, knee: float, step: float) -> Tensor:
    """(batch, rows, columns) -> (batch, rows, columns, maps), linear between nodes."""
    batch, nodes, maps = table.shape
    position = torch.clamp(torch.log1p(alpha / knee) / step, 0.0, nodes - 1.0)
    lower = torch.clamp(position.detach().floor().long(), max=nodes - 2)
    share = (position - lower)[..., None]
    flat = table.reshape(batch * nodes, maps)
    at = lower + (torch.arange(batch, device=alpha.device) * nodes)[:, None, None]
    below = torch.nn.functional.embedding(at, flat)
    return below + share * (torch.nn.functional.embedding(at + 1, flat) - below)
