"""Maps as DICOM Parametric Map Storage (PS3.3 A.75): float32, every voxel's bits as in the map.

The object is highdicom's; on top of it stand what viewers need and it leaves out or does otherwise:
the region scanned (dcmqi, which reads maps for Slicer, fails without), frames in the order of the
right-handed slice normal (dcmqi takes file order for it), references to all images of every slice,
and the patient's and study's attributes exactly as the source has them. docs/dicom.md lists what is
written where, and the private codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from pathlib import Path

import numpy as np
from highdicom import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence, VOILUTTransformation
from highdicom.pm import ParametricMap as DicomMap
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from petkinetics import __version__
from petkinetics.maps import ParametricMap
from petkinetics.series import VolumeGeometry
from petkinetics.write import dicom_codes
from petkinetics.write.dicom_encoding import encode, joined, sequence, write_object
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
from petkinetics.write.dicom_references import (
    REFERENCED_SERIES,
    SOURCE_IMAGES,
    Slices,
    all_source_images,
    referenced_series,
    source_images,
)
from petkinetics.write.dicom_sources import SourceSeries
from petkinetics.write.map_provenance import MapProvenance
from petkinetics.write.quantity_terms import quantity_label

#: tags of the per-frame functional groups, and of what a frame was computed from
_FRAMES, _DERIVATION_IMAGES = 0x52009230, 0x00089124


def parametric_map_names(parametric_map: ParametricMap) -> list[str]:
    """The file of a map."""
    return [f"{parametric_map.quantity.name}.dcm"]


def write_parametric_map(
    folder: Path,
    parametric_map: ParametricMap,
    provenance: MapProvenance,
    sources: SourceSeries,
    prefix: str,
    series_number: int,
) -> None:
    """Write a map as one multi-frame object.

    :param prefix: put before the quantity in the series description.
    """
    _, _, images = right_handed(parametric_map, sources.frames(provenance.frames_used))
    dataset = _dicom_map(parametric_map, provenance, sources, prefix, series_number)
    dataset.SeriesDate, dataset.SeriesTime = dataset.ContentDate, dataset.ContentTime
    elements = encode(dataset)
    elements[_FRAMES] = sequence(_FRAMES, _frames(dataset, images, sources.in_place))
    elements[SOURCE_IMAGES], elements[REFERENCED_SERIES] = all_source_images(images), referenced_series(images)
    write_object(folder / parametric_map_names(parametric_map)[0], dataset.file_meta, elements)


def _dicom_map(
    parametric_map: ParametricMap, provenance: MapProvenance, sources: SourceSeries, prefix: str, series_number: int
) -> DicomMap:
    """The object of one map, without its references."""
    quantity = parametric_map.quantity
    label = quantity_label(quantity, provenance.blood)
    geometry, values, _ = right_handed(parametric_map, sources.slices)
    template = template_image(sources.header, geometry)
    window = display_window(values)
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
        software_versions=software_versions(provenance),
        device_serial_number=__version__,
        contains_recognizable_visual_features=sources.header.get("RecognizableVisualFeatures") != "NO",
        real_world_value_mappings=[value_mapping(parametric_map, provenance, label)],
        **_window_arguments(window),
        content_label=quantity.name.upper(),
        content_description=f"{label}. Not for diagnostic use"[:LO],
        content_creator_name="",
        pixel_measures=PixelMeasuresSequence(
            pixel_spacing=(geometry.spacing_mm[1], geometry.spacing_mm[0]),
            slice_thickness=geometry.spacing_mm[2],
            spacing_between_slices=geometry.spacing_mm[2],
        ),
        plane_orientation=PlaneOrientationSequence("PATIENT", template.ImageOrientationPatient),
        plane_positions=[PlanePositionSequence("PATIENT", position) for position in slice_positions(geometry)[::-1]],
        series_description=f"{prefix}{label}"[:LO],
        coding_schemes=[dicom_codes.scheme_identification()],
    )
    dataset.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence = [window]
    _turn_frames(dataset, geometry, values)
    _describe(dataset, sources.header, label, provenance)
    return dataset


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
    """Who and what was scanned, and what the map is."""
    describe(dataset, header, label, provenance)
    anatomy = Dataset()
    laterality = header.get("ImageLaterality") or header.get("Laterality")
    anatomy.FrameLaterality = laterality if laterality in ("R", "L", "B") else "U"
    anatomy.AnatomicRegionSequence = dicom_codes.anatomic_regions(header)
    dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]


def _frames(dataset: DicomMap, slices: Slices, in_place: bool) -> Iterator[bytes]:
    """The items of the frames, each with references to the source images at its position."""
    text = dataset.get("SpecificCharacterSet")
    derivation = Dataset()
    derivation.DerivationDescription = dataset.DerivationDescription
    derivation.DerivationCodeSequence = [dicom_codes.code_item(dicom_codes.DERIVATION)]
    shared = encode(derivation, text)
    for frame, images in zip(dataset.PerFrameFunctionalGroupsSequence, slices, strict=True):
        item = joined({**shared, SOURCE_IMAGES: source_images(images, in_place)})
        yield joined({**encode(frame, text), _DERIVATION_IMAGES: sequence(_DERIVATION_IMAGES, [item])})
