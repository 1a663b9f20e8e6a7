"""Maps from the files of a result folder, straight into the memory that VTK shows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DynamicPETKineticsLib.scene.volume_geometry import empty_image, geometry_from
from DynamicPETKineticsLib.translation import _
from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry

_HEADER_BYTES = 348
_FLOAT32 = 16


@dataclass(frozen=True, eq=False)
class MapImage:
    """A map in memory.

    :param image: vtkImageData of one float a voxel; where it lies says *geometry*.
    :param voxels: its voxels, (slices, rows, columns).
    """

    image: Any
    voxels: NDArray[np.float32]
    geometry: VolumeGeometry


def map_path(folder: Path, name: str) -> Path:
    """The file of a map.

    :raises InputError: it is not in the folder.
    """
    paths = [folder / f"{name}.nii", folder / f"{name}.nii.gz"]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise InputError(
            _("The result is incomplete: the map {name}.nii is missing.").format(name=name),
            _("Run the estimate again."),
        )
    return found


def read_map_image(path: Path) -> MapImage:
    """Read a map.

    An uncompressed file of our own is read without SimpleITK, whose import alone takes longer than Slicer may stand
    still; the engine's reader takes whatever else there is.

    :raises InputError: the file is missing, damaged or no map.
    """
    plain = _read_plain(path) if path.suffix == ".nii" and sys.byteorder == "little" else None
    if plain is not None:
        return plain
    from petkinetics.read.maps import read_map

    found = read_map(path)
    image, voxels = empty_image(found.geometry)
    voxels[:] = found.values
    return MapImage(image, voxels, found.geometry)


def _read_plain(path: Path) -> MapImage | None:
    """A little-endian NIfTI-1 volume of unscaled float32 whose sform says where it lies; None for all others."""
    with path.open("rb", buffering=0) as stream:
        header = np.frombuffer(stream.read(_HEADER_BYTES), dtype=np.uint8)
        if header.size < _HEADER_BYTES:
            raise InputError(
                _("{file} is truncated: it has {size} bytes.").format(file=path.name, size=header.size),
                _("Run the estimate again."),
            )
        size = int(_field(header, 0, "<i4")[0])
        dim, kind = _field(header, 40, "<i2", 8), int(_field(header, 70, "<i2")[0])
        voxels_at, slope, intercept = (float(v) for v in _field(header, 108, "<f4", 3))
        has_sform, srow = int(_field(header, 254, "<i2")[0]) > 0, _field(header, 280, "<f4", 12).reshape(3, 4)
        scaled = (slope, intercept) not in ((1.0, 0.0), (0.0, 0.0))
        if size != _HEADER_BYTES or dim[0] != 3 or kind != _FLOAT32 or scaled or not has_sform:
            return None
        to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.vstack([srow.astype(np.float64), [0.0, 0.0, 0.0, 1.0]])
        geometry = geometry_from(to_lps, (int(dim[3]), int(dim[2]), int(dim[1])))
        image, voxels = empty_image(geometry)
        target = voxels.reshape(-1).view(np.uint8).data
        stream.seek(int(voxels_at))
        done = 0
        while done < len(target):
            read = stream.readinto(target[done:])
            if not read:
                raise InputError(
                    _("{file} is truncated: {expected} bytes of voxels are expected, {found} are there.").format(
                        file=path.name, expected=len(target), found=done
                    ),
                    _("Run the estimate again."),
                )
            done += read
    return MapImage(image, voxels, geometry)


def _field(header: NDArray[np.uint8], at: int, dtype: str, count: int = 1) -> NDArray[Any]:
    return np.frombuffer(header.tobytes(), dtype=dtype, count=count, offset=at)
