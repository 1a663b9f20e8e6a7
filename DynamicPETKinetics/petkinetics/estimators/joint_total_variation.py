"""Weighted least squares with joint total variation, solved to a known distance from its optimum.

    minimise over u:  1/2 sum_v w_v |u_v - f_v|^2  +  lambda sum_v |(grad u)_v|

u has several channels; |grad u| is the Euclidean norm over channels and directions, so an edge costs
less where the channels share it. Chambolle & Pock (J Math Imaging Vis 2011;40:120), algorithm 2: the
primal-dual steps accelerated by the strong convexity of the data term. The duality gap

    P(u) - D(g),   D(g) = -sum_v ( |div g|^2 / (2 w) + f . div g )_v

bounds how far P(u) is above the minimum, and stops the iteration.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_THREADS = 2
#: slices are worked on in pieces of about this many voxels, which stay in the processor's cache
_PIECE_VOXELS = 1 << 15
_LOOK_EVERY = 10


@dataclass(frozen=True, eq=False)
class Minimum:
    """What was reached.

    :param values: u, (channels, slices, rows, columns).
    :param relative_gap: duality gap divided by the objective.
    :param iterations: steps taken.
    """

    values: Float32
    relative_gap: float
    iterations: int


def minimise(
    data: Float32,
    weights: Float32,
    strength: float,
    steps: tuple[float, float, float],
    tolerance: float = 1e-3,
    most_iterations: int = 300,
    watch: Callable[[float], None] = lambda _: None,
) -> Minimum:
    """Minimise the objective.

    :param data: f, (channels, slices, rows, columns).
    :param weights: w above 0, (slices, rows, columns).
    :param strength: lambda, above 0.
    :param steps: factors of the differences along (slices, rows, columns): 1 for the finest voxel
        side, less for longer ones.
    :param tolerance: of the relative gap.
    :param watch: called with the share of the work done after every step; raises to stop.
    """
    return _Solver(data, weights, strength, steps).run(tolerance, most_iterations, watch)


class _Solver:
    def __init__(self, data: Float32, weights: Float32, strength: float, steps: tuple[float, float, float]) -> None:
        self._f, self._w, self._lambda = data, weights, np.float32(strength)
        self._h = tuple(np.float32(h) for h in steps)
        self._u, self._ahead = data.copy(), data.copy()
        self._g = np.zeros((3, *data.shape), np.float32)
        slices = data.shape[1]
        depth = max(1, _PIECE_VOXELS // max(1, data.shape[2] * data.shape[3]))
        self._pieces = [(k, min(k + depth, slices)) for k in range(0, slices, depth)]

    def run(self, tolerance: float, most_iterations: int, watch: Callable[[float], None]) -> Minimum:
        norm = 4.0 * float(sum(float(h) ** 2 for h in self._h))
        convexity = float(self._w.min())
        primal_step = 1.0
        dual_step = 1.0 / (norm * primal_step)
        gap = first_gap = 1.0
        with ThreadPoolExecutor(_THREADS) as pool:
            iteration = 0
            while iteration < most_iterations:
                iteration += 1
                sigma, tau = np.float32(dual_step), np.float32(primal_step)
                theta = 1.0 / np.sqrt(1.0 + 2.0 * convexity * primal_step)
                factor = np.float32(theta)
                list(pool.map(lambda piece: self._dual(piece, sigma), self._pieces))  # noqa: B023
                list(pool.map(lambda piece: self._primal(piece, tau, factor), self._pieces))  # noqa: B023
                primal_step *= theta
                dual_step /= theta
                if iteration % _LOOK_EVERY == 0:
                    terms = np.sum(list(pool.map(self._objectives, self._pieces)), axis=0)
                    gap = max(float((terms[0] - terms[1]) / max(terms[0], 1e-30)), 0.0)
                    first_gap = gap if iteration == _LOOK_EVERY else first_gap
                    if gap <= tolerance:
                        break
                # The gap falls like a power of the step, so its logarithm says how far the work is.
                by_gap = 0.0
                if first_gap > gap > 0 and first_gap > tolerance:
                    by_gap = float(np.log(first_gap / gap) / np.log(first_gap / tolerance))
                watch(min(0.99, max(iteration / most_iterations, by_gap)))
        return Minimum(self._u, gap, iteration)

    def _gradient(self, values: Float32, piece: tuple[int, int]) -> list[tuple[tuple[slice, ...], Float32]]:
        """The differences that are not zero, with their places in the piece."""
        first, last = piece
        every = slice(None)
        below = min(last + 1, values.shape[1])
        part = values[:, first:last]
        return [
            (
                (every, slice(0, below - 1 - first)),
                (values[:, first + 1 : below] - values[:, first : below - 1]) * self._h[0],
            ),
            ((every, every, slice(0, -1)), (part[:, :, 1:] - part[:, :, :-1]) * self._h[1]),
            ((every, every, every, slice(0, -1)), (part[..., 1:] - part[..., :-1]) * self._h[2]),
        ]

    def _divergence(self, piece: tuple[int, int]) -> Float32:
        """Minus the adjoint of the gradient, of the dual variable."""
        first, last = piece
        gz, gy, gx = self._g
        hz, hy, hx = self._h
        out = hz * gz[:, first:last]
        if first:
            out -= hz * gz[:, first - 1 : last - 1]
        else:
            out[:, 1:] -= hz * gz[:, : last - 1]
        for g, h, axis in ((gy[:, first:last], hy, 2), (gx[:, first:last], hx, 3)):
            scaled = h * g
            out += scaled
            after = [slice(None)] * 4
            before = [slice(None)] * 4
            after[axis], before[axis] = slice(1, None), slice(0, -1)
            out[tuple(after)] -= scaled[tuple(before)]
        return np.asarray(out)

    def _dual(self, piece: tuple[int, int], sigma: np.float32) -> None:
        g = self._g[:, :, piece[0] : piece[1]]
        for axis, (place, difference) in enumerate(self._gradient(self._ahead, piece)):
            difference *= sigma
            g[axis][place] += difference
        length = np.sqrt(np.einsum("dckrx,dckrx->krx", g, g))
        g *= self._lambda / np.maximum(length, self._lambda)

    def _primal(self, piece: tuple[int, int], tau: np.float32, theta: np.float32) -> None:
        here = slice(*piece)
        u, weight = self._u[:, here], tau * self._w[here]
        new = self._divergence(piece)
        new *= tau
        new += u
        new += weight * self._f[:, here]
        new /= 1 + weight
        self._ahead[:, here] = new + theta * (new - u)
        u[...] = new

    def _objectives(self, piece: tuple[int, int]) -> tuple[float, float]:
        """This piece's share of the primal and of the dual objective."""
        here = slice(*piece)
        f, w = self._f[:, here], self._w[here]
        squares = np.zeros(w.shape, np.float32)
        for place, difference in self._gradient(self._u, piece):
            squares[place[1:]] += np.einsum("ckrx,ckrx->krx", difference, difference)
        misfit = self._u[:, here] - f
        divergence = self._divergence(piece)
        fit = np.einsum("ckrx,ckrx,krx->", misfit, misfit, w, dtype=np.float64)
        primal = 0.5 * fit + float(self._lambda) * np.sqrt(squares).sum(dtype=np.float64)
        own = np.einsum("ckrx,ckrx,krx->", divergence, divergence, 1.0 / w, dtype=np.float64)
        cross = np.einsum("ckrx,ckrx->", f, divergence, dtype=np.float64)
        return float(primal), float(-(0.5 * own + cross))
