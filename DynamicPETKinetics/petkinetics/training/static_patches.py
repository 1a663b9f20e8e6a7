"""Patches to train the diffusion prior and the learned start on.

Two tasks share one network (see :mod:`petkinetics.networks.score_network`):

* *prior*: images of static PET plus noise of any level, white or correlated, the same or varying from place
  to place; slope and activity together, or one image alone. Nothing but the image is learned.
* *measured*: slope and activity of a Patlak fit of some window, with noise as counting makes it; the noise-free
  slope and intercept of the reference window are wanted.

Half the patches are centred on lesions or hot voxels: a small lesion is a few voxels in 10^5, and a prior that
never sees one takes it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from petkinetics.networks.noise_schedule import LEAST_LEVEL, MOST_LEVEL
from petkinetics.networks.score_network import SLICES, condition
from petkinetics.training.noise_fields import NoiseField, NoiseFields
from petkinetics.training.static_patient import IMAGE_NAMES, T_STARS_MIN, StaticPatient

Float32 = NDArray[np.float32]

#: noise of the measured slope, in units of its contrast: dose 2 at one bed to dose 0.04 at several
MEASURED_LEVELS = (0.012, 2.2)
NOISE_FWHM_MM = (2.5, 9.5)
_HOT = 0.6
_LESION_SHARE, _HOT_SHARE = 0.35, 0.15
#: cut-outs, in voxels, that are brought to the patch's size: other voxel sizes
_ZOOM = (0.8, 1.9)
_ZOOM_SHARE = 0.35
#: batches between renewals of a noise field
_RENEW_EVERY = 6
_THETAS_MIN = np.linspace(15.0, 150.0, 10)


@dataclass(frozen=True, eq=False)
class Patches:
    """A batch.

    :param noisy: (batch, 2, SLICES, size, size); *clean*: (batch, 2, size, size), middle slice.
    :param sigma: SD of the noise, (batch, 2, size, size); *level*: (batch, 2).
    :param weight: 0 for an absent image, (batch, 2).
    """

    noisy: Tensor
    clean: Tensor
    sigma: Tensor
    level: Tensor
    condition: Tensor
    weight: Tensor

    def to(self, device: torch.device) -> Patches:
        """The same on a device."""
        return Patches(*(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class _Places:
    """Where patches of a patient may be centred."""

    body: NDArray[np.int32]
    hot: NDArray[np.int32]
    lesion: NDArray[np.int32]
    contrasts: NDArray[np.float64]

    def activity_contrast(self, theta: float) -> float:
        """99th percentile of V0 + theta Ki in the body."""
        return float(np.interp(theta, _THETAS_MIN, self.contrasts))


class PatchSampler:
    """Draws batches.

    :param patients: what to draw from; may grow.
    :param measured_share: share of the task *measured*.
    """

    def __init__(
        self,
        patients: Sequence[StaticPatient],
        seed: int,
        size: int = 64,
        measured_share: float = 0.6,
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._noise = NoiseFields(self._rng)
        self._size, self._measured = size, measured_share
        self._batches = 0
        self._patients: list[StaticPatient] = []
        self._places: list[_Places] = []
        for patient in patients:
            self.add(patient)

    def add(self, patient: StaticPatient) -> None:
        """One patient more."""
        half = SLICES // 2
        middle = np.zeros(patient.inside.shape, bool)
        middle[half:-half] = True
        body, hot, lesion = (
            np.argwhere(where & middle).astype(np.int32)
            for where in (patient.inside > 0, (patient.images[0] > _HOT) & (patient.inside > 0), patient.inside > 1)
        )
        if body.size:
            self._patients.append(patient)
            self._places.append(_Places(body, hot, lesion, _activity_contrasts(patient)))

    def __len__(self) -> int:
        return len(self._patients)

    def batch(self, count: int) -> Patches:
        """Draw patches."""
        drawn = [self._patch() for _ in range(count)]
        self._batches += 1
        if self._batches % _RENEW_EVERY == 0:
            self._noise.renew_one()
        noisy, clean, sigma, level, conditions, weight = (np.stack(part) for part in zip(*drawn, strict=True))
        return Patches(*(torch.from_numpy(a) for a in (noisy, clean, sigma, level, conditions, weight)))

    def _patch(self) -> tuple[Float32, ...]:
        rng = self._rng
        index = int(rng.integers(0, len(self._patients)))
        patient = self._patients[index]
        measured = rng.uniform() < self._measured and not patient.static
        window = int(rng.integers(0, len(T_STARS_MIN))) if measured and rng.uniform() < 0.6 else 0
        cut, spacing = self._cut(patient, self._places[index])
        # The contrast of a few slices is not the contrast of a whole scan: other scales must do as well.
        scale = np.exp(rng.normal(0.0, 0.35, 2))
        theta = patient.theta_min[window] * (1.0 if measured else float(rng.uniform(0.7, 1.4)))
        contrast = (patient.contrast[0] * scale[0], self._places[index].activity_contrast(theta) * scale[1])
        clean = self._two(cut, 0, theta, patient, contrast)
        given = self._two(cut, window, theta, patient, contrast)
        alone = False
        if not measured:
            alone, given = self._static(cut, given, scale, patient.static)
            clean = given
        field = self._noise_field(spacing, white=not measured and rng.uniform() < 0.35)
        variance, told = self._variances(cut, uniform=not measured and rng.uniform() < 0.5)
        level = self._levels(patient, window, contrast, measured)
        sigma_true = np.sqrt(variance)[None] * level[:, None, None, None]
        noise = np.stack([field.crop(rng, SLICES, self._size) for _ in range(2)])
        noisy = given + sigma_true * noise
        sigma = np.sqrt(told)[None] * level[:, None, None]
        if alone:
            noisy[1], clean = 0.0, np.stack([clean[0], np.zeros_like(clean[0])])
        trapped = theta * contrast[0] / contrast[1]
        shared = condition(
            (float(level[0]), None if alone else float(level[1])),
            field.fwhm,
            (spacing[1], spacing[0]),
            trapped,
            measured,
        )
        weight = np.array([1.0, 0.0 if alone else 1.0], np.float32)
        return (
            noisy.astype(np.float32),
            np.ascontiguousarray(clean[:, SLICES // 2], np.float32),
            np.ascontiguousarray(sigma, np.float32),
            level.astype(np.float32),
            shared,
            weight,
        )

    def _cut(self, patient: StaticPatient, places: _Places) -> tuple[Float32, tuple[float, float]]:
        """All images around a random centre, (images, SLICES, size, size), and the voxel size (z, x)."""
        rng, size = self._rng, self._size
        draw = rng.uniform()
        among = places.body
        if draw < _LESION_SHARE and places.lesion.size:
            among = places.lesion
        elif draw < _LESION_SHARE + _HOT_SHARE and places.hot.size:
            among = places.hot
        k, r, c = (int(i) for i in among[int(rng.integers(0, len(among)))])
        slices = patient.images.shape[1]
        stride = 2 if rng.uniform() < 0.2 and k >= 4 and k < slices - 4 and patient.spacing_mm[0] < 4.0 else 1
        zoom = float(np.exp(rng.uniform(*np.log(_ZOOM)))) if rng.uniform() < _ZOOM_SHARE else 1.0
        if patient.spacing_mm[1] > 3.0:
            zoom = min(zoom, 1.1)
        width = round(size * zoom)
        half = SLICES // 2 * stride
        jitter = rng.integers(-width // 5, width // 5 + 1, 2)
        cut = _window(
            patient.images[:, k - half : k + half + 1 : stride], r + int(jitter[0]), c + int(jitter[1]), width
        )
        if width != size:
            there = torch.from_numpy(np.ascontiguousarray(cut, np.float32))
            cut = interpolate(there, (size, size), mode="bilinear", antialias=True, align_corners=False).numpy()
        if rng.uniform() < 0.5:
            cut = cut[:, ::-1]
        if rng.uniform() < 0.5:
            cut = cut[..., ::-1]
        if rng.uniform() < 0.5:
            cut = cut[..., ::-1, :]
        if rng.uniform() < 0.25:
            cut = cut.swapaxes(-1, -2)
        return cut.astype(np.float32), (patient.spacing_mm[0] * stride, patient.spacing_mm[1] * width / size)

    def _two(
        self, cut: Float32, window: int, theta: float, patient: StaticPatient, contrast: tuple[float, float]
    ) -> Float32:
        """Slope and activity of a window, each divided by its contrast."""
        ki = cut[2 * window] * np.float32(patient.contrast[0])
        v0 = cut[2 * window + 1] * np.float32(patient.contrast[1])
        return np.stack([ki / np.float32(contrast[0]), (v0 + np.float32(theta) * ki) / np.float32(contrast[1])])

    def _static(
        self, cut: Float32, pair: Float32, scale: NDArray[np.float64], always_alone: bool
    ) -> tuple[bool, Float32]:
        """Images of the prior's task: the pair, the pair with a static image, or one image alone."""
        draw = self._rng.uniform()
        statics = [IMAGE_NAMES.index("early_late"), IMAGE_NAMES.index("late")]
        static = cut[statics[int(self._rng.integers(0, 2))]] / np.float32(scale[1])
        if draw < 0.55 and not always_alone:
            return False, pair
        if draw < 0.65 and not always_alone:
            return False, np.stack([pair[0], static])
        # Alone: slope, intercept or static image look alike, and one prior serves all.
        choice = int(self._rng.integers(0, 3))
        image = (pair[0], cut[1] / np.float32(scale[1]), static)[choice]
        return True, np.stack([image, np.zeros_like(image)])

    def _noise_field(self, spacing: tuple[float, float], white: bool) -> NoiseField:
        if white:
            return self._noise.white()
        return self._noise.correlated(NOISE_FWHM_MM[0] / spacing[1], NOISE_FWHM_MM[1] / spacing[1])

    def _variances(self, cut: Float32, uniform: bool) -> tuple[Float32, Float32]:
        """Variance of the noise in every slice, and the middle one's as the network is told; about 1 in the body."""
        true = np.maximum(cut[-1], 0.05)
        if uniform:
            return np.ones_like(true), np.ones_like(true[0])
        # What an estimate from residuals knows: a mixture of the local activity and a constant.
        share = np.float32(self._rng.uniform(0.3, 1.0))
        told = share * true[SLICES // 2] + (1 - share)
        return true, np.maximum(told * np.float32(np.exp(self._rng.normal(0.0, 0.08))), 0.05)

    def _levels(
        self, patient: StaticPatient, window: int, contrast: tuple[float, float], measured: bool
    ) -> NDArray[np.float64]:
        rng = self._rng
        if measured or rng.uniform() < 0.6:
            bounds = MEASURED_LEVELS if measured else (LEAST_LEVEL, 4.0)
            first = float(np.exp(rng.uniform(*np.log(bounds))))
            ratio = patient.sd_ratio[window] * contrast[0] / contrast[1] * float(np.exp(rng.normal(0.0, 0.15)))
            return np.array([first, first * ratio])
        return np.asarray(np.exp(rng.uniform(np.log(LEAST_LEVEL), np.log(MOST_LEVEL), 2)))


def _activity_contrasts(patient: StaticPatient) -> NDArray[np.float64]:
    """99th percentiles of V0 + theta Ki in the body, for every theta of the table."""
    some = (patient.inside > 0).reshape(-1)[::7]
    ki, v0 = (patient.images[i].reshape(-1)[::7][some].astype(np.float32) for i in (0, 1))
    ki *= np.float32(patient.contrast[0])
    v0 *= np.float32(patient.contrast[1])
    return np.array([max(float(np.percentile(v0 + np.float32(t) * ki, 99.0)), 1e-6) for t in _THETAS_MIN])


def _window(images: NDArray[np.float16], row: int, column: int, width: int) -> NDArray[np.float16]:
    """A square around a centre; air (zero) outside the volume."""
    out = np.zeros((*images.shape[:2], width, width), images.dtype)
    r, c = row - width // 2, column - width // 2
    r0, c0 = max(r, 0), max(c, 0)
    part = images[:, :, r0 : max(r + width, 0), c0 : max(c + width, 0)]
    out[:, :, r0 - r : r0 - r + part.shape[2], c0 - c : c0 - c + part.shape[3]] = part
    return out
