"""What the search for the aorta looks at: the blood fraction and the body at low resolution, in patient axes.

A voxel's early curve is a mixture of what blood does and what tissue does with it:
C(t) = f b(t) + k1 (b * e^(-t/min))(t) + k2 (b * 1)(t), with b the blood curve. The share f is near 1 in
vessels and heart, and small in organs however strongly they are perfused (the linear form of the
tissue models, Gunn et al. 1997, with two fixed exponentials). It weighs all frames together, where a
peak image shows what happens to be bright, kidneys and noise among it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.frames import FrameTiming
from petkinetics.series import DynamicSeries, VolumeGeometry

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: voxels are averaged to blocks of about this size: finer than a vessel, coarser than the noise
BLOCK_MM = 4.0
#: the smoothings (SD) across and along the body that are tried, since the aorta runs along it
SMOOTH_MM = ((2.2, 5.0), (3.0, 8.0), (4.0, 12.0))
#: how far (mm) from the middle of the body the aorta is looked for
REACH_MM = 100.0
#: frames until this long after the first are looked at, and the last one
_MODEL_S = 600.0
#: the bolus is looked for among the frames until this long after the first
EARLY_S = 240.0
#: where the first pass is brightest, this volume (mL) makes the first guess of the blood curve
_GUESS_ML = 25.0
#: volume (mL) of blood that a scan with the aorta shows at least, vessels and heart together
_BLOOD_ML = 50.0
#: what is washed out of tissue within a minute or so, 1/s; and what stays
_TISSUE_RATES_PER_S = (1.0 / 60.0, 0.0)


@dataclass(frozen=True, eq=False)
class PatientGrid:
    """A coarse grid along the patient's axes: z to the head, y to the back, x to the left (mm, increasing).

    The patient's axis nearest to each image axis is taken for it: scans tilted against the patient by
    less than 45 degrees need no interpolation.

    :param order: image axes (0 slice, 1 row, 2 column) that run along z, y and x.
    :param flipped: whether they run the other way.
    :param block: voxels averaged along each image axis (slice, row, column).
    :param steps_mm: spacing along z, y, x.
    """

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    block: tuple[int, int, int]
    shape: tuple[int, int, int]
    steps_mm: tuple[float, float, float]

    @classmethod
    def of(cls, geometry: VolumeGeometry) -> PatientGrid:
        """The grid for a volume."""
        from itertools import permutations

        # Columns of the direction matrix are the directions of column, row and slice index.
        along = geometry.direction[:, ::-1]
        order = max(permutations(range(3)), key=lambda axes: sum(abs(along[2 - i, a]) for i, a in enumerate(axes)))
        spacing = geometry.spacing_mm[::-1]
        block = tuple(max(1, round(BLOCK_MM / step)) if n > 1 else 1 for step, n in zip(spacing, geometry.shape))  # noqa: B905
        shape = tuple(max(1, n // b) for n, b in zip(geometry.shape, block, strict=True))
        steps = tuple(b * s for b, s in zip(block, spacing, strict=True))
        return cls(
            order=(order[0], order[1], order[2]),
            flipped=tuple(bool(along[2 - i, a] < 0) for i, a in enumerate(order)),  # type: ignore[arg-type]
            block=(block[0], block[1], block[2]),
            shape=tuple(shape[a] for a in order),  # type: ignore[arg-type]
            steps_mm=tuple(steps[a] for a in order),  # type: ignore[arg-type]
        )

    def bring(self, volume: Float32, window: tuple[slice, slice] = (slice(None), slice(None))) -> Float32:
        """A volume (slice, row, column) as block means on this grid; remainders at the end are left out.

        :param window: the part of the grid's y and x that is wanted.
        """
        whole = tuple(slice(0, n // b * b) for n, b in zip(volume.shape, self.block, strict=True))
        turned = volume[whole].transpose(self.order)
        turned = turned[tuple(slice(None, None, -1 if back else 1) for back in self.flipped)]
        blocks = [self.block[axis] for axis in self.order]
        parts = (slice(None), *window)
        turned = turned[
            tuple(
                slice(None if w.start is None else w.start * b, None if w.stop is None else w.stop * b)
                for w, b in zip(parts, blocks, strict=True)
            )
        ]
        for axis, count in enumerate(blocks):
            if count > 1:
                steps = [
                    turned[tuple(slice(first, None, count) if a == axis else slice(None) for a in range(3))]
                    for first in range(count)
                ]
                total = steps[0] + steps[1]
                for part in steps[2:]:
                    total += part
                turned = total / np.float32(count)
        return turned

    def axes_mm(self) -> tuple[Float64, Float64, Float64]:
        """Positions of the grid's planes along z, y, x, from the first."""
        z, y, x = (step * np.arange(n, dtype=np.float64) for step, n in zip(self.steps_mm, self.shape, strict=True))
        return z, y, x

    def index_axes_mm(self, shape: tuple[int, int, int]) -> tuple[Float64, Float64, Float64]:
        """Positions along z, y, x of the planes of the image itself.

        :param shape: of the image (slices, rows, columns).
        :returns: for each image axis in :attr:`order`, the positions of its planes as :meth:`axes_mm` counts.
        """
        out: list[Float64] = []
        for position, axis in enumerate(self.order):
            count = self.block[axis]
            step = self.steps_mm[position] / count
            at = np.arange(shape[axis], dtype=np.float64) * step - 0.5 * (count - 1) * step
            if self.flipped[position]:
                at = (self.shape[position] - 1) * self.steps_mm[position] - at
            out.append(at)
        return out[0], out[1], out[2]


@dataclass(frozen=True, eq=False)
class Outline:
    """The body's middle from side to side, its front and its back, in every plane (mm)."""

    middle: Float64
    front: Float64
    back: Float64


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
        """How many voxels have a volume, at least eight and at most half of all."""
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
    body = _outline(shown, grid)
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


def _outline(volume: Float32, grid: PatientGrid) -> Outline:
    """Edges of the body, from profiles in which noise averages out."""
    from scipy.ndimage import gaussian_filter1d, median_filter

    _, y, x = grid.axes_mm()
    step_z, step_y, step_x = grid.steps_mm
    slab = gaussian_filter1d(volume, 20.0 / step_z, axis=0, mode="nearest")
    across = gaussian_filter1d(slab.sum(axis=1), 10.0 / step_x, axis=1)
    size = max(1, round(60.0 / step_z)) | 1
    middle = median_filter(np.array([np.mean(_edges(profile, x)) for profile in across]), size, mode="nearest")
    edges = np.empty((2, len(slab)))
    for k, centre in enumerate(middle):
        central = np.abs(x - centre) < 45.0
        profile = gaussian_filter1d(slab[k][:, central].sum(axis=1), 10.0 / step_y)
        edges[:, k] = _edges(profile, y)
    front, back = (median_filter(edge, size, mode="nearest") for edge in edges)
    return Outline(middle, front, back)


def _edges(profile: NDArray[np.floating], at: Float64) -> tuple[float, float]:
    """Where a profile first and last exceeds a fifth of its upper level."""
    above = np.flatnonzero(profile > 0.2 * np.quantile(profile, 0.9))
    return (float(at[above[0]]), float(at[above[-1]])) if above.size else (float(at[0]), float(at[-1]))


def smoothed(volume: Float32, grid: PatientGrid, sd_mm: tuple[float, float] = SMOOTH_MM[0]) -> Float32:
    """Gaussian smoothing of a volume on the grid. :param sd_mm: across and along the body."""
    from scipy.ndimage import gaussian_filter

    across, along = sd_mm
    z, y, x = grid.steps_mm
    return gaussian_filter(volume, (along / z, across / y, across / x), mode="nearest", truncate=3.0)


def first_blood_curve(images: EarlyImages) -> Float64:
    """A first guess of the blood curve: where the first pass is brightest above what stays.

    :returns: kBq/mL, shape (frames,).
    """
    early = images.early
    bright = _running_maximum(images.values[early], images.timing.duration_s[early])
    after = images.timing.start_s >= images.timing.start_s[0] + EARLY_S
    stays = images.values[after].mean(axis=0) if after.any() else images.values[-1]
    passing = smoothed(bright - stays, images.grid)
    return images.mean_curve(_highest(passing, images.voxels_of(_GUESS_ML)))


def _highest(volume: Float32, count: int) -> NDArray[np.bool_]:
    """The *count* highest voxels."""
    out = np.zeros(volume.size, dtype=bool)
    out[np.argpartition(volume.ravel(), -count)[-count:]] = True
    return out.reshape(volume.shape)


def _running_maximum(values: Float32, duration_s: Float64) -> Float32:
    """The brightest mean of some 20 s of consecutive frames."""
    best: Float32 | None = None
    for first in range(len(values)):
        last = first + 1
        while last < len(values) and duration_s[first:last].sum() < 20.0:
            last += 1
        weights = duration_s[first:last] / duration_s[first:last].sum()
        mean = np.tensordot(weights.astype(np.float32), values[first:last], axes=1)
        best = mean if best is None else np.maximum(best, mean)
    assert best is not None
    return best


def blood_fraction(images: EarlyImages, blood: Float64, sd_mm: tuple[float, float]) -> Float32:
    """The share of every voxel that follows the blood curve, smoothed.

    :param blood: kBq/mL, shape (frames,).
    :param sd_mm: of the smoothing, across and along the body.
    :returns: (z, y, x), near 1 in blood that follows this curve.
    """
    design = np.column_stack([blood, *(_washed_in(images.timing, blood, rate) for rate in _TISSUE_RATES_PER_S)])
    root = np.sqrt(images.weights)
    solution = np.linalg.pinv(design * root[:, None])[0] * root
    return smoothed(np.tensordot(solution.astype(np.float32), images.values, axes=1), images.grid, sd_mm)


def refined_blood_curve(images: EarlyImages, fraction: Float32) -> Float64:
    """The blood curve of the voxels that hold most blood, kBq/mL, shape (frames,)."""
    return images.mean_curve(_highest(fraction, images.voxels_of(_BLOOD_ML)))


def _washed_in(timing: FrameTiming, blood: Float64, rate_per_s: float) -> Float64:
    """The blood curve folded with e^(-rate t), at the frames' middles, scaled to the blood's size."""
    out = np.zeros(blood.size)
    level, before = 0.0, float(timing.start_s[0])
    for i, (start, length) in enumerate(zip(timing.start_s, timing.duration_s, strict=True)):
        gap = max(float(start) - before, 0.0)
        if gap > 0 and i:
            level = level * np.exp(-rate_per_s * gap) + _gain(rate_per_s, gap) * 0.5 * (blood[i - 1] + blood[i])
        half = 0.5 * float(length)
        out[i] = level * np.exp(-rate_per_s * half) + _gain(rate_per_s, half) * blood[i]
        level = level * np.exp(-rate_per_s * length) + _gain(rate_per_s, float(length)) * blood[i]
        before = float(start + length)
    top = float(np.abs(out).max())
    return out * (float(np.abs(blood).max()) / top) if top > 0 else out


def _gain(rate_per_s: float, seconds: float) -> float:
    """Integral of e^(-rate t) over some seconds."""
    return seconds if rate_per_s == 0 else float(-np.expm1(-rate_per_s * seconds) / rate_per_s)
