"""Curves: a region's activity a frame, and the input function with its exact integrals.

docs/methods.md, "Exact convolution and frame integrals".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.errors import InputError
from petkinetics.frames import TOLERANCE_S, FrameTiming
from petkinetics.integrals import frame_mean, frame_mean_of_integral

Float64 = NDArray[np.float64]

#: what the curve that drives the kinetics can be
BLOOD_KINDS = ("whole blood", "plasma", "parent plasma")


@dataclass(frozen=True, eq=False)
class TimeActivityCurve:
    """Mean activity of a region in every frame.

    :param timing: the frames, seconds from injection.
    :param mean_kbq_per_ml: region means, shape (frames,), decay-corrected to injection.
    :param sd_kbq_per_ml: spatial standard deviations, shape (frames,), or None.
    :param decay_per_s: lambda of the weight within a frame (0 for plain frame means).
    :raises InputError: lengths differ or a value is not finite.
    """

    timing: FrameTiming
    mean_kbq_per_ml: Float64
    sd_kbq_per_ml: Float64 | None = None
    decay_per_s: float = 0.0
    name: str = ""

    def __post_init__(self) -> None:
        values = np.asarray(self.mean_kbq_per_ml, dtype=np.float64)
        object.__setattr__(self, "mean_kbq_per_ml", values)
        if values.shape != (len(self.timing),):
            raise InputError(f"The curve has {values.size} values for {len(self.timing)} frames.")
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise InputError(f"The region's curve is not a number in frame {bad[0] + 1}.")


@dataclass(frozen=True, eq=False)
class InputFunction:
    """The blood curve that drives the kinetics: linear between nodes, zero before the first.

    :param time_s: node times, seconds from injection, increasing; may begin before zero where the
        header's injection time is late.
    :param plasma_kbq_per_ml: Cp at the nodes, what tissue takes up from; for an uncorrected
        image-derived curve the same as whole blood (then kind says "whole blood").
    :param whole_blood_kbq_per_ml: at the nodes, what fills the vessels in a voxel.
    :param kind: "whole blood", "plasma" or "parent plasma": what plasma_kbq_per_ml really is.
    :param source: where it came from, in words, for the record.
    :param warnings: sentences for the user.
    :raises InputError: lengths differ, fewer than 3 nodes, times not increasing, a value is not
        finite, or nothing is above zero.
    """

    time_s: Float64
    plasma_kbq_per_ml: Float64
    whole_blood_kbq_per_ml: Float64
    kind: str = "plasma"
    source: str = ""
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for name in ("time_s", "plasma_kbq_per_ml", "whole_blood_kbq_per_ml"):
            values = np.array(getattr(self, name), dtype=np.float64)
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        if self.kind not in BLOOD_KINDS:
            raise InputError(f"'{self.kind}' is not a kind of blood curve; it is one of {', '.join(BLOOD_KINDS)}.")
        shapes = {self.time_s.shape, self.plasma_kbq_per_ml.shape, self.whole_blood_kbq_per_ml.shape}
        if len(shapes) != 1 or self.time_s.ndim != 1 or self.time_s.size < 3:
            raise InputError(
                f"An input function needs at least three nodes with one value each, not {self.time_s.size} times, "
                f"{self.plasma_kbq_per_ml.size} plasma and {self.whole_blood_kbq_per_ml.size} whole-blood values."
            )
        finite = (
            np.isfinite(self.time_s) & np.isfinite(self.plasma_kbq_per_ml) & np.isfinite(self.whole_blood_kbq_per_ml)
        )
        if not finite.all():
            bad = int(np.flatnonzero(~finite)[0])
            raise InputError(f"The input function is not a number in row {bad + 1} (time {self.time_s[bad]} s).")
        bad_steps = np.flatnonzero(np.diff(self.time_s) <= 0)
        if bad_steps.size:
            i = int(bad_steps[0])
            raise InputError(
                f"The input function's times must increase, but row {i + 2} ({self.time_s[i + 1]:g} s) "
                f"does not come after row {i + 1} ({self.time_s[i]:g} s)."
            )
        if self.plasma_kbq_per_ml.max() <= 0:
            raise InputError("The input function has no activity above zero.")

    @property
    def peak(self) -> tuple[float, float]:
        """(time in s, whole-blood kBq/mL) of the highest node."""
        i = int(np.argmax(self.whole_blood_kbq_per_ml))
        return float(self.time_s[i]), float(self.whole_blood_kbq_per_ml[i])

    @property
    def end_s(self) -> float:
        """Time of the last node, seconds from injection."""
        return float(self.time_s[-1])

    def plasma_at(self, time_s: ArrayLike) -> Float64:
        """Cp at times in s from injection, kBq/mL, shape of *time_s*; 0 before the first node."""
        return np.interp(np.asarray(time_s), self.time_s, self.plasma_kbq_per_ml, left=0.0)

    def whole_blood_at(self, time_s: ArrayLike) -> Float64:
        """Whole blood at times in s from injection, kBq/mL, shape of *time_s*; 0 before the first node."""
        return np.interp(np.asarray(time_s), self.time_s, self.whole_blood_kbq_per_ml, left=0.0)

    def plasma_frame_mean(self, timing: FrameTiming, decay_per_s: float = 0.0) -> Float64:
        """Frame means of Cp, kBq/mL, shape (frames,).

        :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame, 1/s; 0 for plain means.
        """
        return frame_mean(self.time_s, self.plasma_kbq_per_ml, timing, decay_per_s)

    def whole_blood_frame_mean(self, timing: FrameTiming, decay_per_s: float = 0.0) -> Float64:
        """Frame means of whole blood, kBq/mL, shape (frames,).

        :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame, 1/s; 0 for plain means.
        """
        return frame_mean(self.time_s, self.whole_blood_kbq_per_ml, timing, decay_per_s)

    def plasma_integral_frame_mean(self, timing: FrameTiming, decay_per_s: float = 0.0) -> Float64:
        """Frame means of the integral of Cp from its first node, kBq/mL*min, shape (frames,).

        :param decay_per_s: lambda of the weight e^(-lambda*t) within a frame, 1/s; 0 for plain means.
        """
        return frame_mean_of_integral(self.time_s, self.plasma_kbq_per_ml, timing, decay_per_s)

    def until(self, end_s: float) -> InputFunction:
        """The curve up to *end_s*, nothing after it: the last piece is cut there.

        :raises InputError: fewer than three nodes remain.
        """
        if end_s >= self.end_s:
            return self
        keep = self.time_s < end_s
        time = np.append(self.time_s[keep], end_s)
        return replace(
            self,
            time_s=time,
            plasma_kbq_per_ml=self.plasma_at(time),
            whole_blood_kbq_per_ml=self.whole_blood_at(time),
        )

    def require_cover(self, timing: FrameTiming) -> None:
        """Refuse an input function that ends before the frames do.

        :raises InputError: the last frame ends more than 1 s after the last node.
        """
        last = float(timing.end_s[-1])
        if last > self.end_s + TOLERANCE_S:
            raise InputError(
                f"The input function ends at {self.end_s / 60:.2f} min, but the frames used last until "
                f"{last / 60:.2f} min.",
                f"Use --until {self.end_s / 60:.1f} or a longer blood curve.",
            )
