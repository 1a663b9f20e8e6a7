"""Non-local means: every voxel becomes the mean of those nearby whose surroundings look alike.

    t_v = sum_q W_vq t_q / s_q  /  sum_q W_vq / s_q
    W_vq = exp(-max(D_vq - E_vq, 0) / strength^2)

D is the mean over a patch of |t_v - t_q|^2 / s over both images (Buades, Coll & Morel, Multiscale Model
Simul 2005;4:490), E its expectation where only noise differs, 4 (1 - rho): neighbours share noise, so
without rho they would look more alike than they are. Both images get the same weights.

Own code, since libraries' filters know only white noise of one SD and one weight a voxel and image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.estimators.estimator import Problem, Progress
from petkinetics.estimators.noise_correlation import NoiseCorrelation
from petkinetics.estimators.regularised import PatlakImages, Regularised, RegularisedPatlak, number_option

Float32 = NDArray[np.float32]
Step = tuple[int, int, int]

_THREADS = 2
_PIECE_VOXELS = 1 << 17
SEARCH_MM = 16.0
_PATCH_MM = 3.5
_MOST_SEARCH_MM = 40.0
#: steps of the search in SDs of the noise's kernel
_LATTICE = 1.77


class NonLocalMeansPatlak(RegularisedPatlak):
    """Strength is the width of the weight in noise SDs; ``search`` is the radius of the search in mm.

    The weights depend on the noise, so there is no honest formula for the SD, and there are no SD maps.
    """

    method = "nlm"
    strength_meaning = "difference between patches, in noise SDs, at which the weight falls to 1/e"
    law = (2.3, 0.0)
    option_names: tuple[str, ...] = ("strength", "search")

    def regularise(self, images: PatlakImages, strength: float, problem: Problem, progress: Progress) -> Regularised:
        """See :class:`RegularisedPatlak`."""
        search = number_option(problem, "search", SEARCH_MM, _MOST_SEARCH_MM)
        assert search is not None
        (values,) = non_local_means(images, [strength], search, progress)
        return Regularised(
            values, None, {"search_mm": search, "patch_voxels": [2 * p + 1 for p in _patch(images)[::-1]]}
        )


def non_local_means(
    images: PatlakImages, strengths: Sequence[float], search_mm: float, progress: Progress
) -> list[Float32]:
    """The images under several strengths, for which the patches are compared only once.

    :param search_mm: how far from a voxel its like is looked for.
    :param strengths: in noise SDs; one answer each, float32 (2, slices, rows, columns), in their order.
    """
    steps = half_ball(search_mm, images.correlation, images.scale.shape)
    means = Means(images.values, images.scale, strengths, _patch(images), images.correlation)
    return means.over(steps, progress)


def _patch(images: PatlakImages) -> list[int]:
    """How many voxels a patch reaches to either side."""
    return [max(1, round(_PATCH_MM / step)) for step in images.spacing_mm]


def half_ball(radius_mm: float, correlation: NoiseCorrelation, shape: Sequence[int]) -> list[Step]:
    """Steps (slices, rows, columns) to voxels within a radius, one of each pair of opposite ones.

    Neighbours that share most of their noise say nothing new, so steps are multiples of
    about three quarters of the noise's FWHM.

    :param radius_mm: within which voxels are compared.
    """
    spacing_mm = correlation.spacing_mm
    lattice = [max(1, int(_LATTICE * sd / step)) for sd, step in zip(correlation.sd_mm, spacing_mm, strict=True)]
    reach = [min(int(radius_mm / step), size - 1) for step, size in zip(spacing_mm, shape, strict=True)]
    z, y, x = (range(-(r // n) * n, r + 1, n) for r, n in zip(reach, lattice, strict=True))

    def within() -> Iterator[Step]:
        for dz in z:
            for dy in y:
                for dx in x:
                    far = sum((d * s) ** 2 for d, s in zip((dz, dy, dx), spacing_mm, strict=True))
                    if (dz, dy, dx) > (0, 0, 0) and far <= radius_mm**2:
                        yield dz, dy, dx

    return list(within())


@dataclass(frozen=True, eq=False)
class Means:
    """Weighted means over steps; each pair of voxels is compared once and counts for both.

    :param values: the images, (2, slices, rows, columns).
    :param scale: their noise's variance, (slices, rows, columns).
    :param patch: how many voxels a patch reaches to either side along slices, rows and columns.
    """

    values: Float32
    scale: Float32
    strengths: Sequence[float]
    patch: Sequence[int]
    correlation: NoiseCorrelation

    def over(self, steps: Sequence[Step], progress: Progress) -> list[Float32]:
        """The means for each strength; two threads share the steps, each with sums of its own."""
        whitened = (self.values / np.sqrt(self.scale)).astype(np.float32)
        shares = np.concatenate([self.values / self.scale, 1.0 / self.scale[None]]).astype(np.float32)
        own, none = shares[None], np.zeros_like(shares)[None]
        sums = [np.repeat(first, len(self.strengths), axis=0) for first in (own, *[none] * (_THREADS - 1))]
        with ThreadPoolExecutor(_THREADS) as pool:
            for done in range(0, len(steps), _THREADS):
                progress(done / len(steps), "Comparing patches")
                waiting = [
                    pool.submit(self._add, whitened, shares, step, into)
                    for step, into in zip(steps[done : done + _THREADS], sums, strict=False)
                ]
                for task in waiting:
                    task.result()
        total = np.sum(sums, axis=0)
        return [np.asarray(part[:2] / part[2]) for part in total]

    def _add(self, whitened: Float32, shares: Float32, step: Step, sums: Float32) -> None:
        """Add one step's pairs, some slices at a time, so that they stay in the processor's cache."""
        _, in_rows, in_columns = _overlap(step, 1)
        _, there_rows, there_columns = _overlap(step, -1)
        slices, rows, columns = whitened.shape[1:]
        depth = max(1, _PIECE_VOXELS // (rows * columns))
        pairs = slices - step[0]
        noise_alone = 4.0 * (1.0 - self.correlation.between(step))
        for first in range(0, pairs, depth):
            last = min(first + depth, pairs)
            low, high = max(0, first - self.patch[0]), min(pairs, last + self.patch[0])
            distance = self._distances(
                whitened[:, low:high, in_rows, in_columns],
                whitened[:, low + step[0] : high + step[0], there_rows, there_columns],
            )[first - low : last - low]
            here = (slice(None), slice(first, last), in_rows, in_columns)
            there = (slice(None), slice(first + step[0], last + step[0]), there_rows, there_columns)
            for strength, into in zip(self.strengths, sums, strict=True):
                # Subtracted in full from strength 1 on; below, all weights fade out and plain Patlak remains.
                weight = distance - np.float32(noise_alone * min(1.0, strength**2))
                np.maximum(weight, 0.0, out=weight)
                weight *= np.float32(-1.0 / strength**2)
                np.exp(weight, out=weight)
                into[here] += weight * shares[there]
                into[there] += weight * shares[here]

    def _distances(self, some: Float32, others: Float32) -> Float32:
        """Squared differences, summed over the images and averaged over patches."""
        from scipy import ndimage

        difference = some - others
        difference *= difference
        squares: Float32 = difference[0]
        squares += difference[1]
        for axis, radius in enumerate(self.patch):
            ndimage.uniform_filter1d(squares, 2 * radius + 1, axis, output=squares, mode="reflect")
        return squares


def _overlap(step: Step, sign: int) -> tuple[slice, ...]:
    """The part of the volume that has a neighbour at +step (sign 1) or -step (sign -1)."""
    return tuple(slice(max(0, -sign * d), min(0, -sign * d) or None) for d in step)
