"""The estimator's fit to the mean curve of each region: standard errors and Patlak plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.evaluate.figure_curves import PatlakCurve
from petkinetics.frames import TOLERANCE_S
from petkinetics.kinetics.patlak import patlak_design

#: quantity -> (value, standard error)
Fit = Mapping[str, tuple[float, float]]
#: a region's frame means in the frames used -> its fit, and the fitted frame means
RegionFit = Callable[[NDArray[np.float64]], tuple[Fit, NDArray[np.float64]]]


def region_fits(curves: Sequence[TimeActivityCurve], frames: NDArray[np.intp], region_fit: RegionFit) -> dict[str, Fit]:
    """Fit every region's mean curve, by the region's name.

    :param curves: over all frames.
    :param frames: indices of the frames used.
    :param region_fit: of the estimate (:class:`petkinetics.estimators.estimator.Estimate`).
    """
    return {curve.name: region_fit(curve.mean_kbq_per_ml[frames])[0] for curve in curves}


def standard_errors(fits: Mapping[str, Fit]) -> dict[tuple[str, str], float]:
    """(region, map name) -> standard error, as ``region_rows`` takes it."""
    return {(name, quantity): error for name, fit in fits.items() for quantity, (_, error) in fit.items()}


def patlak_curves(
    curves: Sequence[TimeActivityCurve],
    fits: Mapping[str, Fit],
    input_function: InputFunction,
    frames: NDArray[np.intp],
) -> list[PatlakCurve]:
    """What the Patlak plot shows of each region: the ratio in every frame up to the last one used.

    Frames that the input function does not cover are left out, and so are later ones: nothing after
    the end of the window is looked at.
    """
    timing = curves[0].timing
    known = np.flatnonzero(timing.end_s <= min(input_function.end_s, float(timing.end_s[frames[-1]])) + TOLERANCE_S)
    integral, plasma = patlak_design(input_function, timing.select(known), curves[0].decay_per_s).T
    # before the bolus arrives there is no plasma to divide by
    present = plasma > 0.01 * plasma.max()
    known, integral, plasma = known[present], integral[present], plasma[present]
    return [
        PatlakCurve(
            name=curve.name,
            x=integral / plasma,
            y=curve.mean_kbq_per_ml[known] / plasma,
            used=np.isin(known, frames),
            ki=fits[curve.name]["ki"][0],
            v0=fits[curve.name]["v0"][0],
            ki_se=fits[curve.name]["ki"][1],
        )
        for curve in curves
    ]
