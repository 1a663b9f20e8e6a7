"""The scanner: motion and resolution blur the activity, counting makes it noisy.

Variance of a reconstructed, decay-corrected frame:

    var(x) = kappa^2 * D / (T * dose) * (A_local(x) + A_lines(x)) / 2

T is the frame's duration, D the factor that undoes its decay (activity was lower by D when it was
counted, and the counts are multiplied by D), dose the fraction of counts. A_local is the activity
at x: iterative reconstruction makes the noise follow the local mean (Barrett, Wilson & Tsui 1994).
A_lines is the mean over all lines of response through x of (activity on the line x attenuation
correction): what filtered back-projection propagates to x (Huesman 1984), smooth over the body and
highest in its middle. Clinical reconstructions lie between the two, so hot regions are noisier than
cold ones, and cold ones are not free of noise. A_lines is scaled to the mean activity of the body.

The noise is a Gaussian random field whose autocorrelation is that of white noise under a Gaussian
kernel of 5.5 mm FWHM. It is a property of the image in millimetres: a coarser grid samples the same
field. Values below zero are left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.gaussian_width import FWHM_PER_SD
from petkinetics.frames import FrameTiming
from petkinetics.read.region_map import bounding_box
from petkinetics.simulate.anatomy import Labels, Motion
from petkinetics.simulate.kernels import blur_taps, convolve_axes, noise_taps
from petkinetics.simulate.seeds import stream

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Box = tuple[slice, slice, slice]

RESOLUTION_FWHM_MM = 5.5
NOISE_FWHM_MM = 5.5
#: SD / mean of liver voxels in the 300-s frame from 60 to 65 min: what dose 1 means
LIVER_COV = 0.12
#: linear attenuation at 511 keV, 1/mm
_ATTENUATION = {"air": 0.0, "airways": 0.0, "bowel gas": 0.0, "lung": 0.0029}
_ATTENUATION_TISSUE = 0.0096
_ANGLES = 24


class Blur:
    """What a motionless, sharp activity looks like in the image: cardiac and respiratory motion, then resolution.

    Linear, so frames, masks and Patlak maps may be blurred alike.

    :param spacing_mm: voxel size (x, y, z).
    :param fwhm_mm: resolution; by default that of the image.
    """

    def __init__(
        self, spacing_mm: tuple[float, float, float], motion: Motion | None, fwhm_mm: float = RESOLUTION_FWHM_MM
    ) -> None:
        zyx = spacing_mm[::-1]
        self._resolution = [blur_taps(fwhm_mm / FWHM_PER_SD / step) for step in zyx]
        self._motion = motion
        if motion is not None:
            self._breath = blur_taps(motion.respiratory_sd_mm / zyx[0])
            self._beat = [blur_taps(motion.cardiac_sd_mm / step) for step in zyx]
            self._breath_box = _support(motion.respiratory_weight)
            self._beat_box = _support(motion.cardiac_weight)

    def __call__(self, volume: Float32) -> Float32:
        """The blurred *volume*, any unit, float32 (slices, rows, columns)."""
        moved = volume
        if self._motion is not None:
            moved = _mix(moved, [self._breath, None, None], self._motion.respiratory_weight, self._breath_box)
            moved = _mix(moved, list(self._beat), self._motion.cardiac_weight, self._beat_box)
        return convolve_axes(moved, self._resolution)


def _support(weight: Float32) -> Box | None:
    """The box of the voxels whose weight matters; None where there is none."""
    return bounding_box(weight > 1e-3)


def _mix(volume: Float32, taps: list[NDArray[np.float64] | None], weight: Float32, box: Box | None) -> Float32:
    """volume + weight * (blurred - volume) within the box, where the blur reaches beyond the box."""
    if box is None:
        return volume
    wide, inner = [], []
    for part, kernel, size in zip(box, taps, volume.shape, strict=True):
        reach = 0 if kernel is None else len(kernel) // 2
        start, stop = max(part.start - reach, 0), min(part.stop + reach, size)
        wide.append(slice(start, stop))
        inner.append(slice(part.start - start, part.stop - start))
    blurred = convolve_axes(volume[tuple(wide)], taps)[tuple(inner)]
    out = volume.copy()
    out[box] += weight[box] * (blurred - volume[box])
    return out


@dataclass(frozen=True)
class LineMean:
    """A_lines on a coarse lattice, for every frame.

    :param values: kBq/mL, (frames, z, y, x).
    :param axes: lattice positions (x, y, z), mm, uniform.
    :param attenuated: what the scaling of :func:`line_mean` took away of every frame, mm: the larger the body, the
        more counts its lines gather and the fewer of them survive, which noise grows with. (frames,)
    """

    values: Float32
    axes: tuple[Float32, Float32, Float32]
    attenuated: Float64

    def on_grid(self, frame: int, x: Float32, y: Float32, z: Float32) -> Float32:
        """One frame interpolated (linearly) to a grid of three axes."""
        wx, wy, wz = (_linear_matrix(axis, nodes) for axis, nodes in zip((x, y, z), self.axes, strict=True))
        plane = wy @ (self.values[frame] @ wx.T)
        return (wz @ plane.reshape(plane.shape[0], -1)).reshape(len(wz), *plane.shape[1:])


def line_mean(
    labels: Labels, names: dict[int, str], activity: Float64, axes: tuple[Float32, Float32, Float32]
) -> LineMean:
    """The mean over lines through every lattice position of activity times attenuation correction.

    Parallel lines in each slice, 24 directions. Per frame the result is scaled so that its mean over
    the body is the body's mean activity.

    :param labels: tissues on the lattice, (z, y, x).
    :param activity: kBq/mL of every label, (labels, frames).
    :param axes: of the lattice: x, y, z, mm.
    """
    x, y, _ = axes
    projector = _projector(x, y)
    depth = np.array([_ATTENUATION.get(names.get(i, ""), _ATTENUATION_TISSUE) for i in range(len(activity))])
    flat = labels.reshape(len(labels), -1)
    survival = np.exp(projector @ depth[flat].T.astype(np.float64))
    body = flat > 0
    frames, attenuated = [], []
    for values in activity.T:
        image = values[flat]
        lines = projector.T @ ((projector @ image.T) * survival)
        lines = lines.T
        in_image, on_lines = image[body].mean(), lines[body].mean()
        frames.append((lines * (in_image / max(on_lines, 1e-30))).reshape(labels.shape))
        attenuated.append(on_lines / max(in_image, 1e-30))
    return LineMean(np.asarray(frames, dtype=np.float32), axes, np.asarray(attenuated))


def _projector(x: Float32, y: Float32):  # type: ignore[no-untyped-def]
    """Sparse matrix from the pixels of a slice to their line integrals (mm), linear interpolation between bins."""
    from scipy import sparse

    step = float(x[1] - x[0])
    px, py = (a.ravel().astype(np.float64) for a in np.meshgrid(x, y))
    half = float(np.hypot(np.abs(x).max(), np.abs(y).max())) + 2 * step
    bins = int(np.ceil(2 * half / step)) + 2
    rows, columns, weights = [], [], []
    pixel = np.arange(px.size)
    for n in range(_ANGLES):
        angle = np.pi * n / _ANGLES
        position = (px * np.cos(angle) + py * np.sin(angle) + half) / step
        lower = np.floor(position).astype(np.int64)
        share = position - lower
        rows += [n * bins + lower, n * bins + lower + 1]
        columns += [pixel, pixel]
        weights += [(1.0 - share) * step, share * step]
    return sparse.csr_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(_ANGLES * bins, px.size)
    )


def _linear_matrix(position: Float32, nodes: Float32) -> Float32:
    """Weights of linear interpolation from uniform nodes (columns) to positions (rows)."""
    at = np.clip((position - nodes[0]) / (nodes[1] - nodes[0]), 0.0, len(nodes) - 1.0)
    return np.maximum(1.0 - np.abs(at[:, None] - np.arange(len(nodes))[None, :]), 0.0).astype(np.float32)


@dataclass(frozen=True)
class CountNoise:
    """The noise of one patient's scan.

    :param lines: A_lines of the frames.
    :param kappa_squared: kBq/mL*s, from :func:`liver_calibration`.
    :param dose: fraction of the counts of dose 1.
    :param decay_per_s: of the tracer.
    :param fwhm_mm: of the kernel whose autocorrelation the noise has.
    """

    lines: LineMean
    kappa_squared: float
    dose: float
    timing: FrameTiming
    decay_per_s: float
    seed: int
    fwhm_mm: float = NOISE_FWHM_MM

    def variance(self, frame: int, noise_free: Float32, x: Float32, y: Float32, z: Float32) -> Float32:
        """Variance (kBq/mL)^2 of every voxel of a frame.

        :param noise_free: of the frame, kBq/mL, (slices, rows, columns).
        :param x: patient axes, mm; *y*, *z*: likewise.
        """
        size = variance_per_activity(self.timing, self.decay_per_s)[frame] * self.kappa_squared / self.dose
        activity = np.maximum(noise_free, 0.0) + self.lines.on_grid(frame, x, y, z)
        return np.asarray(activity * np.float32(0.5 * size), dtype=np.float32)

    def sample(self, frame: int, noise_free: Float32, x: Float32, y: Float32, z: Float32) -> Float32:
        """A noisy frame: the noise-free one plus correlated noise of that variance.

        :param noise_free: kBq/mL, (slices, rows, columns), as the answer.
        :param x: positions of the columns, mm; *y* of the rows, *z* of the slices.
        """
        spacing = (float(z[1] - z[0]) if len(z) > 1 else None, float(y[1] - y[0]), float(x[1] - x[0]))
        field = unit_noise(stream(self.seed, "noise", frame), noise_free.shape, spacing, self.fwhm_mm)
        field *= np.sqrt(self.variance(frame, noise_free, x, y, z))
        field += noise_free
        return field


def variance_per_activity(timing: FrameTiming, decay_per_s: float) -> Float64:
    """D / T of every frame, 1/s: how the variance of decay-corrected activity scales with the frame.

    :param decay_per_s: lambda, 1/s.
    """
    return timing.decay_factors(decay_per_s) / timing.duration_s


def liver_calibration(
    liver: float, lines_in_liver: float, texture_cov: float, timing: FrameTiming, frame: int, decay_per_s: float
) -> float:
    """kappa^2 such that liver voxels vary by :data:`LIVER_COV` in a frame at dose 1.

    That is what an observer measures in the image; the little that the liver's own texture brings is
    taken off, the rest is noise.

    :param liver: activity of the liver in that frame; *lines_in_liver*: A_lines there, kBq/mL.
    :param texture_cov: coefficient of variation of the noise-free, blurred liver.
    :param decay_per_s: lambda, 1/s.
    """
    size = variance_per_activity(timing, decay_per_s)[frame]
    return float((LIVER_COV**2 - texture_cov**2) * liver**2 / (size * 0.5 * (liver + lines_in_liver)))


def unit_noise(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    spacing_mm: tuple[float | None, float, float],
    fwhm_mm: float = NOISE_FWHM_MM,
) -> Float32:
    """Noise of unit variance with the autocorrelation of a Gaussian kernel.

    White noise is drawn wider than the volume, so borders are like the middle.

    :param spacing_mm: (z, y, x); None for z where there is one slice.
    :param fwhm_mm: of the kernel.
    """
    sd = fwhm_mm / FWHM_PER_SD
    taps = [None if step is None else noise_taps(sd / step) for step in spacing_mm]
    pads = [0 if kernel is None else len(kernel) // 2 for kernel in taps]
    field = rng.standard_normal([n + 2 * p for n, p in zip(shape, pads, strict=True)], dtype=np.float32)
    for axis, (kernel, pad, size) in enumerate(zip(taps, pads, shape, strict=True)):
        if kernel is not None:
            field = convolve_axes(field, [kernel if a == axis else None for a in range(3)])
            field = field[tuple(slice(pad, pad + size) if a == axis else slice(None) for a in range(3))]
    return np.ascontiguousarray(field)
