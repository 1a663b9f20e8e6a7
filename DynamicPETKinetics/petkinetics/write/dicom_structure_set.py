"""Regions as an RT Structure Set of the patient and study of a PET series."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from petkinetics import __version__
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.region_map import Regions
from petkinetics.write.dicom_region_source import PATIENT_AND_STUDY, RegionSource, find_region_source
from petkinetics.write.outlines import outlines
from petkinetics.write.staging import staged_files

_LO, _SH = 64, 16
#: Detached Study Management, retired, which still stands for a study here
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
_COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))


def write_structure_set(regions: Regions, source: Path, path: Path, *, series_number: int = 9102) -> None:
    """Write every region as contours along its voxels' edges, in the planes of the regions' own slices.

    A hole is a contour within a contour; readers fill by the even-odd rule.

    :param source: folder of the PET series that the regions belong to.
    :raises InputError: there is no such series, or the file is there already or cannot be written.
    :raises ResourceError: the disk is full.
    """
    found = find_region_source(source)
    with warnings.catch_warnings():
        # pydicom quotes values that look wrong in its warnings, and they may be the patient's
        warnings.simplefilter("ignore")
        dataset = _structure_set(regions, found, series_number)
        with staged_files(path.absolute().parent, [path.name]) as folder:
            dataset.save_as(folder / path.name, enforce_file_format=True)


def _structure_set(regions: Regions, source: RegionSource, series_number: int) -> Dataset:
    now = datetime.now()
    ds = Dataset()
    for keyword in PATIENT_AND_STUDY:
        if keyword in source.header:
            ds.add(source.header[keyword])
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
        if keyword not in ds:
            setattr(ds, keyword, "")
    for keyword in ("AccessionNumber", "ReferringPhysicianName", "OperatorsName"):
        if keyword not in ds:
            setattr(ds, keyword, "")
    ds.SOPClassUID, ds.SOPInstanceUID = RTStructureSetStorage, generate_uid(prefix=None)
    ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber = "RTSTRUCT", generate_uid(prefix=None), series_number
    ds.SeriesDescription, ds.InstanceNumber = "Regions", 1
    ds.Manufacturer = ds.ManufacturerModelName = "petkinetics"
    ds.SoftwareVersions = __version__
    ds.StructureSetLabel, ds.StructureSetDescription = "REGIONS", "Regions of interest. Not for diagnostic use"
    ds.StructureSetDate, ds.StructureSetTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    ds.ApprovalStatus = "UNAPPROVED"
    frame_of_reference = source.images[0].frame_of_reference_uid
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = frame_of_reference, ""
    ds.ReferencedFrameOfReferenceSequence = [_referenced(source, frame_of_reference)]
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    # an image can be named beside a contour only where contours lie in the images' planes
    images = source.images if regions.geometry.difference(source.geometry) is None else ()
    for number, label in enumerate(regions.label_values, start=1):
        roi, contours, observation = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, regions.name(label)[:_LO], ""
        roi.ReferencedFrameOfReferenceUID = frame_of_reference
        contours.ReferencedROINumber = number
        contours.ROIDisplayColor = list(_COLOURS[(number - 1) % len(_COLOURS)])
        contours.ContourSequence = _contours(regions, label, images)
        observation.ObservationNumber = observation.ReferencedROINumber = number
        observation.ROIObservationLabel = regions.name(label)[:_SH]
        observation.RTROIInterpretedType = observation.ROIInterpreter = ""
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(contours)
        ds.RTROIObservationsSequence.append(observation)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    return ds


def _contours(regions: Regions, label: int, images: Sequence[ImageHeader]) -> list[Dataset]:
    affine = regions.geometry.affine_lps
    inside = regions.layer_of(label) == label
    found = []
    for k in np.flatnonzero(inside.any(axis=(1, 2))).tolist():
        for polygon in outlines(inside[k]):
            points = np.column_stack([polygon, np.full(len(polygon), k), np.ones(len(polygon))]) @ affine[:3].T
            contour = Dataset()
            if images:
                contour.ContourImageSequence = [_image(images[k])]
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
            contour.ContourData = _decimals(points)
            found.append(contour)
    return found


def _decimals(points: NDArray[np.float64]) -> list[str]:
    """Coordinates as DICOM decimal strings, to a tenth of a micrometre."""
    return [f"{v:.4f}" for v in points.ravel()]


def _image(image: ImageHeader) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.sop_class, image.sop_uid
    if image.frame_number is not None:
        item.ReferencedFrameNumber = image.frame_number
    return item


def _referenced(source: RegionSource, frame_of_reference: str) -> Dataset:
    """The frame of reference, and in it the study and the images that the contours belong to."""
    series, study, item = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = source.images[0].series_uid
    series.ContourImageSequence = [_image(image) for image in source.images]
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = _STUDY_CLASS, source.images[0].study_uid
    study.RTReferencedSeriesSequence = [series]
    item.FrameOfReferenceUID = frame_of_reference
    item.RTReferencedStudySequence = [study]
    return item
