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


@dataclass(frozen=True)
class Overrides:
    """Values that replace the header's; None leaves the header's value.

    :param injection_time: "HH:MM:SS[.f]", DICOM time "HHMMSS[.f]", or an ISO date and time. A time
        without a date is taken on the day that fits the scan.
    :param dose_mbq: injected activity at injection, MBq.
    :param weight_kg: patient's weight, kg.
    :param half_life_s: half-life, seconds.
    :raises InputError: a value is not above zero, or the time cannot be read.
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
        if self.injection_time is not None:
            parse_injection(self.injection_time)

    def record(self) -> dict[str, object]:
        """The values that were given, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}
