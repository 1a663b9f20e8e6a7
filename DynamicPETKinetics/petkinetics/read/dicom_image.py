"""One PET image: where its pixels are and what its header says, whatever kind of file it comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
)

from petkinetics.read.clock import DAY_S, clock_seconds, day_seconds

#: read from every image; the rest is read from one image a series
TAGS = tuple(
    """
    SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID
    SeriesDate SeriesTime AcquisitionDate AcquisitionTime FrameReferenceTime ActualFrameDuration
    DecayFactor DecayCorrection CorrectedImage Units SUVType SeriesType TriggerTime NumberOfTimeSlots
    Rows Columns PixelSpacing SliceThickness ImageOrientationPatient ImagePositionPatient
    RescaleSlope RescaleIntercept BitsAllocated PixelRepresentation
    """.split()  # noqa: SIM905 - one name a line would hide which tags are read
)
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


@dataclass(frozen=True, slots=True)
class EncapsulatedFrame:
    """Compressed pixels of one frame of a multi-frame file, which alone are read and decompressed.

    :param pieces: (offset in the file, bytes) of each of its fragments.
    :param bits_stored: of a pixel.
    """

    pieces: tuple[tuple[int, int], ...]
    bits_stored: int


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """One PET image: where its pixels are and what its header says. None or "" where it says nothing.

    :param pixel_offset: of the first pixel byte in the file, native transfer syntaxes only.
    :param position: of the first voxel's centre, mm (LPS).
    :param orientation: directions of a row and of a column.
    :param series_s: series date and time, a moment (:mod:`petkinetics.read.clock`).
    :param acquired_s: acquisition date and time, a moment.
    :param reference_s: FrameReferenceTime, seconds from the series time.
    :param duration_s: ActualFrameDuration in seconds.
    :param decay_factor_step: the last digit of the decay factor's text.
    :param complete: False where the file ends before its pixels do.
    :param frame_number: from 1, where the file holds several images (:mod:`petkinetics.read.dicom_enhanced`).
    :param decay_reference_s: the moment that the values are decay-corrected to, where the header states it.
    :param encapsulated: where the compressed pixels of one of several images lie.
    """

    path: Path
    transfer_syntax: str
    pixel_offset: int | None
    complete: bool
    sop_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    rows: int
    columns: int
    pixel_spacing: tuple[float, ...]
    slice_thickness: float | None
    orientation: tuple[float, ...]
    position: tuple[float, ...]
    slope: float | None
    intercept: float
    bits: int
    signed: bool
    series_s: float | None
    acquired_s: float | None
    reference_s: float | None
    duration_s: float | None
    decay_factor: float | None
    decay_factor_step: float
    decay_correction: str
    corrected: tuple[str, ...]
    units: str
    suv_type: str
    series_type: tuple[str, ...]
    gated: bool
    frame_number: int | None = None
    decay_reference_s: float | None = None
    encapsulated: EncapsulatedFrame | None = None
    sop_class: str = PositronEmissionTomographyImageStorage

    @property
    def native(self) -> bool:
        """Whether the pixels lie uncompressed in the file."""
        return self.pixel_offset is not None

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector across the slice, rows x columns, (3,) in LPS."""
        return np.cross(self.orientation[:3], self.orientation[3:])


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _numbers(text: str) -> tuple[float, ...]:
    values = [_number(part) for part in text.split("\\")] if text else []
    return tuple(v for v in values if v is not None)


def _values(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("\\") if part.strip())


def _step(text: str) -> float:
    """The size of the last digit of a decimal text: 0.00001 for "1.08275"."""
    mantissa, _, exponent = text.strip().lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return float(10.0 ** ((int(exponent) if exponent else 0) - decimals))


def _moment(day: str, clock: str) -> float | None:
    midnight, seconds = day_seconds(day), clock_seconds(clock)
    return None if midnight is None or seconds is None else midnight + seconds


def transfer_syntax_of(ds: FileDataset) -> str:
    """The transfer syntax, also of old files that do not state it."""
    return str(ds.file_meta.get("TransferSyntaxUID", "")) or (
        ExplicitVRLittleEndian if not ds.original_encoding[0] else ImplicitVRLittleEndian
    )


def image_from_text(
    path: Path, text: Mapping[str, str], transfer_syntax: str, pixel_offset: int | None, complete: bool
) -> ImageHeader:
    """An image from the texts of :data:`TAGS`; what is not there, or no number, becomes None or ""."""
    series_day = text["SeriesDate"] or text["AcquisitionDate"]
    series = _moment(series_day, text["SeriesTime"])
    acquired = _moment(text["AcquisitionDate"] or series_day, text["AcquisitionTime"])
    if series is not None and acquired is not None and not text["AcquisitionDate"] and acquired < series - DAY_S / 2:
        acquired += DAY_S  # past midnight, without a date of its own
    reference, duration = _number(text["FrameReferenceTime"]), _number(text["ActualFrameDuration"])
    factor = _number(text["DecayFactor"])
    kind = _values(text["SeriesType"])
    return ImageHeader(
        path=path,
        transfer_syntax=transfer_syntax,
        pixel_offset=pixel_offset,
        complete=complete,
        sop_uid=text["SOPInstanceUID"],
        study_uid=text["StudyInstanceUID"],
        series_uid=text["SeriesInstanceUID"],
        frame_of_reference_uid=text["FrameOfReferenceUID"],
        rows=int(text["Rows"] or 0),
        columns=int(text["Columns"] or 0),
        pixel_spacing=_numbers(text["PixelSpacing"]),
        slice_thickness=_number(text["SliceThickness"]),
        orientation=_numbers(text["ImageOrientationPatient"]),
        position=_numbers(text["ImagePositionPatient"]),
        slope=_number(text["RescaleSlope"]),
        intercept=_number(text["RescaleIntercept"]) or 0.0,
        bits=int(text["BitsAllocated"] or 0),
        signed=text["PixelRepresentation"] == "1",
        series_s=series,
        acquired_s=acquired,
        reference_s=None if reference is None else reference / 1000.0,
        duration_s=None if duration is None else duration / 1000.0,
        decay_factor=factor,
        decay_factor_step=_step(text["DecayFactor"]) if factor is not None else 0.0,
        decay_correction=text["DecayCorrection"].upper(),
        corrected=_values(text["CorrectedImage"].upper()),
        units=text["Units"].upper(),
        suv_type=text["SUVType"].upper(),
        series_type=tuple(part.upper() for part in kind),
        gated=kind[:1] == ("GATED",) or bool(text["TriggerTime"]) or (_number(text["NumberOfTimeSlots"]) or 0) > 1,
    )
