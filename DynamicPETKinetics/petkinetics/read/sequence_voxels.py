"""Voxels of a volume sequence: where they lie in the file, and slabs of them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from petkinetics.errors import InputError
from petkinetics.read.nifti import NiftiHeader, NiftiVoxels
from petkinetics.read.nrrd_header import NrrdHeader
from petkinetics.read.unpacking import unpacking

_AGAIN = "Copy it again from its source."


@dataclass(frozen=True)
class VoxelPlace:
    """Where the voxels lie, and how: packed, and with the list axis first or last."""

    path: Path
    at: int
    compressed: bool
    interleaved: bool

    @classmethod
    def of(cls, path: Path, header: NrrdHeader, stored: NiftiHeader, axis: int) -> VoxelPlace:
        """The place in a file.

        :param axis: of the frames in the file, 0 or the last.
        :raises InputError: the file is truncated.
        """
        found = cls(path, header.voxels_at, header.compressed, axis == 0)
        wanted = stored.frames * int(np.prod(stored.geometry.shape)) * stored.dtype.itemsize
        if not found.compressed and path.stat().st_size - found.at < wanted:
            raise InputError(f"{path.name} is truncated: its header promises {wanted:,} bytes of voxels.", _AGAIN)
        return found


@dataclass
class SequenceVoxels(NiftiVoxels):
    """Slabs of a sequence; read like those of a NIfTI file once frames lie one after the other."""

    source: VoxelPlace | None = field(default=None, repr=False)

    def _voxel_stream(self) -> BinaryIO:
        if self._stream is None:
            assert self.source is not None
            in_place = not (self.source.compressed or self.source.interleaved)
            self._stream = self.path.open("rb", buffering=0) if in_place else self._frame_after_frame(self.source)
        return self._stream

    def _frame_after_frame(self, source: VoxelPlace) -> BinaryIO:
        """All voxels in a temporary file, frame after frame, made slice by slice."""
        head = self.header
        slices, rows, columns = head.geometry.shape
        unpacked = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the series
        per_slice = rows * columns * head.dtype.itemsize
        with unpacking(self.path, source.at, packed=source.compressed) as packed:
            if not source.interleaved:
                for _ in range(head.frames * slices):
                    unpacked.write(_exactly(packed, per_slice))
                return unpacked
            for k in range(slices):
                slab = np.frombuffer(_exactly(packed, per_slice * head.frames), dtype=head.dtype)
                for f, values in enumerate(np.ascontiguousarray(slab.reshape(-1, head.frames).T)):
                    unpacked.seek((f * slices + k) * per_slice)
                    unpacked.write(values.tobytes())
        return unpacked


def _exactly(stream: BinaryIO, count: int) -> bytes:
    """That many bytes; a stream may return fewer at a time."""
    parts = []
    while count:
        part = stream.read(count)
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
