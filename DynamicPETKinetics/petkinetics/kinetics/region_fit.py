"""Compartment models fitted to a region's curve: bounded nonlinear least squares with standard errors.

The model is that of :mod:`petkinetics.kinetics.compartments`; its frame means come from exact values at
96 rates with a cubic spline between them (1e-6 of the curve), so that one fit takes milliseconds.

docs/methods.md, "Compartment models, fitted".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.basis_functions import compartment_basis
from petkinetics.kinetics.compartments import exponents
from petkinetics.kinetics.convolution import plasma_response

Float64 = NDArray[np.float64]

#: bounds of the fit: K1 in mL/min/mL, k2...k4 in 1/min, fv a fraction; the lower bound of all is 0
LARGEST = {"k1": 3.0, "k2": 5.0, "k3": 1.0, "k4": 0.5, "fv": 1.0}
_ALL = ("k1", "k2", "k3", "k4", "fv")
#: free parameters of each model
PARAMETERS = {
    "one-tissue": ("k1", "k2", "fv"),
    "two-tissue": ("k1", "k2", "k3", "fv"),
    "two-tissue-reversible": ("k1", "k2", "k3", "k4", "fv"),
}
#: k4 where the reversible fit starts, 1/min; the better end is kept
_STARTS_K4 = (0.005, 0.05)
_KNEE = 1e-3
_NODES = 96
#: a parameter this close to a bound (share of the range) counts as held there
_AT_BOUND = 1e-6


class FrameResponse:
    """Frame means of Cp (x) e^(-alpha t) and their slope in alpha, for any alpha.

    :param timing: frames of the fit.
    :param decay_per_s: lambda of the weight within a frame, 1/s; 0 for plain means.
    """

    def __init__(self, input_function: InputFunction, timing: FrameTiming, decay_per_s: float = 0.0) -> None:
        from scipy.interpolate import CubicSpline

        largest = LARGEST["k2"] + LARGEST["k3"] + LARGEST["k4"]
        self._place = np.linspace(0.0, np.log1p(largest / _KNEE), _NODES)
        alpha = _KNEE * np.expm1(self._place)
        self._spline = CubicSpline(self._place, plasma_response(input_function, timing, alpha, decay_per_s))
        self._slope = self._spline.derivative()
        #: frame means of whole blood, kBq/mL
        self.blood = input_function.whole_blood_frame_mean(timing, decay_per_s)

    def at(self, alpha: Float64) -> tuple[Float64, Float64]:
        """(response, d response / d alpha) at rates in 1/min, each shape (rates, frames)."""
        place = np.log1p(np.maximum(alpha, 0.0) / _KNEE)
        return self._spline(place), self._slope(place) / (_KNEE + np.maximum(alpha, 0.0))[:, None]


@dataclass(frozen=True, eq=False)
class CompartmentFit:
    """A compartment model in one region's curve.

    Values and standard errors (NaN where a bound holds the parameter) by name: the model's ``k1 ...
    fv``, and ``ki``, ``v0``, ``vt`` where the model has them.

    :param fitted_kbq_per_ml: frame means of the model, (frames,).
    :param residual: root of weighted sum of squares / degrees of freedom, in units of the largest
        weight's SD: kBq/mL for weights whose largest is 1.
    :param aic: Akaike's n ln(weighted sum of squares / n) + 2 p (p: free parameters): smaller is better,
        between models of the same curve and weights.
    """

    values: dict[str, tuple[float, float]]
    fitted_kbq_per_ml: Float64
    residual: float
    aic: float


class CompartmentFitter:
    """Fits one model to curves, 0 <= parameter <= :data:`LARGEST`.

    The basis functions (:mod:`petkinetics.kinetics.basis_functions`) tell where to start.

    :param timing: frames of the fit.
    :param weights: of the frames, (frames,), proportional to 1/variance.
    :param model: key of :data:`PARAMETERS`.
    :param decay_per_s: lambda of the weight within a frame; 0 for plain means.
    :param blood_to_plasma: ratio of whole blood to plasma, for V0.
    :raises InputError: fewer frames than parameters + 1.
    """

    def __init__(
        self,
        input_function: InputFunction,
        timing: FrameTiming,
        weights: Float64,
        model: str,
        decay_per_s: float = 0.0,
        blood_to_plasma: float = 1.0,
    ) -> None:
        require_frames(len(timing), model)
        self._model, self._ratio = model, blood_to_plasma
        self._response = FrameResponse(input_function, timing, decay_per_s)
        self._weights = np.asarray(weights, dtype=np.float64) / np.max(weights)
        trapping = model != "one-tissue"
        self._basis = compartment_basis(
            input_function, timing, self._weights, decay_per_s, trapping=trapping, exact=False
        )

    def fit(self, frames_kbq_per_ml: Float64) -> CompartmentFit:
        """Fit a curve.

        :param frames_kbq_per_ml: its frame means, (frames,), kBq/mL decay-corrected to injection.
        """
        from scipy.optimize import least_squares

        names = PARAMETERS[self._model]
        measured = np.asarray(frames_kbq_per_ml, dtype=np.float64)
        root = np.sqrt(self._weights)
        free = [_ALL.index(name) for name in names]
        upper = np.array([LARGEST[name] for name in names])
        seen: dict[bytes, tuple[Float64, Float64]] = {}

        def model(p: Float64) -> tuple[Float64, Float64]:
            # least_squares asks for the misfit and then for its slopes at the same place.
            key = p.tobytes()
            if key not in seen:
                seen.clear()
                everything = np.zeros(len(_ALL))
                everything[free] = p
                seen[key] = _model(self._response, everything)
            return seen[key]

        found = [
            least_squares(
                lambda p: (model(p)[0] - measured) * root,
                start[free],
                lambda p: model(p)[1][:, free] * root[:, None],
                bounds=(np.zeros(len(names)), upper),
                x_scale=np.maximum(start[free], 0.01),
                ftol=1e-9,
                xtol=1e-8,
                gtol=1e-12,
                max_nfev=200,
            )
            for start in self._starts(measured)
        ]
        best = min(found, key=lambda end: float(end.cost))
        return _summary(self._response, best.x, free, measured, root, upper, self._model, self._ratio)

    def region_fit(self, frames_kbq_per_ml: Float64) -> tuple[dict[str, tuple[float, float]], Float64]:
        """What :meth:`fit` finds, in short: quantity -> (value, SE), and the fitted frame means, (frames,), kBq/mL.

        :param frames_kbq_per_ml: as measured, (frames,).
        """
        found = self.fit(frames_kbq_per_ml)
        return found.values, found.fitted_kbq_per_ml

    def _starts(self, measured: Float64) -> list[Float64]:
        """K1...k4, fv within the bounds, from the basis functions' fit."""
        frames = measured.astype(np.float32)[:, None]
        scale = max(float(np.mean(self._weights * measured**2)) * 1e-4, 1e-30)
        fit = self._basis.fit(frames, np.array([scale], dtype=np.float32))
        trapped = float(fit.fixed[0, 0]) if self._model != "one-tissue" else 0.0
        exchanged, fv = float(fit.moving[0]), min(float(fit.fixed[-1, 0]), 0.9)
        total, theta = max(trapped + exchanged, 1e-4), float(fit.theta[0])
        share = min(max(trapped / total, 1e-3), 0.99)
        start = np.array([total / (1.0 - fv), theta * (1.0 - share), theta * share, 0.0, fv])
        starts = []
        for k4 in _STARTS_K4 if "k4" in PARAMETERS[self._model] else (0.0,):
            start[3] = k4
            inside = start.copy()
            for index, name in enumerate(_ALL):
                inside[index] = min(max(start[index], 1e-4 * LARGEST[name]), 0.95 * LARGEST[name])
            starts.append(inside)
        return starts


def require_frames(frames: int, model: str) -> None:
    """Refuse a curve with too few frames for a model.

    :raises InputError: fewer frames than parameters + 1.
    """
    least = len(PARAMETERS[model]) + 1
    if frames < least:
        raise InputError(
            f"Only {frames} frame{'s' if frames != 1 else ''} can be used, and the {model} fit needs at least {least}.",
            "Choose a later --until, or a method with fewer parameters.",
        )


def _model(response: FrameResponse, p: Float64) -> tuple[Float64, Float64]:
    """Frame means (frames,) and their slopes in K1...k4, fv (frames, 5)."""
    step = np.maximum(1e-6 * np.abs(p[:4]), 1e-9)
    moved = np.vstack([p[:4], p[:4] + np.diag(step)])
    coefficients = np.stack(exponents(*moved.T))
    alpha1, alpha2, a, b = coefficients[:, 0]
    slopes = (coefficients[:, 1:] - coefficients[:, :1]) / step
    (slow, fast), (slow_slope, fast_slope) = response.at(np.array([alpha1, alpha2]))
    tissue = a * slow + b * fast
    columns = np.stack([a * slow_slope, b * fast_slope, slow, fast], axis=1)
    jacobian = np.empty((len(tissue), 5))
    jacobian[:, :4] = (1.0 - p[4]) * (columns @ slopes)
    jacobian[:, 4] = response.blood - tissue
    return (1.0 - p[4]) * tissue + p[4] * response.blood, jacobian


def _summary(
    response: FrameResponse,
    p: Float64,
    free: list[int],
    measured: Float64,
    root: Float64,
    upper: Float64,
    model: str,
    blood_to_plasma: float,
) -> CompartmentFit:
    complete = np.zeros(len(_ALL))
    complete[free] = p
    held = (p <= _AT_BOUND * upper) | (p >= (1 - _AT_BOUND) * upper)
    moving = [index for index, bound in zip(free, held, strict=True) if not bound]
    fitted, jacobian = _model(response, complete)
    squares = float(np.sum(((fitted - measured) * root) ** 2))
    dof = len(measured) - len(free)
    covariance = np.zeros((len(_ALL), len(_ALL)))
    # Columns of equal length keep the digits of k4 beside those of K1.
    weighted = jacobian[:, moving] * root[:, None]
    length = np.maximum(np.linalg.norm(weighted, axis=0), 1e-300)
    covariance[np.ix_(moving, moving)] = (
        np.linalg.pinv((weighted / length).T @ (weighted / length), rcond=1e-12) / np.outer(length, length)
    ) * (squares / dof)
    known = {index for index in range(len(_ALL)) if index in moving or index not in free}
    values = {
        _ALL[index]: (float(complete[index]), float(np.sqrt(covariance[index, index])) if index in known else np.nan)
        for index in free
    }
    for name, (value, gradient) in _macro(complete, model, blood_to_plasma).items():
        used = set(np.flatnonzero(gradient).tolist())
        variance = float(gradient @ covariance @ gradient)
        se = max(variance, 0.0) ** 0.5 if used & set(moving) else np.nan
        values[name] = (value, se)
    count = len(measured)
    aic = count * float(np.log(max(squares, 1e-300) / count)) + 2.0 * len(free)
    return CompartmentFit(values, fitted, float(np.sqrt(squares / dof)), aic)


def _macro(p: Float64, model: str, blood_to_plasma: float) -> dict[str, tuple[float, Float64]]:
    """Ki, V0 or VT with their gradients in K1...k4, fv (Ki and V0: petkinetics.kinetics.compartments)."""
    k1, k2, k3, _, fv = p
    if model == "one-tissue":
        ratio = 1.0 / k2 if k2 > 0 else np.nan
        return {"vt": (float(k1 * ratio), np.array([ratio, -k1 * ratio**2, 0.0, 0.0, 0.0]))}
    total = k2 + k3
    if total <= 0:
        return {"ki": (0.0, np.zeros(5))} | ({"v0": (float("nan"), np.zeros(5))} if model == "two-tissue" else {})
    tissue = 1.0 - fv
    ki = tissue * k1 * k3 / total
    found = {
        "ki": (
            float(ki),
            np.array(
                [tissue * k3 / total, -tissue * k1 * k3 / total**2, tissue * k1 * k2 / total**2, 0.0, -k1 * k3 / total]
            ),
        )
    }
    if model == "two-tissue":
        exchange = k1 * k2 / total**2
        gradient = [
            tissue * k2 / total**2,
            tissue * k1 * (k3 - k2) / total**3,
            -2.0 * tissue * k1 * k2 / total**3,
            0.0,
            blood_to_plasma - exchange,
        ]
        found["v0"] = (float(tissue * exchange + fv * blood_to_plasma), np.array(gradient))
    return found
