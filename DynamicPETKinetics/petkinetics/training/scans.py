"""A scan of a slab drawn at random: blood curve, framing, dose, noise; what the network sees and what is true.

Everything a scan may differ in is drawn anew each time a slab is used: the input function (the patient's
own or another's, measured in a noisy aorta), the frames, T, the dose, the noise's correlation, flips.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction, TimeActivityCurve
from petkinetics.frames import FrameTiming
from petkinetics.input_function.from_frames import continuous_curve
from petkinetics.networks.features import (
    FEATURES,
    KI_UNIT,
    LINEAR,
    FeatureDesign,
    condition,
    feature_design,
    late_frames,
    log_sd,
)
from petkinetics.networks.model_rows import model_rows
from petkinetics.simulate.blood import BloodParameters, input_function, random_blood
from petkinetics.simulate.patient import FDG
from petkinetics.simulate.scanner import variance_per_activity
from petkinetics.training.impulse_maps import LINE_STEP, ImpulseMaps, impulse_rows, reference_patlak, responses
from petkinetics.training.noise_bank import SHARES, WIDTHS_MM, NoiseBank
from petkinetics.training.scan_settings import ScanRanges, draw_frames

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_CALIBRATION = FrameTiming([3600.0], [300.0])


@dataclass(frozen=True, eq=False)
class Scan:
    """What a network learns from: a crop of a scan, all its slices.

    :param features: float32 (slices, FEATURES, rows, columns).
    :param condition: (CONDITIONS,).
    :param truth: (slices, LINEAR + 2, rows, columns): the noise-free linear features, then Ki (0.01 mL/min/mL) and V0
        of 9-65 min.
    :param table: (nodes, LINEAR + 2) and *blood* (LINEAR + 2,): the same numbers of the two-tissue model.
    :param impulse: (slices, IMPULSE, rows, columns), see :mod:`petkinetics.training.impulse_loss`.
    :param labels: uint8 (slices, rows, columns).
    """

    features: Float32
    condition: Float32
    truth: Float32
    table: Float32
    blood: Float32
    impulse: Float32
    labels: NDArray[np.uint8]


def draw_scan(slab: ImpulseMaps, ranges: ScanRanges, rng: np.random.Generator, banks: Path) -> Scan:
    """Scan a crop of a slab.

    :param banks: folder of the noise banks.
    """
    true_blood = slab.info.blood_parameters if ranges.own_blood else draw_blood(slab, rng)
    timing = draw_frames(ranges, rng)
    curve = input_function(true_blood, 66.0 * 60.0)
    dose = float(np.exp(rng.uniform(*np.log(ranges.dose))))
    box = _draw_box(slab, ranges.crop, rng)
    maps = np.asarray(slab.maps[:, box[0], box[1], box[2]], dtype=np.float32)
    lines = np.asarray(slab.lines[:, box[0], coarse_part(box[1]), coarse_part(box[2])], dtype=np.float32)
    labels = np.asarray(slab.labels[box])
    inside = labels > 0
    response = responses(curve, timing)
    variance = variance_scale(slab, curve, timing, dose)
    # what an observer has: the blood of a noisy aorta, and a plasma ratio
    measured = measured_blood(curve, true_blood, timing, variance, lines, response, rng)
    late = late_frames(timing)
    activity = np.maximum(response[late] @ _body_mean(maps, inside), 1e-9)
    decayed = timing.duration_s * np.exp(-FDG.decay_per_s * timing.mid_s)
    design = feature_design(measured, timing, decayed[late] / activity, FDG.decay_per_s)
    rows = _merged(design, timing)
    noise_free = np.tensordot((design.rows @ response).astype(np.float32), maps, 1)
    width = ranges.noise_mm or float(rng.choice(WIDTHS_MM, p=SHARES))
    bank = NoiseBank.open(banks, width, slab.info.spacing_mm, len(slab.labels))
    noisy = noise_free.copy()
    ki_variance = np.zeros(labels.shape, np.float32)
    for group, out_rows in rows:
        # the noise of some frames together: of the windows, that is all that counts
        shares = timing.duration_s[group] / timing.duration_s[group].sum()
        size = shares**2 * variance[group]
        of_maps = (size @ response[group]).astype(np.float32)
        spread = np.tensordot(of_maps, maps, 1)
        spread += enlarged(np.tensordot(of_maps, lines, 1), labels.shape)
        np.maximum(spread, 0.0, out=spread)
        field = bank.draw(rng, labels.shape) * np.sqrt(spread)
        for n, weight in out_rows:
            noisy[n] += np.float32(weight) * field
            if n == LINEAR - 2:
                ki_variance += np.float32((weight * KI_UNIT) ** 2) * spread
    # the estimator's noise model knows the local SD to some ten per cent
    ki_sd = np.sqrt(ki_variance + 1e-12) * np.float32(np.exp(rng.normal(0.0, 0.08)))
    features = np.concatenate([noisy, log_sd(ki_sd)[None]]).swapaxes(0, 1)
    truth_rows = reference_patlak(curve)
    truth_rows[0] /= KI_UNIT
    scale = _scale_of(measured, curve)
    truth = np.tensordot((truth_rows / scale).astype(np.float32), maps, 1)
    truth = np.concatenate([noise_free, truth]).swapaxes(0, 1)
    of_impulse = impulse_rows()
    of_impulse[1:] /= scale
    impulse = np.tensordot(of_impulse.astype(np.float32), maps, 1).swapaxes(0, 1)
    sd = tuple(s * float(np.exp(rng.normal(0.0, 0.05))) for s in bank.sd_mm)
    model = model_rows(measured, timing, design.rows, FDG.decay_per_s, FDG.decay_per_s)
    scan = Scan(
        features=features,
        condition=condition(design, slab.info.spacing_mm, (sd[0], sd[1], sd[2])),
        truth=truth,
        table=model.table,
        blood=model.blood,
        impulse=impulse,
        labels=labels,
    )
    return _flipped(scan, rng) if ranges.flips else scan


def draw_blood(slab: ImpulseMaps, rng: np.random.Generator) -> BloodParameters:
    """The patient's own blood parameters in 35 % of the draws, else another's with its clearance varied."""
    own = slab.info.blood_parameters
    if rng.random() < 0.35:
        return own
    other = random_blood(rng, slab.info.injected_activity_mbq, slab.info.weight_kg)
    feng = list(other.feng)
    # slower and faster clearance than the measured curves have
    feng[5] *= float(np.exp(rng.normal(0.0, 0.25)))
    injection = float(np.exp(rng.uniform(np.log(5.0), np.log(60.0))))
    return BloodParameters(tuple(feng), float(rng.uniform(6.0, 40.0)), injection, other.plasma_ratio)  # type: ignore[arg-type]


def _draw_box(slab: ImpulseMaps, crop: int, rng: np.random.Generator) -> tuple[slice, slice, slice]:
    """Rows and columns of a crop; with a lesion in it two times of three when there is one."""
    shape = slab.labels.shape
    sizes = [min(crop, n) // LINE_STEP * LINE_STEP for n in shape[1:]]
    low = [int(rng.integers(0, n - size + 1)) for n, size in zip(shape[1:], sizes, strict=True)]
    if slab.lesions.any() and rng.random() < 0.67:
        places = np.argwhere(slab.lesions)
        at = places[rng.integers(len(places))][1:]
        low = [
            int(np.clip(place - rng.integers(size // 5, size - size // 5), 0, n - size))
            for place, size, n in zip(at, sizes, shape[1:], strict=True)
        ]
    rows, columns = (
        slice(n // LINE_STEP * LINE_STEP, n // LINE_STEP * LINE_STEP + s) for n, s in zip(low, sizes, strict=True)
    )
    return slice(0, shape[0]), rows, columns


def coarse_part(part: slice) -> slice:
    """The part of a slab's lines of response that covers these rows or columns of voxels."""
    return slice(part.start // LINE_STEP, -(-part.stop // LINE_STEP))


def enlarged(coarse: Float32, shape: tuple[int, ...]) -> Float32:
    """Lines of response, *coarse* (any unit), on every voxel, nearest: they are smooth."""
    return np.repeat(np.repeat(coarse, LINE_STEP, axis=1), LINE_STEP, axis=2)[:, : shape[1], : shape[2]]


def _body_mean(maps: Float32, inside: NDArray[np.bool_]) -> Float64:
    some = (slice(None), slice(None, None, 2), slice(None, None, 3), slice(None, None, 3))
    return (maps[some] * inside[some[1:]]).mean(axis=(1, 2, 3), dtype=np.float64) / max(inside[some[1:]].mean(), 1e-6)


def variance_scale(slab: ImpulseMaps, curve: InputFunction, timing: FrameTiming, dose: float) -> Float64:
    """Variance of a frame = this * (local activity + activity on the lines), kBq/mL, (frames,).

    :param dose: a factor, 1 is a usual scan.
    """
    info = slab.info
    at_end = responses(curve, _CALIBRATION)[0]
    liver, lines = float(at_end @ info.calibration), float(at_end @ info.calibration_lines)
    size = variance_per_activity(_CALIBRATION, FDG.decay_per_s)[0]
    kappa = info.noise_cov**2 * liver**2 / (size * 0.5 * (liver + lines))
    return np.asarray(0.5 * kappa * info.beds / dose * variance_per_activity(timing, FDG.decay_per_s))


def measured_blood(
    curve: InputFunction,
    true: BloodParameters,
    timing: FrameTiming,
    variance: Float64,
    lines: Float32,
    response: Float64,
    rng: np.random.Generator,
) -> InputFunction:
    """What the aorta region of the noisy images gives, times a plasma ratio; reaching 65 min.

    :param variance: of :func:`variance_scale`, (frames,).
    :param lines: of the slab, (MAPS, slices, rows / LINE_STEP, columns / LINE_STEP).
    :param response: of the maps, (frames, MAPS).
    """
    from petkinetics.input_function.tail import extrapolated

    decay = FDG.decay_per_s
    blood = curve.whole_blood_frame_mean(timing, decay)
    on_lines = response @ lines.mean(axis=(1, 2, 3), dtype=np.float64)
    effective = float(np.exp(rng.uniform(np.log(12.0), np.log(70.0))))
    noise = np.sqrt(np.maximum(variance * (blood + on_lines), 0.0) / effective)
    spill = float(rng.uniform(0.0, 0.008))
    means = (1.0 - spill) * blood + spill * on_lines + noise * rng.standard_normal(len(timing))
    time, value, _ = continuous_curve(TimeActivityCurve(timing, means, decay_per_s=decay))
    ratio = true.plasma_ratio * float(np.exp(rng.normal(0.0, 0.04)) if rng.random() < 0.3 else 1.0)
    found = InputFunction(time, ratio * value, value, kind="plasma")
    return extrapolated(found, 65.0 * 60.0)


def _scale_of(measured: InputFunction, curve: InputFunction) -> float:
    """How much too high the measured plasma is: with it Ki and V0 are too low, which is not the network's to mend.

    Only a wrong plasma ratio is meant; noise is the network's to live with.
    """
    mine = measured.plasma_kbq_per_ml.max() / measured.whole_blood_kbq_per_ml.max()
    return float(mine / (curve.plasma_kbq_per_ml.max() / curve.whole_blood_kbq_per_ml.max()))


def _merged(design: FeatureDesign, timing: FrameTiming) -> list[tuple[NDArray[np.intp], list[tuple[int, float]]]]:
    """Groups of frames that no row tells apart, and the rows' weights on the mean of each group.

    Early frames of one window count only together; a mean over a group has weights of its durations.
    """
    keys: dict[tuple[float, ...], list[int]] = {}
    for m in range(len(timing)):
        per_second = design.rows[:, m] / timing.duration_s[m]
        keys.setdefault(tuple(np.round(per_second, 12)), []).append(m)
    merged = []
    for per_second, frames in keys.items():
        total = float(timing.duration_s[frames].sum())
        weights = [(n, rate * total) for n, rate in enumerate(per_second) if rate != 0.0]
        if weights:
            merged.append((np.array(frames), weights))
    return merged


def _flipped(scan: Scan, rng: np.random.Generator) -> Scan:
    """Left and right, front and back, head and feet exchanged at random."""
    steps = tuple(slice(None, None, int(s)) for s in rng.choice((1, -1), size=3))
    over = (steps[0], slice(None), steps[1], steps[2])
    return Scan(
        features=np.ascontiguousarray(scan.features[over]),
        condition=scan.condition,
        truth=np.ascontiguousarray(scan.truth[over]),
        table=scan.table,
        blood=scan.blood,
        impulse=np.ascontiguousarray(scan.impulse[over]),
        labels=np.ascontiguousarray(scan.labels[steps]),
    )


assert FEATURES == LINEAR + 1
