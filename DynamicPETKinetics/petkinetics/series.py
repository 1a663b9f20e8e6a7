"""A dynamic PET series: its geometry, tracer and timing, and voxels that are read in slabs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class VolumeGeometry:
    """Where the voxels of a volume lie in the patient (DICOM/ITK convention: LPS, mm).

    :param shape: (slices, rows, columns).
    :param spacing_mm: voxel size (x along columns, y along rows, z along slices).
    :param origin_mm: centre of the voxel (slice 0, row 0, column 0).
    :param direction: 3x3; its columns are the unit vectors in which the column, row and slice
        index grow.
    :raises InputError: a size or spacing is not above zero, or the directions are not orthonormal.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: NDArray[np.float64]

    def __init__(
        self,
        shape: Sequence[int],
        spacing_mm: Sequence[float],
        origin_mm: Sequence[float] = (0.0, 0.0, 0.0),
        direction: ArrayLike | None = None,
    ) -> None:
        matrix = np.eye(3) if direction is None else np.array(direction, dtype=np.float64).reshape(3, 3)
        matrix.setflags(write=False)
        object.__setattr__(self, "shape", tuple(int(n) for n in shape))
        object.__setattr__(self, "spacing_mm", tuple(float(s) for s in spacing_mm))
        object.__setattr__(self, "origin_mm", tuple(float(o) for o in origin_mm))
        object.__setattr__(self, "direction", matrix)
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InputError(f"A volume needs at least one slice, row and column, not {self.shape}.")
        if len(self.spacing_mm) != 3 or not all(np.isfinite(s) and s > 0 for s in self.spacing_mm):
            raise InputError(f"Voxel spacing must be above zero, not {self.spacing_mm} mm.")
        if not np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-3):
            raise InputError("The image axes are not at right angles to each other; such images are not supported.")

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of a voxel in mL."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    @property
    def affine_lps(self) -> NDArray[np.float64]:
        """4x4 matrix from (column, row, slice, 1) indices to patient coordinates in mm (LPS)."""
        affine = np.eye(4)
        affine[:3, :3] = self.direction * np.array(self.spacing_mm)
        affine[:3, 3] = self.origin_mm
        return affine

    def difference(self, other: VolumeGeometry, tolerance_mm: float = 0.1) -> str | None:
        """Why *other* is not the same voxel grid, in words; None when it is.

        Grids agree when the shapes are equal and no corner lies further apart than *tolerance_mm*.
        """
        if self.shape != other.shape:
            return f"{other.shape} voxels (slices, rows, columns) instead of {self.shape}"
        counts = np.array(self.shape[::-1]) - 1
        corners = np.array([[*(counts * c), 1] for c in np.ndindex(2, 2, 2)], dtype=float).T
        shift = np.linalg.norm(((self.affine_lps - other.affine_lps) @ corners)[:3], axis=0).max()
        return None if shift <= tolerance_mm else f"voxels lying up to {shift:.2f} mm apart"


@dataclass(frozen=True)
class Tracer:
    """The radiopharmaceutical.

    :param name: as the header gives it, "" where it does not.
    :param radionuclide: such as "F-18", "" where unknown.
    :param half_life_s: of the radionuclide, seconds, above zero.
    :raises InputError: the half-life is not above zero, or not finite.
    """

    name: str
    radionuclide: str
    half_life_s: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.half_life_s) and self.half_life_s > 0):
            raise InputError(
                f"The half-life is {self.half_life_s} s; it must be above zero.",
                "Give it with --half-life (seconds; 6586.2 for F-18).",
            )

    @property
    def decay_per_s(self) -> float:
        """Decay constant ln 2 / half-life, 1/s."""
        return log(2.0) / self.half_life_s

    @property
    def is_fdg(self) -> bool | None:
        """Whether the name says FDG; None where there is no name."""
        name = self.name.lower().replace("-", "").replace(" ", "")
        if not name:
            return None
        return any(word in name for word in ("fdg", "fluorodeoxyglucose", "fludeoxyglucose", "fluorodesoxyglucose"))


class VoxelSource(Protocol):
    """Where the voxels come from: files, or memory."""

    def read(self, frames: Sequence[int], first: int, last: int, out: Float32 | None = None) -> Float32:
        """Slices first <= k < last of some frames.

        :param frames: frame indices.
        :param out: buffer to fill, shape (len(frames), last - first, rows, columns); made if None.
        :returns: float32 (frames, slices, rows, columns), kBq/mL decay-corrected to injection.
        """
        ...


@runtime_checkable
class RowVoxelSource(VoxelSource, Protocol):
    """A source that can also read a few rows without the slices they lie in: enough for a small region."""

    def read_rows(self, frame: int, first: int, last: int, top: int, bottom: int) -> Float32:
        """Rows top <= r < bottom of slices first <= k < last of one frame.

        :returns: float32 (slices, rows, columns), kBq/mL decay-corrected to injection.
        """
        ...


@dataclass(frozen=True)
class ArrayVoxels:
    """Voxels in memory: (frame, slice, row, column), kBq/mL decay-corrected to injection."""

    values: Float32

    def read(self, frames: Sequence[int], first: int, last: int, out: Float32 | None = None) -> Float32:
        """See :class:`VoxelSource`."""
        if out is None:
            out = np.empty((len(frames), last - first, *self.values.shape[2:]), dtype=np.float32)
        for i, frame in enumerate(frames):
            out[i] = self.values[frame, first:last]
        return out


@dataclass(frozen=True)
class SeriesOrigin:
    """Where a series came from, for the record (no patient identity).

    :param path: folder or file that was read.
    :param format: "dicom", "nifti", "seq.nrrd" or "memory".
    :param series_uids: DICOM Series Instance UIDs, empty for others.
    :param manufacturer: "" where unknown.
    :param units: as stored ("BQML", "GML", "CNTS", "Bq/mL" ...).
    :param decay_corrected_to: as stored ("START", "ADMIN", "NONE"; for NIfTI "injection" or seconds).
    :param time_zero_s: BIDS TimeZero in seconds from injection; None where there is none.
    :param fingerprint: SHA-256 of a file's header and of the sidecar beside it; "" for DICOM, whose UIDs name it.
    """

    path: str = ""
    format: str = "memory"
    series_uids: tuple[str, ...] = ()
    manufacturer: str = ""
    units: str = "kBq/mL"
    decay_corrected_to: str = "injection"
    time_zero_s: float | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class DynamicSeries:
    """A dynamic PET series whose voxels are kBq/mL, decay-corrected to injection.

    :param timing: frames, seconds from injection.
    :param geometry: the voxel grid, the same for all frames.
    :param tracer: name and half-life.
    :param voxels: the reader of slabs.
    :param injected_activity_mbq: at injection time; None where unknown.
    :param weight_kg: None where unknown.
    :param height_m: None where unknown.
    :param sex: "M", "F", "O" as DICOM says it; "" where unknown.
    :param decay_weighted: True where a frame's value weights the activity within the frame by
        e^(-lambda*t), as a scanner that applies one mean decay factor to a frame does
        (x = integral C e^(-lambda*tau) / integral e^(-lambda*tau)); False for plain means.
    :param suv_factor: SUVbw per stored unit; None where a frame has its own (then suv_factors).
    :param suv_factors: SUVbw per stored unit, a frame, for DecayCorrection NONE; else empty.
    :param overrides: what the user replaced, name -> value, for the record.
    :param warnings: what the reader assumed, sentences for the user.
    :param dynamic: whether this really is a dynamic series (readers used by ``info`` accept static).
    """

    timing: FrameTiming
    geometry: VolumeGeometry
    tracer: Tracer
    voxels: VoxelSource
    injected_activity_mbq: float | None = None
    weight_kg: float | None = None
    decay_weighted: bool = False
    suv_factor: float | None = None
    suv_factors: tuple[float, ...] = ()
    origin: SeriesOrigin = field(default_factory=SeriesOrigin)
    overrides: dict[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    dynamic: bool = True
    height_m: float | None = None
    sex: str = ""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(frames, slices, rows, columns)."""
        return (len(self.timing), *self.geometry.shape)

    @property
    def frame_decay_per_s(self) -> float:
        """Decay constant of the weight within a frame: lambda, or 0 for plain frame means."""
        return self.tracer.decay_per_s if self.decay_weighted else 0.0

    def read(self, frames: Sequence[int], first: int = 0, last: int | None = None) -> Float32:
        """A slab of some frames, float32 (frames, slices, rows, columns) in kBq/mL."""
        return self.voxels.read(frames, first, self.geometry.shape[0] if last is None else last)
