"""Slabs of voxels from PET image files, each file opened only for the slabs that need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import pixel_array
from pydicom.uid import ExplicitVRBigEndian

from petkinetics.errors import InputError
from petkinetics.read.dicom_image import EncapsulatedFrame, ImageHeader
from petkinetics.series import Float32


@dataclass(frozen=True, slots=True)
class StoredImage:
    """Where one slice's pixels are, and how they become kBq/mL at injection: slope * stored + intercept."""

    path: Path
    #: of the first pixel, and numpy's type of the pixels; None where pydicom has to decode them
    native: tuple[int, str] | None
    slope: float
    intercept: float
    #: compressed pixels of one frame of a multi-frame file, and the attributes needed to decompress them
    compressed: tuple[EncapsulatedFrame, Dataset] | None = None
    #: of a multi-frame file, from 0; needed where its fragments do not say to which frame they belong
    frame: int | None = None

    @classmethod
    def of(cls, image: ImageHeader, scale: float) -> StoredImage:
        """The image with its own rescale and *scale* (kBq/mL at injection per rescaled unit).

        :raises InputError: the image has no valid rescale slope, or pixels of an unknown size.
        """
        if image.slope is None or not np.isfinite(image.slope) or image.slope == 0:
            raise InputError(
                f"The image file '{image.path.name}' has no valid rescale slope ({image.slope}).",
                "Export the series again from the scanner.",
            )
        if image.bits not in (8, 16, 32):
            raise InputError(
                f"The image file '{image.path.name}' has pixels of {image.bits} bits, which is not supported."
            )
        order = ">" if image.transfer_syntax == ExplicitVRBigEndian else "<"
        kind = f"{order}{'i' if image.signed else 'u'}{image.bits // 8}"
        native = None if image.pixel_offset is None else (image.pixel_offset, kind)
        compressed = None if image.encapsulated is None else (image.encapsulated, _one_frame(image))
        frame = None if image.frame_number is None else image.frame_number - 1
        return cls(image.path, native, image.slope * scale, image.intercept * scale, compressed, frame)

    def read(self, out: Float32) -> None:
        """Fill *out*, (rows, columns), with kBq/mL decay-corrected to injection.

        :raises InputError: the file is gone, broken, or cannot be decompressed.
        """
        stored = self._native(out.size) if self.native else self._decoded()
        if stored.size != out.size:
            raise InputError(
                f"The image file '{self.path.name}' is truncated: it holds {stored.size} of {out.size} pixels."
            )
        np.multiply(stored.reshape(out.shape), np.float32(self.slope), out=out)
        if self.intercept:
            out += np.float32(self.intercept)

    def _native(self, count: int) -> NDArray[np.integer]:
        assert self.native is not None
        offset, kind = self.native
        try:
            return np.fromfile(self.path, dtype=kind, count=count, offset=offset)
        except OSError as error:
            raise InputError(f"The image file '{self.path.name}' cannot be read ({error.strerror}).") from error

    def _decoded(self) -> NDArray[np.integer]:
        try:
            if self.compressed is not None:
                return self._decoded_frame(*self.compressed)
            if self.frame is not None:
                return pixel_array(self.path, index=self.frame)
            return np.asarray(dcmread(self.path, force=True).pixel_array)
        except OSError as error:
            raise InputError(f"The image file '{self.path.name}' cannot be read ({error.strerror}).") from error
        except Exception as error:  # decoders raise what they like
            raise InputError(
                f"The pixels of '{self.path.name}' cannot be decompressed ({error}).",
                "The file is probably damaged; export or copy the series again.",
            ) from error

    def _decoded_frame(self, frame: EncapsulatedFrame, attributes: Dataset) -> NDArray[np.integer]:
        """Only this frame's bytes are read: a multi-frame file may be larger than memory."""
        with self.path.open("rb") as file:
            pieces = []
            for offset, length in frame.pieces:
                file.seek(offset)
                pieces.append(file.read(length))
        image = Dataset()
        image.update(attributes)
        image.file_meta = attributes.file_meta
        image.PixelData = encapsulate([b"".join(pieces)])
        image["PixelData"].VR = "OB"
        return np.asarray(image.pixel_array)


def _one_frame(image: ImageHeader) -> Dataset:
    """What a decoder has to know of one grey image."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = image.transfer_syntax
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = image.rows, image.columns, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.PixelRepresentation = image.bits, int(image.signed)
    stored = image.encapsulated.bits_stored if image.encapsulated else image.bits
    ds.BitsStored, ds.HighBit = stored, stored - 1
    return ds


@dataclass(frozen=True)
class DicomVoxels:
    """Voxels of a series of PET images; see :class:`petkinetics.series.VoxelSource`.

    :param images: for each frame its slices, in order of position.
    :param rows_columns: size of a slice.
    :param source_index: where each slice of the even grid lies among the images (fractional); None
        where it is the image itself. Slices between two images are interpolated linearly.
    """

    images: tuple[tuple[StoredImage, ...], ...]
    rows_columns: tuple[int, int]
    source_index: NDArray[np.float64] | None = None

    def read(self, frames: Sequence[int], first: int, last: int, out: Float32 | None = None) -> Float32:
        """See :class:`petkinetics.series.VoxelSource`."""
        if out is None:
            out = np.empty((len(frames), last - first, *self.rows_columns), dtype=np.float32)
        for i, frame in enumerate(frames):
            if self.source_index is None:
                for k in range(first, last):
                    self.images[frame][k].read(out[i, k - first])
            else:
                self._interpolate(frame, self.source_index[first:last], out[i])
        return out

    def _interpolate(self, frame: int, source_index: NDArray[np.float64], out: Float32) -> None:
        images = self.images[frame]
        low = np.minimum(source_index.astype(np.intp), len(images) - 2)
        begin, end = int(low.min()), int(low.max()) + 2
        slab = np.empty((end - begin, *self.rows_columns), dtype=np.float32)
        for k in range(begin, end):
            images[k].read(slab[k - begin])
        for k, (below, at) in enumerate(zip(low - begin, source_index - begin, strict=True)):
            weight = np.float32(at - below)
            out[k] = (1 - weight) * slab[below] + weight * slab[below + 1]


@dataclass(frozen=True)
class NoVoxels:
    """The voxels of a series that can only be described, because slices are missing."""

    reason: str

    def read(self, frames: Sequence[int], first: int, last: int, out: Float32 | None = None) -> Float32:  # noqa: ARG002
        """See :class:`petkinetics.series.VoxelSource`; refuses.

        :raises InputError: always.
        """
        raise InputError(self.reason, "Export or copy the series again.")
