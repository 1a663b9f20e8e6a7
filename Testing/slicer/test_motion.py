"""Frames that lie on each other pass; frames that were moved do not, whatever the tracer does meanwhile."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scene_cases import small_series

from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.load_sequence import add_sequence
from DynamicPETKineticsLib.scene.motion import FrameShift, motion_steps, sentence
from DynamicPETKineticsLib.scene.rigid_shift import shifted
from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries
from petkinetics.simulate.patient import simulate_patient

#: voxels of a clinical scan (the paper's), mm
FULL_MM = np.array([1.95, 1.95, 2.79])


@cache
def patient(anatomy: str, seed: int, dose: float) -> DynamicSeries:
    return simulate_patient(anatomy, "small", seed=seed, dose=dose).series


def measure(series: DynamicSeries) -> tuple[list[FrameShift], float]:
    """The shifts, and the median step's seconds."""
    steps, seconds = motion_steps(DynamicSequence(add_sequence(series, "FDG"))), []
    while True:
        start = time.process_time()
        try:
            next(steps)
        except StopIteration as done:
            return done.value, float(np.median(seconds)) if seconds else 0.0
        seconds.append(time.process_time() - start)


def moved(series: DynamicSeries, from_frame: int, mm: tuple[float, float, float], until: int = 99) -> DynamicSeries:
    """What is seen lies *mm* further along (x, y, z) in some frames."""
    values: Any = series.voxels.values.copy()  # type: ignore[attr-defined]
    by = -np.array(mm[::-1]) / np.array(series.geometry.spacing_mm[::-1])
    for frame in range(from_frame, min(until, len(values))):
        values[frame] = shifted(values[frame], by)
    return replace(series, voxels=ArrayVoxels(values))


@pytest.mark.parametrize(
    ("anatomy", "dose"), [("thorax", 1.0), ("thorax", 0.1), ("brain", 0.1), ("torso-ct", 1.0), ("torso-ct", 0.1)]
)
def test_a_patient_who_lies_still_raises_no_alarm(anatomy: str, dose: float) -> None:
    series = patient(anatomy, 90_001, dose)
    shifts, _ = measure(series)
    assert sentence(shifts) == ""
    # Nor with the smaller voxels of a clinical scan.
    smaller = np.array(series.geometry.spacing_mm) / FULL_MM
    scaled = [
        replace(s, voxels=tuple(s.voxels * smaller), scatter=tuple(s.scatter * smaller))  # type: ignore[arg-type]
        for s in shifts
    ]
    assert sentence(scaled) == ""


@pytest.mark.parametrize("anatomy", ["thorax", "brain", "torso-ct"])
def test_a_jump_is_found_and_measured(anatomy: str) -> None:
    series = patient(anatomy, 90_001, 1.0)
    applied = (6.0, -5.0, 7.0)
    shifts, _ = measure(moved(series, 20, applied))
    before = np.mean([s.shift_mm for s in shifts if s.frame < 20], axis=0)
    np.testing.assert_allclose(before, -np.array(applied), atol=1.2)
    said = sentence(shifts)
    assert "moved" in said and " 1" in said and "voxels" in said


def test_one_frame_out_of_place_is_found() -> None:
    shifts, _ = measure(moved(patient("thorax", 90_001, 1.0), 22, (10.0, 0.0, 0.0), until=23))
    assert [s.frame for s in shifts if abs(s.voxels[0]) > 1.0] == [22]
    assert "Frames" in sentence(shifts) and "23" in sentence(shifts)


def test_steps_are_short() -> None:
    _, seconds = measure(patient("thorax", 90_001, 1.0))
    assert seconds < 0.03


def test_a_scan_with_no_late_frames_has_nothing_to_compare() -> None:
    shifts, _ = measure(small_series(FrameTiming([0, 60, 300], [60, 240, 300])))
    assert shifts == [] and sentence(shifts) == ""
