"""Maps as PET Image Storage (PS3.3 A.21): one image a slice, 16 bits, for archives and viewers without parametric maps.

A derived static series: patient, study, frame of reference, tracer and corrections are the source's, the unit is
the map's (Units, SUV Type). One rescale slope serves the whole volume, because viewers that take the first image's
slope for all are still met; it is fine enough for a thousandth of the 99th percentile, and what lies
beyond 16 bits at that slope is stored as the limit, counted and told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom import ContributingEquipment, SOPClass
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage, generate_uid

from petkinetics import __version__
from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.maps import ParametricMap
from petkinetics.read.clock import dicom_date_and_time
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.dicom_tracer import read_administration
from petkinetics.read.overrides import Overrides
from petkinetics.write import dicom_codes
from petkinetics.write.dicom_encoding import encode, write_object
from petkinetics.write.dicom_map_header import (
    LO,
    describe,
    display_window,
    right_handed,
    slice_positions,
    software_versions,
    template_image,
    value_mapping,
)
from petkinetics.write.dicom_references import SOURCE_IMAGES, source_images
from petkinetics.write.dicom_sources import SourceSeries
from petkinetics.write.map_provenance import MapProvenance
from petkinetics.write.quantity_terms import quantity_label, unit_text

#: a step is at most this share of the 99th percentile of what is not zero
_FINEST = 1e-3
_LARGEST = 32767
#: how the source was acquired, which holds for what is computed from it
_ACQUISITION = (
    "Laterality",
    "CountsSource",
    "CorrectedImage",
    "RandomsCorrectionMethod",
    "AttenuationCorrectionMethod",
    "ScatterCorrectionMethod",
    "ReconstructionMethod",
    "ConvolutionKernel",
    "CollimatorType",
    "TypeOfDetectorMotion",
    "ReconstructionDiameter",
    "FieldOfViewShape",
    "FieldOfViewDimensions",
    "EnergyWindowRangeSequence",
    "RadiopharmaceuticalInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientGantryRelationshipCodeSequence",
)
#: of these, those that must be there, empty where the source lacks them
_TYPE_2 = (
    "CorrectedImage",
    "CollimatorType",
    "RadiopharmaceuticalInformationSequence",
    "PatientOrientationCodeSequence",
    "PatientGantryRelationshipCodeSequence",
)


@dataclass(frozen=True, eq=False)
class StoredValues:
    """A map as 16-bit integers.

    :param integers: (slices, rows, columns).
    :param slope: as its decimal string says it.
    :param saturated: voxels beyond what the integers reach.
    """

    integers: NDArray[np.int16]
    slope: str
    saturated: int

    @property
    def limit(self) -> float:
        """The largest magnitude that can be stored."""
        return _LARGEST * float(self.slope)

    @classmethod
    def of(cls, values: NDArray[np.float32], factor: float = 1.0) -> StoredValues:
        """Round to steps of which 32,767 reach the largest value, or of 0.1 % of the 99th percentile if that is finer.

        The percentile is that of the magnitudes that are not zero (most of a masked map is); a few hot voxels cannot
        coarsen the rest.

        :param values: of a map, in its unit, (slices, rows, columns).
        :param factor: from the map's unit to the stored one.
        """
        magnitude = np.abs(values[values != 0]).astype(np.float64) * factor
        if magnitude.size == 0:
            return cls(np.zeros(values.shape, "<i2"), "1", 0)
        slope = f"{min(magnitude.max() / _LARGEST, _FINEST * np.percentile(magnitude, 99)):.9e}"
        step = float(slope)
        integers, saturated = np.empty(values.shape, "<i2"), 0
        for k, plane in enumerate(values):
            steps = np.rint(plane.astype(np.float64) * (factor / step))
            saturated += int(np.count_nonzero(np.abs(steps) > _LARGEST))
            integers[k] = np.clip(steps, -_LARGEST, _LARGEST)
        return cls(integers, slope, saturated)


def pet_image_names(parametric_map: ParametricMap) -> list[str]:
    """The files of a map, one a slice."""
    return [f"{parametric_map.quantity.name}_{k + 1:04d}.dcm" for k in range(parametric_map.geometry.shape[0])]


def write_pet_images(
    folder: Path,
    parametric_map: ParametricMap,
    provenance: MapProvenance,
    sources: SourceSeries,
    prefix: str,
    series_number: int,
) -> str | None:
    """Write a map as a series of PET images.

    :param prefix: put before the quantity in the series description.
    :returns: a sentence about voxels beyond what could be stored; None where there are none.
    :raises InputError: DICOM has no unit for the map.
    """
    quantity = parametric_map.quantity
    units = dicom_codes.pet_units(quantity)
    if units is None:
        raise InputError(f"DICOM has no unit {quantity.unit} for PET images; export {quantity.symbol} as a map.")
    geometry, values, images = right_handed(parametric_map, sources.frames(provenance.frames_used))
    stored = StoredValues.of(values, units[1])
    dataset = _series(parametric_map, provenance, sources, stored, images[0], prefix, series_number)
    shared = encode(dataset)
    for k, (position, name) in enumerate(zip(slice_positions(geometry), pet_image_names(parametric_map), strict=True)):
        pixels, own = stored.integers[k], Dataset()
        own.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
        own.InstanceNumber = own.ImageIndex = k + 1
        own.ImagePositionPatient = [float(f"{c:.8f}") for c in position]
        own.add_new("SmallestImagePixelValue", "SS", int(pixels.min()))
        own.add_new("LargestImagePixelValue", "SS", int(pixels.max()))
        own.add_new("PixelData", "OW", pixels.tobytes())
        elements = {**shared, **encode(own), SOURCE_IMAGES: source_images(images[k], sources.in_place)}
        write_object(folder / name, dataset.file_meta, elements)
    return _told(parametric_map, stored, units[1])


def _told(parametric_map: ParametricMap, stored: StoredValues, factor: float) -> str | None:
    if not stored.saturated:
        return None
    quantity, step = parametric_map.quantity, float(stored.slope) / factor
    unit = "" if quantity.unit == "1" else f" {quantity.unit}"
    many = stored.saturated != 1
    return (
        f"{stored.saturated} voxel{'s' if many else ''} of {quantity.symbol} lie{'' if many else 's'} beyond "
        f"{stored.limit / factor:.4g}{unit}, all that 16 bits hold in steps of {step:.2g}, "
        f"and {'were' if many else 'was'} stored as that limit in the PET images."
    )


def _series(
    parametric_map: ParametricMap,
    provenance: MapProvenance,
    sources: SourceSeries,
    stored: StoredValues,
    frames: Sequence[ImageHeader],
    prefix: str,
    series_number: int,
) -> SOPClass:
    """Everything that is the same in all images of a map.

    :param frames: the source images of one slice, in order of time.
    """
    quantity, header = parametric_map.quantity, sources.header
    label = quantity_label(quantity, provenance.blood)
    geometry, values, _ = right_handed(parametric_map, sources.slices)
    template = template_image(header, geometry)
    dataset = SOPClass(
        study_instance_uid=template.StudyInstanceUID,
        series_instance_uid=generate_uid(prefix=None),
        series_number=series_number,
        sop_instance_uid=generate_uid(prefix=None),
        sop_class_uid=PositronEmissionTomographyImageStorage,
        instance_number=1,
        modality="PT",
        manufacturer="petkinetics",
        manufacturer_model_name="petkinetics",
        software_versions=software_versions(provenance),
        device_serial_number=__version__,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=f"{prefix}{label} [{unit_text(quantity)}] research only"[:LO],
        coding_schemes=[dicom_codes.scheme_identification()],
    )
    clause = f"stored in steps of {float(stored.slope):.3g}"
    if stored.saturated:
        clause += f", {stored.saturated} voxel{'s' * (stored.saturated > 1)} beyond {stored.limit:.4g} stored as that"
    describe(dataset, header, label, provenance, clause)
    # PET images know no SECONDARY (PS3.3 C.8.9.4.1.1).
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.DerivationCodeSequence = [dicom_codes.code_item(dicom_codes.DERIVATION)]
    for keyword in (
        "FrameOfReferenceUID",
        "PositionReferenceIndicator",
        "LossyImageCompression",
        "LossyImageCompressionRatio",
        "LossyImageCompressionMethod",
    ):
        if keyword in template:
            dataset.add(template[keyword])
    if template.get("Manufacturer"):
        dataset.ContributingEquipmentSequence = [ContributingEquipment.for_image_acquisition(template)]
    _pet_series(dataset, header, parametric_map)
    _times(dataset, header, provenance, frames)
    for keyword in ("Rows", "Columns", "PixelSpacing", "SliceThickness", "ImageOrientationPatient"):
        dataset.add(template[keyword])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.RescaleIntercept, dataset.RescaleSlope = "0", stored.slope
    factor = dicom_codes.pet_units(quantity)[1]  # type: ignore[index]
    window = display_window(values)
    dataset.WindowCenter, dataset.WindowWidth = (
        f"{factor * float(v):.9e}" for v in (window.WindowCenter, window.WindowWidth)
    )
    dataset.VOILUTFunction = window.VOILUTFunction
    dataset.RealWorldValueMappingSequence = [
        value_mapping(parametric_map, provenance, label, float(stored.slope) / factor, (-_LARGEST, _LARGEST))
    ]
    return dataset


def _pet_series(dataset: SOPClass, header: Dataset, parametric_map: ParametricMap) -> None:
    """PET Series, PET Isotope and Patient Orientation: as the source has them, but static and in the map's unit."""
    for keyword in _ACQUISITION:
        if keyword in header:
            dataset.add(header[keyword])
        elif keyword in _TYPE_2:
            setattr(dataset, keyword, [] if keyword.endswith("Sequence") else "")
    dataset.CountsSource = header.get("CountsSource") or "EMISSION"
    dataset.Units = dicom_codes.pet_units(parametric_map.quantity)[0]  # type: ignore[index]
    suv_type = dicom_codes.suv_type(parametric_map.quantity)
    if suv_type is not None:
        dataset.SUVType = suv_type
    dataset.SeriesType = ["STATIC", "IMAGE"]
    dataset.NumberOfSlices = parametric_map.geometry.shape[0]


def _times(dataset: SOPClass, header: Dataset, provenance: MapProvenance, frames: Sequence[ImageHeader]) -> None:
    """When the frames used were acquired, and that their decay is corrected to injection.

    Start, middle and decay factor of the window agree, whatever the source's vendor means by these attributes.
    Where the window is not known, the first frame's are kept and the factor is 1.
    """
    first = frames[0]
    acquired = first.acquired_s if first.acquired_s is not None else first.series_s
    series = first.series_s if first.series_s is not None else acquired
    reference_s, factor = first.reference_s or 0.0, 1.0
    durations = [image.duration_s for image in frames if image.duration_s is not None]
    duration_s = sum(durations) if len(durations) == len(frames) else None
    injection = None if acquired is None else _injection(header, provenance, acquired)
    if injection is not None and series is not None and provenance.window_s is not None:
        begin, end = provenance.window_s
        acquired, duration_s = injection + begin, end - begin
        reference_s = acquired + 0.5 * duration_s - series
        if provenance.half_life_s:
            window = FrameTiming([begin], [duration_s])
            factor = float(window.decay_factors(np.log(2.0) / provenance.half_life_s)[0])
    for moment, what in ((series, "Series"), (acquired, "Acquisition")):
        if moment is not None:
            day, clock = dicom_date_and_time(moment)
            setattr(dataset, f"{what}Date", day)
            setattr(dataset, f"{what}Time", clock)
    dataset.FrameReferenceTime = f"{1000.0 * reference_s:.10g}"
    dataset.ActualFrameDuration = None if duration_s is None else round(1000.0 * duration_s)
    dataset.DecayCorrection, dataset.DecayFactor = "ADMIN", f"{factor:.9g}"


def _injection(header: Dataset, provenance: MapProvenance, near: float) -> float | None:
    """The moment of injection that the estimate counted from; None where the header gives none."""
    try:
        return read_administration(header, near, Overrides(injection_time=provenance.injection_time)).injection
    except InputError:
        return None
