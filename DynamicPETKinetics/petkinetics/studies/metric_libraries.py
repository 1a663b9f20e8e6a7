"""The optional libraries that judge images, where they are installed: piq, pyiqa, scikit-image."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

#: library -> what people call it, and what to install
_PACKAGES = {
    "piq": ("piq", "petkinetics[quality]"),
    "pyiqa": ("pyiqa", "petkinetics[quality-all]"),
    "skimage": ("scikit-image", "petkinetics[quality]"),
}


def not_installed(name: str) -> str:
    """Why a library cannot be used, and what to install."""
    return "{} is not installed (pip install {})".format(*_PACKAGES[name])


def library(name: str) -> ModuleType | None:
    """A library that judges images, or None where it is not installed.

    :param name: "piq", "pyiqa" or "skimage", of which :mod:`skimage.metrics` is given.
    """
    from importlib import import_module
    from importlib.util import find_spec

    if find_spec(name) is None or (name != "skimage" and find_spec("torch") is None):
        return None
    if name != "skimage":
        import_torchvision()
    return import_module("skimage.metrics" if name == "skimage" else name)


def import_torchvision() -> None:
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

    fragment = torch.library.Library("torchvision", "FRAGMENT")
    fragment.define(f"{operator}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(fragment)
