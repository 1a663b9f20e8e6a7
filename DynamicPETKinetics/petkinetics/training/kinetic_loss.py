"""What our network is trained on: Ki and V0 of 9-65 min, and the measured windows, at several scales.

Squared errors, since Ki should be its mean given the data: absolute ones pull lesions towards their
surroundings. Each error is divided by a size that follows the *neighbourhood's* Ki, not the voxel's, which
would weigh low truths more and bias the estimate down. Means over 4x4 and 16x16 voxels are judged as well:
what is wrong in a whole lesion or organ counts there, what is noise does not. Mean Ki of single lesions and organs
is judged once more, relative to itself: that is what people read from a map. The likeness of structures (SSIM) is
judged, too: squared errors alone level the faint ones.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from petkinetics.networks.features import LINEAR, WINDOWS

#: voxels whose mean error is judged, and its weight
_SCALES = ((1, 1.0), (4, 1.0), (16, 1.0))
#: sizes of errors: Ki in 0.01 mL/min/mL, V0 in mL/mL, windows relative to plasma
_KI_FLOOR, _V0_FLOOR, _WINDOW_FLOOR = 0.35, 0.15, 0.4
_KI_EVEN = 0.5
#: weights of voxels outside the body, and in and around lesions, which are few and what people look for
_AIR, _LESION = 0.05, 25.0
_NEIGHBOURHOOD = 9
_LINEAR_FROM = 2.0
#: numbers of regions: organs below, lesions from here on
FIRST_LESION = 256
#: a region's mean Ki is judged relative to itself and this (0.01 mL/min/mL), in units of the second; fewest voxels
_REGION_FLOOR, _REGION_SIZE, _LEAST_VOXELS = 0.05, 0.25, 8
_REGION_WEIGHT = 0.15
#: SSIM's Gaussian window (voxels), its constants, the least data range (0.01 mL/min/mL), its weight
_SSIM_SIGMA, _SSIM_REACH, _SSIM_CONSTANTS = 1.5, 5, (0.01, 0.03)
_LEAST_RANGE = 0.4
_SSIM_WEIGHT = 1.5


def kinetic_loss(
    predicted: Tensor, truth: Tensor, body: Tensor, lesions: Tensor, window_weight: float = 0.15
) -> dict[str, Tensor]:
    """Terms of the loss, and "loss", their sum.

    :param predicted: of windows, Ki and V0, in the network's own unit, (slices, LINEAR + 2, rows, columns), or
        (slices, 2, ...) without windows.
    :param truth: likewise, (slices, LINEAR + 2, rows, columns).
    :param body: (slices, rows, columns), bool; *lesions*: likewise, lesions and the voxels around them.
    :param window_weight: factor of the windows' term.
    """
    weight = torch.where(body, 1.0, _AIR) + (_LESION - 1.0) * lesions
    ki, v0 = truth[:, LINEAR], truth[:, LINEAR + 1]
    sizes = (_around(ki) + _KI_FLOOR, torch.full_like(ki, _KI_EVEN), _around(v0) + _V0_FLOOR)
    ki_error = predicted[:, -2] - ki
    terms = {
        "ki": _multi_scale(ki_error / sizes[0], weight),
        "ki_even": 0.6 * _multi_scale(ki_error / sizes[1], weight),
        "v0": 0.6 * _multi_scale((predicted[:, -1] - v0) / sizes[2], weight),
    }
    if predicted.shape[1] > 2 and window_weight > 0:
        windows = truth[:, :WINDOWS]
        error = (predicted[:, :WINDOWS] - windows) / (_around(windows.mean(1))[:, None] + _WINDOW_FLOOR)
        terms["windows"] = window_weight * (_robust(error).mean(1) * weight).mean() * 4.0
    terms["loss"] = torch.stack(list(terms.values())).sum()
    return terms


def region_loss(ki: Tensor, truth: Tensor, regions: Tensor) -> Tensor:
    """Error of the mean Ki of organs and of lesions, each region as heavy as any other.

    :param ki: any unit, (slices, rows, columns); *truth*: likewise; *regions*: their numbers, int64.
    """
    where = regions.reshape(-1)
    zero = ki.new_zeros(int(where.max()) + 1)
    count = zero.index_add(0, where, torch.ones_like(ki).reshape(-1))
    error, true = (zero.index_add(0, where, m.reshape(-1)) / count.clamp(min=1) for m in (ki - truth, truth))
    found = _robust(error / (true + _REGION_FLOOR) / _REGION_SIZE)
    number = torch.arange(len(zero), device=ki.device)
    enough = (count >= _LEAST_VOXELS) & (number > 0)
    total = ki.new_zeros(())
    for kind in (number < FIRST_LESION, number >= FIRST_LESION):
        some = found[enough & kind]
        if len(some):
            total = total + some.mean()
    return _REGION_WEIGHT * total


def structure_loss(ki: Tensor, truth: Tensor, body: Tensor) -> Tensor:
    """1 - SSIM in the body (Wang et al., IEEE Trans Image Process 2004;13:600, eq. 13), slice by slice.

    :param ki: any unit, (slices, rows, columns) of one scan, whose largest truth is the data range; *truth* and *body*:
        likewise.
    """
    taps = torch.exp(-0.5 * (torch.arange(-_SSIM_REACH, _SSIM_REACH + 1, device=ki.device) / _SSIM_SIGMA).square())
    taps = (taps / taps.sum()).to(ki.dtype)
    products = torch.stack((ki, truth, ki * ki, truth * truth, ki * truth), dim=1).flatten(0, 1)[:, None]
    smooth = conv2d(products, taps.reshape(1, 1, -1, 1), padding=(_SSIM_REACH, 0))
    smooth = conv2d(smooth, taps.reshape(1, 1, 1, -1), padding=(0, _SSIM_REACH)).reshape(len(ki), 5, *ki.shape[1:])
    x, y, xx, yy, xy = smooth.unbind(1)
    span = (truth * body).amax().clamp(min=_LEAST_RANGE)
    c1, c2 = ((c * span).square() for c in _SSIM_CONSTANTS)
    means = (2 * x * y + c1) / (x * x + y * y + c1)
    spreads = (2 * (xy - x * y) + c2) / (xx - x * x + yy - y * y + c2)
    return _SSIM_WEIGHT * ((1.0 - means * spreads) * body).sum() / body.sum().clamp(min=1)


def _robust(error: Tensor) -> Tensor:
    """The square, growing like the error itself beyond several of its sizes: no voxel decides a step alone."""
    return 2.0 * _LINEAR_FROM**2 * (torch.sqrt(1.0 + (error / _LINEAR_FROM).square()) - 1.0)


def _around(values: Tensor) -> Tensor:
    """Mean over a neighbourhood."""
    return avg_pool2d(values[:, None], _NEIGHBOURHOOD, 1, _NEIGHBOURHOOD // 2, count_include_pad=False)[:, 0]


def _multi_scale(error: Tensor, weight: Tensor) -> Tensor:
    total = error.new_zeros(())
    for size, share in _SCALES:
        if size > min(error.shape[-2:]):
            continue
        e, w = (avg_pool2d(x[:, None], size) if size > 1 else x[:, None] for x in (error * weight, weight))
        # a mean of size^2 independent errors is this much smaller; correlated ones weigh more
        total = total + share * size * (_robust(e / w.clamp(min=1e-3)) * w).mean()
    return total
