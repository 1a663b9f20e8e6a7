"""DICOM objects as bytes, element by element, in explicit VR little endian.

pydicom encodes elements and items one by one: the thousands of references from a map to its source images take it
longer than all the rest of an export, and what the images of a series share would be encoded again in every one. Here
references are put together directly (PS3.5, 7.1.2 and 7.5) and what is shared is encoded once; all else is pydicom's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr, write_data_element, write_file_meta_info

#: tag -> the whole element: tag, VR, length and value
Elements = dict[int, bytes]

#: what fills a value to an even length, by VR
_PADDING = {"UI": b"\0", "IS": b" ", "CS": b" "}


def encode(dataset: Dataset, character_set: str | Iterable[str] | None = None) -> Elements:
    """Every element of a dataset or item.

    :param character_set: of the text where the dataset does not state it (an item's is that of its object).
    """
    stated = dataset.get("SpecificCharacterSet", character_set) or "iso8859"
    terms = stated if isinstance(stated, str) else list(stated)
    correct_ambiguous_vr(dataset, True)
    found: Elements = {}
    for element in dataset:
        buffer = _buffer()
        write_data_element(buffer, element, terms)
        found[int(element.tag)] = buffer.getvalue()
    return found


def text(tag: int, vr: str, value: str) -> bytes:
    """An element of ASCII text with a short length.

    :param vr: UI, IS or CS.
    """
    content = value.encode("ascii")
    content += _PADDING[vr] * (len(content) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode("ascii"), len(content)) + content


def joined(elements: Mapping[int, bytes]) -> bytes:
    """Elements in the order of their tags, which DICOM demands."""
    return b"".join(elements[tag] for tag in sorted(elements))


def sequence(tag: int, items: Iterable[bytes]) -> bytes:
    """A sequence of items, each the bytes of its elements."""
    content = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, len(content)) + content


def write_object(path: Path, file_meta: FileMetaDataset, elements: Mapping[int, bytes]) -> None:
    """Write an object as a DICOM file.

    :param file_meta: of the object, explicit VR little endian.
    """
    head = _buffer()
    head.write(bytes(128) + b"DICM")
    write_file_meta_info(head, file_meta, enforce_standard=True)
    path.write_bytes(head.getvalue() + joined(elements))


def _buffer() -> DicomBytesIO:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    return buffer
