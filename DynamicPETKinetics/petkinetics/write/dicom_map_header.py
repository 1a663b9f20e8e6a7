"""What every exported map says of itself and of the images it came from, whatever object carries it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom import SOPClass, VOILUTTransformation
from highdicom.pm import RealWorldValueMapping
from highdicom.sr import CodeContentItem, TextContentItem
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import PositronEmissionTomographyImageStorage

from petkinetics import __version__
from petkinetics.errors import InputError
from petkinetics.maps import ParametricMap
from petkinetics.series import VolumeGeometry
from petkinetics.write import dicom_codes
from petkinetics.write.dicom_references import Slices
from petkinetics.write.dicom_sources import from_other_end
from petkinetics.write.map_provenance import MapProvenance
from petkinetics.write.quantity_terms import unit_text

DISCLAIMER = "For research only. Not for diagnostic use."
#: DICOM long string (LO) and short text (ST)
LO, ST = 64, 1024
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


def require_exportable(maps: Sequence[ParametricMap]) -> None:
    """Refuse maps that no DICOM object can say.

    :raises InputError: there is none, a quantity comes twice or has no code, or a map is not float32 or holds
        NaN or infinite voxels.
    """
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


def right_handed(parametric_map: ParametricMap, images: Slices) -> tuple[VolumeGeometry, NDArray[np.float32], Slices]:
    """Grid, voxels and images with the slices counted along row x column, which readers take for the slice axis.

    The voxels are (slices, rows, columns); all three are turned end for end or left as they are.
    """
    geometry, values = parametric_map.geometry, parametric_map.values
    if np.linalg.det(geometry.direction) > 0:
        return geometry, values, images
    return from_other_end(geometry), values[::-1], images[::-1]


def slice_positions(geometry: VolumeGeometry) -> list[tuple[float, ...]]:
    """Centre of the first voxel of every slice of a grid, patient coordinates in mm."""
    step = geometry.direction[:, 2] * geometry.spacing_mm[2]
    return [tuple(np.array(geometry.origin_mm) + k * step) for k in range(geometry.shape[0])]


def template_image(header: Dataset, geometry: VolumeGeometry) -> Dataset:
    """One slice of the source on the map's grid: study, frame of reference and equipment, for highdicom to copy.

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


def software_versions(provenance: MapProvenance) -> str | list[str]:
    """Of what wrote the object, and of what estimated the map if that was another version."""
    exporter = f"petkinetics {__version__}"
    if provenance.version == __version__:
        return exporter
    return [exporter, f"maps estimated by petkinetics {provenance.version}"[:LO]]


def value_mapping(
    parametric_map: ParametricMap,
    provenance: MapProvenance,
    label: str,
    slope: float = 1.0,
    value_range: tuple[float, float] | tuple[int, int] | None = None,
) -> RealWorldValueMapping:
    """What stored values mean: the quantity, its unit, definition and algorithm.

    :param slope: from stored values to the quantity.
    :param value_range: of the stored values; None where they are the map's own.
    """
    quantity, values = parametric_map.quantity, parametric_map.values
    unit = unit_text(quantity) if quantity.unit != "1" else "no unit"
    mapping = RealWorldValueMapping(
        lut_label=quantity.symbol[:16],
        lut_explanation=f"{label}, {unit}"[:LO],
        unit=dicom_codes.unit_code(quantity),
        value_range=value_range or (float(values.min()), float(values.max())),
        slope=slope,
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


def display_window(values: NDArray[np.float32]) -> VOILUTTransformation:
    """Zero to the 99.5th percentile of what is above zero; LINEAR_EXACT, as LINEAR needs a width of 1 or more.

    :param values: of a map, in its unit, any shape.
    """
    above = values[values > 0]
    top = float(np.percentile(above, 99.5, method="lower")) if above.size else float(np.abs(values).max())
    top = top if top > 1e-12 else 1.0
    return VOILUTTransformation(window_center=top / 2, window_width=top, voi_lut_function="LINEAR_EXACT")


def describe(dataset: SOPClass, header: Dataset, label: str, provenance: MapProvenance, more: str = "") -> None:
    """Who was scanned, as the source has it, and what the map is, for people.

    :param more: a clause about how the values are stored.
    """
    if "SpecificCharacterSet" in header:
        dataset.add(header["SpecificCharacterSet"])
    dataset.copy_patient_and_study_information(header)
    # "type of device that originally acquired the data used to create the instances" (PS3.3 C.7.3.1.1.1)
    dataset.Modality = "PT"
    if "BodyPartExamined" in header:
        dataset.add(header["BodyPartExamined"])
    blood = f"{provenance.blood} input function" if provenance.blood else ""
    details = "; ".join(part for part in (provenance.method, provenance.parameters, blood, more) if part)
    dataset.DerivationDescription = (
        f"{label} by petkinetics {provenance.version}{details and ': '}{details}. {DISCLAIMER}"[:ST]
    )
    dataset.ImageComments = DISCLAIMER
