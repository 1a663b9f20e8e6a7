"""Read a dynamic PET series from a folder of PET images, one file a slice or many images in a file.

The way: find the images (dicom_scan), choose the series (dicom_choice), sort them into frames and
slices (dicom_geometry), find out what was given (dicom_tracer), when the frames were (dicom_times),
what a stored value means (dicom_units), and hand out voxels (dicom_voxels).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import EnhancedPETImageStorage

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.dicom_choice import choose_images
from petkinetics.read.dicom_enhanced import series_header
from petkinetics.read.dicom_enhanced_times import decay_reference_name, stated_times
from petkinetics.read.dicom_geometry import ImageGrid, assemble
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.dicom_rwv import check_real_world_values
from petkinetics.read.dicom_scan import scan_folder
from petkinetics.read.dicom_times import resolve_times
from petkinetics.read.dicom_tracer import read_administration
from petkinetics.read.dicom_units import (
    check_corrections,
    check_unit,
    check_units_agree,
    frame_scales,
    stored_unit,
    suv_per_stored_unit,
)
from petkinetics.read.dicom_voxels import DicomVoxels, NoVoxels, StoredImage
from petkinetics.read.overrides import Overrides
from petkinetics.series import DynamicSeries, SeriesOrigin, VoxelSource


def _first_start(images: Sequence[ImageHeader]) -> float:
    """About when the scan began: the first acquisition, else the series time (a moment)."""
    acquired = [i.acquired_s for i in images if i.acquired_s is not None]
    series = [i.series_s for i in images if i.series_s is not None]
    if not acquired and not series:
        raise InputError(
            "The headers give neither the series' nor the images' acquisition date and time.",
            "Export the series again without removing times.",
        )
    return min(acquired or series)


def _static(grid: ImageGrid) -> InputError:
    beds = len(grid.times)
    several = f", in {beds} bed positions or steps" if beds > 1 else ""
    return InputError(
        f"The series is static: it shows each of its {grid.geometry.shape[0]} slices once{several}.",
        "Kinetic analysis needs a dynamic series, with several frames of the same slices.",
    )


def _voxels(grid: ImageGrid, scales: NDArray[np.float64], order: NDArray[np.intp]) -> VoxelSource:
    """The source of voxels, frames in order of time."""
    if not grid.readable:
        return NoVoxels("Slices of this static series are missing; its voxels cannot be read as a volume.")
    if grid.dynamic:
        frames = tuple(tuple(StoredImage.of(i, float(scales[f])) for i in grid.frames[f]) for f in order)
    else:
        pairs = zip(grid.frames[0], grid.time_of_slice, strict=True)
        frames = (tuple(StoredImage.of(image, float(scales[f])) for image, f in pairs),)
    return DicomVoxels(frames, grid.geometry.shape[1:], grid.source_index)


def read_dicom(
    path: Path | Sequence[Path], overrides: Overrides | None = None, *, require_dynamic: bool = True
) -> DynamicSeries:
    """Read the dynamic PET series in a folder; voxels are read later, in slabs.

    File names and nesting do not matter; other DICOM objects and files that are no DICOM are left
    aside. Values are brought to kBq/mL, decay-corrected to injection.

    :param path: a folder (or one file), or the files of a series.
    :param overrides: values that replace the header's.
    :param require_dynamic: refuse a static series; False describes it (for ``info``): *dynamic* is
        then False, *timing* holds one entry a bed position, and the volume is frame 0.
    :raises InputError: the series cannot be used, with the reason and what to do.
    """
    overrides = overrides or Overrides()
    scan = scan_folder(path)
    folder = path if isinstance(path, Path) else path[0].parent
    images, warnings = choose_images(folder, scan)
    first = images[0]
    header = series_header(first.path)
    check_units_agree(images)
    # Units before all else: where they are no activity, nothing further is worth saying.
    check_unit(header, first)
    warnings += check_corrections(first)
    try:
        grid = assemble(images, describe_only=not require_dynamic)
    except InputError as error:
        if scan.not_dicom == 0:
            raise
        # A file cut off within its first lines cannot be told from one that never was DICOM.
        files = "1 file" if scan.not_dicom == 1 else f"{scan.not_dicom} files"
        hint = (
            f"{error.hint} The folder also holds {files} without a DICOM header: a truncated image may be among them."
        )
        raise InputError(error.message, hint.strip()) from error
    if require_dynamic and not grid.dynamic:
        raise _static(grid)
    admin = read_administration(header, _first_start(images), overrides)
    unit = stored_unit(header, first, admin)
    manufacturer = str(header.get("Manufacturer") or "")
    if first.sop_class == EnhancedPETImageStorage:
        times = stated_times(grid.times, admin.scanner_decay_per_s)
    else:
        times = resolve_times(
            grid.times,
            decay_correction=first.decay_correction,
            injection=admin.header_injection,
            decay_per_s=admin.scanner_decay_per_s,
            manufacturer=manufacturer,
        )
    order = np.argsort(times.start, kind="stable")
    timing = FrameTiming(times.start[order] - admin.injection, times.duration_s[order])
    scales = frame_scales(unit, first.decay_correction, times, admin)
    suv_factor, suv_factors = suv_per_stored_unit(scales[order], admin)
    study_uids, image_uids = {i.study_uid for i in images}, {i.sop_uid for i in images}
    warnings += grid.warnings + admin.warnings + times.warnings
    warnings += check_real_world_values(scan.real_world_values, min(study_uids), image_uids, suv_factor)
    return DynamicSeries(
        timing=timing,
        geometry=grid.geometry,
        tracer=admin.tracer,
        voxels=_voxels(grid, scales, order),
        injected_activity_mbq=admin.dose_mbq,
        weight_kg=admin.weight_kg,
        height_m=admin.height_m,
        sex=admin.sex,
        decay_weighted=times.decay_weighted,
        suv_factor=suv_factor,
        suv_factors=suv_factors,
        origin=SeriesOrigin(
            path=str(folder),
            format="dicom",
            series_uids=tuple(dict.fromkeys(i.series_uid for i in images)),
            manufacturer=manufacturer,
            units=first.units,
            decay_corrected_to=decay_reference_name(images, admin.header_injection),
        ),
        overrides=overrides.record(),
        warnings=tuple(warnings),
        dynamic=grid.dynamic,
    )
