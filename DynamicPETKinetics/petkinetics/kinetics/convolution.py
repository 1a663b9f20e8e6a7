"""Exact convolution of a piecewise-linear curve with an exponential, and its frame means.

A curve is given by nodes (time in s, value) and is linear between them, zero before the first and
constant after the last. On every piece the convolution y = C (x) e^(-alpha t), which solves
y' = C - alpha*y, has a closed form, and so has its integral over a frame, with or without the
weight e^(-lambda*t) of a decay-weighted frame mean: by parts,

    integral e^(-lambda*t) y dt = (integral e^(-lambda*t) C dt - [e^(-lambda*t) y]) / (alpha + lambda).

No rectangle sums and no time grid beyond the nodes and the frame edges. alpha and lambda are per
minute here, times in seconds become minutes, so results carry kBq/mL*min.

docs/methods.md, "Exact convolution and frame integrals".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.integrals import (
    SMALLEST_RATE,
    at_frame_edges,
    double_frame_integral,
    frame_weight,
    phi1,
    weighted_frame_integral,
    with_frame_edges,
)

Float64 = NDArray[np.float64]


def phi2(z: Float64) -> Float64:
    """(1 - phi1(z))/z, the mean of e^(-z(1-s)) weighted by s; by its series where digits cancel.

    :param z: not negative, any shape; the answer has its shape.
    """
    small = z < 0.1
    safe = np.where(small, 1.0, z)
    series = 0.5 + z * (-1 / 6 + z * (1 / 24 + z * (-1 / 120 + z * (1 / 720 + z * (-1 / 5040 + z / 40320)))))
    return np.where(small, series, (1.0 - phi1(safe)) / safe)


def convolve(t_min: Float64, value: Float64, alpha: ArrayLike) -> Float64:
    """C (x) e^(-alpha t) at the nodes, zero before the first.

    :param t_min: node times, minutes, shape (nodes,), increasing.
    :param value: node values, shape (nodes,).
    :param alpha: rates in 1/min, any shape (...).
    :returns: shape (..., nodes), unit of value times minutes.
    """
    rate = np.asarray(alpha, dtype=np.float64)[..., None]
    h = np.diff(t_min)
    z = rate * h
    grow = np.exp(-z)
    added = h * (value[:-1] * phi1(z) + np.diff(value) * phi2(z))
    out = np.zeros((*rate.shape[:-1], t_min.size))
    for i in range(h.size):
        out[..., i + 1] = out[..., i] * grow[..., i] + added[..., i]
    return out


def frame_mean_convolved(
    time_s: ArrayLike, value: ArrayLike, timing: FrameTiming, alpha: ArrayLike, decay_per_s: float = 0.0
) -> Float64:
    """Frame means of C (x) e^(-alpha t); with alpha = 0 those of the running integral of C.

    :param time_s: node times, s, increasing; *value*: node values.
    :param alpha: rates in 1/min, any shape (...), not negative.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame; 0 for plain means.
    :returns: shape (..., frames), unit of *value* times minutes.
    """
    t, c = with_frame_edges(time_s, value, timing)
    rate = np.asarray(alpha, dtype=np.float64)
    decay = decay_per_s * 60.0
    y = convolve(t, c, rate)
    y_start, y_end = at_frame_edges(t, y, timing)
    duration = timing.duration_s / 60.0
    change = y_end * np.exp(-decay * duration) - y_start
    total = rate[..., None] + decay
    by_parts = (weighted_frame_integral(t, c, timing, decay) - change) / np.maximum(total, SMALLEST_RATE)
    if np.any(total < SMALLEST_RATE):
        by_parts = np.where(total < SMALLEST_RATE, double_frame_integral(t, c, timing), by_parts)
    return by_parts / frame_weight(timing, decay)


def plasma_response(
    input_function: InputFunction, timing: FrameTiming, alpha: ArrayLike, decay_per_s: float = 0.0
) -> Float64:
    """Frame means of Cp (x) e^(-alpha t), shape of alpha + (frames,), kBq/mL*min.

    :param alpha: 1/min, of any shape.
    :param decay_per_s: lambda of the weight within a frame; 0 for plain means.
    """
    return frame_mean_convolved(input_function.time_s, input_function.plasma_kbq_per_ml, timing, alpha, decay_per_s)
