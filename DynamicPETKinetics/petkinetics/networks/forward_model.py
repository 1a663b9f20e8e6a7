"""The two-tissue model on tensors, with gradients that stay finite at every bound.

The equations are those of :mod:`petkinetics.kinetics.compartments`: exact frame means, tabulated over alpha,
interpolated linearly. Gradients of the interpolation are those of its straight pieces.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import ResponseTable

#: below this the square root of the two exponents' distance has no gradient: it is bent, by 1e-6 1/min at most
_LEAST_ROOT = 1e-6


def exponents(k2: Tensor, k3: Tensor, k4: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """alpha1, alpha2 and their distance, 1/min, of tensors of one shape.

    With k4 = 0, alpha1 is 0; where both meet (k3 = 0 and k2 = k4) they are held 1e-6 apart, since their
    square root has no slope there.
    """
    total = k2 + k3 + k4
    square = (k2 - k4) ** 2 + k3 * (k3 + 2.0 * (k2 + k4))
    root = torch.sqrt(square + _LEAST_ROOT**2)
    alpha2 = 0.5 * (total + root)
    alpha1 = k2 * k4 / torch.clamp(alpha2, min=_LEAST_ROOT)
    return alpha1, alpha2, root


class TwoTissueModel(nn.Module):
    """Frames of a tissue from its rate constants, for one input function and framing.

    :param input_function: Cp and whole blood, kBq/mL.
    :param timing: the frames to predict.
    :param decay_per_s: lambda of the weight within a frame; 0 for plain means.
    :param nodes: alphas of the table; 256 keep frames within 4e-4.
    """

    response: Tensor
    blood: Tensor

    def __init__(
        self, input_function: InputFunction, timing: FrameTiming, decay_per_s: float = 0.0, nodes: int = 256
    ) -> None:
        super().__init__()
        table = ResponseTable(input_function, timing, decay_per_s, nodes=nodes)
        self._knee, self._step = table.KNEE, table.step
        self.register_buffer("response", torch.from_numpy(table.response))
        self.register_buffer("blood", torch.from_numpy(table.blood))

    def convolved(self, alpha: Tensor) -> Tensor:
        """Frame means of Cp (x) e^(-alpha t): alpha of any shape (1/min) -> (frames, *shape), kBq/mL*min."""
        position = torch.log1p(alpha / self._knee) / self._step
        position = torch.clamp(position, 0.0, self.response.shape[0] - 1.0)
        lower = torch.clamp(position.detach().floor().long(), max=self.response.shape[0] - 2)
        share = (position - lower)[..., None]
        below, above = self.response[lower], self.response[lower + 1]
        return torch.movedim(below + share * (above - below), -1, 0)

    def forward(self, parameters: Tensor) -> Tensor:
        """Frames of every voxel.

        :param parameters: fv, K1, k2, k3, k4: (batch, 5, rows, columns).
        :returns: kBq/mL, (batch, frames, rows, columns).
        """
        fv, k1, k2, k3, k4 = parameters.unbind(1)
        alpha1, alpha2, root = exponents(k2, k3, k4)
        slow = k1 * (k3 + k4 - alpha1) / root
        tissue = slow * self.convolved(alpha1) + (k1 - slow) * self.convolved(alpha2)
        blood = self.blood.reshape(-1, *(1 for _ in fv.shape))
        return torch.movedim((1.0 - fv) * tissue + fv * blood, 0, 1)


def net_influx(parameters: Tensor) -> Tensor:
    """Ki = (1 - fv) K1 k3 / (k2 + k3), (batch, rows, columns), mL/min/mL: with k4 > 0 not Patlak's slope.

    :param parameters: fv, K1 (mL/min/mL), k2, k3, k4 (1/min), (batch, 5, rows, columns).
    """
    fv, k1, k2, k3, _k4 = parameters.unbind(1)
    return (1.0 - fv) * k1 * k3 / torch.clamp(k2 + k3, min=_LEAST_ROOT)
