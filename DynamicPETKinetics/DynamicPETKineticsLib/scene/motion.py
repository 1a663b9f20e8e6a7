"""Whether the frames of a series lie on each other: a warning before an estimate, not a correction."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DynamicPETKineticsLib.scene.dynamic_sequence import DynamicSequence
from DynamicPETKineticsLib.scene.rigid_shift import outline, shift_steps
from DynamicPETKineticsLib.translation import _
from petkinetics.series import DynamicSeries, VolumeGeometry

#: before that, blood and tissue change too much from frame to frame to be compared
FROM_S = 240.0
#: frames are averaged to blocks of about this size: a shift of a tenth of a block can still be told
BLOCK_MM = 8.0
_MOST_BLOCKS = 60_000
#: outlines seem to creep by up to so much over a scan as the tracer redistributes (simulated patients: 5 mm)
DRIFT_MM = 6.0
#: an apparent shift counts when it is so many times what noise alone makes
_SURE = 5.0
#: the creeping at a frame is the median over so many frames before and after it
_NEIGHBOURS = 3
#: voxels read a step: a few milliseconds
_VOXELS_A_STEP = 1 << 19


@dataclass(frozen=True)
class FrameShift:
    """Where a frame lies relative to the last one.

    :param frame: its index.
    :param shift_mm: of what is seen, along x, y and z of the patient (LPS).
    :param voxels: the same along (column, row, slice), in voxels.
    :param scatter: of the shift from one frame to the next by noise (SD), in voxels.
    """

    frame: int
    shift_mm: tuple[float, float, float]
    voxels: tuple[float, float, float]
    scatter: tuple[float, float, float] = (0.0, 0.0, 0.0)


def motion_steps(sequence: DynamicSequence) -> Generator[float, None, list[FrameShift]]:
    """Measure the shift of every frame from four minutes on, some slices a step.

    Neighbours are compared, between which the tracer changes least, and their shifts added up.

    :returns: one a frame compared (of the generator); empty where there are fewer than two.
    :raises InputError: the series lacks something.
    """
    series = sequence.series()
    frames = [int(f) for f in np.flatnonzero(series.timing.start_s >= FROM_S)]
    if len(frames) < 2:
        return []
    block = _block(series.geometry)
    steps: list[NDArray[np.float64]] = []
    previous: NDArray[np.float32] | None = None
    # From the last frame backwards: shifts are relative to it.
    for done, frame in enumerate(reversed(frames)):
        coarse: list[NDArray[np.float32]] = []
        for slab in _coarse_slabs(series, frame, block):
            coarse.append(slab)
            yield (done + 0.5 * len(coarse) / (series.geometry.shape[0] / block[0] + 1)) / len(frames)
        image = outline(np.concatenate(coarse))
        yield (done + 0.6) / len(frames)
        if previous is not None:
            measuring = shift_steps(previous, image)
            while True:
                try:
                    next(measuring)
                except StopIteration as found:
                    steps.append(found.value * block)
                    break
                yield (done + 0.75) / len(frames)
        previous = image
        yield (done + 1) / len(frames)
    jumps = _without_drift(np.array(steps), np.array(series.geometry.spacing_mm[::-1]))
    relative = np.concatenate([np.zeros((1, 3)), np.cumsum(jumps, axis=0)])
    scatter = 1.4826 * np.median(np.abs(jumps - np.median(jumps, axis=0)), axis=0)
    return [_in_units(f, s, scatter, series.geometry) for f, s in zip(frames, relative[::-1], strict=True)]


def sentence(shifts: Sequence[FrameShift]) -> str:
    """A warning where two frames lie more than a voxel apart along some axis; "" where none do."""
    if len(shifts) < 2:
        return ""
    voxels = np.array([s.voxels for s in shifts])
    mm = np.array([s.shift_mm for s in shifts])
    apart = np.abs(voxels[:, None] - voxels[None])
    # Noise adds up from frame to frame like a random walk.
    between = np.sqrt(np.abs(np.subtract.outer(np.arange(len(shifts)), np.arange(len(shifts)))))
    by_chance = _SURE * np.array(shifts[0].scatter) * between[:, :, None]
    apart = np.where((apart > 1.0) & (apart > by_chance), apart, 0.0).max(axis=2)
    if not apart.any():
        return ""
    first, second = sorted(int(i) for i in np.unravel_index(int(apart.argmax()), apart.shape))
    return _(
        "Frames {first} and {second} lie {mm:.0f} mm ({voxels:.1f} voxels) apart: the patient seems to have moved. "
        "Maps are blurred or wrong at the borders of organs."
    ).format(
        first=shifts[first].frame + 1,
        second=shifts[second].frame + 1,
        mm=float(np.linalg.norm(mm[first] - mm[second])),
        voxels=float(apart[first, second]),
    )


def _without_drift(steps: NDArray[np.float64], spacing_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shifts between neighbours without the slow drift that is no motion.

    As the tracer leaves the liver and gathers elsewhere, outlines seem to creep, a little from every frame
    to the next. A motion is a jump, or a creeping too long to be explained so.

    :param steps: (frames - 1, 3), from the last frame backwards, in voxels.
    :returns: the same, without the drift.
    """
    slow = np.array(
        [np.median(steps[max(0, i - _NEIGHBOURS) : i + _NEIGHBOURS + 1], axis=0) for i in range(len(steps))]
    )
    explained = np.abs(slow.sum(axis=0)) * spacing_mm <= DRIFT_MM
    return np.asarray(steps - slow * explained)


def _block(geometry: VolumeGeometry) -> NDArray[np.intp]:
    """Voxels of a block along (slice, row, column)."""
    spacing = np.array(geometry.spacing_mm[::-1])
    length_mm = spacing * np.array(geometry.shape)
    # A long scan in coarser blocks, so that a step stays short.
    size_mm = max(BLOCK_MM, float(np.prod(length_mm) / _MOST_BLOCKS) ** (1 / 3))
    return np.maximum(1, np.minimum(np.round(size_mm / spacing), np.array(geometry.shape))).astype(np.intp)


def _coarse_slabs(
    series: DynamicSeries, frame: int, block: NDArray[np.intp]
) -> Generator[NDArray[np.float32], None, None]:
    """Block means of a frame, some slices a time; what does not fill a block at the far ends is left out."""
    slices, rows, columns = series.geometry.shape
    k, r, c = (int(b) for b in block)
    depth = k * max(1, _VOXELS_A_STEP // (rows * columns * k))
    full = slices // k * k
    for first in range(0, full, depth):
        last = min(first + depth, full)
        slab = series.read([frame], first, last)[0]
        slab = slab[:, : rows // r * r, : columns // c * c].reshape(last - first, rows // r, r, columns // c, c)
        lines = slab.sum(axis=2).sum(axis=3)
        yield lines.reshape(-1, k, rows // r, columns // c).sum(axis=1) / np.float32(k * r * c)


def _in_units(
    frame: int, shift: NDArray[np.float64], scatter: NDArray[np.float64], geometry: VolumeGeometry
) -> FrameShift:
    """From voxels along (slice, row, column)."""
    k, j, i = shift.tolist()
    mm = geometry.direction @ (np.array([i, j, k]) * np.array(geometry.spacing_mm))
    dk, dj, di = scatter.tolist()
    return FrameShift(frame, (float(mm[0]), float(mm[1]), float(mm[2])), (i, j, k), (di, dj, dk))
