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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S
from petkinetics.read.clock import clock_text
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.dicom_time_evidence import (
    ACQUISITION,
    DECAY_FACTOR,
    REFERENCE_MIDDLE,
    REFERENCE_START,
    Array,
    TimeEvidence,
    gather_evidence,
    mean_decay_factor,
    middle_decay_factor,
    start_decay_factor,
)

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


def _overlap(start: Array, duration: Array) -> tuple[float, int, int]:
    """The largest overlap of neighbouring frames in s, and which two frames (by time)."""
    if start.size < 2:
        return -np.inf, 0, 0
    order = np.argsort(start, kind="stable")
    overlaps = (start + duration)[order][:-1] - start[order][1:]
    i = int(np.argmax(overlaps))
    return float(overlaps[i]), int(order[i]), int(order[i + 1])


def _numbers(candidates: dict[str, Array], evidence: TimeEvidence) -> str:
    """The first starts of each candidate, from the series' start, for the message."""
    lines, origin = [], float(evidence.base.min())
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


def _references(evidence: TimeEvidence, decay_correction: str, injection: float) -> list[tuple[str, Array]]:
    """The moments to which the decay factors may refer, the stated one first."""
    here = [
        ("the start of the series", evidence.base),
        ("the series time", evidence.series),
        ("the earliest acquisition", evidence.earliest),
        ("the start of the first series", np.full(evidence.base.shape, evidence.base.min())),
    ]
    injected = ("injection", np.full(evidence.base.shape, injection))
    return [injected, *here] if decay_correction == "ADMIN" else [*here, injected]


def _mismatch(evidence: TimeEvidence, apart: dict[str, Array], habit: str | None) -> InputError:
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
        f"({off[worst]:+.1f} s of decay). Frame starts by each reading - {_numbers(shown, evidence)}.",
        "Export the series again from the scanner; times or decay factors were probably changed.",
    )


def _by_decay_factors(
    evidence: TimeEvidence,
    apart: dict[str, Array],
    habit: str | None,
    decay_correction: str,
    injection: float,
    warnings: list[str],
) -> FrameTimes | None:
    """The reading that agrees with the decay factors; None where nothing is left to agree with them.

    :raises InputError: there are readings without overlap, but all contradict the factors.
    """
    for reference_name, reference in _references(evidence, decay_correction, injection):
        off = {
            n: float(np.abs(evidence.seconds_off(start, reference, mean_decay_factor)).max())
            for n, start in apart.items()
            if evidence.agrees(start, reference, mean_decay_factor)
        }
        if off:
            # The vendor's reading, else the closest: middle and average moment differ by less than the tolerance.
            name = _preferred(sorted(off, key=off.__getitem__), habit)
            return _with_reference(
                evidence, apart[name], name, reference_name, reference, decay_correction, injection, warnings
            )
    for kind, meaning in ((middle_decay_factor, "middle"), (start_decay_factor, "start")):
        for name in (n for n in (ACQUISITION, habit) if n in apart):
            if evidence.agrees(apart[name], evidence.base, kind):
                warnings.append(f"The decay factors are those of the frames' {meaning}, not of their mean activity.")
                return FrameTimes(apart[name], evidence.duration, evidence.base, False, name, tuple(warnings))
    if apart:
        raise _mismatch(evidence, apart, habit)
    implied = evidence.implied(evidence.base)
    if _overlap(implied, evidence.duration)[0] > TOLERANCE_S:
        return None
    warnings.append(
        "The frames overlap by every reading of the time tags; their starts were taken from the decay factors."
    )
    return FrameTimes(implied, evidence.duration, evidence.base, True, DECAY_FACTOR, tuple(warnings))


def _by_habit(evidence: TimeEvidence, apart: dict[str, Array], habit: str | None) -> str | None:
    """The reading that is left without the help of decay factors; None where all overlap.

    :raises InputError: several are left, and neither two tags' agreement nor the vendor decides.
    """
    # FrameReferenceTime counts from the series' start: a reading by which frames begin before it is wrong.
    begin = evidence.base.min() - TOLERANCE_S
    plausible = {n: start for n, start in apart.items() if n == ACQUISITION or start.min() >= begin}
    if not plausible:
        return None
    chosen = _same_moment(plausible, habit)
    if chosen is None:
        raise InputError(
            "The headers leave open when the frames began, and no decay factor decides. Frame starts by each "
            f"reading - {_numbers(plausible, evidence)}.",
            "The scanner's manufacturer is not known to this program; export the series with decay factors.",
        )
    return chosen


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
    evidence = gather_evidence(images, decay_per_s)
    habit = vendor_habit(manufacturer)
    warnings: list[str] = []
    late_s = float((evidence.series - evidence.earliest).max())
    if late_s > TOLERANCE_S:
        warnings.append(
            f"The series time ({clock_text(float(evidence.series.max()))}) is {late_s:.0f} s later than the first "
            "acquisition; the acquisition was taken as the reference of times and decay correction."
        )
    candidates = evidence.candidates()
    apart = {n: start for n, start in candidates.items() if _overlap(start, evidence.duration)[0] <= TOLERANCE_S}
    if evidence.factor is not None and decay_correction == "NONE":
        warnings.append("The headers hold decay factors although the images are said not to be decay-corrected.")
    elif evidence.factor is not None:
        found = _by_decay_factors(evidence, apart, habit, decay_correction, injection, warnings)
        if found is not None:
            return found
    if not candidates:
        raise InputError("The headers do not say when the frames began (no AcquisitionTime, no FrameReferenceTime).")
    chosen = _by_habit(evidence, apart, habit)
    if chosen is None:
        raise _overlapping(evidence, apart or candidates, habit)
    # Without decay correction by the scanner it is done here, with the factors of the frames' means.
    weighted = decay_correction == "NONE"
    return FrameTimes(apart[chosen], evidence.duration, evidence.base, weighted, chosen, tuple(warnings))


def _overlapping(evidence: TimeEvidence, candidates: dict[str, Array], habit: str | None) -> InputError:
    # Of the readings, the vendor's - or else the one nearest to possible - is the one to report.
    by_overlap = sorted(candidates, key=lambda n: _overlap(candidates[n], evidence.duration)[0])
    name = _preferred(by_overlap, habit)
    seconds, first, second = _overlap(candidates[name], evidence.duration)
    return InputError(
        f"Frames {first + 1} and {second + 1} overlap by {seconds:.1f} s by every reading of the header "
        f"(by {name}). Frame starts by each reading - {_numbers(candidates, evidence)}.",
        "Export the series again from the scanner.",
    )


def _with_reference(
    evidence: TimeEvidence,
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
    middle = np.sqrt(np.mean(evidence.seconds_off(start, reference, middle_decay_factor) ** 2))
    mean = np.sqrt(np.mean(evidence.seconds_off(start, reference, mean_decay_factor) ** 2))
    weighted = bool(mean <= middle + 0.01)
    if decay_correction == "ADMIN" and apart_s > TOLERANCE_S:
        weighted = True
    return FrameTimes(start, evidence.duration, reference, weighted, name, tuple(warnings))
