"""Where the pixels of each frame of a multi-frame DICOM file lie, found without reading them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import FileDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from petkinetics.errors import InputError
from petkinetics.read.dicom_image import NATIVE, EncapsulatedFrame, transfer_syntax_of

#: (offset, bytes) of the fragments of one frame
_Pieces = tuple[tuple[int, int], ...]


class PixelPlaces:
    """Where the pixels of each frame lie in the file.

    :param size: of the file, bytes.
    :param start: offset of the first pixel.
    :param pieces: of each frame where pixels are compressed; as of :func:`_fragments_by_frame`.
    :param bits: stored of a pixel.
    """

    def __init__(
        self,
        syntax: str,
        size: int,
        start: int,
        frame_bytes: int,
        pieces: Sequence[_Pieces] | None,
        bits: int,
    ) -> None:
        self.syntax, self._size, self._start, self._frame_bytes = syntax, size, start, frame_bytes
        self._pieces, self._bits = pieces, bits

    @classmethod
    def of(cls, file: BinaryIO, ds: FileDataset, count: int) -> PixelPlaces:
        """Found without reading the pixels; *file* stands at the pixel element.

        :param count: how many frames there should be.
        :raises InputError: the file is deflated as a whole.
        """
        syntax = transfer_syntax_of(ds)
        bits = int(ds.get("BitsStored") or 0)
        frame_bytes = int(ds.Rows) * int(ds.Columns) * int(ds.BitsAllocated) // 8
        size = os.fstat(file.fileno()).st_size
        if syntax == DeflatedExplicitVRLittleEndian:
            raise InputError(
                f"The multi-frame PET file '{Path(file.name).name}' is deflated as a whole.",
                "Export the series again from the scanner.",
            )
        at_element = file.tell() < size
        file.read(8 if syntax == ImplicitVRLittleEndian else 12)
        start = file.tell()
        if syntax in NATIVE:
            return cls(syntax, size if at_element else 0, start, frame_bytes, (), bits)
        return cls(syntax, size, start, frame_bytes, _fragments_by_frame(file, size, count), bits)

    def offset(self, frame: int) -> int | None:
        """Of a frame's first pixel; None where pixels are compressed."""
        return self._start + frame * self._frame_bytes if self.syntax in NATIVE else None

    def complete(self, frame: int) -> bool:
        """Whether the file holds all pixels of the frame."""
        if self.syntax in NATIVE:
            return self._start + (frame + 1) * self._frame_bytes <= self._size
        return self._pieces is not None

    def fragments(self, frame: int) -> EncapsulatedFrame | None:
        """The compressed pixels of a frame."""
        return EncapsulatedFrame(self._pieces[frame], self._bits) if self._pieces else None


def _fragments_by_frame(file: BinaryIO, size: int, count: int) -> list[_Pieces] | None:
    """(offset, bytes) of each frame's fragments; [] where the file leaves them open, None where it ends too early."""
    pieces: list[tuple[int, int]] = []
    table: list[int] = []
    first = True
    while True:
        item = file.read(8)
        if item[:4] == b"\xfe\xff\xdd\xe0":
            break
        length = int.from_bytes(item[4:], "little")
        if len(item) < 8 or item[:4] != b"\xfe\xff\x00\xe0" or file.tell() + length > size:
            return None
        if first:
            offsets = file.read(length)
            table = [int.from_bytes(offsets[i : i + 4], "little") for i in range(0, len(offsets), 4)]
            base, first = file.tell(), False
            continue
        pieces.append((file.tell(), length))
        file.seek(length, os.SEEK_CUR)
    if len(pieces) == count:
        return [(piece,) for piece in pieces]
    if len(table) != count:
        return []
    # A frame in several fragments: the offset table says at which item each frame begins.
    begins = [*(base + 8 + offset for offset in table), size]
    return [tuple(p for p in pieces if begins[i] <= p[0] < begins[i + 1]) for i in range(count)]
