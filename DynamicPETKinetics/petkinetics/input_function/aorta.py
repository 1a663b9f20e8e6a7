"""The automatic aorta: which voxels of a dynamic scan are the core of the aorta, or why that cannot be said.

The early frames (:mod:`aorta_images`) are taken apart into blood and tissue (:mod:`blood_fraction`); round
cross-sections of blood (:mod:`aorta_discs`) are linked along the body (:mod:`aorta_tracks`); the tube that
looks most like the aorta in front of the spine is checked for its curve, and its core becomes the region
(:mod:`aorta_region`). The proposal is to be looked at: it is never said to be more than that.

docs/methods.md, "Input function".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import TimeActivityCurve
from petkinetics.errors import InputError
from petkinetics.input_function.aorta_discs import Discs, find_discs
from petkinetics.input_function.aorta_images import SMOOTH_MM, EarlyImages, Float32, early_images
from petkinetics.input_function.aorta_region import lumen_core
from petkinetics.input_function.aorta_tracks import Track, best_track, calibre, likelihood, scaled, without
from petkinetics.input_function.blood_fraction import blood_fraction, first_blood_curve, refined_blood_curve
from petkinetics.input_function.checks import COVERED_BELOW
from petkinetics.read.region_curves import region_mean_curve
from petkinetics.read.regions import RegionWeights
from petkinetics.series import DynamicSeries

Float64 = NDArray[np.float64]

#: what the curve is said to come from
SOURCE = "automatic aorta"
#: goes with every proposal
CHECK_IT = "It was found automatically: check the proposed aorta before you use the result."
_LABEL, _NAME = 1, "aorta"

#: a first frame longer than this shows no first pass
_LONGEST_FIRST_FRAME_S = 60.0
#: the frames must go on for this long after the first begins, or the wash-out is not seen
_LEAST_SCAN_S = 120.0
#: a tube this good (score, mm) without a rival above this share needs no further smoothing of the images,
#: which shows longer tubes but lets them run into their neighbours: a smoother one must be better by the factor
_ENOUGH_MM, _CLEAR, _BETTER = 25.0, 0.5, 1.3
#: a tube this good gives full confidence
_GOOD_MM = 60.0
#: below this score (mm), or where another tube has more than this share of it, the answer is "not sure"
_LEAST_MM = 18.0
_RIVAL = 0.6
#: a thinner tube (mean radius, mm) is no aorta; carotid and femoral arteries have 3-4 mm
_LEAST_RADIUS_MM = 5.4
#: of whole-body scanners, as images are reconstructed (FWHM 5.5 mm)
_RESOLUTION_SD_MM = 2.3
#: how much too bright the brightest voxels are, at each smoothing that the noise asks for
_NOISE_GAIN = (1.0, 1.25, 1.5)
#: wanted volume (mL) of the region, by how much smoothing the noise asked for
_WANTED_ML = (7.0, 11.0, 16.0)
#: arterial blood peaks within this of its arrival, and falls below this share of the peak
_LATEST_PEAK_S = 150.0
_LATE_SHARE = 0.5


class AortaNotFound(InputError):
    """The search ended without a proposal.

    :param verdict: "not possible" (the scan lacks what the search needs) or "not sure".
    """

    def __init__(self, verdict: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.verdict = verdict


@dataclass(frozen=True, eq=False)
class ProposedAorta:
    """The core of the vessel that is taken for the aorta.

    :param mask: bool (slices, rows, columns) of the series.
    :param volume_ml: of it.
    :param confidence: 0-1; below about 0.3 nothing is proposed.
    :param length_mm: of the tube along the body, and *radius_mm* its median radius.
    """

    mask: NDArray[np.bool_]
    volume_ml: float
    confidence: float
    length_mm: float
    radius_mm: float
    curve: TimeActivityCurve

    @property
    def summary(self) -> str:
        """One sentence."""
        return (
            f"The proposed aorta has {self.volume_ml:.1f} mL, in a vessel followed over {self.length_mm / 10:.0f} cm; "
            f"confidence {self.confidence:.2f}."
        )

    def region(self, series: DynamicSeries) -> RegionWeights:
        """The region as whole voxels."""
        return region_of(self.mask, series)


def region_of(mask: NDArray[np.bool_], series: DynamicSeries) -> RegionWeights:
    """A mask of the series' grid as a region of whole voxels.

    :param mask: (slices, rows, columns).
    """
    index = np.flatnonzero(mask)
    return RegionWeights(_NAME, _LABEL, series.geometry, index, np.ones(index.size, dtype=np.float32))


def _no_progress(_fraction: float, _message: str) -> None:
    """Tell nobody."""


def find_aorta(
    series: DynamicSeries, until_min: float | None = None, progress: Callable[[float, str], None] = _no_progress
) -> ProposedAorta:
    """Propose the core of the aorta.

    :param until_min: no frame that ends later is looked at, minutes from injection.
    :param progress: called with the share done and a message; may raise Cancelled.
    :raises AortaNotFound: the scan does not show the bolus ("not possible"), or no vessel or more than
        one looks like the aorta ("not sure"). An InputError: exit status 2, nothing written.
    """
    frames = series.timing.until(until_min).tolist()
    _require_early_frames(series, frames)
    images = early_images(series, frames, lambda done: progress(0.4 * done, "Reading the early frames"))
    guess = first_blood_curve(images)
    _require_first_pass(images, guess)
    best: tuple[float, Track, int] | None = None
    for level, sd_mm in enumerate(SMOOTH_MM):
        progress(0.4 + 0.2 * level, "Following vessels")
        found = _search(images, guess, sd_mm)
        if found is None:
            continue
        track, rival = found
        worth = track.score * (1.0 - rival)
        if best is None or worth > _BETTER * best[0]:
            best = (worth, track, level)
        if track.score >= _ENOUGH_MM and rival < _CLEAR:
            break
    if best is None:
        raise _not_sure("no tube of blood in front of the spine was found in the early frames")
    worth, track, level = best
    if track.score < _LEAST_MM:
        raise _not_sure("the most likely vessel is seen over too short a length, or hardly looks like the aorta")
    if worth < (1.0 - _RIVAL) * track.score:
        raise _not_sure("more than one vessel looks like it")
    mask = lumen_core(track, images.grid, series.geometry.shape, _WANTED_ML[level])
    region = region_of(mask, series)
    mean, sd = region_mean_curve(series, region, frames)
    curve = TimeActivityCurve(series.timing.select(frames), mean, sd, series.frame_decay_per_s, _NAME)
    _require_arterial(curve)
    first, last = track.planes
    return ProposedAorta(
        mask=mask,
        volume_ml=region.volume_ml,
        confidence=round(float(min(1.0, worth / _GOOD_MM)), 2),
        length_mm=(last - first + 1) * images.grid.steps_mm[0],
        radius_mm=float(np.median(track.discs.radius)),
        curve=curve,
    )


def _search(images: EarlyImages, guess: Float64, sd_mm: tuple[float, float]) -> tuple[Track, float] | None:
    """The best tube at one smoothing, and the score of the next best as a share of its own."""
    blood = guess
    for _ in range(2):
        blood = refined_blood_curve(images, blood_fraction(images, blood, sd_mm))
    # The brightest voxels of a noisy image are brighter than blood: the first look takes that into account.
    blood = blood / _NOISE_GAIN[SMOOTH_MM.index(sd_mm)]
    found: tuple[Track, Discs, Float32] | None = None
    for _ in range(3):
        fraction = blood_fraction(images, blood, sd_mm)
        discs = find_discs(fraction, images.axes_mm, images.outline)
        track = best_track(discs, likelihood(discs), images.grid.steps_mm[0])
        if track is None or (found is not None and track.score < 0.7 * found[0].score):
            break
        enough = found is not None and track.score < 1.1 * found[0].score
        found = (track, discs, fraction)
        if enough:
            break
        # The tube's own curve is arterial, where the brightest blood may be the right heart's.
        blood = images.mean_curve(_core(images, track))
    if found is None:
        return None
    track, discs, fraction = found
    others = discs.select(without(discs, track))
    rival = best_track(others, likelihood(others), images.grid.steps_mm[0])
    share = rival.score / track.score if rival is not None else 0.0
    radius = calibre(track, fraction, images.axes_mm, float(np.hypot(sd_mm[0], _RESOLUTION_SD_MM)))
    if radius < _LEAST_RADIUS_MM:
        return None
    return (track if sd_mm == SMOOTH_MM[0] else scaled(track, radius)), share


def _core(images: EarlyImages, track: Track) -> NDArray[np.bool_]:
    """Voxels of the coarse images within six tenths of the tube's radius."""
    _, y, x = images.axes_mm
    out = np.zeros(images.values.shape[1:], dtype=bool)
    d = track.discs
    for plane, cx, cy, radius in zip(d.plane, d.x, d.y, d.radius, strict=True):
        far = np.hypot(y[:, None] - cy, x[None, :] - cx)
        out[plane] |= far <= max(0.6 * float(radius), float(far.min()))
    return out


def _require_early_frames(series: DynamicSeries, frames: Sequence[int]) -> None:
    """Refuse scans whose frames cannot show the first pass."""
    if len(frames) < 5:
        raise _not_possible(f"there are only {len(frames)} frames to look at")
    timing = series.timing.select(list(frames))
    start, length = float(timing.start_s[0]), float(timing.duration_s[0])
    if length > _LONGEST_FIRST_FRAME_S:
        raise _not_possible(f"its first frame lasts {length:.0f} s, so the first pass of the bolus is not resolved")
    if timing.end_s[-1] - start < _LEAST_SCAN_S:
        raise _not_possible(f"the frames last only {timing.end_s[-1] - start:.0f} s")


def _require_first_pass(images: EarlyImages, blood: Float64) -> None:
    """Refuse scans in whose early frames nothing rises and falls as blood does."""
    timing, early = images.timing, images.early
    peak = int(early[np.argmax(blood[early])])
    start = float(timing.start_s[0])
    first, top = float(blood[0]), float(blood[peak])
    after = blood[peak + 1 :]
    falls = after.size > 0 and float(after[-min(3, after.size) :].mean()) < 0.6 * top
    if top > 0 and falls and (first < COVERED_BELOW * top or start <= 5.0):
        return
    if start > 5.0 or first >= COVERED_BELOW * top:
        raise _not_possible(
            f"its first frame begins {start / 60:.1f} min after injection and the bolus does not rise and fall in it"
        )
    raise _not_possible("no blood vessel rises and falls in its early frames")


def _require_arterial(curve: TimeActivityCurve) -> None:
    """Refuse a tube whose curve is not that of arterial blood."""
    mean, timing = curve.mean_kbq_per_ml, curve.timing
    peak = int(np.argmax(mean))
    rising = int(np.argmax(mean >= COVERED_BELOW * mean[peak]))
    wait = float(timing.mid_s[peak] - timing.mid_s[rising])
    late = float(mean[-min(3, mean.size) :].mean())
    if wait > _LATEST_PEAK_S:
        raise _not_sure(f"the most likely vessel peaks {wait:.0f} s after its blood begins to rise")
    if not late < _LATE_SHARE * mean[peak]:
        raise _not_sure("the most likely vessel keeps its activity, which blood does not")


def _not_possible(reason: str) -> AortaNotFound:
    return AortaNotFound(
        "not possible",
        f"Finding the aorta automatically is not possible in this scan: {reason}.",
        "Give a measured or population curve with --input-function, or correct --injection-time.",
    )


def _not_sure(reason: str) -> AortaNotFound:
    return AortaNotFound(
        "not sure",
        f"Not sure where the aorta is: {reason}.",
        "Draw it, for instance in 3D Slicer, and give the label map with --roi.",
    )
