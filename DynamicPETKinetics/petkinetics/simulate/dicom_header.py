"""The header that all images of a simulated series share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import PositronEmissionTomographyImageStorage

from petkinetics.read.nuclides import nuclide_of_half_life
from petkinetics.series import DynamicSeries
from petkinetics.simulate.dicom_values import code_item, date_string, decimal_string, time_string
from petkinetics.simulate.dicom_vendors import CORRECTIONS, EQUIPMENT, PHILIPS_BQML_PER_COUNT, Vendor

DecayReference = Literal["START", "ADMIN", "NONE"]
Units = Literal["BQML", "GML", "CNTS"]
#: when the tracer is given, unless the caller or the template says otherwise
DEFAULT_INJECTION = datetime(2024, 3, 14, 9, 30, 0)


def _patient_and_study(ds: Dataset, series: DynamicSeries, vendor: Vendor, uid: Callable[..., str]) -> None:
    """Who and what was scanned, for a series that has no template."""
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "SIMULATED^PATIENT", "SIMULATED", "", "O"
    ds.PatientSize = "1.72"
    ds.StudyInstanceUID, ds.FrameOfReferenceUID = uid("study"), uid("frame of reference")
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = "1", "", ""
    ds.StudyDescription, ds.SeriesDescription = "SIMULATED PET", "DYNAMIC PET AC"
    ds.SeriesNumber, ds.PositionReferenceIndicator = 4, ""
    ds.Manufacturer, ds.ManufacturerModelName, ds.ReconstructionMethod = EQUIPMENT[vendor]
    ds.SoftwareVersions, ds.CollimatorType = "simulated", "NONE"
    ds.RandomsCorrectionMethod, ds.AttenuationCorrectionMethod = "DLYD", "CT-derived mu-map"
    ds.ScatterCorrectionMethod = "Model-based"
    recumbent = code_item("102538003", "SCT", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = [code_item("40199007", "SCT", "supine")]
    ds.PatientOrientationCodeSequence = [recumbent]
    ds.PatientGantryRelationshipCodeSequence = [code_item("102540008", "SCT", "headfirst")]
    item = Dataset()
    if series.tracer.is_fdg:
        item.Radiopharmaceutical = "Fluorodeoxyglucose F18"
        item.RadiopharmaceuticalCodeSequence = [code_item("35321007", "SCT", "Fluorodeoxyglucose F^18^")]
    else:
        item.Radiopharmaceutical = series.tracer.name
    nuclide = nuclide_of_half_life(series.tracer.half_life_s)
    item.RadionuclideCodeSequence = [code_item(nuclide.sct, "SCT", nuclide.meaning)] if nuclide else []
    ds.RadiopharmaceuticalInformationSequence = DicomSequence([item])


def _without_images(template: Dataset) -> Dataset:
    """A copy of a template's header, without pixels and without what private tags say of its one frame."""
    ds = Dataset()
    for element in template:
        if not element.tag.is_private and element.keyword not in ("PixelData", "SUVType"):
            ds.add(copy.deepcopy(element))
    return ds


def template_injection(template: Dataset | None) -> datetime:
    """The template's injection time on its series date, else the default."""
    item = (template.get("RadiopharmaceuticalInformationSequence") or [None])[0] if template is not None else None
    clock = str(item.get("RadiopharmaceuticalStartTime") or "") if item is not None else ""
    if template is None or len(clock) < 6:
        return DEFAULT_INJECTION
    return datetime.strptime(str(template.SeriesDate) + clock[:6], "%Y%m%d%H%M%S")


def common_header(
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
    ds.StudyDate = ds.StudyDate if template is not None else date_string(start)
    ds.StudyTime = ds.StudyTime if template is not None else time_string(start)
    ds.SeriesDate, ds.SeriesTime = date_string(start), time_string(start)
    ds.SeriesType, ds.CountsSource, ds.Units = ["DYNAMIC", "IMAGE"], "EMISSION", units
    if units == "GML":
        ds.SUVType = "BW"
    ds.NumberOfSlices, ds.NumberOfTimeSlices, ds.DecayCorrection = slices, len(series.timing), decay_correction
    corrections = list(ds.get("CorrectedImage") or CORRECTIONS[vendor])
    ds.CorrectedImage = [name for name in corrections if name != "DECY" or decay_correction != "NONE"]
    if series.weight_kg is not None:
        ds.PatientWeight = decimal_string(series.weight_kg)
    item = ds.RadiopharmaceuticalInformationSequence[0]
    item.RadiopharmaceuticalStartTime = time_string(injection)
    item.RadiopharmaceuticalStartDateTime = date_string(injection) + time_string(injection)
    item.RadionuclideHalfLife = decimal_string(series.tracer.half_life_s)
    if series.injected_activity_mbq is not None:
        item.RadionuclideTotalDose = decimal_string(series.injected_activity_mbq * 1e6)
    ds.Rows, ds.Columns = rows, columns
    ds.PixelSpacing = [decimal_string(spacing[1]), decimal_string(spacing[0])]
    ds.SliceThickness = decimal_string(spacing[2])
    ds.ImageOrientationPatient = [decimal_string(v) for v in (*direction[:, 0], *direction[:, 1])]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.RescaleIntercept = "0"
    return ds


def add_philips_factors(ds: Dataset, dose_at_reference_bq: float | None, weight_kg: float | None) -> None:
    """The private block with which Philips says what a stored count means.

    :param dose_at_reference_bq: activity injected, at the moment of decay correction, Bq.
    :param weight_kg: of the body. None where not known, as the dose.
    """
    block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    if dose_at_reference_bq is not None and weight_kg is not None:
        suv = PHILIPS_BQML_PER_COUNT * weight_kg * 1000.0 / dose_at_reference_bq
        block.add_new(0x00, "DS", decimal_string(suv))
    block.add_new(0x09, "DS", decimal_string(PHILIPS_BQML_PER_COUNT))
