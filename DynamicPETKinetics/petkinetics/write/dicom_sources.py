"""The source images of a map: which images of a study it was computed from, slice by slice.

An exported map takes its patient, study and frame of reference from the images it was computed
from and refers to them one by one. The images must lie on the map's grid: a map exported with the
headers of another series would be shown in the wrong place of the wrong patient.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from petkinetics.errors import InputError
from petkinetics.read.dicom_choice import choose_images
from petkinetics.read.dicom_enhanced import series_header
from petkinetics.read.dicom_geometry import ImageGrid, assemble
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.dicom_scan import FolderScan, scan_folder
from petkinetics.series import VolumeGeometry

#: a source voxel may lie this far from its voxel of the map
_IN_PLACE_MM = 0.1
_HINT = "Choose the folder of the series that the maps were computed from."


@dataclass(frozen=True)
class SourceSeries:
    """The images a map was computed from.

    :param header: the whole header of one of them, without pixels.
    :param slices: for every slice of the map the images at that position, in order of time.
    :param geometry: the map's grid.
    :param in_place: whether no source voxel lies more than 0.1 mm from its voxel of the map.
    """

    header: Dataset
    slices: tuple[tuple[ImageHeader, ...], ...]
    geometry: VolumeGeometry
    in_place: bool

    def fit(self, geometry: VolumeGeometry) -> bool:
        """Whether these are also the images of a map on *geometry*."""
        return self.geometry.difference(geometry, 0.0) is None

    def compared(self, frame_count: int | None) -> str | None:
        """Compare with the number of frames that the maps' series had; None where that is not known.

        Maps name the frames that they used by their number, which stands for another frame where one is missing.

        :returns: what is to be said where the source has more frames.
        :raises InputError: it has fewer.
        """
        count, slices = len(self.slices[0]), len(self.slices)
        if frame_count is None or count == frame_count:
            return None
        if count < frame_count:
            raise InputError(
                f"{frame_count - count} of the {frame_count} frames of the series that the maps were computed from are "
                f"missing ({count * slices} images are there, {frame_count * slices} are needed), so the maps cannot "
                "refer to the images they were computed from.",
                "Export or copy the whole series again.",
            )
        return (
            f"The source images have {count} frames, the series that the maps were computed from had {frame_count}: "
            "where the frames that are new are not the last ones, the maps refer to wrong images."
        )

    def frames(self, used: Sequence[int] | None) -> tuple[tuple[ImageHeader, ...], ...]:
        """The images of some frames, slice by slice; those of the last frame where *used* is None.

        :param used: frame indices in order of time, from 0.
        :raises InputError: the source has fewer frames.
        """
        count = len(self.slices[0])
        if used is None:
            return tuple(images[-1:] for images in self.slices)
        if not used or min(used) < 0 or max(used) >= count:
            raise InputError(
                f"The maps were computed from frame {max(used, default=-1) + 1} of their series, but the source images "
                f"have {count} frame{'s' if count != 1 else ''}.",
                _HINT,
            )
        return tuple(tuple(images[f] for f in used) for images in self.slices)


def find_source_series(
    source: Path | Sequence[Path], geometry: VolumeGeometry, series_uids: Sequence[str] = ()
) -> SourceSeries:
    """The PET images that a map on *geometry* was computed from.

    They are chosen, and sorted into frames and slices, as when the series is read. Pixels are not read.

    :param source: folder (searched with its sub-folders), or files.
    :param series_uids: Series Instance UIDs of the source where they are known.
    :raises InputError: there is no such series, or its images do not lie on the map's grid (the message
        says by how much), or they cannot be sorted, or lack the study or frame of reference.
    """
    folder, scan = _scan(source)
    if series_uids and scan.images:
        scan.images = [image for image in scan.images if image.series_uid in series_uids]
        if not scan.images:
            raise InputError(f"The series that the maps were computed from is not in '{folder}'.", _HINT)
    images, _ = choose_images(folder, scan)
    grid = assemble(images)
    require_filing(images[0], folder, "a DICOM map")
    along_map = grid.geometry.direction[:, 2] @ geometry.direction[:, 2] >= 0
    difference = geometry.difference(grid.geometry if along_map else from_other_end(grid.geometry), _IN_PLACE_MM)
    if difference is not None:
        raise InputError(f"The images in '{folder}' are not those of the maps: {difference}.", _HINT)
    slices = tuple(zip(*grid.frames, strict=True))
    with warnings.catch_warnings():
        # pydicom quotes invalid values in its warnings, and they may be the patient's
        warnings.simplefilter("ignore")
        header = series_header(slices[0][-1].path)
    return SourceSeries(header, slices if along_map else slices[::-1], geometry, _in_place(grid))


def _scan(source: Path | Sequence[Path]) -> tuple[Path, FolderScan]:
    if isinstance(source, Path):
        return source, scan_folder(source)
    if not source:
        raise InputError("There are no source images.", _HINT)
    return source[0].parent, scan_folder(source)


def from_other_end(geometry: VolumeGeometry) -> VolumeGeometry:
    """The same grid with its slices counted from the other end."""
    last = geometry.affine_lps @ np.array([0, 0, geometry.shape[0] - 1, 1.0])
    direction = geometry.direction * np.array([1.0, 1.0, -1.0])
    return VolumeGeometry(geometry.shape, geometry.spacing_mm, tuple(last[:3]), direction)


def _in_place(grid: ImageGrid) -> bool:
    """Whether unevenly spaced slices lie nearly where those of the even grid do."""
    axis, origin = grid.geometry.direction[:, 2], np.array(grid.geometry.origin_mm)
    depths = (np.array([image.position for image in grid.frames[0]]) - origin) @ axis
    even = grid.geometry.spacing_mm[2] * np.arange(depths.size)
    return bool(np.abs(depths - even).max() <= _IN_PLACE_MM)


def require_filing(image: ImageHeader, folder: object, what: str) -> None:
    """Refuse a source without the UIDs by which an archive files what refers to it and a viewer places it.

    :param what: that is to be written, for the message.
    :raises InputError: the study or frame of reference is not stated.
    """
    for name, uid in (
        ("Study Instance UID", image.study_uid),
        ("Frame of Reference UID", image.frame_of_reference_uid),
    ):
        if not uid:
            raise InputError(
                f"The images in '{folder}' have no {name}; without it {what} cannot be filed and placed.",
                "Export the series from the scanner or archive again, with this attribute kept.",
            )
