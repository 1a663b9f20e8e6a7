"""What the checks of a scan's images mean: from which number on each warns, in which words, where maps are wrong.

docs/methods.md, "Faults of a scan".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.coarse_frames import CoarseFrames
from petkinetics.estimators.frame_shift import FrameShift
from petkinetics.estimators.slow_drift import Drift
from petkinetics.estimators.tracer_release import Release

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: bounds of good scans
SHIFT_MM, STEP, BLOOD = 2.0, 0.10, 1.25
#: a shift counts when it explains this share of the step that it is read from: noise looks like a shift, too
EXPLAINED = 0.03
#: a drift counts when it is this long, and so many standard errors
DRIFT_MM, DRIFT_ERRORS = 0.8, 4.0
#: a release counts when it is this large, 1/min, and so many standard errors above what FDG shows in a scan that ends
#: at 35 min; in others both change with the root of its length: early exchange and the first order matter less later
RELEASE, RELEASE_OF_FDG, RELEASE_ERRORS, _RELEASE_END_MIN = 0.0275, 0.02, 2.0, 35.0
#: methods that fit no frame before this, min, may not see where a drift began
_EARLY_MIN = 5.0
#: a map is not to be trusted where a shift changes activity by more than this share of the body's mean
_CHANGED = 0.2


@dataclass(frozen=True)
class Use:
    """What a method makes of a scan, which decides what a fault does to its maps.

    :param from_s: start of the first frame that it fits.
    :param symbol: of its main map.
    :param keeps_tracer: it takes tissue to keep the tracer; for others release is no fault.
    """

    from_s: float = 0.0
    symbol: str = "Ki"
    keeps_tracer: bool = True


@dataclass(frozen=True, eq=False)
class Finding:
    """What one check says.

    :param number: for the record, plain JSON; None where the scan does not tell.
    :param warning: a sentence, if it is out of bounds.
    :param distrust: where it spoils the maps, (slices, rows, columns).
    """

    number: Any = None
    warning: str | None = None
    distrust: Mask | None = None


@dataclass(frozen=True, eq=False)
class Place:
    """Where blocks lie among the voxels.

    :param shape: of the series, (slices, rows, columns).
    :param mean: of the late frames' activity, kBq/mL, in the body.
    :param mask: the body's voxels, of that shape; None for all.
    """

    coarse: CoarseFrames
    shape: tuple[int, int, int]
    mean: float
    mask: Mask | None

    def changed(self, change: Float32) -> Mask:
        """The body's voxels that a shift changes by more than a fifth of *mean*, (slices, rows, columns).

        :param change: kBq/mL, (slices, rows, columns) of blocks.
        """
        where = self.coarse.on_voxels(change > _CHANGED * self.mean, self.shape)
        return where if self.mask is None else where & self.mask

    def percent(self, where: Mask) -> float:
        """Share of the body, percent.

        :param where: (slices, rows, columns), within the body.
        """
        return 100.0 * float(where.sum()) / float(where.size if self.mask is None else max(int(self.mask.sum()), 1))


def step_finding(log: float, start_s: float, use: Use) -> Finding:
    """Of a jump of the body's mean activity, see :func:`petkinetics.estimators.scan_faults.scale_step`.

    :param log: natural logarithm of the ratio after it to before.
    :param start_s: of the first frame after it, s from injection.
    """
    number = {"log": round(log, 4), "start_s": start_s}
    if abs(log) <= STEP:
        return Finding(number)
    # frames before the fit enter it only through the curve's integral, which moves V0 and hardly the slope
    wrong = f"{use.symbol} is wrong then, too"
    if start_s <= use.from_s:
        wrong = (
            f"the frames fitted, from {use.from_s / 60:.3g} min on, are on one scale: V0 is wrong, {use.symbol} hardly"
        )
    return Finding(
        number,
        f"The frames before and after {start_s / 60:.3g} min seem to be on different scales: the whole body's "
        f"activity jumps by {100 * np.expm1(log):+.0f} %. Decay or dead-time correction, or the frame times of the "
        f"series may be wrong; {wrong}. Ask how these frames were corrected, and estimate from a series whose frames "
        "are on one scale.",
    )


def blood_finding(share: float, use: Use) -> Finding:
    """Of the image's brightest blood over the curve's: *share*, the ratio of the two."""
    number = round(share, 3)
    if share <= BLOOD:
        return Finding(number)
    return Finding(
        number,
        f"The blood curve is lower than the blood in the image, which is up to {share:.1f} times as high: the region "
        f"may reach into tissue, or the curve's unit or time is not the image's. {use.symbol} is too high then. Draw "
        "the region within the vessel, or check the curve, and estimate again.",
    )


def shift_finding(shift: FrameShift, from_s: float, place: Place) -> Finding:
    """Of a step between late frames.

    :param from_s: start of the first frame after it.
    """
    number = {
        "length": round(shift.distance_mm, 2),
        "slice_row_column": [round(float(d), 2) for d in shift.mm],
        "from_s": from_s,
        "explained": round(shift.explained, 3),
    }
    if not (shift.distance_mm > SHIFT_MM and shift.explained > EXPLAINED):
        return Finding(number)
    distrust = place.changed(shift.change)
    return Finding(
        number,
        f"The frames from {from_s / 60:.3g} min on seem to be shifted against those before, by at least "
        f"{shift.distance_mm:.0f} mm: the patient seems to have moved. Maps are wrong at the borders of organs "
        f"({place.percent(distrust):.0f} % of the body, marked in the map of distrust), and everywhere if the blood "
        "region left its vessel. Align the frames, or choose t* or T so that one position is left, and estimate again.",
        distrust,
    )


def moved_before(step: Mapping[str, Any], use: Use) -> str:
    """The words for a step after which the frames that a method fits agree.

    :param step: the number of :func:`shift_finding`.
    """
    return (
        f"The frames from {step['from_s'] / 60:.3g} min on seem to be shifted against those before, by at least "
        f"{step['length']:.0f} mm: the patient seems to have moved. The frames that are fitted, from "
        f"{use.from_s / 60:.3g} min on, agree with each other; a blood curve taken from the image holds both "
        f"positions, and {use.symbol} is wrong everywhere if its region left the vessel. Check the region on early and "
        "late frames."
    )


def drift_finding(drift: Drift, from_s: float, place: Place, use: Use, said: bool) -> Finding:
    """Of a shift from the early frames to the late ones.

    :param from_s: start of the late ones.
    :param said: a movement was told already; this is the same.
    """
    number = {
        "length": round(drift.distance_mm, 2),
        "slice_row_column": [round(float(d), 2) for d in drift.mm],
        "from_s": from_s,
        "errors": round(drift.z, 2),
    }
    if said or not (drift.distance_mm > DRIFT_MM and drift.z > DRIFT_ERRORS):
        return Finding(number)
    distrust = place.changed(drift.change)
    when = "" if use.from_s < 60.0 * _EARLY_MIN else f", if that went on after {use.from_s / 60:.3g} min"
    return Finding(
        number,
        f"From {from_s / 60:.3g} min on the body lies at least {drift.distance_mm:.1f} mm from where it lay in the "
        "first 12 min: the patient seems to have slid slowly, or to have moved. Maps are wrong at the borders of "
        f"organs and in small lesions{when} ({place.percent(distrust):.0f} % of the body is marked in the map of "
        "distrust); align the frames and estimate again, or judge only what is large.",
        distrust,
    )


def release_finding(release: Release, end_min: float, said: bool) -> Finding:
    """Of the body's release of the tracer.

    :param end_min: of the last frame.
    :param said: another fault was told already, which bends the curves as well.
    """
    number = {"per_min": round(release.per_min, 4), "error_per_min": round(release.error_per_min, 4)}
    shorter = (_RELEASE_END_MIN / end_min) ** 0.5
    above = release.per_min - shorter * RELEASE_OF_FDG > RELEASE_ERRORS * release.error_per_min
    if said or not (release.per_min > shorter * RELEASE and above):
        return Finding(number)
    return Finding(
        number,
        "The body's tissue seems to release the tracer again: its Patlak plot bends over as if "
        f"{100 * release.per_min:.1f} ± {100 * release.error_per_min:.1f} % left it per minute, where FDG shows about "
        f"{100 * shorter * RELEASE_OF_FDG:.1f} %. Ki has no meaning for such a tracer. Check which tracer was "
        "injected, and the blood curve; compare with a reversible two-tissue model in regions.",
    )
