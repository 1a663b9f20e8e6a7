"""Write a dynamic series as Enhanced PET (multi-frame), as PS3.3 A.56 has it: for tests of reading.

No real object of this kind is freely available; these hold what the standard requires of original
images, with one slope a frame and frames in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    EnhancedPETImageStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

from petkinetics.series import DynamicSeries

INJECTION = datetime(2024, 3, 14, 9, 30, 0)
#: called with each frame's functional groups, its time frame and slice; may change them
Modify = Callable[[Dataset, int, int], None]


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def one(**elements: object) -> list[Dataset]:
    """A sequence with one item."""
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return [item]


def moment(at: datetime, zone: str = "") -> str:
    return at.strftime("%Y%m%d%H%M%S.%f") + zone


def decay_factor(start_s: float, duration_s: float, decay_per_s: float) -> float:
    x = decay_per_s * duration_s
    return float(np.exp(decay_per_s * start_s) * x / -np.expm1(-x))


def write_enhanced(
    folder: Path,
    series: DynamicSeries,
    *,
    one_file_a_frame: bool = False,
    corrected_to_s: float | None = 0.0,
    unit: str = "mapping",
    factors: bool = True,
    reference_only: bool = False,
    zone: str = "",
    rle: bool = False,
    shuffle: int | None = 0,
    jitter_s: float = 0.0,
    frames: range | None = None,
    series_uid: str | None = None,
    series_start_s: float | None = None,
    seed: str = "",
    modify: Modify | None = None,
    change: Callable[[Dataset], None] | None = None,
) -> list[Path]:
    """Write the object or objects.

    :param corrected_to_s: moment of decay correction, seconds from injection; None for uncorrected values.
    :param unit: where the unit stands: "mapping" (real-world values), "type" (RescaleType), "none".
    :param reference_only: FrameReferenceDateTime without FrameAcquisitionDateTime.
    :param zone: offset from UTC on every date and time.
    :param shuffle: seed of the order of the frames in the file, None for the order of time.
    :param jitter_s: by how much the slices of a frame differ in their start.
    :param frames: the time frames to write, all by default.
    :param seed: of the UIDs of study and frame of reference.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(range(len(series.timing))) if frames is None else list(frames)
    series_uid = series_uid or generate_uid()
    groups = [[f] for f in wanted] if one_file_a_frame else [wanted]
    paths = []
    for number, members in enumerate(groups, start=1):
        ds, pixels = _object(
            series, members, corrected_to_s, unit, factors, reference_only, zone, shuffle, jitter_s, seed, modify
        )
        ds.SeriesInstanceUID, ds.SOPInstanceUID, ds.InstanceNumber = series_uid, generate_uid(), number
        first_s = series.timing.start_s[wanted[0]] if series_start_s is None else series_start_s
        began = INJECTION + timedelta(seconds=float(first_s))
        ds.SeriesDate, ds.SeriesTime = began.strftime("%Y%m%d"), began.strftime("%H%M%S.%f")
        ds.PixelData = pixels.tobytes()
        ds["PixelData"].VR = "OW"
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        if change is not None:
            change(ds)
        if rle:
            ds.compress(RLELossless, generate_instance_uid=False)
        path = folder / f"EPT_{series_uid[-6:]}_{number:03d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _object(
    series: DynamicSeries,
    members: list[int],
    corrected_to_s: float | None,
    unit: str,
    factors: bool,
    reference_only: bool,
    zone: str,
    shuffle: int | None,
    jitter_s: float,
    seed: str,
    modify: Modify | None,
) -> tuple[Dataset, np.ndarray]:
    slices, rows, columns = series.geometry.shape
    timing, lam = series.timing, series.tracer.decay_per_s
    cells = [(f, k) for f in members for k in range(slices)]
    if shuffle is not None:
        np.random.default_rng(shuffle).shuffle(cells)
    ds = _header(series, corrected_to_s, zone, seed, members)
    pixels = np.empty((len(cells), rows, columns), dtype="<i2")
    per_frame = []
    for i, (f, k) in enumerate(cells):
        values = series.voxels.read([f], k, k + 1)[0, 0].astype(np.float64) * 1000.0
        # to the unit and decay reference of the object
        start, duration = float(timing.start_s[f]), float(timing.duration_s[f])
        if corrected_to_s is None:
            values /= decay_factor(start, duration, lam)
        else:
            values *= np.exp(-lam * corrected_to_s)
        slope = float(np.abs(values).max() / 32767) or 1.0
        pixels[i] = np.round(values / slope)
        item = _frame(series, f, k, slope, unit, zone, reference_only, members.index(f) + 1, jitter_s)
        if factors and corrected_to_s is not None:
            factor = decay_factor(start - corrected_to_s, duration, lam)
            item.PETFrameCorrectionFactorsSequence = one(
                DecayFactor=f"{factor:.10g}",
                PrimaryPromptsCountsAccumulated=1000,
                SliceSensitivityFactor="1",
                DeadTimeFactor="1",
                ScatterFractionFactor="0.3",
            )
        if modify is not None:
            modify(item, f, k)
        per_frame.append(item)
    ds.PerFrameFunctionalGroupsSequence = per_frame
    ds.NumberOfFrames = len(cells)
    return ds, pixels


def _frame(
    series: DynamicSeries,
    f: int,
    k: int,
    slope: float,
    unit: str,
    zone: str,
    reference_only: bool,
    index: int,
    jitter_s: float,
) -> Dataset:
    timing, geometry = series.timing, series.geometry
    start = INJECTION + timedelta(seconds=float(timing.start_s[f]))
    duration = float(timing.duration_s[f])
    item = Dataset()
    content = Dataset()
    if not reference_only:
        content.FrameAcquisitionDateTime = moment(start + timedelta(seconds=jitter_s * k), zone)
    content.FrameReferenceDateTime = moment(start + timedelta(seconds=0.5 * duration), zone)
    content.FrameAcquisitionDuration = duration * 1000.0
    content.FrameAcquisitionNumber = f + 1
    content.StackID, content.InStackPositionNumber, content.TemporalPositionIndex = "1", k + 1, index
    content.DimensionIndexValues = [1, index, k + 1]
    item.FrameContentSequence = [content]
    position = np.array(geometry.origin_mm) + k * geometry.spacing_mm[2] * geometry.direction[:, 2]
    item.PlanePositionSequence = one(ImagePositionPatient=[f"{v:.8g}" for v in position])
    rescale_type = "BQML" if unit == "type" else "US"
    slope_text = f"{slope:.10g}"
    item.PixelValueTransformationSequence = one(RescaleIntercept="0", RescaleSlope=slope_text, RescaleType=rescale_type)
    if unit == "mapping":
        mapping = Dataset()
        mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = -32768, 32767
        mapping["RealWorldValueFirstValueMapped"].VR = mapping["RealWorldValueLastValueMapped"].VR = "SS"
        mapping.RealWorldValueIntercept, mapping.RealWorldValueSlope = 0.0, float(slope_text)
        mapping.LUTExplanation, mapping.LUTLabel = "Activity concentration", "BQML"
        mapping.MeasurementUnitsCodeSequence = [code("Bq/ml", "UCUM", "Becquerels/milliliter")]
        item.RealWorldValueMappingSequence = [mapping]
    return item


def _header(series: DynamicSeries, corrected_to_s: float | None, zone: str, seed: str, members: list[int]) -> Dataset:
    geometry, timing = series.geometry, series.timing
    began = INJECTION + timedelta(seconds=float(timing.start_s[members[0]]))
    ds = Dataset()
    ds.SpecificCharacterSet, ds.Modality, ds.SOPClassUID = "ISO_IR 100", "PT", EnhancedPETImageStorage
    ds.ImageType = ["ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"]
    ds.PixelPresentation, ds.VolumetricProperties, ds.VolumeBasedCalculationTechnique = "MONOCHROME", "VOLUME", "NONE"
    ds.ContentQualification = "RESEARCH"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "SIMULATED^PATIENT", "SIMULATED", "", "O"
    if series.weight_kg is not None:
        ds.PatientWeight = f"{series.weight_kg:g}"
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study", seed or str(id(series))])
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame of reference", seed or str(id(series))])
    ds.StudyDate, ds.StudyTime, ds.StudyID = "20240314", "090000", "1"
    ds.AccessionNumber, ds.ReferringPhysicianName, ds.PositionReferenceIndicator = "", "", ""
    ds.SeriesNumber, ds.SeriesDescription = 4, "ENHANCED DYNAMIC PET"
    ds.Manufacturer, ds.ManufacturerModelName = "GE MEDICAL SYSTEMS", "Signa"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "1", "simulated"
    if zone:
        ds.TimezoneOffsetFromUTC = zone
    ds.AcquisitionDateTime = moment(began, zone)
    ds.ContentDate, ds.ContentTime = began.strftime("%Y%m%d"), began.strftime("%H%M%S.%f")
    ds.AcquisitionNumber, ds.AcquisitionContextSequence = 1, []
    last = members[-1]
    ds.AcquisitionDuration = float(timing.end_s[last] - timing.start_s[members[0]])
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.Rows, ds.Columns = geometry.shape[1:]
    ds.BurnedInAnnotation, ds.LossyImageCompression, ds.PresentationLUTShape = "NO", "00", "IDENTITY"
    _corrections(ds, corrected_to_s, zone)
    _acquisition(ds)
    isotope = Dataset()
    isotope.RadiopharmaceuticalAgentNumber = 1
    isotope.RadiopharmaceuticalCodeSequence = [code("35321007", "SCT", "Fluorodeoxyglucose F^18^")]
    isotope.RadionuclideCodeSequence = [code("77004003", "SCT", "^18^Fluorine")]
    isotope.AdministrationRouteCodeSequence = [code("47625008", "SCT", "Intravenous route")]
    isotope.RadionuclideHalfLife, isotope.RadionuclidePositronFraction = f"{series.tracer.half_life_s:g}", "0.97"
    isotope.RadiopharmaceuticalStartDateTime = moment(INJECTION, zone)
    isotope.RadiopharmaceuticalVolume, isotope.RadionuclideTotalDose = "1", ""
    if series.injected_activity_mbq is not None:
        isotope.RadionuclideTotalDose = f"{series.injected_activity_mbq * 1e6:.10g}"
    ds.RadiopharmaceuticalInformationSequence = [isotope]
    _dimensions(ds)
    ds.SharedFunctionalGroupsSequence = [_shared(series)]
    return ds


def _corrections(ds: Dataset, corrected_to_s: float | None, zone: str) -> None:
    for name in (
        "AttenuationCorrected",
        "ScatterCorrected",
        "DeadTimeCorrected",
        "RandomsCorrected",
        "DetectorNormalizationCorrection",
        "NonUniformRadialSamplingCorrected",
        "SensitivityCalibrated",
        "CountLossNormalizationCorrected",
    ):
        setattr(ds, name, "YES")
    ds.GantryMotionCorrected = ds.PatientMotionCorrected = "NO"
    ds.AttenuationCorrectionSource, ds.AttenuationCorrectionTemporalRelationship = "CT", "SEPARATE"
    ds.RandomsCorrectionMethod, ds.ScatterCorrectionMethod = "DLYD", "Model-based"
    ds.DecayCorrected = "NO" if corrected_to_s is None else "YES"
    if corrected_to_s is not None:
        ds.DecayCorrectionDateTime = moment(INJECTION + timedelta(seconds=corrected_to_s), zone)


def _acquisition(ds: Dataset) -> None:
    ds.AcquisitionTerminationCondition, ds.AcquisitionStartCondition = "TIME", "INJECTION"
    ds.TerminationTimeThreshold = 3600.0
    ds.TimeOfFlightInformationUsed, ds.CountsSource = "FALSE", "EMISSION"
    ds.TypeOfDetectorMotion, ds.DetectorGeometry = "STATIONARY", "CYLINDRICAL_RING"
    ds.TransverseDetectorSeparation, ds.AxialDetectorDimension = 4.0, 250.0
    ds.CollimatorType, ds.TableMotion = "NONE", "STATIC"
    ds.EnergyWindowRangeSequence = one(EnergyWindowLowerLimit="425", EnergyWindowUpperLimit="650")
    ds.CoincidenceWindowWidth = 4.9
    view = code("81654009", "SCT", "Coronal")
    view.ViewModifierCodeSequence = []
    ds.ViewCodeSequence, ds.SliceProgressionDirection = [view], ""
    del ds.SliceProgressionDirection


def _dimensions(ds: Dataset) -> None:
    uid = generate_uid()
    ds.DimensionOrganizationSequence = one(DimensionOrganizationUID=uid)
    ds.DimensionIndexSequence = [
        item
        for pointer in (0x00209056, 0x00209128, 0x00209057)
        for item in one(DimensionOrganizationUID=uid, DimensionIndexPointer=pointer, FunctionalGroupPointer=0x00209111)
    ]


def _shared(series: DynamicSeries) -> Dataset:
    x, y, z = series.geometry.spacing_mm
    direction = series.geometry.direction
    shared = Dataset()
    shared.PixelMeasuresSequence = one(PixelSpacing=[f"{y:g}", f"{x:g}"], SliceThickness=f"{z:g}")
    shared.PlaneOrientationSequence = one(
        ImageOrientationPatient=[f"{v:.10g}" for v in (*direction[:, 0], *direction[:, 1])]
    )
    anatomy = Dataset()
    anatomy.AnatomicRegionSequence = [code("816094009", "SCT", "Chest")]
    anatomy.FrameLaterality = "U"
    shared.FrameAnatomySequence = [anatomy]
    shared.RadiopharmaceuticalUsageSequence = one(RadiopharmaceuticalAgentNumber=1)
    shared.PETFrameTypeSequence = one(
        FrameType=["ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"],
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )
    shared.PETFrameAcquisitionSequence = one(
        TableHeight="1", GantryDetectorTilt="0", GantryDetectorSlew="0", DataCollectionDiameter="700"
    )
    shared.PETPositionSequence = one(
        TablePosition=10.0,
        ReconstructionTargetCenterPatient=[0.0, 0.0, 0.0],
        DataCollectionCenterPatient=[0.0, 0.0, 0.0],
    )
    shared.PETDetectorMotionDetailsSequence = one(RotationDirection="CC", RevolutionTime=1.0)
    shared.PETReconstructionSequence = one(
        ReconstructionType="3D",
        ReconstructionAlgorithm="REPROJECTION",
        IterativeReconstructionMethod="YES",
        NumberOfIterations=3,
        NumberOfSubsets=8,
        ReconstructionDiameter="700",
    )
    shared.FrameVOILUTSequence = one(WindowCenter="10000", WindowWidth="20000")
    return shared
