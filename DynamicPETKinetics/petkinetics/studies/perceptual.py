"""The image metrics of Liang et al. 2023 besides RMSE and PSNR, by the libraries that hold them.

``piq`` (optional group ``quality``) gives most, scikit-image NMI; ``pyiqa`` gives MAD, NLPD and AHIQ where somebody has
installed it. LPIPS, DISTS and AHIQ need weights, which are used where they lie already and never downloaded.
What is not computed is said, with the reason.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petkinetics.errors import InputError

Float32 = NDArray[np.float32]

#: slices a volume that are judged, evenly spaced through the body
SLICES = 4
#: smallest side, in pixels, of images with five scales
_FIVE_SCALES = 161
NOT_INSTALLED = "{} is not installed (pip install {})"
#: library -> what people call it, and what to install
_PACKAGES = {
    "piq": ("piq", "petkinetics[quality]"),
    "pyiqa": ("pyiqa", "petkinetics[quality-all]"),
    "skimage": ("scikit-image", "petkinetics[quality]"),
}


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

    :param values: (slices, rows, columns), as *reference* and *body*.
    :returns: metric -> value; metric -> why it was not computed.
    :raises InputError: shapes differ, or the reference is nowhere above zero in the body.
    """
    if not values.shape == reference.shape == body.shape:
        raise InputError(
            f"The image has {values.shape} voxels, its reference {reference.shape}, the body {body.shape}."
        )
    top = _top(reference, body)
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


def _top(reference: Float32, body: NDArray[np.bool_]) -> float:
    top = float(np.percentile(reference[body], 99.9)) if body.any() else 0.0
    if top <= 0:
        raise InputError("The reference is nowhere above zero, so there is no scale to judge the image by.")
    return top


def why_not(metric: Metric, side: int) -> str | None:
    """Why a metric cannot be computed on images of *side* pixels; None when it can."""
    if _library(metric.library) is None:
        return NOT_INSTALLED.format(*_PACKAGES[metric.library])
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


def _library(name: str) -> ModuleType | None:
    """A library, or None where it is not installed."""
    from importlib import import_module
    from importlib.util import find_spec

    if find_spec(name) is None or (name != "skimage" and find_spec("torch") is None):
        return None
    if name != "skimage":
        _import_torchvision()
    return import_module("skimage.metrics" if name == "skimage" else name)


def _import_torchvision() -> None:
    """Import torchvision, which piq needs for its networks, even where its compiled part does not load.

    The release on PyPI is compiled for PyTorch with CUDA; beside a CPU build its import stops at the first of
    its operators that is not there. They are declared (not implemented): no metric calls them.
    """
    from importlib import import_module

    for _ in range(8):
        try:
            import_module("torchvision")
        except RuntimeError as error:
            operator = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if operator is None:
                raise
            _declare(operator[1])
            for module in [m for m in sys.modules if m.partition(".")[0] == "torchvision"]:
                del sys.modules[module]
        except ImportError:
            return
        else:
            return


#: libraries of declared operators; they vanish when they are collected
_declared: list[Any] = []


def _declare(operator: str) -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define(f"{operator}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)


def _by_piq(metric: Metric, x: Float32, y: Float32) -> float:
    import torch

    library = _library("piq")
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

    library = _library("pyiqa")
    assert library is not None
    images = (torch.from_numpy(v[:, None]).expand(-1, 3, -1, -1) for v in (x, y))
    with torch.no_grad():
        return float(library.create_metric(metric.function)(*images).mean())


def _by_skimage(metric: Metric, x: Float32, y: Float32) -> float:
    function = getattr(_library("skimage"), metric.function)
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


def slice_quality(
    values: Float32, reference: Float32, body: NDArray[np.bool_], least_voxels: int = 200
) -> Sequence[dict[str, float | None]]:
    """NMI, PSNR (dB) and SSIM of every transverse slice with enough body, for their distributions.

    The images are (slices, rows, columns). Peak and range are the reference's 99.9th percentile in the body; SSIM as in
    :mod:`petkinetics.evaluate.image_quality`, in 3-D.

    :returns: a row a slice; NMI is None where scikit-image is not installed (:func:`perceptual_quality` says so).
    :raises InputError: the reference is nowhere above zero.
    """
    from petkinetics.evaluate.image_quality import ssim_map

    library = _library("skimage")
    top = _top(reference, body)
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
