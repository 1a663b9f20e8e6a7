"""Our network: features of some slices -> one U-Net -> two-tissue parameters of the middle slice.

The parameters are those of Liang et al. 2023 written as the model's response to an impulse, the model that turns
them into frames is exact, and Patlak's slope and intercept are read from the model's frames from
9 to 65 min. So Ki, V0, the measured windows and the late frames are all linear in the model's response, and
each is one look-up in a table over alpha.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from petkinetics.networks.features import CONDITIONS, FEATURES
from petkinetics.networks.trunk import Trunk

#: slices that the network sees; it answers for the middle one
SLICES = 5
#: where training starts: trapped and exchanging part (mL/min/mL), slow and fast exponent (1/min), fv of a soft tissue
START = (0.004, 0.06, 1e-4, 0.3, 0.06)
#: sizes of the two parts' units (mL/min/mL)
TRAPPED_UNIT, EXCHANGING_UNIT = 0.01, 0.2
#: the slow exponent ends at this (k4 of the brain is .007), the fast one lies between these (1/min)
LARGEST_SLOW = 0.03
FAST = (0.04, 4.5)
#: no voxel is taken for more than this share of blood where rates are told
_LEAST_TISSUE = 0.02
#: channels of the levels, and blocks
WIDTHS, BLOCKS = (64, 96, 128, 160), (1, 2, 2, 2)
#: what a network without kinetic model answers: Ki (in 0.01 mL/min/mL) and V0
DIRECT_MAPS = 2
SizedNetwork = TypeVar("SizedNetwork", bound="_Sized")


def with_neighbours(features: Tensor, slices: Sequence[int]) -> Tensor:
    """Some slices with those around them as further maps; the first and last slice are repeated beyond the end.

    *features*, any unit, (all slices, maps, rows, columns) -> (slices, SLICES * maps, rows, columns).
    """
    reach = SLICES // 2
    around = torch.tensor([[k + step for step in range(-reach, reach + 1)] for k in slices])
    found = features[around.clamp(0, features.shape[0] - 1)]
    return found.reshape(len(found), -1, *features.shape[-2:])


class TwoTissueHead(nn.Module):
    """Raw maps -> the two-tissue model's response: a e^(-slow t) + b e^(-fast t) + fv delta(t), each within bounds.

    (1 - fv) is in a and b. These are the model's own parameters in another dress (:func:`rate_constants`), in which
    what is wanted, the trapped part a, is a number of its own: sigmoids of K1...k4 themselves saturate in training.
    """

    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        trapped, exchanging, slow, fast, fv = START
        share = np.log(fast / FAST[0]) / np.log(FAST[1] / FAST[0])
        offset = [
            np.log(np.expm1(trapped / TRAPPED_UNIT)),
            np.log(np.expm1(exchanging / EXCHANGING_UNIT)),
            _logit(slow / LARGEST_SLOW),
            _logit(share),
            _logit(fv),
        ]
        self.register_buffer("offset", torch.tensor(offset).float().reshape(1, -1, 1, 1), persistent=False)

    def forward(self, raw: Tensor) -> Tensor:
        """(batch, 5, rows, columns) -> a, b (mL/min/mL), slow, fast (1/min), fv, likewise."""
        trapped, exchanging, slow, fast, fv = (raw + self.offset).unbind(1)
        span = float(np.log(FAST[1] / FAST[0]))
        return torch.stack(
            (
                TRAPPED_UNIT * softplus(trapped),
                EXCHANGING_UNIT * softplus(exchanging),
                LARGEST_SLOW * torch.sigmoid(slow),
                FAST[0] * torch.exp(span * torch.sigmoid(fast)),
                torch.sigmoid(fv),
            ),
            dim=1,
        )


def _logit(share: float) -> float:
    return float(np.log(share / (1.0 - share)))


def rate_constants(response: Tensor) -> Tensor:
    """*response*: a, b, slow, fast, fv -> K1 (mL/min/mL), k2, k3, k4 (1/min), fv, all (maps, ...).

    K1 = (a + b) / (1 - fv), k3 + k4 = slow + a (fast - slow) / (a + b), k2 + k3 + k4 = slow + fast, k2 k4 = slow fast.
    """
    a, b, slow, fast, fv = response
    total = torch.clamp(a + b, min=1e-9)
    metabolised = slow + a / total * (fast - slow)
    k2 = torch.clamp(slow + fast - metabolised, min=1e-6)
    k4 = torch.minimum(slow * fast / k2, metabolised)
    return torch.stack((total / torch.clamp(1.0 - fv, min=_LEAST_TISSUE), k2, metabolised - k4, k4, fv))


class _Sized(nn.Module):
    """A network that remembers its sizes, so that a model card can tell them."""

    def __init__(self, out_maps: int, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.sizes: dict[str, list[int]] = {"widths": list(widths), "blocks": list(blocks)}
        self.trunk = Trunk(SLICES * FEATURES, out_maps, widths, blocks, CONDITIONS)
        #: what makes numbers with bounds of the trunk's maps
        self.head: nn.Module = nn.Identity()

    @classmethod
    def of_card(cls: type[SizedNetwork], card: Mapping[str, Any]) -> SizedNetwork:
        """An untrained network of the sizes that a model card tells; today's where it tells none."""
        return cls(**card.get("architecture", {}))


class DefaultNetwork(_Sized):
    """The network with the two-tissue head.

    :param widths: channels of the U-Net's levels; *blocks*: residual blocks of each.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, blocks: Sequence[int] = BLOCKS) -> None:
        super().__init__(5, widths, blocks)
        self.head = TwoTissueHead()

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """The head's maps, of *features* and *condition*, no unit.

        (batch, SLICES * FEATURES, rows, columns), (batch, CONDITIONS) -> (batch, maps, rows, columns).
        """
        return self.head(self.trunk(features, condition))


class TurnedMean(nn.Module):
    """The network in use: the mean of its answers to the slices and to them turned by half a circle, before the head.

    A body turned around is as likely as any to the network, trained on all flips; noise is not the same to it.
    """

    def __init__(self, network: _Sized) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """As the network's own: *features*, *condition* (no unit) -> the head's maps.

        (batch, SLICES * FEATURES, rows, columns), (batch, CONDITIONS) -> (batch, maps, rows, columns).
        """
        raw = self.network.trunk(features, condition)
        turned = self.network.trunk(features.flip(-2, -1), condition).flip(-2, -1)
        answer: Tensor = self.network.head(0.5 * (raw + turned))
        return answer


class DirectDefaultNetwork(_Sized):
    """The same U-Net that answers Ki and V0 without a kinetic model, as a change of the Patlak fit it is given."""

    def __init__(self, widths: Sequence[int] = WIDTHS, blocks: Sequence[int] = BLOCKS) -> None:
        super().__init__(DIRECT_MAPS, widths, blocks)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Ki (0.01 mL/min/mL) and V0, of *features* and *condition*.

        (batch, SLICES * FEATURES, rows, columns), (batch, CONDITIONS) -> (batch, 2, rows, columns).
        """
        return self.trunk(features, condition)


def linear_response(response: Tensor, table: Tensor, blood: Tensor, knee: float, step: float) -> Tensor:
    """Linear functionals of the model's frames.

    :param response: a, b (mL/min/mL), slow, fast (1/min), fv, (batch, 5, rows, columns).
    :param table: (batch, nodes, maps), functionals of Cp (x) e^(-alpha t), alpha = knee (e^(step n) - 1).
    :param blood: (batch, maps), of whole blood.
    :param knee: 1/min; *step*: of the grid, no unit.
    :returns: (batch, maps, rows, columns).
    """
    a, b, slow, fast, fv = (maps[..., None] for maps in response.unbind(1))
    slow_frames, fast_frames = (_looked_up(alpha[..., 0], table, knee, step) for alpha in (slow, fast))
    return (a * slow_frames + b * fast_frames + fv * blood[:, None, None, :]).movedim(-1, 1)


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
