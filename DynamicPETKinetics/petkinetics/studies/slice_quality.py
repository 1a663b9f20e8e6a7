"""NMI, PSNR and SSIM of single slices, whose distributions Liang et al. 2023 draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.evaluate.image_quality import ssim_map
from petkinetics.studies import metric_libraries

Float32 = NDArray[np.float32]


def intensity_top(reference: Float32, body: NDArray[np.bool_]) -> float:
    """The 99.9th percentile of a reference in the body, in its unit: images are judged between 0 and this.

    :param reference: (slices, rows, columns), as *body*.
    :raises InputError: it is not above zero.
    """
    top = float(np.percentile(reference[body], 99.9)) if body.any() else 0.0
    if top <= 0:
        raise InputError("The reference is nowhere above zero, so there is no scale to judge the image by.")
    return top


def slice_quality(
    values: Float32, reference: Float32, body: NDArray[np.bool_], least_voxels: int = 200
) -> Sequence[dict[str, float | None]]:
    """NMI, PSNR (dB) and SSIM of every transverse slice with enough body, for their distributions.

    The images, *values* and *reference*, are of any unit, (slices, rows, columns). Peak and range are the
    reference's 99.9th percentile in the body; SSIM as in
    :mod:`petkinetics.evaluate.image_quality`, in 3-D.

    :returns: a row a slice; NMI is None where scikit-image is not installed
        (:mod:`petkinetics.studies.perceptual` says so).
    :raises InputError: the reference is nowhere above zero.
    """
    library = metric_libraries.library("skimage")
    top = intensity_top(reference, body)
    similar = ssim_map(values, reference, top)
    rows: list[dict[str, float | None]] = []
    for k in np.flatnonzero(body.sum(axis=(1, 2)) >= least_voxels):
        inside = body[k]
        a, b = values[k][inside].astype(np.float64), reference[k][inside].astype(np.float64)
        rmse = float(np.sqrt(np.mean((a - b) ** 2)))
        nmi = None
        if library is not None:
            nmi = float(library.normalized_mutual_information(np.clip(a, 0, top), np.clip(b, 0, top), bins=100))
        rows.append(
            {
                "slice": int(k),
                "nmi": nmi,
                "psnr_db": float(20 * np.log10(top / rmse)) if rmse > 0 else float("inf"),
                "ssim": float(similar[k][inside].mean()),
            }
        )
    return rows
