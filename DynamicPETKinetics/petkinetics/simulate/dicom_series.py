"""Write a dynamic series as classic PET images, with the header habits of three vendors.

The headers follow what GE, Siemens and Philips scanners write (docs/methods.md, vendor timing), so
that reading them back meets the same questions as real data: which tag is the frame's start, what
the decay factor refers to, and what a stored number means.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, expm1, log
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from petkinetics.errors import InputError
from petkinetics.read.nuclides import nuclide_of_half_life
from petkinetics.series import DynamicSeries

Vendor = Literal["ge", "siemens", "philips"]
DecayReference = Literal["START", "ADMIN", "NONE"]
Units = Literal["BQML", "GML", "CNTS"]
#: called with each image, its frame and its slice; returns the image to write, or None to leave it out
Modify = Callable[[Dataset, int, int], "Dataset | None"]

#: when the tracer is given, unless the caller or the template says otherwise
DEFAULT_INJECTION = datetime(2024, 3, 14, 9, 30, 0)
#: Bq/mL per count in Philips series stored as counts; of the size real headers show
PHILIPS_BQML_PER_COUNT = 1.602563
_CORRECTIONS = {
    "ge": ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "RADL", "DCAL", "SLSENS", "NORM"],
    "siemens": ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"],
    "philips": ["DECY", "RADL", "ATTN", "SCAT", "DTIM", "RAN", "NORM"],
}
_EQUIPMENT = {
    "ge": ("GE MEDICAL SYSTEMS", "Discovery 690", "VPFX"),
    "siemens": ("SIEMENS", "Biograph64", "OSEM3D 4i8s"),
    "philips": ("Philips Medical Systems", "GEMINI TF TOF 64", "BLOB-OS-TF"),
}


@dataclass(frozen=True)
class _FrameTags:
    """The timing tags of one frame; times in seconds from the series time."""

    acquisition_s: float
    reference_s: float
    decay_factor: str


def _vendor_timing(vendor: Vendor, start_s: float, duration_s: float, decay_per_s: float, factor: float) -> _FrameTags:
    """Each vendor's way to say when a frame was.

    GE: AcquisitionTime is the series time, FrameReferenceTime the frame's start. Siemens:
    AcquisitionTime is the frame's start, FrameReferenceTime the moment of average activity.
    Philips: one AcquisitionTime, FrameReferenceTime the middle, decay factor always 1.

    :param start_s: from the series time.
    :param factor: the decay factor that was applied.
    """
    if vendor == "ge":
        return _FrameTags(0.0, start_s, f"{factor:.6g}")
    if vendor == "siemens":
        x = decay_per_s * duration_s
        average_s = log(x / -expm1(-x)) / decay_per_s
        return _FrameTags(start_s, start_s + average_s, f"{factor:.13g}")
    return _FrameTags(1.0, start_s + 0.5 * duration_s, "1")


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    for digits in range(15, 8, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.8g}"


def _date(moment: datetime) -> str:
    return moment.strftime("%Y%m%d")


def _time(moment: datetime) -> str:
    return moment.strftime("%H%M%S.%f")


def _patient_and_study(ds: Dataset, series: DynamicSeries, vendor: Vendor, uid: Callable[..., str]) -> None:
    """Who and what was scanned, for a series that has no template."""
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "SIMULATED^PATIENT", "SIMULATED", "", "O"
    ds.PatientSize = "1.72"
    ds.StudyInstanceUID, ds.FrameOfReferenceUID = uid("study"), uid("frame of reference")
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "1", "", ""
    ds.StudyDescription, ds.SeriesDescription = "SIMULATED PET", "DYNAMIC PET AC"
    ds.SeriesNumber, ds.PositionReferenceIndicator = 4, ""
    ds.Manufacturer, ds.ManufacturerModelName, ds.ReconstructionMethod = _EQUIPMENT[vendor]
    ds.SoftwareVersions, ds.CollimatorType = "simulated", "NONE"
    ds.RandomsCorrectionMethod, ds.AttenuationCorrectionMethod = "DLYD", "CT-derived mu-map"
    ds.ScatterCorrectionMethod = "Model-based"
    recumbent = _code("102538003", "SCT", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = [_code("40199007", "SCT", "supine")]
    ds.PatientOrientationCodeSequence = [recumbent]
    ds.PatientGantryRelationshipCodeSequence = [_code("102540008", "SCT", "headfirst")]
    item = Dataset()
    if series.tracer.is_fdg:
        item.Radiopharmaceutical = "Fluorodeoxyglucose F18"
        item.RadiopharmaceuticalCodeSequence = [_code("35321007", "SCT", "Fluorodeoxyglucose F^18^")]
    else:
        item.Radiopharmaceutical = series.tracer.name
    nuclide = nuclide_of_half_life(series.tracer.half_life_s)
    item.RadionuclideCodeSequence = [_code(nuclide.sct, "SCT", nuclide.meaning)] if nuclide else []
    ds.RadiopharmaceuticalInformationSequence = DicomSequence([item])


def _without_images(template: Dataset) -> Dataset:
    """A copy of a template's header, without pixels and without what private tags say of its one frame."""
    ds = Dataset()
    for element in template:
        if not element.tag.is_private and element.keyword not in ("PixelData", "SUVType"):
            ds.add(copy.deepcopy(element))
    return ds


def _template_injection(template: Dataset | None) -> datetime:
    """The template's injection time on its series date, else the default."""
    item = (template.get("RadiopharmaceuticalInformationSequence") or [None])[0] if template is not None else None
    clock = str(item.get("RadiopharmaceuticalStartTime") or "") if item is not None else ""
    if template is None or len(clock) < 6:
        return DEFAULT_INJECTION
    return datetime.strptime(str(template.SeriesDate) + clock[:6], "%Y%m%d%H%M%S")


def _common_header(
    series: DynamicSeries,
    vendor: Vendor,
    template: Dataset | None,
    units: Units,
    decay_correction: DecayReference,
    injection: datetime,
    start: datetime,
    uid: Callable[..., str],
) -> Dataset:
    """Everything that is the same in all images."""
    # PatientPosition is left out: the standard forbids it beside PatientOrientationCodeSequence.
    if template is None:
        ds = Dataset()
        _patient_and_study(ds, series, vendor, uid)
    else:
        ds = _without_images(template)
    slices, rows, columns = series.geometry.shape
    spacing, direction = series.geometry.spacing_mm, series.geometry.direction
    ds.SOPClassUID, ds.Modality = PositronEmissionTomographyImageStorage, "PT"
    ds.SeriesInstanceUID, ds.ImageType = uid("series"), ["ORIGINAL", "PRIMARY"]
    ds.StudyDate = ds.StudyDate if template is not None else _date(start)
    ds.StudyTime = ds.StudyTime if template is not None else _time(start)
    ds.SeriesDate, ds.SeriesTime = _date(start), _time(start)
    ds.SeriesType, ds.CountsSource, ds.Units = ["DYNAMIC", "IMAGE"], "EMISSION", units
    if units == "GML":
        ds.SUVType = "BW"
    ds.NumberOfSlices, ds.NumberOfTimeSlices, ds.DecayCorrection = slices, len(series.timing), decay_correction
    corrections = list(ds.get("CorrectedImage") or _CORRECTIONS[vendor])
    ds.CorrectedImage = [name for name in corrections if name != "DECY" or decay_correction != "NONE"]
    if series.weight_kg is not None:
        ds.PatientWeight = _decimal(series.weight_kg)
    item = ds.RadiopharmaceuticalInformationSequence[0]
    item.RadiopharmaceuticalStartTime = _time(injection)
    item.RadiopharmaceuticalStartDateTime = _date(injection) + _time(injection)
    item.RadionuclideHalfLife = _decimal(series.tracer.half_life_s)
    if series.injected_activity_mbq is not None:
        item.RadionuclideTotalDose = _decimal(series.injected_activity_mbq * 1e6)
    ds.Rows, ds.Columns = rows, columns
    ds.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]
    ds.SliceThickness = _decimal(spacing[2])
    ds.ImageOrientationPatient = [_decimal(v) for v in (*direction[:, 0], *direction[:, 1])]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.RescaleIntercept = "0"
    return ds


def _philips_factors(ds: Dataset, dose_at_reference_bq: float | None, weight_kg: float | None) -> None:
    """The private block with which Philips says what a stored count means."""
    block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    if dose_at_reference_bq is not None and weight_kg is not None:
        suv = PHILIPS_BQML_PER_COUNT * weight_kg * 1000.0 / dose_at_reference_bq
        block.add_new(0x00, "DS", _decimal(suv))
    block.add_new(0x09, "DS", _decimal(PHILIPS_BQML_PER_COUNT))


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
    slices = series.geometry.shape[0]
    injection = injection or _template_injection(template)
    series_start_s = float(timing.start_s[0])

    def uid(*parts: object) -> str:
        # One string: generate_uid joins its sources, and image 1, 11 must not be image 11, 1.
        return str(generate_uid(entropy_srcs=["/".join(map(str, ("petkinetics", seed, vendor, *parts)))]))

    start = injection + timedelta(seconds=series_start_s)
    ds = _common_header(series, vendor, template, units, decay_correction, injection, start, uid)
    if template is None:
        ds.BodyPartExamined = body_part
    reference_s = series_start_s if decay_correction == "START" else 0.0
    decay_to_reference = exp(-tracer.decay_per_s * reference_s)
    if vendor == "philips" or units == "CNTS":
        dose = series.injected_activity_mbq
        _philips_factors(ds, dose * 1e6 * decay_to_reference if dose else None, series.weight_kg)
    scale = np.full(len(timing), _stored_scale(series, units, decay_to_reference))
    factors = timing.shifted(-reference_s).decay_factors(tracer.decay_per_s)
    if decay_correction == "NONE":
        scale = scale / factors
        ds.pop("DecayFactor", None)
    largest = 0.0
    if not per_image_rescale:
        largest = max(float(np.abs(series.read([f])).max() * scale[f]) for f in range(len(timing)))

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = PositronEmissionTomographyImageStorage
    native = transfer_syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    meta.TransferSyntaxUID = transfer_syntax if native else ExplicitVRLittleEndian
    ds.file_meta = meta
    directory.mkdir(parents=True, exist_ok=True)
    axis = series.geometry.direction[:, 2] * series.geometry.spacing_mm[2]
    even = np.array(series.geometry.origin_mm) + np.arange(slices)[:, None] * axis
    positions = even if slice_positions_mm is None else np.asarray(slice_positions_mm, dtype=np.float64)
    paths: list[Path] = []
    for f in range(len(timing)):
        start_s, duration_s = float(timing.start_s[f]) - series_start_s, float(timing.duration_s[f])
        tags = _vendor_timing(vendor, start_s, duration_s, tracer.decay_per_s, float(factors[f]))
        acquired = start + timedelta(seconds=tags.acquisition_s)
        ended = start + timedelta(seconds=start_s + duration_s)
        ds.AcquisitionDate, ds.AcquisitionTime = _date(acquired), _time(acquired)
        ds.ContentDate, ds.ContentTime = _date(ended), _time(ended)
        ds.FrameReferenceTime = _decimal(tags.reference_s * 1000.0)
        ds.ActualFrameDuration = round(duration_s * 1000.0)
        if decay_correction != "NONE":
            ds.DecayFactor = tags.decay_factor
        volume = series.read([f])[0].astype(np.float64) * scale[f]
        for k in range(slices):
            pixels, slope = _to_int16(volume[k], float(np.abs(volume[k]).max()) if per_image_rescale else largest)
            index = f * slices + k + 1
            ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = uid("image", f, k)
            ds.InstanceNumber, ds.ImageIndex = index, index
            position = positions[k]
            ds.ImagePositionPatient = [_decimal(v) for v in position]
            ds.SliceLocation = _decimal(float(position @ np.cross(*series.geometry.direction.T[:2])))
            ds.RescaleSlope = slope
            ds.SmallestImagePixelValue, ds.LargestImagePixelValue = int(pixels.min()), int(pixels.max())
            ds.PixelData = pixels.tobytes()
            image = ds if modify is None else modify(copy.deepcopy(ds), f, k)
            if image is None:
                continue
            if not native:
                image = copy.deepcopy(image) if image is ds else image
                image.compress(transfer_syntax, generate_instance_uid=False)
            path = directory / f"PT_{f + 1:03d}_{k + 1:04d}.dcm"
            image.save_as(path, enforce_file_format=True)
            paths.append(path)
    return paths
