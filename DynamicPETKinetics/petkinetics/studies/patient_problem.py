"""A simulated patient as a problem for a method: its slices, the curve of its aorta region, frames and body."""

from __future__ import annotations

import numpy as np

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.body import body_mask
from petkinetics.estimators.estimator import Problem
from petkinetics.input_function.idif import image_derived_input
from petkinetics.input_function.plasma import with_plasma
from petkinetics.read.regions import RegionWeights
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.patient import DigitalPatient, grid


def middle_slices(size: str, slices: int | None, shift: int = 0, anatomy: str = "thorax") -> VolumeGeometry:
    """The grid of a size and an anatomy, cut to some slices around its middle (or *shift* slices above it)."""
    whole = grid(size, anatomy)
    if slices is None or slices >= whole.shape[0]:
        return whole
    first = int(np.clip((whole.shape[0] - slices) // 2 + shift, 0, whole.shape[0] - slices))
    x, y, z = whole.origin_mm
    return VolumeGeometry(
        (max(slices, 1), *whole.shape[1:]), whole.spacing_mm, (x, y, z + first * whole.spacing_mm[2]), whole.direction
    )


def aorta_input(patient: DigitalPatient, until_min: float | None) -> InputFunction:
    """The curve of the aorta region of the noisy images, brought to plasma by the patient's true ratio.

    The ratio is known in a study as a measured haematocrit is in a clinic; without it every method's
    Ki would be off by that one factor.

    :param until_min: end of the scan; None for all of it.
    :raises InputError: there is no aorta in view.
    """
    index = np.flatnonzero(patient.aorta)
    if index.size == 0:
        raise InputError("No aorta lies in the slices chosen.", "Choose more slices.")
    series = patient.series
    region = RegionWeights("aorta", 1, series.geometry, index, np.ones(index.size, np.float32))
    measured = image_derived_input(series, region, series.timing.until(until_min).tolist()).function
    ratio = float(patient.settings["plasma_to_whole_blood"])  # type: ignore[arg-type]
    return with_plasma(measured, ratio, f"true ratio {ratio:.3f}")


def problem_of(patient: DigitalPatient, curve: InputFunction, t_star_min: float, until_min: float | None) -> Problem:
    """The estimate to make: frames from *t_star_min* (0: all) to *until_min*, the body as the engine finds it."""
    frames = patient.series.timing.window(t_star_min, until_min)
    return Problem(patient.series, curve, frames, body_mask(patient.series, frames.tolist()))
