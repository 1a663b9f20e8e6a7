"""Find the PET images in a folder, whatever their names, and read what each header says."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedPETImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedPETImageStorage,
    PositronEmissionTomographyImageStorage,
    RealWorldValueMappingStorage,
)

from petkinetics.errors import InputError
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
#: of these, those that are no text (files without explicit types do not say so)
_UNSIGNED_SHORT = {"Rows", "Columns", "BitsAllocated", "PixelRepresentation", "NumberOfTimeSlots"}
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
        """Unit vector across the slice, rows x columns."""
        return np.cross(self.orientation[:3], self.orientation[3:])


@dataclass
class FolderScan:
    """What a folder holds.

    :param images: PET images, in order of path.
    :param real_world_values: files of Real World Value Mapping objects.
    :param other_dicom: DICOM objects that are no PET images.
    :param not_dicom: files that are no DICOM.
    """

    images: list[ImageHeader] = field(default_factory=list)
    real_world_values: list[Path] = field(default_factory=list)
    other_dicom: int = 0
    not_dicom: int = 0


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, names, files in os.walk(path):
        names.sort()
        for name in sorted(files):
            found = Path(folder, name)
            if found.is_file():  # no broken link, and no pipe, which would be waited for
                yield found


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            f"The file '{path.name}' cannot be read ({error.strerror}).",
            "Check the access rights of the folder, or copy the series again.",
        ) from error


def _looks_like_dicom(start: bytes) -> bool:
    """A preamble with DICM, or an old file that begins with group 0008 or 0002 right away."""
    return start[128:132] == b"DICM" or start[:2] in (b"\x08\x00", b"\x02\x00")


def _text(ds: Dataset, keyword: str, little: bool = True) -> str:
    """An element's text without building the element (a third of the time, over thousands of files)."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in ds:
        return ""
    element = ds.get_item(tag)
    if not isinstance(element, RawDataElement):
        value = element.value
        several = isinstance(value, Sequence) and not isinstance(value, str)
        return "\\".join(map(str, value)) if several else str("" if value is None else value)
    raw = element.value or b""
    if keyword in _UNSIGNED_SHORT:
        return str(int.from_bytes(raw[:2], "little" if little else "big")) if raw else ""
    return raw.decode("latin-1").strip(" \x00")


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


def _pixels_complete(file: BinaryIO, size: int, native: bool, expected: int) -> bool:
    """Whether the file holds all its pixels, judged at the pixel element without reading them."""
    if native:
        return size - file.tell() >= expected
    # Encapsulated: walk the fragments' lengths to the sequence delimiter.
    while True:
        item = file.read(8)
        if len(item) < 8:
            return False
        if item[:4] == b"\xfe\xff\xdd\xe0":
            return True
        length = int.from_bytes(item[4:], "little")
        if item[:4] != b"\xfe\xff\x00\xe0" or file.tell() + length > size:
            return False
        file.seek(length, os.SEEK_CUR)


def _header(path: Path, file: BinaryIO, ds: FileDataset) -> ImageHeader:
    syntax = transfer_syntax_of(ds)
    little = syntax != ExplicitVRBigEndian
    text = {keyword: _text(ds, keyword, little) for keyword in TAGS}
    rows, columns, bits = (int(text[k] or 0) for k in ("Rows", "Columns", "BitsAllocated"))
    native = syntax in NATIVE
    offset: int | None = None
    complete = True
    if syntax != DeflatedExplicitVRLittleEndian:
        start = file.tell()
        file.read(8 if syntax == ImplicitVRLittleEndian else 12)
        offset = file.tell() if native else None
        size = os.fstat(file.fileno()).st_size
        complete = size > start and _pixels_complete(file, size, native, rows * columns * bits // 8)
    return image_from_text(path, text, syntax, offset, complete)


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


def scan_folder(path: Path | Sequence[Path]) -> FolderScan:
    """Read the headers of all PET images below a folder (or of one file, or some). Names and nesting do not matter.

    :raises InputError: the folder is not there, a file cannot be opened, or a DICOM file breaks off within
        its header.
    """
    if isinstance(path, Path) and not path.exists():
        raise InputError(f"There is no folder '{path}'.")
    found = FolderScan()
    tags = [tag for tag in map(tag_for_keyword, TAGS) if tag is not None]
    for file_path in _files(path) if isinstance(path, Path) else path:
        with _opened(file_path) as file:
            start = file.read(132)
            if not _looks_like_dicom(start):
                found.not_dicom += 1
                continue
            file.seek(0)
            try:
                ds = dcmread(file, stop_before_pixels=True, specific_tags=tags, force=start[128:132] != b"DICM")
                sop_class = _text(ds, "SOPClassUID") or str(ds.file_meta.get("MediaStorageSOPClassUID", ""))
                if sop_class == PositronEmissionTomographyImageStorage:
                    found.images.append(_header(file_path, file, ds))
                    continue
            except Exception as error:
                if start[128:132] != b"DICM":
                    found.not_dicom += 1
                    continue
                raise InputError(
                    f"The DICOM file '{file_path.name}' is truncated or damaged ({error}).",
                    "Export the series again, or remove the file if it does not belong to it.",
                ) from error
            if sop_class == RealWorldValueMappingStorage:
                found.real_world_values.append(file_path)
            elif sop_class in (EnhancedPETImageStorage, LegacyConvertedEnhancedPETImageStorage):
                from petkinetics.read.dicom_enhanced import read_frames  # builds on this module

                found.images += read_frames(file_path)
            elif sop_class:
                found.other_dicom += 1
            else:
                found.not_dicom += 1
    return found
