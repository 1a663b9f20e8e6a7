"""Tracer, injection, dose and weight, from the header or from the user's overrides."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from petkinetics.errors import InputError
from petkinetics.read.clock import (
    DAY_S,
    clock_seconds,
    clock_text,
    moment_seconds,
    nearest_day,
    parse_injection,
    utc_offset_seconds,
)
from petkinetics.read.nuclides import Nuclide, find_nuclide, half_life_doubt
from petkinetics.read.overrides import Overrides
from petkinetics.series import Tracer


@dataclass(frozen=True)
class Administration:
    """What was given, when, to whom.

    :param injection: the moment that counts (the override's, if given).
    :param header_injection: the header's moment, to which the scanner's ADMIN correction refers;
        the same as *injection* where the header has none.
    :param scanner_decay_per_s: decay constant that the scanner used, 1/s.
    :param dose_mbq: injected activity that counts; None where unknown.
    :param header_dose_mbq: with which the scanner computed SUV.
    :param height_m: None where unknown.
    :param sex: "M", "F" or "O"; "" where unknown.
    """

    tracer: Tracer
    injection: float
    header_injection: float
    scanner_decay_per_s: float
    dose_mbq: float | None
    weight_kg: float | None
    header_dose_mbq: float | None
    header_weight_kg: float | None
    warnings: tuple[str, ...]
    height_m: float | None = None
    sex: str = ""


def _positive(ds: Dataset, keyword: str) -> float | None:
    value = ds.get(keyword)
    try:
        number = float(value) if value not in (None, "") else math.nan
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _code(ds: Dataset, keyword: str) -> tuple[str, str]:
    items = ds.get(keyword) or []
    return (str(items[0].get("CodeValue", "")), str(items[0].get("CodeMeaning", ""))) if items else ("", "")


def _header_injection(ds: Dataset, item: Dataset, first_start: float, warnings: list[str]) -> float | None:
    """The header's injection moment; None where it gives none.

    RadiopharmaceuticalStartDateTime counts before RadiopharmaceuticalStartTime, which has no date: its
    day is the one that fits the scan.
    """
    clock = clock_seconds(str(item.get("RadiopharmaceuticalStartTime") or ""))
    dated = moment_seconds(str(item.get("RadiopharmaceuticalStartDateTime") or ""))
    from_clock = None if clock is None else nearest_day(clock, first_start)
    if dated is None:
        return from_clock
    moment, offset = dated
    local = utc_offset_seconds(str(ds.get("TimezoneOffsetFromUTC") or ""))
    if offset is not None and local is not None:
        moment += local - offset
    if abs(moment - first_start) > DAY_S:
        # De-identification may shift the date of one tag and not of the other.
        moved = nearest_day(moment % DAY_S, first_start)
        warnings.append(
            "The date of injection in the header does not fit the date of the scan; "
            f"only its time of day ({clock_text(moment)}) was used."
        )
        moment = moved
    if from_clock is not None and abs(from_clock - moment) > 1.0:
        warnings.append(
            f"The header gives two injection times, {clock_text(moment)} (with date) and {clock_text(from_clock)}; "
            "the one with the date was used."
        )
    return moment


def _height(ds: Dataset, warnings: list[str]) -> float | None:
    """Patient's Size in metres; None where it is no person's."""
    height = _positive(ds, "PatientSize")
    if height is not None and 30.0 <= height <= 280.0:
        warnings.append(f"The patient's size in the header, {height:g}, is no height in metres; it was taken as cm.")
        height /= 100.0
    return height if height is not None and 0.2 <= height <= 2.8 else None


def _half_life(
    item: Dataset, nuclide: Nuclide | None, overrides: Overrides, warnings: list[str]
) -> tuple[float, float]:
    """The half-life that counts, and the one the scanner used, in s."""
    stated = _positive(item, "RadionuclideHalfLife")
    if stated is not None and nuclide is not None and abs(stated / nuclide.half_life_s - 1) > 0.01:
        warnings.append(
            f"The header's half-life, {stated:g} s, is not that of its nuclide {nuclide.name} "
            f"({nuclide.half_life_s:g} s)."
        )
    given = overrides.half_life_s
    usual = nuclide.half_life_s if nuclide else stated
    warnings += half_life_doubt(given, usual, nuclide.name if nuclide else "the header")
    known = given or stated or (nuclide.half_life_s if nuclide else None)
    if known is None:
        raise InputError(
            "The header gives neither the tracer's half-life nor a known nuclide.",
            "Give the half-life with --half-life (seconds; 6586.2 for F-18).",
        )
    if stated is None and overrides.half_life_s is None and nuclide is not None:
        warnings.append(f"The header gives no half-life; that of {nuclide.name}, {nuclide.half_life_s:g} s, was used.")
    return known, stated or known


def read_administration(ds: Dataset, first_start: float, overrides: Overrides) -> Administration:
    """What the header says of tracer and patient, with the user's overrides.

    :param ds: header of one image.
    :param first_start: about when the scan began (a moment, s); fixes the day of a time without date.
    :raises InputError: no injection time or no half-life, in the header or from the user.
    """
    warnings: list[str] = []
    items = ds.get("RadiopharmaceuticalInformationSequence") or []
    item = items[0] if items else Dataset()
    code, meaning = _code(item, "RadionuclideCodeSequence")
    drug = str(item.get("Radiopharmaceutical") or "") or _code(item, "RadiopharmaceuticalCodeSequence")[1]
    nuclide = find_nuclide(code, meaning) or find_nuclide("", drug)
    half_life_s, scanner_half_life_s = _half_life(item, nuclide, overrides, warnings)

    header_injection = _header_injection(ds, item, first_start, warnings)
    injection = header_injection
    if overrides.injection_time is not None:
        seconds, has_date = parse_injection(overrides.injection_time)
        injection = seconds if has_date else nearest_day(seconds, first_start)
    if injection is None:
        raise InputError(
            "The header does not say when the tracer was injected.",
            "Give the time with --injection-time (HH:MM:SS on the scanner's clock).",
        )

    dose = _positive(item, "RadionuclideTotalDose")
    if dose is not None and dose < 1e5:
        warnings.append(f"The injected activity in the header, {dose:g}, is too small for Bq; it was taken as MBq.")
        dose *= 1e6
    dose_mbq = None if dose is None else dose / 1e6
    weight = _positive(ds, "PatientWeight")
    height_m, sex = _height(ds, warnings), str(ds.get("PatientSex") or "").strip().upper()
    return Administration(
        tracer=Tracer(drug, nuclide.name if nuclide else "", half_life_s),
        injection=injection,
        header_injection=injection if header_injection is None else header_injection,
        scanner_decay_per_s=math.log(2.0) / scanner_half_life_s,
        dose_mbq=overrides.dose_mbq or dose_mbq,
        weight_kg=overrides.weight_kg or weight,
        header_dose_mbq=dose_mbq or overrides.dose_mbq,
        header_weight_kg=weight or overrides.weight_kg,
        height_m=height_m,
        sex=sex if sex in ("M", "F", "O") else "",
        warnings=tuple(warnings),
    )
