"""Segmentations of 3D Slicer (``.seg.nrrd``): layers of label maps, with a name for every segment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from petkinetics.errors import InputError
from petkinetics.read.region_map import IntArray, NoRegions, Regions, distinct_names
from petkinetics.series import VolumeGeometry

if TYPE_CHECKING:
    import SimpleITK

_KEY = re.compile(r"Segment(\d+)_(ID|Name|LabelValue|Layer)")


def is_slicer_segmentation(image: SimpleITK.Image) -> bool:
    """Whether an image carries Slicer's description of segments."""
    return any(_KEY.fullmatch(key) for key in image.GetMetaDataKeys())


def regions_of_segmentation(image: SimpleITK.Image, name: str) -> Regions:
    """The segments as regions, numbered from 1 in the file's order: in layers, label values may repeat.

    :param name: of the file, for messages.
    :raises InputError: it is no volume of labels, or describes segments that it does not hold.
    """
    import SimpleITK as sitk

    if image.GetDimension() != 3:
        raise InputError(f"{name} is not one segmentation: it has {image.GetDimension()} axes in space.")
    representation = next(
        (
            image.GetMetaData(key)
            for key in ("Segmentation_SourceRepresentation", "Segmentation_MasterRepresentation")
            if image.HasMetaDataKey(key)
        ),
        "",
    )
    if representation not in ("", "Binary labelmap"):
        raise InputError(
            f"{name} holds segments as '{representation}', which is not supported.",
            "In Slicer, make the binary label map the source representation and save again.",
        )
    values = sitk.GetArrayViewFromImage(image)
    if values.dtype.kind not in "iu":
        raise InputError(f"{name} is no label map: its voxels are {values.dtype}.")
    # SimpleITK shows the list of layers as components of a voxel
    layers = [values] if image.GetNumberOfComponentsPerPixel() == 1 else list(np.moveaxis(values, -1, 0))
    segments: dict[int, dict[str, str]] = {}
    for key in image.GetMetaDataKeys():
        if match := _KEY.fullmatch(key):
            segments.setdefault(int(match[1]), {})[match[2]] = image.GetMetaData(key)
    found: list[IntArray] = [np.zeros(values.shape[:3], dtype=np.int32) for _ in layers]
    names: list[tuple[int, str]] = []
    for label, (number, said) in enumerate(sorted(segments.items()), start=1):
        try:
            # Slicer before 4.11 had one layer a segment, each with the value 1
            layer, value = int(said.get("Layer", number)), int(said.get("LabelValue", 1))
            inside = layers[layer] == value
        except (ValueError, IndexError) as error:
            raise InputError(
                f"Segment {number} of {name} lies in a layer that the file does not have, or has no label value."
            ) from error
        found[layer][inside] = label
        names.append((label, said.get("Name") or said.get("ID") or ""))
    geometry = VolumeGeometry(image.GetSize()[::-1], image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    regions = Regions(found[0], distinct_names(names), geometry, name, layers=tuple(found[1:]))
    if not regions.label_values:
        raise NoRegions(f"The segmentation {name} is empty: none of its segments has a voxel.")
    return regions
