"""Regions as a DICOM Segmentation object of the patient and study of a PET series, through highdicom."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from highdicom import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from petkinetics import __version__
from petkinetics.read.region_map import Regions
from petkinetics.write.dicom_region_source import find_region_source
from petkinetics.write.staging import staged_files

#: DICOM long string
_LO = 64


def write_dicom_segmentation(regions: Regions, source: Path, path: Path, *, series_number: int = 9101) -> None:
    """Write every region as a segment on the regions' own grid; they may overlap.

    Segments are numbered from 1 in the order of their labels, as the standard wants, and carry no more
    meaning than their name (tissue).

    :param source: folder of the PET series that the regions belong to.
    :raises InputError: there is no such series, or the file is there already or cannot be written.
    :raises ResourceError: the disk is full.
    """
    found = find_region_source(source)
    geometry, labels = regions.geometry, regions.label_values
    masks = [regions.layer_of(label) == label for label in labels]
    used = np.flatnonzero(np.any([mask.any(axis=(1, 2)) for mask in masks], axis=0))
    first, last = int(used[0]), int(used[-1]) + 1
    pixels = np.stack([mask[first:last] for mask in masks], axis=-1).astype(np.uint8)
    step = geometry.direction[:, 2] * geometry.spacing_mm[2]
    positions = [np.array(geometry.origin_mm) + k * step for k in range(first, last)]
    descriptions = [
        SegmentDescription(
            segment_number=number,
            segment_label=regions.name(label)[:_LO],
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Tissue,
            algorithm_type="MANUAL",
        )
        for number, label in enumerate(labels, start=1)
    ]
    with staged_files(path.absolute().parent, [path.name]) as folder, warnings.catch_warnings():
        # highdicom and pydicom quote values that look wrong in their warnings: the patient's name
        warnings.simplefilter("ignore")
        dataset = Segmentation(
            source_images=found.datasets(),
            pixel_array=pixels,
            segmentation_type="BINARY",
            segment_descriptions=descriptions,
            series_instance_uid=generate_uid(prefix=None),
            series_number=series_number,
            sop_instance_uid=generate_uid(prefix=None),
            instance_number=1,
            manufacturer="petkinetics",
            manufacturer_model_name="petkinetics",
            software_versions=__version__,
            device_serial_number=__version__,
            content_label="REGIONS",
            content_description="Regions of interest. Not for diagnostic use",
            pixel_measures=PixelMeasuresSequence(
                pixel_spacing=(geometry.spacing_mm[1], geometry.spacing_mm[0]),
                slice_thickness=geometry.spacing_mm[2],
                spacing_between_slices=geometry.spacing_mm[2],
            ),
            plane_orientation=PlaneOrientationSequence(
                "PATIENT", [float(f"{c:.10f}") for c in geometry.direction[:, :2].T.ravel()]
            ),
            plane_positions=[PlanePositionSequence("PATIENT", [float(f"{c:.8f}") for c in p]) for p in positions],
            series_description="Regions",
        )
        dataset.save_as(folder / path.name, enforce_file_format=True)
