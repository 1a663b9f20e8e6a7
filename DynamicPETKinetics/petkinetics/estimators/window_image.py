"""Images of a time window: mean activity or SUV, as a static scan of that window shows them.

The image is the mean over the window's frames, weighted by their durations, of the activity decay-corrected
to injection; divided by the dose at injection it is SUV. A scanner that images the window in one frame
corrects to the frame's start and weights what it counts early a little more: for a slope of 10 % over
15 min the two differ by 0.08 % with F-18 and by 0.4 % with C-11 (lambda * T / 12 * slope).

docs/methods.md, "Derived maps: SUV and MRglc".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.estimator import MapSink, Progress, no_progress
from petkinetics.frames import TOLERANCE_S, FrameTiming
from petkinetics.kinetics.suv import Recipient, suv_per_kbq_per_ml
from petkinetics.maps import ACTIVITY, SUV, SUV_BSA, SUV_LBM, Quantity
from petkinetics.series import DynamicSeries

#: what an image may show, by its name on the command line
IMAGE_KINDS: dict[str, Quantity] = {"bw": SUV, "lbm": SUV_LBM, "bsa": SUV_BSA, "activity": ACTIVITY}
#: what replaces the series' height and sex
OPTION_NAMES = ("height_m", "sex")
#: the late window is what lies in this last part of the scan
LATE_MIN = 15.0
#: a slab holds about this many float32 values: it stays in the processor's cache
_SLAB_VALUES = 1 << 20


@dataclass(frozen=True, eq=False)
class WindowImage:
    """One image to make.

    :param quantity: what it shows.
    :param frames: indices of the frames it averages.
    :param shares: weight of each frame, sum 1.
    :param factor: from kBq/mL decay-corrected to injection to the quantity's unit.
    :param record: what was done with what, plain JSON values.
    :param warnings: sentences for the user.
    """

    quantity: Quantity
    frames: NDArray[np.intp]
    shares: NDArray[np.float64]
    factor: float
    record: dict[str, Any]
    warnings: tuple[str, ...] = ()

    def write(self, series: DynamicSeries, sink: MapSink, progress: Progress = no_progress) -> None:
        """Average the frames slab by slab, everywhere in the image: SUV is looked at without a mask.

        :raises InputError: a voxel of the frames is NaN or infinite.
        """
        for first, mean in self.slabs(series):
            progress(first / series.geometry.shape[0], f"Averaging frames to {self.quantity.symbol}")
            sink.write(self.quantity.name, mean)

    def slabs(self, series: DynamicSeries) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """The image in slabs: (first slice, float32 (slices, rows, columns)), from the first slice to the last.

        :raises InputError: a voxel of the frames is NaN or infinite.
        """
        slices, rows, columns = series.geometry.shape
        frames, weights = self.frames.tolist(), (self.shares * self.factor).astype(np.float32)
        depth = max(1, min(slices, _SLAB_VALUES // (rows * columns * len(frames))))
        # One buffer for all slabs: fresh memory for each costs as much as reading into it.
        buffer = np.empty((len(frames), depth, rows, columns), dtype=np.float32)
        share = np.empty((depth, rows, columns), dtype=np.float32)
        for first in range(0, slices, depth):
            last = min(first + depth, slices)
            values = series.voxels.read(frames, first, last, buffer[:, : last - first])
            # No matrix product: BLAS's threads, which Slicer does not limit, wait for each other on a busy machine.
            mean = values[0] * weights[0]
            for weight, frame in zip(weights[1:], values[1:], strict=True):
                mean += np.multiply(frame, weight, out=share[: last - first])
            if not np.isfinite(mean.sum(dtype=np.float64)):
                raise InputError(
                    f"The frames from {self.record['from_s'] / 60:.4g} to {self.record['to_s'] / 60:.4g} min hold "
                    "voxels that are not numbers (NaN or infinite).",
                    "Export the series again, or choose other frames.",
                )
            yield first, mean


def window_image(
    series: DynamicSeries,
    kind: str,
    window: str | tuple[float, float] | None = None,
    until_min: float | None = None,
    options: Mapping[str, str] | None = None,
) -> WindowImage:
    """Plan an image of a window.

    :param kind: one of :data:`IMAGE_KINDS`.
    :param window: "FROM-TO" or (from, to), minutes from injection; None for the last 15 min of the frames until T.
        A static series is taken whole.
    :param until_min: T; nothing after it is used.
    :param options: ``height_m`` and ``sex`` in place of the series'.
    :raises InputError: no frame lies within the window, or dose, weight, height or sex is needed and not known.
    """
    if kind not in IMAGE_KINDS:
        raise InputError(f"'{kind}' is not an image of a window; there is {', '.join(IMAGE_KINDS)}.")
    timing, given = series.timing, options or {}
    if not series.dynamic:
        frames, timing = _whole(timing, window)
    else:
        frames = _late(timing, until_min) if window is None else _within(timing, window, until_min)
    durations = timing.duration_s[frames]
    record: dict[str, Any] = {
        "frames_used": [int(f) for f in frames],
        "from_s": float(timing.start_s[frames[0]]),
        "to_s": float(timing.end_s[frames[-1]]),
    }
    held = f"{record['from_s'] / 60:.4g}-{record['to_s'] / 60:.4g} min"
    cut = window is not None and not _reaches(record, *_borders(window))
    whole = f"The window {_text(window)} min holds whole frames of {held} only; the image is their mean."
    warnings = (whole,) if cut else ()
    factor = 1.0
    if kind != "activity":
        recipient = Recipient(
            series.injected_activity_mbq,
            series.weight_kg,
            _metres(given["height_m"]) if "height_m" in given else series.height_m,
            given.get("sex", series.sex).upper(),
        )
        factor = suv_per_kbq_per_ml(kind, recipient)
        record |= {"suv_per_kbq_per_ml": factor, "dose_mbq": recipient.dose_mbq, "weight_kg": recipient.weight_kg}
        if kind != "bw":
            record["height_m"] = recipient.height_m
        if kind == "lbm":
            record["sex"] = recipient.sex
    return WindowImage(IMAGE_KINDS[kind], frames, durations / durations.sum(), factor, record, warnings)


def _whole(timing: FrameTiming, window: object) -> tuple[NDArray[np.intp], FrameTiming]:
    """The one volume of a static series, whose timing lists its beds, and the time they took together."""
    if window is not None:
        raise InputError("The series is static: it has no frames of which a window could be chosen.")
    start_s, end_s = float(timing.start_s[0]), float(timing.end_s[-1])
    return np.array([0]), FrameTiming([start_s], [end_s - start_s])


def _late(timing: FrameTiming, until_min: float | None) -> NDArray[np.intp]:
    """The frames of the last 15 min until T, at least the last one."""
    available = timing.until(until_min)
    if available.size == 0:
        raise InputError(f"No frame ends within {until_min:g} min of injection.", "Choose a later --until.")
    late_s = timing.end_s[available[-1]] - 60.0 * LATE_MIN - TOLERANCE_S
    late = available[timing.start_s[available] >= late_s]
    return late if late.size else available[-1:]


def _within(timing: FrameTiming, window: str | tuple[float, float], until_min: float | None) -> NDArray[np.intp]:
    """The frames that lie within a window."""
    from_min, to_min = _borders(window)
    if until_min is not None and to_min > until_min:
        raise InputError(
            f"The window {_text(window)} min ends after {until_min:g} min, the end of what may be used.",
            "Choose an earlier window or a later --until.",
        )
    frames = timing.window(from_min, to_min)
    if frames.size == 0:
        ends = ", ".join(f"{t / 60:.4g}" for t in (*timing.start_s[-5:], timing.end_s[-1]))
        raise InputError(
            f"No frame lies within {_text(window)} min of injection.", f"The last frames' borders are at {ends} min."
        )
    return frames


def _reaches(record: Mapping[str, Any], from_min: float, to_min: float) -> bool:
    """Whether the frames fill the window."""
    return abs(record["from_s"] - 60.0 * from_min) <= TOLERANCE_S and abs(record["to_s"] - 60.0 * to_min) <= TOLERANCE_S


def _text(window: object) -> str:
    return f"{window[0]:.4g}-{window[1]:.4g}" if isinstance(window, tuple) else str(window)


def _borders(window: str | tuple[float, float]) -> tuple[float, float]:
    """A window, minutes from injection; as numbers it may begin before injection."""
    if isinstance(window, tuple):
        if not -np.inf < window[0] < window[1] < np.inf:
            raise InputError(f"The window {_text(window)} min does not begin before it ends.")
        return window
    parts = [part.strip() for part in window.split("-")]
    try:
        from_min, to_min = (float(part) for part in parts)
    except ValueError as error:
        raise InputError(
            f"'{window}' is not a window; it is FROM-TO in minutes from injection.", "Example: 50-65."
        ) from error
    if not 0 <= from_min < to_min < np.inf:
        raise InputError(f"The window {window} min does not begin before it ends.")
    return from_min, to_min


def _metres(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"'{text}' is not a height in metres.", "Example: --set height_m=1.72.") from error
