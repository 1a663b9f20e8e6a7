"""A drawn person in the scanner: the frames without noise, with the noise of a dose, or reconstructed from counts.

Where the patient moves, frames after a movement see the same person on a shifted grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from petkinetics.curves import InputFunction
from petkinetics.estimators.estimator import Progress
from petkinetics.frames import FrameTiming
from petkinetics.series import VolumeGeometry
from petkinetics.simulate.anatomy import grid_axes
from petkinetics.simulate.body import Body, PaintedBody
from petkinetics.simulate.calibration import count_noise, noise_cov
from petkinetics.simulate.noise_free import noise_free_frames
from petkinetics.simulate.scanner import Blur, CountNoise

Float32 = NDArray[np.float32]
Axes = tuple[Float32, Float32, Float32]


@dataclass(frozen=True, eq=False)
class BodyScan:
    """A person, where and when the scanner looks, and what is in the blood then.

    :param geometry: the grid, (slices, rows, columns).
    :param blood: true plasma and whole blood, to the last frame's end.
    :param moved: numbers of frames, and the grid on which they see the person, see
        :func:`petkinetics.simulate.movement.moved_grids`.
    :param calibrated: the person at whom dose 1 is set, where it is another than *body*.
    """

    body: Body
    geometry: VolumeGeometry
    frames: FrameTiming
    blood: InputFunction
    moved: Sequence[tuple[NDArray[np.intp], VolumeGeometry]]
    calibrated: Body | None

    @cached_property
    def painted(self) -> PaintedBody:
        """The person on the grid, in the first position."""
        return self.body.paint(self.geometry)

    @cached_property
    def blur(self) -> Blur:
        """Of resolution and motion, in the first position."""
        return self._blur(self.geometry)

    def noise_free(self) -> tuple[Float32, Float32, Float32]:
        """The frames before noise, kBq/mL (frames, slices, rows, columns), and the true Patlak slope and intercept.

        :returns: frames; slope, mL/min/mL, and intercept, mL/mL, of the first position (slices, rows, columns).
        """
        values, slope, intercept = noise_free_frames(self.painted, self.blood, self.frames, self.blur)
        for some, there in self.moved:
            own = self.frames.select(some)
            values[some] = noise_free_frames(self.body.paint(there), self.blood, own, self._blur(there))[0]
        return values, slope, intercept

    def with_noise(self, noise_free: Float32, dose: float, fwhm_mm: float) -> Float32:
        """Frames with noise of known variance and correlation.

        :param noise_free: kBq/mL (frames, slices, rows, columns).
        :param dose: 1 is a usual scan; the variance goes with its inverse.
        :param fwhm_mm: of the kernel whose autocorrelation the noise has, mm.
        :returns: kBq/mL, likewise.
        """
        model = replace(count_noise(self.body, self.blood, self.frames, dose, self.calibrated), fwhm_mm=fwhm_mm)
        axes_of = {int(frame): grid_axes(there) for some, there in self.moved for frame in some}
        first = grid_axes(self.geometry)
        return _sampled(noise_free, model, [axes_of.get(frame, first) for frame in range(len(self.frames))])

    def reconstructed(self, dose: float, progress: Progress) -> Float32:
        """Frames reconstructed from counted sinograms, kBq/mL (frames, slices, rows, columns).

        :param dose: 1 is a usual scan; counts go with it.
        """
        from petkinetics.simulate.osem_world import calibrated_sensitivity, reconstructed_frames

        progress(0.0, "counts of dose 1")
        usual = self.body if self.calibrated is None else self.calibrated
        sensitivity = calibrated_sensitivity(usual, noise_cov(usual))
        values = reconstructed_frames(self.body, self.geometry, self.blood, self.frames, dose, sensitivity, progress)
        for some, there in self.moved:
            own, places = self.frames.select(some), some.tolist()
            values[some] = reconstructed_frames(self.body, there, self.blood, own, dose, sensitivity, places=places)
        return values

    def _blur(self, geometry: VolumeGeometry) -> Blur:
        return Blur(geometry.spacing_mm, self.body.anatomy.motion(*grid_axes(geometry)))


def _sampled(noise_free: Float32, noise: CountNoise, axes: Sequence[Axes]) -> Float32:
    """Noisy frames; *axes* of every frame's grid, as it lies in the patient."""
    values = np.empty_like(noise_free)

    def fill(frame: int) -> None:
        values[frame] = noise.sample(frame, noise_free[frame], *axes[frame])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(len(values))))
    return values
