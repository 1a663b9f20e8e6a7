"""Noise-free images of one simulated patient, as the diffusion prior and the learned start learn from.

A patient is painted on some slices only and blurred as the scanner does; kept are

* slope and intercept of Patlak for several starts t* (until 65 min), made from the same noise-free frames,
* static late images (single frames divided by the plasma curve),
* the image of counting noise: half the local activity, half what the lines of response share,

each cut to the box of the body and divided by its own contrast, the 99th percentile in the body after
smoothing by 8 mm (see :func:`petkinetics.estimators.regularised.contrast_of`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from petkinetics.errors import InputError
from petkinetics.estimators.boxes import box_in_slices
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.estimators.noise import frame_variances
from petkinetics.estimators.regularised import contrast_of
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.patlak import patlak_design, weighted_fit
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.patient import FDG, PATLAK_WINDOW_MIN, Body, grid, noise_free_frames
from petkinetics.simulate.scanner import Blur
from petkinetics.simulate.seeds import TRAINING_SEEDS, VALIDATION_SEEDS, stream

Float32 = NDArray[np.float32]

#: starts of the Patlak windows, minutes; the first is that of the reference
T_STARS_MIN = (9.0, 20.0, 30.0)
#: single frames that serve as static images: index from the end of liang2023
STATIC_FRAMES = (-3, -1)
#: share of each anatomy among the patients
ANATOMY_SHARES = {"thorax": 0.55, "torso-ct": 0.17, "total-body": 0.22, "brain": 0.06}
SLICES = 11
_MARGIN = 6
_LINES_MM = 90.0
#: images in the order of :attr:`StaticPatient.images`
IMAGE_NAMES = (*(f"{name}_{t:g}" for t in T_STARS_MIN for name in ("ki", "v0")), "early_late", "late", "noise")


@dataclass(frozen=True, eq=False)
class StaticPatient:
    """What is kept of a patient.

    :param images: noise-free, (images, slices, rows, columns) in the order of :data:`IMAGE_NAMES`,
        slopes and intercepts each divided by the contrast of the first window.
    :param inside: 1 in the body, 2 in lesions, uint8.
    :param spacing_mm: (slices, rows, columns).
    :param contrast: of Ki (mL/min/mL) and V0 (mL/mL).
    :param theta_min: of each window, the Patlak time at which slope and activity have independent noise.
    :param sd_ratio: of each window, SD of that activity (mL/mL) over the SD of Ki (1/min), in minutes.
    :param static: the patient has static images only, which stand in the place of all others.
    """

    images: NDArray[np.float16]
    inside: NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    contrast: tuple[float, float]
    theta_min: tuple[float, ...]
    sd_ratio: tuple[float, ...]
    static: bool = False

    def save(self, file: Path) -> None:
        """Write it as ``.npz``, complete or not at all."""
        part = file.with_suffix(".part.npz")
        np.savez(part, **self.__dict__)
        part.rename(file)

    @classmethod
    def load(cls, file: Path) -> StaticPatient:
        """Read it."""
        with np.load(file) as held:
            spacing, contrast, theta, ratio = (
                tuple(held[name].tolist()) for name in ("spacing_mm", "contrast", "theta_min", "sd_ratio")
            )
            static = bool(held["static"]) if "static" in held else False
            return cls(held["images"], held["inside"], spacing, contrast, theta, ratio, static)


def static_patient(seed: int, slices: int = SLICES) -> StaticPatient:
    """Paint a patient of a training seed; the seed also chooses the anatomy and the slices.

    :raises InputError: the seed is one of test patients.
    """
    if seed not in TRAINING_SEEDS and seed not in VALIDATION_SEEDS:
        raise InputError(f"{seed} is not a seed to train with; those are {TRAINING_SEEDS[0]} to {TRAINING_SEEDS[-1]}.")
    rng = stream(seed, "static patient")
    anatomy = str(rng.choice(list(ANATOMY_SHARES), p=list(ANATOMY_SHARES.values())))
    body = Body.random(anatomy, seed)
    geometry = _some_slices(grid("full", anatomy), slices, rng)
    painted = body.paint(geometry)
    for _ in range(8):
        if (painted.labels > 0).any():
            break
        geometry = _some_slices(grid("full", anatomy), slices, rng)
        painted = body.paint(geometry)
    whole = FrameTiming.parse("liang2023")
    timing = whole.select(whole.window(*PATLAK_WINDOW_MIN))
    blur = Blur(geometry.spacing_mm, body.anatomy.motion(*grid_axes(geometry)))
    frames, _, _ = noise_free_frames(painted, body.input_function, timing, blur)
    inside = (painted.labels > 0).astype(np.uint8) + (painted.lesions > 0)
    activity = frames[:, inside > 0].mean(axis=1, dtype=np.float64)
    design = patlak_design(body.input_function, timing, FDG.decay_per_s)
    variances = frame_variances(timing, activity, FDG.decay_per_s)
    images, theta, ratio = [], [], []
    for t_star in T_STARS_MIN:
        used = timing.window(t_star, PATLAK_WINDOW_MIN[1])
        fit = weighted_fit(design[used], 1.0 / variances[used])
        images += list(np.tensordot(fit.solution.astype(np.float32), frames[used], axes=1))
        # V0 + theta Ki is independent of Ki: theta = -cov(Ki, V0) / var(Ki).
        c = fit.covariance
        theta.append(float(-c[0, 1] / c[0, 0]))
        ratio.append(float(np.sqrt(c[1, 1] - c[0, 1] ** 2 / c[0, 0]) / np.sqrt(c[0, 0])))
    images += [frames[i] / np.float32(design[i, 1]) for i in STATIC_FRAMES]
    x, y, z = geometry.spacing_mm
    spacing = (z, y, x)
    images.append(_count_noise_variance(frames.mean(axis=0), inside > 0, spacing))
    contrast = [contrast_of(image, inside > 0, spacing) for image in images[:2]]
    scale = contrast * len(T_STARS_MIN) + [contrast_of(i, inside > 0, spacing) for i in images[-3:-1]] + [1.0]
    box = box_in_slices(inside > 0, _MARGIN)
    kept = np.stack([image[box] / np.float32(max(s, 1e-6)) for image, s in zip(images, scale, strict=True)])
    return StaticPatient(
        kept.astype(np.float16),
        np.ascontiguousarray(inside[box]),
        spacing,
        (contrast[0], contrast[1]),
        tuple(theta),
        tuple(ratio),
    )


def static_only(image: Float32, inside: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> StaticPatient:
    """A patient of whom there is one static image.

    :param image: in any unit, (slices, rows, columns); *inside*: the body.
    :param spacing_mm: (slices, rows, columns).
    """
    box = box_in_slices(inside, _MARGIN)
    scaled = image / np.float32(max(contrast_of(image, inside, spacing_mm), 1e-6))
    images = [scaled] * (len(IMAGE_NAMES) - 1) + [_count_noise_variance(scaled, inside, spacing_mm)]
    windows = len(T_STARS_MIN)
    return StaticPatient(
        np.stack([i[box] for i in images]).astype(np.float16),
        inside[box].astype(np.uint8),
        spacing_mm,
        (1.0, 1.0),
        (1.0,) * windows,
        (1.0,) * windows,
        static=True,
    )


def _count_noise_variance(activity: Float32, inside: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> Float32:
    """Half local, half shared along the lines of response (here: by a wide Gaussian); 1 on average in the body."""
    local = np.maximum(activity, 0.0) / activity[inside].mean()
    sd = sd_in_voxels(_LINES_MM, spacing_mm)
    shared = np.stack([ndimage.gaussian_filter(plane, sd[1:], truncate=2.0) for plane in local])
    shared /= max(float(shared[inside].mean()), 1e-6)
    return np.asarray(0.5 * (local + shared), np.float32)


def _some_slices(whole: VolumeGeometry, slices: int, rng: np.random.Generator) -> VolumeGeometry:
    first = int(rng.integers(0, whole.shape[0] - slices + 1))
    x, y, z = whole.origin_mm
    origin = (x, y, z + first * whole.spacing_mm[2])
    return VolumeGeometry((slices, *whole.shape[1:]), whole.spacing_mm, origin, whole.direction)
