"""Patlak with weights of each voxel's own: T e^(-lambda mid) / model."""

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
        self._design = fit.design.astype(np.float32)
        self._first = fit.solution.astype(np.float32)
        # Normalised, so that weights stay near 1 in float32.
        self._unit = (variance_of_unit / variance_of_unit.mean()).astype(np.float32)[:, None]
        self._floor = np.float32(_LEAST) * sample.mean(axis=1, dtype=np.float64).astype(np.float32)[:, None]
        self._dof = fit.degrees_of_freedom
        self._scale = 1.0
        chi2 = self._solve(sample)[4] ** 2
        median_of_mean_chi2 = (1.0 - 2.0 / (9.0 * self._dof)) ** 3
        self._scale = max(float(np.median(chi2)) / median_of_mean_chi2, 1e-30)

    def __call__(self, values: Float32) -> tuple[Float32, ...]:
        return self._solve(values)

    def _solve(self, values: Float32) -> tuple[Float32, ...]:
        x, c = self._design[:, :1], self._design[:, 1:]
        model = self._design @ (self._first @ values)
        weight = 1.0 / (np.maximum(model, np.maximum(self._floor, 1e-12)) * self._unit)
        xx, xc, cc = (np.sum(weight * p, axis=0) for p in (x * x, x * c, c * c))
        xy, cy = np.sum(weight * x * values, axis=0), np.sum(weight * c * values, axis=0)
        determinant = xx * cc - xc * xc
        ki = (cc * xy - xc * cy) / determinant
        v0 = (xx * cy - xc * xy) / determinant
        misfit = values - x * ki - c * v0
        residual = np.sqrt(np.sum(weight * misfit * misfit, axis=0) / np.float32(self._dof * self._scale))
        ki_sd = np.sqrt(np.float32(self._scale) * cc / determinant)
        v0_sd = np.sqrt(np.float32(self._scale) * xx / determinant)
        return ki, v0, ki_sd, v0_sd, residual
