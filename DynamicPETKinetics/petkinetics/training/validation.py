"""How far a network is: the same scans of validation patients at every check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from petkinetics.evaluate.image_quality import image_quality
from petkinetics.networks.features import KI_UNIT, LINEAR
from petkinetics.simulate.patient import LESION_LABEL
from petkinetics.training.examples import Example, example_of
from petkinetics.training.impulse_maps import ImpulseMaps
from petkinetics.training.scan_settings import ScanRanges
from petkinetics.training.scans import draw_scan

#: organs' smaller parts do not count
_LEAST_VOXELS = 100
_LEAST_KI = 0.003


class ScanValidation:
    """Fixed scans and the numbers that the gates of the method are made of.

    :param slabs: of validation patients; those of *spacing_mm* where there are any.
    :param infer: (network, example) -> (slices, 2, rows, columns), Ki (0.01 mL/min/mL) and V0.
    """

    def __init__(
        self,
        slabs: list[Path],
        ranges: ScanRanges,
        banks: Path,
        infer: Callable[[nn.Module, Example], Tensor],
        device: torch.device,
        spacing_mm: tuple[float, float, float] = (1.95, 1.95, 2.79),
        most: int = 24,
    ) -> None:
        self._infer, self._device = infer, device
        self._cases: list[tuple[Example, np.ndarray]] = []
        opened = [ImpulseMaps.load(path) for path in slabs]
        usual = [s for s in opened if s.info.spacing_mm == spacing_mm and s.info.anatomy != "total-body"]
        for slab in (usual or opened)[:most]:
            rng = np.random.default_rng(slab.info.seed)
            scan = draw_scan(slab, ranges, rng, banks)
            middle = list(range(2, len(scan.labels) - 2))
            self._cases.append((example_of(scan, middle), scan.labels[middle]))

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """RMSE of Ki and V0 over Patlak's, mean absolute bias of lesions and organs (%), SSIM of Ki, and the score."""
        squares = np.zeros(4)
        lesions: list[float] = []
        likeness: list[float] = []
        organs: dict[tuple[int, int], tuple[float, float]] = {}
        for n, (example, labels) in enumerate(self._cases):
            found = self._infer(network, example.to(self._device)).float().cpu().numpy()
            truth = example.truth[:, LINEAR:].numpy()
            middle = example.features.shape[1] // 5 * 2
            patlak = example.features[:, middle + LINEAR - 2 : middle + LINEAR].numpy()
            inside = labels > 0
            for at, values in ((0, found), (2, patlak)):
                for m in range(2):
                    squares[at + m] += float(np.sum((values[:, m] - truth[:, m])[inside].astype(np.float64) ** 2))
            likeness.append(image_quality(found[:, 0], truth[:, 0], inside).ssim)
            lesions += _lesion_biases(labels, found[:, 0], truth[:, 0])
            for label in np.unique(labels):
                part = labels == label
                if label not in (0, LESION_LABEL) and part.sum() >= _LEAST_VOXELS:
                    organs[n, int(label)] = (float(truth[:, 0][part].mean()), float(found[:, 0][part].mean()))
        ki_ratio, v0_ratio = np.sqrt(squares[:2] / squares[2:])
        relative = [abs(f / t - 1.0) for t, f in organs.values() if t * KI_UNIT >= _LEAST_KI]
        absolute = [abs(f - t) * KI_UNIT for t, f in organs.values() if t * KI_UNIT < _LEAST_KI]
        lesion, bias, organ = (100.0 * _mean(v) for v in (np.abs(lesions), lesions, relative))
        return {
            "score": float(ki_ratio * (1.0 + 0.01 * lesion + 0.005 * organ)),
            "ki_rmse_ratio": float(ki_ratio),
            "v0_rmse_ratio": float(v0_ratio),
            "lesion_absolute_bias_percent": lesion,
            "lesion_bias_percent": bias,
            "organ_bias_percent": organ,
            "low_organ_bias": _mean(absolute),
            "ki_ssim": _mean(likeness),
        }


def _mean(values: Sequence[float] | np.ndarray) -> float:
    """0 where there is nothing to judge."""
    return float(np.mean(values)) if len(values) else 0.0


def _lesion_biases(labels: np.ndarray, found: np.ndarray, truth: np.ndarray) -> list[float]:
    """Relative biases of the lesions' means."""
    from scipy import ndimage

    parts, count = ndimage.label(labels == LESION_LABEL)
    biases = []
    for number in range(1, count + 1):
        part = parts == number
        if part.sum() >= 8 and truth[part].mean() > 0:
            biases.append(float(found[part].mean() / truth[part].mean() - 1.0))
    return biases
