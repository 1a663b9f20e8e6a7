"""Regions of interest: read from any format, and brought to the PET grid.

``read_regions`` reads a file; ``to_grid_nearest`` and ``voxels_on_grid`` bring its labels to the PET
grid for maps; ``fractional_coverage`` says which share of each PET voxel a region covers, for curves.
"""

from __future__ import annotations

from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.read.dicom_files import is_dicom
from petkinetics.read.region_grid import fractional_coverage, to_grid_nearest, voxels_on_grid
from petkinetics.read.region_label_map import image_geometry, read_label_map
from petkinetics.read.region_map import IntArray, NoRegions, Regions, RegionWeights, voxels_by_label
from petkinetics.series import VolumeGeometry

__all__ = [
    "IntArray",
    "NoRegions",
    "RegionWeights",
    "Regions",
    "fractional_coverage",
    "image_geometry",
    "one_region",
    "read_regions",
    "to_grid_nearest",
    "voxels_by_label",
    "voxels_on_grid",
]

#: Label Map Segmentation Storage, newer than pydicom 3's list of classes
_LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"


def read_regions(spec: str | Path) -> Regions:
    """Read regions: a label map, a segmentation or a structure set, told apart by what the file holds.

    Label maps are NIfTI, or another volume format that SimpleITK reads; their names come from a
    BIDS-style table beside them (``labels.nii.gz`` -> ``labels.tsv`` with the columns ``index`` and
    ``name``). Segmentations (DICOM SEG, Slicer's ``.seg.nrrd``) and RT Structure Sets name their regions.

    :param spec: ``FILE``, or ``FILE:LABEL`` for one region by its value or name.
    :raises InputError: the file is missing or unreadable, is not one 3-D volume, holds values that
        are no labels (fractions, negative, not a number), is empty (:class:`NoRegions`), or lacks the
        label asked for.
    """
    path, label = _split_spec(str(spec))
    regions = _read_dicom(path, label) if is_dicom(path) else read_label_map(path)
    return regions if label is None else regions.select(label)


def _split_spec(spec: str) -> tuple[Path, str | None]:
    path = Path(spec)
    if path.is_file():
        return path, None
    head, colon, label = spec.rpartition(":")
    if colon and label and Path(head).is_file():
        return Path(head), label
    if path.is_dir():
        raise InputError(f"{path.name} is a folder, not a label map.", "Give the file that holds the region.")
    raise InputError(
        f"There is no label map {path.name}.", "Check the path; one region of a file is written FILE:LABEL."
    )


def _read_dicom(path: Path, label: str | None) -> Regions:
    from pydicom import dcmread
    from pydicom.uid import RTStructureSetStorage, SegmentationStorage

    try:
        kind = str(dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True).get("SOPClassUID", ""))
    except Exception as error:  # pydicom raises what it likes
        raise InputError(f"The DICOM file '{path.name}' is truncated or damaged ({error}).") from error
    if kind == RTStructureSetStorage:
        from petkinetics.read.region_rtstruct import read_structure_set

        return read_structure_set(path, label)
    if kind in (SegmentationStorage, _LABEL_MAP_SEGMENTATION):
        from petkinetics.read.region_dicom_seg import read_dicom_segmentation

        return read_dicom_segmentation(path)
    raise InputError(
        f"The DICOM file '{path.name}' holds no regions.",
        "Regions are read from DICOM Segmentation objects and RT Structure Sets.",
    )


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
