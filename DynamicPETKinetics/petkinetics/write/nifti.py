"""NIfTI-1 volumes, written slab by slab so that no map has to fit in memory whole.

SimpleITK writes whole images only; the header is laid out here by the NIfTI-1.1 standard (348
bytes, little-endian), the voxels follow as float32 or as the integer type of a label map.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry

_HEADER = np.dtype(
    [
        ("sizeof_hdr", "<i4"),
        ("unused1", "V35"),
        ("dim_info", "u1"),
        ("dim", "<i2", 8),
        ("intent_p", "<f4", 3),
        ("intent_code", "<i2"),
        ("datatype", "<i2"),
        ("bitpix", "<i2"),
        ("slice_start", "<i2"),
        ("pixdim", "<f4", 8),
        ("vox_offset", "<f4"),
        ("scl_slope", "<f4"),
        ("scl_inter", "<f4"),
        ("slice_end", "<i2"),
        ("slice_code", "u1"),
        ("xyzt_units", "u1"),
        ("cal_max", "<f4"),
        ("cal_min", "<f4"),
        ("slice_duration", "<f4"),
        ("toffset", "<f4"),
        ("unused2", "V8"),
        ("descrip", "S80"),
        ("aux_file", "S24"),
        ("qform_code", "<i2"),
        ("sform_code", "<i2"),
        ("quatern", "<f4", 3),
        ("qoffset", "<f4", 3),
        ("srow", "<f4", (3, 4)),
        ("intent_name", "S16"),
        ("magic", "S4"),
    ]
)
_DATATYPES = {"uint8": 2, "int16": 4, "int32": 8, "float32": 16, "uint16": 512}
_VOXELS_AT = 352
_MM_AND_SECONDS = 2 + 8
_SCANNER_ANATOMICAL = 1


class NiftiWriter:
    """Writes one volume (or frames of volumes) front to back.

    Use as a context manager; a path that ends in ``.gz`` is compressed with a fast library where
    there is one, else zlib.

    :param path: of the file, ``.nii`` or ``.nii.gz``; must not exist.
    :param geometry: the voxel grid.
    :param frames: number of frames of a 4-D file, None for a 3-D one.
    :param dtype: float32, or uint8, int16, uint16, int32 for label maps.
    :param description: up to 79 characters in the header (no patient identity).
    :raises InputError: a dimension exceeds what NIfTI-1 can hold (32,767).
    """

    def __init__(
        self,
        path: Path,
        geometry: VolumeGeometry,
        frames: int | None = None,
        dtype: DTypeLike = np.float32,
        description: str = "",
    ) -> None:
        self.path = path
        self._dtype = np.dtype(dtype).newbyteorder("<")
        header = _header(geometry, frames, np.dtype(dtype), description)
        self._file: BinaryIO = path.open("xb")
        self._deflate = gzip_compressor() if path.suffix == ".gz" else None
        self._put(header.tobytes() + b"\0" * (_VOXELS_AT - _HEADER.itemsize))

    def write(self, slab: NDArray[Any]) -> None:
        """Append voxels, *slab*, in the order (frames, slices, rows, columns), or (slices, rows, columns)."""
        self._put(np.ascontiguousarray(slab, dtype=self._dtype).reshape(-1).view(np.uint8).data)

    def _put(self, data: bytes | memoryview) -> None:
        self._file.write(self._deflate.compress(data) if self._deflate else data)

    def close(self) -> None:
        """Finish the file."""
        if not self._file.closed:
            if self._deflate:
                self._file.write(self._deflate.flush())
            self._file.close()

    def __enter__(self) -> NiftiWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def write_volume(path: Path, values: NDArray[Any], geometry: VolumeGeometry, *, description: str = "") -> None:
    """Write a whole volume, (slices, rows, columns), or frames of it, (frames, slices, rows, columns).

    :param values: float types are written as float32, integers and bool in their own size.
    :raises InputError: the array does not fit the grid.
    """
    if values.shape[-3:] != geometry.shape or values.ndim not in (3, 4):
        raise InputError(f"An array of shape {values.shape} does not fit a grid of {geometry.shape}.")
    kind = np.dtype(values.dtype)
    dtype = np.dtype(np.uint8) if kind.kind == "b" else np.dtype(np.float32) if kind.kind == "f" else kind
    frames = values.shape[0] if values.ndim == 4 else None
    with NiftiWriter(path, geometry, frames, dtype, description) as writer:
        for part in values if values.ndim == 4 else [values]:
            writer.write(part)


def gzip_compressor() -> Any:
    """A streaming gzip compressor: ISA-L where installed, else zlib at its fastest."""
    gzip_format = 16 + 15
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.compressobj(1, zlib.DEFLATED, gzip_format)
    make: Callable[..., Any] = isal_zlib.compressobj
    return make(1, isal_zlib.DEFLATED, gzip_format)


def _header(geometry: VolumeGeometry, frames: int | None, dtype: np.dtype[Any], description: str) -> NDArray[np.void]:
    name = dtype.newbyteorder("=").name
    if name not in _DATATYPES:
        raise InputError(f"Voxels of type {name} cannot be written to NIfTI.")
    slices, rows, columns = geometry.shape
    if max(columns, rows, slices, frames or 1) > np.iinfo(np.int16).max:
        raise InputError(f"A grid of {geometry.shape} is too large for a NIfTI-1 file.")
    header = np.zeros((), dtype=_HEADER)
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.affine_lps
    quaternion, handedness = _quaternion(ras[:3, :3] / np.array(geometry.spacing_mm))
    header["sizeof_hdr"] = _HEADER.itemsize
    header["dim"] = [4 if frames else 3, columns, rows, slices, frames or 1, 1, 1, 1]
    header["datatype"] = _DATATYPES[name]
    header["bitpix"] = 8 * dtype.itemsize
    header["pixdim"] = [handedness, *geometry.spacing_mm, 1, 0, 0, 0]
    header["vox_offset"] = _VOXELS_AT
    header["scl_slope"] = 1
    header["xyzt_units"] = _MM_AND_SECONDS
    header["descrip"] = description.encode("ascii", "replace")[:79]
    header["qform_code"] = header["sform_code"] = _SCANNER_ANATOMICAL
    header["quatern"] = quaternion
    header["qoffset"] = ras[:3, 3]
    header["srow"] = ras[:3]
    header["magic"] = b"n+1"
    return header


def _quaternion(rotation: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """(b, c, d) of the unit quaternion with a >= 0, and the handedness NIfTI calls qfac."""
    handedness = 1.0 if np.linalg.det(rotation) > 0 else -1.0
    r = rotation * np.array([1.0, 1.0, handedness])
    # The quaternion is the eigenvector of this symmetric matrix with the largest eigenvalue
    # (Bar-Itzhack 2000): stable for every rotation, without a case for each.
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], r[1, 0] + r[0, 1], r[2, 0] + r[0, 2], r[2, 1] - r[1, 2]],
            [0, r[1, 1] - r[0, 0] - r[2, 2], r[2, 1] + r[1, 2], r[0, 2] - r[2, 0]],
            [0, 0, r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
            [0, 0, 0, np.trace(r)],
        ]
    )
    q = np.linalg.eigh(k, UPLO="U")[1][:, -1]
    return (q[:3] if q[3] >= 0 else -q[:3]), handedness
