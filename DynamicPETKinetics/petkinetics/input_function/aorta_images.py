"""The early frames at low resolution along the patient's axes: what the search for the aorta looks at.

docs/methods.md, "Input function".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.frames import FrameTiming
from petkinetics.input_function.body_outline import Outline, body_outline
from petkinetics.input_function.patient_grid import PatientGrid
from petkinetics.series import DynamicSeries

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: the smoothings (SD) across and along the body that are tried, since the aorta runs along it
SMOOTH_MM = ((2.2, 5.0), (3.0, 8.0), (4.0, 12.0))
#: how far (mm) from the middle of the body the aorta is looked for
REACH_MM = 100.0
#: frames until this long after the first are looked at, and the last one
_MODEL_S = 600.0
#: the bolus is looked for among the frames until this long after the first
EARLY_S = 240.0


@dataclass(frozen=True, eq=False)
class EarlyImages:
    """The early frames at low resolution, around the middle of the body.

    :param grid: of the whole volume.
    :param axes_mm: positions of the planes of *values* along z, y, x, as the grid counts.
    :param values: (frames, z, y, x) kBq/mL.
    :param timing: of these frames.
    :param weights: of the frames, by their expected noise, shape (frames,).
    """

    grid: PatientGrid
    axes_mm: tuple[Float64, Float64, Float64]
    values: Float32
    timing: FrameTiming
    outline: Outline
    weights: Float64

    @property
    def early(self) -> NDArray[np.intp]:
        """Frames in which the bolus is looked for."""
        return np.flatnonzero(self.timing.start_s < self.timing.start_s[0] + EARLY_S)

    def mean_curve(self, where: NDArray[np.bool_]) -> Float64:
        """Mean in every frame, (frames,), kBq/mL, of the voxels that *where* marks on the images' grid."""
        return np.asarray(self.values[:, where].mean(axis=1, dtype=np.float64))

    def voxels_of(self, volume_ml: float) -> int:
        """How many voxels make *volume_ml*, at least eight and at most half of all."""
        count = int(volume_ml * 1000.0 / np.prod(self.grid.steps_mm))
        return min(max(8, count), max(1, self.values[0].size // 2))


def early_images(
    series: DynamicSeries, frames: Sequence[int], progress: Callable[[float], None] | None = None
) -> EarlyImages:
    """Read the frames of the first ten minutes, and the last one.

    :param frames: indices of the frames that may be used.
    :param progress: called with the share done; may raise Cancelled.
    """
    timing = series.timing.select(list(frames))
    wanted = np.union1d(np.flatnonzero(timing.start_s < timing.start_s[0] + _MODEL_S), [len(timing) - 1])
    grid = PatientGrid.of(series.geometry)
    buffer = np.empty((1, *series.geometry.shape), dtype=np.float32)

    def read(which: int) -> Float32:
        return series.voxels.read([frames[which]], 0, series.geometry.shape[0], out=buffer)[0]

    # The last frames have the most counts: they show where the body is.
    last = np.nan_to_num(grid.bring(read(int(wanted[-1]))), nan=0.0, posinf=0.0, neginf=0.0)
    shown = last
    for i in range(max(len(timing) - 3, 0), len(timing) - 1):
        shown = shown + np.nan_to_num(grid.bring(read(i)), nan=0.0, posinf=0.0, neginf=0.0)
    z, y, x = grid.axes_mm()
    body = body_outline(shown, grid)
    middle = float(np.median(body.middle))
    columns = _span(x, middle - REACH_MM, middle + REACH_MM)
    rows = _span(y, float(np.min(body.front)), float(np.max(body.back)))
    values = np.empty((wanted.size, *last[:, rows, columns].shape), dtype=np.float32)
    for i, index in enumerate(wanted[:-1]):
        if progress is not None:
            progress(i / wanted.size)
        values[i] = grid.bring(read(int(index)), (rows, columns))
    values[-1] = last[:, rows, columns]
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    chosen = timing.select(wanted)
    curve = values.reshape(wanted.size, -1).mean(axis=1, dtype=np.float64)
    curve = np.maximum(curve, max(0.1 * float(np.median(curve)), 1e-9))
    weights = chosen.duration_s * np.exp(-series.tracer.decay_per_s * chosen.mid_s) / curve
    return EarlyImages(grid, (z, y[rows], x[columns]), values, chosen, body, weights / weights.max())


def _span(at: Float64, low: float, high: float) -> slice:
    """The part of an axis between two positions, at least one plane."""
    first = int(np.clip(np.searchsorted(at, low), 0, at.size - 1))
    return slice(first, max(int(np.searchsorted(at, high, side="right")), first + 1))


def smoothed(volume: Float32, grid: PatientGrid, sd_mm: tuple[float, float] = SMOOTH_MM[0]) -> Float32:
    """Gaussian smoothing of a volume on the grid.

    :param volume: any unit, (slices, rows, columns), as the answer.
    :param sd_mm: across and along the body.
    """
    from scipy.ndimage import gaussian_filter

    across, along = sd_mm
    z, y, x = grid.steps_mm
    return gaussian_filter(volume, (along / z, across / y, across / x), mode="nearest", truncate=3.0)
