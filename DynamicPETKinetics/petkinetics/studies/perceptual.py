"""The image metrics of Liang et al. 2023 besides RMSE and PSNR, by the libraries that hold them.

``piq`` (optional group ``quality``) gives most, scikit-image NMI; ``pyiqa`` gives MAD, NLPD and AHIQ where somebody has
installed it. LPIPS, DISTS and AHIQ need weights, which are used where they lie already and never downloaded.
What is not computed is said, with the reason.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError
from petkinetics.studies import metric_libraries
from petkinetics.studies.slice_quality import intensity_top

Float32 = NDArray[np.float32]

#: slices a volume that are judged, evenly spaced through the body
SLICES = 4
#: smallest side, in pixels, of images with five scales
_FIVE_SCALES = 161


@dataclass(frozen=True)
class Metric:
    """One metric.

    :param name: as tables and figures show it.
    :param better: "high" or "low".
    :param library: "piq", "pyiqa" or "skimage".
    :param function: its name there.
    :param weights: file names that must lie in torch's folder of checkpoints.
    :param five_scales: needs images of 161 pixels a side.
    """

    name: str
    better: str
    library: str
    function: str
    weights: tuple[str, ...] = ()
    five_scales: bool = False


_VGG16 = "vgg16-397923af.pth"
METRICS = (
    Metric("NMI", "high", "skimage", "normalized_mutual_information"),
    Metric("MS-SSIM", "high", "piq", "multi_scale_ssim", five_scales=True),
    Metric("IW-SSIM", "high", "piq", "information_weighted_ssim", five_scales=True),
    Metric("FSIM", "high", "piq", "fsim"),
    Metric("SR-SIM", "high", "piq", "srsim"),
    Metric("DSS", "high", "piq", "dss"),
    Metric("HaarPSI", "high", "piq", "haarpsi"),
    Metric("VSI", "high", "piq", "vsi"),
    Metric("GMSD", "low", "piq", "gmsd"),
    Metric("MDSI", "low", "piq", "mdsi"),
    Metric("MAD", "low", "pyiqa", "mad"),
    Metric("NLPD", "low", "pyiqa", "nlpd"),
    Metric("LPIPS", "low", "piq", "LPIPS", (_VGG16, "lpips_weights.pt")),
    Metric("DISTS", "low", "piq", "DISTS", (_VGG16, "dists_weights.pt")),
    Metric("AHIQ", "high", "pyiqa", "ahiq", ("AHIQ_vit_p8_epoch33-da3ea303.pth",)),
)


def perceptual_quality(
    values: Float32, reference: Float32, body: NDArray[np.bool_], slices: int = SLICES
) -> tuple[dict[str, float], dict[str, str]]:
    """Means over some transverse slices of every metric that can be computed.

    Both volumes are brought to 0-1 by the reference's 99.9th percentile in the body, clipped; air is 0.

    :param values: any unit, (slices, rows, columns), as *reference* and *body*.
    :returns: metric -> value; metric -> why it was not computed.
    :raises InputError: shapes differ, or the reference is nowhere above zero in the body.
    """
    if not values.shape == reference.shape == body.shape:
        raise InputError(
            f"The image has {values.shape} voxels, its reference {reference.shape}, the body {body.shape}."
        )
    top = intensity_top(reference, body)
    used = np.flatnonzero(body.any(axis=(1, 2)))
    chosen = np.unique(used[np.linspace(0, used.size - 1, min(slices, used.size) + 2)[1:-1].round().astype(int)])
    x, y = (np.clip(np.where(body, v, 0.0)[chosen] / top, 0.0, 1.0).astype(np.float32) for v in (values, reference))
    found: dict[str, float] = {}
    missing: dict[str, str] = {}
    for metric in METRICS:
        reason = why_not(metric, min(x.shape[1:]))
        if reason is None:
            found[metric.name] = _COMPUTED[metric.library](metric, x, y)
        else:
            missing[metric.name] = reason
    return found, missing


def why_not(metric: Metric, side: int) -> str | None:
    """Why a metric cannot be computed on images of *side* pixels; None when it can."""
    if metric_libraries.library(metric.library) is None:
        return metric_libraries.not_installed(metric.library)
    if metric.five_scales and side < _FIVE_SCALES:
        return f"needs images of {_FIVE_SCALES} pixels a side, these have {side}"
    absent = [name for name in metric.weights if not (_checkpoints() / name).is_file()]
    if absent:
        return f"weights not present: {', '.join(absent)}"
    return None


def _checkpoints() -> Path:
    """Where torch keeps downloaded weights."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def _by_piq(metric: Metric, x: Float32, y: Float32) -> float:
    import torch

    library = metric_libraries.library("piq")
    images = [torch.from_numpy(v[:, None]) for v in (x, y)]
    with warnings.catch_warnings(), torch.no_grad():
        # that grey images are taken for RGB is said for every call
        warnings.filterwarnings("ignore", message=".*supports only RGB images.*")
        if metric.weights:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                network = getattr(library, metric.function)(reduction="mean")
            return float(network(*(image.expand(-1, 3, -1, -1) for image in images)))
        options = {"chromatic": False} if metric.function == "fsim" else {}
        return float(getattr(library, metric.function)(*images, data_range=1.0, reduction="mean", **options))


def _by_pyiqa(metric: Metric, x: Float32, y: Float32) -> float:
    import torch

    library = metric_libraries.library("pyiqa")
    assert library is not None
    images = (torch.from_numpy(v[:, None]).expand(-1, 3, -1, -1) for v in (x, y))
    with torch.no_grad():
        return float(library.create_metric(metric.function)(*images).mean())


def _by_skimage(metric: Metric, x: Float32, y: Float32) -> float:
    function = getattr(metric_libraries.library("skimage"), metric.function)
    return float(np.mean([function(a, b, bins=100) for a, b in zip(x, y, strict=True)]))


_COMPUTED: dict[str, Callable[[Metric, Float32, Float32], float]] = {
    "piq": _by_piq,
    "pyiqa": _by_pyiqa,
    "skimage": _by_skimage,
}


def lines_of_missing(missing: dict[str, str]) -> list[str]:
    """One line a reason."""
    reasons: dict[str, list[str]] = {}
    for name, reason in missing.items():
        reasons.setdefault(reason, []).append(name)
    return [f"Not computed: {', '.join(names)} ({reason})." for reason, names in reasons.items()]
