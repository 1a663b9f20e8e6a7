"""Regions on the PET grid: by nearest neighbour for maps, by fractional coverage for curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.read.region_map import IntArray, NoRegions, Regions, RegionWeights, voxels_by_label
from petkinetics.series import VolumeGeometry

if TYPE_CHECKING:
    import SimpleITK

#: two grids are parts of one lattice when their voxels lie on each other to this share of a voxel
_SAME_LATTICE = 1e-3
#: two grids are parallel when no axis of one leans by more than this (direction cosine) from an axis of the other
_PARALLEL = 1e-4


def to_grid_nearest(regions: Regions, geometry: VolumeGeometry) -> IntArray:
    """The labels on another grid, by nearest neighbour (for pictures and masks; of two that overlap one shows).

    :param geometry: the PET grid.
    :returns: (slices, rows, columns) of *geometry*; labels that are not selected become 0.
    :raises NoRegions: no voxel of the regions falls on the grid.
    """
    labels = _nearest(regions.flattened(), regions.geometry, geometry)
    if not labels.any():
        raise _outside(regions, None)
    return labels


def voxels_on_grid(regions: Regions, geometry: VolumeGeometry) -> dict[int, NDArray[np.intp]]:
    """Flat indices of each region's voxels on another grid, by nearest neighbour; regions may overlap.

    :param geometry: the PET grid.
    :returns: (voxels,) by label; labels that are not selected, or cover no voxel of the grid, are left out.
    :raises NoRegions: no voxel of the regions falls on the grid.
    """
    found: dict[int, NDArray[np.intp]] = {}
    for layer in regions.all_layers:
        found.update(voxels_by_label(_nearest(layer, regions.geometry, geometry)))
    wanted = {label: found[label] for label in regions.label_values if label in found}
    if not wanted:
        raise _outside(regions, None)
    return wanted


def _nearest(labels: IntArray, here: VolumeGeometry, there: VolumeGeometry) -> IntArray:
    if here.difference(there) is None:
        return labels
    steps = _steps_between(here, there)
    if steps is not None:
        return _moved(labels, steps, there.shape)
    import SimpleITK as sitk

    # Only the part of the grid that a label can reach: the whole one costs as much for a sphere as for the body.
    out = np.zeros(there.shape, dtype=labels.dtype)
    index = np.flatnonzero(labels)
    if not index.size:
        return out
    matrix = np.linalg.solve(there.affine_lps, here.affine_lps).astype(np.float64)
    first, last = _touched_box(matrix, *_bounding_box(index, labels.shape), there.shape)
    first, last = np.maximum(first - 1, 0), np.minimum(last + 1, there.shape)
    if (first >= last).any():
        return out
    part = VolumeGeometry(
        tuple(last - first), there.spacing_mm, tuple((there.affine_lps @ [*first[::-1], 1.0])[:3]), there.direction
    )
    nearest = sitk.sitkNearestNeighbor
    found = sitk.Resample(_image(labels, here), *_reference(part), sitk.Transform(), nearest)
    out[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = sitk.GetArrayViewFromImage(found)
    return out


def _steps_between(here: VolumeGeometry, there: VolumeGeometry) -> NDArray[np.intp] | None:
    """Voxels (z, y, x) from the first of *there* to the first of *here*, where both are parts of one lattice."""
    matrix = np.linalg.solve(there.affine_lps, here.affine_lps)[:3]
    drift = np.abs(matrix[:, :3] - np.eye(3)) @ np.array(here.shape[::-1])
    steps = np.round(matrix[:, 3])
    if np.any(drift + np.abs(matrix[:, 3] - steps) > _SAME_LATTICE):
        return None
    return steps[::-1].astype(np.intp)


def _moved(labels: IntArray, steps: NDArray[np.intp], shape: tuple[int, int, int]) -> IntArray:
    """Labels on another part of their lattice; what lies beyond it is left out."""
    out = np.zeros(shape, dtype=labels.dtype)
    low, high = np.maximum(steps, 0), np.minimum(steps + labels.shape, shape)
    if (low < high).all():
        there = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        here = tuple(slice(a, b) for a, b in zip(low - steps, high - steps, strict=True))
        out[there] = labels[here]
    return out


def fractional_coverage(regions: Regions, geometry: VolumeGeometry, label: int) -> RegionWeights:
    """Which share of each PET voxel a region covers (for curves).

    Exact where the axes of the two grids are parallel: the overlap of two boxes is the product of
    its overlaps along the axes. Otherwise each PET voxel is sampled at 4 or more points an axis.

    :param geometry: the PET grid.
    :raises InputError: the label does not occur, or lies outside the PET (:class:`NoRegions`).
    """
    name = regions.name(label)
    index = regions.voxels(label)
    if regions.geometry.difference(geometry) is None:
        return RegionWeights(name, label, geometry, index, np.ones(index.size, dtype=np.float32))
    steps = _steps_between(regions.geometry, geometry)
    if steps is not None:
        zyx = np.array(np.unravel_index(index, regions.labels.shape)) + steps[:, None]
        within = np.all((zyx >= 0) & (zyx < np.array(geometry.shape)[:, None]), axis=0)
        if not within.any():
            raise _outside(regions, label)
        flat = np.ravel_multi_index(tuple(zyx[:, within]), geometry.shape)
        return RegionWeights(name, label, geometry, flat, np.ones(flat.size, dtype=np.float32))
    # from label-map indices (x, y, z) to PET indices
    matrix = np.linalg.solve(geometry.affine_lps, regions.geometry.affine_lps).astype(np.float64)
    low, high = _bounding_box(index, regions.labels.shape)
    first, last = _touched_box(matrix, low, high, geometry.shape)
    if (first >= last).any():
        raise _outside(regions, label)
    inside = regions.layer_of(label)[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] == label
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


def _outside(regions: Regions, label: int | None) -> NoRegions:
    what = "The regions" if label is None else f"The region '{regions.name(label)}'"
    return NoRegions(
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
