"""What headers say of the frames' times: tags, the candidates they give, and the decay factors' verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S
from petkinetics.read.dicom_image import ImageHeader

Array = NDArray[np.float64]
#: factor of a frame that began *elapsed* seconds after the reference: f(elapsed, duration, lambda)
FactorKind = Callable[[Array, Array, float], Array]

ACQUISITION = "AcquisitionTime"
REFERENCE_START = "FrameReferenceTime as the start"
REFERENCE_MIDDLE = "FrameReferenceTime as the middle"
REFERENCE_AVERAGE = "FrameReferenceTime as the moment of average activity"
DECAY_FACTOR = "the start implied by DecayFactor"


def mean_decay_factor(elapsed_s: Array, duration_s: Array, decay_per_s: float) -> Array:
    """e^(lambda t) x / (1 - e^-x), x = lambda T, the factor of a frame's mean activity; t and T broadcast.

    :param elapsed_s: t, from the reference to the frame's start; *duration_s*: T.
    :param decay_per_s: lambda, 1/s.
    :returns: no unit.
    """
    x = decay_per_s * duration_s
    return np.exp(decay_per_s * elapsed_s) * x / -np.expm1(-x)


def middle_decay_factor(elapsed_s: Array, duration_s: Array, decay_per_s: float) -> Array:
    """e^(lambda (t + T/2)), the factor of a frame's middle; t and T broadcast.

    :param elapsed_s: t, from the reference to the frame's start; *duration_s*: T.
    :param decay_per_s: lambda, 1/s.
    :returns: no unit.
    """
    return np.exp(decay_per_s * (elapsed_s + 0.5 * duration_s))


def start_decay_factor(elapsed_s: Array, duration_s: Array, decay_per_s: float) -> Array:  # noqa: ARG001
    """e^(lambda t), the factor of a frame's start, of the shape of t; T is not needed.

    :param elapsed_s: t, from the reference to the frame's start; *duration_s*: T.
    :param decay_per_s: lambda, 1/s.
    :returns: no unit.
    """
    return np.exp(decay_per_s * elapsed_s)


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


@dataclass(frozen=True)
class TimeEvidence:
    """The header's timing, as arrays over the frames, (frames,): moments and seconds."""

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

    def seconds_off(self, start: Array, reference: Array, kind: FactorKind) -> Array:
        """By how many seconds of decay the factors differ from those expected of these starts.

        :param start: of each frame, a moment, s; *reference*: of decay correction, likewise.
        """
        assert self.factor is not None
        expected = kind(start - reference, self.duration, self.decay_per_s)
        return np.log(self.factor / expected) / self.decay_per_s

    @property
    def tolerance(self) -> Array:
        """1 s, and what the last digit of the factor amounts to."""
        assert self.factor is not None
        return TOLERANCE_S + self.factor_step / (self.factor * self.decay_per_s)

    def agrees(self, start: Array, reference: Array, kind: FactorKind) -> bool:
        """Whether the factors are those of these starts, within the tolerance.

        :param start: of each frame, a moment, s; *reference*: of decay correction, likewise.
        """
        return bool(np.all(np.abs(self.seconds_off(start, reference, kind)) <= self.tolerance))

    def implied(self, reference: Array) -> Array:
        """Starts, moments, by inversion of the mean decay factor.

        :param reference: of decay correction, a moment a frame, s.
        """
        assert self.factor is not None
        x = self.decay_per_s * self.duration
        return reference + np.log(self.factor * -np.expm1(-x) / x) / self.decay_per_s


def gather_evidence(images: Sequence[ImageHeader], decay_per_s: float) -> TimeEvidence:
    """What the headers of a series say about its times, one value a frame.

    :param images: one of each frame.
    :param decay_per_s: lambda of the nuclide.
    :raises InputError: there are no times at all.
    """
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
    return TimeEvidence(
        acquired=acquired,
        series=series,
        earliest=earliest,
        reference_s=_optional([image.reference_s for image in images]),
        duration=_durations(images),
        factor=factor if informative else None,
        factor_step=np.array([image.decay_factor_step for image in images]),
        decay_per_s=decay_per_s,
    )
