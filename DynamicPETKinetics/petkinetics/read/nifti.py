"""4-D NIfTI series with a BIDS-PET sidecar.

The sidecar (``pet.json`` beside ``pet.nii.gz``) gives the times: a frame starts at FrameTimesStart -
InjectionStart after injection (both relative to TimeZero; BIDS 1.9, "Positron Emission
Tomography"). SimpleITK reads header and geometry; voxels are read by slabs straight from the file,
because SimpleITK reads NIfTI whole. A compressed file is unpacked once into an unnamed temporary
file, which vanishes with the process whatever ends it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.read.bids import BidsPet
from petkinetics.read.file_names import file_stem
from petkinetics.read.fingerprint import fingerprint
from petkinetics.read.overrides import Overrides
from petkinetics.read.unpacking import unpacking
from petkinetics.series import DynamicSeries, Float32, SeriesOrigin, Tracer, VolumeGeometry

_DATATYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}


def read_nifti(
    path: Path,
    overrides: Overrides | None = None,
    statements: Mapping[str, str] | None = None,
    *,
    require_dynamic: bool = True,
) -> DynamicSeries:
    """Open a 4-D NIfTI series; voxels are read later, slab by slab.

    :param path: of the ``.nii`` or ``.nii.gz``; its ``.json`` must lie beside it.
    :param overrides: values that replace those of the sidecar.
    :param statements: what the sidecar may not say: ``units`` ("Bq/mL", "kBq/mL", "g/mL" ...) and
        ``decay_corrected_to`` ("injection", "none" or seconds from injection).
    :param require_dynamic: refuse a single volume; ``info`` describes it.
    :raises InputError: the file is no dynamic series, the sidecar is missing or lacks what is needed.
    """
    given = overrides or Overrides()
    header = NiftiHeader.read(path)
    if header.frames < 2 and require_dynamic:
        raise InputError(
            f"{path.name} holds one volume, not a dynamic series.", "Ki needs a series of frames over time."
        )
    sidecar = _sidecar_of(path)
    bids = BidsPet.read(sidecar, given, statements or {})
    timing = bids.timing(header.frames)
    scale = bids.factors_to_kbq_at_injection(timing)
    return DynamicSeries(
        timing=timing,
        geometry=header.geometry,
        tracer=Tracer(bids.tracer_name, bids.radionuclide, bids.half_life_s),
        voxels=NiftiVoxels(path, header, scale),
        injected_activity_mbq=bids.injected_activity_mbq,
        weight_kg=bids.weight_kg,
        decay_weighted=bids.decay_weighted(timing),
        suv_factor=bids.suv_factor(),
        suv_factors=bids.suv_factors(timing),
        origin=SeriesOrigin(
            path=str(path),
            format="nifti",
            manufacturer=bids.manufacturer,
            units=bids.units,
            decay_corrected_to=bids.decay_corrected_to,
            time_zero_s=-bids.injection_s,
            fingerprint=fingerprint(path, header.voxels_at, sidecar),
        ),
        overrides=bids.overrides,
        warnings=tuple(bids.warnings),
        dynamic=header.frames > 1,
    )


def _sidecar_of(path: Path) -> Path:
    sidecar = path.with_name(file_stem(path) + ".json")
    if not sidecar.is_file():
        raise InputError(
            f"There is no {sidecar.name} beside {path.name}; without it the frame times are unknown.",
            "Provide a BIDS-PET sidecar with FrameTimesStart, FrameDuration and InjectionStart.",
        )
    return sidecar


@dataclass(frozen=True)
class NiftiHeader:
    """What is needed to find voxels in the file."""

    geometry: VolumeGeometry
    frames: int
    dtype: np.dtype[Any]
    voxels_at: int
    slope: float
    intercept: float

    @classmethod
    def read(cls, path: Path) -> NiftiHeader:
        """The header of a ``.nii`` or ``.nii.gz``; no voxel is read.

        :raises InputError: the file cannot be read, is truncated, or holds something else than one image or its frames.
        """
        import SimpleITK as sitk

        if not path.is_file():
            raise InputError(f"There is no file {path}.")
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.SetImageIO("NiftiImageIO")
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise InputError(f"{path.name} cannot be read as NIfTI; it may be damaged.") from error
        size, dims = reader.GetSize(), reader.GetDimension()
        if dims not in (3, 4):
            raise InputError(f"{path.name} has {dims} dimensions; a dynamic series has 4 (x, y, z, frame).")
        direction = np.array(reader.GetDirection()).reshape(dims, dims)[:3, :3]
        code = int(reader.GetMetaData("datatype"))
        if code not in _DATATYPES:
            raise InputError(f"{path.name} has a voxel type (NIfTI code {code}) that is not supported.")
        slope = float(reader.GetMetaData("scl_slope"))
        header = cls(
            geometry=VolumeGeometry(
                (size[2], size[1], size[0]), reader.GetSpacing()[:3], reader.GetOrigin()[:3], direction
            ),
            frames=size[3] if dims == 4 else 1,
            dtype=np.dtype(_byte_order(path) + _DATATYPES[code]),
            voxels_at=int(float(reader.GetMetaData("vox_offset"))),
            slope=slope if slope != 0 and np.isfinite(slope) else 1.0,
            intercept=float(reader.GetMetaData("scl_inter")) if slope != 0 else 0.0,
        )
        header.require_whole(path)
        return header

    def require_whole(self, path: Path) -> None:
        """Refuse an uncompressed file that is shorter than its header promises.

        :raises InputError: it is.
        """
        wanted = self.voxels_at + self.frames * int(np.prod(self.geometry.shape)) * self.dtype.itemsize
        if path.suffix != ".gz" and path.stat().st_size < wanted:
            raise InputError(
                f"{path.name} is truncated: its header promises {wanted:,} bytes and it has {path.stat().st_size:,}.",
                "Copy it again from its source.",
            )


def _byte_order(path: Path) -> str:
    """'<' or '>', by the header's first field, which is 348 (NIfTI-1) or 540 (NIfTI-2)."""
    with unpacking(path, packed=path.suffix == ".gz") as stream:
        first = stream.read(4)
    return "<" if int.from_bytes(first, "little") in (348, 540) else ">"


@dataclass
class NiftiVoxels:
    """Slabs of a NIfTI series; see :class:`petkinetics.series.VoxelSource`.

    :param scale: factor a frame from stored (slope applied) to kBq/mL at injection, shape (frames,).
    """

    path: Path
    header: NiftiHeader
    scale: NDArray[np.float64]
    _stream: BinaryIO | None = field(default=None, repr=False)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def read(self, frames: Sequence[int], first: int, last: int, out: Float32 | None = None) -> Float32:
        """See :class:`petkinetics.series.VoxelSource`.

        :raises InputError: the file is truncated or damaged.
        """
        head = self.header
        _, rows, columns = head.geometry.shape
        if out is None:
            out = np.empty((len(frames), last - first, rows, columns), dtype=np.float32)
        slice_bytes = rows * columns * head.dtype.itemsize
        direct = head.dtype == np.dtype("<f4") and sys.byteorder == "little"
        for i, frame in enumerate(frames):
            at = head.voxels_at + (frame * head.geometry.shape[0] + first) * slice_bytes
            if direct and out[i].flags.c_contiguous:
                self._fill(at, out[i].reshape(-1).view(np.uint8).data)
            else:
                raw = np.empty((last - first, rows, columns), dtype=head.dtype)
                self._fill(at, raw.reshape(-1).view(np.uint8).data)
                np.copyto(out[i], raw, casting="unsafe")
            self._to_kbq(out[i], frame)
        return out

    def read_rows(self, frame: int, first: int, last: int, top: int, bottom: int) -> Float32:
        """See :class:`petkinetics.series.RowVoxelSource`.

        :raises InputError: the file is truncated or damaged.
        """
        head = self.header
        slices, rows, columns = head.geometry.shape
        raw = np.empty((last - first, bottom - top, columns), dtype=head.dtype)
        for k in range(first, last):
            at = head.voxels_at + ((frame * slices + k) * rows + top) * columns * head.dtype.itemsize
            self._fill(at, memoryview(raw[k - first].view("u1")).cast("B"))
        values = raw.astype(np.float32, copy=False)
        self._to_kbq(values, frame)
        return values

    def _to_kbq(self, values: Float32, frame: int) -> None:
        """From stored numbers to kBq/mL at injection, in place."""
        factor = self.scale[frame]
        if self.header.slope != 1.0 or factor != 1.0:
            values *= np.float32(self.header.slope * factor)
        if self.header.intercept:
            values += np.float32(self.header.intercept * factor)

    def _fill(self, at: int, buffer: memoryview) -> None:
        filled = 0
        with self._one_at_a_time:
            stream = self._voxel_stream()
            stream.seek(at)
            while filled < len(buffer):
                count = stream.readinto(buffer[filled:])  # type: ignore[attr-defined]
                if not count:
                    raise InputError(f"{self.path.name} is truncated; copy it again from its source.")
                filled += count

    def _voxel_stream(self) -> BinaryIO:
        if self._stream is None:
            self._stream = self.path.open("rb", buffering=0) if self.path.suffix != ".gz" else self._unpacked()
        return self._stream

    def _unpacked(self) -> BinaryIO:
        unpacked = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the series
        with unpacking(self.path) as packed:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
        return unpacked
