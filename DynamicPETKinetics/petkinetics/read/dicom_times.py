"""When each frame began: the candidates that headers offer, and how one of them is chosen.

Vendors put different moments into the same tags (docs/methods.md, vendor timing). With S the
reference time of the series, T the frame's duration and lambda the decay constant, x = lambda T, a
frame may have begun at

- its AcquisitionTime,
- S + FrameReferenceTime (the tag as the start),
- S + FrameReferenceTime - T/2 (as the middle),
- S + FrameReferenceTime - ln(x / (1 - e^-x)) / lambda (as the moment of average activity),
- the start that its DecayFactor e^(lambda (start - S)) x / (1 - e^-x) implies.

The set that agrees with DecayFactor and whose frames do not overlap wins; the vendor's habit breaks
ties; what stays unresolved is refused with the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S
from petkinetics.read.clock import clock_text
from petkinetics.read.dicom_scan import ImageHeader

Array = NDArray[np.float64]

ACQUISITION = "AcquisitionTime"
REFERENCE_START = "FrameReferenceTime as the start"
REFERENCE_MIDDLE = "FrameReferenceTime as the middle"
REFERENCE_AVERAGE = "FrameReferenceTime as the moment of average activity"
DECAY_FACTOR = "the start implied by DecayFactor"

#: which candidate breaks a tie, by a word of the manufacturer's name
_VENDOR_HABIT = (
    ("PHILIPS", REFERENCE_MIDDLE),
    ("SIEMENS", ACQUISITION),
    ("CPS", ACQUISITION),
    ("GE", REFERENCE_START),
)


@dataclass(frozen=True)
class FrameTimes:
    """The times of the frames, in the order of the images they were asked for.

    :param start: moments at which the frames began.
    :param duration_s: how long they lasted.
    :param reference: for each frame, the moment to which DecayCorrection START refers.
    :param decay_weighted: whether the decay factor is the one of a frame's mean (above); False also
        where the header does not show it.
    :param basis: which candidate won.
    """

    start: Array
    duration_s: Array
    reference: Array
    decay_weighted: bool
    basis: str
    warnings: tuple[str, ...]


def vendor_habit(manufacturer: str) -> str | None:
    """The candidate that breaks a tie for this manufacturer, if it is known."""
    words = manufacturer.upper().replace("_", " ").split()
    return next((habit for word, habit in _VENDOR_HABIT if word in words), None)


def mean_decay_factor(elapsed_s: Array, duration_s: Array, decay_per_s: float) -> Array:
    """e^(lambda t) x / (1 - e^-x), the factor of a frame's mean activity."""
    x = decay_per_s * duration_s
    return np.exp(decay_per_s * elapsed_s) * x / -np.expm1(-x)


def _optional(values: Sequence[float | None]) -> Array | None:
    """An array, or None where a value is missing."""
    return None if any(v is None for v in values) else np.array(values, dtype=np.float64)


def _durations(images: Sequence[ImageHeader]) -> Array:
    for number, image in enumerate(images, start=1):
        if image.duration_s is None or not np.isfinite(image.duration_s) or image.duration_s <= 0:
            says = "is missing" if image.duration_s is None else f"is {image.duration_s:g} s"
            raise InputError(
                f"The duration of frame {number} (ActualFrameDuration) {says} in '{image.path.name}'.",
                "Without frame durations no kinetic analysis is possible; export the series again from the scanner.",
            )
    return np.array([image.duration_s for image in images], dtype=np.float64)


def _overlap(start: Array, duration: Array) -> tuple[float, int, int]:
    """The largest overlap of neighbouring frames in s, and which two frames (by time)."""
    if start.size < 2:
        return -np.inf, 0, 0
    order = np.argsort(start, kind="stable")
    overlaps = (start + duration)[order][:-1] - start[order][1:]
    i = int(np.argmax(overlaps))
    return float(overlaps[i]), int(order[i]), int(order[i + 1])


@dataclass(frozen=True)
class _Evidence:
    """The header's timing, as arrays over the frames (moments and seconds)."""

    acquired: Array | None
    series: Array
    earliest: Array
    reference_s: Array | None
    duration: Array
    factor: Array | None
    factor_step: Array
    decay_per_s: float

    @property
    def base(self) -> Array:
        """The reference of each series: its time, or its earliest acquisition where that is before it."""
        return np.where(self.earliest < self.series - TOLERANCE_S, self.earliest, self.series)

    def candidates(self) -> dict[str, Array]:
        """Starts by each reading of the tags, where the tags are there."""
        found: dict[str, Array] = {}
        if self.acquired is not None:
            found[ACQUISITION] = self.acquired
        if self.reference_s is None:
            return found
        x = self.decay_per_s * self.duration
        average_s = np.log(x / -np.expm1(-x)) / self.decay_per_s
        for shift, name in (
            (0.0, REFERENCE_START),
            (0.5 * self.duration, REFERENCE_MIDDLE),
            (average_s, REFERENCE_AVERAGE),
        ):
            found[name] = self.base + self.reference_s - shift
            if not np.array_equal(self.base, self.series):
                found[name + " (from the series time)"] = self.series + self.reference_s - shift
        return found

    def seconds_off(self, start: Array, reference: Array, kind: Callable[[Array, Array, float], Array]) -> Array:
        """By how many seconds of decay the factors differ from those expected of these starts."""
        assert self.factor is not None
        expected = kind(start - reference, self.duration, self.decay_per_s)
        return np.log(self.factor / expected) / self.decay_per_s

    @property
    def tolerance(self) -> Array:
        """1 s, and what the last digit of the factor amounts to."""
        assert self.factor is not None
        return TOLERANCE_S + self.factor_step / (self.factor * self.decay_per_s)

    def implied(self, reference: Array) -> Array:
        """Starts by inversion of the mean decay factor."""
        assert self.factor is not None
        x = self.decay_per_s * self.duration
        return reference + np.log(self.factor * -np.expm1(-x) / x) / self.decay_per_s


def _evidence(images: Sequence[ImageHeader], decay_per_s: float) -> _Evidence:
    acquired = _optional([image.acquired_s for image in images])
    series = _optional([image.series_s for image in images])
    if acquired is None and series is None:
        raise InputError(
            "The headers give neither the series' nor the images' acquisition date and time.",
            "Export the series again without removing times.",
        )
    if series is None:
        assert acquired is not None
        series = np.full(acquired.shape, acquired.min())
    earliest = np.array(series)
    if acquired is not None:
        for uid in {image.series_uid for image in images}:
            part = np.array([image.series_uid == uid for image in images])
            earliest[part] = acquired[part].min()
    factor = _optional([image.decay_factor for image in images])
    # A factor of exactly 1 in all frames (Philips) says nothing of their times.
    informative = factor is not None and bool(np.all(factor > 0)) and bool(np.any(np.abs(factor - 1) > 1e-7))
    return _Evidence(
        acquired=acquired,
        series=series,
        earliest=earliest,
        reference_s=_optional([image.reference_s for image in images]),
        duration=_durations(images),
        factor=factor if informative else None,
        factor_step=np.array([image.decay_factor_step for image in images]),
        decay_per_s=decay_per_s,
    )


def _numbers(candidates: dict[str, Array], origin: float) -> str:
    """The first starts of each candidate, for the message."""
    lines = []
    for name, start in candidates.items():
        shown = ", ".join(f"{s - origin:.1f}" for s in start[:4])
        lines.append(f"{name}: {shown}{' ...' if start.size > 4 else ''}")
    return "; ".join(lines) + " s"


def _agree(a: Array, b: Array) -> bool:
    return bool(np.all(np.abs(a - b) <= TOLERANCE_S))


def _preferred(names: Sequence[str], habit: str | None) -> str:
    """The vendor's candidate if it is among these, else the first."""
    return next((n for n in names if habit is not None and n.startswith(habit)), names[0])


def _same_moment(candidates: dict[str, Array], habit: str | None) -> str | None:
    """The candidate on which independent tags agree, or which is alone; None where it stays open."""
    names = list(candidates)
    if all(_agree(candidates[names[0]], candidates[n]) for n in names):
        return _preferred(names, habit)
    acquired = candidates.get(ACQUISITION)
    if acquired is not None and any(_agree(acquired, candidates[n]) for n in names if n != ACQUISITION):
        return ACQUISITION
    return next((n for n in names if habit is not None and n.startswith(habit)), None)


def _references(evidence: _Evidence, decay_correction: str, injection: float) -> list[tuple[str, Array]]:
    """The moments to which the decay factors may refer, the stated one first."""
    here = [
        ("the start of the series", evidence.base),
        ("the series time", evidence.series),
        ("the earliest acquisition", evidence.earliest),
        ("the start of the first series", np.full(evidence.base.shape, evidence.base.min())),
    ]
    injected = ("injection", np.full(evidence.base.shape, injection))
    return [injected, *here] if decay_correction == "ADMIN" else [*here, injected]


def _middle_factor(elapsed_s: Array, duration_s: Array, decay_per_s: float) -> Array:
    return np.exp(decay_per_s * (elapsed_s + 0.5 * duration_s))


def _start_factor(elapsed_s: Array, duration_s: Array, decay_per_s: float) -> Array:  # noqa: ARG001
    return np.exp(decay_per_s * elapsed_s)


def _mismatch(evidence: _Evidence, apart: dict[str, Array], habit: str | None, origin: float) -> InputError:
    """No reading of the tags agrees with the decay factors: say which, and by how much."""
    assert evidence.factor is not None
    name = _preferred(list(apart), habit)
    off = evidence.seconds_off(apart[name], evidence.base, mean_decay_factor)
    worst = int(np.argmax(np.abs(off)))
    expected = mean_decay_factor(apart[name] - evidence.base, evidence.duration, evidence.decay_per_s)[worst]
    shown = {**apart, DECAY_FACTOR: evidence.implied(evidence.base)}
    return InputError(
        f"The frame times contradict the decay correction: frame {worst + 1} has DecayFactor "
        f"{evidence.factor[worst]:.6g}, but {expected:.6g} is expected if its start is {name} "
        f"({off[worst]:+.1f} s of decay). Frame starts by each reading - {_numbers(shown, origin)}.",
        "Export the series again from the scanner; times or decay factors were probably changed.",
    )


def resolve_times(
    images: Sequence[ImageHeader],
    *,
    decay_correction: str,
    injection: float,
    decay_per_s: float,
    manufacturer: str,
) -> FrameTimes:
    """Decide when each frame began (see the module's docstring).

    :param images: one image for each frame.
    :param decay_correction: START, ADMIN or NONE, as stored.
    :param injection: moment of injection as the header has it.
    :param decay_per_s: decay constant that the scanner used, 1/s.
    :raises InputError: a duration is missing or zero, frames overlap by every reading, or the
        readings contradict each other.
    """
    evidence = _evidence(images, decay_per_s)
    habit = vendor_habit(manufacturer)
    warnings: list[str] = []
    origin = float(evidence.base.min())
    late_s = float((evidence.series - evidence.earliest).max())
    if late_s > TOLERANCE_S:
        warnings.append(
            f"The series time ({clock_text(float(evidence.series.max()))}) is {late_s:.0f} s later than the first "
            "acquisition; the acquisition was taken as the reference of times and decay correction."
        )
    candidates = evidence.candidates()
    if not candidates and evidence.factor is None:
        raise InputError("The headers do not say when the frames began (no AcquisitionTime, no FrameReferenceTime).")
    apart = {n: s for n, s in candidates.items() if _overlap(s, evidence.duration)[0] <= TOLERANCE_S}
    informative = evidence.factor is not None and decay_correction != "NONE"
    if evidence.factor is not None and decay_correction == "NONE":
        warnings.append("The headers hold decay factors although the images are said not to be decay-corrected.")

    if informative:
        for reference_name, reference in _references(evidence, decay_correction, injection):
            agreeing = [
                n
                for n, s in apart.items()
                if np.all(np.abs(evidence.seconds_off(s, reference, mean_decay_factor)) <= evidence.tolerance)
            ]
            if agreeing:
                name = _preferred(agreeing, habit)
                return _with_reference(
                    evidence, apart[name], name, reference_name, reference, decay_correction, injection, warnings
                )
        for kind, meaning in ((_middle_factor, "middle"), (_start_factor, "start")):
            names = [n for n in (ACQUISITION, habit) if n in apart]
            for name in names:
                if np.all(np.abs(evidence.seconds_off(apart[name], evidence.base, kind)) <= evidence.tolerance):
                    warnings.append(
                        f"The decay factors are those of the frames' {meaning}, not of their mean activity."
                    )
                    return FrameTimes(apart[name], evidence.duration, evidence.base, False, name, tuple(warnings))
        implied = evidence.implied(evidence.base)
        if not apart and _overlap(implied, evidence.duration)[0] <= TOLERANCE_S:
            warnings.append(
                "The frames' times overlap by every reading of the time tags; their starts were taken from the decay "
                "factors."
            )
            return FrameTimes(implied, evidence.duration, evidence.base, True, DECAY_FACTOR, tuple(warnings))
        if apart:
            raise _mismatch(evidence, apart, habit, origin)

    # FrameReferenceTime counts from the series' start: a reading by which frames begin before it is wrong.
    plausible = {n: s for n, s in apart.items() if n == ACQUISITION or s.min() >= evidence.base.min() - TOLERANCE_S}
    if not plausible:
        raise _overlapping(evidence, apart or candidates, habit, origin)
    chosen = _same_moment(plausible, habit)
    if chosen is None:
        raise InputError(
            "The headers leave open when the frames began, and no decay factor decides. Frame starts by each "
            f"reading - {_numbers(plausible, origin)}.",
            "The scanner's manufacturer is not known to this program; export the series with decay factors.",
        )
    return FrameTimes(
        plausible[chosen], evidence.duration, evidence.base, decay_correction == "NONE", chosen, tuple(warnings)
    )


def _overlapping(evidence: _Evidence, candidates: dict[str, Array], habit: str | None, origin: float) -> InputError:
    # Of the readings, the vendor's - or else the one nearest to possible - is the one to report.
    by_overlap = sorted(candidates, key=lambda n: _overlap(candidates[n], evidence.duration)[0])
    name = _preferred(by_overlap, habit)
    seconds, first, second = _overlap(candidates[name], evidence.duration)
    return InputError(
        f"Frames {first + 1} and {second + 1} overlap by {seconds:.1f} s by every reading of the header "
        f"(by {name}). Frame starts by each reading - {_numbers(candidates, origin)}.",
        "Export the series again from the scanner.",
    )


def _with_reference(
    evidence: _Evidence,
    start: Array,
    name: str,
    reference_name: str,
    reference: Array,
    decay_correction: str,
    injection: float,
    warnings: list[str],
) -> FrameTimes:
    """Times that agree with the decay factors; what the factors refer to is held against what is stated."""
    stated = injection if decay_correction == "ADMIN" else evidence.base
    apart_s = float(np.abs(reference - stated).max())
    if apart_s > TOLERANCE_S:
        if decay_correction == "ADMIN":
            # GE: a GML series with DecayCorrection ADMIN keeps the factors of the series' start.
            warnings.append(
                f"The images are said to be decay-corrected to injection, but their decay factors refer to "
                f"{reference_name}, {apart_s:.0f} s away; the statement was believed."
            )
            reference = evidence.base
        elif reference_name == "injection":
            factor = float(np.exp(evidence.decay_per_s * apart_s))
            raise InputError(
                "The images are said to be decay-corrected to the series' start, but their decay factors are those of "
                f"a correction to injection, {apart_s:.0f} s away; activity would be wrong by a factor {factor:.3f}.",
                "Export the series again from the scanner.",
            )
        else:
            warnings.append(f"The decay factors refer to {reference_name}; it was taken as their reference.")
    middle = np.sqrt(np.mean(evidence.seconds_off(start, reference, _middle_factor) ** 2))
    mean = np.sqrt(np.mean(evidence.seconds_off(start, reference, mean_decay_factor) ** 2))
    weighted = bool(mean <= middle + 0.01)
    if decay_correction == "ADMIN" and apart_s > TOLERANCE_S:
        weighted = True
    return FrameTimes(start, evidence.duration, reference, weighted, name, tuple(warnings))
