"""A dynamic series as a volume sequence of 3D Slicer (``.seq.nrrd``), written frame by frame.

The layout is the one Slicer writes itself: axes I, J, K and the list of frames last, with the
attributes that :mod:`petkinetics.read.sequence_nrrd` reads back.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from petkinetics.read.sequence_nrrd import PREFIX
from petkinetics.series import DynamicSeries, VolumeGeometry
from petkinetics.write.nifti import gzip_compressor
from petkinetics.write.staging import staged_files


def write_sequence(series: DynamicSeries, path: Path, *, compress: bool = True) -> None:
    """Write kBq/mL, decay-corrected to injection; the index is the frame's start in seconds from injection.

    Names no patient. The file appears when it is complete.

    :param path: of the ``.seq.nrrd``; must not exist.
    :param compress: by gzip.
    :raises InputError: the file is there already, or cannot be written.
    :raises ResourceError: the disk is full.
    """
    pack = gzip_compressor() if compress else None
    with staged_files(path.absolute().parent, [path.name]) as folder, (folder / path.name).open("wb") as file:
        file.write(_header(series, compress).encode("utf-8"))
        for frame in range(len(series.timing)):
            voxels = series.voxels.read([frame], 0, series.geometry.shape[0])
            data = np.ascontiguousarray(voxels, dtype="<f4").reshape(-1).view(np.uint8).data
            file.write(pack.compress(data) if pack else data)
        if pack:
            file.write(pack.flush())


def _header(series: DynamicSeries, compress: bool) -> str:
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
        f"encoding: {'gzip' if compress else 'raw'}",
        f"space origin: {_vector(geometry.origin_mm)}",
        "DataNodeClassName:=vtkMRMLScalarVolumeNode",
    ]
    lines += [f"{PREFIX}{name}:={_escaped(value)}" for name, value in sorted(_attributes(series).items())]
    lines.append("axis 3 index type:=numeric")
    lines.append("axis 3 index values:=" + " ".join(repr(float(s)) for s in timing.start_s))
    for i in range(len(timing)):
        item = f"axis 3 item {i:04d} {PREFIX}"
        lines.append(f"{item}FrameDuration_s:={float(timing.duration_s[i])!r}")
        lines.append(f"{item}FrameStart_s:={float(timing.start_s[i])!r}")
        lines.append(f"{item}Units:=kBq/mL")
    return "\n".join(lines) + "\n\n"


def _attributes(series: DynamicSeries) -> dict[str, str]:

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
    }
    return {name: value for name, value in found.items() if value}


def _vector(values: tuple[float, ...]) -> str:
    return "(" + ",".join(f"{v:.17g}" for v in values) + ")"


def _vectors(geometry: VolumeGeometry) -> list[str]:
    steps = geometry.direction * np.array(geometry.spacing_mm)
    return [_vector(tuple(steps[:, axis])) for axis in range(3)]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
