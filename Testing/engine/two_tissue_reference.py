"""The two-tissue model by two ways that share nothing with the engine: an ODE solver and a matrix exponential."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm

Float64 = NDArray[np.float64]


def by_ode(nodes_s, cp, wb, start_s, duration_s, k1, k2, k3, k4, fv, lam_s=0.0) -> Float64:  # type: ignore[no-untyped-def]
    """Frame means by ``solve_ivp`` (rtol 1e-10), restarted at every node and frame edge."""
    nodes, lam = np.asarray(nodes_s) / 60.0, lam_s * 60.0
    starts, ends = np.asarray(start_s) / 60.0, (np.asarray(start_s) + np.asarray(duration_s)) / 60.0
    edges = np.unique(np.concatenate([nodes, starts, ends]))
    edges = edges[(edges >= nodes[0]) & (edges <= ends[-1])]

    def slope(t, x):  # type: ignore[no-untyped-def]
        plasma, blood = np.interp(t, nodes, cp), np.interp(t, nodes, wb)
        pet = (1.0 - fv) * (x[0] + x[1]) + fv * blood
        return [k1 * plasma - (k2 + k3) * x[0] + k4 * x[1], k3 * x[0] - k4 * x[1], pet * np.exp(-lam * (t - origin))]

    tissue, total = np.zeros(2), np.zeros(len(starts))
    for a, b in itertools.pairwise(edges):
        origin = a
        # the state is of the order of Cp, so this absolute tolerance lies far below 1e-10 of it
        *tissue, area = solve_ivp(slope, (a, b), [*tissue, 0.0], method="DOP853", rtol=1e-10, atol=1e-13).y[:, -1]
        within = (starts <= a) & (ends >= b)
        total[within] += area * np.exp(-lam * (a - starts[within]))
    return total / (ends - starts if lam == 0.0 else -np.expm1(-lam * (ends - starts)) / lam)


def by_matrix(nodes_s, cp, wb, start_s, duration_s, k1, k2, k3, k4, fv, lam_s=0.0) -> Float64:  # type: ignore[no-untyped-def]
    """Frame means by the matrix exponential, exact on every linear piece whatever the rates (Van Loan 1978).

    State: C1, C2, Cp, its slope, C_WB, its slope, and the frame's running integral weighted by e^(-lam t).
    """
    nodes, lam = np.asarray(nodes_s, float) / 60.0, lam_s * 60.0
    starts, ends = (
        np.asarray(start_s, float) / 60.0,
        (np.asarray(start_s, float) + np.asarray(duration_s, float)) / 60.0,
    )
    edges = np.unique(np.concatenate([nodes, starts, ends]))
    m = np.zeros((7, 7))
    m[0, :3] = -(k2 + k3), k4, k1
    m[1, :2] = k3, -k4
    m[2, 3] = m[4, 5] = 1.0
    m[:6, :6] -= lam * np.eye(6)
    m[6, 0] = m[6, 1] = 1.0 - fv
    m[6, 4] = fv
    tissue = np.zeros(2)
    totals, width = np.zeros(len(starts)), np.zeros(len(starts))
    steps = expm(m * np.diff(edges)[:, None, None])
    for step, (a, b) in zip(steps, itertools.pairwise(edges), strict=True):
        if b <= nodes[0]:
            plasma = blood = (0.0, 0.0)
        else:
            plasma, blood = (
                (np.interp(a, nodes, c), (np.interp(b, nodes, c) - np.interp(a, nodes, c)) / (b - a)) for c in (cp, wb)
            )
        out = step @ np.array([*tissue, *plasma, *blood, 0.0])
        tissue = out[:2] * np.exp(lam * (b - a))
        for i in np.flatnonzero((starts <= a + 1e-12) & (ends >= b - 1e-12)):
            weight = np.exp(-lam * (a - starts[i]))
            totals[i] += out[6] * weight
            width[i] += weight * ((b - a) if lam == 0.0 else -np.expm1(-lam * (b - a)) / lam)
    # a frame before the first edge holds nothing
    return totals / np.where(width > 0.0, width, 1.0)
