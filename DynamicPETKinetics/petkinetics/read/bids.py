"""The BIDS-PET sidecar: times, units, decay correction and tracer of a NIfTI series (BIDS 1.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.frames import FrameTiming
from petkinetics.read.activity_units import is_suv_unit, voxel_unit
from petkinetics.read.clock import DAY_S, clock_seconds, parse_injection
from petkinetics.read.nuclides import find_nuclide, half_life_doubt
from petkinetics.read.overrides import Overrides
from petkinetics.read.text_files import finite, read_json

#: options (``--set``) that state what a sidecar does not
STATEMENTS = ("units", "decay_corrected_to")
_DOSE_UNITS_MBQ = {"mbq": 1.0, "bq": 1e-6, "kbq": 1e-3, "gbq": 1e3, "mci": 37.0}


@dataclass
class BidsPet:
    """What a sidecar says, with the user's overrides in place.

    :param name: of the sidecar file, for messages.
    :param meta: its contents.
    :param units: of the voxels.
    :param injection_s: injection on the axis of FrameTimesStart, seconds after TimeZero.
    :param corrected_to_s: time (s from injection) that the voxels are decay-corrected to; None if
        they are not.
    """

    name: str
    meta: Mapping[str, Any]
    units: str
    half_life_s: float
    radionuclide: str
    injected_activity_mbq: float | None
    weight_kg: float | None
    injection_s: float
    corrected_to_s: float | None
    overrides: dict[str, object]
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, given: Overrides, statements: Mapping[str, str]) -> BidsPet:
        """Read a sidecar.

        :param statements: ``units`` and ``decay_corrected_to``, said by the user.
        :raises InputError: it is not JSON, or it lacks what is needed and nobody says it.
        """
        meta = _read_sidecar(path)
        radionuclide = str(meta.get("TracerRadionuclide", ""))
        units = statements.get("units") or str(meta.get("Units", ""))
        if not units:
            raise InputError(
                f"{path.name} does not state Units.", "Give them with --set units=Bq/mL (or kBq/mL, g/mL)."
            )
        warnings: list[str] = []
        injection_s = _injection(path.name, meta, given, warnings)
        return cls(
            name=path.name,
            meta=meta,
            units=units,
            half_life_s=_half_life(path.name, meta, radionuclide, given, warnings),
            radionuclide=radionuclide,
            injected_activity_mbq=given.dose_mbq or _injected(path.name, meta),
            weight_kg=given.weight_kg or _positive(path.name, meta, "BodyWeight"),
            injection_s=injection_s,
            corrected_to_s=_corrected_to(path.name, meta, injection_s, statements.get("decay_corrected_to")),
            overrides=given.record() | {k: v for k, v in statements.items() if k in STATEMENTS},
            warnings=warnings,
        )

    @property
    def tracer_name(self) -> str:
        """TracerName, "" where absent."""
        return str(self.meta.get("TracerName", ""))

    @property
    def manufacturer(self) -> str:
        """Manufacturer, "" where absent."""
        return str(self.meta.get("Manufacturer", ""))

    def timing(self, frames: int) -> FrameTiming:
        """Frames from injection: FrameTimesStart - InjectionStart, FrameDuration.

        :raises InputError: a key is missing or has not one number a frame; impossible timing.
        """
        start, duration = self._numbers("FrameTimesStart", frames), self._numbers("FrameDuration", frames)
        return FrameTiming(start - self.injection_s, duration)

    def _numbers(self, key: str, frames: int) -> NDArray[np.float64]:
        try:
            values = np.atleast_1d(np.asarray(self.meta[key], dtype=np.float64))
        except KeyError as error:
            raise InputError(f"{self.name} has no {key}; without it the frame times are unknown.") from error
        except (TypeError, ValueError) as error:
            raise InputError(f"{key} in {self.name} is not a list of numbers.") from error
        if values.shape != (frames,):
            raise InputError(f"{key} in {self.name} has {values.size} values, but the image has {frames} frames.")
        return values

    @property
    def decay_corrected_to(self) -> str:
        """For the record: "none", "injection", or seconds from injection."""
        at = self.corrected_to_s
        return "none" if at is None else "injection" if abs(at) < 0.5 else f"{at:g} s from injection"

    def decay_weighted(self, timing: FrameTiming) -> bool:
        """Whether frames are decay-weighted means.

        They are where no correction was made (ours applies one factor a frame) and where
        DecayCorrectionFactor is the frame-mean factor e^(lambda t) x/(1 - e^-x); without evidence
        frames count as plain means.
        """
        at = self.corrected_to_s
        if at is None:
            return True
        try:
            stated = np.asarray(self.meta.get("DecayCorrectionFactor"), dtype=np.float64)
        except (TypeError, ValueError):
            return False
        expected = timing.shifted(-at).decay_factors(self._decay_per_s)
        return stated.shape == expected.shape and bool(np.allclose(stated, expected, rtol=2e-4))

    def factors_to_kbq_at_injection(self, timing: FrameTiming) -> NDArray[np.float64]:
        """Factor a frame from stored values to kBq/mL decay-corrected to injection, shape (frames,).

        :raises InputError: unknown units, or SUV without dose and weight.
        """
        if self.corrected_to_s is None:
            if self._is_suv:
                raise InputError(
                    f"{self.name} gives SUV that is not decay-corrected; what that means is not defined.",
                    "Export the series in Bq/mL, or decay-corrected.",
                )
            return self._kbq_per_stored_unit() * timing.decay_factors(self._decay_per_s)
        return np.full(len(timing), self._kbq_per_stored_unit() * self._to_injection())

    @property
    def _is_suv(self) -> bool:
        return is_suv_unit(self.units)

    def _to_injection(self) -> float:
        """Decay from injection to the time the voxels are corrected to; SUV divides by the dose at that time."""
        return 1.0 if self._is_suv else exp(self._decay_per_s * (self.corrected_to_s or 0.0))

    def _kbq_per_stored_unit(self) -> float:
        return voxel_unit(self.name, self.units, self.injected_activity_mbq, self.weight_kg)

    def suv_factor(self) -> float | None:
        """SUVbw per stored unit for voxels decay-corrected to one time; None otherwise."""
        if self.corrected_to_s is None or not (self.injected_activity_mbq and self.weight_kg):
            return None
        return self._kbq_per_stored_unit() * self._to_injection() * self.weight_kg / self.injected_activity_mbq

    def suv_factors(self, timing: FrameTiming) -> tuple[float, ...]:
        """SUVbw per stored unit a frame, where the voxels are not decay-corrected; else empty."""
        if self.corrected_to_s is not None or not (self.injected_activity_mbq and self.weight_kg):
            return ()
        factors = self.factors_to_kbq_at_injection(timing) * self.weight_kg / self.injected_activity_mbq
        return tuple(float(f) for f in factors)

    @property
    def _decay_per_s(self) -> float:
        return log(2.0) / self.half_life_s


def _half_life(name: str, meta: Mapping[str, Any], radionuclide: str, given: Overrides, warnings: list[str]) -> float:
    """The user's, the one that converters copy from DICOM, or that of BIDS' TracerRadionuclide."""
    nuclide = find_nuclide(text=radionuclide)
    if nuclide is not None:
        warnings += half_life_doubt(given.half_life_s, nuclide.half_life_s, nuclide.name)
    stated = given.half_life_s or _positive(name, meta, "RadionuclideHalfLife")
    if stated:
        return stated
    if nuclide is None:
        raise InputError(
            f"{name} names no known radionuclide (TracerRadionuclide: '{radionuclide}'), so decay is unknown.",
            "Give the half-life with --half-life (seconds; 6586.2 for F-18).",
        )
    return nuclide.half_life_s


def _read_sidecar(path: Path) -> Mapping[str, Any]:
    meta = read_json(path)
    if not isinstance(meta, dict):
        raise InputError(f"{path.name} does not hold a JSON object.")
    return meta


def _injection(name: str, meta: Mapping[str, Any], given: Overrides, warnings: list[str]) -> float:
    """Injection on the axis of FrameTimesStart, seconds."""
    if given.injection_time is not None:
        zero = clock_seconds(str(meta.get("TimeZero", "")))
        if zero is None:
            raise InputError(
                f"{name} has no TimeZero, so a clock time of injection cannot be related to its frames.",
                "State InjectionStart (seconds) in the file instead.",
            )
        injected, has_date = parse_injection(given.injection_time)
        # Nearest day: a scan may cross midnight, and TimeZero has no date.
        return (injected % DAY_S if has_date else injected) - zero - DAY_S * round((injected % DAY_S - zero) / DAY_S)
    stated = _number(name, meta, "InjectionStart")
    if stated is None:
        warnings.append(f"{name} has no InjectionStart; its frame times were taken to count from injection.")
    return stated or 0.0


def _corrected_to(name: str, meta: Mapping[str, Any], injection_s: float, stated: str | None) -> float | None:
    """Decay reference in seconds from injection, None for uncorrected voxels."""
    if stated is not None:
        if stated in ("none", "injection"):
            return None if stated == "none" else 0.0
        to_s = finite(stated)
        if to_s is None:
            raise InputError(
                f"'{stated}' is not a value for decay_corrected_to; use injection, none or seconds from injection."
            )
        return to_s
    state_it = "State it with --set decay_corrected_to=injection (or none, or seconds from injection)."
    corrected = meta.get("ImageDecayCorrected")
    if corrected is False:
        return None
    at = _number(name, meta, "ImageDecayCorrectionTime")
    if at is not None:
        return at - injection_s
    if corrected is None:
        raise InputError(f"{name} does not say whether the image is decay-corrected (ImageDecayCorrected).", state_it)
    raise InputError(f"{name} says the image is decay-corrected but not to when (ImageDecayCorrectionTime).", state_it)


def _injected(name: str, meta: Mapping[str, Any]) -> float | None:
    activity = _positive(name, meta, "InjectedRadioactivity")
    if activity is None:
        return None
    unit = str(meta.get("InjectedRadioactivityUnits", "")).strip().lower()
    if unit not in _DOSE_UNITS_MBQ:
        raise InputError(
            f"{name} gives InjectedRadioactivityUnits as '{unit}', which is not a known unit.",
            "Use MBq, or give the activity with --dose (MBq).",
        )
    return activity * _DOSE_UNITS_MBQ[unit]


def _number(name: str, meta: Mapping[str, Any], key: str) -> float | None:
    value = meta.get(key)
    if value is None or value in ("", "n/a"):
        return None
    number = finite(value)
    if number is None:
        raise InputError(f"{key} in {name} is '{value}', not a number.")
    return number


def _positive(name: str, meta: Mapping[str, Any], key: str) -> float | None:
    number = _number(name, meta, key)
    if number is not None and number <= 0:
        raise InputError(
            f"{key} in {name} is {number:g}; it must be above zero.", "Correct it, or remove it where it is unknown."
        )
    return number
