"""What a method invents where there is nothing: hot blobs in patients without lesions.

Anatomy has edges and hot organs of its own, so blobs are looked for in the error (map less noise-free reference), of
which the local mean, a method's bias, is the background. A blob is a connected part of the body of at least
:data:`LEAST_VOXELS` voxels above background + 4 SD of the error in the body.

Beside it stands plain Patlak under the Gaussian that leaves its noise the same SD, with blobs of the same height.
Its noise is its error smoothed; the error of the smoothed map holds the blur of edges besides, would never fall to
that of a good method, and so cannot set the width. Blobs are counted in both: the smoothed map is what a reader would
see instead (its errors at edges against the method's), its noise alone is the strictest yardstick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.boxes import box_around
from petkinetics.estimators.gaussian_width import sd_in_voxels
from petkinetics.series import VolumeGeometry

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Millimetres = tuple[float, float, float]

#: height of a blob over its background, in SDs
HEIGHT_SD = 4.0
#: smaller blobs are single noisy voxels
LEAST_VOXELS = 4
#: FWHM of the background, wider than any small lesion
BACKGROUND_MM = 40.0
#: widest Gaussian tried, how near the SDs must come, and the step at which the search ends
_WIDEST_MM, _NEAR, _NARROW_MM = 60.0, 0.002, 0.01


@dataclass(frozen=True)
class Blobs:
    """Blobs of a map and of plain Patlak smoothed to its noise, in the same body.

    :param litres: of the body.
    :param error_sd: of the map; *noise_sd*: of the smoothed noise, the same unless even plain Patlak has less.
    :param count: blobs of the map; *patlak_count*: of the smoothed Patlak map; *noise_count*: of its noise alone.
    :param patlak_fwhm_mm: of the Gaussian.
    """

    litres: float
    error_sd: float
    count: int
    noise_sd: float
    noise_count: int
    patlak_count: int
    patlak_fwhm_mm: float

    def row(self) -> dict[str, object]:
        """Cells of ``invented.tsv``."""
        return {
            "litres": self.litres,
            "error_sd": self.error_sd,
            "blobs": self.count,
            "blobs_per_litre": self.count / self.litres,
            "patlak_fwhm_mm": self.patlak_fwhm_mm,
            "patlak_blobs": self.patlak_count,
            "patlak_blobs_per_litre": self.patlak_count / self.litres,
            "ratio": ratio_of_counts(self.count, self.patlak_count),
            "noise_sd": self.noise_sd,
            "noise_blobs": self.noise_count,
            "noise_blobs_per_litre": self.noise_count / self.litres,
            "ratio_to_noise": ratio_of_counts(self.count, self.noise_count),
        }


def ratio_of_counts(count: int, other: int) -> float:
    """*count* over *other*; 0 where there is nothing in either, infinite where only the first has some."""
    if other:
        return count / other
    return float("inf") if count else 0.0


def invented_blobs(ki: Float32, patlak: Float32, reference: Float32, body: Mask, geometry: VolumeGeometry) -> Blobs:
    """Count the blobs of a map and of plain Patlak smoothed to the same noise.

    :param ki: the map, mL/min/mL, (slices, rows, columns), as *patlak*, *reference* (noise-free) and *body*.
    :raises InputError: shapes differ or the body is empty.
    """
    if not ki.shape == patlak.shape == reference.shape == body.shape:
        raise InputError(
            f"The map has {ki.shape} voxels, Patlak's {patlak.shape}, the reference {reference.shape}, "
            f"the body {body.shape}."
        )
    if not body.any():
        raise InputError("The body mask is empty.")
    # only the body's box is filtered
    box = box_around(body, geometry.shape)
    inside = body[box]
    flat = _Flattened(inside, geometry.spacing_mm)
    own = flat((ki - reference)[box])
    noise = np.where(inside, (patlak - reference)[box], np.float32(0))
    true = np.where(inside, reference[box], np.float32(0))
    wanted = float(own[inside].std())
    width, other = _smoothed_to(wanted, noise, flat)
    noise_sd = float(other[inside].std())
    blur = _gaussian(true, width, geometry.spacing_mm) - true if width > 0 else np.zeros_like(true)
    return Blobs(
        litres=float(inside.sum()) * geometry.voxel_volume_ml / 1000.0,
        error_sd=wanted,
        count=count_blobs(own, inside, HEIGHT_SD * wanted),
        noise_sd=noise_sd,
        noise_count=count_blobs(other, inside, HEIGHT_SD * noise_sd),
        patlak_count=count_blobs(other + flat(blur), inside, HEIGHT_SD * noise_sd),
        patlak_fwhm_mm=width,
    )


def count_blobs(values: Float32, inside: Mask, height: float, least_voxels: int = LEAST_VOXELS) -> int:
    """Connected parts (by faces) above a height, of at least so many voxels.

    :param values: (slices, rows, columns), as *inside*, the mask that parts lie in; *height* in their unit.
    """
    from scipy.ndimage import label

    found, _ = label(inside & (values > height))
    return int(np.count_nonzero(np.bincount(found.reshape(-1))[1:] >= least_voxels))


class _Flattened:
    """Takes the local mean within the body away."""

    def __init__(self, inside: Mask, spacing_mm: Millimetres) -> None:
        self.inside, self.spacing_mm = inside, spacing_mm
        self._share = np.maximum(_gaussian(inside.astype(np.float32), BACKGROUND_MM, spacing_mm), np.float32(1e-6))

    def __call__(self, error: Float32) -> Float32:
        error = np.where(self.inside, error, np.float32(0))
        return np.asarray(error - _gaussian(error, BACKGROUND_MM, self.spacing_mm) / self._share, np.float32)


def _smoothed_to(wanted: float, noise: Float32, flat: _Flattened) -> tuple[float, Float32]:
    """The FWHM (mm) of the Gaussian that leaves noise an SD, by bisection, and the noise under it."""

    def under(width: float) -> tuple[float, Float32]:
        values = flat(_gaussian(noise, width, flat.spacing_mm) if width > 0 else noise)
        return float(values[flat.inside].std()), values

    sd, values = under(0.0)
    width, low, high = 0.0, 0.0, _WIDEST_MM
    if sd <= wanted:
        return width, values
    while abs(sd - wanted) > _NEAR * wanted and high - low > _NARROW_MM:
        width = 0.5 * (low + high)
        sd, values = under(width)
        low, high = (width, high) if sd > wanted else (low, width)
    return width, values


def _gaussian(values: Float32, fwhm_mm: float, spacing_mm: Millimetres) -> Float32:
    from scipy.ndimage import gaussian_filter

    sd = sd_in_voxels(fwhm_mm, spacing_mm[::-1])
    return np.asarray(gaussian_filter(values, sd, mode="constant", truncate=3.0), np.float32)
