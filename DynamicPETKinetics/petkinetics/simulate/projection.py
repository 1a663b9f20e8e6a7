"""Slices and their line integrals: parallel rays through a disc, and the matrix that turns voxels into rays.

The scanner measures with scikit-image's ``radon``. The reconstruction models those rays with a matrix of
its own (Joseph 1982: a ray steps through rows or columns and interpolates linearly between the two pixels
beside it) and its exact transpose. Two different projectors, as in life, where the patient is not made
of the pixels that model it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import ResourceError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: directions of parallel rays over 180 degrees
VIEWS = 144
#: parts of the views that take turns in OSEM
SUBSETS = 24
#: singular values below this share of the largest are left out when many frames are projected at once
_RANK = 1e-6


@dataclass(frozen=True)
class Disc:
    """The reconstructed field of view: a disc around the body, in a square of (2 radius + 1) pixels a side.

    :param shape: rows and columns of the image that it is cut from; the disc may reach beyond it.
    :param centre: row and column of its centre.
    :param radius: in pixels.
    """

    shape: tuple[int, int]
    centre: tuple[int, int]
    radius: int

    @classmethod
    def around(cls, body: NDArray[np.bool_], margin: float) -> Disc:
        """The disc that holds a mask (slices, rows, columns) and *margin* pixels more.

        Its radius is a multiple of four, so that neighbouring scans share a matrix.
        """
        rows, columns = np.nonzero(body.any(axis=0))
        shape = (body.shape[1], body.shape[2])
        if not rows.size:
            return cls(shape, (shape[0] // 2, shape[1] // 2), 8)
        centre = (int(rows.min() + rows.max()) // 2, int(columns.min() + columns.max()) // 2)
        reach = float(np.hypot(rows - centre[0], columns - centre[1]).max()) + margin
        return cls(shape, centre, 4 * int(np.ceil(reach / 4)))

    @property
    def side(self) -> int:
        """Pixels of the square's side, and rays of a view."""
        return 2 * self.radius + 1

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """Flat indices of the disc's pixels in the square, (pixels,)."""
        return disc_pixels(self.radius)

    def cut(self, images: Float32) -> Float32:
        """Images of any unit, (n, rows, columns), on the square; 0 outside the disc and beyond the image."""
        square = np.zeros((len(images), self.side, self.side), dtype=np.float32)
        here, there = self._overlap()
        square[:, there[0], there[1]] = images[:, here[0], here[1]]
        inside = np.zeros(self.side**2, dtype=bool)
        inside[self.pixels] = True
        square *= inside.reshape(self.side, self.side)
        return square

    def put(self, pixels: Float32) -> Float32:
        """Values of the disc's *pixels*, any unit, (pixels, n), as images (n, rows, columns)."""
        flat = np.zeros((pixels.shape[1], self.side**2), dtype=np.float32)
        flat[:, self.pixels] = pixels.T
        square = flat.reshape(-1, self.side, self.side)
        images = np.zeros((len(square), *self.shape), dtype=np.float32)
        here, there = self._overlap()
        images[:, here[0], here[1]] = square[:, there[0], there[1]]
        return images

    def _overlap(self) -> tuple[list[slice], list[slice]]:
        """The part of the image that the square covers, and its place in the square."""
        here, there = [], []
        for centre, size in zip(self.centre, self.shape, strict=True):
            first = centre - self.radius
            start, stop = max(first, 0), min(first + self.side, size)
            here.append(slice(start, stop))
            there.append(slice(start - first, stop - first))
        return here, there


def disc_pixels(radius: int) -> NDArray[np.int64]:
    """Flat indices, (pixels,), of a square of side 2 radius + 1: the pixels that lie within its inscribed circle."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.flatnonzero((x**2 + y**2 <= radius**2).ravel())


def view_degrees() -> Float64:
    """Directions of the views, degrees, (views,)."""
    return np.asarray(np.arange(VIEWS) * (180.0 / VIEWS), dtype=np.float64)


def line_integrals(squares: Float32) -> Float32:
    """What the scanner's rays see: sums of pixels along them, (views x rays, n).

    Of *squares*, any unit, (n, side, side).

    Many images are projected as their principal components: the frames of a scan span few.

    :raises ResourceError: scikit-image is missing.
    """
    try:
        from skimage.transform import radon
    except ImportError as error:
        raise ResourceError(
            "Sinograms need the package scikit-image, which is not installed.",
            "Install it with: pip install petkinetics[osem]",
        ) from error
    flat = squares.reshape(len(squares), -1)
    # frames = mix @ components; the eigenvectors of their small Gram matrix are the left singular vectors
    power, left = np.linalg.eigh(flat.astype(np.float64) @ flat.T.astype(np.float64))
    kept = power > _RANK**2 * max(float(power[-1]), 1e-30)
    mix = left[:, kept].astype(np.float32)
    components = (mix.T @ flat).reshape(-1, *squares.shape[1:])
    angles = view_degrees()
    rays = [np.asarray(radon(image, angles, circle=True), dtype=np.float32).T.ravel() for image in components]
    if not rays:
        return np.zeros((VIEWS * squares.shape[1], len(squares)), dtype=np.float32)
    return np.asarray(np.stack(rays, axis=1) @ mix.T, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class SystemMatrix:
    """The rays of the reconstruction's model, in pixels of length, subset by subset.

    :param rows: of every subset, where its rays stand among all (views x rays).
    :param forward: of every subset, sparse (rays, pixels of the disc).
    :param back: its transposes, laid out for speed.
    """

    rows: list[NDArray[np.int64]]
    forward: list[Any]
    back: list[Any]

    def project(self, pixels: Float32) -> Float32:
        """Line integrals (views x rays, n) of values of *pixels*, any unit, (pixels, n)."""
        out = np.empty((sum(len(r) for r in self.rows), pixels.shape[1]), dtype=np.float32)
        for rows, part in zip(self.rows, self.forward, strict=True):
            out[rows] = part @ pixels
        return out


@lru_cache(maxsize=2)
def system_matrix(radius: int) -> SystemMatrix:
    """The matrix of a disc; some hundred MB at the paper's voxels, so only the last two are kept."""
    from scipy import sparse

    side = 2 * radius + 1
    pixels = disc_pixels(radius)
    column_of = np.full(side * side, -1, dtype=np.int32)
    column_of[pixels] = np.arange(pixels.size, dtype=np.int32)
    rows, forward, back = [], [], []
    for subset in range(SUBSETS):
        views = np.arange(subset, VIEWS, SUBSETS)
        parts = [_joseph(float(np.deg2rad(view_degrees()[v])), radius) for v in views]
        weights, columns, rays = [], [], []
        for n, (pixel, weight) in enumerate(parts):
            inside = column_of[pixel]
            use = (inside >= 0) & (weight > 0)
            columns.append(inside[use])
            weights.append(weight[use])
            rays.append(np.nonzero(use)[0].astype(np.int32) + n * side)
        matrix = sparse.csr_matrix(
            (np.concatenate(weights), (np.concatenate(rays), np.concatenate(columns))),
            shape=(views.size * side, pixels.size),
            dtype=np.float32,
        )
        rows.append((views[:, None] * side + np.arange(side)).ravel())
        forward.append(matrix)
        back.append(matrix.T.tocsr())
    return SystemMatrix(rows, forward, back)


def _joseph(angle: float, radius: int) -> tuple[NDArray[np.int64], Float32]:
    """Pixels (flat in the square) and weights of every ray of a view, both (rays, 2 x side).

    Ray s holds the positions with x cos(angle) - y sin(angle) = s, as in scikit-image, x to the right
    and y down from the centre.
    """
    side = 2 * radius + 1
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    steps = np.arange(-radius, radius + 1, dtype=np.float64)
    s = steps[:, None]
    along_rows = abs(cosine) >= abs(sine)
    # the coordinate across which the ray is interpolated, at every step of the other one
    across = (s + steps * sine) / cosine if along_rows else (steps * cosine - s) / sine
    length = 1.0 / max(abs(cosine), abs(sine))
    lower = np.floor(across)
    share = across - lower
    pixel, weight = [], []
    for offset, part in ((0.0, 1.0 - share), (1.0, share)):
        at = lower + offset
        inside = np.abs(at) <= radius
        place = np.clip(at, -radius, radius).astype(np.int64) + radius
        other = (steps + radius).astype(np.int64)[None, :]
        pixel.append(other * side + place if along_rows else place * side + other)
        weight.append(np.where(inside, part * length, 0.0))
    return np.concatenate(pixel, axis=1), np.concatenate(weight, axis=1).astype(np.float32)
