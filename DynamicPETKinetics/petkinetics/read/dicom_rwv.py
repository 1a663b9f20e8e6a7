"""Hold the SUV factor that Real World Value Mapping objects state against the one computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

#: relative difference from which a stated factor is reported
TOLERANCE = 1e-3


def _suv_factors(ds: Dataset) -> Iterator[tuple[set[str], float]]:
    """The images and the factor of each SUVbw mapping in a Real World Value Mapping object."""
    for reference in ds.get("ReferencedImageRealWorldValueMappingSequence") or []:
        images = {str(i.get("ReferencedSOPInstanceUID", "")) for i in reference.get("ReferencedImageSequence") or []}
        for mapping in reference.get("RealWorldValueMappingSequence") or []:
            units = mapping.get("MeasurementUnitsCodeSequence") or []
            code = str(units[0].get("CodeValue", "")) if units else ""
            slope = mapping.get("RealWorldValueSlope")
            if "suvbw" in code.lower() and slope is not None:
                yield images, float(slope)


def check_real_world_values(
    paths: Sequence[Path], study_uid: str, image_uids: set[str], suv_factor: float | None
) -> list[str]:
    """Warnings for Real World Value Mapping objects of this study whose SUVbw factor is not ours.

    Such an object may be meant for another series of the study; one that is far off is reported all
    the same, since programs that use it would show wrong SUV.

    :param suv_factor: SUVbw per stored unit of the series read; nothing is compared where unknown.
    """
    warnings: list[str] = []
    if suv_factor is None:
        return warnings
    for path in paths:
        try:
            ds = dcmread(path)
        except Exception as error:  # a broken side object must not stop the reading of images
            warnings.append(f"The real-world-value object '{path.name}' cannot be read ({error}).")
            continue
        if str(ds.get("StudyInstanceUID", "")) != study_uid:
            continue
        found = list(_suv_factors(ds))
        ours = any(images & image_uids for images, _ in found)
        off = {stated for _, stated in found if abs(stated / suv_factor - 1) > TOLERANCE}
        for stated in sorted(off):
            whose = "of this series" if ours else "of another series of this study"
            warnings.append(
                f"The real-world-value object '{path.name}' states an SUV factor of {stated:.6g} for images {whose}; "
                f"from dose, weight and times it is {suv_factor:.6g}, which is used here."
            )
    return warnings
