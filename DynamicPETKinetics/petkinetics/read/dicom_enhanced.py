"""Multi-frame PET objects: Enhanced PET (PS3.3 A.56) and Legacy Converted Enhanced PET (A.72).

One file holds many images, and what differs between them stands in functional groups. Each frame
becomes an :class:`~petkinetics.read.dicom_image.ImageHeader` of its own, so that sorting into frames
and slices, joining of several series and reading in slabs are the same as for classic images.

Enhanced PET says plainly what classic images leave to vendors' habits: FrameAcquisitionDateTime is
when a frame began, and DecayCorrectionDateTime the moment that values are decay-corrected to (see
:mod:`petkinetics.read.dicom_enhanced_times`). Its unit is that of the real-world value mapping, which
applies to stored values. A legacy-converted object keeps the classic attributes, and with them their
ambiguities: it is read like the classic images it was made from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    LegacyConvertedEnhancedPETImageStorage,
)

from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S
from petkinetics.read.clock import dicom_date_and_time, moment_seconds, utc_offset_seconds
from petkinetics.read.dicom_image import TAGS, ImageHeader, image_from_text
from petkinetics.read.dicom_pixel_places import PixelPlaces

#: what a classic image lists in CorrectedImage, by the flag of Enhanced PET
_CORRECTIONS = {
    "DecayCorrected": "DECY",
    "AttenuationCorrected": "ATTN",
    "ScatterCorrected": "SCAT",
    "DeadTimeCorrected": "DTIM",
    "RandomsCorrected": "RAN",
    "DetectorNormalizationCorrection": "NORM",
    "NonUniformRadialSamplingCorrected": "RADL",
    "SensitivityCalibrated": "DCAL",
}
#: UCUM units of a real-world value mapping, in lower case: (Units, SUVType) of a classic image
_UNITS = {
    "bq/ml": ("BQML", ""),
    "bq/cm3": ("BQML", ""),
    "g/ml{suvbw}": ("GML", "BW"),
    "g/ml": ("GML", ""),
    "{suvbw}g/ml": ("GML", "BW"),
    "g/ml{suvlbm}": ("GML", "LBM"),
    "{suvlbm}g/ml": ("GML", "LBM"),
    "cm2/ml{suvbsa}": ("GML", "BSA"),
    "{propcounts}": ("PROPCNTS", ""),
    "{counts}": ("CNTS", ""),
}
_RESCALE_TYPES = {"BQML": "BQML", "BQ/ML": "BQML", "GML": "GML", "G/ML": "GML"}
_MAPPINGS = "RealWorldValueMappingSequence"
_AGAIN = "Export the series again from the scanner, or as classic PET images."


class _Groups:
    """What is said of one frame: in its own functional groups, in the shared ones, or at the top.

    :param common: texts of what is shared or stands at the top, kept from frame to frame.
    """

    def __init__(self, top: Dataset, shared: Dataset, own: Dataset, common: dict[str, str]) -> None:
        self._common_places, self._common = (*_items(shared), top), common
        self._own = {element.keyword: element.value for group in _items(own) for element in group}
        #: the real-world value mappings, of which there may be several
        self.mappings: Sequence[Dataset] = next(
            (place[_MAPPINGS].value for place in (own, shared, top) if _MAPPINGS in place), ()
        )

    def text(self, keyword: str) -> str:
        """The value as the text that a classic header would hold; "" where it is nowhere."""
        if keyword in self._own:
            return _as_text(self._own[keyword])
        if keyword not in self._common:
            found = next((place[keyword].value for place in self._common_places if keyword in place), None)
            self._common[keyword] = _as_text(found)
        return self._common[keyword]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    several = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return "\\".join(map(str, value)) if several else str(value)


def _items(groups: Dataset) -> tuple[Dataset, ...]:
    """The first item of every functional group."""
    return tuple(element.value[0] for element in groups if element.VR == "SQ" and element.value)


def series_header(path: Path) -> Dataset:
    """The header of a file without its pixels; of a multi-frame file, what is shared by its frames stands at the top.

    So tracer, patient and corrections are found in the same places whatever the object.
    """
    ds = dcmread(path, stop_before_pixels=True, force=True)
    for group in _items((ds.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]):
        for element in group:
            if element.tag not in ds:
                ds.add(element)
    if "PerFrameFunctionalGroupsSequence" in ds:
        del ds.PerFrameFunctionalGroupsSequence
    return ds


def read_frames(path: Path) -> list[ImageHeader]:
    """Every frame of a multi-frame PET file as an image.

    :raises InputError: the file is damaged, or lacks the functional groups that say what its frames are.
    """
    try:
        with path.open("rb") as file:
            ds = dcmread(file, stop_before_pixels=True)
            shared = (ds.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
            frames = list(ds.get("PerFrameFunctionalGroupsSequence") or [])
            count = int(ds.get("NumberOfFrames") or 0)
            if len(frames) != count or not frames:
                said = f"{len(frames)} of its {count} frames" if frames else "none of its frames"
                raise InputError(
                    f"The multi-frame PET file '{path.name}' describes {said} (functional groups); "
                    "it may be truncated.",
                    _AGAIN,
                )
            pixels = PixelPlaces.of(file, ds, count)
    except InputError:
        raise
    except Exception as error:  # pydicom raises what it likes
        raise InputError(
            f"The DICOM file '{path.name}' is truncated or damaged ({error}).",
            "Export the series again, or remove the file if it does not belong to it.",
        ) from error
    describe = _legacy_text if ds.SOPClassUID == LegacyConvertedEnhancedPETImageStorage else _enhanced_text
    common: dict[str, str] = {}
    local = utc_offset_seconds(str(ds.get("TimezoneOffsetFromUTC") or ""))
    images: list[ImageHeader] = []
    positions: list[str] = []
    for i, own in enumerate(frames):
        groups = _Groups(ds, shared, own, common)
        text = describe(path, groups, local)
        image = image_from_text(path, text, pixels.syntax, pixels.offset(i), pixels.complete(i))
        images.append(
            replace(
                image,
                frame_number=i + 1,
                sop_class=str(ds.SOPClassUID),
                decay_reference_s=_decay_reference(path, groups, text, local),
                encapsulated=pixels.fragments(i),
            )
        )
        positions.append(groups.text("TemporalPositionIndex"))
    return _same_moment(images, positions)


def _legacy_text(path: Path, groups: _Groups, local: float | None) -> dict[str, str]:  # noqa: ARG001
    """Texts of a legacy-converted frame: classic attributes, where the conversion did not rename them."""
    text = {keyword: groups.text(keyword) for keyword in TAGS}
    moment = groups.text("FrameAcquisitionDateTime") or groups.text("AcquisitionDateTime")
    text["AcquisitionDate"] = text["AcquisitionDate"] or moment[:8]
    text["AcquisitionTime"] = text["AcquisitionTime"] or moment[8:].partition("+")[0].partition("-")[0]
    text["ActualFrameDuration"] = text["ActualFrameDuration"] or groups.text("FrameAcquisitionDuration")
    return text


def _enhanced_text(path: Path, groups: _Groups, local: float | None) -> dict[str, str]:
    """Texts of an Enhanced PET frame, under the names of a classic image."""
    text = {keyword: groups.text(keyword) for keyword in TAGS}
    text["ActualFrameDuration"] = groups.text("FrameAcquisitionDuration")
    text["AcquisitionDate"], text["AcquisitionTime"] = _frame_start(path, groups, local)
    # FrameReferenceDateTime is a moment of its own; the classic tag, from the series time, has no place here.
    text["FrameReferenceTime"] = ""
    done = [name for flag, name in _CORRECTIONS.items() if groups.text(flag).upper() == "YES"]
    text["CorrectedImage"] = "\\".join(done)
    corrected = groups.text("DecayCorrected").upper()
    text["DecayCorrection"] = {"YES": "START", "NO": "NONE"}.get(corrected, "")
    technique = groups.text("CardiacSynchronizationTechnique").upper()
    breathing = groups.text("RespiratoryMotionCompensationTechnique").upper()
    text["SeriesType"] = "GATED" if technique not in ("", "NONE") or breathing == "GATING" else "DYNAMIC\\IMAGE"
    text.update(_unit_and_rescale(groups))
    return text


def _frame_start(path: Path, groups: _Groups, local: float | None) -> tuple[str, str]:
    """Date and time at which a frame began, as DICOM texts; ("", "") where the frame does not say.

    FrameAcquisitionDateTime is the start by definition (PS3.3 C.7.6.16.2.2); without it the frame's
    reference time, the moment most representative of it, is taken as its middle.
    """
    duration = groups.text("FrameAcquisitionDuration")
    start = _moment(groups.text("FrameAcquisitionDateTime"), local)
    middle = _moment(groups.text("FrameReferenceDateTime"), local)
    if start is None and middle is not None and duration:
        start = middle - 0.5e-3 * float(duration)
    elif start is not None and middle is not None and duration:
        end = start + 1e-3 * float(duration)
        if not start - TOLERANCE_S <= middle <= end + TOLERANCE_S:
            raise InputError(
                f"The times of a frame in '{path.name}' contradict each other: its reference time lies "
                f"{middle - start:.1f} s after its start, but it lasts {1e-3 * float(duration):.1f} s.",
                _AGAIN,
            )
    return ("", "") if start is None else dicom_date_and_time(start)


def _moment(text: str, local: float | None) -> float | None:
    """A DICOM date and time as a moment on the scanner's clock."""
    found = moment_seconds(text)
    if found is None:
        return None
    moment, offset = found
    return moment + (local - offset if local is not None and offset is not None else 0.0)


def _decay_reference(path: Path, groups: _Groups, text: Mapping[str, str], local: float | None) -> float | None:
    """The moment that values are decay-corrected to; None for uncorrected and for legacy-converted frames."""
    if groups.text("DecayCorrected").upper() != "YES" or text["DecayCorrection"] != "START":
        return None
    stated = _moment(groups.text("DecayCorrectionDateTime"), local)
    if stated is None:
        raise InputError(
            f"The multi-frame PET file '{path.name}' says that it is decay-corrected, but not to when "
            "(DecayCorrectionDateTime).",
            _AGAIN,
        )
    return stated


def _unit_and_rescale(groups: _Groups) -> dict[str, str]:
    """Unit, slope and intercept: of the real-world value mapping in Bq/mL or else in SUV, if there is one.

    It maps stored values (PS3.3 C.7.6.16.2.11). Without it the pixel value transformation counts, with
    the unit that RescaleType or Units states; a unit that nobody states stays "".
    """
    known = []
    for mapping in groups.mappings:
        codes = mapping.get("MeasurementUnitsCodeSequence") or []
        name = str(codes[0].get("CodeValue", "")).lower() if codes else ""
        if name in _UNITS and mapping.get("RealWorldValueSlope") is not None:
            known.append((_UNITS[name], mapping))
    known.sort(key=lambda entry: ("BQML", "GML").index(entry[0][0]) if entry[0][0] in ("BQML", "GML") else 2)
    if known:
        (units, suv_type), mapping = known[0]
        _require_one_slope(groups, units, float(mapping.RealWorldValueSlope))
        return {
            "Units": units,
            "SUVType": suv_type,
            "RescaleSlope": repr(float(mapping.RealWorldValueSlope)),
            "RescaleIntercept": repr(float(mapping.get("RealWorldValueIntercept") or 0.0)),
        }
    units = groups.text("Units") or _RESCALE_TYPES.get(groups.text("RescaleType").strip().upper(), "")
    return {"Units": units}


def _require_one_slope(groups: _Groups, units: str, slope: float) -> None:
    """Where both scales claim the same unit they must agree."""
    rescale = groups.text("RescaleSlope")
    claimed = groups.text("Units") or _RESCALE_TYPES.get(groups.text("RescaleType").strip().upper(), "")
    if rescale and claimed == units and abs(float(rescale) - slope) > 1e-3 * abs(slope):
        raise InputError(
            f"A frame has two slopes for the same unit ({units}): {slope:g} in its real-world value mapping, "
            f"{float(rescale):g} in its pixel value transformation.",
            _AGAIN,
        )


def _same_moment(images: Sequence[ImageHeader], positions: Sequence[str]) -> list[ImageHeader]:
    """Give the slices of one temporal position one start, where they differ by rounding (up to 1 s).

    :param positions: TemporalPositionIndex of each image, "" where it has none.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for i, position in enumerate(positions):
        if position:
            members[position].append(i)
    found = list(images)
    for indices in members.values():
        starts = [images[i].acquired_s for i in indices]
        known = [s for s in starts if s is not None]
        if len(known) == len(starts) and 0 < max(known) - min(known) <= TOLERANCE_S:
            for i in indices:
                found[i] = replace(images[i], acquired_s=min(known))
    return found
