"""Frame timing: when each frame starts and how long it lasts, and what must not be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from petkinetics.errors import InputError

#: frames may overlap or fall outside a window by this much: headers round to whole seconds
TOLERANCE_S = 1.0
#: the framing of Liang et al. 2023: 28 frames, 65 min (the paper says "one hour")
LIANG2023 = "6x10,4x30,4x60,4x120,10x300"


@dataclass(frozen=True, eq=False)
class FrameTiming:
    """Starts and durations of the frames of a dynamic scan, seconds from injection.

    :param start_s: frame starts, shape (frames,); may be negative, may leave gaps.
    :param duration_s: frame durations, shape (frames,), above zero.
    :raises InputError: lengths differ, a value is not finite, a duration is not above zero, frames
        are not in order of time, or two frames overlap by more than 1 s.
    """

    start_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]

    def __init__(self, start_s: ArrayLike, duration_s: ArrayLike) -> None:
        start = np.atleast_1d(np.array(start_s, dtype=np.float64))
        duration = np.atleast_1d(np.array(duration_s, dtype=np.float64))
        start.setflags(write=False)
        duration.setflags(write=False)
        object.__setattr__(self, "start_s", start)
        object.__setattr__(self, "duration_s", duration)
        self._refuse_the_impossible()

    def _refuse_the_impossible(self) -> None:
        start, duration = self.start_s, self.duration_s
        if start.ndim != 1 or start.shape != duration.shape or start.size == 0:
            raise InputError(
                f"Frame timing needs as many starts as durations, but there are {start.size} "
                f"starts and {duration.size} durations."
            )
        for name, values in (("start", start), ("duration", duration)):
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                raise InputError(f"Frame {bad[0] + 1} has no valid {name} ({values[bad[0]]}).")
        bad = np.flatnonzero(duration <= 0)
        if bad.size:
            raise InputError(
                f"Frame {bad[0] + 1} has a duration of {duration[bad[0]]:g} s; every frame needs a duration above zero."
            )
        bad = np.flatnonzero(np.diff(start) <= 0)
        if bad.size:
            i = int(bad[0])
            raise InputError(
                f"Frame {i + 2} starts at {start[i + 1]:g} s, not after frame {i + 1} "
                f"({start[i]:g} s); frames must be in order of time."
            )
        overlap = (start + duration)[:-1] - start[1:]
        bad = np.flatnonzero(overlap > TOLERANCE_S)
        if bad.size:
            i = int(bad[0])
            raise InputError(
                f"Frames {i + 1} and {i + 2} overlap by {overlap[i]:.1f} s "
                f"(frame {i + 1} runs {start[i]:g}-{start[i] + duration[i]:g} s, "
                f"frame {i + 2} starts at {start[i + 1]:g} s)."
            )

    @classmethod
    def parse(cls, spec: str) -> FrameTiming:
        """Contiguous frames from a specification such as ``6x10,4x30,10x300`` (seconds).

        The name ``liang2023`` stands for that paper's framing.
        :raises InputError: the text is not such a specification.
        """
        text = LIANG2023 if spec == "liang2023" else spec
        durations: list[float] = []
        for part in text.split(","):
            match = re.fullmatch(r"\s*(0*[1-9]\d*)\s*x\s*(\d+(?:\.\d+)?)\s*", part)
            if not match:
                raise InputError(
                    f"'{part}' in the frame specification '{spec}' is not of the form COUNTxSECONDS.",
                    "Example: 6x10,4x30,4x60,4x120,10x300.",
                )
            durations += [float(match[2])] * int(match[1])
        starts = np.concatenate([[0.0], np.cumsum(durations)[:-1]])
        return cls(starts, durations)

    def __len__(self) -> int:
        return int(self.start_s.size)

    @property
    def end_s(self) -> NDArray[np.float64]:
        """Frame ends, seconds from injection."""
        return self.start_s + self.duration_s

    @property
    def mid_s(self) -> NDArray[np.float64]:
        """Frame mid-times, seconds from injection."""
        return self.start_s + 0.5 * self.duration_s

    def gaps(self) -> list[tuple[float, float]]:
        """Stretches longer than 1 s between frames that no frame covers, as (from, to) in s."""
        ends, starts = self.end_s[:-1], self.start_s[1:]
        return [(float(e), float(s)) for e, s in zip(ends, starts, strict=True) if s - e > TOLERANCE_S]

    def select(self, frames: Sequence[int] | NDArray[np.intp]) -> FrameTiming:
        """The timing of some frames, by index."""
        return FrameTiming(self.start_s[frames], self.duration_s[frames])

    def shifted(self, seconds: float) -> FrameTiming:
        """The same frames with *seconds* added to every start."""
        return FrameTiming(self.start_s + seconds, self.duration_s)

    def window(self, t_star_min: float, until_min: float | None = None) -> NDArray[np.intp]:
        """Indices of the frames with start >= t* - 1 s and end <= until + 1 s (docs/methods.md).

        :param t_star_min: start of the window, minutes from injection.
        :param until_min: end of the window, minutes from injection; None for the end of the scan.
        """
        used = self.start_s >= t_star_min * 60.0 - TOLERANCE_S
        if until_min is not None:
            used &= self.end_s <= until_min * 60.0 + TOLERANCE_S
        return np.flatnonzero(used)

    def until(self, until_min: float | None) -> NDArray[np.intp]:
        """Indices of the frames that end by *until_min* (+ 1 s)."""
        return self.window(-np.inf, until_min)

    def decay_factors(self, decay_per_s: float) -> NDArray[np.float64]:
        """Factor from a frame's mean measured activity to activity decay-corrected to time zero.

        e^(lambda*start) * x / (1 - e^(-x)), x = lambda*duration: exact where the corrected activity
        is constant within the frame (the factor found in GE and Siemens headers).

        :param decay_per_s: lambda, 1/s.
        :returns: no unit, (frames,).
        """
        x = decay_per_s * self.duration_s
        return np.exp(decay_per_s * self.start_s) * np.where(x > 0, x / -np.expm1(-np.maximum(x, 1e-300)), 1.0)
