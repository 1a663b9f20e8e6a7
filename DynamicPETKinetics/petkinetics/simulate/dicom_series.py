"""Write a dynamic series as classic PET images, with the header habits of three vendors.

The headers follow what GE, Siemens and Philips scanners write (docs/methods.md, vendor timing), so
that reading them back meets the same questions as real data: which tag is the frame's start, what
the decay factor refers to, and what a stored number means.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from math import exp
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from petkinetics.errors import InputError
from petkinetics.series import DynamicSeries, VolumeGeometry
from petkinetics.simulate.dicom_header import (
    DecayReference,
    Units,
    add_philips_factors,
    common_header,
    template_injection,
)
from petkinetics.simulate.dicom_values import date_string, decimal_string, time_string
from petkinetics.simulate.dicom_vendors import PHILIPS_BQML_PER_COUNT, FrameTags, Vendor, vendor_timing

#: called with each image, its frame and its slice; returns the image to write, or None to leave it out
Modify = Callable[[Dataset, int, int], "Dataset | None"]
_NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def _stored_scale(series: DynamicSeries, units: Units, decay_to_reference: float) -> float:
    """Factor from kBq/mL decay-corrected to injection to the stored unit at the stored decay reference."""
    if units == "BQML":
        return 1000.0 * decay_to_reference
    if units == "CNTS":
        return 1000.0 * decay_to_reference / PHILIPS_BQML_PER_COUNT
    if not series.weight_kg or not series.injected_activity_mbq:
        raise InputError("SUV (GML) can be written only where weight and injected activity are known.")
    return series.weight_kg / series.injected_activity_mbq


def _to_int16(values: NDArray[np.float64], largest: float) -> tuple[NDArray[np.int16], str]:
    """Values as int16 and their rescale slope, as its decimal string says it."""
    slope = f"{largest / 32767.0:.9e}" if largest > 0 else "1"
    return np.clip(np.rint(values / float(slope)), -32768, 32767).astype("<i2"), slope


def write_dicom_series(
    directory: Path,
    series: DynamicSeries,
    *,
    vendor: Vendor = "ge",
    template: Dataset | None = None,
    transfer_syntax: str = ExplicitVRLittleEndian,
    decay_correction: DecayReference = "START",
    units: Units = "BQML",
    seed: int | str = 0,
    body_part: str = "CHEST",
    per_image_rescale: bool = True,
    injection: datetime | None = None,
    slice_positions_mm: ArrayLike | None = None,
    modify: Modify | None = None,
) -> list[Path]:
    """Write every slice of every frame as a PET Image Storage file (int16).

    Stored decay reference: START is the start of the first frame, which is also the series time;
    NONE takes out each frame's own factor, x e^(-lambda t)-weighted as
    :meth:`petkinetics.frames.FrameTiming.decay_factors`.

    :param directory: made if it is not there.
    :param series: voxels in kBq/mL, decay-corrected to injection; read frame by frame.
    :param vendor: whose header habits to follow.
    :param template: a real header whose patient, study and equipment are kept; its timing, geometry
        and series are replaced.
    :param transfer_syntax: UID; compressed ones need pydicom's encoders (JPEG-LS, JPEG 2000, RLE).
    :param units: BQML, GML (SUV by body weight) or CNTS (with Philips' private factors).
    :param seed: number or text that makes the UIDs; the same seed gives the same UIDs.
    :param body_part: Body Part Examined, where there is no template.
    :param per_image_rescale: a rescale slope for each image, as scanners do; else one for all.
    :param injection: moment of injection; the template's, or 2024-03-14 09:30, if not given.
    :param slice_positions_mm: (slices, 3), of each slice's first voxel, where slices are not evenly spaced.
    :param modify: may change, replace or (returning None) drop each image before it is written.
    :returns: the files, in order of frame, then slice.
    :raises InputError: GML without weight or dose, or GML without decay correction.
    """
    if units == "GML" and decay_correction == "NONE":
        raise InputError("SUV (GML) has no meaning without decay correction; choose START or ADMIN.")
    timing, tracer = series.timing, series.tracer
    injection = injection or template_injection(template)
    series_start_s = float(timing.start_s[0])

    def uid(*parts: object) -> str:
        # One string: generate_uid joins its sources, and image 1, 11 must not be image 11, 1.
        return str(generate_uid(entropy_srcs=["/".join(map(str, ("petkinetics", seed, vendor, *parts)))]))

    start = injection + timedelta(seconds=series_start_s)
    ds = common_header(series, vendor, template, units, decay_correction, injection, start, uid)
    if template is None:
        ds.BodyPartExamined = body_part
    reference_s = series_start_s if decay_correction == "START" else 0.0
    decay_to_reference = exp(-tracer.decay_per_s * reference_s)
    if vendor == "philips" or units == "CNTS":
        dose = series.injected_activity_mbq
        add_philips_factors(ds, dose * 1e6 * decay_to_reference if dose else None, series.weight_kg)
    scale = np.full(len(timing), _stored_scale(series, units, decay_to_reference))
    factors = timing.shifted(-reference_s).decay_factors(tracer.decay_per_s)
    if decay_correction == "NONE":
        scale = scale / factors
        ds.pop("DecayFactor", None)
    largest = None if per_image_rescale else _largest(series, scale)
    ds.file_meta = _file_meta(transfer_syntax)
    directory.mkdir(parents=True, exist_ok=True)
    positions = _positions(series.geometry, slice_positions_mm)
    paths: list[Path] = []
    for f in range(len(timing)):
        start_s, duration_s = float(timing.start_s[f]) - series_start_s, float(timing.duration_s[f])
        tags = vendor_timing(vendor, start_s, duration_s, tracer.decay_per_s, float(factors[f]))
        _put_times(ds, tags, start, start_s + duration_s, duration_s)
        if decay_correction != "NONE":
            ds.DecayFactor = tags.decay_factor
        volume = series.read([f])[0].astype(np.float64) * scale[f]
        for k, pixels in enumerate(volume):
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid("image", f, k)
            ds.InstanceNumber = ds.ImageIndex = f * len(volume) + k + 1
            _put_place(ds, positions[k], series.geometry)
            _put_pixels(ds, pixels, largest)
            image = ds if modify is None else modify(copy.deepcopy(ds), f, k)
            if image is None:
                continue
            path = directory / f"PT_{f + 1:03d}_{k + 1:04d}.dcm"
            _compressed(image, transfer_syntax).save_as(path, enforce_file_format=True)
            paths.append(path)
    return paths


def _largest(series: DynamicSeries, scale: NDArray[np.float64]) -> float:
    """The largest stored value of the series, in its unit; *scale* of each frame."""
    return max(float(np.abs(series.read([f])).max() * scale[f]) for f in range(len(series.timing)))


def _file_meta(transfer_syntax: str) -> FileMetaDataset:
    """Of an image before compression."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
    meta.TransferSyntaxUID = transfer_syntax if transfer_syntax in _NATIVE else ExplicitVRLittleEndian
    return meta


def _positions(geometry: VolumeGeometry, given_mm: ArrayLike | None) -> NDArray[np.float64]:
    """Each slice's first voxel, mm, (slices, 3)."""
    if given_mm is not None:
        return np.asarray(given_mm, dtype=np.float64)
    axis = geometry.direction[:, 2] * geometry.spacing_mm[2]
    return np.asarray(np.array(geometry.origin_mm) + np.arange(geometry.shape[0])[:, None] * axis)


def _put_times(ds: Dataset, tags: FrameTags, start: datetime, end_s: float, duration_s: float) -> None:
    """The times of a frame; *end_s* from the series' *start*."""
    acquired, ended = start + timedelta(seconds=tags.acquisition_s), start + timedelta(seconds=end_s)
    ds.AcquisitionDate, ds.AcquisitionTime = date_string(acquired), time_string(acquired)
    ds.ContentDate, ds.ContentTime = date_string(ended), time_string(ended)
    ds.FrameReferenceTime = decimal_string(tags.reference_s * 1000.0)
    ds.ActualFrameDuration = round(duration_s * 1000.0)


def _put_place(ds: Dataset, position: NDArray[np.float64], geometry: VolumeGeometry) -> None:
    """Where a slice lies."""
    ds.ImagePositionPatient = [decimal_string(v) for v in position]
    ds.SliceLocation = decimal_string(float(position @ np.cross(*geometry.direction.T[:2])))


def _put_pixels(ds: Dataset, values: NDArray[np.float64], largest: float | None) -> None:
    """A slice in the stored unit; its own largest value makes the slope where none is given."""
    pixels, slope = _to_int16(values, float(np.abs(values).max()) if largest is None else largest)
    ds.RescaleSlope = slope
    ds.SmallestImagePixelValue, ds.LargestImagePixelValue = int(pixels.min()), int(pixels.max())
    ds.PixelData = pixels.tobytes()


def _compressed(image: Dataset, transfer_syntax: str) -> Dataset:
    """A compressed copy, or the image itself where the syntax is native."""
    if transfer_syntax in _NATIVE:
        return image
    packed = copy.deepcopy(image)
    packed.compress(transfer_syntax, generate_instance_uid=False)
    return packed
