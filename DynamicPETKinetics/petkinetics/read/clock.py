"""Clock readings of headers and users, as seconds on one line of time.

A moment is a float: seconds since the proleptic ordinal day 0. A clock time without a date is
seconds since midnight.
"""

from __future__ import annotations

import re
from datetime import date, datetime

from petkinetics.errors import InputError

DAY_S = 86400.0
_TM = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?")


def clock_seconds(text: str) -> float | None:
    """Seconds since midnight of a DICOM TM (HHMMSS.ffffff, also with colons); None if it is none."""
    match = _TM.fullmatch(text.strip())
    if not match:
        return None
    hours, minutes, seconds = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    return hours * 3600.0 + minutes * 60.0 + seconds + float(f"0.{match[4] or 0}")


def day_seconds(text: str) -> float | None:
    """The midnight at which a DICOM DA (YYYYMMDD, also YYYY.MM.DD or YYYY-MM-DD) begins; None if it is none."""
    digits = re.sub(r"[.\-]", "", text.strip())
    if not re.fullmatch(r"\d{8}", digits):
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).toordinal() * DAY_S
    except ValueError:
        return None


def moment_seconds(text: str) -> tuple[float, float | None] | None:
    """A DICOM DT as (moment, offset from UTC in s or None); None if it has no date and time."""
    match = re.fullmatch(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)([+-]\d{4})?", text.strip())
    if not match:
        return None
    day, clock = day_seconds(match[1]), clock_seconds(match[2])
    if day is None or clock is None:
        return None
    return day + clock, utc_offset_seconds(match[3] or "")


def utc_offset_seconds(text: str) -> float | None:
    """Seconds of an offset such as +0100; None if there is none."""
    match = re.fullmatch(r"([+-])(\d{2})(\d{2})", text.strip())
    if not match:
        return None
    return (int(match[2]) * 3600.0 + int(match[3]) * 60.0) * (-1.0 if match[1] == "-" else 1.0)


def parse_injection(text: str) -> tuple[float, bool]:
    """What a user gave as injection time, as (seconds, whether it has a date).

    :raises InputError: it is neither a time of day nor a date and time.
    """
    stripped = text.strip()
    if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?", stripped):
        hours, rest = stripped.split(":", 1)
        stripped = f"{hours:0>2}:{rest}"
    clock = clock_seconds(stripped) if re.fullmatch(r"\d{2}:\d{2}.*|\d{4}(\d{2}(\.\d+)?)?", stripped) else None
    if clock is not None:
        return clock, False
    moment = moment_seconds(stripped)
    if moment is not None:
        return moment[0], True
    try:
        iso = datetime.fromisoformat(stripped.removesuffix("Z"))
    except ValueError:
        raise InputError(
            f"The injection time '{text}' cannot be read.",
            "Give it as HH:MM:SS (scanner clock), or as date and time such as 2024-03-14T09:30:00.",
        ) from None
    day = iso.date().toordinal() * DAY_S
    return day + iso.hour * 3600.0 + iso.minute * 60.0 + iso.second + iso.microsecond * 1e-6, True


def nearest_day(clock_s: float, near: float, earliest_s: float = -3 * 3600.0) -> float:
    """The moment of a time of day, on the day that puts *near* no earlier than 3 h before it.

    A dynamic scan may begin before injection (a clock wrong by minutes), a static one long after it,
    past midnight: the difference near - moment is brought into [-3 h, 21 h).

    :param clock_s: time of day, s.
    :param near: a moment, s.
    :param earliest_s: the least that near - moment may be; by default the 3 h.
    """
    moment = near // DAY_S * DAY_S + clock_s
    while near - moment < earliest_s:
        moment -= DAY_S
    while near - moment >= earliest_s + DAY_S:
        moment += DAY_S
    return moment


def dicom_date_and_time(moment: float) -> tuple[str, str]:
    """A *moment* (s) as DICOM DA and TM, to the microsecond: all that a TM holds, a little less than a double keeps."""
    day, rest = divmod(round(moment * 1e6), 86_400_000_000)
    seconds, micro = divmod(rest, 1_000_000)
    clock = f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}.{micro:06d}"
    return date.fromordinal(int(day)).strftime("%Y%m%d"), clock


def clock_text(moment: float) -> str:
    """Time of day, HH:MM:SS, of a *moment* (s)."""
    seconds = round(moment) % int(DAY_S)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
