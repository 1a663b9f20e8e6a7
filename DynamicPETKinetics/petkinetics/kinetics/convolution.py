"""Exact convolution of a piecewise-linear curve with an exponential, and its frame means.

A curve is given by nodes (time in s, value) and is linear between them, zero before the first and
constant after the last. On every piece the convolution y = C (x) e^(-alpha t), which solves
y' = C - alpha*y, has a closed form, and so has its integral over a frame, with or without the
weight e^(-lambda*t) of a decay-weighted frame mean: by parts,

    integral e^(-lambda*t) y dt = (integral e^(-lambda*t) C dt - [e^(-lambda*t) y]) / (alpha + lambda).

No rectangle sums and no time grid beyond the nodes and the frame edges. alpha and lambda are per
minute here, times in seconds become minutes, so results carry kBq/mL*min.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.frames import FrameTiming

Float64 = NDArray[np.float64]

#: below this alpha + lambda (1/min) the division above would lose more digits than the limit does
_SMALLEST_RATE = 1e-8


def _phi1(z: Float64) -> Float64:
    """(1 - e^-z)/z, and its limit 1 at 0."""
    safe = np.where(z == 0.0, 1.0, z)
    return np.where(z == 0.0, 1.0, -np.expm1(-safe) / safe)


def _phi2(z: Float64) -> Float64:
    """(1 - phi1(z))/z, the mean of e^(-z(1-s)) weighted by s; by its series where digits cancel."""
    small = z < 0.1
    safe = np.where(small, 1.0, z)
    series = 0.5 + z * (-1 / 6 + z * (1 / 24 + z * (-1 / 120 + z * (1 / 720 + z * (-1 / 5040 + z / 40320)))))
    return np.where(small, series, (1.0 - _phi1(safe)) / safe)


def _psi2(z: Float64) -> Float64:
    """(1 - e^-z (1 + z))/z^2, the mean of s e^(-zs); by its series where digits cancel."""
    small = z < 0.1
    safe = np.where(small, 1.0, z)
    series = 0.5 + z * (-1 / 3 + z * (1 / 8 + z * (-1 / 30 + z * (1 / 144 + z * (-1 / 840 + z / 5760)))))
    return np.where(small, series, (1.0 - np.exp(-safe) * (1.0 + safe)) / safe**2)


def _with_edges(time_s: ArrayLike, value: ArrayLike, timing: FrameTiming) -> tuple[Float64, Float64]:
    """Nodes merged with the frame edges: (time in minutes, value)."""
    node_s = np.asarray(time_s, dtype=np.float64)
    values = np.asarray(value, dtype=np.float64)
    edges = np.concatenate([timing.start_s, timing.end_s])
    late = edges[edges >= node_s[0]]
    t = np.union1d(node_s, late)
    c = np.interp(t, node_s, values)
    # Nodes at equal times (a step) would be merged by union1d; curves refuse them on entry.
    return t / 60.0, c


def _at_edges(t_min: Float64, cumulative: Float64, timing: FrameTiming) -> tuple[Float64, Float64]:
    """A quantity known at the merged nodes, picked at frame starts and ends; zero before the first."""

    def pick(edge_s: Float64) -> Float64:
        index = np.searchsorted(t_min, edge_s / 60.0 - 1e-12)
        index = np.minimum(index, t_min.size - 1)
        before = edge_s / 60.0 < t_min[0]
        return np.where(before, 0.0, cumulative[..., index])

    return pick(timing.start_s), pick(timing.end_s)


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
    added = h * (value[:-1] * _phi1(z) + np.diff(value) * _phi2(z))
    out = np.zeros((*rate.shape[:-1], t_min.size))
    for i in range(h.size):
        out[..., i + 1] = out[..., i] * grow[..., i] + added[..., i]
    return out


def frame_mean(time_s: ArrayLike, value: ArrayLike, timing: FrameTiming, decay_per_s: float = 0.0) -> Float64:
    """Frame means of the piecewise-linear curve itself.

    :param time_s: node times, s, increasing; *value*: node values.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame; 0 for plain means.
    :returns: shape (frames,), the unit of *value*.
    """
    t, c = _with_edges(time_s, value, timing)
    return _weighted_integral(t, c, timing, decay_per_s * 60.0) / _weight(timing, decay_per_s * 60.0)


def frame_mean_convolved(
    time_s: ArrayLike, value: ArrayLike, timing: FrameTiming, alpha: ArrayLike, decay_per_s: float = 0.0
) -> Float64:
    """Frame means of C (x) e^(-alpha t); with alpha = 0 those of the running integral of C.

    :param time_s: node times, s, increasing; *value*: node values.
    :param alpha: rates in 1/min, any shape (...), not negative.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame; 0 for plain means.
    :returns: shape (..., frames), unit of *value* times minutes.
    """
    t, c = _with_edges(time_s, value, timing)
    rate = np.asarray(alpha, dtype=np.float64)
    decay = decay_per_s * 60.0
    y = convolve(t, c, rate)
    y_start, y_end = _at_edges(t, y, timing)
    duration = timing.duration_s / 60.0
    change = y_end * np.exp(-decay * duration) - y_start
    total = rate[..., None] + decay
    by_parts = (_weighted_integral(t, c, timing, decay) - change) / np.maximum(total, _SMALLEST_RATE)
    if np.any(total < _SMALLEST_RATE):
        by_parts = np.where(total < _SMALLEST_RATE, _double_integral(t, c, timing), by_parts)
    return by_parts / _weight(timing, decay)


def _weight(timing: FrameTiming, decay_per_min: float) -> Float64:
    """Integral of e^(-lambda (t - start)) over each frame, minutes."""
    duration = timing.duration_s / 60.0
    return duration * _phi1(decay_per_min * duration)


def _weighted_integral(t: Float64, c: Float64, timing: FrameTiming, decay_per_min: float) -> Float64:
    """Integral of e^(-lambda (t - start)) C over each frame, shape (frames,)."""
    h = np.diff(t)
    z = decay_per_min * h
    piece = h * np.exp(-decay_per_min * (t[:-1] - t[0])) * (c[:-1] * _phi1(z) + np.diff(c) * _psi2(z))
    running = np.concatenate([[0.0], np.cumsum(piece)])
    at_start, at_end = _at_edges(t, running, timing)
    return (at_end - at_start) * np.exp(decay_per_min * (timing.start_s / 60.0 - t[0]))


def _double_integral(t: Float64, c: Float64, timing: FrameTiming) -> Float64:
    """Integral over each frame of the running integral of C, shape (frames,)."""
    h = np.diff(t)
    once = np.concatenate([[0.0], np.cumsum(0.5 * h * (c[:-1] + c[1:]))])
    piece = h * once[:-1] + h**2 * (c[:-1] / 3.0 + c[1:] / 6.0)
    at_start, at_end = _at_edges(t, np.concatenate([[0.0], np.cumsum(piece)]), timing)
    return at_end - at_start
