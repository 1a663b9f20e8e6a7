"""How an anatomy is scanned: its voxel grids, the beds it takes, what calibrates its noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry

#: shape (slices, rows, columns) and voxel size (x, y, z) in mm
Voxels: TypeAlias = tuple[tuple[int, int, int], tuple[float, float, float]]

#: 198 mm along the body. ``full`` is the grid of Liang et al. 2023.
TRUNK_VOXELS: Mapping[str, Voxels] = {
    "full": ((71, 256, 256), (1.95, 1.95, 2.79)),
    "small": ((44, 96, 96), (4.4, 4.4, 4.5)),
}


@dataclass(frozen=True)
class ScanPlan:
    """The scan of an anatomy.

    :param voxels: the grid of every size, all in the same place of the patient.
    :param centre_mm: middle of the scan along the body, z in patient coordinates.
    :param beds: bed positions that share the time of every frame. The frames stay one grid in time, as
        in a scan with continuous bed motion; each place is counted for 1/beds of a frame, so the
        noise's variance is *beds* times that of one bed.
    :param calibration: tissue whose voxels vary by 12 % at dose 1 in the frame from 60 to 65 min (one bed).
    :param blood_region: tissue from which an observer takes the input function.
    :param body_part: as DICOM headers name it.
    """

    voxels: Mapping[str, Voxels]
    centre_mm: float = 5.7
    beds: int = 1
    calibration: str = "liver"
    blood_region: str = "aorta"
    body_part: str = "CHEST"

    def grid(self, size: str) -> VolumeGeometry:
        """The voxel grid of a size.

        :raises InputError: no such size.
        """
        if size not in self.voxels:
            known = " or ".join(self.voxels)
            raise InputError(f"'{size}' is not a size of simulated patients; choose {known}.")
        shape, spacing = self.voxels[size]
        x, y, z = (-0.5 * (n - 1) * step for n, step in zip(shape[::-1], spacing, strict=True))
        return VolumeGeometry(shape, spacing, (x, y, z + self.centre_mm))

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Lowest and highest z of the scan: centre of the first slice, end of the last of size "full"."""
        full = self.grid("full")
        low = full.origin_mm[2]
        return low, low + (full.shape[0] - 1) * full.spacing_mm[2]
