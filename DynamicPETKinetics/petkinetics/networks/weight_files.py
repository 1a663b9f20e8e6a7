"""Weights on disk: a ``.safetensors`` file, and a model card beside it that says what it is.

A result refers to weights by the SHA-256 of their file, which the card repeats. A kernel is stored as whole numbers of
8 bits with a scale for each of its output channels (Krishnamoorthi 2018, arXiv 1806.08342, section 3), all else as
float16: a quarter of float32. What that costs stands in docs/experiments.md. Files of float16 alone are read as well.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from petkinetics.errors import InputError

#: the weights that come with the engine
SHIPPED = Path(__file__).parent / "weights"
#: names the scales of a kernel in the file, after the kernel's own name
_SCALE = "::scale"


@dataclass(frozen=True, eq=False)
class Weights:
    """A network's weights and what is said of them.

    :param tensors: by name, float32.
    :param card: the model card.
    :param sha256: of the file.
    """

    tensors: dict[str, Tensor]
    card: dict[str, Any]
    sha256: str

    @property
    def record(self) -> dict[str, Any]:
        """What a result says of them."""
        kept = ("name", "network", "preset", "version", "trained_on")
        return {name: self.card.get(name) for name in kept} | {"sha256": self.sha256}


def have_weights(name: str, folder: Path | None = None) -> bool:
    """Whether there are weights of that name; see :func:`read_weights`."""
    return ((SHIPPED if folder is None else folder) / f"{name}.safetensors").is_file()


def read_weights(name: str, folder: Path | None = None) -> Weights:
    """The weights of a network.

    :param name: stem of the files.
    :param folder: where own weights are (``--weights``); those that come with the engine by default.
    :raises InputError: they are not there, or the card is another file's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    where = SHIPPED if folder is None else folder
    file, card_file = where / f"{name}.safetensors", where / f"{name}.json"
    for path in (file, card_file):
        if not path.is_file():
            raise InputError(
                f"There is no file '{path.name}' in {'the engine' if folder is None else folder}.",
                "Train the network (petkinetics train) and name its folder with --weights.",
            )
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    try:
        card = json.loads(card_file.read_text(encoding="utf-8"))
        tensors = _unpacked(load(content))
    except (ValueError, SafetensorError) as error:
        raise InputError(f"The weights '{name}' in {where} cannot be read ({error}).") from error
    if card.get("sha256") != digest:
        raise InputError(
            f"The model card '{card_file.name}' was written for other weights than '{file.name}'.",
            "Copy both files again from where they were trained.",
        )
    return Weights(tensors, card, digest)


def write_weights(folder: Path, name: str, tensors: dict[str, Tensor], card: dict[str, Any]) -> str:
    """Write weights, kernels in 8 bits, and card.

    :param tensors: by name, no unit, of any shape.
    :returns: SHA-256 of the weights' file.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    content = save(_packed(tensors))
    digest = hashlib.sha256(content).hexdigest()
    (folder / f"{name}.safetensors").write_bytes(content)
    text = json.dumps({**card, "sha256": digest}, indent=2, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    return digest


def _packed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Kernels as int8 and their scales, the rest as float16."""
    packed = {}
    for key, value in tensors.items():
        there = value.detach().cpu().float().contiguous()
        if there.ndim < 2:
            packed[key] = there.half()
            continue
        scale = there.abs().amax(dim=tuple(range(1, there.ndim)), keepdim=True).clamp_min(1e-12) / 127.0
        packed[key], packed[key + _SCALE] = torch.round(there / scale).to(torch.int8), scale
    return packed


def _unpacked(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """Float32, whatever they were stored as."""
    return {
        key: value.float() * packed[key + _SCALE] if key + _SCALE in packed else value.float()
        for key, value in packed.items()
        if not key.endswith(_SCALE)
    }


def load_into(network: nn.Module, weights: Weights) -> nn.Module:
    """The network with these weights, ready to be used.

    :raises InputError: they belong to another network.
    """
    try:
        network.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise InputError(
            f"The weights '{weights.card.get('name')}' do not fit this network ({str(error).splitlines()[0]}).",
            "Name the preset that they were trained for with --set preset=...",
        ) from error
    return network.eval()


def device_named(device: str) -> torch.device:
    """The device to compute on: "auto" takes CUDA when it is there.

    :raises InputError: CUDA is asked for and not there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no CUDA device that PyTorch can use.", "Use --device auto or --device cpu.")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
