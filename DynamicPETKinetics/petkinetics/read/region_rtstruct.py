"""Regions from RT Structure Sets: closed contours in parallel planes, filled on a fine grid.

A structure set has no voxels. Its contours are filled on a grid of its own, half a millimetre wide in
the plane (coarser where structures are very large) and one contour plane thick; from there they come
to the PET grid like every label map, for curves by fractional coverage. A contour stands for the slab
around its plane, half-way to its neighbours. A contour within another of the same structure and plane
is a hole (even-odd rule). Structures may overlap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from petkinetics.errors import InputError
from petkinetics.read.polygons import inside_polygons
from petkinetics.read.region_map import NoRegions, Regions, distinct_names, in_layers
from petkinetics.series import VolumeGeometry

Float64 = NDArray[np.float64]

_PIXEL_MM = 0.5
#: of one label map; beyond it the grid gets coarser
_MOST_VOXELS = 40_000_000
#: points of a contour may leave its plane, and planes their even spacing, by this much
_FLAT_MM = 0.1
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


def read_structure_set(path: Path, wanted: str | None = None) -> Regions:
    """Every structure that has closed contours, under its ROI number and name.

    :param wanted: number or name of the only structure that is needed, which is then filled alone; where
        there is no such structure, all are read.
    :raises InputError: the object is damaged, has no closed contours, or contours that are not flat, not
        parallel, or all in one plane (then the thickness of a slice is not known).
    """
    try:
        ds = dcmread(path)
        names = {int(item.ROINumber): str(item.get("ROIName", "")) for item in ds.get("StructureSetROISequence") or []}
        contours = {number: list(_contours(roi, path.name)) for number, roi in _rois(ds)}
    except InputError:
        raise
    except Exception as error:  # pydicom raises what it likes
        raise InputError(
            f"The structure set '{path.name}' is truncated or damaged ({error}).", "Export it again."
        ) from error
    contours = {number: found for number, found in contours.items() if found}
    if not contours:
        raise NoRegions(f"The structure set '{path.name}' has no closed contours, so no regions.")
    # planes are those of all contours: a structure in a single plane is as thick as the others' slices
    planes = _Planes.of([c for found in contours.values() for c in found], path.name)
    if wanted is not None:
        chosen = {n: c for n, c in contours.items() if wanted.casefold() in (str(n), names.get(n, "").casefold())}
        contours = chosen or contours
    geometry, x, y = planes.grid(contours.values())
    filled = ((number, planes.fill(found, geometry, x, y)) for number, found in contours.items())
    layers = in_layers(filled)
    named = [(number, names.get(number, "")) for number in contours]
    regions = Regions(layers[0], distinct_names(named), geometry, path.name, layers=tuple(layers[1:]))
    if not regions.label_values:
        raise NoRegions(f"The contours in '{path.name}' enclose nothing.")
    return regions


def _rois(ds: Dataset) -> Iterator[tuple[int, Dataset]]:
    for item in ds.get("ROIContourSequence") or []:
        number = int(item.ReferencedROINumber)
        if number < 1:
            raise InputError(f"The structure set has a ROI with the number {number}; numbers above zero are needed.")
        yield number, item


def _contours(roi: Dataset, name: str) -> Iterator[Float64]:
    """The closed contours of a structure, each (points, 3) in mm (LPS)."""
    for item in roi.get("ContourSequence") or []:
        if str(item.get("ContourGeometricType", "")) not in _CLOSED:
            continue  # points and open lines enclose nothing
        data = _numbers(item)
        if data.size % 3 or not np.isfinite(data).all():
            raise InputError(f"A contour in '{name}' has coordinates that are no points in space.", "Export it again.")
        if data.size >= 9:
            yield data.reshape(-1, 3)


def _numbers(item: Dataset) -> Float64:
    """A contour's coordinates, without a pydicom object for each of what may be a million."""
    element = item.get_item("ContourData") if "ContourData" in item else None
    value = None if element is None else element.value
    if isinstance(value, bytes):
        parts: Sequence[object] = value.decode("ascii").strip(" \x00").split("\\")
    else:
        parts = value if isinstance(value, Sequence) else []
    return np.array([float(str(part)) for part in parts if part not in ("", None)], dtype=np.float64)


class _Planes:
    """The parallel planes of a structure set's contours.

    :param axes: unit vectors of a row, of a column and across the planes, as columns.
    :param first: of the planes, mm along the normal.
    """

    def __init__(self, axes: Float64, first: float, spacing: float, count: int) -> None:
        self._axes, self._first, self._spacing, self._count = axes, first, spacing, count

    @classmethod
    def of(cls, contours: list[Float64], name: str) -> _Planes:
        """Planes in which all contours lie.

        :raises InputError: there are none.
        """
        axes = _axes(contours)
        depth = [contour @ axes[:, 2] for contour in contours]
        off = max(float(np.ptp(d)) for d in depth)
        if off > 2 * _FLAT_MM:
            raise InputError(
                f"The contours in '{name}' do not lie in parallel planes (by {off:.1f} mm).",
                "Only contours drawn slice by slice on one stack of images are supported.",
            )
        places = np.unique(np.round([float(d.mean()) for d in depth], 2))
        places = places[np.concatenate([[True], np.diff(places) > _FLAT_MM])]
        if places.size < 2:
            raise InputError(
                f"All contours in '{name}' lie in one plane, so the thickness of a slice is not known.",
                "Give the region as a segmentation or a label map.",
            )
        spacing = float(np.diff(places).min())
        index = (places - places[0]) / spacing
        # planes may be left out, but those that are there must fit an even spacing
        spacing = float((places[-1] - places[0]) / round(index[-1]))
        index = (places - places[0]) / spacing
        if np.abs(index - np.round(index)).max() * spacing > 5 * _FLAT_MM:
            steps = np.diff(places)
            raise InputError(
                f"The contour planes in '{name}' are unevenly spaced "
                f"(steps of {steps.min():.2f}-{steps.max():.2f} mm).",
                "Give the region as a segmentation or a label map.",
            )
        return cls(axes, float(places[0]), spacing, round(index[-1]) + 1)

    def grid(self, contours: Iterable[list[Float64]]) -> tuple[VolumeGeometry, Float64, Float64]:
        """A grid around all contours, and the places of its columns and rows along the plane's axes."""
        points = np.concatenate([c for found in contours for c in found]) @ self._axes[:, :2]
        low, high = points.min(axis=0), points.max(axis=0)
        extent = np.maximum(high - low, _PIXEL_MM)
        pixel = max(_PIXEL_MM, float(np.sqrt(extent.prod() * self._count / _MOST_VOXELS)))
        counts = np.ceil(extent / pixel).astype(int)
        x, y = (low[i] + (extent[i] - counts[i] * pixel) / 2 + pixel * (np.arange(counts[i]) + 0.5) for i in (0, 1))
        origin = self._axes @ np.array([x[0], y[0], self._first])
        shape = (self._count, y.size, x.size)
        return VolumeGeometry(shape, (pixel, pixel, self._spacing), origin.tolist(), self._axes), x, y

    def fill(self, contours: list[Float64], geometry: VolumeGeometry, x: Float64, y: Float64) -> NDArray[np.bool_]:
        """Voxels whose centres lie inside a structure's contours."""
        by_plane: dict[int, list[Float64]] = defaultdict(list)
        for contour in contours:
            placed = contour @ self._axes
            k = round((float(placed[:, 2].mean()) - self._first) / self._spacing)
            by_plane[k].append(placed[:, :2])
        inside = np.zeros(geometry.shape, dtype=bool)
        for k, polygons in by_plane.items():
            inside[k] = inside_polygons(polygons, x, y)
        return inside


def _axes(contours: list[Float64]) -> Float64:
    """Axes of the planes: from the contour with the largest area; axial contours get the patient's own axes."""
    best = np.zeros(3)
    for contour in contours:
        centred = contour - contour.mean(axis=0)
        # twice the area, as a vector across the plane
        area = np.cross(centred, np.roll(centred, -1, axis=0)).sum(axis=0)
        if np.linalg.norm(area) > np.linalg.norm(best):
            best = area
    if not np.linalg.norm(best) > 0:
        return np.eye(3)
    normal = best / np.linalg.norm(best)
    largest = int(np.argmax(np.abs(normal)))
    normal = normal * np.sign(normal[largest])
    if np.abs(normal[largest]) > 1 - 1e-6:
        normal = np.eye(3)[largest]
    along = np.eye(3)[(largest + 1) % 3]
    along = along - (along @ normal) * normal
    along /= np.linalg.norm(along)
    return np.stack([along, np.cross(normal, along), normal], axis=1)
