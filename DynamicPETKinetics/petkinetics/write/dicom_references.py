"""References from an exported map to the images it was computed from, as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from petkinetics.read.dicom_image import ImageHeader
from petkinetics.write import dicom_codes
from petkinetics.write.dicom_encoding import encode, joined, sequence, text

#: images at each slice of a map, in order of time
Slices = Sequence[Sequence[ImageHeader]]

SOURCE_IMAGES, REFERENCED_SERIES = 0x00082112, 0x00081115
_CLASS, _INSTANCE, _FRAME = 0x00081150, 0x00081155, 0x00081160
_INSTANCES, _SERIES_UID = 0x0008114A, 0x0020000E
_IN_PLACE, _PURPOSE = 0x0028135A, 0x0040A170


def source_images(images: Sequence[ImageHeader], in_place: bool) -> bytes:
    """Source Image Sequence: what was computed from, and whether its voxels lie where the map's do."""
    more = text(_IN_PLACE, "CS", "YES" if in_place else "NO") + _purpose()
    return sequence(SOURCE_IMAGES, (_reference(image) + more for image in images))


def all_source_images(slices: Slices) -> bytes:
    """Source Image Sequence of a whole map: every image of every slice."""
    return sequence(SOURCE_IMAGES, (_reference(image) for images in slices for image in images))


def referenced_series(slices: Slices) -> bytes:
    """Referenced Series Sequence: the objects of every series, each once."""
    by_series: dict[str, dict[str, bytes]] = {}
    for image in (image for images in slices for image in images):
        objects = by_series.setdefault(image.series_uid, {})
        if image.sop_uid not in objects:
            objects[image.sop_uid] = _object(image)
    return sequence(
        REFERENCED_SERIES,
        (sequence(_INSTANCES, objects.values()) + text(_SERIES_UID, "UI", uid) for uid, objects in by_series.items()),
    )


def _object(image: ImageHeader) -> bytes:
    return text(_CLASS, "UI", image.sop_class) + text(_INSTANCE, "UI", image.sop_uid)


def _reference(image: ImageHeader) -> bytes:
    """An object and, where it holds several images, which of them."""
    frame = b"" if image.frame_number is None else text(_FRAME, "IS", str(image.frame_number))
    return _object(image) + frame


@cache
def _purpose() -> bytes:
    """Purpose of Reference Code Sequence."""
    code = dicom_codes.code_item(codes.DCM.SourceImageForImageProcessingOperation)
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [code]
    return joined(encode(item))
