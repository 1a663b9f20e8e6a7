"""Patlak with weights of each voxel's own: T e^(-lambda mid) / model.

docs/methods.md, "Noise model, SD maps and residual".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petkinetics.kinetics.patlak import LinearFit
from petkinetics.series import Float32

Float64 = NDArray[np.float64]

#: the model of a voxel is not taken to be lower than this share of the body's mean
_LEAST = 0.1


class VoxelWeightedFit:
    """Refit each voxel with the variance that its first fit predicts.

    :param fit: the first fit, one weight a frame.
    :param variance_of_unit: 1 / (T e^(-lambda mid)) a frame: variance of a unit of activity.
    :param sample: (frames, voxels) of the body, for the variance scale.
    """

    def __init__(self, fit: LinearFit, variance_of_unit: Float64, sample: Float32) -> None:
        # In a basis that is orthonormal under the first fit's weights the normal equations stay
        # nearly diagonal, so float32 does; on the two regressors themselves it would lose digits.
        turn = np.linalg.cholesky(fit.covariance)
        self._turn = turn.astype(np.float32)
        self._basis = (fit.design @ turn).astype(np.float32)
        self._first = (fit.design @ fit.solution).astype(np.float32)
        # Normalised, so that weights stay near 1 in float32.
        self._unit = (variance_of_unit / variance_of_unit.mean()).astype(np.float32)[:, None]
        self._floor = np.float32(_LEAST) * sample.mean(axis=1, dtype=np.float64).astype(np.float32)[:, None]
        self._dof = fit.degrees_of_freedom
        self._scale = 1.0
        chi2 = self._solve(sample)[4] ** 2
        median_of_mean_chi2 = (1.0 - 2.0 / (9.0 * self._dof)) ** 3
        self._scale = max(float(np.median(chi2)) / median_of_mean_chi2, 1e-30)

    def __call__(self, values: Float32) -> tuple[Float32, ...]:
        """Ki, V0, their SDs and the residual, (voxels,) each, of activity *values*, kBq/mL, (frames, voxels)."""
        return self._solve(values)

    def _solve(self, values: Float32) -> tuple[Float32, ...]:
        p, q = self._basis[:, :1], self._basis[:, 1:]
        weight = 1.0 / (np.maximum(self._first @ values, np.maximum(self._floor, 1e-12)) * self._unit)
        pp, pq, qq = (np.sum(weight * product, axis=0) for product in (p * p, p * q, q * q))
        py, qy = np.sum(weight * p * values, axis=0), np.sum(weight * q * values, axis=0)
        determinant = pp * qq - pq * pq
        first, second = (qq * py - pq * qy) / determinant, (pp * qy - pq * py) / determinant
        misfit = values - p * first - q * second
        residual = np.sqrt(np.sum(weight * misfit * misfit, axis=0) / np.float32(self._dof * self._scale))
        (t00, _), (t10, t11) = self._turn
        ki, v0 = t00 * first, t10 * first + t11 * second
        scale = np.float32(self._scale) / determinant
        ki_sd = np.sqrt(scale * t00**2 * qq)
        v0_sd = np.sqrt(scale * (t10**2 * qq - 2.0 * t10 * t11 * pq + t11**2 * pp))
        return ki, v0, ki_sd, v0_sd, residual
