"""How noisy a scan of dose 1 is: calibrated in each body, so that its liver varies by 12 %."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.estimators.gaussian_width import FWHM_PER_SD
from petkinetics.frames import FrameTiming
from petkinetics.kinetics.compartments import two_tissue_frames
from petkinetics.simulate.anatomy import Anatomy, Labels
from petkinetics.simulate.body import FDG, TEXTURE_MM, Body
from petkinetics.simulate.noise_free import reference_frames
from petkinetics.simulate.physiology import TEXTURE, Kinetics
from petkinetics.simulate.scanner import (
    LIVER_COV,
    RESOLUTION_FWHM_MM,
    CountNoise,
    LineMean,
    line_mean,
    liver_calibration,
)

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: lattice of the whole body on which the noise model is made
_COARSE_MM = 11.0


def count_noise(
    body: Body, curve: InputFunction, timing: FrameTiming, dose: float, calibrated: Body | None = None
) -> CountNoise:
    """The noise model of a body's scan, calibrated in its liver (or what takes its place) at dose 1.

    Works on a coarse lattice of the whole body without texture and lesions, so a crop has the noise
    of the full volume.

    :param dose: a factor, 1 is a usual scan; the variance goes with its inverse.
    :param calibrated: another body, such as the same person at the usual weight: the scanner's sensitivity is that
        of its calibration, and the noise differs by what attenuation and length of the lines make of it.
    """
    tissues = _CoarseBody.of(body)
    kappa, attenuated = _calibration(body, tissues, curve)
    if calibrated is not None:
        usual, usual_attenuated = _calibration(calibrated, _CoarseBody.of(calibrated), curve)
        kappa = usual * attenuated / usual_attenuated
    lines = tissues.lines(tissues.activity(curve, timing))
    return CountNoise(lines, kappa, dose / body.anatomy.plan.beds, timing, FDG.decay_per_s, body.seed)


@dataclass(frozen=True, eq=False)
class _CoarseBody:
    """A whole body on a coarse lattice, without texture and lesions."""

    labels: Labels
    anatomy: Anatomy
    axes: tuple[Float32, Float32, Float32]
    constants: dict[str, Float64]

    @classmethod
    def of(cls, body: Body) -> _CoarseBody:
        anatomy = body.anatomy
        x, y, z = (
            np.arange(low, high, _COARSE_MM, dtype=np.float32)
            for low, high in zip(anatomy.low_mm, anatomy.high_mm, strict=True)
        )
        tissues = [body.kinetics[label] for label in sorted(anatomy.names)]
        constants = {name: np.array([getattr(t, name) for t in tissues]) for name in ("k1", "k2", "k3", "k4", "fv")}
        return cls(anatomy.paint(x, y, z), anatomy, (x, y, z), constants)

    def activity(self, curve: InputFunction, timing: FrameTiming) -> Float64:
        """kBq/mL of every tissue, (labels, frames)."""
        return two_tissue_frames(curve, timing, **self.constants, decay_per_s=FDG.decay_per_s)

    def lines(self, activity: Float64) -> LineMean:
        return line_mean(self.labels, self.anatomy.names, activity, self.axes)


def _calibration(body: Body, tissues: _CoarseBody, curve: InputFunction) -> tuple[float, float]:
    """kappa^2 of the calibration in the frame from 60 to 65 min, and how attenuated that frame is."""
    anatomy, last = body.anatomy, reference_frames()
    frame = last.select([len(last) - 1])
    activity = tissues.activity(curve, frame)
    label = label_of(anatomy, anatomy.plan.calibration)
    low, high = anatomy.plan.extent_mm
    z = tissues.axes[2]
    inside = (tissues.labels == label) & ((z >= low) & (z <= high))[:, None, None]
    lines = tissues.lines(activity)
    tissue = float(activity[label, 0])
    texture = _texture_cov(body.kinetics[label], tissue, curve, frame)
    kappa = liver_calibration(tissue, float(lines.values[0][inside].mean()), texture, frame, 0, FDG.decay_per_s)
    return kappa, float(lines.attenuated[0])


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
