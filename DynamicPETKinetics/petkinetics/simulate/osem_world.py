"""The second noise world: a patient's frames reconstructed from Poisson sinograms.

Slice by slice, as in a scanner with direct planes only: activity sharp but for motion and the
detectors' resolution is projected (:mod:`petkinetics.simulate.projection`), counted
(:mod:`petkinetics.simulate.sinograms`), reconstructed (:mod:`petkinetics.simulate.osem`) and filtered
to an overall resolution of about 5.5 mm FWHM. Nothing here knows the variance formula of the first
world; both meet in what dose 1 means. The sensitivity that this takes is that of the whole ring: it
stands for the oblique planes and the time of flight that are not modelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.errors import InputError
from petkinetics.estimators.estimator import Progress, no_progress
from petkinetics.estimators.gaussian_width import FWHM_PER_SD
from petkinetics.frames import FrameTiming
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.body import FDG, Body
from petkinetics.simulate.calibration import noise_cov
from petkinetics.simulate.kernels import blur_taps, convolve_axes
from petkinetics.simulate.noise_free import noise_free_frames
from petkinetics.simulate.osem import osem
from petkinetics.simulate.projection import VIEWS, Disc, line_integrals, system_matrix
from petkinetics.simulate.scanner import RESOLUTION_FWHM_MM, Blur, variance_per_activity
from petkinetics.simulate.seeds import stream
from petkinetics.simulate.sinograms import ExpectedCounts, attenuation_map, expected_counts

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: what modelling the detectors leaves of their 4 mm: data are projected with this resolution
DETECTOR_FWHM_MM = 2.5
#: filter after reconstruction; along the body what is left to 5.5 mm, in the slice less, since
#: unfinished iterations blur as well
FILTER_AXIAL_FWHM_MM = float(np.sqrt(RESOLUTION_FWHM_MM**2 - DETECTOR_FWHM_MM**2))
FILTER_SLICE_FWHM_MM = 3.8
#: rays may be no further apart; coarser images are reconstructed on a finer grid
_COARSEST_MM = 2.6
#: slices simulated beyond the first and last, for the filter along the body
_BEYOND = 2
_MARGIN_MM = 12.0
_PILOT_SLICES, _PILOT_DRAWS = 3, 4
_FIRST_GUESS = 0.07
#: share of a voxel's activity that must be the tissue's own
_PURE = 0.95


@dataclass(frozen=True, eq=False)
class Planes:
    """The planes that a scan is reconstructed in, ready to be counted.

    :param geometry: of the planes: the image's, finer where that is coarse, a little longer.
    :param step: every how many of its rows and columns are the image's.
    :param beyond: planes before the image's first.
    :param frames: sharp but for motion and detectors, kBq/mL, (frames, planes, rows, columns).
    :param mu: attenuation, 1/mm, (planes, rows, columns).
    :param labels: tissues, (planes, rows, columns).
    """

    geometry: VolumeGeometry
    step: int
    beyond: int
    frames: Float32
    mu: Float32
    labels: NDArray[np.uint8]

    @classmethod
    def of(cls, body: Body, where: VolumeGeometry, curve: InputFunction, timing: FrameTiming) -> Planes:
        """The planes of a body on an image's grid.

        :raises InputError: pixels that are not square.
        """
        x_mm, y_mm, z_mm = where.spacing_mm
        if not np.isclose(x_mm, y_mm, rtol=1e-3):
            raise InputError(f"Sinograms need square pixels; these are {x_mm:g} x {y_mm:g} mm.")
        step = int(np.ceil(x_mm / _COARSEST_MM))
        beyond = _BEYOND if where.shape[0] > 1 else 0
        shape = (where.shape[0] + 2 * beyond, *(step * (n - 1) + 1 for n in where.shape[1:]))
        x, y, z = where.origin_mm
        planes = VolumeGeometry(
            (shape[0], shape[1], shape[2]), (x_mm / step, y_mm / step, z_mm), (x, y, z - beyond * z_mm), where.direction
        )
        painted = body.paint(planes)
        blur = Blur(planes.spacing_mm, body.anatomy.motion(*grid_axes(planes)), DETECTOR_FWHM_MM)
        frames, _, _ = noise_free_frames(painted, curve, timing, blur)
        mu = attenuation_map(painted.labels, body.anatomy.names)
        return cls(planes, step, beyond, frames, mu, painted.labels)

    def disc(self) -> Disc:
        """The field of view that is reconstructed."""
        return Disc.around(self.mu > 0, _MARGIN_MM / self.geometry.spacing_mm[0])


@dataclass(frozen=True)
class CountingScanner:
    """A scanner that counts.

    :param sensitivity: coincidences per decay, without attenuation.
    :param dose: share of the usual counts.
    """

    sensitivity: float
    dose: float
    seed: int

    def expect(self, planes: Planes, plane: int, timing: FrameTiming, disc: Disc) -> ExpectedCounts:
        """The means of a plane's sinograms."""
        pixel_mm, _, z_mm = planes.geometry.spacing_mm
        # A lone plane isn't filtered along the body: it gets the counts that the filter would have gathered.
        depth = z_mm if planes.geometry.shape[0] > 1 else z_mm / float(np.sum(_axial_taps(z_mm) ** 2))
        squares = disc.cut(np.concatenate([planes.frames[:, plane], planes.mu[None, plane]]))
        rays = line_integrals(squares) * np.float32(pixel_mm)
        ray_mm2 = pixel_mm * depth
        scale = self.sensitivity * self.dose * ray_mm2 / VIEWS / variance_per_activity(timing, FDG.decay_per_s)
        return expected_counts(rays[:, :-1], rays[:, -1], scale, pixel_mm, self.seed)


def reconstruct(expected: ExpectedCounts, counts: Float32, disc: Disc, pixel_mm: float) -> Float32:
    """Images in kBq/mL, filtered in the plane, (n, rows, columns), from counts (rays, n).

    :param pixel_mm: side of the images' pixels.
    """
    frames = osem(counts, expected.weight * np.float32(pixel_mm), expected.background, system_matrix(disc.radius))
    taps = blur_taps(FILTER_SLICE_FWHM_MM / FWHM_PER_SD / pixel_mm)
    return convolve_axes(disc.put(frames), [None, taps, taps])


def _axial_taps(z_mm: float) -> Float64:
    return blur_taps(FILTER_AXIAL_FWHM_MM / FWHM_PER_SD / z_mm)


def reconstructed_frames(
    body: Body,
    where: VolumeGeometry,
    curve: InputFunction,
    timing: FrameTiming,
    dose: float,
    sensitivity: float | None = None,
    progress: Progress = no_progress,
    places: Sequence[int] | None = None,
) -> Float32:
    """The frames of a scan, counted and reconstructed.

    :param dose: share of the usual counts.
    :param sensitivity: coincidences per decay of dose 1, by default :func:`calibrated_sensitivity`.
    :param places: of the frames among all of the scan, where they are some of them: their chance goes by it.
    :returns: kBq/mL, decay-corrected to injection, (frames, slices, rows, columns).
    :raises InputError: pixels that are not square.
    :raises ResourceError: scikit-image is missing.
    """
    if sensitivity is None:
        progress(0.0, "counts of dose 1")
        sensitivity = calibrated_sensitivity(body, noise_cov(body))
    scanner = CountingScanner(sensitivity, dose / body.anatomy.plan.beds, body.seed)
    progress(0.02, "sharp frames")
    planes = Planes.of(body, where, curve, timing)
    disc, pixel_mm = planes.disc(), planes.geometry.spacing_mm[0]
    z_of = grid_axes(planes.geometry)[2]
    count = planes.geometry.shape[0]
    out = np.empty((len(timing), count, *where.shape[1:]), dtype=np.float32)
    system_matrix(disc.radius)
    places = range(len(timing)) if places is None else places

    def fill(plane: int) -> None:
        expected = scanner.expect(planes, plane, timing, disc)
        counts = expected.draw([stream(body.seed, f"counts at {z_of[plane]:.2f} mm", int(i)) for i in places])
        images = reconstruct(expected, counts, disc, pixel_mm)
        out[:, plane] = images[:, :: planes.step, :: planes.step]

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(fill, range(count)), start=1):
            progress(0.05 + 0.95 * done / count, f"slice {done} of {count}")
    if count == 1:
        return out
    filtered = convolve_axes(out, [None, _axial_taps(where.spacing_mm[2]), None, None])
    return np.ascontiguousarray(filtered[:, planes.beyond : count - planes.beyond])


def calibrated_sensitivity(body: Body, wanted_cov: float) -> float:
    """Coincidences per decay with which the calibration tissue's noise is *wanted_cov* in the frame from 60 to 65 min.

    Found by reconstructing a few slices of the tissue several times: the variance of OSEM goes
    nearly, but not quite, with the inverse of the counts, so the second guess is measured as well.
    """
    last = FrameTiming([3600.0], [300.0])
    curve = body.input_until(float(last.end_s[-1]))
    full = body.anatomy.plan.grid("full")
    tissue = next(label for label, name in body.anatomy.names.items() if name == body.anatomy.plan.calibration)
    pilots = [
        _Pilot.of(body, Planes.of(body, _one_slice(full, z), curve, last), last, tissue, n)
        for n, z in enumerate(_heights(body, full, tissue, _PILOT_SLICES))
    ]
    sensitivity = _FIRST_GUESS
    for _ in range(2):
        sensitivity *= float(np.mean([p.noise_variance(sensitivity) for p in pilots])) / wanted_cov**2
    return sensitivity


@dataclass(frozen=True, eq=False)
class _Pilot:
    """A slice through the calibration tissue.

    :param expected: of a sensitivity of 1.
    :param inside: the tissue's voxels that hold little else, (rows, columns).
    """

    expected: ExpectedCounts
    disc: Disc
    pixel_mm: float
    inside: NDArray[np.bool_]
    seed: int
    number: int

    @classmethod
    def of(cls, body: Body, planes: Planes, frame: FrameTiming, tissue: int, number: int) -> _Pilot:
        disc = planes.disc()
        expected = CountingScanner(1.0, 1.0, body.seed).expect(planes, 0, frame, disc)
        here = planes.labels[0] == tissue
        share = Blur(planes.geometry.spacing_mm, None)((planes.labels == tissue).astype(np.float32))[0]
        inside = here & (share >= min(_PURE, float(np.median(share[here]))))
        return cls(expected, disc, planes.geometry.spacing_mm[0], inside, body.seed, number)

    def noise_variance(self, sensitivity: float) -> float:
        """Variance of the tissue's noise over its squared activity, from a few reconstructions."""
        expected = self.expected.scaled(sensitivity)
        mean = expected.trues + expected.background
        rng = stream(self.seed, "pilot counts", self.number)
        draws = rng.poisson(mean, (len(mean), _PILOT_DRAWS)).astype(np.float32)
        # the first image is without noise
        images = reconstruct(expected, np.concatenate([mean, draws], axis=1), self.disc, self.pixel_mm)
        noise = images[1:, self.inside] - images[0, self.inside]
        return float(np.mean(noise**2) / images[0, self.inside].mean() ** 2)


def _heights(body: Body, full: VolumeGeometry, tissue: int, count: int) -> Sequence[float]:
    """Positions along the body that divide a tissue within the scan into equal parts."""
    x, y, z = grid_axes(full)
    area = (body.anatomy.paint(x[::4], y[::4], z) == tissue).sum(axis=(1, 2))
    share = np.cumsum(area) / max(int(area.sum()), 1)
    return [float(z[int(np.searchsorted(share, (k + 0.5) / count))]) for k in range(count)]


def _one_slice(full: VolumeGeometry, z: float) -> VolumeGeometry:
    x, y, _ = full.origin_mm
    return VolumeGeometry((1, *full.shape[1:]), full.spacing_mm, (x, y, z), full.direction)
