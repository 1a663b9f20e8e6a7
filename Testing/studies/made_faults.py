"""Faults that a scan may have, made of a simulated patient: for the studies of what the checks see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels
from petkinetics.simulate.patient import DigitalPatient
from petkinetics.studies.patient_problem import aorta_input


def moved(patient: DigitalPatient, mm: float = 12.0) -> DigitalPatient:
    """The patient lies so many mm further to the side from 15 min on."""
    values = patient.series.voxels.read(range(len(patient.series.timing)), 0, patient.labels.shape[0]).copy()
    late = patient.series.timing.start_s >= 900.0
    step = round(mm / patient.series.geometry.spacing_mm[0])
    values[late] = np.roll(values[late], step, axis=3)
    return replace(patient, series=replace(patient.series, voxels=ArrayVoxels(values)))


def scaled(patient: DigitalPatient) -> DigitalPatient:
    """The frames of the first 9 min are a quarter too high, as after a fault of dead time or decay correction."""
    values = patient.series.voxels.read(range(len(patient.series.timing)), 0, patient.labels.shape[0]).copy()
    values[patient.series.timing.start_s < 540.0] *= 1.25
    return replace(patient, series=replace(patient.series, voxels=ArrayVoxels(values)))


def late_injection(patient: DigitalPatient) -> DigitalPatient:
    """The header's injection time is 90 s too early."""
    timing = patient.series.timing
    later = FrameTiming(timing.start_s + 90.0, timing.duration_s)
    return replace(patient, series=replace(patient.series, timing=later))


CHANGED: dict[str, Callable[[DigitalPatient], DigitalPatient]] = {
    "scaled frames": scaled,
    "late injection": late_injection,
}


def curve_of(patient: DigitalPatient, world: str, until: float) -> InputFunction:
    """The aorta's curve; of a region half in the mediastinum where the world says so."""
    curve = aorta_input(patient, until)
    if world != "roi in tissue":
        return curve
    label = next(k for k, name in patient.label_names.items() if name == "muscle")
    inside = patient.labels == label
    frames = patient.series.timing.until(until)
    values = patient.series.voxels.read(frames.tolist(), 0, patient.labels.shape[0])
    tissue = np.interp(curve.time_s, patient.series.timing.mid_s[frames], values[:, inside].mean(axis=1))
    half = 0.5 * curve.whole_blood_kbq_per_ml + 0.5 * tissue
    ratio = curve.plasma_kbq_per_ml[-1] / curve.whole_blood_kbq_per_ml[-1]
    return replace(curve, whole_blood_kbq_per_ml=half, plasma_kbq_per_ml=ratio * half)
