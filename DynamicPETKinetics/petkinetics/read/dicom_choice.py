"""Which of the PET series in a folder is the dynamic one, and which series belong together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from petkinetics.errors import InputError
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.dicom_scan import FolderScan

#: positions along the normal are compared at this resolution when series are compared
_POSITION_MM = 0.05
_USABLE_UNITS = ("BQML", "GML", "CNTS")


@dataclass
class _Group:
    """Series that together form one scan of one volume."""

    images: list[ImageHeader]

    @property
    def dynamic(self) -> bool:
        """Whether some place was imaged more than once."""
        return max(Counter(map(_place, self.images)).values()) > 1

    @property
    def usable(self) -> bool:
        """Whether it is attenuation-corrected activity or SUV."""
        first = self.images[0]
        return first.units in _USABLE_UNITS and "ATTN" in first.corrected


def _place(image: ImageHeader) -> int:
    if len(image.position) != 3 or len(image.orientation) != 6:
        return 0
    return round(float(image.normal @ image.position) / _POSITION_MM)


def _kind(image: ImageHeader) -> tuple[object, ...]:
    """What two series must share to be parts of one: patient study, grid, quantity and corrections."""
    return (
        image.study_uid,
        image.frame_of_reference_uid,
        image.rows,
        image.columns,
        tuple(round(v, 3) for v in image.pixel_spacing),
        tuple(round(v, 3) for v in image.orientation),
        image.sop_class,
        image.units,
        image.suv_type,
        image.decay_correction,
        frozenset(image.corrected),
    )


def time_key(image: ImageHeader) -> tuple[float, ...]:
    """What distinguishes the frames of a scan: all tags that say when an image was acquired."""
    reference = None
    if image.reference_s is not None:
        reference = (image.series_s or 0.0) + image.reference_s
    return tuple(round(v, 3) if v is not None else -1.0 for v in (image.acquired_s, reference, image.duration_s))


def _belongs(group: _Group, series: Sequence[ImageHeader]) -> bool:
    """Whether a series shows the same places as the group at other times."""
    if _kind(group.images[0]) != _kind(series[0]):
        return False
    if {time_key(i) for i in group.images} & {time_key(i) for i in series}:
        return False
    here, there = {_place(i) for i in group.images}, {_place(i) for i in series}
    return len(here & there) >= 0.5 * max(len(here), len(there))


def _groups(images: Sequence[ImageHeader]) -> list[_Group]:
    series: dict[str, list[ImageHeader]] = defaultdict(list)
    for image in images:
        series[image.series_uid].append(image)
    groups: list[_Group] = []
    for part in sorted(series.values(), key=lambda s: min(time_key(i) for i in s)):
        group = next((g for g in groups if _belongs(g, part)), None)
        if group is None:
            groups.append(_Group(list(part)))
        else:
            group.images += part
    return groups


def _describe(group: _Group) -> str:
    first = group.images[0]
    header = dcmread(
        first.path, stop_before_pixels=True, force=True, specific_tags=["SeriesDescription", "SeriesNumber"]
    )
    name = f"series {header.get('SeriesNumber') or '?'} '{header.get('SeriesDescription') or 'without description'}'"
    corrected = "" if "ATTN" in first.corrected else ", not attenuation-corrected"
    kind = "dynamic" if group.dynamic else "static"
    return f"{name} ({kind}, {len(group.images)} images, {first.units or 'no unit'}{corrected})"


def _nothing_found(path: Path, scan: FolderScan) -> InputError:
    if scan.other_dicom or scan.real_world_values:
        return InputError(
            f"The folder '{path.name}' holds {scan.other_dicom + len(scan.real_world_values)} DICOM files, "
            "but no PET images.",
            "Choose the folder of the dynamic PET series.",
        )
    return InputError(
        f"There is no DICOM in the folder '{path.name}' ({scan.not_dicom} other files).",
        "Choose the folder of the dynamic PET series.",
    )


def choose_images(path: Path, scan: FolderScan) -> tuple[list[ImageHeader], list[str]]:
    """The images of the one dynamic series (or, where there is none, of the one static series).

    Series of one study, frame of reference, grid, unit and set of corrections that show the same
    places at different times are parts of one scan. Beside a dynamic series static ones are left
    aside; beside a usable series those that are not attenuation-corrected or not quantitative.

    :returns: the images (copies of one image counted once), and what to tell the user.
    :raises InputError: no PET images, several series that would do, or a truncated image among those chosen.
    """
    warnings: list[str] = []
    unique: dict[tuple[str, int | None], ImageHeader] = {}
    for image in scan.images:
        if image.series_type[1:2] != ("REPROJECTION",):
            unique.setdefault((image.sop_uid or str(image.path), image.frame_number), image)
    if not unique:
        raise _nothing_found(path, scan)
    groups = _groups(list(unique.values()))
    pool = [g for g in groups if g.dynamic] or groups
    if len(pool) > 1:
        pool = [g for g in pool if g.usable] or pool
    if len(pool) > 1:
        raise InputError(
            f"The folder '{path.name}' holds {len(pool)} PET series that could be meant: "
            + "; ".join(map(_describe, pool))
            + ".",
            "Choose a folder that holds only one of them.",
        )
    chosen = pool[0].images
    truncated = next((i for i in chosen if not i.complete), None)
    if truncated is not None:
        raise InputError(
            f"The image file '{truncated.path.name}' is truncated: it ends before its pixels do.",
            "Export or copy the series again.",
        )
    copies = len(scan.images) - len(unique)
    if copies > 0:
        what = "files" if chosen[0].frame_number is None else "frames of files"
        warnings.append(f"{copies} {what} are copies of others in the folder and were left aside.")
    parts = len({i.series_uid for i in chosen})
    if parts > 1:
        warnings.append(f"The scan is stored over {parts} series of one study; they were joined.")
    return chosen, warnings
