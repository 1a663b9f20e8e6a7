"""What the regularised Patlak methods share: their start, their options and their result.

The weighted fit leaves two numbers a voxel whose covariance is known: s C, with C = (A'WA)^-1 the same
everywhere and s the voxel's variance scale. With C = L L', the images t = L^-1 (Ki, V0) carry noise of
variance s, independent of each other: the frames are not needed any more, since

    weighted sum of squares of the frames = that of the fit + |t - t_fitted|^2 / s.

All methods work on these two images, so each is a regularised fit of the frames with their weights
(docs/methods.md, "Regularised Patlak").
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.boxes import Box, box_around
from petkinetics.estimators.estimator import Estimate, MapSink, Problem, Progress, no_progress, quantities_of
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.estimators.noise import residual_shares
from petkinetics.estimators.noise_correlation import NoiseCorrelation, noise_correlation
from petkinetics.estimators.patlak import PreparedFit, fit_record, prepare_fit, region_fit, require_numbers
from petkinetics.maps import KI, KI_SD, RESIDUAL, V0, V0_SD, Quantity

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_SLAB_VALUES = 1 << 21
#: neighbours this far outside the mask still take part
MARGIN_MM = (20.0, 20.0, 20.0)
#: FWHM that takes noise away before the variance scale or the contrast of a map is read from it
_SMOOTHING_MM = 8.0
_CONTRAST_PERCENTILE = 99.0
#: median of |t|^2 / 2 s over voxels where t is two independent normal variables of variance s
_MEDIAN_OF_NOISE = float(np.log(2.0))


@dataclass(frozen=True, eq=False)
class PatlakImages:
    """The two images with independent noise, in the box that the mask needs, float32.

    :param values: t, (2, slices, rows, columns); times the square root of *scale* it has unit noise.
    :param scale: variance of the noise of either, (slices, rows, columns).
    :param composite: weighted mean of the frames, kBq/mL.
    :param composite_noise: its covariances with the two images, and its variance, a unit of *scale*.
    :param inside: voxels to estimate, bool.
    :param turn: L, lower triangular: (Ki, V0) = L t.
    :param correlation: of the noise.
    """

    values: Float32
    scale: Float32
    composite: Float32
    composite_noise: Float64
    inside: NDArray[np.bool_]
    turn: Float64
    correlation: NoiseCorrelation

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along (slices, rows, columns)."""
        return self.correlation.spacing_mm

    @property
    def typical_scale(self) -> float:
        """Median variance scale within the mask."""
        return float(np.median(self.scale[self.inside]))

    @property
    def spread(self) -> Float64:
        """SDs of Ki and V0 before regularisation, a unit of the square root of *scale*."""
        return np.sqrt(np.sum(self.turn**2, axis=1))

    @cached_property
    def noise_to_contrast(self) -> float:
        """SD of a voxel's fitted Ki divided by the Ki that the map shows widely, at most 1.

        The latter is the 99th percentile within the mask of the map smoothed by 8 mm.
        """
        ki = np.tensordot(self.turn[0].astype(np.float32), self.values, axes=1)
        contrast = contrast_of(ki, self.inside, self.spacing_mm)
        sd = float(np.sqrt(self.typical_scale) * self.spread[0])
        # Where nothing stands out of the noise, the strongest regularisation is as right as any.
        return min(sd / contrast, 1.0) if contrast > 0 else 1.0

    def parameters(self, values: Float32) -> Float32:
        """(Ki, V0) of images such as *values*."""
        return np.tensordot(self.turn.astype(np.float32), values, axes=1)


@dataclass(frozen=True, eq=False)
class Regularised:
    """What a method makes of the images.

    :param values: as :attr:`PatlakImages.values`, regularised.
    :param sd: SDs of Ki and V0 in every voxel, (2, slices, rows, columns), for methods that can tell them.
    :param record: what ``result.json`` should say.
    """

    values: Float32
    sd: Float32 | None
    record: dict[str, Any]


class RegularisedPatlak(ABC):
    """A method that regularises the Patlak fit.

    Options: ``strength``, a number from 0 (plain Patlak) or ``auto``, which follows from the noise.
    """

    method: str
    #: the unit and meaning of strength, for messages and the record
    strength_meaning: str
    quantities: tuple[Quantity, ...] = (KI, V0, RESIDUAL)
    option_names: tuple[str, ...] = ("strength",)
    most_strength: ClassVar[float] = 100.0

    #: the automatic strength: law[0] * (noise / contrast) ** law[1], fitted in the tuning study
    law: ClassVar[tuple[float, float]]

    def automatic_strength(self, images: PatlakImages) -> float:
        """The strength that suits the noise of these images."""
        return min(self.law[0] * images.noise_to_contrast ** self.law[1], self.most_strength)

    @abstractmethod
    def regularise(self, images: PatlakImages, strength: float, problem: Problem, progress: Progress) -> Regularised:
        """Regularise the images; *strength* is above 0, in the unit that the method's options state."""

    def estimate(self, problem: Problem, sink: MapSink, progress: Progress = no_progress) -> Estimate:
        """See :class:`petkinetics.estimators.estimator.Estimator`."""
        wanted = number_option(problem, "strength", None, self.most_strength)
        prepared = prepare_fit(problem)
        images, chi_square, box = read_images(problem, prepared, progress)
        correlation = images.correlation
        strength = self.automatic_strength(images) if wanted is None else wanted
        if strength > 0:
            found = self.regularise(images, strength, problem, lambda done, what: progress(0.25 + 0.7 * done, what))
        else:
            found = Regularised(images.values, deviations(images, images.scale), {})
        self._write(problem, prepared, images, chi_square, box, found, sink, progress)
        sd = np.sqrt(images.typical_scale) * images.spread
        record = fit_record("frame", prepared, problem)
        record["noise"] |= {
            "correlation_sd_mm": [round(s, 4) for s in correlation.sd_mm[::-1]],
            "noise_to_contrast": images.noise_to_contrast,
            "ki_sd_before": float(sd[0]),
            "v0_sd_before": float(sd[1]),
        }
        record["regularisation"] = {
            "strength": strength,
            "meaning": self.strength_meaning,
            "chosen": "automatically" if wanted is None else "by the user",
            **found.record,
        }
        return Estimate(record, region_fit(prepared.fit))

    def _write(
        self,
        problem: Problem,
        prepared: PreparedFit,
        images: PatlakImages,
        chi_square: Float32,
        box: Box,
        found: Regularised,
        sink: MapSink,
        progress: Progress,
    ) -> None:
        """Turn back to Ki and V0 and hand the maps over slab by slab, zero outside the mask."""
        moved = np.einsum("ikrc,ikrc->krc", found.values - images.values, found.values - images.values)
        moved /= images.scale
        # Noise that left the maps is in the residuals now; where anatomy left as well, no more counts.
        removed = min(1.0, float(np.median(moved[images.inside])) / 2.0 / _MEDIAN_OF_NOISE)
        expected = np.float32(residual_shares(prepared.fit, prepared.variances).sum() + 2.0 * removed)
        quantities = quantities_of(self, problem.samples)
        slices, rows, columns = problem.series.geometry.shape
        empty = np.zeros((1, rows, columns), np.float32)
        for k in range(slices):
            j = k - box[0].start
            if not 0 <= j < images.scale.shape[0]:
                for quantity in quantities:
                    sink.write(quantity.name, empty)
                continue
            ki, v0 = images.parameters(found.values[:, j])
            maps = {
                KI.name: ki,
                V0.name: v0,
                RESIDUAL.name: np.sqrt((chi_square[j] / images.scale[j] + moved[j]) / expected),
            }
            if found.sd is not None:
                maps |= {KI_SD.name: found.sd[0, j], V0_SD.name: found.sd[1, j]}
            for quantity in quantities:
                out = np.zeros((1, rows, columns), np.float32)
                out[0][box[1:]] = maps[quantity.name] * images.inside[j]
                sink.write(quantity.name, out)
            progress(0.95 + 0.05 * (k + 1) / slices, "Writing the maps")


def deviations(images: PatlakImages, variance: Float32) -> Float32:
    """SDs of Ki and V0 where both images have this variance.

    :param variance: (slices, rows, columns).
    :returns: (2, slices, rows, columns), mL/min/mL and mL/mL.
    """
    return np.asarray(np.sqrt(variance) * images.spread[:, None, None, None], dtype=np.float32)


def number_option(problem: Problem, name: str, default: float | None, most: float) -> float | None:
    """An option that is a number from 0 to *most*, in its own unit; *default* where it is not given, None for ``auto``.

    :raises InputError: it is something else.
    """
    text = problem.options.get(name, "auto" if default is None else str(default))
    if text == "auto" and default is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= most:
        automatic = ", or auto" if default is None else ""
        raise InputError(
            f"'{text}' is not a value of the option '{name}'; give a number from 0 to {most:g}{automatic}."
        )
    return value


def read_images(
    problem: Problem, prepared: PreparedFit, progress: Progress = no_progress
) -> tuple[PatlakImages, Float32, Box]:
    """Reduce the series to the images, their weighted sum of squared residuals, and where the box lies.

    The sum is float32 (slices, rows, columns) of the box, like the images.
    """
    series, fit = problem.series, prepared.fit
    correlation = noise_correlation(problem, fit)
    slices, rows, columns = series.geometry.shape
    box = box_around(problem.mask, series.geometry.shape, correlation.spacing_mm, MARGIN_MM)
    turn = np.linalg.cholesky(fit.covariance)
    weights = fit.weights / fit.weights.sum()
    frames = problem.frames.tolist()
    mean = np.full((1, len(frames)), 1.0 / len(frames))
    to_images = np.concatenate([np.linalg.solve(turn, fit.solution), mean, weights[None], fit.misfit])
    to_images = to_images.astype(np.float32)
    shape = tuple(part.stop - part.start for part in box)
    kept = np.empty((5, *shape), np.float32)
    depth = max(1, min(slices, _SLAB_VALUES // (rows * columns * len(frames))))
    for first in range(0, slices, depth):
        last = min(first + depth, slices)
        values = series.read(frames, first, last).reshape(len(frames), -1)
        out = to_images @ values
        if not np.isfinite(out[0].sum(dtype=np.float64)):
            require_numbers(values, problem, first)
        out = out.reshape(-1, last - first, rows, columns)[:, :, box[1], box[2]]
        low, high = max(first, box[0].start), min(last, box[0].stop)
        if low < high:
            here, there = slice(low - first, high - first), slice(low - box[0].start, high - box[0].start)
            kept[:4, there] = out[:4, here]
            kept[4, there] = np.einsum("ikrc,ikrc->krc", out[4:, here], out[4:, here])
        progress(0.2 * last / slices, "Fitting the frames")
    # A voxel's own activity is noisy, so the variance scale follows the activity around it.
    scale = prepared.noise.scale(smoothed(kept[2], correlation.spacing_mm))
    inside = np.ones(shape, bool) if problem.mask is None else problem.mask[box]
    of_composite = np.concatenate([np.linalg.solve(turn, fit.solution), weights[None]]) @ (prepared.variances * weights)
    images = PatlakImages(
        values=kept[:2],
        scale=np.asarray(scale, np.float32),
        composite=kept[3],
        composite_noise=of_composite,
        inside=inside,
        turn=np.asarray(turn, np.float64),
        correlation=correlation,
    )
    return images, kept[4], box


def contrast_of(volume: Float32, inside: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> float:
    """What a map shows widely: its 99th percentile among *inside* after smoothing by 8 mm, in its unit.

    :param volume: (slices, rows, columns), as *inside*.
    """
    return float(np.percentile(smoothed(volume, spacing_mm)[inside], _CONTRAST_PERCENTILE))


def smoothed(volume: Float32, spacing_mm: tuple[float, float, float], fwhm_mm: float = _SMOOTHING_MM) -> Float32:
    """The volume under a Gaussian of *fwhm_mm*, cut at 3 SDs; at the borders the outermost voxels are repeated.

    :param volume: any unit, (slices, rows, columns), as the answer; *spacing_mm* is in this order.
    """
    from scipy import ndimage

    sd = sd_in_voxels(fwhm_mm, spacing_mm)
    return np.asarray(ndimage.gaussian_filter(volume, sd, mode="nearest", truncate=3.0), np.float32)
