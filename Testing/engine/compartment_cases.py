"""Tissues, blood and noise that the tests of compartment models share."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from synthetic import HALF_LIFE_S, LAMBDA, LIANG, feng, feng_nodes, starts_of

from petkinetics.curves import InputFunction
from petkinetics.estimators.estimator import Problem
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import net_influx, two_tissue_frames
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer, VolumeGeometry

Float64 = NDArray[np.float64]

#: K1, k2, k3, fv: tissues of the simulated patients, grey matter (Huang 1980), and a hot lesion
TISSUES = {
    "muscle": (0.035, 0.21, 0.0155, 0.03),
    "lung": (0.022, 0.20, 0.017, 0.14),
    "liver": (0.90, 0.95, 0.0042, 0.15),
    "spleen": (1.15, 1.55, 0.0062, 0.20),
    "kidney": (0.70, 0.70, 0.0085, 0.12),
    "marrow": (0.16, 0.35, 0.0135, 0.06),
    "bowel": (0.18, 0.48, 0.015, 0.04),
    "myocardium": (0.60, 1.20, 0.065, 0.12),
    "grey matter": (0.102, 0.130, 0.062, 0.05),
    "white matter": (0.054, 0.109, 0.045, 0.03),
    "lesion": (0.25, 0.30, 0.09, 0.10),
}
#: share of each in the body, for the noise that all voxels have in common
_BODY = {"muscle": 0.66, "lung": 0.14, "liver": 0.09, "marrow": 0.07, "bowel": 0.04}
TIMING = FrameTiming(starts_of(LIANG), LIANG)
#: whole blood over plasma
RATIO = 0.9


@lru_cache
def blood() -> InputFunction:
    """Feng's curve as plasma; whole blood a tenth lower."""
    time = feng_nodes()
    plasma = feng(time)
    return InputFunction(time, plasma, RATIO * plasma)


def true_ki(name: str) -> float:
    """(1 - fv) K1 k3 / (k2 + k3)."""
    k1, k2, k3, fv = TISSUES[name]
    return float(net_influx(k1, k2, k3, fv))


@lru_cache
def curves() -> dict[str, Float64]:
    """Noise-free frame means of every tissue, kBq/mL."""
    return {name: two_tissue_frames(blood(), TIMING, *p[:3], 0.0, p[3]) for name, p in TISSUES.items()}


def standard_deviation(curve: Float64, dose: float = 1.0) -> Float64:
    """Of a voxel's frames: dose 1 has a CoV of 12 % in the liver from 60 to 65 min (docs/methods.md)."""
    body = sum(share * curves()[name] for name, share in _BODY.items())
    liver = curves()["liver"][-1]
    spread = np.exp(LAMBDA * TIMING.mid_s) / TIMING.duration_s
    unit = (0.12 * liver) ** 2 / (spread[-1] * 0.5 * (liver + body[-1]))
    # Scatter leaves a little noise in the frame before the bolus arrives.
    return np.sqrt(unit * spread * 0.5 * np.maximum(curve + body, 0.02 * body.max()) / dose)


def noisy(name: str, voxels: int, rng: np.random.Generator, dose: float = 1.0) -> Float64:
    """Voxels of a tissue, (voxels, frames)."""
    curve = curves()[name]
    return curve + standard_deviation(curve, dose) * rng.standard_normal((voxels, curve.size))


def problem(voxels: Float64, plane: int = 64, **options: str) -> Problem:
    """A series whose voxels are the rows of *voxels*, (voxels, frames), in random order of slices; whole blood and
    plasma as :func:`blood`. The first voxels of the flattened maps are the rows."""
    count = len(voxels)
    slices = -(-count // (plane * plane))
    filled = np.zeros((slices * plane * plane, voxels.shape[1]), dtype=np.float32)
    filled[:count] = voxels
    image = np.ascontiguousarray(filled.T.reshape(-1, slices, plane, plane))
    mask = (np.arange(slices * plane * plane) < count).reshape(slices, plane, plane)
    geometry = VolumeGeometry((slices, plane, plane), (2.0, 2.0, 3.0))
    series = DynamicSeries(TIMING, geometry, Tracer("FDG", "F-18", HALF_LIFE_S), ArrayVoxels(image))
    return Problem(series, blood(), np.arange(len(TIMING)), mask, options)
