"""Label maps: NIfTI, and other volume formats that SimpleITK reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.read.file_names import file_stem
from petkinetics.read.region_map import IntArray, NoRegions, Regions, distinct_names
from petkinetics.read.region_segmentation import is_slicer_segmentation, regions_of_segmentation
from petkinetics.read.text_files import read_rows
from petkinetics.series import VolumeGeometry

if TYPE_CHECKING:
    import SimpleITK


def read_label_map(path: Path) -> Regions:
    """Read a label map; names come from a BIDS-style table beside it, or from the file (Slicer's ``.seg.nrrd``).

    :raises InputError: as :func:`petkinetics.read.regions.read_regions`.
    """
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(
            f"{path.name} could not be read as an image.", "A region is a label map, for example NIfTI (.nii.gz)."
        ) from error
    if is_slicer_segmentation(image):
        return regions_of_segmentation(image, path.name)
    image = _one_volume(image, path.name)
    labels = whole_numbers(sitk.GetArrayViewFromImage(image), path.name)
    regions = Regions(labels, _read_names(path), image_geometry(image), path.name)
    if not regions.label_values:
        raise NoRegions(f"The region in {path.name} is empty: every voxel is 0.")
    return regions


def _one_volume(image: SimpleITK.Image, name: str) -> SimpleITK.Image:
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        size = " x ".join(str(n) for n in image.GetSize())
        raise InputError(f"{name} is not one 3-D volume (its size is {size}).")
    return image


def whole_numbers(values: NDArray[Any], name: str) -> IntArray:
    """Labels of an array of any shape and type: floats as int32, integers as they are; a copy.

    :param name: of the file, for the message.
    :raises InputError: it holds fractions, negative values or values that are not numbers.
    """
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
    rows = read_rows(table)
    if rows and not {"index", "name"} <= rows[0].keys():
        raise InputError(f"{table.name} names the labels of {path.name} but lacks the columns 'index' and 'name'.")
    try:
        names = {int(row["index"]): row["name"] for row in rows if row["name"]}
    except ValueError as error:
        raise InputError(f"{table.name} has a row whose index is not a whole number.") from error
    return distinct_names(names.items())


def image_geometry(image: SimpleITK.Image) -> VolumeGeometry:
    """The voxel grid of a 3-D SimpleITK image (which presents NIfTI in LPS)."""
    return VolumeGeometry(image.GetSize()[::-1], image.GetSpacing(), image.GetOrigin(), image.GetDirection())
