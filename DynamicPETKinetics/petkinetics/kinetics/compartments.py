"""Compartment models: what a tissue with rate constants K1...k4 shows in each frame.

Two-tissue model with plasma input (Liang et al. 2023, EJNMMI Phys 10:67, solution of its ODEs;
Gunn, Gunn & Cunningham 2001):

    C_T = a Cp (x) e^(-alpha1 t) + b Cp (x) e^(-alpha2 t)
    alpha1,2 = (k2 + k3 + k4 -/+ sqrt((k2 + k3 + k4)^2 - 4 k2 k4)) / 2
    a = K1 (k3 + k4 - alpha1) / (alpha2 - alpha1),  b = K1 (alpha2 - k3 - k4) / (alpha2 - alpha1)
    C_PET = (1 - fv) C_T + fv C_WB

K1 in mL/min/mL, k2...k4 in 1/min, fv a fraction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.convolution import plasma_response

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


def exponents(k1: ArrayLike, k2: ArrayLike, k3: ArrayLike, k4: ArrayLike) -> tuple[Float64, Float64, Float64, Float64]:
    """(alpha1, alpha2, a, b) of the two-tissue model (Gunn, Gunn & Cunningham 2001), broadcast over the parameters.

    K1 and the weights a, b in mL/min/mL; k2...k4 and the exponents in 1/min.

    Where both exponents coincide (k3 = 0 and k2 = k4) the weights a and b have no finite value each;
    then k4 is moved by a billionth of k2, which changes the curve by less than that.
    """
    k1, k2, k3, k4 = np.broadcast_arrays(*(np.asarray(k, dtype=np.float64) for k in (k1, k2, k3, k4)))
    total = k2 + k3 + k4
    # (k2 - k4)^2 + k3 (k3 + 2 (k2 + k4)) is total^2 - 4 k2 k4 without its cancellation.
    root = np.sqrt((k2 - k4) ** 2 + k3 * (k3 + 2.0 * (k2 + k4)))
    meet = root <= 1e-9 * total
    root = np.where(meet, np.maximum(1e-9 * total, 1e-30), root)
    alpha2 = 0.5 * (total + root)
    alpha1 = np.where(alpha2 > 0, k2 * k4 / np.where(alpha2 > 0, alpha2, 1.0), 0.0)
    a = k1 * (k3 + k4 - alpha1) / root
    return alpha1, alpha2, a, k1 - a


def net_influx(k1: ArrayLike, k2: ArrayLike, k3: ArrayLike, fv: ArrayLike) -> Float64:
    """Ki = (1 - fv) K1 k3 / (k2 + k3), mL/min/mL: the slope that Patlak's plot tends to for k4 = 0.

    K1 in mL/min/mL, k2 and k3 in 1/min, fv a fraction; broadcast. Patlak, Blasberg & Fenstermacher 1983.
    """
    k1, k2, k3, fv = (np.asarray(v, dtype=np.float64) for v in (k1, k2, k3, fv))
    total = k2 + k3
    return (1.0 - fv) * k1 * np.divide(k3, total, out=np.zeros(np.broadcast(k3, total).shape), where=total > 0)


def initial_volume(
    k1: ArrayLike, k2: ArrayLike, k3: ArrayLike, fv: ArrayLike, blood_to_plasma: ArrayLike = 1.0
) -> Float64:
    """V0 = (1 - fv) K1 k2 / (k2 + k3)^2 + fv * (whole blood / plasma), mL/mL: Patlak's intercept for k4 = 0.

    Parameters as in :func:`net_influx`; they broadcast, and so does the ratio.

    :param blood_to_plasma: activity of whole blood over that of plasma, late in the scan.
    """
    k1, k2, k3, fv = (np.asarray(v, dtype=np.float64) for v in (k1, k2, k3, fv))
    total = k2 + k3
    exchange = np.divide(k1 * k2, total**2, out=np.zeros(np.broadcast(k1, total).shape), where=total > 0)
    return (1.0 - fv) * exchange + fv * np.asarray(blood_to_plasma, dtype=np.float64)


def two_tissue_frames(
    input_function: InputFunction,
    timing: FrameTiming,
    k1: ArrayLike,
    k2: ArrayLike,
    k3: ArrayLike,
    k4: ArrayLike = 0.0,
    fv: ArrayLike = 0.0,
    decay_per_s: float = 0.0,
) -> Float64:
    """Exact frame means of the two-tissue model.

    :param k1: mL/min/mL; *k2*, *k3*, *k4*: 1/min; *fv*: fraction; shapes broadcast to (...).
    :param decay_per_s: lambda of the weight within a frame; 0 for plain means.
    :returns: shape (..., frames), kBq/mL.
    """
    alpha1, alpha2, a, b = exponents(k1, k2, k3, k4)
    slow = plasma_response(input_function, timing, alpha1, decay_per_s)
    fast = plasma_response(input_function, timing, alpha2, decay_per_s)
    blood = input_function.whole_blood_frame_mean(timing, decay_per_s)
    fraction = np.asarray(fv, dtype=np.float64)[..., None]
    return (1.0 - fraction) * (a[..., None] * slow + b[..., None] * fast) + fraction * blood


class ResponseTable:
    """Frame means of Cp (x) e^(-alpha t) tabulated over alpha, for millions of voxels at once.

    The table is uniform in log(1 + alpha/0.001), so alpha = 0 is a node; with 1,024 nodes linear
    interpolation stays within 2e-5 of the exact curve (a test holds it).

    :param input_function: Cp and whole blood.
    :param timing: the frames.
    :param decay_per_s: lambda of the weight within a frame; 0 for plain means.
    :param nodes: number of alphas.
    :param largest: largest alpha in 1/min; larger ones are taken as this.
    """

    #: alpha of node n is KNEE (e^(step n) - 1), 1/min
    KNEE = 1e-3

    def __init__(
        self,
        input_function: InputFunction,
        timing: FrameTiming,
        decay_per_s: float = 0.0,
        nodes: int = 1024,
        largest: float = 10.0,
    ) -> None:
        self.step = float(np.log1p(largest / self.KNEE)) / (nodes - 1)
        self.alpha = self.KNEE * np.expm1(self.step * np.arange(nodes))
        response = plasma_response(input_function, timing, self.alpha, decay_per_s)
        #: float32 (nodes, frames), kBq/mL*min
        self.response: Float32 = response.astype(np.float32)
        #: float32 (frames,), kBq/mL
        self.blood: Float32 = input_function.whole_blood_frame_mean(timing, decay_per_s).astype(np.float32)

    def convolved(self, alpha: ArrayLike) -> Float32:
        """Frame means of Cp (x) e^(-alpha t), shape (..., frames), kBq/mL*min."""
        position = np.log1p(np.asarray(alpha, dtype=np.float64) / self.KNEE) / self.step
        position = np.clip(position, 0.0, len(self.alpha) - 1.0)
        lower = np.minimum(position.astype(np.int64), len(self.alpha) - 2)
        share = (position - lower).astype(np.float32)[..., None]
        below = self.response[lower]
        return below + share * (self.response[lower + 1] - below)

    def two_tissue(
        self, k1: ArrayLike, k2: ArrayLike, k3: ArrayLike, k4: ArrayLike = 0.0, fv: ArrayLike = 0.0
    ) -> Float32:
        """Frame means of the two-tissue model, float32 (..., frames), kBq/mL.

        K1 in mL/min/mL, k2, k3 and k4 in 1/min, fv a fraction, as in :func:`two_tissue_frames`.
        """
        alpha1, alpha2, a, b = exponents(k1, k2, k3, k4)
        fraction = np.asarray(fv, dtype=np.float32)[..., None]
        tissue = a.astype(np.float32)[..., None] * self.convolved(alpha1)
        tissue += b.astype(np.float32)[..., None] * self.convolved(alpha2)
        return (1.0 - fraction) * tissue + fraction * self.blood
