"""What a stored value means: units, corrections, and the way to kBq/mL at injection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from petkinetics.errors import InputError
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.dicom_time_evidence import mean_decay_factor
from petkinetics.read.dicom_times import FrameTimes
from petkinetics.read.dicom_tracer import Administration

#: private block (7053,10xx) and its elements: SUV per count, and Bq/mL per count
_PHILIPS, _SUV, _ACTIVITY = "Philips PET Private Group", 0x00, 0x09


@dataclass(frozen=True)
class StoredUnit:
    """The way from a stored unit (after rescale) to activity.

    :param kbq_per_ml: kBq/mL per stored unit, at the decay reference.
    :param is_suv: the unit refers to the injected dose, so that it is at injection already.
    """

    kbq_per_ml: float
    is_suv: bool


def check_corrections(image: ImageHeader) -> list[str]:
    """Refuse images that cannot be quantitative; warn of corrections that are not mentioned.

    :raises InputError: gated; no attenuation correction; the decay correction contradicts itself.
    """
    if image.gated:
        raise InputError(
            "The series is gated (images by heart or breathing phase), not dynamic.",
            "Choose the dynamic series of the study.",
        )
    said = image.corrected
    if "ATTN" not in said:
        raise InputError(
            "The images are not corrected for attenuation "
            f"(CorrectedImage: {', '.join(said) or 'nothing'}); their values are no activity concentrations.",
            "Choose the attenuation-corrected (AC) series.",
        )
    claimed = image.decay_correction
    if claimed not in ("START", "ADMIN", "NONE"):
        raise InputError(
            f"The header does not say to when the images are decay-corrected (DecayCorrection: '{claimed}').",
            "START, ADMIN or NONE is expected; export the series again from the scanner.",
        )
    if claimed != "NONE" and "DECY" not in said:
        raise InputError(
            f"The header claims decay correction ({claimed}), but CorrectedImage does not list it ({', '.join(said)}).",
            "Activity would be wrong if it was not done; export the series again from the scanner.",
        )
    if claimed == "NONE" and "DECY" in said:
        raise InputError(
            "The header says that the images are not decay-corrected (DecayCorrection NONE), "
            "but CorrectedImage lists decay correction (DECY).",
            "Export the series again from the scanner.",
        )
    missing = [
        meaning
        for meaning, found in (
            ("scatter (SCAT)", "SCAT" in said),
            ("detector normalisation (NORM)", "NORM" in said),
            ("random coincidences (RAN)", any(name.startswith("RAN") for name in said)),
        )
        if not found
    ]
    if not missing:
        return []
    return [f"The header does not list correction for {' or '.join(missing)}; activity may be biased."]


def _philips_factor(ds: Dataset, element: int) -> float | None:
    """A factor of Philips' private block (7053,10xx), also where its creator was stripped; None if absent or 0."""
    value: object = None
    try:
        block = ds.private_block(0x7053, _PHILIPS)
        value = block[element].value if element in block else None
    except KeyError:
        tag = (0x7053, 0x1000 + element)
        value = ds[tag].value if tag in ds else None
    if isinstance(value, bytes):
        value = value.decode("latin-1").strip(" \x00")
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _suv_unit(admin: Administration, what: str) -> StoredUnit:
    if admin.header_dose_mbq is None or admin.header_weight_kg is None:
        lacking = "injected activity" if admin.header_dose_mbq is None else "patient's weight"
        option = "--dose (MBq)" if admin.header_dose_mbq is None else "--weight (kg)"
        raise InputError(
            f"The images are stored as {what}, but the header lacks the {lacking} needed to return to activity.",
            f"Give it with {option}.",
        )
    return StoredUnit(admin.header_dose_mbq / admin.header_weight_kg, is_suv=True)


def check_unit(ds: Dataset, image: ImageHeader) -> None:
    """Refuse units that are no activity and cannot be turned into it.

    :raises InputError: says which unit, and which series to choose instead.
    """
    units = image.units
    if units == "PROPCNTS":
        raise InputError(
            "The images are proportional to counts (PROPCNTS), not activity; no kinetic analysis is possible.",
            "Choose the series in Bq/mL, usually the attenuation-corrected one.",
        )
    if units not in ("BQML", "GML", "CNTS"):
        raise InputError(
            f"The images' unit is '{units or 'not stated'}'; "
            "Bq/mL (BQML), SUV (GML) or Philips counts (CNTS) is needed.",
            "Export the series in Bq/mL.",
        )
    if units == "CNTS" and _philips_factor(ds, _ACTIVITY) is None and _philips_factor(ds, _SUV) is None:
        raise InputError(
            "The images are counts, and Philips' private factors that turn them into activity are missing.",
            "Export the series with its private tags (7053,1000) and (7053,1009), or in Bq/mL.",
        )
    if units == "GML" and image.suv_type not in ("", "BW"):
        raise InputError(
            f"The images are SUV normalised by {image.suv_type}, not by body weight, and cannot be turned back "
            "into activity.",
            "Export the series in Bq/mL, or as SUV by body weight.",
        )
    if units == "GML" and image.decay_correction == "NONE":
        raise InputError(
            "The images are SUV, but not decay-corrected; what they mean is not defined.",
            "Export the series in Bq/mL.",
        )


def stored_unit(ds: Dataset, image: ImageHeader, admin: Administration) -> StoredUnit:
    """What a stored unit is in kBq/mL, for images that passed :func:`check_unit`.

    SUV (g/mL) is turned back with the dose and weight of the header, with which the scanner made it.
    Philips' counts use the private factors: activity concentration (7053,1009), else SUV (7053,1000).

    :raises InputError: the dose or weight needed is missing.
    """
    if image.units == "GML":
        return _suv_unit(admin, "SUV")
    if image.units == "BQML":
        return StoredUnit(1e-3, is_suv=False)
    activity = _philips_factor(ds, _ACTIVITY)
    if activity is not None:
        return StoredUnit(activity * 1e-3, is_suv=False)
    unit = _suv_unit(admin, "counts with an SUV factor")
    return StoredUnit(unit.kbq_per_ml * (_philips_factor(ds, _SUV) or 1.0), is_suv=True)


def check_units_agree(images: Sequence[ImageHeader]) -> None:
    """All images have one unit, one decay correction, one set of corrections.

    :raises InputError: they differ.
    """
    first = images[0]
    for image in images:
        for name, a, b in (
            ("Units", first.units, image.units),
            ("SUVType", first.suv_type, image.suv_type),
            ("DecayCorrection", first.decay_correction, image.decay_correction),
            ("CorrectedImage", "\\".join(sorted(first.corrected)), "\\".join(sorted(image.corrected))),
        ):
            if a != b:
                raise InputError(
                    f"The images of the series differ in {name}: '{a}' in '{first.path.name}', "
                    f"'{b}' in '{image.path.name}'.",
                    "Export the series again from the scanner.",
                )


def frame_scales(
    unit: StoredUnit, decay_correction: str, times: FrameTimes, admin: Administration
) -> NDArray[np.float64]:
    """For each frame, kBq/mL decay-corrected to injection per stored unit, (frames,).

    START: e^(lambda (reference - injection)). ADMIN and SUV: 1, or the way from the header's injection
    time to the user's. NONE: the factor of a frame's mean, e^(lambda start) x / (1 - e^-x).
    """
    decay = admin.tracer.decay_per_s
    n = len(times.start)
    if decay_correction == "NONE":
        factors = mean_decay_factor(times.start - admin.injection, times.duration_s, decay)
    elif decay_correction == "ADMIN" or unit.is_suv:
        factors = np.full(n, math.exp(decay * (admin.header_injection - admin.injection)))
    else:
        factors = np.exp(decay * (times.reference - admin.injection))
    return unit.kbq_per_ml * factors


def suv_per_stored_unit(scales: NDArray[np.float64], admin: Administration) -> tuple[float | None, tuple[float, ...]]:
    """SUVbw per stored unit: one factor where all frames share it, else one a frame; (None, ()) where unknown.

    SUVbw = C(kBq/mL at injection) * weight(kg) / dose(MBq at injection).

    :param scales: kBq/mL at injection a stored unit, (frames,).
    """
    if admin.dose_mbq is None or admin.weight_kg is None:
        return None, ()
    factors = scales * admin.weight_kg / admin.dose_mbq
    if np.allclose(factors, factors[0], rtol=1e-9):
        return float(factors[0]), ()
    return None, tuple(float(f) for f in factors)
