"""What a PET scanner counts: sinograms of trues, scatter and randoms, with Poisson noise.

Expected counts of a ray in a frame:

    y = e a n L A + background,    L = s T / (D views)

A is the line integral of the activity (decay-corrected, kBq/mL x mm) times the ray's cross-section (mm^2),
hence Bq; s the sensitivity in coincidences per decay without attenuation, T the frame's duration, D what
undoes its decay, a = exp(-line integral of mu) the attenuation, n the efficiency of the detectors, e the
share of the dose. Background: scatter, 0.4 of the trues, spread over some 14 cm along every view; randoms,
0.4 of the trues, the same on all rays. Reconstruction is given all but the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from petkinetics.simulate.projection import VIEWS
from petkinetics.simulate.seeds import stream

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

#: linear attenuation at 511 keV, 1/mm; everything not named is soft tissue
_MU = {
    **dict.fromkeys(("air", "airways", "bowel gas"), 0.0),
    "lung": 0.0029,
    **dict.fromkeys(("vertebrae", "sternum"), 0.0116),
    **dict.fromkeys(("ribs", "pelvic bones", "limb bones"), 0.0130),
    "skull": 0.0150,
}
_MU_SOFT_TISSUE = 0.0096
#: scatter and randoms, relative to the trues of the slice
SCATTER, RANDOMS = 0.4, 0.4
_SCATTER_SD_MM = 60.0
#: relative spread of the detectors' efficiencies
_EFFICIENCY_SD = 0.05


def attenuation_map(labels: NDArray[np.uint8], names: dict[int, str]) -> Float32:
    """Linear attenuation (1/mm) of every voxel of *labels*, float32 of its shape, at 511 keV."""
    table = np.full(256, _MU_SOFT_TISSUE, dtype=np.float32)
    for label, name in names.items():
        table[label] = _MU.get(name, _MU_SOFT_TISSUE)
    table[0] = 0.0
    return table[labels]


@dataclass(frozen=True, eq=False)
class ExpectedCounts:
    """The means of a slice's sinograms.

    :param weight: counts per kBq/mL x mm of line integral, (rays, frames).
    :param trues: (rays, frames).
    :param background: scatter and randoms, (rays, frames).
    """

    weight: Float32
    trues: Float32
    background: Float32

    def scaled(self, factor: float) -> ExpectedCounts:
        """The means with *factor* times the counts."""
        f = np.float32(factor)
        return ExpectedCounts(self.weight * f, self.trues * f, self.background * f)

    def draw(self, streams: list[np.random.Generator]) -> Float32:
        """Poisson counts, one random stream a frame."""
        mean = self.trues + self.background
        return np.stack([rng.poisson(mean[:, i]) for i, rng in enumerate(streams)], axis=1).astype(np.float32)


def expected_counts(
    activity: Float32, attenuation: Float32, scale: Float64, bin_mm: float, seed: int
) -> ExpectedCounts:
    """Means of a slice's sinograms.

    :param activity: line integrals of the frames, kBq/mL x mm, (rays, frames).
    :param attenuation: line integrals of mu, (rays,).
    :param scale: counts per kBq/mL x mm of every frame, without attenuation.
    :param bin_mm: distance of rays.
    :param seed: of the patient, who meets a detector of his own.
    """
    from scipy import ndimage

    efficiency = stream(seed, "detectors").normal(1.0, _EFFICIENCY_SD, len(attenuation)).clip(0.7, 1.3)
    weight = np.asarray((np.exp(-attenuation) * efficiency)[:, None] * scale, dtype=np.float32)
    trues = np.maximum(activity, 0.0) * weight
    shape = (VIEWS, -1, trues.shape[1])
    wide = ndimage.gaussian_filter1d(trues.reshape(shape), _SCATTER_SD_MM / bin_mm, axis=1, mode="constant")
    total = trues.sum(axis=0)
    wide = wide.reshape(trues.shape)
    wide *= SCATTER * total / np.maximum(wide.sum(axis=0), 1e-20)
    background = wide + np.float32(RANDOMS) * total / np.float32(len(trues))
    return ExpectedCounts(weight, trues, background.astype(np.float32))
