"""Maps as DICOM Parametric Map Storage (PS3.3 A.75): float32, every voxel's bits as in the map.

The object is highdicom's; on top of it stand what viewers need and it leaves out or does otherwise:
the region scanned (dcmqi, which reads maps for Slicer, fails without), frames in the order of the
right-handed slice normal (dcmqi takes file order for it), references to all images of every slice,
and the patient's and study's attributes exactly as the source has them. docs/dicom.md lists what is
written where, and the private codes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from inspect import signature
from pathlib import Path

import numpy as np
from highdicom import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence, VOILUTTransformation
from highdicom.pm import ParametricMap as DicomMap
from highdicom.pm import RealWorldValueMapping
from highdicom.sr import CodeContentItem, TextContentItem
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import PositronEmissionTomographyImageStorage, generate_uid

from petkinetics import __version__
from petkinetics.errors import InputError
from petkinetics.maps import ParametricMap
from petkinetics.read.dicom_scan import ImageHeader
from petkinetics.series import VolumeGeometry
from petkinetics.write import dicom_codes
from petkinetics.write.dicom_sources import SourceSeries, find_source_series, from_other_end
from petkinetics.write.map_provenance import MapProvenance
from petkinetics.write.staging import staged_files

#: called with the fraction done and what is being done; may raise to stop the export
Progress = Callable[[float, str], None]

DISCLAIMER = "For research only. Not for diagnostic use."
#: DICOM long string (LO) and short text (ST)
_LO, _ST = 64, 1024
#: what the source says of itself that a map repeats; patient and study come after
_EQUIPMENT = (
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "DeviceSerialNumber",
    "StationName",
    "InstitutionName",
    "InstitutionalDepartmentName",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)
_TYPE_2_PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


def export_parametric_maps(
    maps: Sequence[ParametricMap],
    source_dir: Path | Sequence[Path],
    to: Path,
    *,
    series_description_prefix: str = "",
    series_number: int = 9001,
    progress: Progress | None = None,
) -> list[Path]:
    """Write each map as a DICOM Parametric Map of the patient and study it was computed from.

    Every map is a series of its own, numbered from *series_number*: archives list it by its
    description, and Slicer offers each by name. All files appear together or none does. What is said of
    how they were made comes from their provenance (:class:`~petkinetics.write.map_provenance.MapProvenance`).

    :param maps: one of each quantity, all on the grid of the source series (in either slice order).
    :param source_dir: folder of the series the maps were computed from, or its files.
    :param to: folder for ``ki.dcm``, ``v0.dcm`` ...; made if it is not there.
    :param series_description_prefix: put before the quantity in the series description.
    :param progress: called with the fraction done and a message.
    :returns: the files, in the order of the maps.
    :raises InputError: a map holds NaN or infinite voxels or is not float32, a quantity comes twice or has
        no code, the source images are not those of the maps, or the files are there already or cannot
        be written.
    :raises ResourceError: the disk is full.
    """
    _require_exportable(maps)
    if progress:
        progress(0.0, "Reading the headers of the source images")
    now = datetime.now()
    names = [f"{parametric_map.quantity.name}.dcm" for parametric_map in maps]
    sources: SourceSeries | None = None
    with staged_files(to, names) as folder:
        for i, (parametric_map, name) in enumerate(zip(maps, names, strict=True)):
            provenance = MapProvenance.of(parametric_map.provenance)
            if sources is None or not sources.fit(parametric_map.geometry):
                sources = find_source_series(source_dir, parametric_map.geometry, provenance.series_uids)
            if progress:
                progress((i + 0.5) / len(maps), f"Writing {name}")
            with warnings.catch_warnings():
                # highdicom and pydicom quote values that look wrong in their warnings: the patient's name
                warnings.simplefilter("ignore")
                dataset = _dicom_map(parametric_map, provenance, sources, series_description_prefix, series_number + i)
                dataset.SeriesDate = dataset.ContentDate = now.strftime("%Y%m%d")
                dataset.SeriesTime = dataset.ContentTime = now.strftime("%H%M%S")
                dataset.save_as(folder / name, enforce_file_format=True)
    if progress:
        progress(1.0, "DICOM maps written")
    return [to / name for name in names]


def _require_exportable(maps: Sequence[ParametricMap]) -> None:
    names = [parametric_map.quantity.name for parametric_map in maps]
    if not names:
        raise InputError("There are no maps to export.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"There is more than one map of {', '.join(twice)}; export them to different folders.")
    for parametric_map in maps:
        dicom_codes.quantity_code(parametric_map.quantity)
        values = parametric_map.values
        if values.dtype != np.float32:
            raise InputError(f"The {parametric_map.quantity.symbol} map is {values.dtype}, not float32.")
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        if bad:
            raise InputError(
                f"The {parametric_map.quantity.symbol} map has {bad} voxel{'s' if bad != 1 else ''} that "
                f"{'are' if bad != 1 else 'is'} not a number or infinite; it is not exported.",
                "Estimate it again from a series without such voxels.",
            )


def _dicom_map(
    parametric_map: ParametricMap, provenance: MapProvenance, sources: SourceSeries, prefix: str, series_number: int
) -> DicomMap:
    """The whole object of one map."""
    quantity = parametric_map.quantity
    label = dicom_codes.quantity_label(quantity, provenance.blood)
    geometry, values, images = parametric_map.geometry, parametric_map.values, sources.frames(provenance.frames_used)
    if not _is_right_handed(geometry):
        geometry, values, images = from_other_end(geometry), values[::-1], images[::-1]
    template = _template(sources.header, geometry)
    window = _window(values)
    # highdicom sorts frames the other way round, so it gets them so; they are turned below
    dataset = DicomMap(
        source_images=[template],
        pixel_array=values[::-1],
        series_instance_uid=generate_uid(prefix=None),
        series_number=series_number,
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer="petkinetics",
        manufacturer_model_name="petkinetics",
        software_versions=_versions(provenance),
        device_serial_number=__version__,
        contains_recognizable_visual_features=sources.header.get("RecognizableVisualFeatures") != "NO",
        real_world_value_mappings=[_mapping(parametric_map, provenance, label)],
        **_window_arguments(window),
        content_label=quantity.name.upper(),
        content_description=f"{label}. Not for diagnostic use"[:_LO],
        content_creator_name="",
        pixel_measures=PixelMeasuresSequence(
            pixel_spacing=(geometry.spacing_mm[1], geometry.spacing_mm[0]),
            slice_thickness=geometry.spacing_mm[2],
            spacing_between_slices=geometry.spacing_mm[2],
        ),
        plane_orientation=PlaneOrientationSequence("PATIENT", template.ImageOrientationPatient),
        plane_positions=[PlanePositionSequence("PATIENT", position) for position in _positions(geometry)[::-1]],
        series_description=f"{prefix}{label}"[:_LO],
        coding_schemes=[dicom_codes.scheme_identification()],
    )
    dataset.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence = [window]
    _turn_frames(dataset, geometry, values)
    _describe(dataset, sources.header, label, provenance)
    _refer(dataset, images, sources.in_place)
    return dataset


def _is_right_handed(geometry: VolumeGeometry) -> bool:
    """Whether slices are counted along row x column, which readers take for the slice axis."""
    return bool(np.linalg.det(geometry.direction) > 0)


def _positions(geometry: VolumeGeometry) -> list[tuple[float, ...]]:
    """Centre of the first voxel of every slice, mm."""
    step = geometry.direction[:, 2] * geometry.spacing_mm[2]
    return [tuple(np.array(geometry.origin_mm) + k * step) for k in range(geometry.shape[0])]


def _template(header: Dataset, geometry: VolumeGeometry) -> Dataset:
    """What highdicom is to take from the source: study, frame of reference and equipment, on the map's grid.

    Patient and study attributes are left empty here and copied afterwards: highdicom refuses values
    that are not valid DICOM and logs a name that looks wrong.
    """
    template = Dataset()
    for keyword in (
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "FrameOfReferenceUID",
        "PositionReferenceIndicator",
        *_EQUIPMENT,
    ):
        if keyword in header:
            template.add(header[keyword])
    # A multi-frame source is described as one slice of it; the references are made afterwards.
    template.SOPClassUID = PositronEmissionTomographyImageStorage
    for keyword in _TYPE_2_PATIENT_AND_STUDY:
        setattr(template, keyword, "")
    template.Rows, template.Columns = geometry.shape[1:]
    template.PixelSpacing = [float(f"{s:.10g}") for s in (geometry.spacing_mm[1], geometry.spacing_mm[0])]
    template.SliceThickness = float(f"{geometry.spacing_mm[2]:.10g}")
    template.ImageOrientationPatient = [float(f"{c:.10f}") for c in geometry.direction[:, :2].T.ravel()]
    template.ImagePositionPatient = [float(f"{c:.8f}") for c in geometry.origin_mm]
    return template


def _versions(provenance: MapProvenance) -> str | list[str]:
    exporter = f"petkinetics {__version__}"
    if provenance.version == __version__:
        return exporter
    return [exporter, f"maps estimated by petkinetics {provenance.version}"[:_LO]]


def _mapping(parametric_map: ParametricMap, provenance: MapProvenance, label: str) -> RealWorldValueMapping:
    """Stored values are the quantity itself: slope 1, with its unit, definition and algorithm."""
    quantity = parametric_map.quantity
    mapping = RealWorldValueMapping(
        lut_label=quantity.symbol[:16],
        lut_explanation=f"{label}, {dicom_codes.unit_text(quantity) if quantity.unit != '1' else 'no unit'}"[:_LO],
        unit=dicom_codes.unit_code(quantity),
        value_range=(float(parametric_map.values.min()), float(parametric_map.values.max())),
        slope=1.0,
        intercept=0.0,
        quantity_definition=dicom_codes.quantity_code(quantity, provenance.blood),
    )
    definition = mapping.QuantityDefinitionSequence
    if dicom_codes.is_standard_deviation(quantity):
        definition.append(CodeContentItem(codes.DCM.Derivation, codes.SCT.StandardDeviation))
    method_code, blood_code = dicom_codes.method_code(provenance.method), dicom_codes.blood_code(provenance.blood)
    if method_code is not None:
        definition.append(CodeContentItem(codes.DCM.ModelFittingMethod, method_code))
    if blood_code is not None:
        definition.append(CodeContentItem(dicom_codes.INPUT_FUNCTION, blood_code))
    definition.append(TextContentItem(codes.DCM.AlgorithmName, f"petkinetics {provenance.method}".strip()))
    definition.append(TextContentItem(codes.DCM.AlgorithmVersion, provenance.version))
    if provenance.parameters:
        definition.append(TextContentItem(codes.DCM.AlgorithmParameters, provenance.parameters))
    return mapping


def _window(values: NDArray[np.float32]) -> VOILUTTransformation:
    """Zero to the 99.5th percentile of what is above zero; LINEAR_EXACT, as LINEAR needs a width of 1 or more."""
    above = values[values > 0]
    top = float(np.percentile(above, 99.5, method="lower")) if above.size else float(np.abs(values).max())
    top = top if top > 1e-12 else 1.0
    return VOILUTTransformation(window_center=top / 2, window_width=top, voi_lut_function="LINEAR_EXACT")


def _window_arguments(window: VOILUTTransformation) -> dict[str, object]:
    """The window as this version of highdicom wants it: Slicer bundles 0.27, which takes two numbers."""
    if "voi_lut_transformations" in signature(DicomMap.__init__).parameters:
        return {"voi_lut_transformations": [window]}
    return {"window_center": float(window.WindowCenter), "window_width": float(window.WindowWidth)}


def _turn_frames(dataset: DicomMap, geometry: VolumeGeometry, values: NDArray[np.float32]) -> None:
    """Put the frames in the order of *values*, which is that of the right-handed slice normal."""
    normal = geometry.direction[:, 2]
    frames = sorted(
        dataset.PerFrameFunctionalGroupsSequence,
        key=lambda item: float(np.array(item.PlanePositionSequence[0].ImagePositionPatient, dtype=float) @ normal),
    )
    for k, item in enumerate(frames):
        item.FrameContentSequence[0].DimensionIndexValues = k + 1
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.FloatPixelData = np.ascontiguousarray(values, dtype="<f4").tobytes()


def _describe(dataset: DicomMap, header: Dataset, label: str, provenance: MapProvenance) -> None:
    """Who and what was scanned, as the source has it, and what the map is, for people."""
    if "SpecificCharacterSet" in header:
        dataset.add(header["SpecificCharacterSet"])
    dataset.copy_patient_and_study_information(header)
    # "type of device that originally acquired the data used to create the instances" (PS3.3 C.7.3.1.1.1)
    dataset.Modality = "PT"
    if "BodyPartExamined" in header:
        dataset.add(header["BodyPartExamined"])
    anatomy = Dataset()
    laterality = header.get("ImageLaterality") or header.get("Laterality")
    anatomy.FrameLaterality = laterality if laterality in ("R", "L", "B") else "U"
    anatomy.AnatomicRegionSequence = dicom_codes.anatomic_regions(header)
    dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]
    blood = f"{provenance.blood} input function" if provenance.blood else ""
    details = "; ".join(part for part in (provenance.method, provenance.parameters, blood) if part)
    dataset.DerivationDescription = (
        f"{label} by petkinetics {provenance.version}{details and ': '}{details}. {DISCLAIMER}"[:_ST]
    )
    dataset.ImageComments = DISCLAIMER


def _refer(dataset: DicomMap, slices: Sequence[Sequence[ImageHeader]], in_place: bool) -> None:
    """Refer to the source images: in every frame to those at its position, and to all of them together."""
    purpose = dicom_codes.code_item(codes.DCM.SourceImageForImageProcessingOperation)
    derivation = dicom_codes.code_item(dicom_codes.DERIVATION)
    everything: list[Dataset] = []
    by_series: dict[str, list[Dataset]] = {}
    for frame, images in zip(dataset.PerFrameFunctionalGroupsSequence, slices, strict=True):
        here = []
        for image in images:
            reference = _reference(image)
            everything.append(reference)
            by_series.setdefault(image.series_uid, []).append(reference)
            source = _reference(image)
            source.SpatialLocationsPreserved = "YES" if in_place else "NO"
            source.PurposeOfReferenceCodeSequence = [purpose]
            here.append(source)
        item = Dataset()
        item.DerivationDescription = dataset.DerivationDescription
        item.SourceImageSequence = here
        item.DerivationCodeSequence = [derivation]
        frame.DerivationImageSequence = [item]
    dataset.SourceImageSequence = everything
    dataset.ReferencedSeriesSequence = []
    for uid, references in by_series.items():
        series = Dataset()
        series.SeriesInstanceUID = uid
        series.ReferencedInstanceSequence = _instances(references)
        dataset.ReferencedSeriesSequence.append(series)


def _reference(image: ImageHeader) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = image.sop_class
    reference.ReferencedSOPInstanceUID = image.sop_uid
    if image.frame_number is not None:
        reference.ReferencedFrameNumber = image.frame_number
    return reference


def _instances(references: Sequence[Dataset]) -> list[Dataset]:
    """Each object once, without frame numbers: what a series' list of its instances wants."""
    found: dict[str, Dataset] = {}
    for reference in references:
        instance = Dataset()
        instance.ReferencedSOPClassUID = reference.ReferencedSOPClassUID
        instance.ReferencedSOPInstanceUID = reference.ReferencedSOPInstanceUID
        found.setdefault(instance.ReferencedSOPInstanceUID, instance)
    return list(found.values())
