"""Small dynamic series with known values, for tests of reading."""

from __future__ import annotations

import numpy as np

from petkinetics.frames import FrameTiming
from petkinetics.series import ArrayVoxels, DynamicSeries, Tracer, VolumeGeometry

FDG = Tracer("Fluorodeoxyglucose F18", "F-18", 6586.2)


def small_series(
    timing: FrameTiming | str = "4x10,3x60,2x300",
    shape: tuple[int, int, int] = (4, 8, 10),
    direction: np.ndarray | None = None,
    tracer: Tracer = FDG,
    seed: int = 0,
) -> DynamicSeries:
    """A series of random activity (some of it negative) whose frames differ."""
    timing = FrameTiming.parse(timing) if isinstance(timing, str) else timing
    rng = np.random.default_rng(seed)
    values = rng.normal(8.0, 4.0, (len(timing), *shape)) * np.linspace(0.5, 2.0, len(timing))[:, None, None, None]
    return DynamicSeries(
        timing=timing,
        geometry=VolumeGeometry(shape, (2.0, 2.5, 3.27), (-31.0, 17.5, -120.25), direction),
        tracer=tracer,
        voxels=ArrayVoxels(values.astype(np.float32)),
        injected_activity_mbq=370.0,
        weight_kg=70.0,
        decay_weighted=True,
    )


def read_all(series: DynamicSeries) -> np.ndarray:
    return series.read(range(len(series.timing)))


def assert_same_voxels(found: DynamicSeries, true: DynamicSeries) -> None:
    """Equal but for the rounding to 16 bits with a slope for each image."""
    a, b = read_all(found), read_all(true)
    assert a.dtype == np.float32 and a.shape == b.shape
    step = np.abs(b).max(axis=(2, 3), keepdims=True) / 32767
    assert np.all(np.abs(a - b) <= 0.51 * step + 2e-6 * np.abs(b))
