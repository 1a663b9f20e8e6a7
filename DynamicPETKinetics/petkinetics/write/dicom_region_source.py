"""The PET series that a DICOM object of regions belongs to: its patient, study, place, and images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from petkinetics.read.dicom_choice import choose_images
from petkinetics.read.dicom_enhanced import series_header
from petkinetics.read.dicom_geometry import assemble
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.dicom_scan import scan_folder
from petkinetics.series import VolumeGeometry
from petkinetics.write.dicom_sources import require_filing

#: what says who was examined, and in which study
PATIENT_AND_STUDY = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
)


@dataclass(frozen=True)
class RegionSource:
    """The last frame of a PET series: its images stand for all.

    :param header: of the series, without pixels.
    :param images: of the last frame, in order of position.
    :param geometry: their grid.
    """

    header: Dataset
    images: tuple[ImageHeader, ...]
    geometry: VolumeGeometry

    def datasets(self) -> list[Dataset]:
        """The headers of the images' files, each once, without pixels."""
        with warnings.catch_warnings():
            # pydicom quotes invalid values in its warnings, and they may be the patient's
            warnings.simplefilter("ignore")
            return [dcmread(path, stop_before_pixels=True) for path in dict.fromkeys(i.path for i in self.images)]


def find_region_source(folder: Path) -> RegionSource:
    """The PET series in a folder, chosen as when it is read.

    :raises InputError: there is none, or it lacks the study or frame of reference.
    """
    images, _ = choose_images(folder, scan_folder(folder))
    grid = assemble(images)
    require_filing(images[0], folder, "a set of regions")
    last = grid.frames[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = series_header(last[0].path)
    return RegionSource(header, last, grid.geometry)
