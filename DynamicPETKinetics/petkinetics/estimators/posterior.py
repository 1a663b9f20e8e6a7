"""Solvers that bring measured images and a denoiser together.

The images y carry noise n of SD sigma (a voxel) and some spatial correlation R, the same for all images:
y = x + sigma n. A denoiser D(x + tau sigma n, tau) answers E[x] when it is given noise of the same shape, tau
times as strong. Half-quadratic splitting (Geman & Yang 1995; Zhu et al., CVPRW 2023, "DiffPIR") asks for

    minimise over x:  (y - x)' S^-1 (y - x) + lambda / tau^2 (x - z)' S^-1 (x - z),   S = sigma R sigma,

with z = D(x_tau). Because the diffusion's noise is given the correlation of the data's, S is in both terms and
cancels: the minimum is (y + k z) / (1 + k) with k = lambda / tau^2, voxel by voxel, for any correlation.
Noise that is white in the diffusion alone leaves the correlation in, and the voxelwise step is then only
right for white data. In slope and intercept this is the 2x2 system of the frames' weighted fit, whose covariance is
not diagonal; in slope and activity (:mod:`petkinetics.estimators.normalised_images`) it comes apart into two divisions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
#: (images with noise tau times that of the data, tau) -> images without
Denoise = Callable[[Float32, float], Float32]
#: draws noise as strong and as correlated as that of the data, float32 like the images
Fresh = Callable[[], Float32]


def half_quadratic(
    measured: Float32,
    denoise: Denoise,
    fresh: Fresh,
    taus: Sequence[float],
    weight: float,
    start: Float32 | None = None,
) -> Float32:
    """Half-quadratic splitting with fresh noise in every step.

    :param measured: y, (images, slices, rows, columns), as *start* and the answer.
    :param taus: falling noise levels, in units of the data's noise.
    :param weight: lambda of the prior.
    :param start: x of the first step before noise is added; by default the data are taken, whose noise is tau 1.
    """
    if start is None:
        x = measured if taus[0] <= 1.0 else _noisier(measured, fresh, float(np.sqrt(taus[0] ** 2 - 1.0)))
    else:
        x = _noisier(start, fresh, taus[0])
    found = x
    for step, tau in enumerate(taus):
        pull = np.float32(weight / tau**2)
        found = (measured + pull * denoise(x, tau)) / (1 + pull)
        if step + 1 < len(taus):
            x = _noisier(found, fresh, taus[step + 1])
    return found


def posterior_sample(measured: Float32, denoise: Denoise, fresh: Fresh, taus: Sequence[float]) -> Float32:
    """One image that may have given rise to the data, with the probability that prior and noise give it.

    The data are a state of the diffusion, that of tau 1: walking it back from there (ancestral sampling; Ho,
    Jain & Abbeel 2020) draws from the posterior (Kawar, Vaksman & Elad, ICCVW 2021, for white noise).

    :param measured: (images, slices, rows, columns), any unit, as the answer.
    :param taus: falling from 1; the walk ends at 0.
    """
    x = measured
    for step, tau in enumerate(taus):
        clean = denoise(x, tau)
        after = taus[step + 1] if step + 1 < len(taus) else 0.0
        kept = (after / tau) ** 2
        x = clean + np.float32(kept) * (x - clean)
        if after > 0:
            x = _noisier(x, fresh, float(after * np.sqrt(1.0 - kept)))
    return x


def red_diff(
    measured: Float32,
    denoise: Denoise,
    fresh: Fresh,
    taus: Sequence[float],
    weight: float,
    sigma: Float32,
    rate: float = 0.3,
) -> Float32:
    """Regularisation by denoising diffusion (Mardani et al., ICLR 2024): stochastic gradient steps.

    The gradient of the objective above at noise level tau is S^-1 [(x - y) + lambda / tau^2 (x - D(x + tau sigma n))],
    where S is left out as preconditioner. Adam steps of *rate* noise SDs, falling to a tenth.

    :param measured: (images, slices, rows, columns), any unit, as *sigma* and the answer.
    :param weight: lambda of the prior, no unit.
    :param sigma: SD of the data's noise.
    """
    x = measured.copy()
    first, second = np.zeros_like(x), np.zeros_like(x)
    decay = (0.7, 0.95)
    for step, tau in enumerate(taus):
        pull = np.float32(weight / tau**2)
        gradient = ((x - measured) + pull * (x - denoise(_noisier(x, fresh, tau), tau))) / sigma
        first += np.float32(1 - decay[0]) * (gradient - first)
        second += np.float32(1 - decay[1]) * (gradient**2 - second)
        along = first / np.float32(1 - decay[0] ** (step + 1))
        size = np.sqrt(second / np.float32(1 - decay[1] ** (step + 1))) + np.float32(1e-3)
        length = np.float32(rate * (1.0 - 0.9 * step / max(1, len(taus) - 1)))
        x -= length * sigma * along / size
    return x


def _noisier(images: Float32, fresh: Fresh, amount: float) -> Float32:
    return images + np.float32(amount) * fresh()
