"""What a region is: a label map with names, and its share of every voxel of another grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.series import VolumeGeometry

IntArray = NDArray[np.integer[Any]]


class NoRegions(InputError):
    """A file of regions holds none, or none that lies in the image: what a patient without lesions has."""


@dataclass(frozen=True, eq=False)
class Regions:
    """A label map: 0 is background, every other value a region. Regions that overlap lie in further layers.

    :param labels: integers (slices, rows, columns).
    :param names: label value -> name; labels without one are called "label N".
    :param geometry: the label map's own voxel grid, which need not be the PET's.
    :param layers: label maps beyond the first, on the same grid; a label occurs in one layer only.
    :param source: file name, for messages.
    :raises InputError: the array does not fit the grid.
    """

    labels: IntArray
    names: Mapping[int, str]
    geometry: VolumeGeometry
    source: str = "the label map"
    selected: tuple[int, ...] = field(default=())
    layers: tuple[IntArray, ...] = field(default=())

    def __post_init__(self) -> None:
        if any(layer.shape != self.geometry.shape for layer in self.all_layers):
            raise InputError(
                f"The label map has {self.labels.shape} voxels, its grid {self.geometry.shape} (slices, rows, columns)."
            )

    @property
    def all_layers(self) -> tuple[IntArray, ...]:
        """All label maps, the first one included."""
        return (self.labels, *self.layers)

    @cached_property
    def _voxels(self) -> dict[int, NDArray[np.intp]]:
        return {label: voxels for layer in self.all_layers for label, voxels in voxels_by_label(layer).items()}

    def layer_of(self, label: int) -> IntArray:
        """The label map in which a label occurs.

        :raises InputError: it occurs in none.
        """
        first = self.voxels(label)[0]
        return next(layer for layer in self.all_layers if layer.reshape(-1)[first] == label)

    def flattened(self) -> IntArray:
        """One label map of the selected regions; where regions overlap, that of the earlier layer shows."""
        if not self.layers:
            return np.where(np.isin(self.labels, self.selected), self.labels, 0) if self.selected else self.labels
        flat = np.zeros(self.geometry.shape, dtype=np.result_type(*self.all_layers))
        for layer in reversed(self.all_layers):
            shown = np.isin(layer, self.label_values)
            flat[shown] = layer[shown]
        return flat

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
    """Flat voxel indices of every label above zero, (voxels,) each, found in one pass.

    :param labels: (slices, rows, columns).
    """
    flat = np.ascontiguousarray(labels).reshape(-1)
    index = np.flatnonzero(flat != 0)
    if not index.size:
        return {}
    values = flat[index]
    order = np.argsort(values, kind="stable")
    values, index = values[order], index[order]
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    return {int(values[s]): part for s, part in zip(starts, np.split(index, starts[1:]), strict=True)}


def distinct_names(named: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Label -> name, with the label added where several regions share a name: tables and figures go by names."""
    names = [(label, " ".join(name.split())) for label, name in named]
    given = [name for _, name in names]
    return {label: n if given.count(n) == 1 else f"{n} ({label})" for label, n in names if n}


def in_layers(regions: Iterable[tuple[int, NDArray[np.bool_]]]) -> list[IntArray]:
    """Label maps that hold all regions, as few as it takes when each goes into the first that has room for it.

    :param regions: label, above zero, and where it is, (slices, rows, columns), one after the other.
    """
    layers: list[IntArray] = []
    for label, whole in regions:
        # only where the region is: it is mostly a small part of the grid
        box = bounding_box(whole) or (slice(0, 0),) * 3
        inside = whole[box]
        number = next((i for i, layer in enumerate(layers) if not layer[box][inside].any()), len(layers))
        if number == len(layers):
            layers.append(np.zeros(whole.shape, dtype=np.uint8))
        # filled contours are large: as few bytes a voxel as the labels need
        kind = np.promote_types(layers[number].dtype, np.min_scalar_type(label))
        layers[number] = layers[number].astype(kind, copy=False)
        layers[number][box][inside] = label
    return layers


def bounding_box(voxels: NDArray[Any]) -> tuple[slice, slice, slice] | None:
    """The slices around everything that is not 0; None where everything is.

    :param voxels: a mask or labels, none below 0, (slices, rows, columns).
    """
    # A maximum over whole slices is the quickest look at bytes.
    planes = np.flatnonzero(voxels.reshape(voxels.shape[0], -1).max(axis=1))
    if not planes.size:
        return None
    k = slice(int(planes[0]), int(planes[-1]) + 1)
    flat = voxels[k].max(axis=0)
    rows, columns = np.flatnonzero(flat.any(axis=1)), np.flatnonzero(flat.any(axis=0))
    return k, slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
