"""A map against Patlak of the noisy full scan: the reference that Liang et al. 2023 had, and their gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from petkinetics.evaluate.image_quality import image_quality
from petkinetics.maps import ParametricMap
from petkinetics.studies.names import CASE, PATLAK

Row = Mapping[str, object]
#: columns of ``patients.tsv`` that hold these numbers
COLUMNS = ("noisy_rmse", "noisy_psnr_db", "noisy_ssim")
#: what the paper reports on its patients, per cent over Patlak of the short scan
PAPER_GAINS = {"noisy_ssim": 2.27, "noisy_psnr_db": 7.04, "noisy_rmse": -16.3}


def noisy_reference_row(
    ki: ParametricMap, reference: NDArray[np.float32] | None, body: NDArray[np.bool_]
) -> dict[str, object]:
    """RMSE, PSNR and SSIM of Ki against the noisy full scan's; None where there is none.

    :param reference: Ki of weighted Patlak on the whole noisy scan, mL/min/mL, (slices, rows, columns).
    :param body: voxels that count, likewise.
    """
    if reference is None:
        return dict.fromkeys(COLUMNS)
    quality = image_quality(ki.values, reference, body)
    return dict(zip(COLUMNS, (quality.rmse, quality.psnr_db, quality.ssim), strict=True))


def gain_rows(summary: Sequence[Row], plain: str = PATLAK) -> list[dict[str, object]]:
    """Per cent by which each method's mean SSIM, PSNR and RMSE differ from the short scan's Patlak's.

    :param summary: rows of ``summary.tsv``.
    """
    short = {tuple(row[n] for n in CASE): row for row in summary if row["method"] == plain}
    rows: list[dict[str, object]] = []
    for row in summary:
        its = short.get(tuple(row[n] for n in CASE))
        if its is None or row is its or not isinstance(row.get(f"{COLUMNS[0]}_mean"), float):
            continue
        gains: dict[str, object] = {}
        for column in COLUMNS:
            own, base = row[f"{column}_mean"], its[f"{column}_mean"]
            assert isinstance(own, float) and isinstance(base, float)
            gains[f"{column}_gain_percent"] = 100.0 * (own / base - 1.0)
        rows.append({"method": row["method"], **{n: row[n] for n in CASE}, **gains})
    return rows
