"""A dynamic series as a volume sequence of 3D Slicer (``.seq.nrrd``): its header, and its voxels slab by slab.

The Slicer module writes them for its background process, in steps between which the application lives. The layout is
the one Slicer writes itself: axes I, J, K and the list of frames last, with the attributes that
:mod:`petkinetics.read.sequence_nrrd` reads back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from petkinetics.read.sequence_statements import PREFIX
from petkinetics.series import DynamicSeries, VolumeGeometry


def slabs_in_order(series: DynamicSeries, voxels: int | None = None) -> Iterator[NDArray[np.uint8]]:
    """The voxels as they follow the header, as bytes, (n,), in slabs of whole slices.

    A slab is overwritten by the next one.

    :param voxels: about so many voxels a slab, at least a slice; a whole frame by default.
    """
    slices, rows, columns = series.geometry.shape
    depth = slices if voxels is None else max(1, min(slices, voxels // (rows * columns)))
    buffer = np.empty((1, depth, rows, columns), dtype="<f4")
    for frame in range(len(series.timing)):
        for first in range(0, slices, depth):
            last = min(first + depth, slices)
            slab = series.voxels.read([frame], first, last, buffer[:, : last - first])
            yield np.ascontiguousarray(slab, dtype="<f4").reshape(-1).view(np.uint8)


def sequence_header(series: DynamicSeries) -> bytes:
    """The header of the file, up to the first byte of voxels, which follow uncompressed."""
    geometry, timing = series.geometry, series.timing
    slices, rows, columns = geometry.shape
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        "type: float",
        "dimension: 4",
        "space: left-posterior-superior",
        f"sizes: {columns} {rows} {slices} {len(timing)}",
        f"space directions: {' '.join(_vectors(geometry))} none",
        "kinds: domain domain domain list",
        'labels: "" "" "" "time"',
        'units: "" "" "" "s"',
        "endian: little",
        "encoding: raw",
        f"space origin: {_vector(geometry.origin_mm)}",
        "DataNodeClassName:=vtkMRMLScalarVolumeNode",
    ]
    lines += [f"{PREFIX}{name}:={_escaped(value)}" for name, value in sorted(sequence_attributes(series).items())]
    lines.append("axis 3 index type:=numeric")
    lines.append("axis 3 index values:=" + " ".join(repr(float(s)) for s in timing.start_s))
    for i in range(len(timing)):
        item = f"axis 3 item {i:04d} {PREFIX}"
        lines += [f"{item}{name}:={value}" for name, value in sorted(frame_attributes(series, i).items())]
    return ("\n".join(lines) + "\n\n").encode("utf-8")


def frame_attributes(series: DynamicSeries, frame: int) -> dict[str, str]:
    """What a frame of a sequence says of itself, without the prefix of the names."""
    return {
        "FrameStart_s": repr(float(series.timing.start_s[frame])),
        "FrameDuration_s": repr(float(series.timing.duration_s[frame])),
        "Units": "kBq/mL",
    }


def sequence_attributes(series: DynamicSeries) -> dict[str, str]:
    """What a sequence says of its series, without the prefix of the names; names no patient."""

    def number(value: float | None) -> str:
        return "" if value is None else repr(float(value))

    found = {
        "Tracer": series.tracer.name or series.tracer.radionuclide,
        "HalfLife_s": number(series.tracer.half_life_s),
        "InjectedActivity_MBq": ""
        if series.injected_activity_mbq is None
        else repr(float(series.injected_activity_mbq)),
        "Weight_kg": number(series.weight_kg),
        "Height_m": number(series.height_m),
        "Sex": series.sex,
        "SourceSeriesUIDs": " ".join(series.origin.series_uids),
        "Manufacturer": series.origin.manufacturer,
        "DecayCorrectedTo": "injection",
        "FrameMean": "decay-weighted" if series.decay_weighted else "plain",
        "Overrides": json.dumps(series.overrides, default=str) if series.overrides else "",
        "Warnings": json.dumps(series.warnings) if series.warnings else "",
    }
    return {name: value for name, value in found.items() if value}


def _vector(values: tuple[float, ...]) -> str:
    return "(" + ",".join(f"{v:.17g}" for v in values) + ")"


def _vectors(geometry: VolumeGeometry) -> list[str]:
    steps = geometry.direction * np.array(geometry.spacing_mm)
    return [_vector(tuple(steps[:, axis])) for axis in range(3)]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
