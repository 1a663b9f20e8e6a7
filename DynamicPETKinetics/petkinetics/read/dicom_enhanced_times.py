"""Frame times of Enhanced PET: starts and decay reference are stated; the decay factors are held against them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S
from petkinetics.read.clock import clock_text
from petkinetics.read.dicom_image import ImageHeader
from petkinetics.read.dicom_time_evidence import (
    gather_evidence,
    mean_decay_factor,
    middle_decay_factor,
    start_decay_factor,
)
from petkinetics.read.dicom_times import FrameTimes

_BASIS = "FrameAcquisitionDateTime"


def stated_times(images: Sequence[ImageHeader], decay_per_s: float) -> FrameTimes:
    """Times of frames that state when they began (:mod:`petkinetics.read.dicom_enhanced`).

    Decay factors, where there are any, must be those of a correction to the stated moment: of the
    frame's mean activity (then its value is a decay-weighted mean), of its middle, or of its start.

    :param images: one for each frame.
    :param decay_per_s: decay constant that the scanner used, 1/s.
    :raises InputError: a frame does not say when it began, a duration is missing, the decay references
        differ, or the decay factors contradict the times.
    """
    for number, image in enumerate(images, start=1):
        if image.acquired_s is None:
            raise InputError(
                f"Frame {number} in '{image.path.name}' does not say when it began (FrameAcquisitionDateTime, or "
                "FrameReferenceDateTime and FrameAcquisitionDuration).",
                "Without frame times no kinetic analysis is possible; export the series again from the scanner.",
            )
    evidence = gather_evidence(images, decay_per_s)
    start, duration = evidence.acquired, evidence.duration
    assert start is not None
    corrected = images[0].decay_correction != "NONE"
    references = [image.decay_reference_s for image in images]
    if not corrected:
        # What is corrected here, is corrected with the factors of the frames' means.
        return FrameTimes(start, duration, evidence.base, True, _BASIS, ())
    if any(r is None for r in references):
        raise InputError("Some frames of the series state what they are decay-corrected to, others do not.")
    reference = np.array(references, dtype=np.float64)
    if evidence.factor is None:
        return FrameTimes(start, duration, reference, False, _BASIS, ())
    if evidence.agrees(start, reference, mean_decay_factor):
        mean, middle = (
            float(np.abs(evidence.seconds_off(start, reference, kind)).max())
            for kind in (mean_decay_factor, middle_decay_factor)
        )
        return FrameTimes(start, duration, reference, mean <= middle + 0.01, _BASIS, ())
    for kind, meaning in ((middle_decay_factor, "middle"), (start_decay_factor, "start")):
        if evidence.agrees(start, reference, kind):
            note = f"The decay factors are those of the frames' {meaning}, not of their mean activity."
            return FrameTimes(start, duration, reference, False, _BASIS, (note,))
    off = evidence.seconds_off(start, reference, mean_decay_factor)
    worst = int(np.argmax(np.abs(off)))
    raise InputError(
        f"The frame times contradict the decay correction: the decay factor of frame {worst + 1} differs by "
        f"{off[worst]:+.1f} s of decay from that of a correction to {clock_text(float(reference[worst]))} "
        "(DecayCorrectionDateTime).",
        "Export the series again from the scanner; times or decay factors were probably changed.",
    )


def decay_reference_name(images: Sequence[ImageHeader], header_injection: float) -> str:
    """What the values are decay-corrected to, as classic images name it, or the time of day.

    :param header_injection: moment (s) of injection as the header has it.
    """
    stated = images[0].decay_reference_s
    if stated is None:
        return images[0].decay_correction
    starts = [image.acquired_s for image in images if image.acquired_s is not None]
    if abs(stated - header_injection) <= TOLERANCE_S:
        return "ADMIN"
    if starts and abs(stated - min(starts)) <= TOLERANCE_S:
        return "START"
    return clock_text(stated)
