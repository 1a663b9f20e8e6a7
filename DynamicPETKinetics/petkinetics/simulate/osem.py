"""Ordered subsets expectation maximisation (Hudson & Larkin 1994): images from counts.

    x <- x / (P' w) * P' (w * counts / (w * P x + background)),    P the rays of one subset

w holds attenuation, detector efficiency, sensitivity, time and decay of every ray, background the
expected randoms and scatter: nothing is subtracted from the data, which stay Poisson.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.projection import SUBSETS, SystemMatrix

Float32 = NDArray[np.float32]

#: passes over all views; with 24 subsets 192 updates, after which resolution hardly depends on direction any
#: more (a wide body's rays from side to side see few counts; without time of flight they converge late)
ITERATIONS = 8
#: subsets follow each other far apart: a step coprime to their number
_STRIDE = 5


def osem(
    counts: Float32, weight: Float32, background: Float32, matrix: SystemMatrix, iterations: int = ITERATIONS
) -> Float32:
    """Reconstruct images side by side.

    :param counts: no unit, (views x rays, n).
    :param weight: expected counts per unit of line integral, (views x rays, n) or (views x rays, 1).
    :param background: expected counts that are not from the ray itself, as *weight*.
    :returns: pixel values of the disc, (pixels, n), never negative.
    """
    image = np.ones((matrix.forward[0].shape[1], counts.shape[1]), dtype=np.float32)
    sensitivities = [back @ weight[rows] for rows, back in zip(matrix.rows, matrix.back, strict=True)]
    tiny = np.float32(1e-20)
    for _ in range(iterations):
        for turn in range(SUBSETS):
            subset = turn * _STRIDE % SUBSETS
            rows = matrix.rows[subset]
            ratio = matrix.forward[subset] @ image
            ratio *= weight[rows]
            ratio += background[rows]
            np.divide(counts[rows], np.maximum(ratio, tiny, out=ratio), out=ratio)
            ratio *= weight[rows]
            image *= matrix.back[subset] @ ratio
            image /= np.maximum(sensitivities[subset], tiny)
    return image
