"""Volume sequences of 3D Slicer (``.seq.nrrd``).

Slicer keeps the frames in one NRRD: the list axis last, or first in older files; index values, the
sequence's attributes and each frame's as key/value pairs ("axis 3 item 0007 NAME"). What they mean is
:mod:`petkinetics.read.sequence_attributes`'s business.

A raw file whose list axis is last is read where it lies; a compressed or interleaved one is unpacked
once into an unnamed temporary file, frame after frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from petkinetics.errors import InputError
from petkinetics.read.fingerprint import fingerprint
from petkinetics.read.nifti import NiftiHeader
from petkinetics.read.nrrd_header import NrrdHeader
from petkinetics.read.overrides import Overrides
from petkinetics.read.sequence_attributes import SequenceAttributes
from petkinetics.read.sequence_voxels import SequenceVoxels, VoxelPlace
from petkinetics.series import DynamicSeries, SeriesOrigin


def read_sequence(
    path: Path, overrides: Overrides | None = None, statements: Mapping[str, str] | None = None
) -> DynamicSeries:
    """Open a volume sequence; voxels are read later, slab by slab.

    :param overrides: values that replace those of the file; a time of injection cannot, since a
        sequence has no clock times.
    :param statements: ``frames`` (durations such as 6x10,4x30, seconds), ``first_frame`` (its start,
        seconds from injection), ``units`` and ``decay_corrected_to`` ("injection", "none" or seconds
        from injection), said by the user; stronger than the file.
    :raises InputError: it is no sequence of volumes, or lacks what nobody states.
    """
    given, header = overrides or Overrides(), NrrdHeader.read(path)
    axis = header.list_axis
    if len(header.sizes) != 4 or axis not in (0, 3):
        raise InputError(
            f"{path.name} is not a sequence of volumes: its sizes are {' x '.join(map(str, header.sizes))}.",
            "A dynamic series has three axes in space and one of frames.",
        )
    frames = header.sizes[axis]
    if frames < 2:
        raise InputError(
            f"{path.name} holds one volume, not a dynamic series.", "Ki needs a series of frames over time."
        )
    if given.injection_time is not None:
        raise InputError(
            f"{path.name} has no clock times, so a time of injection cannot be related to its frames.",
            "Give the start of the first frame with --set first_frame=SECONDS (from injection).",
        )
    units = header.words("units")
    said = SequenceAttributes(
        header.name,
        header.pairs,
        _items(header, axis, frames),
        header.pairs.get(f"axis {axis} index values", "").split(),
        units[axis] if len(units) > axis else "",
        given,
        statements,
    )
    scale = said.scale()
    in_place = axis == 3 and not header.compressed
    stored = NiftiHeader(header.geometry(), frames, header.dtype, header.voxels_at if in_place else 0, 1.0, 0.0)
    voxels = SequenceVoxels(path, stored, scale, source=VoxelPlace.of(path, header, stored, axis))
    origin = SeriesOrigin(path=str(path), format="seq.nrrd", fingerprint=fingerprint(path, header.voxels_at))
    return said.series(stored.geometry, voxels, origin)


def _items(header: NrrdHeader, axis: int, frames: int) -> list[dict[str, str]]:
    """The attributes of every frame."""
    found: list[dict[str, str]] = [{} for _ in range(frames)]
    pattern = re.compile(rf"axis {axis} item (\d+) (.+)")
    for key, value in header.pairs.items():
        match = pattern.fullmatch(key)
        if match and int(match[1]) < frames:
            found[int(match[1])][match[2]] = value
    return found
