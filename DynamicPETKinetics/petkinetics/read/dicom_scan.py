"""Find the PET images in a folder, whatever their names, and read what each header says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedPETImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedPETImageStorage,
    PositronEmissionTomographyImageStorage,
    RealWorldValueMappingStorage,
)

from petkinetics.errors import InputError
from petkinetics.read.dicom_enhanced import read_frames
from petkinetics.read.dicom_image import NATIVE, TAGS, ImageHeader, image_from_text, transfer_syntax_of

#: of the tags read, those that are no text (files without explicit types do not say so)
_UNSIGNED_SHORT = {"Rows", "Columns", "BitsAllocated", "PixelRepresentation", "NumberOfTimeSlots"}


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
                found.images += read_frames(file_path)
            elif sop_class:
                found.other_dicom += 1
            else:
                found.not_dicom += 1
    return found
