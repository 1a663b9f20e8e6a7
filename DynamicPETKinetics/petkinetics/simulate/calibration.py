"""How noisy a scan of dose 1 is: calibrated in each body, so that its liver varies by 12 %."""

from __future__ import annotations

import numpy as np

from petkinetics.curves import InputFunction
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import two_tissue_frames
from petkinetics.simulate.anatomy import Anatomy
from petkinetics.simulate.body import FDG, TEXTURE_MM, Body
from petkinetics.simulate.kernels import FWHM_PER_SD
from petkinetics.simulate.noise_free import reference_frames
from petkinetics.simulate.physiology import TEXTURE, Kinetics
from petkinetics.simulate.scanner import LIVER_COV, RESOLUTION_FWHM_MM, CountNoise, line_mean, liver_calibration

#: lattice of the whole body on which the noise model is made
_COARSE_MM = 11.0


def count_noise(body: Body, curve: InputFunction, timing: FrameTiming, dose: float) -> CountNoise:
    """The noise model of a body's scan, calibrated in its liver (or what takes its place) at dose 1.

    Works on a coarse lattice of the whole body without texture and lesions, so a crop has the noise
    of the full volume.
    """
    anatomy, decay = body.anatomy, FDG.decay_per_s
    axes = [
        np.arange(lo, hi, _COARSE_MM, dtype=np.float32) for lo, hi in zip(anatomy.low_mm, anatomy.high_mm, strict=True)
    ]
    coarse = anatomy.paint(axes[0], axes[1], axes[2])
    tissues = [body.kinetics[label] for label in sorted(anatomy.names)]
    constants = {name: np.array([getattr(t, name) for t in tissues]) for name in ("k1", "k2", "k3", "k4", "fv")}
    lattice = (axes[0], axes[1], axes[2])
    last = reference_frames()
    calibration = last.select([len(last) - 1])
    activity = two_tissue_frames(curve, calibration, **constants, decay_per_s=decay)
    liver_label = label_of(anatomy, anatomy.plan.calibration)
    low, high = anatomy.plan.extent_mm
    in_liver = coarse == liver_label
    in_liver &= ((axes[2] >= low) & (axes[2] <= high))[:, None, None]
    lines = line_mean(coarse, anatomy.names, activity, lattice).values[0][in_liver].mean()
    liver = float(activity[liver_label, 0])
    texture = _texture_cov(body.kinetics[liver_label], liver, curve, calibration)
    kappa = liver_calibration(liver, float(lines), texture, calibration, 0, decay)
    frames = two_tissue_frames(curve, timing, **constants, decay_per_s=decay)
    lines_of_frames = line_mean(coarse, anatomy.names, frames, lattice)
    return CountNoise(lines_of_frames, kappa, dose / anatomy.plan.beds, timing, decay, body.seed)


def noise_cov(body: Body) -> float:
    """What noise alone leaves of the calibration tissue's 12 % (CoV): its own texture is taken off."""
    last = reference_frames()
    calibration = last.select([len(last) - 1])
    tissue = body.kinetics[label_of(body.anatomy, body.anatomy.plan.calibration)]
    curve = body.input_until(float(calibration.end_s[-1]))
    constants = {name: np.array([getattr(tissue, name)]) for name in ("k1", "k2", "k3", "k4", "fv")}
    activity = float(two_tissue_frames(curve, calibration, **constants, decay_per_s=FDG.decay_per_s)[0, 0])
    texture = _texture_cov(tissue, activity, curve, calibration)
    return float(np.sqrt(LIVER_COV**2 - texture**2))


def _texture_cov(tissue: Kinetics, activity: float, curve: InputFunction, frame: FrameTiming) -> float:
    """Coefficient of variation that texture leaves in a tissue's blurred activity, to first order."""
    sd = RESOLUTION_FWHM_MM / FWHM_PER_SD
    # A field of B-splines over white nodes is white noise under a kernel of variance 1/3 node^2.
    kept = (TEXTURE_MM**2 / 3.0 / (TEXTURE_MM**2 / 3.0 + sd**2)) ** 1.5
    flow, fv, trapping = 1.0 + TEXTURE["k1"], 1.0 + TEXTURE["fv"], 1.0 + TEXTURE["k3"]
    changed = two_tissue_frames(
        curve,
        frame,
        np.array([tissue.k1 * flow, tissue.k1]),
        np.array([tissue.k2 * flow, tissue.k2]),
        np.array([tissue.k3, tissue.k3 * trapping]),
        tissue.k4,
        np.array([tissue.fv * fv, tissue.fv]),
        FDG.decay_per_s,
    )[:, 0]
    return float(np.sqrt(kept * np.sum((changed / activity - 1.0) ** 2)))


def label_of(anatomy: Anatomy, tissue: str) -> int:
    """The label of a tissue by its name."""
    return next(label for label, name in anatomy.names.items() if name == tissue)
