"""Regions from DICOM Segmentation objects, through highdicom."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.read.region_map import IntArray, NoRegions, Regions, distinct_names, in_layers
from petkinetics.series import VolumeGeometry

if TYPE_CHECKING:
    from highdicom.seg import Segmentation

#: of a fractional segmentation (probability or occupancy), what counts as inside
_INSIDE = 0.5


def read_dicom_segmentation(path: Path) -> Regions:
    """Every segment under its segment number, named by its label; those that overlap in layers.

    Slices that the object leaves out are empty. Of fractional segmentations a voxel from 0.5 on is inside.

    :raises InputError: the object is damaged, or its segments are not one stack of parallel, evenly
        spaced slices, or all are empty.
    """
    from highdicom.seg import segread

    with warnings.catch_warnings():
        # the libraries quote values that look wrong, which may be the patient's
        warnings.simplefilter("ignore")
        try:
            segmentation = segread(path)
            volume_geometry, regions = _geometry(segmentation), _layers(segmentation)
        except InputError:
            raise
        except Exception as error:  # highdicom raises what it likes
            raise InputError(
                f"The DICOM segmentation '{path.name}' cannot be read as a volume ({error}).",
                "Its slices must be parallel, complete and evenly spaced.",
            ) from error
    named = [(int(n), str(segmentation.get_segment_description(n).segment_label)) for n in segmentation.segment_numbers]
    if not any(layer.any() for layer in regions):
        raise NoRegions(f"The DICOM segmentation '{path.name}' is empty: none of its segments has a voxel.")
    return Regions(regions[0], distinct_names(named), volume_geometry, path.name, layers=tuple(regions[1:]))


def _geometry(segmentation: Segmentation) -> VolumeGeometry:
    found = segmentation.get_volume_geometry(allow_missing_positions=True)
    if found is None:
        raise InputError(
            "The DICOM segmentation is not one stack of slices.", "Its slices must be parallel and evenly spaced."
        )
    # highdicom counts (slice, row, column); ours are the directions of column, row and slice index
    return VolumeGeometry(
        found.spatial_shape, found.spacing[::-1], found.position, np.stack(found.unit_vectors()[::-1], axis=1)
    )


def _layers(segmentation: Segmentation) -> list[IntArray]:
    if str(segmentation.segmentation_type.value) != "FRACTIONAL":
        try:
            return [segmentation.get_volume(combine_segments=True).array.astype(np.int32)]
        except RuntimeError:
            pass  # segments overlap
    each = ((int(n), _one_segment(segmentation, int(n))) for n in segmentation.segment_numbers)
    return in_layers(each)


def _one_segment(segmentation: Segmentation, number: int) -> NDArray[np.bool_]:
    return np.asarray(segmentation.get_volume(segment_numbers=[number]).array[..., 0] >= _INSIDE)
