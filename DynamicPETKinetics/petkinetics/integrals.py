"""Piecewise-linear curves and their exact frame means.

A curve is given by nodes (time in s, value) and is linear between them, zero before the first and
constant after the last. A frame's value is the mean over [start, start + duration], or, where a
scanner applies one mean decay factor to the frame, the mean weighted by e^(-lambda*t). Integrals
have closed forms on every piece; nothing is sampled. Inside, times are minutes.

docs/methods.md, "Exact convolution and frame integrals".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.frames import FrameTiming

Float64 = NDArray[np.float64]

#: 1/min; dividing by a smaller rate would lose more digits than the limit at zero does
SMALLEST_RATE = 1e-8


def phi1(z: Float64) -> Float64:
    """(1 - e^-z)/z, and its limit 1 at 0, for z (no unit) of any shape."""
    safe = np.where(z == 0.0, 1.0, z)
    return np.where(z == 0.0, 1.0, -np.expm1(-safe) / safe)


def psi2(z: Float64) -> Float64:
    """(1 - e^-z (1 + z))/z^2, the mean of s e^(-zs), z >= 0 of any shape; by its series where digits cancel."""
    small = z < 0.1
    safe = np.where(small, 1.0, z)
    series = 0.5 + z * (-1 / 3 + z * (1 / 8 + z * (-1 / 30 + z * (1 / 144 + z * (-1 / 840 + z / 5760)))))
    return np.where(small, series, (1.0 - np.exp(-safe) * (1.0 + safe)) / safe**2)


def frame_mean(time_s: ArrayLike, value: ArrayLike, timing: FrameTiming, decay_per_s: float = 0.0) -> Float64:
    """Frame means of the piecewise-linear curve itself.

    :param time_s: node times, s, increasing; *value*: node values.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame; 0 for plain means.
    :returns: shape (frames,), the unit of *value*.
    """
    t, c = with_frame_edges(time_s, value, timing)
    return weighted_frame_integral(t, c, timing, decay_per_s * 60.0) / frame_weight(timing, decay_per_s * 60.0)


def frame_mean_of_integral(
    time_s: ArrayLike, value: ArrayLike, timing: FrameTiming, decay_per_s: float = 0.0
) -> Float64:
    """Frame means of the curve's running integral from its first node.

    :param time_s: node times, s, increasing; *value*: node values.
    :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame; 0 for plain means.
    :returns: shape (frames,), unit of *value* times minutes.
    """
    t, c = with_frame_edges(time_s, value, timing)
    decay = decay_per_s * 60.0
    running = running_integral(t, c)
    if decay < SMALLEST_RATE:
        return double_frame_integral(t, c, timing) / frame_weight(timing, 0.0)
    at_start, at_end = at_frame_edges(t, running, timing)
    change = at_end * np.exp(-decay * timing.duration_s / 60.0) - at_start
    return (weighted_frame_integral(t, c, timing, decay) - change) / decay / frame_weight(timing, decay)


def running_integral(t_min: Float64, value: Float64) -> Float64:
    """Integral of a piecewise-linear curve from the first node to every node, (nodes,).

    :param t_min: times of the nodes, min.
    :param value: at the nodes; the integral has its unit times minutes.
    """
    pieces = 0.5 * np.diff(t_min) * (value[:-1] + value[1:])
    return np.concatenate([[0.0], np.cumsum(pieces)])


def with_frame_edges(time_s: ArrayLike, value: ArrayLike, timing: FrameTiming) -> tuple[Float64, Float64]:
    """Nodes merged with the frame edges: (time in minutes, value), (nodes,) each.

    :param time_s: times of the nodes, s; *value* at them.
    """
    node_s = np.asarray(time_s, dtype=np.float64)
    values = np.asarray(value, dtype=np.float64)
    edges = np.concatenate([timing.start_s, timing.end_s])
    late = edges[edges >= node_s[0]]
    # numpy's own union imports its masked arrays, 18 ms on the way to every map
    t = np.sort(np.concatenate([node_s, late]))
    # Nodes at equal times (a step) are merged; curves refuse them on entry.
    t = t[np.diff(t, prepend=-np.inf) > 0]
    c = np.interp(t, node_s, values)
    return t / 60.0, c


def at_frame_edges(t_min: Float64, cumulative: Float64, timing: FrameTiming) -> tuple[Float64, Float64]:
    """A quantity known at the merged nodes, picked at frame starts and ends; zero before the first.

    :param t_min: of :func:`with_frame_edges`, min; *cumulative* at them.
    :returns: (frames,) each.
    """

    def pick(edge_s: Float64) -> Float64:
        index = np.searchsorted(t_min, edge_s / 60.0 - 1e-12)
        index = np.minimum(index, t_min.size - 1)
        before = edge_s / 60.0 < t_min[0]
        return np.where(before, 0.0, cumulative[..., index])

    return pick(timing.start_s), pick(timing.end_s)


def frame_weight(timing: FrameTiming, decay_per_min: float) -> Float64:
    """Integral of e^(-lambda (t - start)) over each frame, minutes, (frames,).

    :param decay_per_min: lambda, 1/min.
    """
    duration = timing.duration_s / 60.0
    return duration * phi1(decay_per_min * duration)


def weighted_frame_integral(t: Float64, c: Float64, timing: FrameTiming, decay_per_min: float) -> Float64:
    """Integral of e^(-lambda (t - start)) C over each frame, in the unit of C times min, (frames,).

    :param t: times of the curve's nodes, min, (nodes,), increasing.
    :param c: C at the nodes, any unit, (nodes,).
    :param decay_per_min: lambda, 1/min; 0 for the plain integral.
    """
    h = np.diff(t)
    z = decay_per_min * h
    piece = h * (c[:-1] * phi1(z) + np.diff(c) * psi2(z))
    # Summed a frame, each with the weight of its own: in a running sum from the first node the late
    # frames of a short-lived nuclide would drown (Rb-82 after an hour: e^-33 of the first).
    first, last = (np.searchsorted(t, edge / 60.0 - 1e-12) for edge in (timing.start_s, timing.end_s))
    out = np.zeros(len(timing))
    for frame, start in enumerate(timing.start_s / 60.0):
        part = slice(first[frame], last[frame])
        out[frame] = np.sum(piece[part] * np.exp(-decay_per_min * (t[:-1][part] - start)))
    return out


def double_frame_integral(t: Float64, c: Float64, timing: FrameTiming) -> Float64:
    """Integral over each frame of the running integral of C, in the unit of C times min^2, (frames,).

    :param t: times of the curve's nodes, min, (nodes,), increasing.
    :param c: C at the nodes, any unit, (nodes,).
    """
    h = np.diff(t)
    once = running_integral(t, c)
    piece = h * once[:-1] + h**2 * (c[:-1] / 3.0 + c[1:] / 6.0)
    at_start, at_end = at_frame_edges(t, np.concatenate([[0.0], np.cumsum(piece)]), timing)
    return at_end - at_start
