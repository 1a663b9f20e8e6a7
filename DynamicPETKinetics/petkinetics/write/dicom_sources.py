"""The source images of a map: which images of a study it was computed from, slice by slice.

An exported map takes its patient, study and frame of reference from the images it was computed
from and refers to them one by one. The images must lie on the map's grid: a map exported with the
headers of another series would be shown in the wrong place of the wrong patient.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage

from petkinetics.errors import InputError
from petkinetics.read.clock import clock_seconds, day_seconds
from petkinetics.read.dicom_scan import scan_folder
from petkinetics.series import VolumeGeometry

#: images whose positions differ by less lie in one plane
_SAME_PLANE_MM = 0.1
#: largest distance of voxels of one grid, as everywhere in the project
_SAME_GRID_MM = 0.1
_HINT = "Choose the folder of the series that the maps were computed from."


@dataclass(frozen=True)
class SourceImage:
    """One PET image, as far as choosing it and referring to it needs.

    :param plane: rows, columns, pixel spacing (between rows, between columns) and orientation.
    :param position: of its first voxel, mm (LPS).
    :param time: sorts the images of one slice: acquisition moment, then FrameReferenceTime, s. Siemens
        writes frame starts in the former, GE and Philips frame times in the latter.
    :param header: where the rest of its header is.
    """

    sop_uid: str
    series_uid: str
    study_uid: str
    frame_of_reference_uid: str
    plane: tuple[float, ...]
    position: tuple[float, ...]
    time: tuple[float, float]
    header: Path | Dataset

    @property
    def usable(self) -> bool:
        """Whether it can be referred to and lies somewhere."""
        return bool(self.sop_uid and self.series_uid) and len(self.plane) == 10 and len(self.position) == 3


@dataclass(frozen=True)
class SourceSeries:
    """The images a map was computed from.

    :param header: the whole header of one of them, without pixels.
    :param slices: for every slice of the map the images at that position, in order of time.
    :param geometry: the map's grid.
    :param in_place: whether no source voxel lies more than 0.1 mm from its voxel of the map.
    """

    header: Dataset
    slices: tuple[tuple[SourceImage, ...], ...]
    geometry: VolumeGeometry
    in_place: bool

    def fit(self, geometry: VolumeGeometry) -> bool:
        """Whether these are also the images of a map on *geometry*."""
        return self.geometry.difference(geometry, 0.0) is None

    def frames(self, used: Sequence[int] | None) -> tuple[tuple[SourceImage, ...], ...]:
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
    source: Path | Sequence[Dataset], geometry: VolumeGeometry, series_uids: Sequence[str] = ()
) -> SourceSeries:
    """The PET images that a map on *geometry* was computed from.

    :param source: folder (searched with its sub-folders), or headers.
    :param series_uids: Series Instance UIDs of the source where they are known; else every PET series
        on the map's grid is taken (a dynamic study may be stored as several series).
    :raises InputError: there is no PET image, none lies on the map's grid (the message says by how much
        it is missed), or it is not clear which images are the source.
    """
    name = f"'{source}'" if isinstance(source, Path) else "the source"
    with warnings.catch_warnings():
        # pydicom quotes invalid values in its warnings, and they may be the patient's
        warnings.simplefilter("ignore")
        images = [image for image in _images(source) if image.usable]
        if not images:
            raise InputError(f"There are no PET images in {name}.", _HINT)
        series: dict[str, list[SourceImage]] = defaultdict(list)
        for image in {image.sop_uid: image for image in images}.values():
            if not series_uids or image.series_uid in series_uids:
                series[image.series_uid].append(image)
        if not series:
            raise InputError(f"The series that the maps were computed from is not in {name}.", _HINT)
        differences = {uid: _difference(group, geometry) for uid, group in series.items()}
        chosen = [image for uid, group in series.items() if differences[uid] is None for image in group]
        if not chosen:
            reason = next(iter(differences.values()))
            raise InputError(f"The images in {name} are not those of the maps: {reason}.", _HINT)
        _require_one([image.study_uid for image in chosen], "Study Instance UID", name)
        _require_one([image.frame_of_reference_uid for image in chosen], "Frame of Reference UID", name)
        slices = _by_slice(chosen, geometry, name)
        return SourceSeries(_whole_header(slices[0][-1]), slices, geometry, _in_place(slices, geometry))


def _images(source: Path | Sequence[Dataset]) -> Iterable[SourceImage]:
    if isinstance(source, Path):
        for h in scan_folder(source).images:
            plane = (h.rows, h.columns, *h.pixel_spacing, *h.orientation)
            time = (h.acquired_s or 0.0, h.reference_s or 0.0)
            yield SourceImage(
                h.sop_uid, h.series_uid, h.study_uid, h.frame_of_reference_uid, plane, h.position, time, h.path
            )
        return
    keywords = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
    for ds in source:
        if ds.get("SOPClassUID") != PositronEmissionTomographyImageStorage:
            continue
        numbers = [ds.get(k) or () for k in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient")]
        spacing, orientation, position = (tuple(float(v) for v in values) for values in numbers)
        plane = (int(ds.get("Rows") or 0), int(ds.get("Columns") or 0), *spacing, *orientation)
        day, clock = day_seconds(str(ds.get("AcquisitionDate") or "")), str(ds.get("AcquisitionTime") or "")
        time = ((day or 0.0) + (clock_seconds(clock) or 0.0), float(ds.get("FrameReferenceTime") or 0.0) / 1000.0)
        sop, series, study, frame = (str(ds.get(k) or "") for k in keywords)
        yield SourceImage(sop, series, study, frame, plane, position, time, ds)


def _depths(images: Sequence[SourceImage], axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where images lie along an axis, mm."""
    return np.asarray(np.array([image.position for image in images]) @ axis, dtype=np.float64)


def _slice_depths(geometry: VolumeGeometry) -> NDArray[np.float64]:
    """Where the map's slices lie along its slice axis, mm."""
    axis, step = geometry.direction[:, 2], geometry.spacing_mm[2]
    return np.asarray(np.array(geometry.origin_mm) @ axis + step * np.arange(geometry.shape[0]), dtype=np.float64)


def _difference(images: list[SourceImage], geometry: VolumeGeometry) -> str | None:
    """Why the images do not lie on the grid, in words; None when they do.

    The end slices must agree: between them slices may be unevenly spaced, the map has their mean spacing.
    """
    planes = np.array([image.plane for image in images])
    if not np.allclose(planes, planes[0], rtol=0.0, atol=1e-4):
        return "their sizes, pixel spacings or orientations differ from image to image"
    rows, columns, between_rows, between_columns = planes[0, :4]
    row, column = planes[0, 4:].reshape(2, 3)
    axis = np.cross(row, column)
    # the map's slice axis, so that neither slice order is a difference
    axis = axis if axis @ geometry.direction[:, 2] >= 0 else -axis
    depths = _depths(images, axis)
    order = np.argsort(depths)
    ordered = depths[order]
    planes_at = ordered[np.diff(ordered, prepend=-np.inf) > _SAME_PLANE_MM]
    count = planes_at.size
    spacing = float(planes_at[-1] - planes_at[0]) / (count - 1) if count > 1 else geometry.spacing_mm[2]
    origin, last = (np.array(images[order[i]].position) for i in (0, -1))
    try:
        source = VolumeGeometry(
            (count, int(rows), int(columns)),
            (between_columns, between_rows, spacing),
            tuple(origin),
            np.stack([row, column, axis], axis=1),
        )
    except InputError as error:
        return error.message.rstrip(".")
    aside = float(np.linalg.norm((last - origin) - axis * (ordered[-1] - ordered[0])))
    if aside > _SAME_GRID_MM:
        return f"their slices are shifted sideways by {aside:.2f} mm"
    uneven = float(np.abs(planes_at - np.linspace(planes_at[0], planes_at[-1], count)).max())
    if uneven > spacing / 2:
        return f"their slices are not evenly spaced, by up to {uneven:.1f} mm"
    return geometry.difference(source, _SAME_GRID_MM)


def _by_slice(images: list[SourceImage], geometry: VolumeGeometry, name: str) -> tuple[tuple[SourceImage, ...], ...]:
    """The images at every slice of the map, in order of time."""
    at = np.abs(_depths(images, geometry.direction[:, 2])[:, None] - _slice_depths(geometry)).argmin(axis=1)
    slices: list[list[SourceImage]] = [[] for _ in range(geometry.shape[0])]
    for image, k in zip(images, at, strict=True):
        slices[k].append(image)
    counts = [len(group) for group in slices]
    if min(counts) != max(counts):
        raise InputError(
            f"The images in {name} are not complete: slice {int(np.argmin(counts)) + 1} has {min(counts)} images, "
            f"slice {int(np.argmax(counts)) + 1} has {max(counts)}.",
            _HINT,
        )
    for group in slices:
        group.sort(key=lambda image: image.time)
        for earlier, later in pairwise(group):
            if earlier.time == later.time and earlier.series_uid != later.series_uid:
                raise InputError(
                    f"There are two PET series of the same times and positions in {name}.",
                    "Give the folder of the one that the maps were computed from.",
                )
    return tuple(tuple(group) for group in slices)


def _require_one(uids: list[str], what: str, name: str) -> None:
    if len(set(uids)) > 1:
        raise InputError(f"The images in {name} do not have one {what} but {len(set(uids))}.", _HINT)
    if not uids[0]:
        raise InputError(
            f"The images in {name} have no {what}; without it a DICOM map cannot be filed and placed.",
            "Export the series from the scanner or archive again, with this attribute kept.",
        )


def _in_place(slices: tuple[tuple[SourceImage, ...], ...], geometry: VolumeGeometry) -> bool:
    depths = np.array([_depths(group, geometry.direction[:, 2]) for group in slices])
    return bool(np.abs(depths - _slice_depths(geometry)[:, None]).max() <= _SAME_GRID_MM)


def _whole_header(image: SourceImage) -> Dataset:
    if isinstance(image.header, Path):
        return pydicom.dcmread(image.header, stop_before_pixels=True, force=True)
    return image.header
