"""From a heap of images to a grid: frames x slices, in order along the patient, and its geometry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.read.clock import clock_text
from petkinetics.read.dicom_choice import time_key
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.series import VolumeGeometry

#: positions closer than this are the same slice
_SAME_POSITION_MM = 0.02
#: unevenness below this part of the spacing is only reported; the slices are taken as evenly spaced
_TAKEN_AS_EVEN = 0.01
#: unevenness up to this part of the spacing is resampled; above it the series is refused
_RESAMPLED = 0.10

Key = tuple[float, ...]


@dataclass(frozen=True)
class ImageGrid:
    """Images in order.

    :param frames: for each frame its images, in order of position; a static series has one frame.
    :param times: the images that stand for the frames' times: one a frame, or, for a static
        series, one a bed position.
    :param time_of_slice: index into *times* of each image of a static frame.
    :param geometry: the even grid.
    :param source_index: position of each slice of the even grid among the images, in slices
        (fractional); None where they are the images themselves.
    :param readable: False where slices are missing, so that there is only something to describe.
    """

    frames: tuple[tuple[ImageHeader, ...], ...]
    times: tuple[ImageHeader, ...]
    time_of_slice: tuple[int, ...]
    geometry: VolumeGeometry
    source_index: NDArray[np.float64] | None
    readable: bool
    dynamic: bool
    warnings: tuple[str, ...]


def _when(image: ImageHeader) -> str:
    return clock_text(image.acquired_s) if image.acquired_s is not None else "no time"


def _check_same_grid(images: Sequence[ImageHeader]) -> None:
    """All images have the same size, spacing, orientation and frame of reference."""
    first = images[0]
    for image in images:
        name = f"The image file '{image.path.name}'"
        if len(image.position) != 3 or len(image.orientation) != 6 or len(image.pixel_spacing) != 2:
            raise InputError(f"{name} does not say where it lies (position, orientation or pixel spacing missing).")
        if min(image.rows, image.columns) < 1:
            raise InputError(f"{name} does not say how many rows and columns it has.")
        different = (
            f"{image.rows} x {image.columns} pixels instead of {first.rows} x {first.columns}"
            if (image.rows, image.columns) != (first.rows, first.columns)
            else f"pixels of {image.pixel_spacing[0]:g} mm instead of {first.pixel_spacing[0]:g} mm"
            if image.pixel_spacing != first.pixel_spacing
            and not np.allclose(image.pixel_spacing, first.pixel_spacing, rtol=1e-4)
            else "another orientation"
            if image.orientation != first.orientation
            and not np.allclose(image.orientation, first.orientation, atol=1e-4)
            else "another frame of reference"
            if image.frame_of_reference_uid != first.frame_of_reference_uid
            else ""
        )
        if different:
            raise InputError(
                f"{name} has {different}: the geometry differs between the images of the series.",
                "All frames must be reconstructed on the same grid.",
            )
    rows, columns = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    if abs(np.linalg.norm(rows) - 1) > 1e-3 or abs(np.linalg.norm(columns) - 1) > 1e-3 or abs(rows @ columns) > 1e-3:
        raise InputError("The orientation of the images is not valid: rows and columns are not at right angles.")


def _positions(images: Sequence[ImageHeader]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Index of each image's place along the normal, and the places (mm along the normal, ascending)."""
    along = np.array([image.position for image in images]) @ images[0].normal
    order = np.argsort(along, kind="stable")
    new = np.concatenate([[True], np.diff(along[order]) > _SAME_POSITION_MM])
    place = np.empty(len(images), dtype=np.intp)
    place[order] = np.cumsum(new) - 1
    return place, along[order][new]


def _check_stack(images: Sequence[ImageHeader]) -> None:
    """The slices lie on one straight stack along their normal."""
    normal = images[0].normal
    positions = np.array([image.position for image in images])
    across = positions - np.outer(positions @ normal, normal)
    shift = np.linalg.norm(across - across[0], axis=1)
    worst = int(np.argmax(shift))
    limit = 0.02 * min(images[0].pixel_spacing)
    if shift[worst] > limit:
        raise InputError(
            f"The image file '{images[worst].path.name}' is shifted by {shift[worst]:.2f} mm within its plane: "
            "the geometry differs between the images of the series, or its slices are sheared.",
            "All frames must be reconstructed on the same grid.",
        )


def _incomplete(
    cells: dict[Key, dict[int, ImageHeader]], keys: Sequence[Key], places: NDArray[np.float64]
) -> InputError:
    """What is wrong with a dynamic series whose frames do not all show all places."""
    count = np.zeros(len(places), dtype=int)
    for cell in cells.values():
        count[list(cell)] += 1
    coverage = np.array([len(cells[key]) / len(places) for key in keys])
    for number, key in enumerate(keys, start=1):
        others = set().union(*(cells[k] for k in keys if k != key))
        if not others & set(cells[key]):
            at = places[min(cells[key])]
            return InputError(
                f"The slices of frame {number} lie at other positions than those of the other frames "
                f"(from {at:.2f} mm): the geometry differs between frames.",
                "All frames must be reconstructed on the same grid.",
            )
    if len(keys) > count.max() and (np.all(count == count.max()) or np.median(coverage) <= 0.6):
        low, high = cells[keys[0]], next(cells[k] for k in keys if set(cells[k]) != set(cells[keys[0]]))
        a, b = low[min(low)], high[min(high)]
        return InputError(
            "Slices of one frame start at different times "
            f"(for example {places[min(low)]:.2f} mm at {_when(a)}, {places[min(high)]:.2f} mm at {_when(b)}): "
            "the scan covers several bed positions.",
            "Kinetic analysis needs a dynamic scan of one bed position.",
        )
    number = next(i for i, key in enumerate(keys) if len(cells[key]) < len(places))
    missing = sorted(set(range(len(places))) - set(cells[keys[number]]))
    where = ", ".join(f"{places[k]:.2f} mm" for k in missing[:3]) + (" ..." if len(missing) > 3 else "")
    return InputError(
        f"Frame {number + 1} lacks {len(missing)} of {len(places)} slices (at {where} along the slice direction).",
        "Export or copy the series again.",
    )


def _even_grid(places: NDArray[np.float64], lenient: bool) -> tuple[float, NDArray[np.float64] | None, bool, list[str]]:
    """Spacing of the even grid, where its slices lie among the images, whether readable, and warnings."""
    n = len(places)
    if n == 1:
        return 0.0, None, True, []
    steps = np.diff(places)
    spacing = round(float(places[-1] - places[0]) / (n - 1), 6)
    even = places[0] + spacing * np.arange(n)
    deviation = float(np.abs(places - even).max())
    if deviation <= _TAKEN_AS_EVEN * spacing:
        note = (
            f"The slices are unevenly spaced by up to {deviation:.3f} mm "
            f"(steps {steps.min():.3f}-{steps.max():.3f} mm); they are taken as evenly spaced by {spacing:.4f} mm."
        )
        return spacing, None, True, [note] if deviation > 0.005 else []
    if deviation <= _RESAMPLED * spacing:
        note = (
            f"The slices are unevenly spaced by up to {deviation:.2f} mm "
            f"(steps {steps.min():.2f}-{steps.max():.2f} mm); they were resampled linearly to {spacing:.4f} mm."
        )
        return spacing, np.interp(even, places, np.arange(n)), True, [note]
    largest = int(np.argmax(steps))
    text = (
        f"The slices are unevenly spaced: steps of {steps.min():.2f}-{steps.max():.2f} mm, the largest between "
        f"{places[largest]:.2f} and {places[largest + 1]:.2f} mm along the slice direction; "
        f"up to {_RESAMPLED * 100:.0f} % of the spacing is resampled, this is {deviation / spacing * 100:.0f} %."
    )
    if lenient:
        usual = float(np.median(steps[steps < 1.5 * steps.min()]))
        return usual, None, False, [text + " Slices are missing; the series can only be described."]
    raise InputError(text, "Slices are probably missing: export or copy the series again.")


def assemble(images: Sequence[ImageHeader], *, describe_only: bool = False) -> ImageGrid:
    """Sort images into frames and slices by their times and positions; names and numbers play no part.

    Slice positions may deviate from even spacing: up to 1 % of the spacing they are taken as even,
    up to 10 % resampled linearly, above that refused. Slices are in order along the normal
    (row direction x column direction), whatever the order of the files.

    :param describe_only: describe a static series even where slices are missing.
    :raises InputError: grids that differ, a slice missing in a frame, several beds in a dynamic scan,
        two images of one place and time, uneven slices.
    """
    _check_same_grid(images)
    _check_stack(images)
    place, places = _positions(images)
    cells: dict[Key, dict[int, ImageHeader]] = defaultdict(dict)
    for image, k in zip(images, place.tolist(), strict=True):
        key = (*time_key(image), round(image.decay_factor or 0.0, 9))
        twin = cells[key].setdefault(k, image)
        if twin is not image:
            raise InputError(
                f"The files '{twin.path.name}' and '{image.path.name}' show the same position at the same time.",
                "The frames cannot be told apart, or the folder holds two reconstructions of the scan.",
            )
    # By acquisition, then reference: enough to number frames in messages; times are resolved later.
    keys = sorted(cells)
    dynamic = sum(map(len, cells.values())) > len(places)
    if dynamic:
        if any(len(cells[key]) != len(places) for key in keys):
            raise _incomplete(cells, keys, places)
        frames = tuple(tuple(cells[key][k] for k in range(len(places))) for key in keys)
        time_of_slice: tuple[int, ...] = ()
    else:
        at = {k: (cells[key][k], number) for number, key in enumerate(keys) for k in cells[key]}
        frames = (tuple(at[k][0] for k in range(len(places))),)
        time_of_slice = tuple(at[k][1] for k in range(len(places)))
    spacing, source_index, readable, warnings = _even_grid(places, lenient=describe_only and not dynamic)
    first = frames[0][0]
    rows, columns = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    geometry = VolumeGeometry(
        (len(places), first.rows, first.columns),
        (first.pixel_spacing[1], first.pixel_spacing[0], spacing or first.slice_thickness or max(first.pixel_spacing)),
        first.position,
        np.stack([rows, columns, first.normal], axis=1),
    )
    return ImageGrid(
        frames=frames,
        times=tuple(next(iter(cells[key].values())) for key in keys),
        time_of_slice=time_of_slice,
        geometry=geometry,
        source_index=source_index,
        readable=readable,
        dynamic=dynamic,
        warnings=tuple(warnings),
    )
