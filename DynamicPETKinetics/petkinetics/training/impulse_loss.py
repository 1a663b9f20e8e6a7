"""The response to an impulse of plasma, judged beside Ki and V0: without it K1, k2 and fv are anybody's guess.

Frames of 45 s and longer hardly tell blood from fast exchange. A network that is never asked fills the gap with
anything that sums up; asked, it answers the mean of the patients that look alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: minutes after the impulse at which the tissue's response is judged
IMPULSE_MIN = (0.0, 0.5, 2.0, 6.0)
#: fv, then the response at these times in units of (mL/min/mL)
IMPULSE = 1 + len(IMPULSE_MIN)
IMPULSE_UNIT = 0.2
_WEIGHT, _FLOOR = 0.04, 0.3


def impulse_of(response: Tensor) -> Tensor:
    """fv and the impulse response, (slices, IMPULSE, rows, columns).

    :param response: a, b (mL/min/mL), slow, fast (1/min), fv, (slices, 5, rows, columns).
    """
    a, b, slow, fast, fv = response.unbind(1)
    later = [a * torch.exp(-slow * t) + b * torch.exp(-fast * t) for t in IMPULSE_MIN]
    return torch.stack([fv, *(r / IMPULSE_UNIT for r in later)], dim=1)


def impulse_loss(response: Tensor, truth: Tensor, body: Tensor) -> Tensor:
    """Absolute errors relative to the truth and a floor: large vessels shall not decide.

    :param response: of the network's head: a, b (mL/min/mL), slow, fast (1/min), fv, (slices, 5, rows, columns).
    :param truth: (slices, IMPULSE, rows, columns); *body*: (slices, rows, columns), bool.
    """
    error = (impulse_of(response) - truth).abs() / (truth + _FLOOR)
    return _WEIGHT * (error.mean(1) * body).sum() / body.sum().clamp(min=1)
