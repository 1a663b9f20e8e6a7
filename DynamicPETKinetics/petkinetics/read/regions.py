"""Regions of interest: a label map, the names of its labels, and how it lies on the PET grid.

``read_regions`` reads a file; ``to_grid_nearest`` brings its labels to the PET grid for maps;
``fractional_coverage`` says which share of each PET voxel a region covers, for curves.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry

if TYPE_CHECKING:
    import SimpleITK

IntArray = NDArray[np.integer[Any]]

#: two grids are parallel when no axis of one leans by more than this (direction cosine) from an axis of the other
_PARALLEL = 1e-4


@dataclass(frozen=True, eq=False)
class Regions:
    """A label map: 0 is background, every other value a region.

    :param labels: integers (slices, rows, columns).
    :param names: label value -> name; labels without one are called "label N".
    :param geometry: the label map's own voxel grid, which need not be the PET's.
    :param source: file name, for messages.
    :raises InputError: the array does not fit the grid.
    """

    labels: IntArray
    names: Mapping[int, str]
    geometry: VolumeGeometry
    source: str = "the label map"
    selected: tuple[int, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.labels.shape != self.geometry.shape:
            raise InputError(
                f"The label map has {self.labels.shape} voxels, its grid {self.geometry.shape} (slices, rows, columns)."
            )

    @cached_property
    def _voxels(self) -> dict[int, NDArray[np.intp]]:
        return voxels_by_label(self.labels)

    @property
    def label_values(self) -> tuple[int, ...]:
        """The labels that occur (and are selected, where a selection was made), in order."""
        return tuple(sorted(v for v in self._voxels if not self.selected or v in self.selected))

    def name(self, label: int) -> str:
        """The region's name."""
        return self.names.get(label, f"label {label}")

    def voxels(self, label: int) -> NDArray[np.intp]:
        """Flat indices of the voxels of one label.

        :raises InputError: the label does not occur.
        """
        if label not in self._voxels:
            present = ", ".join(str(v) for v in list(self._voxels)[:12]) or "none"
            raise InputError(f"{self.source} has no label {label}; the labels in it are {present}.")
        return self._voxels[label]

    def select(self, label: int | str) -> Regions:
        """Only one region, by its value or its name.

        :raises InputError: the label does not occur.
        """
        if isinstance(label, str) and not label.lstrip("-").isdigit():
            matching = [v for v, n in self.names.items() if n.casefold() == label.casefold()]
            if not matching:
                known = ", ".join(f"{v} ({self.name(v)})" for v in self.label_values[:12])
                raise InputError(f"{self.source} has no region named '{label}'; it has {known}.")
            value = matching[0]
        else:
            value = int(label)
        self.voxels(value)
        return replace(self, selected=(value,))


@dataclass(frozen=True, eq=False)
class RegionWeights:
    """Which share of each voxel of a grid a region covers.

    :param name: the region's name.
    :param label: its label value.
    :param geometry: the grid (the PET's).
    :param index: flat indices of the voxels it touches, increasing.
    :param weight: covered share of each, float32 above 0 up to 1, same shape as *index*.
    """

    name: str
    label: int
    geometry: VolumeGeometry
    index: NDArray[np.intp]
    weight: NDArray[np.float32]

    @property
    def volume_ml(self) -> float:
        """The region's volume within the grid, mL."""
        return float(self.weight.sum(dtype=np.float64)) * self.geometry.voxel_volume_ml

    @property
    def slices(self) -> tuple[int, int]:
        """First slice touched, and one past the last."""
        in_slice = self.geometry.shape[1] * self.geometry.shape[2]
        return int(self.index[0]) // in_slice, int(self.index[-1]) // in_slice + 1

    def volume(self) -> NDArray[np.float32]:
        """The weights as an array on the grid, (slices, rows, columns)."""
        volume = np.zeros(self.geometry.shape, dtype=np.float32)
        volume.reshape(-1)[self.index] = self.weight
        return volume


def voxels_by_label(labels: IntArray) -> dict[int, NDArray[np.intp]]:
    """Flat voxel indices of every label above zero, found in one pass."""
    flat = np.ascontiguousarray(labels).reshape(-1)
    index = np.flatnonzero(flat != 0)
    if not index.size:
        return {}
    values = flat[index]
    order = np.argsort(values, kind="stable")
    values, index = values[order], index[order]
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    return {int(values[s]): part for s, part in zip(starts, np.split(index, starts[1:]), strict=True)}


def read_regions(spec: str | Path) -> Regions:
    """Read a label map (NIfTI, or another volume format that SimpleITK reads).

    Names come from a BIDS-style table beside it (``labels.nii.gz`` -> ``labels.tsv`` with the
    columns ``index`` and ``name``).

    :param spec: ``FILE``, or ``FILE:LABEL`` for one region by its value or name.
    :raises InputError: the file is missing or unreadable, is not one 3-D volume, holds values that
        are no labels (fractions, negative, not a number), is empty, or lacks the label asked for.
    """
    path, label = _split_spec(str(spec))
    regions = _read_label_map(path)
    return regions if label is None else regions.select(label)


def _split_spec(spec: str) -> tuple[Path, str | None]:
    path = Path(spec)
    if path.is_file():
        return path, None
    head, colon, label = spec.rpartition(":")
    if colon and label and Path(head).is_file():
        return Path(head), label
    if path.is_dir():
        raise InputError(f"{path.name} is a folder, not a label map.", "Give the region as a NIfTI file.")
    raise InputError(
        f"There is no label map {path.name}.", "Check the path; one region of a file is written FILE:LABEL."
    )


def _read_label_map(path: Path) -> Regions:
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(
            f"{path.name} could not be read as an image.", "A region is a label map, for example NIfTI (.nii.gz)."
        ) from error
    image = _one_volume(image, path.name)
    labels = _whole_numbers(sitk.GetArrayViewFromImage(image), path.name)
    regions = Regions(labels, _read_names(path), image_geometry(image), path.name)
    if not regions.label_values:
        raise InputError(f"The region in {path.name} is empty: every voxel is 0.")
    return regions


def _one_volume(image: SimpleITK.Image, name: str) -> SimpleITK.Image:
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        size = " x ".join(str(n) for n in image.GetSize())
        raise InputError(f"{name} is not one 3-D volume (its size is {size}).")
    return image


def _whole_numbers(values: NDArray[Any], name: str) -> IntArray:
    if values.dtype.kind == "f":
        whole = values.astype(np.int32, copy=False) if np.isfinite(values).all() else None
        if whole is None or not np.array_equal(whole, values):
            raise InputError(
                f"{name} is not a label map: it holds fractions or values that are not numbers.",
                "A region needs whole numbers: 0 outside, 1, 2, 3 ... inside. Was an image given in its place?",
            )
        values = whole
    if values.dtype.kind == "i" and values.min() < 0:
        raise InputError(
            f"{name} is not a label map: it holds negative values (down to {values.min()}).",
            "Was an image, such as a CT, given in its place?",
        )
    # The array belongs to the SimpleITK image, which ends with this call.
    return np.array(values)


def _read_names(path: Path) -> dict[int, str]:
    table = path.with_name(file_stem(path) + ".tsv")
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    if rows and not {"index", "name"} <= rows[0].keys():
        raise InputError(f"{table.name} names the labels of {path.name} but lacks the columns 'index' and 'name'.")
    try:
        names = {int(row["index"]): row["name"].strip() for row in rows}
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{table.name} has a row whose index is not a whole number.") from error
    given = list(names.values())
    # tables and figures tell regions apart by name
    return {label: n if given.count(n) == 1 else f"{n} ({label})" for label, n in names.items() if n}


def file_stem(path: Path) -> str:
    """The file name without ``.nii.gz`` and the like."""
    return path.name[: -len(".nii.gz")] if path.name.endswith(".nii.gz") else path.stem


def image_geometry(image: SimpleITK.Image) -> VolumeGeometry:
    """The voxel grid of a 3-D SimpleITK image (which presents NIfTI in LPS)."""
    return VolumeGeometry(image.GetSize()[::-1], image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def to_grid_nearest(regions: Regions, geometry: VolumeGeometry) -> IntArray:
    """The labels on another grid, by nearest neighbour (for maps).

    :param geometry: the PET grid.
    :returns: (slices, rows, columns) of *geometry*; labels that are not selected become 0.
    :raises InputError: no voxel of the regions falls on the grid.
    """
    if regions.geometry.difference(geometry) is None:
        labels = regions.labels
    else:
        import SimpleITK as sitk

        labels = sitk.GetArrayFromImage(
            sitk.Resample(
                _image(regions.labels, regions.geometry),
                *_reference(geometry),
                sitk.Transform(),
                sitk.sitkNearestNeighbor,
            )
        )
    if regions.selected:
        labels = np.where(np.isin(labels, regions.selected), labels, 0)
    if not labels.any():
        raise _outside(regions, None)
    return labels


def fractional_coverage(regions: Regions, geometry: VolumeGeometry, label: int) -> RegionWeights:
    """Which share of each PET voxel a region covers (for curves).

    Exact where the axes of the two grids are parallel: the overlap of two boxes is the product of
    its overlaps along the axes. Otherwise each PET voxel is sampled at 4 or more points an axis.

    :param geometry: the PET grid.
    :raises InputError: the label does not occur, or lies outside the PET.
    """
    name = regions.name(label)
    index = regions.voxels(label)
    if regions.geometry.difference(geometry) is None:
        return RegionWeights(name, label, geometry, index, np.ones(index.size, dtype=np.float32))
    # from label-map indices (x, y, z) to PET indices
    matrix = np.linalg.solve(geometry.affine_lps, regions.geometry.affine_lps).astype(np.float64)
    low, high = _bounding_box(index, regions.labels.shape)
    first, last = _touched_box(matrix, low, high, geometry.shape)
    if (first >= last).any():
        raise _outside(regions, label)
    inside = regions.labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] == label
    if _is_parallel(regions.geometry, geometry):
        covered = _covered_exactly(inside, matrix, low, first, last)
    else:
        covered = _covered_by_sampling(regions, geometry, label, first, last)
    # shares below a thousandth of a voxel are rounding of the grids, not anatomy
    where = np.nonzero(covered > 1e-3)
    if not where[0].size:
        raise _outside(regions, label)
    flat = np.ravel_multi_index(tuple(w + f for w, f in zip(where, first, strict=True)), geometry.shape)
    return RegionWeights(name, label, geometry, flat, np.minimum(covered[where], 1.0).astype(np.float32))


def _outside(regions: Regions, label: int | None) -> InputError:
    what = "The regions" if label is None else f"The region '{regions.name(label)}'"
    return InputError(
        f"{what} of {regions.source} lie{'s' if label is not None else ''} outside the PET image.",
        "Was it drawn on another examination, or on an image with another frame of reference?",
    )


def _bounding_box(index: NDArray[np.intp], shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    zyx = np.unravel_index(index, shape)
    return np.array([c.min() for c in zyx]), np.array([c.max() + 1 for c in zyx])


def _touched_box(
    matrix: NDArray[np.float64], low: NDArray[np.intp], high: NDArray[np.intp], shape: tuple[int, int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """PET voxels (z, y, x), first and one past the last, that the box low..high of label voxels can touch."""
    corners_zyx = np.array([np.where(c, high, low) - 0.5 for c in np.ndindex(2, 2, 2)])
    corners = (matrix[:3, :3] @ corners_zyx[:, ::-1].T + matrix[:3, 3:])[::-1]
    first = np.maximum(np.floor(corners.min(axis=1) + 0.5).astype(np.intp), 0)
    last = np.minimum(np.ceil(corners.max(axis=1) + 0.5).astype(np.intp), shape)
    return first, last


def _is_parallel(a: VolumeGeometry, b: VolumeGeometry) -> bool:
    cosines = np.abs(a.direction.T @ b.direction)
    return bool(np.all((cosines < _PARALLEL) | (cosines > 1 - _PARALLEL)))


def _covered_exactly(
    inside: NDArray[np.bool_],
    matrix: NDArray[np.float64],
    low: NDArray[np.intp],
    first: NDArray[np.intp],
    last: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Covered shares of the PET voxels first..last (z, y, x), by overlaps along each axis."""
    linear = matrix[:3, :3][::-1, ::-1]  # in (z, y, x)
    offset = matrix[:3, 3][::-1]
    covered = inside.astype(np.float64)
    # axis of the label map that runs along each PET axis
    along = np.argmax(np.abs(linear), axis=1)
    for pet_axis, axis in enumerate(along):
        step = linear[pet_axis, axis]
        edges = offset[pet_axis] + step * (low[axis] - 0.5 + np.arange(inside.shape[axis] + 1))
        left, right = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
        voxel = np.arange(first[pet_axis], last[pet_axis])[:, None]
        overlap = np.clip(np.minimum(right, voxel + 0.5) - np.maximum(left, voxel - 0.5), 0.0, None)
        covered = np.moveaxis(np.tensordot(overlap, covered, axes=(1, axis)), 0, axis)
    return np.transpose(covered, along)


def _covered_by_sampling(
    regions: Regions, geometry: VolumeGeometry, label: int, first: NDArray[np.intp], last: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Covered shares of the PET voxels first..last (z, y, x) from points within each, a slice at a time."""
    import SimpleITK as sitk

    spacing = np.array(geometry.spacing_mm)
    # at least two points a label voxel, so that thin regions are met
    points = np.clip(np.ceil(2.0 * spacing / min(regions.geometry.spacing_mm)), 4, 10).astype(int)
    mask = np.zeros(regions.labels.shape, dtype=np.uint8)
    mask.reshape(-1)[regions.voxels(label)] = 1
    image = _image(mask, regions.geometry)
    size = (last - first)[::-1]
    covered = np.empty(tuple(last - first))
    for k in range(size[2]):
        corner = np.array([first[2], first[1], first[0] + k]) - 0.5 + 0.5 / points
        origin = geometry.affine_lps @ np.append(corner, 1.0)
        fine = sitk.Resample(
            image,
            [int(n) for n in (size[0] * points[0], size[1] * points[1], points[2])],
            sitk.Transform(),
            sitk.sitkNearestNeighbor,
            [float(o) for o in origin[:3]],
            [float(s) for s in spacing / points],
            geometry.direction.ravel().tolist(),
        )
        values = sitk.GetArrayViewFromImage(fine)
        covered[k] = values.reshape(points[2], size[1], points[1], size[0], points[0]).mean(axis=(0, 2, 4))
    return covered


def _image(values: NDArray[Any], geometry: VolumeGeometry) -> SimpleITK.Image:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(values)
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.direction.ravel().tolist())
    return image


def _reference(geometry: VolumeGeometry) -> tuple[SimpleITK.Image]:
    import SimpleITK as sitk

    image = sitk.Image(*(int(n) for n in geometry.shape[::-1]), sitk.sitkUInt8)
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.direction.ravel().tolist())
    return (image,)


def one_region(spec: str | Path, geometry: VolumeGeometry) -> RegionWeights:
    """The only region of a label map (or the one that ``FILE:LABEL`` names), on another grid.

    :raises InputError: there are several, or as :func:`read_regions` and :func:`fractional_coverage`.
    """
    regions = read_regions(spec)
    labels = regions.label_values
    if len(labels) != 1:
        known = ", ".join(f"{v} ({regions.name(v)})" for v in labels[:12])
        raise InputError(f"{regions.source} holds {len(labels)} regions: {known}.", "Choose one with FILE:LABEL.")
    return fractional_coverage(regions, geometry, labels[0])
