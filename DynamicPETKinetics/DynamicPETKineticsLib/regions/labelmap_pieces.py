"""The voxels behind segments: pieces of labelmaps, brought to one grid in as few layers as they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray

import slicer
from DynamicPETKineticsLib.regions.node_geometry import (
    Float64,
    array_of_image,
    ijk_to_ras,
    oriented_image,
)
from petkinetics.read.region_map import bounding_box
from petkinetics.series import VolumeGeometry

#: two grids are one lattice when their voxels lie within this share of a voxel
_SAME_LATTICE = 1e-2
#: a PET voxel is divided at most this many times an axis where segments must be sampled
_MOST_DIVISIONS = 4
#: of the grid that they are sampled on
_MOST_VOXELS = 40_000_000


@dataclass(frozen=True, eq=False)
class Piece:
    """The part of one labelmap in which its segments lie.

    :param labels: our labels, (k, j, i); 0 is background.
    :param first: index (k, j, i) of its first voxel on the labelmap's lattice.
    :param matrix: from (i, j, k, 1) of that lattice to RAS.
    """

    labels: NDArray[Any]
    first: tuple[int, int, int]
    matrix: Float64

    @property
    def labels_present(self) -> set[int]:
        """The labels that occur."""
        return set(np.flatnonzero(np.bincount(self.labels.reshape(-1))).tolist()) - {0}

    @property
    def last(self) -> tuple[int, int, int]:
        """One past its last voxel, (k, j, i)."""
        (k, j, i), (slices, rows, columns) = self.first, self.labels.shape
        return k + slices, j + rows, i + columns


def pieces_of(segmentation: Any, segment_ids: Sequence[str]) -> list[Piece]:
    """One piece a labelmap; labels are places in *segment_ids*, from 1. Empty labelmaps give none.

    Segments that don't overlap share a labelmap in Slicer, under different values.
    """
    inside = segmentation.GetSegmentation()
    kind = np.uint8 if len(segment_ids) < 256 else np.uint16
    maps: dict[str, tuple[Any, dict[int, int]]] = {}
    for label, segment_id in enumerate(segment_ids, start=1):
        labelmap = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
        if labelmap is None or labelmap.IsEmpty() or labelmap.GetPointData().GetScalars() is None:
            continue
        values = maps.setdefault(labelmap.GetAddressAsString(""), (labelmap, {}))[1]
        values[int(inside.GetSegment(segment_id).GetLabelValue())] = label
    pieces = []
    for labelmap, values in maps.values():
        voxels = array_of_image(labelmap)
        box = bounding_box(voxels)
        if box is None:
            continue
        part = voxels[box].astype(np.int64) if voxels.dtype.kind == "f" else voxels[box]
        table = np.zeros(max(int(part.max()), *values) + 1, dtype=kind)
        table[list(values)] = list(values.values())
        labels = table[part]
        inner = bounding_box(labels)
        if inner is None:
            continue
        start = labelmap.GetExtent()[::2][::-1]
        k, j, i = (s + b.start + c.start for s, b, c in zip(start, box, inner, strict=True))
        matrix = vtk.vtkMatrix4x4()
        labelmap.GetImageToWorldMatrix(matrix)
        pieces.append(Piece(labels[inner], (k, j, i), np.asarray(slicer.util.arrayFromVTKMatrix(matrix))))
    return pieces


def join(pieces: Sequence[Piece]) -> tuple[list[NDArray[Any]], Float64]:
    """All pieces on the lattice of the finest, in layers where they overlap.

    :returns: label maps of one shape, and the matrix from their (i, j, k, 1) to RAS.
    """
    finest = min(pieces, key=lambda piece: abs(float(np.linalg.det(piece.matrix[:3, :3]))))
    moved = [piece if piece is finest else _on_lattice(piece, finest.matrix) for piece in pieces]
    low = np.min([piece.first for piece in moved], axis=0)
    high = np.max([piece.last for piece in moved], axis=0)
    layers: list[NDArray[Any]] = []
    for piece in moved:
        box = tuple(slice(a, b) for a, b in zip(piece.first - low, piece.last - low, strict=True))
        _lay(layers, piece.labels, box, tuple((high - low).tolist()))
    matrix = finest.matrix.copy()
    matrix[:3, 3] += matrix[:3, :3] @ low[::-1]
    return layers, matrix


def _lay(layers: list[NDArray[Any]], labels: NDArray[Any], box: tuple[slice, ...], shape: tuple[int, ...]) -> None:
    """Put labels into the first layer that has room for them."""
    inside = labels > 0
    for layer in layers:
        if not layer[box][inside].any():
            layer[box][inside] = labels[inside]
            return
    layer = np.zeros(shape, dtype=labels.dtype)
    layer[box] = labels
    layers.append(layer)


def _on_lattice(piece: Piece, matrix: Float64) -> Piece:
    """A piece on another lattice: shifted where the two are the same, else by nearest neighbour."""
    between = np.linalg.solve(matrix, piece.matrix)
    shift = between[:3, 3]
    extent = np.max([np.abs(piece.first), np.abs(piece.last)], axis=0)[::-1]
    drift = np.abs(between[:3, :3] - np.eye(3)) @ extent
    if np.all(drift + np.abs(shift - np.round(shift)) < _SAME_LATTICE):
        i, j, k = (int(steps) for steps in np.round(shift))
        return Piece(piece.labels, (piece.first[0] + k, piece.first[1] + j, piece.first[2] + i), matrix)
    corners = np.array([[*np.where(c, piece.last, piece.first)[::-1] - 0.5, 1.0] for c in np.ndindex(2, 2, 2)])
    places = (between @ corners.T)[:3]
    low = np.floor(places.min(axis=1)).astype(int)[::-1]
    high = np.ceil(places.max(axis=1)).astype(int)[::-1] + 1
    first = (int(low[0]), int(low[1]), int(low[2]))
    return Piece(_resampled(piece, None, matrix, first, tuple((high - low).tolist())), first, matrix)


def _resampled(
    piece: Piece, transform: Any, matrix: Float64, first: tuple[int, int, int], shape: tuple[int, ...]
) -> NDArray[Any]:
    """A piece's labels on another grid by nearest neighbour."""
    source = oriented_image(piece.labels, piece.matrix, piece.first)
    reference = slicer.vtkOrientedImageData()
    reference.SetExtent(*(edge for n, s in zip(shape[::-1], first[::-1], strict=True) for edge in (s, s + n - 1)))
    reference.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(matrix))
    out = slicer.vtkOrientedImageData()
    arguments = (source, reference, out, False, False, *(() if transform is None else (transform,)))
    if not slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(*arguments):
        return np.zeros(shape, dtype=piece.labels.dtype)
    return array_of_image(out).copy()


def sampled(
    pieces: Sequence[Piece], transform: Any, pet: VolumeGeometry
) -> tuple[list[NDArray[Any]], VolumeGeometry] | None:
    """All pieces on a grid parallel to the PET's, finer than it, where they lie within the PET.

    Each PET voxel is divided evenly, so that what is covered of it can be counted.

    :param transform: vtkAbstractTransform from the pieces' RAS to the PET's.
    :returns: label maps in layers and their grid; None where all lie outside the PET.
    """
    low, high = _touched(pieces, transform, pet)
    if (low >= high).any():
        return None
    finest = min(float(np.linalg.norm(piece.matrix[:3, :3], axis=0).min()) for piece in pieces)
    wanted = np.clip(np.ceil(2.0 * np.array(pet.spacing_mm[::-1]) / finest), 2, _MOST_DIVISIONS).astype(int)
    while np.prod((high - low) * wanted, dtype=np.float64) > _MOST_VOXELS and wanted.max() > 1:
        wanted = np.maximum(wanted - 1, 1)
    shape = tuple(((high - low) * wanted).tolist())
    corner = np.append((low - 0.5 + 0.5 / wanted)[::-1], 1.0)
    spacing = tuple((np.array(pet.spacing_mm) / wanted[::-1]).tolist())
    grid = VolumeGeometry(shape, spacing, (pet.affine_lps @ corner)[:3].tolist(), pet.direction)
    layers: list[NDArray[Any]] = []
    everywhere = (slice(None), slice(None), slice(None))
    for piece in pieces:
        labels = _resampled(piece, transform, ijk_to_ras(grid), (0, 0, 0), shape)
        if labels.any() or not layers:
            _lay(layers, labels, everywhere, shape)
    return (layers, grid) if any(layer.any() for layer in layers) else None


def _touched(pieces: Sequence[Piece], transform: Any, pet: VolumeGeometry) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """PET voxels (k, j, i), first and one past the last, that the pieces can touch."""
    to_pet = np.linalg.inv(ijk_to_ras(pet))
    places = []
    for piece in pieces:
        # Points all over the box: where it bends, its corners are not its outermost points.
        axes = [np.linspace(a - 0.5, b - 0.5, 7) for a, b in zip(piece.first, piece.last, strict=True)]
        k, j, i = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
        points = (piece.matrix @ np.stack([i, j, k, np.ones_like(i)]))[:3].T
        moved = np.array([transform.TransformPoint(point) for point in points.tolist()])
        places.append((to_pet @ np.column_stack([moved, np.ones(len(moved))]).T)[:3].T[:, ::-1])
    every = np.concatenate(places)
    low = np.maximum(np.floor(every.min(axis=0) + 0.5).astype(np.intp) - 1, 0)
    high = np.minimum(np.ceil(every.max(axis=0) + 0.5).astype(np.intp) + 1, pet.shape)
    return low, high
