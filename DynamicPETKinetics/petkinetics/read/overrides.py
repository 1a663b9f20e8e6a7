"""What a user may say in place of the header, checked when it is said."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from petkinetics.errors import InputError
from petkinetics.read.clock import parse_injection

_MEANING = {
    "dose_mbq": ("injected activity", "MBq"),
    "weight_kg": ("patient's weight", "kg"),
    "half_life_s": ("half-life", "seconds"),
}
#: (least, most) that is usual. Above are slips of unit: no table of a scanner carries 400 kg, and even tracers that
#: decay within minutes are given with less than 5,000 MBq. Below are small animals and phantoms: only warned of.
_USUAL = {"dose_mbq": (0.5, 5000.0), "weight_kg": (0.5, 400.0)}
#: the units that are written by mistake: name, and how many make one of ours
_SLIPS = {"dose_mbq": (("kBq", 1e3), ("Bq", 1e6), ("GBq", 1e-3)), "weight_kg": (("g", 1e3),)}


@dataclass(frozen=True)
class Overrides:
    """Values that replace the header's; None leaves the header's value.

    :param injection_time: "HH:MM:SS[.f]", DICOM time "HHMMSS[.f]", or an ISO date and time. A time
        without a date is taken on the day that fits the scan.
    :param dose_mbq: injected activity at injection, MBq.
    :param weight_kg: patient's weight, kg.
    :param half_life_s: half-life, seconds.
    :raises InputError: a value is not above zero, the activity is above 5,000 MBq or the weight above 400 kg, or the
        time cannot be read.
    """

    injection_time: str | None = None
    dose_mbq: float | None = None
    weight_kg: float | None = None
    half_life_s: float | None = None

    def __post_init__(self) -> None:
        for name, (meaning, unit) in _MEANING.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"The {meaning} given is {value} {unit}; it must be above zero.")
            if value is not None and name in _USUAL and value > _USUAL[name][1]:
                raise InputError(
                    f"The {meaning} given is {value:,.10g} {unit}, more than can be ({_USUAL[name][1]:,g} {unit})"
                    f"{_other_unit(name, value)}.",
                    f"Give it in {unit}.",
                )
        if self.injection_time is not None:
            parse_injection(self.injection_time)

    def record(self) -> dict[str, object]:
        """The values that were given, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def administration_doubts(dose_mbq: float | None, weight_kg: float | None) -> tuple[str, ...]:
    """Sentences about an injected activity or a weight that is hardly one, whoever says it; the value is kept.

    Outside of 0.5 to 5,000 MBq and 0.5 to 400 kg.

    :param dose_mbq: injected activity, MBq; *weight_kg*: of the body, kg; None for what is not known.
    """
    said = []
    for name, value in (("dose_mbq", dose_mbq), ("weight_kg", weight_kg)):
        (meaning, unit), (least, most) = _MEANING[name], _USUAL[name]
        if value is not None and not least <= value <= most:
            usual = "a small animal or a phantom has so little" if value < least else "no patient has so much"
            option = "--dose" if name == "dose_mbq" else "--weight"
            said.append(
                f"The {meaning} is {value:,.10g} {unit}: {usual}{_other_unit(name, value)}. It was used as it is; "
                f"SUV follow from it, and {option} replaces it."
            )
    return tuple(said)


def _other_unit(name: str, value: float) -> str:
    """What the number would be in the unit that it probably has; "" where it is usual in none."""
    least, most = _USUAL[name]
    unit = _MEANING[name][1]
    found = [
        f"{value:,.10g} {other} would be {value / per:,.10g} {unit}"
        for other, per in _SLIPS[name]
        if least <= value / per <= most
    ]
    return f"; {', '.join(found)}" if found else ""
