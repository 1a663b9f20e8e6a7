"""Where the patient is, found in a few frames at low resolution.

docs/methods.md, "Body mask".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.estimators.light_numpy import evenly_spread, median
from petkinetics.series import DynamicSeries

#: voxels are averaged to blocks of about this size before the threshold, to stand above the noise
_BLOCK_MM = 8.0
#: the threshold, as a share of the median activity inside
_SHARE = 0.15
#: added around what exceeds the threshold, so that skin and lesions in it stay inside
_MARGIN_MM = 12.0
_MOST_FRAMES = 3
#: a block of air rarely exceeds the noise's SD by this factor
_NOISE_SDS = 4.0


def body_mask(series: DynamicSeries, frames: Sequence[int]) -> NDArray[np.bool_]:
    """Body of the patient: bool (slices, rows, columns).

    The mean of up to three of the frames is averaged to 8 mm blocks; what exceeds 15 % of the
    median activity inside is kept (parts above 2 % of the largest: arms count), holes such as lungs
    and bowel gas are filled slice by slice, and 12 mm are added all round.

    :param frames: indices of frames that may be read (those used in the fit).
    :raises InputError: nothing stands out from the background.
    """
    import SimpleITK as sitk

    block = [max(1, round(_BLOCK_MM / series.geometry.spacing_mm[axis])) for axis in (0, 1)]
    blocks = _mean_of_blocks(series, _spread(frames), block[1], block[0])
    inside = blocks > _threshold(blocks)
    if not inside.any():
        raise InputError(
            "No body was found in the images: no activity stands out.",
            "Check that this is the attenuation-corrected PET, or use --mask none.",
        )
    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(image, True), sortByObjectSize=True)
    sizes = np.bincount(sitk.GetArrayViewFromImage(parts).ravel())[1:]
    large = sitk.GetArrayViewFromImage(parts)
    large = (large > 0) & (large <= int(np.sum(sizes >= 0.02 * sizes[0])))
    image = sitk.GetImageFromArray(_fill_slices(large).astype(np.uint8))
    spacing = (
        series.geometry.spacing_mm[0] * block[0],
        series.geometry.spacing_mm[1] * block[1],
        series.geometry.spacing_mm[2],
    )
    radius = [max(1, round(_MARGIN_MM / s)) for s in spacing]
    image = sitk.BinaryDilate(image, radius, sitk.sitkBall)
    coarse = sitk.GetArrayViewFromImage(image).astype(bool)
    return _enlarge(coarse, block[1], block[0], series.geometry.shape)


def _spread(frames: Sequence[int]) -> list[int]:
    """Up to three of the frames, evenly spread, the last among them."""
    count = min(_MOST_FRAMES, len(frames))
    return [int(frames[i]) for i in evenly_spread(len(frames) - 1, 0, count)]


def _mean_of_blocks(series: DynamicSeries, frames: list[int], by_rows: int, by_columns: int) -> NDArray[np.float32]:
    """Mean of the frames in blocks: (slices, block rows, block columns); what NaN touches is NaN."""
    slices, rows, columns = series.geometry.shape
    row_edges, column_edges = np.arange(0, rows, by_rows), np.arange(0, columns, by_columns)
    counts = np.diff(np.append(row_edges, rows))[:, None] * np.diff(np.append(column_edges, columns))
    out = np.empty((slices, row_edges.size, column_edges.size), dtype=np.float32)
    step = 4
    for first in range(0, slices, step):
        last = min(first + step, slices)
        slab = series.read(frames, first, last)
        total = slab.sum(axis=0) if len(frames) > 1 else slab[0]
        by_column = np.add.reduceat(np.add.reduceat(total, row_edges, axis=1), column_edges, axis=2)
        out[first:last] = by_column / (counts * len(frames))
    return out


def _threshold(blocks: NDArray[np.float32]) -> float:
    """15 % of the median of what lies above the threshold, found by iteration."""
    values = blocks[np.isfinite(blocks)]
    level = 0.5 * float(values.mean()) if values.size else 0.0
    for _ in range(10):
        inside = values[values > level]
        if inside.size == 0:
            break
        new = _SHARE * median(inside)
        if abs(new - level) <= 0.01 * abs(level):
            break
        level = new
    # Around the patient there is nothing but noise, as often below zero as above: at few counts it would
    # pass the threshold all over the image. Reconstructions without negative values leave this out.
    below = values[values < 0]
    noise = float(np.sqrt(np.mean(below.astype(np.float64) ** 2))) if below.size else 0.0
    return max(level, _NOISE_SDS * noise, 0.0)


def _fill_slices(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what is enclosed within each slice: background that does not reach the slice's border.

    The slices, each with a border of background, are laid below each other as one picture, so that
    one labelling serves all (one call a slice took six times as long).
    """
    import SimpleITK as sitk

    framed = np.pad(inside, ((0, 0), (1, 1), (1, 1)))
    picture = np.ascontiguousarray(~framed.reshape(-1, framed.shape[2])).astype(np.uint8)
    # The view does not keep the image alive: without a name for it, the view shows freed memory.
    image = sitk.ConnectedComponent(sitk.GetImageFromArray(picture))
    parts = sitk.GetArrayViewFromImage(image)
    return (parts != parts[0, 0]).reshape(framed.shape)[:, 1:-1, 1:-1]


def _enlarge(
    coarse: NDArray[np.bool_], by_rows: int, by_columns: int, shape: tuple[int, int, int]
) -> NDArray[np.bool_]:
    rows = np.repeat(coarse, by_rows, axis=1)[:, : shape[1]]
    return np.ascontiguousarray(np.repeat(rows, by_columns, axis=2)[:, :, : shape[2]])
