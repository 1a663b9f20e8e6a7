"""What the network of Liang et al. 2023 is trained on, and Patlak's fit on tensors.

Huber's loss on the SUV of the late frames, plus lambda times Huber's loss on differences of the Patlak
plot: with y = SUV / Cp and x = (integral of Cp) / Cp, the differences of y between consecutive frames of
the linear part against K times the differences of x, K the full scan's Patlak slope. The paper leaves out
lambda and Huber's delta.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import patlak_design


class PatlakPlot(nn.Module):
    """Patlak's plot and fit of the frames of its linear part.

    :param timing: these frames only; Cp is above zero in all of them (the frame before the bolus, where it is
        not, would give gradients that are not numbers even where its term is cut away later).
    :param weights: of the frames, (frames,), for the fit; a common factor does not matter.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame, 1/s; 0 for plain means.
    :raises ValueError: Cp is not above zero in a frame.
    """

    plasma: Tensor
    integral: Tensor
    solution: Tensor

    def __init__(
        self, input_function: InputFunction, timing: FrameTiming, weights: Tensor, decay_per_s: float = 0.0
    ) -> None:
        super().__init__()
        design = torch.from_numpy(patlak_design(input_function, timing, decay_per_s))
        if not bool((design[:, 1] > 0).all()):
            raise ValueError("the Patlak plot needs plasma activity above zero in every frame")
        weighted = design * weights.double()[:, None]
        self.register_buffer("integral", design[:, 0].float())
        self.register_buffer("plasma", design[:, 1].float())
        self.register_buffer("solution", torch.linalg.solve(design.T @ weighted, weighted.T).float())

    def fit(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Slope and intercept: kBq/mL (batch, frames, rows, columns) -> Ki, V0, each (batch, rows, columns)."""
        found = torch.einsum("pf,bfrc->bprc", self.solution, frames)
        return found[:, 0], found[:, 1]

    def differences(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Of the plot between consecutive frames: (y, (batch, frames - 1, rows, columns); x, (frames - 1,), min)."""
        y = frames / self.plasma.reshape(1, -1, 1, 1)
        x = self.integral / self.plasma
        return y.diff(dim=1), x.diff()


def paper_loss(
    late_suv: Tensor,
    true_late_suv: Tensor,
    linear_frames: Tensor,
    true_ki: Tensor,
    plot: PatlakPlot,
    weight: float = 1.0,
    delta: float = 1.0,
) -> Tensor:
    """The paper's loss of one batch, a number.

    :param late_suv: predicted late frames, SUV, (batch, late, rows, columns); *true_late_suv* likewise.
    :param linear_frames: frames of the linear part, predicted where they are late, kBq/mL.
    :param true_ki: the full scan's Patlak slope, (batch, rows, columns), mL/min/mL.
    :param weight: lambda, of the term of the Patlak plot.
    :param delta: Huber's, in SUV and in mL/mL.
    """
    loss = huber_loss(late_suv, true_late_suv, delta=delta)
    if weight > 0:
        y, x = plot.differences(linear_frames)
        loss = loss + weight * huber_loss(y, true_ki[:, None] * x.reshape(1, -1, 1, 1), delta=delta)
    return loss
