"""Random input functions: Feng curves with the variation of measured human plasma."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError

Float64 = NDArray[np.float64]

#: log of (A1, A2, A3, lambda1, lambda2, lambda3), kBq/mL and 1/min, of Feng curves fitted to 19 human
#: arterial FDG plasma curves: mean, standard deviation and correlation.
#: Origin: OpenNeuro ds004513 (CC0), 21 curves; two whose first pass was not sampled are left out.
_LOG_MEAN = np.array([5.696, 2.797, 2.233, 1.276, -0.815, -4.192])
_LOG_SD = np.array([0.672, 0.387, 0.194, 0.387, 0.398, 0.363])
_CORRELATION = np.array(
    [
        [1.00, 0.26, 0.22, 0.94, 0.87, -0.01],
        [0.26, 1.00, 0.53, 0.20, 0.53, 0.18],
        [0.22, 0.53, 1.00, 0.03, 0.13, -0.13],
        [0.94, 0.20, 0.03, 1.00, 0.92, 0.09],
        [0.87, 0.53, 0.13, 0.92, 1.00, 0.16],
        [-0.01, 0.18, -0.13, 0.09, 0.16, 1.00],
    ]
)
#: injected activity per body weight of that data set (196 MBq, the one its files state; mean 72 kg)
_COHORT_MBQ_PER_KG = 196.0 / 72.0
#: no curve further than this from the mean, in standard deviations of a principal axis. The measured
#: curves are not scaled by activity per weight, so part of their spread is already in dose and weight.
_LIMIT_SD = 1.3


@dataclass(frozen=True)
class BloodParameters:
    """What one random input function was made of.

    :param feng: (A1, A2, A3) in kBq/mL and (lambda1, lambda2, lambda3) in 1/min.
    :param delay_s: arrival of the bolus in the aorta after the start of injection.
    :param injection_s: duration of the injection.
    :param plasma_ratio: plasma over whole blood.
    """

    feng: tuple[float, float, float, float, float, float]
    delay_s: float
    injection_s: float
    plasma_ratio: float


@dataclass(frozen=True)
class BloodChange:
    """Another input function for the same person.

    :param injection_s: duration of the injection; None keeps the drawn one.
    :param clearance: factor of the slowest exponential's rate; below 1 is poor renal clearance.
    :raises InputError: either is not above zero.
    """

    injection_s: float | None = None
    clearance: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("duration of the injection", self.injection_s), ("clearance", self.clearance)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError(f"The {name} is {value:g}; it must be above zero.")

    def of(self, blood: BloodParameters) -> BloodParameters:
        """The parameters with this change."""
        a1, a2, a3, first, second, slowest = blood.feng
        injection = blood.injection_s if self.injection_s is None else self.injection_s
        return replace(blood, feng=(a1, a2, a3, first, second, slowest * self.clearance), injection_s=injection)


def random_blood(rng: np.random.Generator, dose_mbq: float, weight_kg: float) -> BloodParameters:
    """Draw an input function for an injected activity and a body weight.

    The three exponentials come from the joint (log-normal) variation of the measured curves, scaled
    by activity per weight. The bolus arrives after 8-30 s and was given over 5-30 s. Plasma over
    whole blood is 1.12 +- 0.03 at all times (FDG enters red cells quickly, but cells hold less water).

    :param dose_mbq: injected; *weight_kg*: of the body.
    """
    values, axes = np.linalg.eigh(_CORRELATION)
    draw = np.clip(rng.standard_normal(len(values)), -_LIMIT_SD, _LIMIT_SD) * np.sqrt(np.maximum(values, 0.0))
    a1, a2, a3, l1, l2, l3 = np.exp(_LOG_MEAN + _LOG_SD * (axes @ draw))
    scale = dose_mbq / weight_kg / _COHORT_MBQ_PER_KG
    return BloodParameters(
        feng=(float(a1 * scale), float(a2 * scale), float(a3 * scale), float(l1), float(l2), float(l3)),
        delay_s=float(rng.uniform(8.0, 30.0)),
        injection_s=float(rng.uniform(5.0, 30.0)),
        plasma_ratio=float(np.clip(rng.normal(1.12, 0.03), 1.04, 1.2)),
    )


def feng(parameters: tuple[float, ...], minutes: Float64) -> Float64:
    """Feng et al. 1993, model 2: C(t) = (A1 t - A2 - A3) e^(-l1 t) + A2 e^(-l2 t) + A3 e^(-l3 t).

    :param parameters: (A1, A2, A3, lambda1, lambda2, lambda3), kBq/mL and 1/min.
    :param minutes: after the arrival of the bolus, any shape; C is 0 at and before 0.
    :returns: plasma activity in kBq/mL, of the shape of *minutes*.
    """
    a1, a2, a3, l1, l2, l3 = parameters
    t = np.maximum(minutes, 0.0)
    return (a1 * t - a2 - a3) * np.exp(-l1 * t) + a2 * np.exp(-l2 * t) + a3 * np.exp(-l3 * t)


def _feng_integral(parameters: tuple[float, ...], minutes: Float64) -> Float64:
    """Integral of :func:`feng` from 0, kBq/mL*min."""
    a1, a2, a3, l1, l2, l3 = parameters
    t = np.maximum(minutes, 0.0)
    first = a1 * (-np.expm1(-l1 * t) / l1**2 - t * np.exp(-l1 * t) / l1) + (a2 + a3) * np.expm1(-l1 * t) / l1
    return first - a2 * np.expm1(-l2 * t) / l2 - a3 * np.expm1(-l3 * t) / l3


def input_function(parameters: BloodParameters, end_s: float) -> InputFunction:
    """The input function on nodes dense enough to be taken as the truth (piecewise linear).

    The injection of duration d replaces the Feng curve by its mean over the d seconds before.

    :param end_s: the curve reaches at least this time, seconds from injection.
    :returns: plasma and whole blood in kBq/mL, decay-corrected to injection.
    """
    end = max(end_s, 300.0) + 60.0
    time_s = np.concatenate(
        [np.arange(0.0, 180.0, 1.0), np.arange(180.0, min(900.0, end), 5.0), np.arange(900.0, end + 30.0, 30.0)]
    )
    time_s = np.unique(time_s)
    after = (time_s - parameters.delay_s) / 60.0
    width = parameters.injection_s / 60.0
    plasma = (_feng_integral(parameters.feng, after) - _feng_integral(parameters.feng, after - width)) / width
    plasma = np.maximum(plasma, 0.0)
    return InputFunction(time_s, plasma, plasma / parameters.plasma_ratio, kind="plasma")
